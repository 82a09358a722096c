"""Which files lie below a folder, and which of them may be opened as photos; no file is opened here."""

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from core.data.images import HEIF_SUFFIXES, NO_HEIF, PHOTO_SUFFIXES
from core.errors import FolderError, PhotoOutOfReach
from core.language import Text, number, retold, sentences, tr, tr_mark
from core.settings import MEGABYTE, Limits

HOUSEKEEPING = frozenset(
    {
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "@eadir",
        "$recycle.bin",
        "system volume information",
    }
)
"""Files and folders, in lower case, that operating systems leave behind. Names that begin with a dot count as well."""

SUFFIX_HINTS = {
    **dict.fromkeys(HEIF_SUFFIXES, NO_HEIF),
    ".avif": tr_mark("AVIF photos are not supported by this installation: save the photo as JPEG"),
    ".dcm": tr_mark("DICOM images are not read: export them as PNG or JPEG"),
    ".dicom": tr_mark("DICOM images are not read: export them as PNG or JPEG"),
    ".zip": tr_mark("this is a ZIP archive: upload it on the page “Collect”, or unpack it first"),
    ".csv": tr_mark("this is a table, not a photo"),
    ".tsv": tr_mark("this is a table, not a photo"),
    ".xlsx": tr_mark("this is a spreadsheet: save it as CSV, and its rows can name photos and their classes"),
    ".xls": tr_mark("this is a spreadsheet: save it as CSV, and its rows can name photos and their classes"),
    ".ods": tr_mark("this is a spreadsheet: save it as CSV, and its rows can name photos and their classes"),
    "": tr_mark("its name has no ending such as .jpg or .png"),
}


@dataclass(frozen=True, order=True)
class LeftOut:
    """A file or folder that is not used.

    Attributes:
        path: Relative to the scanned folder, with "/"; bytes that are no text appear as �.
        given: Why, as one phrase without a full stop, in the language of whoever noticed it.
    """

    path: str
    given: str

    @property
    def reason(self) -> str:
        """Why, in the language of the present reader."""
        return retold(self.given)

    def is_because(self, message: str) -> bool:
        """Whether this message, in English, is the reason."""
        return (self.given.message if isinstance(self.given, Text) else self.given) == message


ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|file:(?=/)", re.IGNORECASE)
"""How an address begins, in place of a path."""

OF_WINDOWS = re.compile(r"[a-z]:([\\/]|$)|\\\\|%\w+%", re.IGNORECASE)
"""How paths begin on a computer with Windows: a drive, a network share, a variable."""


def path_named(given: Path | str) -> Path:
    """The path that a person meant; "~" and addresses that begin with `file:` are understood.

    Raises:
        FolderError: It is an address on a network, or a path of another kind of computer.
    """
    text = str(given)
    if found := ADDRESS.match(text):
        if found[0].lower().removesuffix("//") != "file:":
            raise FolderError(
                tr(
                    "{address} is an address on a network, not a folder of this computer. Download the photos first,"
                    " or connect the share as a folder, and enter the path of that folder.",
                    address=text,
                )
            )
        host, _, path = unquote(text[found.end() :]).partition("/")
        if host and host != "localhost" and not OF_WINDOWS.match(host):
            raise FolderError(
                tr(
                    "{address} is a folder of another computer. Connect it as a folder of this one, and enter the path"
                    " of that folder.",
                    address=text,
                )
            )
        text = f"{host}/{path}" if OF_WINDOWS.match(host) else path if OF_WINDOWS.match(path) else f"/{path}"
    if os.name != "nt" and OF_WINDOWS.match(text):
        raise FolderError(
            tr(
                "{path} is a path of a computer with Windows; this one has another system. Enter the path that the"
                " folder has here; paths begin with “/”, as in {example}.",
                path=str(given),
                example=str(Path.cwd()),
            )
        )
    return Path(text).expanduser()


def check_inside(path: Path | str, roots: Sequence[Path]) -> Path:
    """Resolve a folder that a person named, as `path_named` understands it, and make sure that it may be read.

    Raises:
        FolderError: It is not inside one of `roots`, or is no folder.
    """
    if not str(path).strip():
        raise FolderError(
            tr("No folder was given. Enter the path of a folder that contains one subfolder for each class.")
        )
    try:
        resolved = path_named(path).resolve()
        inside = is_inside(resolved, roots)
        is_folder = inside and resolved.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        unopened = tr("The folder {folder} cannot be opened ({reason}).", folder=str(path), reason=str(error))
        raise FolderError(unopened) from error
    if not inside:
        allowed = ", ".join(str(root) for root in roots)
        is_whole = os.path.isabs(str(path)) or str(path).startswith(("~", "file:"))
        raise FolderError(
            sentences(
                tr(
                    "The folder {folder} is outside the folders that may be read ({allowed}).",
                    folder=str(resolved),
                    allowed=allowed,
                ),
                "" if is_whole else tr("Enter its whole path."),
                tr("Move it into one of these, or add it to UNFREEZE_DATASETS."),
            )
        )
    if not is_folder and resolved.exists():
        raise FolderError(tr("The folder {folder} is a file; choose a folder.", folder=str(resolved)))
    if not is_folder:
        raise FolderError(tr("The folder {folder} does not exist; check the spelling.", folder=str(resolved)))
    return resolved


def check_file(path: Path | str, roots: Sequence[Path]) -> Path:
    """Resolve a file that a person named, as `path_named` understands it, and make sure that it may be read.

    Raises:
        FolderError: It is not inside one of `roots`, or is no file.
    """
    try:
        named = path_named(path)
        resolved = (check_inside(named.parent, roots) / named.name).resolve()
        may_be_read = is_inside(resolved, roots) and resolved.is_file() and os.access(resolved, os.R_OK)
    except (OSError, RuntimeError, ValueError) as error:
        unopened = tr("The file {file} cannot be opened ({reason}).", file=str(path), reason=str(error))
        raise FolderError(unopened) from error
    if not may_be_read:
        raise FolderError(tr("There is no file {file} that may be read; check the spelling.", file=str(path)))
    return resolved


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Tell whether a resolved path is one of `roots` or lies below one."""
    return any(path.is_relative_to(root.expanduser().resolve()) for root in roots)


def check_photo(path: Path, roots: Iterable[Path]) -> Path:
    """Resolve a photo just before it is read, because a link may have changed since the folder was scanned.

    Raises:
        PhotoOutOfReach: It is gone, or leads outside `roots`; the bare reason, without the file's name.
    """
    try:
        resolved = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise PhotoOutOfReach(tr("the file is no longer there")) from error
    except (OSError, RuntimeError) as error:
        raise PhotoOutOfReach(tr("the file cannot be opened ({reason})", reason=str(error))) from error
    if not is_inside(resolved, roots):
        raise PhotoOutOfReach(tr("it points outside the folders that may be read"))
    return resolved


def is_housekeeping(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or is one that operating systems leave behind."""
    return name.startswith(".") or name.casefold() in HOUSEKEEPING


@dataclass(frozen=True, order=True, slots=True)
class PhotoFile:
    """A regular file that is named like a photo.

    Attributes:
        path: Relative to the folder, with "/".
        size: In bytes.
        mtime_ns: Time of the last change, in nanoseconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int


class Walk:
    """Every file below a folder, sorted into those to open and those to leave out.

    Attributes:
        files: What may be opened, in no particular order.
        left_out: The rest, with reasons.
        ignored: How many housekeeping files and folders were ignored.
        folders: Every folder that was looked into, relative to the root, without the root itself.

    Raises:
        FolderError: The folder itself cannot be opened, or it holds too many photos.
    """

    def __init__(
        self,
        root: Path,
        roots: Sequence[Path],
        limits: Limits,
        on_folder: Callable[[], None] = lambda: None,
    ) -> None:
        """Look through the resolved folder `root`; what lies above the limits is left out.

        `on_folder` is called before a folder is looked into, and may raise to give up.
        """
        self.on_folder = on_folder
        self.root, self.roots, self.limits = root, roots, limits
        self.files: list[PhotoFile] = []
        self.left_out: list[LeftOut] = []
        self.ignored = 0
        self.folders: list[str] = []
        folders, links = self._look_into("")
        for name in (*folders, *links):
            self._walk_class(name)

    def _walk_class(self, name: str) -> None:
        """Read each folder of a class once. Links come last, so that a photo is found under its own path first."""
        seen: set[tuple[int, int]] = set()
        pending = deque([name])
        while pending:
            path = pending.popleft()
            if self._is_near(path) and self._is_new(path, seen):
                self.folders.append(path)
                folders, links = self._look_into(path)
                pending.extendleft(reversed(folders))
                pending.extend(links)

    def _is_near(self, path: str) -> bool:
        depth = path.count("/") + 1
        if depth > self.limits.depth:
            self._leave_out(
                path, tr("it is {depth} folders deep; the limit is {limit}", depth=depth, limit=self.limits.depth)
            )
        return depth <= self.limits.depth

    def _is_new(self, path: str, seen: set[tuple[int, int]]) -> bool:
        try:
            status = os.stat(self.root / path)
        except OSError as error:
            self._leave_out(path, tr("the folder cannot be opened ({reason})", reason=str(error.strerror)))
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            self._leave_out(path, tr("this link points to a folder of the same class that was already read"))
            return False
        seen.add(identity)
        return True

    def _look_into(self, path: str) -> tuple[list[str], list[str]]:
        """Sort the files of one folder; return its folders, and the links to folders."""
        self.on_folder()
        folders: list[str] = []
        links: list[str] = []
        for entry in self._entries(path):
            inner = f"{path}/{entry.name}" if path else entry.name
            try:
                status = entry.stat() if self._may_be_read(entry, inner) else None
            except OSError as error:
                self._leave_out(inner, tr("it cannot be read ({reason})", reason=str(error.strerror)))
                continue
            if status is not None and stat.S_ISDIR(status.st_mode):
                (links if entry.is_symlink() else folders).append(inner)
            elif status is not None:
                self._sort_file(inner, status)
        return folders, links

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not path:
                raise FolderError(
                    tr(
                        "The folder {folder} cannot be opened ({reason}).",
                        folder=str(self.root),
                        reason=str(error.strerror),
                    )
                ) from error
            self._leave_out(path, tr("the folder cannot be opened ({reason})", reason=str(error.strerror)))
            return []
        kept = [entry for entry in entries if not is_housekeeping(entry.name)]
        self.ignored += len(entries) - len(kept)
        return kept

    def _may_be_read(self, entry: os.DirEntry[str], path: str) -> bool:
        problem: str = "" if _is_text(entry.name) else tr("its name is not valid text (UTF-8): rename it")
        if not problem and entry.is_symlink():
            problem = self._link_problem(entry)
        if problem:
            self._leave_out(path, problem)
        return not problem

    def _link_problem(self, entry: os.DirEntry[str]) -> str:
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):
            return tr("this link is broken")
        if not is_inside(target, self.roots):
            return tr("this link points outside the folders that may be read")
        if self.root.is_relative_to(target):
            return tr("this link points back to a folder that contains it")
        return ""

    def _sort_file(self, path: str, status: os.stat_result) -> None:
        problem = _file_problem(path, status, self.limits.file_bytes)
        if problem:
            self._leave_out(path, problem)
            return
        self.files.append(PhotoFile(path, status.st_size, status.st_mtime_ns))
        if len(self.files) > self.limits.files:
            raise FolderError(
                tr(
                    "The folder {folder} contains more than {limit} photos, the limit. Pick one of its subfolders, or"
                    " raise “files” under [limits] in settings.toml.",
                    folder=str(self.root),
                    limit=self.limits.files,
                )
            )

    def _leave_out(self, path: str, reason: str) -> None:
        self.left_out.append(LeftOut(os.fsencode(path).decode(errors="replace"), reason))


def _file_problem(path: str, status: os.stat_result, max_bytes: int) -> str:
    """Return why a file is not even opened; empty when it may be."""
    suffix = PurePosixPath(path).suffix.lower()
    if not stat.S_ISREG(status.st_mode):
        return tr("this is neither a file nor a folder")
    if suffix not in PHOTO_SUFFIXES:
        hint = SUFFIX_HINTS.get(suffix)
        return tr(hint) if hint else tr("{ending} files are not photos", ending=suffix)
    if status.st_size > max_bytes:
        return tr(
            "the file is too large: {size}; the limit is {limit}",
            size=tr("{number} MB", number=number(status.st_size / MEGABYTE, 1)),
            limit=tr("{number} MB", number=f"{max_bytes / MEGABYTE:g}"),
        )
    return ""


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
