"""Photos for which somebody claims a label: what a trained model says of each claim."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.images import PHOTO_SUFFIXES
from core.data.intake.labelled_photos import find_class, read_claims, similar_classes
from core.data.scan.layout import TABLE_SUFFIXES
from core.data.scan.walk import check_photo
from core.errors import PhotoError
from core.labels.label_checks import AGREE, DISAGREE, UNSURE
from core.labels.label_verdicts import CheckedPhotos, LabelChecker, verdicts_on
from pages.components.cached import datasets, models, services
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import drawings, elements, markdown, state
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.shared.run_embeddings import embeddings_of

PER_PAGE = 10
PHOTO_PIXELS, EVIDENCE_PIXELS = 130, 60
ARCHIVE_MEGABYTES = 1000
MOST_LABELS = 30
SEEN, CLAIMED, SHOWN = "claims-seen", "claims-changed", "claims-shown"

NO_LABEL = ""
ORDER = (DISAGREE, UNSURE, AGREE, NO_LABEL)
"""What is looked at first."""

BADGES = {
    AGREE: ":green-badge[:material/check: agrees]",
    DISAGREE: ":red-badge[:material/close: disagrees]",
    UNSURE: ":orange-badge[:material/question_mark: unsure]",
    NO_LABEL: ":gray-badge[:material/label_off: no label to check]",
}
FILTERS = {DISAGREE: "Disagree", UNSURE: "Unsure", AGREE: "Agree", NO_LABEL: "No label"}
EVERYTHING = "All"


def show() -> None:
    """Upload photos, and read the verdicts."""
    chosen = choose_run()
    if chosen is None:
        return
    if chosen.recipe.weights == "random":
        random_weights_warning()
    files = st.file_uploader(
        "Photos with their labels",
        type=[*sorted(PHOTO_SUFFIXES), *TABLE_SUFFIXES, ".zip"],
        accept_multiple_files=True,
        key="claims",
        max_upload_size=ARCHIVE_MEGABYTES,
        help="A ZIP with a folder for each class; or photos together with a CSV file that has the columns file and"
        " label; or photos alone, and you say below what they are.",
    )
    checker = _checker_or_stop(chosen)  # after the uploader, so that the model loads while a person looks for photos
    if not files:
        state.take(SEEN)
        st.caption(
            "A ZIP with a folder for each class, photos with a CSV (file, label), or photos alone: then you say what"
            f" they are. At most {services.settings().limits.uploads:,} photos at a time. Nothing is kept: photos are"
            " gone from the server when this page is closed."
        )
        return
    seen = _seen(chosen, checker, files)
    _left_out(seen, len(files))
    if not seen.names:
        st.info("There is no photo among these files that can be read.", icon=":material/image_not_supported:")
        return
    claimed = _claimed(seen, checker.predictor.class_names)
    _show_verdicts(chosen, seen, claimed, checker.predictor.class_names)


def _checker_or_stop(chosen: LoadedRun) -> LabelChecker:
    """What judges the claims; while the model still looks at the photos of its run, the page ends there."""
    run = chosen.run
    if embeddings_of(run) is None:
        st.stop()
    with reporting():
        return models.label_checker(run.id, chosen.status.ended, run.embeddings_file.stat().st_mtime_ns)


def _seen(chosen: LoadedRun, checker: LabelChecker, files: Sequence[UploadedFile]) -> CheckedPhotos:
    """What the model sees in the files, kept for this session alone and as long as they stay the same."""
    key = (chosen.run.id, chosen.status.ended, tuple(file.file_id for file in files))
    known, seen = state.recall(SEEN, (None, None))
    if known != key or not isinstance(seen, CheckedPhotos):
        bar = st.progress(0.0, "Looking at the photos…")
        limits = services.settings().limits
        claims = read_claims([(file.name, file) for file in files], limits)
        total = max(1, len(claims.photos))

        def on_photos(done: int) -> None:
            bar.progress(min(1.0, done / total), f"Looking at the photos: {done:,} of {total:,}")

        with reporting():
            seen = checker.check(claims, limits.pixels, on_photos)
        bar.empty()
        state.remember(SEEN, (key, seen))
        state.remember(CLAIMED, {})
    return seen


def _left_out(seen: CheckedPhotos, files: int) -> None:
    if seen.left_out:
        rows = [{"file": entry.path, "why it was left out": entry.reason} for entry in seen.left_out]
        with st.expander(f"{len(rows):,} left out, and why", icon=":material/rule:"):
            elements.long_list(rows, "left-out.csv")


def _claimed(seen: CheckedPhotos, class_names: Sequence[str]) -> list[int | None]:
    """For each photo the class that is claimed, after all that was chosen here; None where there is none."""
    counts = Counter(label for label in seen.labels if find_class(label, class_names) is None)
    meant = {label: find_class(label, class_names) for label in set(seen.labels)}
    if counts:
        with st.container(border=True):
            _say_unknown(counts, class_names)
            for label, count in counts.most_common(MOST_LABELS):
                meant[label] = _ask_meaning(label, count, class_names)
    changed = state.recall(CLAIMED, {})
    return [changed.get(place, meant[label]) for place, label in enumerate(seen.labels)]


def _say_unknown(counts: Counter[str], class_names: Sequence[str]) -> None:
    named = sum(count for label, count in counts.items() if label)
    if named:
        labels = sum(1 for label in counts if label)
        st.markdown(
            f"**{named:,} {'photo has a label' if named == 1 else 'photos have labels'} that the model does not know.**"
            f" It knows {len(class_names):,} classes. Say what is meant:"
        )
        if labels > MOST_LABELS:
            st.caption(f"The {MOST_LABELS} most frequent of {labels:,} labels; the others are not judged.")


def _ask_meaning(label: str, count: int, class_names: Sequence[str]) -> int | None:
    """Which class a label means that is none, or the photos that have none; None to leave them out."""
    near = similar_classes(label, class_names) if label else []
    others = [place for place in range(len(class_names)) if place not in near]
    photos = "1 photo" if count == 1 else f"{count:,} photos"
    unlabelled = "What is the photo without a label?" if count == 1 else f"What are the {photos} without a label?"
    return st.selectbox(
        f"“{markdown.escape(label)}”, {photos}" if label else unlabelled,
        [*near, *others],
        index=None,
        format_func=lambda place: class_names[place],
        placeholder=f"Perhaps {', '.join(class_names[place] for place in near)}?" if near else "Choose a class…",
        key=f"means-{label}",
    )


def _show_verdicts(
    chosen: LoadedRun, seen: CheckedPhotos, claimed: Sequence[int | None], class_names: Sequence[str]
) -> None:
    found = verdicts_on(seen, claimed)
    counts = Counter(found)
    words = {AGREE: "agree", DISAGREE: "disagree", UNSURE: "unsure", NO_LABEL: "without a label"}
    parts = [f"{counts[verdict]:,} {words[verdict]}" for verdict in (AGREE, DISAGREE, UNSURE)]
    parts += [f"{counts[NO_LABEL]:,} {words[NO_LABEL]}"] if counts[NO_LABEL] else []
    st.markdown(f"### {', '.join(parts)}")
    st.caption(
        "Agree: the model takes the photo for what is claimed. Disagree: it is sure of another class. Unsure: it could"
        " be either, or the photo is like none that the model has learned from. The model can be wrong, too."
    )
    elements.download_list(_rows(seen, claimed, found, class_names), "label-check.csv")
    kinds = [EVERYTHING, *(verdict for verdict in ORDER if counts[verdict])]
    shown = st.segmented_control(
        "Show",
        kinds,
        default=EVERYTHING,
        required=True,
        format_func=lambda kind: kind if kind == EVERYTHING else f"{FILTERS[kind]} · {counts[kind]:,}",
        key=f"{SHOWN}-{len(kinds)}",
    )
    order = sorted(range(len(found)), key=lambda i: (ORDER.index(found[i]), -seen.probabilities[i].max()))
    wanted = [i for i in order if shown in (EVERYTHING, found[i])]
    pages = -(-len(wanted) // PER_PAGE)
    page = st.pagination(pages, key=f"claims-page-{shown}-{pages}") if pages > 1 else 1
    for place in wanted[(page - 1) * PER_PAGE : page * PER_PAGE]:
        with st.container(border=True):
            _card(chosen, seen, place, claimed[place], found[place], class_names)


def _card(
    chosen: LoadedRun,
    seen: CheckedPhotos,
    place: int,
    claimed: int | None,
    verdict: str,
    class_names: Sequence[str],
) -> None:
    """One photo, the verdict, and the photos that the model has learned from and finds most like it."""
    with st.container(horizontal=True, gap="medium"):
        st.image(seen.pixels[place], width=PHOTO_PIXELS, alt=f"{seen.names[place]} as the model sees it")
        with st.container(width=250, gap="xsmall"):
            st.markdown(f"{BADGES[verdict]} {markdown.escape(seen.names[place])}")
            st.markdown(_in_words(seen, place, claimed, verdict, class_names))
            _change(place, claimed, class_names)
        with st.container(width="stretch", gap="xsmall"):
            _evidence(chosen, seen, place, class_names)


def _in_words(seen: CheckedPhotos, place: int, claimed: int | None, verdict: str, class_names: Sequence[str]) -> str:
    best = int(seen.probabilities[place].argmax())
    shares = [drawings.percent(float(share)) for share in seen.probabilities[place]]
    model = f"The model takes it for **{markdown.escape(class_names[best])}** ({markdown.escape(shares[best])})"
    if verdict == UNSURE and seen.strange[place]:
        return f"{model}, but it is unlike the photos that it has learned from."
    if claimed is None or claimed == best:
        return f"{model}."
    return f"{model}, and gives **{markdown.escape(class_names[claimed])}** {markdown.escape(shares[claimed])}."


def _change(place: int, claimed: int | None, class_names: Sequence[str]) -> None:
    key = f"claim-{place}"
    st.selectbox(
        "Claimed label",
        range(len(class_names)),
        index=claimed,
        format_func=lambda label: class_names[label],
        placeholder="None yet",
        key=f"{key}-{claimed}",
        on_change=_changed,
        args=(place, f"{key}-{claimed}"),
    )


def _changed(place: int, key: str) -> None:
    state.remember(CLAIMED, {**state.recall(CLAIMED, {}), place: state.widget(key)})


def _evidence(chosen: LoadedRun, seen: CheckedPhotos, place: int, class_names: Sequence[str]) -> None:
    labels = [class_names[seen.known.labels[i]] for i in seen.evidence[place]]
    counts = ", ".join(f"{count} {markdown.escape(name)}" for name, count in Counter(labels).most_common())
    st.caption(f"Most like it among the photos it has learned from: {counts}")
    with st.container(horizontal=True, gap="xsmall"):
        for i, label in zip(seen.evidence[place], labels, strict=True):
            _training_photo(Path(chosen.recipe.dataset) / seen.known.paths[i], label)


def _training_photo(path: Path, label: str) -> None:
    try:
        file = check_photo(path, services.settings().dataset_roots)
        st.image(
            datasets.small(file, file.stat().st_mtime), width=EVIDENCE_PIXELS, alt=f"{path.name}, labelled {label}"
        )
    except (PhotoError, FileNotFoundError) as error:
        st.caption(f":material/broken_image: {markdown.escape(path.name)}: {error}", width=EVIDENCE_PIXELS)


def _rows(
    seen: CheckedPhotos, claimed: Sequence[int | None], found: Sequence[str], class_names: Sequence[str]
) -> list[dict[str, str]]:
    best = seen.probabilities.argmax(axis=1)
    return [
        {
            "photo": name,
            "sent as": seen.labels[i],
            "claimed label": "" if (label := claimed[i]) is None else class_names[label],
            "verdict": found[i],
            "the model says": class_names[best[i]],
            "with probability": f"{seen.probabilities[i, best[i]]:.4f}",
            "probability of the claimed label": "" if label is None else f"{seen.probabilities[i, label]:.4f}",
            "unlike the training photos": "yes" if seen.strange[i] else "no",
        }
        for i, name in enumerate(seen.names)
    ]
