"""A dataset by its name, from the internet."""

from pathlib import Path

import streamlit as st

from core.data.intake import catalogue
from core.data.intake.catalogue import Fetch, Offer
from core.language import number, retold, tr, tr_context
from pages.components.cached import services
from pages.components.collect.intake_report import look_at
from pages.components.shared import elements, markdown
from pages.components.shared.report_errors import reporting


def show() -> None:
    """A dataset by its name in the catalogue of TensorFlow Datasets."""
    if not catalogue.is_installed():
        st.info(
            tr(
                "This needs an additional package. Quit the app, and start it once with {command}.",
                command=markdown.code(catalogue.INSTALL),
            ),
            icon=":material/extension:",
        )
        return
    going = catalogue.current(services.settings())
    if going is not None:
        _fetching(going)
        return
    link = "[TensorFlow Datasets](https://www.tensorflow.org/datasets)"
    st.markdown(tr("Public datasets, downloaded with {link}.", link=link))
    offers = {offer.name: offer for offer in catalogue.OFFERED}
    name = st.selectbox(
        tr("Dataset"),
        list(offers),
        format_func=lambda name: _title(offers[name]) if name in offers else name,
        accept_new_options=True,
        help=tr("Choose one, or type any other name from the catalogue."),
        key="catalogue-name",
    )
    if name in offers:
        offer = offers[name]
        elements.facts(
            [
                (tr("Classes"), number(offer.classes)),
                (tr("Photos"), number(offer.photos)),
                (tr("Download"), tr("about {size} MB", size=offer.megabytes)),
            ]
        )
    if st.button(tr("Download"), key="catalogue-download", type="primary", icon=":material/download:"):
        with reporting():
            catalogue.start(str(name), services.settings())
        st.rerun()


def _title(offer: Offer) -> str:
    title = tr(offer.title)
    return tr_context("dataset", "{title} ({name})", title=title, name=offer.name)


def _fetching(fetch: Fetch) -> None:
    """A download that is going, or has ended."""
    progress = fetch.read()
    if progress.state == catalogue.RUNNING:
        _fetch_progress(fetch)
        return
    if progress.state == catalogue.FINISHED:
        words = tr_context("sentence", "{words}.", words=markdown.escape(retold(progress.words)))
        st.success(words, icon=":material/check_circle:")
        look_at(Path(progress.folder))
    else:
        st.warning(markdown.escape(retold(progress.error or progress.words)), icon=":material/info:")
    finished = progress.state == catalogue.FINISHED
    again = tr("Download something else") if finished else tr("Try again, or choose another")
    if st.button(again, key="catalogue-again", icon=":material/refresh:"):
        with reporting():
            fetch.dismiss()
        st.rerun()


@st.fragment(run_every=1.0)
def _fetch_progress(fetch: Fetch) -> None:
    """How far a download is, and a button to cancel it."""
    progress = fetch.read()
    if progress.state != catalogue.RUNNING:
        st.rerun()
    st.progress(progress.share or 0.0, markdown.escape(retold(progress.words)))
    st.caption(tr("You can leave this page; the download continues."))
    if st.button(tr("Cancel"), key="catalogue-cancel", icon=":material/stop:"):
        with reporting():
            fetch.cancel()
        st.rerun()
