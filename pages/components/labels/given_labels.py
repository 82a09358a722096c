"""Photos with given labels: a trained model's verdict on each label."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.data.class_names import find_class, shown_names, similar_classes
from core.data.images import PHOTO_SUFFIXES
from core.data.intake.labelled_photos import read_labelled_photos
from core.data.scan.tables import TABLE_SUFFIXES
from core.data.scan.walk import check_photo
from core.errors import PhotoError
from core.formatting import photos
from core.labels.label_checks import AGREE, DISAGREE, UNSURE
from core.labels.label_verdicts import CheckedPhotos, LabelChecker, verdicts_on
from core.language import number, tr, tr_mark, tr_plural
from pages.components.cached import datasets, models, services
from pages.components.gallery import gallery
from pages.components.runs.run_view import random_weights_warning
from pages.components.shared import drawings, elements, markdown, state, thumbnails, upload_limits
from pages.components.shared.report_errors import reporting
from pages.components.shared.run_choice import choose_run
from pages.components.shared.run_descriptions import LoadedRun
from pages.components.shared.run_embeddings import embeddings_of

PER_PAGE = 48
PHOTO_PIXELS, EVIDENCE_PIXELS = 300, 60
MOST_LABELS = 30
CHECKED, CHANGED, SHOWN = "given-labels-checked", "given-labels-changed", "given-labels-shown"
SMALL, OPENED, SET = "given-labels-small", "given-labels-opened", "set"

NO_LABEL = ""
ORDER = (DISAGREE, UNSURE, AGREE, NO_LABEL)
"""The order in which photos are listed."""

BADGES = {
    AGREE: (":green-badge", ":material/check:", tr_mark("agrees")),
    DISAGREE: (":red-badge", ":material/close:", tr_mark("disagrees")),
    UNSURE: (":gray-badge", ":material/question_mark:", tr_mark("unsure")),
    NO_LABEL: (":gray-badge", ":material/label_off:", tr_mark("no label to check")),
}
"""The badge of a verdict, its icon and its words."""

EVERYTHING = "all"
FILTERS = {
    EVERYTHING: tr_mark("All"),
    DISAGREE: tr_mark("Disagree"),
    UNSURE: tr_mark("Unsure"),
    AGREE: tr_mark("Agree"),
    NO_LABEL: tr_mark("No label"),
}
COUNTS: Mapping[str, Callable[[int], str]] = {
    AGREE: lambda count: tr_plural("{count} agree", "{count} agree", count),
    DISAGREE: lambda count: tr_plural("{count} disagree", "{count} disagree", count),
    UNSURE: lambda count: tr("{count} unsure", count=count),
    NO_LABEL: lambda count: tr("{count} without a label", count=count),
}
"""How many photos have a verdict."""

BADGES_SHORT = {
    AGREE: (tr_mark("agrees"), gallery.RIGHT),
    DISAGREE: (tr_mark("disagrees"), gallery.WRONG),
    UNSURE: (tr_mark("unsure"), gallery.UNSURE),
    NO_LABEL: (tr_mark("no label"), ""),
}
"""What is said of a photo in a gallery, to be told, and its mark."""


def show() -> None:
    """The upload of photos, and the verdicts."""
    chosen = choose_run()
    if chosen is None:
        return
    if chosen.recipe.weights == "random":
        random_weights_warning()
    files = st.file_uploader(
        tr("Photos with their labels"),
        type=[*sorted(PHOTO_SUFFIXES), *TABLE_SUFFIXES, ".zip"],
        accept_multiple_files=True,
        key="given-labels",
        max_upload_size=upload_limits.archive_megabytes(),
        help=tr(
            "A ZIP file with a folder for each class; or photos together with a CSV file that has the columns file and"
            " label; or photos alone, whose labels you choose below."
        ),
    )
    checker = _checker_or_stop(chosen)  # after the uploader, so that the model loads while a person chooses photos
    if not files:
        state.take(CHECKED)
        st.caption(
            tr(
                "A ZIP file with a folder for each class, photos with a CSV file (columns file and label), or photos"
                " alone, whose labels you then choose. At most {count} photos at a time. Nothing is stored: when you"
                " close this page, the photos are gone from the server.",
                count=services.settings().limits.uploads,
            )
        )
        return
    checked = _checked(chosen, checker, files)
    _left_out(checked, len(files))
    if not checked.names:
        st.info(tr("None of these files is a readable photo."), icon=":material/image_not_supported:")
        return
    given = _given(checked, checker.predictor.class_names)
    _show_verdicts(chosen, checked, given, checker.predictor.class_names)


def _checker_or_stop(chosen: LoadedRun) -> LabelChecker:
    """The checker; while the embeddings of the run's photos are being computed, the page ends with their progress."""
    run = chosen.run
    if embeddings_of(run) is None:
        st.stop()
    with reporting():
        return models.label_checker(run.id, chosen.status.ended, run.embeddings_file.stat().st_mtime_ns)


def _checked(chosen: LoadedRun, checker: LabelChecker, files: Sequence[UploadedFile]) -> CheckedPhotos:
    """The predictions for the files, kept for this session alone and as long as the files stay the same."""
    key = (chosen.run.id, chosen.status.ended, tuple(file.file_id for file in files))
    known, checked = state.recall(CHECKED, (None, None))
    if known != key or not isinstance(checked, CheckedPhotos):
        bar = st.progress(0.0, tr("Predicting the photos…"))
        limits = services.settings().limits
        sent = read_labelled_photos([(file.name, file) for file in files], limits)
        total = max(1, len(sent.photos))

        def on_photos(done: int) -> None:
            words = tr("Predicting the photos: {done} of {total}", done=done, total=total)
            bar.progress(min(1.0, done / total), words)

        with reporting():
            checked = checker.check(sent, limits.pixels, on_photos)
        bar.empty()
        state.remember(CHECKED, (key, checked))
        state.remember(CHANGED, {})
        state.remember(SMALL, {})
    return checked


def _left_out(checked: CheckedPhotos, files: int) -> None:
    if checked.left_out:
        title = tr("{count} left out, with reasons", count=len(checked.left_out))
        with st.expander(title, icon=":material/rule:"):
            elements.left_out_list(checked.left_out)


def _given(checked: CheckedPhotos, class_names: Sequence[str]) -> list[int | None]:
    """The given class of each photo, after all that was chosen here; None where there is none."""
    counts = Counter(label for label in checked.labels if find_class(label, class_names) is None)
    meant = {label: find_class(label, class_names) for label in set(checked.labels)}
    if counts:
        with st.container(border=True):
            _show_unknown(counts, class_names)
            for label, count in counts.most_common(MOST_LABELS):
                meant[label] = _ask_meaning(label, count, class_names)
    changed = state.recall(CHANGED, {})
    return [changed.get(place, meant[label]) for place, label in enumerate(checked.labels)]


def _show_unknown(counts: Counter[str], class_names: Sequence[str]) -> None:
    named = sum(count for label, count in counts.items() if label)
    if named:
        labels = sum(1 for label in counts if label)
        st.markdown(
            tr_plural(
                "**{count} photo has a label that the model does not know.** It knows {classes} classes. Choose the"
                " class that is meant:",
                "**{count} photos have labels that the model does not know.** It knows {classes} classes. Choose the"
                " class that is meant:",
                named,
                classes=len(class_names),
            )
        )
        if labels > MOST_LABELS:
            st.caption(
                tr(
                    "The {count} most frequent of {total} labels; the others are not checked.",
                    count=MOST_LABELS,
                    total=labels,
                )
            )


def _ask_meaning(label: str, count: int, class_names: Sequence[str]) -> int | None:
    """The class meant by an unknown label, or by photos without one; None to leave them out."""
    near = similar_classes(label, class_names) if label else []
    others = [place for place in range(len(class_names)) if place not in near]
    shown = shown_names(tuple(class_names))
    if label:
        question = tr("“{label}”, {photos}", label=markdown.escape(label), photos=photos(count))
    else:
        question = tr_plural(
            "What is the photo without a label?", "What are the {count} photos without a label?", count
        )
    hint = tr("Choose a class…")
    if near:
        hint = tr("Perhaps {class_names}?", class_names=", ".join(shown[place] for place in near))
    return st.selectbox(
        question,
        [*near, *others],
        index=None,
        format_func=lambda place: shown[place],
        placeholder=hint,
        key=f"means-{label}",
    )


def _show_verdicts(
    chosen: LoadedRun, checked: CheckedPhotos, given: Sequence[int | None], class_names: Sequence[str]
) -> None:
    found = verdicts_on(checked, given)
    counts = Counter(found)
    parts = [COUNTS[verdict](counts[verdict]) for verdict in (AGREE, DISAGREE, UNSURE)]
    parts += [COUNTS[NO_LABEL](counts[NO_LABEL])] if counts[NO_LABEL] else []
    st.markdown(f"## {', '.join(parts)}")
    st.caption(
        tr(
            "Agree: the model predicts the given label. Disagree: it is confident of another class. Unsure: it could be"
            " either, or the photo is unlike the training photos. The model can be wrong, too."
        )
    )
    elements.download_list(rows_of(checked, given, found, class_names), "label-check.csv")
    kinds = [EVERYTHING, *(verdict for verdict in ORDER if counts[verdict])]
    shown = st.segmented_control(
        tr("Show"),
        kinds,
        default=EVERYTHING,
        required=True,
        format_func=lambda kind: (
            tr(FILTERS[kind]) if kind == EVERYTHING else f"{tr(FILTERS[kind])} · {number(counts[kind])}"
        ),
        key=f"{SHOWN}-{len(kinds)}",
    )
    order = sorted(range(len(found)), key=lambda i: (ORDER.index(found[i]), -checked.probabilities[i].max()))
    wanted = [i for i in order if shown in (EVERYTHING, found[i])]
    pages = -(-len(wanted) // PER_PAGE)
    page = st.pagination(pages, key=f"given-labels-page-{shown}-{pages}") if pages > 1 else 1
    names_shown = shown_names(tuple(class_names))
    on_page = wanted[(page - 1) * PER_PAGE : page * PER_PAGE]
    small = state.recall(SMALL, {})
    for place in on_page:
        small[place] = small.get(place) or thumbnails.small_jpeg(checked.pixels[place])
    gallery.gallery(
        f"given-labels-{shown}-{page}",
        [photo(checked, place, given[place], found[place], names_shown, small[place]) for place in on_page],
        tr("Photos with given labels"),
        lambda place: state.remember(OPENED, int(place)),
        [gallery.Action(SET, "M", tr("Set the label"), names_shown)],
        lambda _, places, name: _change([int(place) for place in places], names_shown.index(name)),
    )
    opened = state.take(OPENED)
    if opened is not None:
        st.dialog(tr("Photo"), width="large", icon=":material/photo:")(_card)(
            chosen, checked, opened, given[opened], found[opened], names_shown
        )


def photo(
    checked: CheckedPhotos,
    place: int,
    given: int | None,
    verdict: str,
    class_names: Sequence[str],
    picture: bytes,
) -> gallery.Photo:
    """A photo of a gallery: the given label, the verdict, and the prediction."""
    best = int(checked.probabilities[place].argmax())
    title = tr("no label") if given is None else class_names[given]
    note = tr(
        "predicted: {class_name}, {share}",
        class_name=class_names[best],
        share=drawings.percent(float(checked.probabilities[place, best])),
    )
    words, mark = BADGES_SHORT[verdict]
    return gallery.Photo(str(place), picture, title, note, tr(words), mark, checked.names[place])


def _card(
    chosen: LoadedRun,
    checked: CheckedPhotos,
    place: int,
    given: int | None,
    verdict: str,
    class_names: Sequence[str],
) -> None:
    """One photo, the verdict, and the most similar training photos."""
    pixels, facts = st.columns([3, 2], gap="medium")
    alt = tr("{photo} as the model sees it", photo=checked.names[place])
    pixels.image(checked.pixels[place], width=PHOTO_PIXELS, alt=alt)
    with facts:
        badge, icon, words = BADGES[verdict]
        st.markdown(f"{badge}[{icon} {tr(words)}] {markdown.escape(checked.names[place])}")
        st.markdown(verdict_text(checked, place, given, verdict, class_names))
        label = st.selectbox(
            tr("Given label"),
            range(len(class_names)),
            index=given,
            format_func=lambda label: class_names[label],
            placeholder=tr("None yet"),
            key=f"given-label-{place}-{given}",
        )
        if label != given and label is not None:
            _change([place], label)
            st.rerun()
    _evidence(chosen, checked, place, class_names)


def _change(places: Sequence[int], label: int) -> None:
    """Give photos this label."""
    state.remember(CHANGED, {**state.recall(CHANGED, {}), **dict.fromkeys(places, label)})


def verdict_text(
    checked: CheckedPhotos, place: int, given: int | None, verdict: str, class_names: Sequence[str]
) -> str:
    """The prediction for a photo and, where it differs, the probability of the given label; safe as Markdown."""
    best = int(checked.probabilities[place].argmax())
    shares = [drawings.percent(float(share)) for share in checked.probabilities[place]]
    predicted, share = markdown.escape(class_names[best]), markdown.escape(shares[best])
    if verdict == UNSURE and checked.out_of_distribution[place]:
        return tr(
            "Prediction: **{predicted}** ({share}), but the photo is unlike the training photos.",
            predicted=predicted,
            share=share,
        )
    if given is None or given == best:
        return tr("Prediction: **{predicted}** ({share}).", predicted=predicted, share=share)
    return tr(
        "Prediction: **{predicted}** ({share}); **{given}**: {share_of_given}.",
        predicted=predicted,
        share=share,
        given=markdown.escape(class_names[given]),
        share_of_given=markdown.escape(shares[given]),
    )


def _evidence(chosen: LoadedRun, checked: CheckedPhotos, place: int, class_names: Sequence[str]) -> None:
    labels = [class_names[checked.known.labels[i]] for i in checked.evidence[place]]
    counts = ", ".join(f"{count} {markdown.escape(name)}" for name, count in Counter(labels).most_common())
    st.caption(tr("Most similar training photos: {counts}", counts=counts))
    with st.container(horizontal=True, gap="xsmall"):
        for i, label in zip(checked.evidence[place], labels, strict=True):
            _training_photo(Path(chosen.recipe.dataset) / checked.known.paths[i], label)


def _training_photo(path: Path, label: str) -> None:
    try:
        file = check_photo(path, services.settings().dataset_roots)
        alt = tr("{photo}, labelled {class_name}", photo=path.name, class_name=label)
        st.image(datasets.small(file, file.stat().st_mtime), width=EVIDENCE_PIXELS, alt=alt)
    except (PhotoError, FileNotFoundError) as error:
        st.caption(
            f":material/broken_image: {markdown.escape(path.name)}: {markdown.escape(error)}", width=EVIDENCE_PIXELS
        )


def rows_of(
    checked: CheckedPhotos, given: Sequence[int | None], found: Sequence[str], class_names: Sequence[str]
) -> list[dict[str, str]]:
    """A row for each photo, for a spreadsheet."""
    best = checked.probabilities.argmax(axis=1)
    return [
        {
            "photo": name,
            "sent label": checked.labels[i],
            "given label": "" if (label := given[i]) is None else class_names[label],
            "verdict": found[i],
            "predicted class": class_names[best[i]],
            "confidence": f"{checked.probabilities[i, best[i]]:.4f}",
            "probability of the given label": "" if label is None else f"{checked.probabilities[i, label]:.4f}",
            "unlike the training photos": "yes" if checked.out_of_distribution[i] else "no",
        }
        for i, name in enumerate(checked.names)
    ]
