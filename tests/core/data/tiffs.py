"""TIFF files as instruments and satellites write them, which Pillow cannot write."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DEFLATE = 8


def tiff(
    pixels: NDArray[Any],
    photometric: int,
    *,
    extra: Sequence[int] | None = None,
    separate: bool = False,
    order: Literal["<", ">"] = "<",
    compression: int = 1,
    rows_per_strip: int = 0,
    tags: Mapping[int, int] = {},
) -> bytes:
    """A TIFF file of pixels `(H, W)` or `(H, W, C)`, with one plane for each band if `separate`."""
    height, width = pixels.shape[:2]
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    stored = pixels.astype(pixels.dtype.newbyteorder(order)).reshape(height, width, bands)
    planes = np.moveaxis(stored, 2, 0)[..., None] if separate else stored[None]
    step = rows_per_strip or height
    strips = [plane[row : row + step].tobytes() for plane in planes for row in range(0, height, step)]
    strips = [zlib.compress(strip) if compression == DEFLATE else strip for strip in strips]
    values: dict[int, tuple[str, Sequence[int]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [pixels.dtype.itemsize * 8] * bands),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        273: ("I", [0] * len(strips)),
        277: ("H", [bands]),
        278: ("I", [step]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if separate else 1]),
        **({338: ("H", extra)} if extra is not None else {}),
        **{tag: ("H", [value]) for tag, value in tags.items()},
    }
    after = 8 + 2 + 12 * len(values) + 4
    sizes = {tag: len(numbers) * struct.calcsize(kind) for tag, (kind, numbers) in values.items()}
    first = after + sum(size for size in sizes.values() if size > 4)
    starts = np.cumsum([first, *[len(strip) for strip in strips[:-1]]]).tolist()
    values[273] = ("I", starts)
    entries, blobs = b"", b""
    for tag, (kind, numbers) in sorted(values.items()):
        packed = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        field = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}I", after + len(blobs))
        blobs += packed if len(packed) > 4 else b""
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[kind], len(numbers)) + field
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(values))
    return start + entries + bytes(4) + blobs + b"".join(strips)
