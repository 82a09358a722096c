"""Build a dataset: class by class, from a ZIP file, or from a catalogue on the internet."""

from contextlib import ExitStack, suppress
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core import formatting
from core.data.images import PHOTO_SUFFIXES
from core.data.intake import archive, catalogue, collect, file_names, sample
from core.data.intake.catalogue import Fetch
from core.data.intake.incoming import Intake
from core.data.scan.walk import check_file
from core.errors import PhotoError, UnfreezeError
from pages.components.cached import datasets, services
from pages.components.camera.photo_camera import Batch, camera
from pages.components.shared import elements, markdown, state, thumbnails, upload_limits
from pages.components.shared.report_errors import reporting

CLASSES, ZIP, CATALOGUE = "Photos and camera", "ZIP file", "From the internet"
NEW = "A new dataset"
CHECKING = "Checking the photos…"
LATEST = 8


def folder() -> Path:
    """Where datasets that were made here are kept."""
    return services.settings().datasets_folder


def look_at(dataset: Path) -> None:
    """A button that opens this dataset on the Dataset page."""
    if st.button("Open the dataset", icon=":material/photo_library:", type="primary", key=f"look-{dataset}"):
        state.choose_dataset(str(dataset))
        st.switch_page("pages/prepare/dataset.py")


def label_them(dataset: Path) -> None:
    """A button that opens photos without classes on the Label page."""
    if st.button("They have no classes: label them", icon=":material/label:", key=f"label-{dataset}"):
        state.choose_dataset(str(dataset))
        st.switch_page("pages/prepare/label.py")


def report(came: Intake, what: str) -> None:
    """What came in, and what was left out and why."""
    if came.added:
        st.success(f"Added {formatting.photos(came.added)} to {what}.", icon=":material/check_circle:")
    else:
        st.warning(f"No photo could be added to {what}.", icon=":material/info:")
    if came.left_out:
        rows = [{"file": entry.path, "reason": entry.reason} for entry in came.left_out]
        with st.expander(f"{len(rows):,} left out, with reasons", icon=":material/rule:", expanded=not came.added):
            elements.long_list(rows, "left-out.csv")
    if came.ignored:
        st.caption(f"{came.ignored:,} system files were ignored.")


def by_class() -> None:
    """A dataset that grows class by class, from files and from the camera."""
    dataset = choose_dataset()
    if dataset is None:
        return
    counts = collect.class_counts(dataset, datasets_folder=folder())
    chosen = choose_class(dataset, counts)
    if chosen is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        with_camera(dataset, chosen, counts[chosen])
    with right:
        st.metric(f"Photos of {markdown.escape(chosen)}", f"{counts[chosen]:,}")
        latest(dataset, chosen)
        from_files(dataset, chosen)
    if sum(count > 0 for count in counts.values()) >= 2:
        look_at(dataset)
    else:
        st.caption("Two classes with photos are needed before a model can learn to tell them apart.")


def choose_dataset() -> Path | None:
    """One of the datasets made here, or a new one."""
    names = sorted(path.name for path in folder().iterdir() if path.is_dir() and not path.name.startswith("."))
    own = [name for name in names if name != sample.SAMPLE_NAME]
    known = state.recall("collecting", NEW)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = [NEW, *own]
        name = st.selectbox("Dataset", options, index=options.index(known) if known in options else 0, width=320)
        state.remember("collecting", name)
        if name != NEW:
            return folder() / name
        wanted = st.text_input("Name", placeholder="for example: our class", width=320, key="new-dataset")
        if st.button("Create", icon=":material/add:", type="primary") and wanted:
            with reporting():
                state.remember("collecting", collect.new_dataset(folder(), wanted).name)
            st.rerun()
    return None


def choose_class(dataset: Path, counts: dict[str, int]) -> str | None:
    """The class that photos go to, with the number of photos in each, and a way to make another."""
    with (
        st.form("new-class", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        wanted = st.text_input("New class", placeholder="for example: thumbs up", width=320)
        if st.form_submit_button("Add the class", icon=":material/add:") and wanted:
            with reporting():
                made = collect.new_class(dataset, wanted, datasets_folder=folder())
            state.set_widget(f"class-{dataset.name}", made)
            st.rerun()
    if not counts:
        st.caption("First add the classes to tell apart, for example “cup” and “pen”.")
        return None
    names = list(counts)
    if state.widget(f"class-{dataset.name}") not in names:
        state.set_widget(f"class-{dataset.name}", names[0])
    return str(
        st.pills(
            "Add photos to",
            names,
            required=True,
            key=f"class-{dataset.name}",
            format_func=lambda name: f"{markdown.escape(name)} · {counts[name]:,}",
        )
    )


def with_camera(dataset: Path, class_name: str, count: int) -> None:
    """The camera, with the number of photos beside it."""
    batch = camera(str(dataset), class_name, count, state.recall("camera-received", ""))
    if batch is not None and batch.id != state.recall("camera-received", ""):
        save(batch)
        st.rerun()
    problem = state.take("camera-problem")
    if problem:
        st.warning(markdown.escape(problem), icon=":material/info:")
    if st.button("Remove the last photo", icon=":material/undo:", type="tertiary"):
        with reporting():
            gone = collect.take_back(dataset, datasets_folder=folder())
        st.toast(
            "There are no camera photos left to remove." if gone is None else f"Removed {markdown.escape(gone.name)}."
        )
        if gone is not None:
            st.rerun()


def save(batch: Batch) -> None:
    """Add a batch of the camera to the dataset and the class that it was taken for, whatever is on show by now."""
    state.remember("camera-received", batch.id)
    problems = []
    for photo in batch.photos:
        try:
            collect.add_camera_photo(
                Path(batch.dataset), batch.class_name, photo, services.settings().limits, datasets_folder=folder()
            )
        except UnfreezeError as error:
            problems.append(str(error))
    if problems:
        state.remember("camera-problem", f"{len(problems)} of {len(batch.photos)} photos were not saved. {problems[0]}")


def from_files(dataset: Path, class_name: str) -> None:
    """Photos from the disk into a class."""
    most = services.settings().limits
    number = state.recall("upload-number", 0)
    files = st.file_uploader(
        f"Photos for {markdown.escape(class_name)}",
        type=sorted(PHOTO_SUFFIXES),
        accept_multiple_files=True,
        key=f"files-{dataset.name}-{class_name}-{number}",
        max_upload_size=upload_limits.photo_megabytes(),
        help=f"Up to {most.uploads:,} files at a time, each up to {formatting.size(most.file_bytes)}.",
    )
    if files and st.button(
        f"Add {len(files):,} to {markdown.escape(class_name)}", type="primary", icon=":material/add:"
    ):
        bar = st.progress(0.0, CHECKING)

        def on_progress(done: int, total: int) -> None:
            bar.progress(min(1.0, done / max(1, total)), CHECKING)

        with reporting():
            came = collect.add_photos(
                dataset,
                class_name,
                [(file.name, file) for file in files],
                most,
                on_progress,
                datasets_folder=folder(),
            )
        upload_limits.release(files)
        state.remember("upload-report", (came, class_name))
        state.remember("upload-number", number + 1)
        st.rerun()
    last = state.recall("upload-report", None)
    if last and last[1] == class_name:
        report(last[0], markdown.escape(class_name))


def latest(dataset: Path, class_name: str) -> None:
    """The newest photos of a class."""
    photos, names = [], []
    for path in collect.newest(dataset, class_name, LATEST, datasets_folder=folder()):
        with suppress(PhotoError, OSError):  # it may just have been taken back
            photos.append(datasets.small(path, path.stat().st_mtime))
            names.append(path.name)
    if photos:
        thumbnails.photo_row(photos, names)


def from_zip() -> None:
    """A ZIP file becomes a dataset."""
    most = services.settings().limits
    st.markdown("A ZIP file with one folder for each class, or with the folders train, val and test.")
    left, right = st.columns(2, gap="large")
    with left:
        key = f"zip-{state.recall('zip-number', 0)}"
        file = st.file_uploader(
            "Upload a ZIP file", type=["zip"], key=key, max_upload_size=upload_limits.archive_megabytes()
        )
    with right:
        typed = st.text_input(
            "Or its path, if the file is on this computer",
            placeholder=str(services.settings().dataset_roots[-1] / "Downloads" / "flowers.zip"),
            help="Better for large files: nothing passes through the browser.",
        )
    if file is not None or typed.strip():
        origin = file.name if file is not None else Path(typed.strip()).name
        name = st.text_input("Name of the dataset", Path(file_names.safe_name(origin)).stem, key=f"zip-name-{origin}")
        if st.button("Unpack", type="primary", icon=":material/unarchive:"):
            unpack(file, typed.strip().strip("\"'"), name)
    last = state.recall("zip-report", None)
    if last:
        report(last, f"the dataset {markdown.escape(last.folder.name)}")
        with st.container(horizontal=True):
            look_at(last.folder)
            label_them(last.folder)
    st.caption(
        f"Up to {most.files:,} files and {formatting.size(most.total_bytes)} unpacked. Every photo is checked;"
        " files that cannot be used are left out and listed."
    )
    upload_limits.show_limits()


def unpack(file: UploadedFile | None, path: str, name: str) -> None:
    """Unpack an archive while a bar shows how far it is."""
    bar = st.progress(0.0, "Unpacking and checking…")

    def on_progress(done: int, total: int) -> None:
        megabytes = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        bar.progress(min(1.0, done / max(1, total)), f"Unpacking and checking: {megabytes}")

    with reporting(), ExitStack() as stack:
        stream = file or stack.enter_context(check_file(path, services.settings().dataset_roots).open("rb"))
        came = archive.unpack(stream, folder(), name, services.settings().limits, on_progress)
    upload_limits.release([file] if file else [])
    state.remember("zip-report", came)
    state.remember("zip-number", state.recall("zip-number", 0) + 1)
    st.rerun()


def from_catalogue() -> None:
    """A dataset by its name in the catalogue of TensorFlow Datasets."""
    if not catalogue.is_installed():
        st.info(
            f"This needs an additional package. Quit the app, and start it once with `{catalogue.INSTALL}`.",
            icon=":material/extension:",
        )
        return
    going = catalogue.current(services.settings())
    if going is not None:
        fetching(going)
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


def fetching(fetch: Fetch) -> None:
    """A download that is going, or has ended."""
    progress = fetch.read()
    if progress.state == catalogue.RUNNING:
        fetch_progress(fetch)
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
def fetch_progress(fetch: Fetch) -> None:
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


WAYS = {CLASSES: by_class, ZIP: from_zip, CATALOGUE: from_catalogue}

elements.page_head("Collect", "Build a dataset: class by class, from a ZIP file, or from the internet.")
way = st.segmented_control(
    "Way in",
    list(WAYS),
    default=CLASSES,
    required=True,
    key="way-in",
    persist_state="session",
    label_visibility="collapsed",
)
with reporting():
    WAYS[way]()
