"""The photos that an export is tried on: test photos, and some of them again as unusual kinds of files."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.images import decode, inspect
from core.data.scan.folder import ImageFolder, check_inside
from core.data.scan.walk import check_photo
from core.data.split import read_split_csv
from core.data.subsets import TEST, TRAINING, VALIDATION
from core.errors import ExportError, PhotoError
from core.language import tr, tr_mark
from core.recipe.run_recipe import read_recipe
from core.runs.store import Run
from core.settings import Settings

LEAST, MOST_TESTED = 50, 400
"""The fewest photos that every export is tried on, and the most test photos that are used."""

MOST_BYTES = 500_000_000
"""Of a dataset with very large files, fewer photos are used."""

WIDTH, HEIGHT = 400, 300
"""Size of the unusual files, in pixels."""

FITTED = 100
"""How many training photos the ranges of 8-bit integers are fitted to."""


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _turned(orientation: int) -> Callable[[Image.Image], bytes]:
    def save(image: Image.Image) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return _saved(image, "JPEG", quality=92, exif=exif)

    return save


def _with_alpha(image: Image.Image) -> Image.Image:
    ramp = np.linspace(0, 255, image.width, dtype=np.uint8)
    layer = image.convert("RGBA")
    layer.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    return layer


def _transparent_palette(image: Image.Image) -> bytes:
    return _saved(image.quantize(64), "PNG", transparency=0)


def _sixteen_bits(image: Image.Image) -> bytes:
    return _saved(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG")


VARIANTS: Mapping[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    tr_mark("JPEG rotated by its EXIF data (2)"): (".jpg", _turned(2)),
    tr_mark("JPEG rotated by its EXIF data (3)"): (".jpg", _turned(3)),
    tr_mark("JPEG rotated by its EXIF data (4)"): (".jpg", _turned(4)),
    tr_mark("JPEG rotated by its EXIF data (5)"): (".jpg", _turned(5)),
    tr_mark("JPEG rotated by its EXIF data (6)"): (".jpg", _turned(6)),
    tr_mark("JPEG rotated by its EXIF data (7)"): (".jpg", _turned(7)),
    tr_mark("JPEG rotated by its EXIF data (8)"): (".jpg", _turned(8)),
    tr_mark("JPEG in greyscale"): (".jpg", lambda image: _saved(image.convert("L"), "JPEG", quality=92)),
    tr_mark("JPEG in CMYK"): (".jpg", lambda image: _saved(image.convert("CMYK"), "JPEG", quality=92)),
    tr_mark("large JPEG"): (".jpg", lambda image: _saved(image.resize((8 * WIDTH, 8 * HEIGHT)), "JPEG", quality=85)),
    tr_mark("PNG with transparency"): (".png", lambda image: _saved(_with_alpha(image), "PNG")),
    tr_mark("PNG in greyscale with transparency"): (
        ".png",
        lambda image: _saved(_with_alpha(image).convert("LA"), "PNG"),
    ),
    tr_mark("PNG with a palette"): (".png", lambda image: _saved(image.quantize(64), "PNG")),
    tr_mark("PNG with a palette and transparency"): (".png", _transparent_palette),
    tr_mark("PNG with 16 bits"): (".png", _sixteen_bits),
    tr_mark("PNG in black and white"): (".png", lambda image: _saved(image.convert("1"), "PNG")),
    "GIF": (".gif", lambda image: _saved(image.quantize(64), "GIF")),
    "WebP": (".webp", lambda image: _saved(image, "WEBP", quality=80)),
    "TIFF": (".tif", lambda image: _saved(image, "TIFF")),
}
"""Kinds of unusual files: the ending, and what makes one of a photo."""


@dataclass(frozen=True)
class TrialPhoto:
    """A file to try an export on, and what kind it is."""

    file: Path
    kind: str


@dataclass(frozen=True, eq=False)
class Trial:
    """The photos of a run for its exports.

    Attributes:
        folder: Holds the files, and nothing else.
        photos: What an export is tried on, in the order of their names, the test photos first.
        labels: (T,): positions in the run's class names of the first T photos, the test photos.
        fitted: (N, S, S, 3), uint8: training photos that the ranges of 8-bit integers are fitted to.
    """

    folder: Path
    photos: tuple[TrialPhoto, ...]
    labels: NDArray[np.intp]
    fitted: NDArray[np.uint8]

    def kinds(self) -> dict[str, int]:
        """How many photos there are of each kind."""
        names = [photo.kind for photo in self.photos]
        return {name: names.count(name) for name in dict.fromkeys(names)}


def write_trial_photos(run: Run, side: int, folder: Path, settings: Settings) -> Trial:
    """Write photos of a run's dataset, a random but reproducible choice, and unusual files of some.

    Args:
        run: The run.
        side: Side of the photos that its network takes.
        folder: Where to, an empty folder.
        settings: What may be read, and how much.

    Raises:
        UnfreezeError: The dataset or the split cannot be read, or the photos are gone.
    """
    root = check_inside(read_recipe(run).dataset, settings.dataset_roots)
    source = _Source(*read_split_csv(run.split_file, root), settings)
    photos: list[TrialPhoto] = []

    def add(content: bytes, suffix: str, kind: str) -> None:
        photos.append(TrialPhoto(folder / f"{len(photos):04d}{suffix}", kind))
        photos[-1].file.write_bytes(content)

    labels = []
    for label, content, suffix in source.some(TEST, MOST_TESTED):
        add(content, suffix, tr_mark("test photo, unchanged"))
        labels.append(run.class_names().index(source.folder.class_names[label]))
    if len(photos) < LEAST:
        for _, content, suffix in source.some(VALIDATION, LEAST - len(photos)):
            add(content, suffix, tr_mark("validation photo, unchanged"))
    fitted = [decode(content, side, settings.limits.pixels) for _, content, _ in source.some(TRAINING, FITTED)]
    if not photos or not fitted:
        raise ExportError(
            tr(
                "The photos in {folder} can no longer be read; put them back, an export is verified on them.",
                folder=str(root),
            )
        )
    for content, suffix, kind in list(_unusual(photos, settings)):
        add(content, suffix, kind)
    return Trial(folder, tuple(photos), np.array(labels, np.intp), np.stack(fitted))


def _unusual(photos: Sequence[TrialPhoto], settings: Settings) -> Iterator[tuple[bytes, str, str]]:
    """Every kind of unusual file, each of the next photo, until there are enough: content, ending, kind."""
    kinds = list(VARIANTS.items())
    for number in range(max(len(kinds), LEAST - len(photos))):
        kind, (suffix, make) = kinds[number % len(kinds)]
        square = decode(photos[number % len(photos)].file, WIDTH, settings.limits.pixels)
        yield make(Image.fromarray(square[:HEIGHT])), suffix, kind


@dataclass(frozen=True, eq=False)
class _Source:
    """A run's dataset, and which photo is in which subset."""

    folder: ImageFolder
    subsets: NDArray[np.int8]
    settings: Settings

    def some(self, subset: int, most: int) -> Iterator[tuple[int, bytes, str]]:
        """Label, content and ending of readable photos of a subset, in random order."""
        found, room = 0, MOST_BYTES
        for i in np.random.default_rng(0).permutation(np.flatnonzero(self.subsets == subset)):
            if found == most or room < 0:
                return
            try:
                path = check_photo(self.folder.absolute(int(i)), self.settings.dataset_roots)
                content = _content(path, self.settings.limits.pixels)
            except PhotoError:
                continue
            yield int(self.folder.labels[i]), content, path.suffix.lower()
            found, room = found + 1, room - len(content)


def _content(path: Path, most_pixels: int) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PhotoError(str(error)) from error
    inspect(content, most_pixels)
    return content
