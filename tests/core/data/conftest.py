"""Tiny photos that the data tests make for themselves."""

import io
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.data.scan.folder import Scan, scan

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
    path.write_bytes(encode(noise(9, 7, seed=zlib.crc32(path.as_posix().encode()))) if content is None else content)
    return path


def scene(seed: int, side: int = 96) -> Image.Image:
    """Return an image with shapes, parts and details, as photos have; different seeds do not look alike."""
    total = np.full((side, side, 3), 128.0)
    for layer, (cells, weight) in enumerate(((5, 0.8), (12, 0.5), (40, 0.3))):
        shapes = noise(cells, cells, 10 * seed + layer).resize((side, side), Image.Resampling.BICUBIC)
        total += weight * (np.asarray(shapes) - 128.0)
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def spoil_unnoticed(photo: Path) -> None:
    """Replace the content of a file by garbage, so that neither its size nor its time of change tell."""
    status = photo.stat()
    photo.write_bytes(b"x" * status.st_size)
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(photo: Path) -> None:
    """Give a file another time of change."""
    status = photo.stat()
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Return a dataset of two classes: three daisies, two roses."""
    for name in ("daisy/1.png", "daisy/2.png", "daisy/3.png", "rose/1.png", "rose/2.png"):
        place(tmp_path / "flowers" / name)
    return tmp_path / "flowers"


@pytest.fixture(scope="session")
def shared_flowers() -> Path:
    """Return the flower photos that lie beside the repository, or skip."""
    folder = SHARED / "data" / "flowers5"
    if not folder.is_dir():
        pytest.skip(f"the flower photos are absent from {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_scan(shared_flowers: Path) -> Scan:
    """Return what lies in the flower photos beside the repository, scanned once for all tests."""
    return scan(shared_flowers, roots=[shared_flowers])
