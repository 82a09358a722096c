"""A dataset by its name, from the internet."""

from pathlib import Path

import streamlit as st

from core.data.intake import catalogue
from core.data.intake.catalogue import Fetch
from pages.components.cached import services
from pages.components.collect.intake_report import look_at
from pages.components.shared import elements, markdown
from pages.components.shared.report_errors import reporting


def show() -> None:
    """A dataset by its name in the catalogue of TensorFlow Datasets."""
    if not catalogue.is_installed():
        st.info(
            f"This needs an additional package. Quit the app, and start it once with `{catalogue.INSTALL}`.",
            icon=":material/extension:",
        )
        return
    going = catalogue.current(services.settings())
    if going is not None:
        _fetching(going)
        return
    st.markdown("Public datasets, downloaded with [TensorFlow Datasets](https://www.tensorflow.org/datasets).")
    offers = {offer.name: offer for offer in catalogue.OFFERED}
    name = st.selectbox(
        "Dataset",
        list(offers),
        format_func=lambda name: f"{offers[name].title} ({name})" if name in offers else name,
        accept_new_options=True,
        help="Choose one, or type any other name from the catalogue.",
    )
    if name in offers:
        offer = offers[name]
        elements.facts(
            [
                ("Classes", f"{offer.classes:,}"),
                ("Photos", f"{offer.photos:,}"),
                ("Download", f"about {offer.megabytes:,} MB"),
            ]
        )
    if st.button("Download", type="primary", icon=":material/download:"):
        with reporting():
            catalogue.start(str(name), services.settings())
        st.rerun()


def _fetching(fetch: Fetch) -> None:
    """A download that is going, or has ended."""
    progress = fetch.read()
    if progress.state == catalogue.RUNNING:
        _fetch_progress(fetch)
        return
    if progress.state == catalogue.FINISHED:
        st.success(f"{markdown.escape(progress.words)}.", icon=":material/check_circle:")
        look_at(Path(progress.folder))
    else:
        st.warning(markdown.escape(progress.error or progress.words), icon=":material/info:")
    again = "Download something else" if progress.state == catalogue.FINISHED else "Try again, or choose another"
    if st.button(again, icon=":material/refresh:"):
        with reporting():
            fetch.dismiss()
        st.rerun()


@st.fragment(run_every=1.0)
def _fetch_progress(fetch: Fetch) -> None:
    """How far a download is, and a button to cancel it."""
    progress = fetch.read()
    if progress.state != catalogue.RUNNING:
        st.rerun()
    st.progress(progress.share or 0.0, markdown.escape(progress.words))
    st.caption("You can leave this page; the download continues.")
    if st.button("Cancel", icon=":material/stop:"):
        with reporting():
            fetch.cancel()
        st.rerun()
