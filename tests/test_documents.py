"""What the documents say of the code is there: every module, every path."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
ROOM = re.compile(r"^\| `((?:core|pages)[\w/]*)` \| .* \| ([\w ]+) \|$", re.MULTILINE)
FILE = re.compile(r"`((?:core|pages|tests|bench|command_line|docs)/[\w./-]+)`")
MODULE = re.compile(r"`(?:python -m )?((?:core|pages|command_line|bench|tests)(?:\.[a-z_]+)+)\b")


def text_of(document: str) -> str:
    return (PROJECT / document).read_text("utf-8")


def modules_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__"))


def test_the_architecture_lists_every_module_where_it_is() -> None:
    listed = {folder: sorted(names.split()) for folder, names in ROOM.findall(text_of("docs/architecture.md"))}
    folders = {path.parent for name in ("core", "pages") for path in (PROJECT / name).rglob("*.py")}
    there = {folder.relative_to(PROJECT).as_posix(): modules_in(folder) for folder in folders}
    assert listed == {folder: names for folder, names in there.items() if names}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    named = set(FILE.findall(text_of(document)))
    assert sorted(name for name in named if not list(PROJECT.glob(name))) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_modules_that_are_named_exist(document: str) -> None:
    named = set(MODULE.findall(text_of(document)))
    assert sorted(name for name in named if not is_there(name)) == []


def is_there(name: str) -> bool:
    """Whether a dotted name is a module or package, or a name in one."""
    path = PROJECT / name.replace(".", "/")
    owner, _, inner = name.rpartition(".")
    module = PROJECT / f"{owner.replace('.', '/')}.py"
    return path.is_dir() or path.with_suffix(".py").exists() or (module.exists() and inner in module.read_text("utf-8"))
