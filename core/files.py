"""Files that are replaced as a whole."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, sees the old or the new one and nothing between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
