"""From a dataset of TensorFlow Datasets to class folders; only `core.data.intake.catalogue_worker` needs it.

Photos are written byte for byte as they were recorded, one after the other, so memory does not grow with a dataset.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data.intake.catalogue import NAME, Request
from core.data.intake.incoming import folder_name
from core.errors import DataError
from core.language import sentences, tr, tr_context

SUBSETS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
"""Names of parts in the catalogue, and the folders that `core.data.scan.layout` knows as ready splits."""

SIGNATURES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp"}
"""How files of the formats begin that TensorFlow Datasets records. Whatever else comes is named .jpg, so that a scan
finds it and says what is wrong with it."""


@dataclass(frozen=True)
class Columns:
    """Where photos and classes stand in the records.

    Attributes:
        image: Key of the photo.
        label: Key of the class.
        class_names: Names of folders, by label; all different.
    """

    image: str
    label: str
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """What was written out.

    Attributes:
        folder: What holds the class folders, or the folders of the parts.
        photos: How many photos.
        unlabelled: How many photos were left out because they have no class.
    """

    folder: Path
    photos: int
    unlabelled: int


def find_builder(request: Request) -> Any:
    """Return what TensorFlow Datasets calls the builder of a dataset; nothing is downloaded.

    Raises:
        DataError: The catalogue has no such dataset, variant or version, or it must be downloaded by hand.
    """
    import tensorflow_datasets as tfds  # type: ignore[import-untyped, unused-ignore]

    match = NAME.fullmatch(request.name)
    dataset, variant = (match["dataset"], match["variant"]) if match else (request.name, None)
    known = tfds.list_builders(with_community_datasets=False)
    _check_known(tr("TensorFlow Datasets has no dataset “{dataset}”.", dataset=dataset), dataset, known)
    blueprint = tfds.builder_cls(dataset)
    if variant:
        none = tr("“{dataset}” has no variant “{variant}”.", dataset=dataset, variant=variant)
        _check_known(none, variant, [config.name for config in blueprint.BUILDER_CONFIGS])
    if blueprint.MANUAL_DOWNLOAD_INSTRUCTIONS:
        raise DataError(
            tr(
                "“{dataset}” cannot be fetched by a program: its owners want everybody to ask for it in person."
                " Download it by hand, unpack it, and open its folder; or choose another dataset.",
                dataset=dataset,
            )
        )
    try:
        return tfds.builder(request.name, data_dir=request.data_folder)
    except (ValueError, AssertionError) as error:
        raise DataError(
            tr(
                "“{dataset}” cannot be had in this version. Leave out the version to get {version}.",
                dataset=request.name,
                version=str(blueprint.VERSION),
            )
        ) from error


def find_columns(builder: Any) -> Columns:
    """Find the photo and the class in what a dataset records.

    Raises:
        DataError: There is not exactly one of each.
    """
    from tensorflow_datasets import features as kinds

    features = dict(builder.info.features.items()) if isinstance(builder.info.features, kinds.FeaturesDict) else {}
    images = [key for key, feature in features.items() if _is_photo(feature)]
    labels = [key for key, feature in features.items() if isinstance(feature, kinds.ClassLabel) and feature.num_classes]
    usual = builder.info.supervised_keys
    if isinstance(usual, tuple) and len(usual) >= 2 and usual[0] in images and usual[1] in labels:
        images, labels = [usual[0]], [usual[1]]
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            tr(
                "“{dataset}” holds no photos with one class each, so nothing can be trained on it here; what it holds"
                " is: {columns}. Choose another dataset.",
                dataset=str(builder.name),
                columns=", ".join(features) or tr("one column without a name"),
            )
        )
    return Columns(images[0], labels[0], folder_names(features[labels[0]].names))


def folder_names(class_names: list[str]) -> tuple[str, ...]:
    """Return names of folders for classes, all different also where case does not count."""
    names: list[str] = []
    taken: set[str] = set()
    for number, class_name in enumerate(class_names):
        readable = any(character.isalnum() for character in class_name)
        plain = folder_name(class_name, "a class") if readable else f"class {number}"
        name, count = plain, 1
        while name.casefold() in taken:
            count += 1
            name = f"{plain} {count}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)


def parts_of(splits: Mapping[str, Any]) -> dict[str, str]:
    """Return the folder for each part of a dataset that is written.

    Training, validation and test parts become folders of a ready split. Where there is training only, or no training,
    the folder is "" and the classes lie side by side. Parts of other names are used only where there are no others.
    """
    usual = {name: SUBSETS[name] for name in splits if name in SUBSETS}
    if "train" in usual and len(usual) > 1:
        return usual
    return dict.fromkeys(usual or splits, "")


def write_out(
    builder: Any, columns: Columns, parts: Mapping[str, str], into: Path, on_photo: Callable[[int], None]
) -> Written:
    """Write a prepared dataset as class folders, one photo after the other.

    Args:
        builder: Of TensorFlow Datasets, after its `download_and_prepare`.
        columns: Where photos and classes stand.
        parts: The folder for each part, "" for none.
        into: A new folder.
        on_photo: Called with the number of photos read so far.

    Raises:
        DataError: No photo has a class.
    """
    photos = done = 0
    for split, part in parts.items():
        for number, (content, label) in enumerate(_records(builder, split, columns), start=1):
            done += 1
            on_photo(done)
            if 0 <= label < len(columns.class_names):  # -1 says that there is no label
                folder = into / part / columns.class_names[label]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{split}_{number:06d}{_suffix(content)}").write_bytes(content)
                photos += 1
    if not photos:
        raise DataError(
            tr(
                "No photo of “{dataset}” has a class, so nothing can be trained on it. Choose another.",
                dataset=str(builder.name),
            )
        )
    used = {part for part in parts.values() if (into / part).is_dir()}
    only = next(iter(used)) if len(used) == 1 else ""  # all photos of the other parts were without a class
    return Written(into / only, photos, done - photos)


def _records(builder: Any, split: str, columns: Columns) -> Iterator[tuple[bytes, int]]:
    """Yield encoded photo and label of each record of a part, always in the same order."""
    import tensorflow_datasets as tfds

    records = builder.as_dataset(
        split=split,
        decoders=tfds.decode.PartialDecoding(
            {columns.image: True, columns.label: True}, decoders={columns.image: tfds.decode.SkipDecoding()}
        ),
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
    )
    for record in tfds.as_numpy(records):
        yield record[columns.image], int(record[columns.label])


def _is_photo(feature: Any) -> bool:
    from tensorflow_datasets import features as kinds

    # In labelled images each pixel is a class; floating point numbers are recorded as a PNG of other pixels.
    plain = isinstance(feature, kinds.Image) and not isinstance(feature, kinds.LabeledImage)
    return plain and np.dtype(feature.np_dtype).kind == "u"


def _check_known(unknown: str, name: str, names: list[str]) -> None:
    """Raise `DataError` with the sentence `unknown` and a hint where a name is none of those."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3) or sorted(names)[: 3 if len(names) < 50 else 0]
        meant = ""
        for match in close:
            quoted = tr("“{name}”", name=match)
            meant = tr_context("list", "{before} or {last}", before=meant, last=quoted) if meant else quoted
        hint = tr("Did you mean {names}?", names=meant) if close else tr("Check the spelling.")
        raise DataError(sentences(unknown, hint))


def _suffix(content: bytes) -> str:
    return next((suffix for start, suffix in SIGNATURES.items() if content.startswith(start)), ".jpg")
