"""The features that label checks and labelling need, computed by a job that is started and watched here."""

from collections.abc import Collection
from dataclasses import dataclass

import streamlit as st

from core import formatting
from core.data.scan.folder import Scan
from core.errors import RunError, UnfreezeError
from core.language import sentences, tr, tr_mark
from core.models import weights
from core.models.backbones import BACKBONES, Backbone, backbone
from core.runs.messages import text_of
from core.runs.store import ACTIVE, CRASHED, FAILED, STOPPED, Run, Status
from core.training.dataset_features import features
from core.training.dataset_features.features import Features, Request
from pages.components.cached import datasets, services
from pages.components.shared import markdown, state
from pages.components.shared.report_errors import ask, reporting
from pages.components.train import variant

LOOK_EVERY_SECONDS = 0.7
START_SECONDS = 8.0
"""What loading TensorFlow and the network takes, about."""

NETWORK = "label-check-network"

ENDINGS = {
    STOPPED: tr_mark("You stopped it. What was computed until then is kept; the next time continues from there."),
    CRASHED: tr_mark(
        "It ended unexpectedly: the computer may have been switched off, or memory may have run out. What"
        " was computed until then is kept."
    ),
}


@dataclass(frozen=True)
class Purpose:
    """What features are computed for.

    Attributes:
        button: What the button says that begins it, to be told.
        icon: Its icon.
        then: What is done with them, in a sentence, to be told.
        at_once: Whether the first job begins without being asked for.
    """

    button: str
    icon: str
    then: str
    at_once: bool = False


CHECK = Purpose(
    tr_mark("Check the labels"),
    ":material/fact_check:",
    tr_mark(
        "Then each label is compared with those of similar photos, and doubtful ones are shown to you, one by one."
    ),
)


def features_or_stop(scan: Scan, purpose: Purpose = CHECK) -> Features:
    """The features of a folder's photos; while there are none, the page ends with the button that computes them."""
    chosen = network()
    request = Request.of(scan, chosen.key)
    found = _kept(scan, chosen)
    new = found.lacking(request.digests) if found is not None else len(request.paths)
    if found is not None and not new:
        return found
    run = features.latest(datasets.feature_jobs(), scan.folder.root, chosen.key)
    if run is None and purpose.at_once:
        with reporting():
            run = features.start(datasets.feature_jobs(), request)
    with reporting():
        status = run.read_status() if run is not None else None
    if run is not None and status is not None and status.state in ACTIVE:
        st.fragment(_watch, run_every=LOOK_EVERY_SECONDS)(run)
    else:
        _offer(request, new, chosen, status, purpose)
    st.stop()


def network() -> Backbone:
    """The network that computes the features."""
    return backbone(state.widget(NETWORK) or variant.default())


def choose_network() -> None:
    """Choose among the networks whose weights are on this computer."""
    keys = [row.key for row in BACKBONES if weights.look_up(row, services.settings())]
    if not keys:
        return
    default = variant.default()
    st.selectbox(
        tr("Network that computes the features"),
        keys,
        index=keys.index(default) if default in keys else 0,
        format_func=lambda key: backbone(key).name,
        key=NETWORK,
        persist_state="session",
        help=tr("It is pretrained and not trained further. Networks whose weights are on this computer are offered."),
    )


def _kept(scan: Scan, chosen: Backbone) -> Features | None:
    run = features.kept(datasets.feature_jobs(), scan.folder.root, chosen.key)
    try:
        return datasets.features(run.id) if run is not None else None
    except RunError:  # somebody has just removed it, or it cannot be read: it is computed again
        return None


def _offer(request: Request, new: int, chosen: Backbone, last: Status | None, purpose: Purpose) -> None:
    """What will be done, and the button that starts it; `new` photos have no features yet."""
    if last is not None and last.state == FAILED:
        st.warning(markdown.escape(last.error), icon=":material/error:")
    elif last is not None and last.state in ENDINGS:
        st.info(tr(ENDINGS[last.state]), icon=":material/info:")
    if new < len(request.paths):
        st.markdown(
            tr(
                "**{count} of {total} photos are new since the last time;** only these are computed.",
                count=new,
                total=len(request.paths),
            )
        )
    throughput = services.known_throughput(chosen).throughput
    seconds = START_SECONDS + new * throughput.forward_seconds(chosen)
    st.caption(
        tr(
            ":material/schedule: {photos}, about {duration}, less where a training has cached their features. It is"
            " done once; later it starts at once.",
            photos=formatting.photos(new),
            duration=formatting.duration(seconds),
        )
    )
    button = tr(purpose.button)
    if st.button(button, key="compute-features", type="primary", icon=purpose.icon, width="stretch"):
        with reporting():
            features.start(datasets.feature_jobs(), request)
        st.rerun()
    if new == len(request.paths):
        computes = tr(
            "**{network}**, a pretrained network, computes features of every photo.",
            network=markdown.escape(chosen.name),
        )
        costs = tr("No training is needed, and your photos are never changed.")
        st.markdown(sentences(computes, tr(purpose.then), costs))
    with st.expander(tr("Network"), icon=":material/tune:"):
        choose_network()


def status_while(run: Run, states: Collection[str]) -> Status:
    """The status of a job in one of these states; where it is in none any more, or gone, the page is drawn again."""
    try:
        status = run.read_status()
    except UnfreezeError:  # it was removed at this moment
        st.rerun()
    if status.state not in states:
        st.rerun()
    return status


def _watch(run: Run) -> None:
    status = status_while(run, ACTIVE)
    said = tr("{stage}…", stage=markdown.escape(text_of(status.message)))
    if status.images_per_second:
        said = tr("{stage} · {rate} photos a second", stage=said, rate=f"{status.images_per_second:.0f}")
    st.progress(min(1.0, status.progress or 0.0), said)
    st.button(tr("Stop"), icon=":material/stop:", key="stop-features", on_click=ask, args=(run.request_stop,))
    st.caption(tr("You can close this page; the work goes on, and the result will be here."))
