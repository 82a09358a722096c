"""Photos of a dataset as rows of small pictures."""

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from core.data.scan.folder import ImageFolder
from core.data.scan.walk import check_photo
from core.errors import PhotoError
from core.formatting import listed
from core.language import retold, tr, tr_context
from pages.components.cached import datasets
from pages.components.shared import markdown

PHOTO_PIXELS = 94

Make = Callable[[Path, float], bytes]
"""Makes of a photo's file, and the time of its last change, the JPEG that is shown."""


def photo_row(
    photos: Sequence[Any], names: Sequence[str], *, show_names: bool = False, width: int = PHOTO_PIXELS
) -> None:
    """Photos side by side as far as there is room; names are read out to those who cannot see them."""
    with st.container(horizontal=True, gap="xsmall"):
        for photo, name in zip(photos, names, strict=True):
            st.image(photo, width=width, alt=name, caption=markdown.escape(name) if show_names else None)


def thumbnail(folder: ImageFolder, index: int) -> bytes:
    """A photo of a dataset as a small JPEG; raises `PhotoError` where it can no longer be read."""
    return _made(folder.absolute(index), datasets.small)


def show_photo(file: Path, make: Make, width: int, alt: str) -> None:
    """A photo, so many pixels wide, or why it can no longer be read; `make` is `datasets.small` or `datasets.large`."""
    try:
        st.image(_made(file, make), width=width, alt=alt)
    except (PhotoError, FileNotFoundError) as error:
        st.caption(f":material/broken_image: {markdown.escape(error)}")


def _made(file: Path, make: Make) -> bytes:
    found = check_photo(file, datasets.photo_roots())
    return make(found, found.stat().st_mtime)


def small_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A photo of shape (S, S, 3), 0..255, as a small JPEG for a gallery."""
    buffer = io.BytesIO()
    photo = Image.fromarray(pixels)
    photo.thumbnail((datasets.THUMBNAIL, datasets.THUMBNAIL))
    photo.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def thumbnails(folder: ImageFolder, indices: Sequence[int]) -> list[tuple[bytes, str]]:
    """Photos as small JPEGs, in order; for what can no longer be read an empty one, and the reason."""

    def shown(index: int) -> tuple[bytes, str]:
        try:
            return thumbnail(folder, index), ""
        except (PhotoError, FileNotFoundError) as error:
            return b"", retold(error)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(shown, indices))


def show_thumbnails(folder: ImageFolder, indices: Sequence[int], width: int = PHOTO_PIXELS) -> None:
    """Photos of a dataset in a row that wraps, so many pixels wide; what can no longer be read is named, and why."""
    found = list(zip((folder.paths[index] for index in indices), thumbnails(folder, indices), strict=True))
    readable = [(name, photo) for name, (photo, _) in found if photo]
    photo_row([photo for _, photo in readable], [name for name, _ in readable], width=width)
    lost = [
        tr_context("file", "{name} ({reason})", name=markdown.escape(name), reason=markdown.escape(reason))
        for name, (photo, reason) in found
        if not photo
    ]
    if lost:
        words = tr("No longer readable: {files}", files=listed(lost, len(lost)))
        st.caption(f":material/broken_image: {words}")
