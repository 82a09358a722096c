"""Tiny photos that the data tests make for themselves."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).resolve().parents[3].parent / "shared"


def encode(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def plain(colour: Any, size: tuple[int, int] = (12, 8), mode: str = "RGB") -> Image.Image:
    """Return an image of one colour."""
    return Image.new(mode, size, colour)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return an image that does not look the same in any two directions."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def place(path: Path, content: bytes | None = None) -> Path:
    """Write a file, by default a small photo that differs with the path, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(noise(9, 7, seed=sum(path.as_posix().encode()))) if content is None else content)
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Return a dataset of two classes: three daisies, two roses."""
    for name in ("daisy/1.png", "daisy/2.png", "daisy/3.png", "rose/1.png", "rose/2.png"):
        place(tmp_path / "flowers" / name)
    return tmp_path / "flowers"


@pytest.fixture
def shared_flowers() -> Path:
    """Return the flower photos that lie beside the repository, or skip."""
    folder = SHARED / "data" / "flowers5"
    if not folder.is_dir():
        pytest.skip(f"the flower photos are absent from {folder}")
    return folder
