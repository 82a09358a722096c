"""Files that are replaced as a whole, files that are really files, and what is told where the disk takes none."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.errors import FolderGone, StorageError
from core.language import tr

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and nothing else: a pipe would wait for somebody to write into it.

    Raises `OSError` where there is none or it cannot be opened.
    """
    return open(path, "rb", opener=_without_waiting)


def open_resolved(path: Path) -> BinaryIO:
    """Open a regular file whose path was resolved and checked, without following links.

    A link that is met now has come since: what it leads to was never checked. Raises `OSError` as `open_regular` does.
    """
    if os.open not in os.supports_dir_fd or not path.is_absolute():
        return open_regular(path)
    return open(path, "rb", opener=_without_links)


def _without_waiting(path: str, flags: int) -> int:
    return _regular(os.open(path, flags | getattr(os, "O_NONBLOCK", 0)), path)


def _without_links(path: str, flags: int) -> int:
    """Open a file relative to its folder, which was opened relative to the one above, and so on from the top."""
    top, *folders, name = Path(path).parts
    as_folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
    folder = os.open(top, as_folder)
    try:
        for each in folders:
            inner = os.open(each, as_folder, dir_fd=folder)
            os.close(folder)
            folder = inner
        handle = os.open(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(errno.ELOOP, tr("a link has taken its place since it was looked at"), path) from error
        raise
    finally:
        os.close(folder)
    return _regular(handle, path)


def _regular(handle: int, path: str) -> int:
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, tr("this is neither a file nor a folder"), path)


def write_atomically(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, sees the old or the new one and nothing between.

    Raises:
        StorageError: It cannot be saved; the old text is still there.
    """
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends; if the block fails, nothing has changed.

    Threads and processes may write the same file at once: each has a temporary file of its own, and the last one wins.

    Raises:
        StorageError: It cannot be saved.
    """
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_urlsafe(6)}")  # file names may have 255 bytes
    with saving(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Have what the system refuses in the block told as a sentence about this file or folder.

    Raises:
        StorageError: The system refused something.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The sentence for what the system said when a file or folder was to be written."""
    file, folder, reason = path.name, str(path.parent), error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        told: StorageError = FolderGone(
            tr("{file} cannot be saved in {folder}: that folder is no longer there.", file=file, folder=folder)
        )
    elif error.errno in FULL:
        told = StorageError(
            tr(
                "The disk is full: {file} cannot be saved in {folder} ({reason}). Free some space, then try again.",
                file=file,
                folder=folder,
                reason=reason,
            )
        )
    elif error.errno in READ_ONLY:
        told = StorageError(
            tr(
                "{file} cannot be saved in {folder}: it cannot be written to ({reason}). Make that folder writable, or"
                " choose another one (UNFREEZE_HOME names the folder that Unfreeze writes to).",
                file=file,
                folder=folder,
                reason=reason,
            )
        )
    else:
        told = StorageError(
            tr("{file} cannot be saved in {folder} ({reason}).", file=file, folder=folder, reason=reason)
        )
    told.errno = error.errno
    return told
