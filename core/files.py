"""Files that are replaced as a whole."""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, sees the old or the new one and nothing between.

    Threads and processes may write the same file at once: each has a temporary file of its own, and the last one wins.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_urlsafe(6)}")  # file names may have 255 bytes
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
