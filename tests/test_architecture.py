"""The rules of the house: who may import whom, and what may be where."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

GROUND = frozenset(
    f"core.{name}"
    for name in (
        "arrays",
        "csv_files",
        "errors",
        "files",
        "formatting",
        "json_values",
        "language",
        "markdown",
        "settings",
        "source_excerpts",
    )
)
STORES = GROUND | {"core.processes", "core.data", "core.models", "core.runs"}
ANSWERS = STORES | {"core.recipe", "core.evaluation"}

LAYERS: dict[str, frozenset[str]] = {
    "core.arrays": frozenset({"core.language"}),
    "core.language": frozenset(),
    "core.csv_files": frozenset(),
    "core.errors": frozenset({"core.language"}),
    "core.files": frozenset({"core.errors", "core.language"}),
    "core.formatting": frozenset({"core.language"}),
    "core.json_values": frozenset({"core.files", "core.language"}),
    "core.markdown": frozenset(),
    "core.source_excerpts": frozenset(),
    "core.settings": frozenset({"core.errors", "core.language"}),
    "core.processes": GROUND,
    "core.data": GROUND | {"core.processes"},
    "core.models": GROUND | {"core.processes"},
    "core.runs": GROUND | {"core.processes"},
    "core.recipe": STORES,
    "core.evaluation": STORES | {"core.recipe"},
    "core.inference": ANSWERS,
    "core.labels": ANSWERS | {"core.inference"},
    "core.labelling": ANSWERS | {"core.inference"},
    "core.reports": ANSWERS | {"core.inference"},
    "core.export": ANSWERS | {"core.inference", "core.reports"},
    "core.training": ANSWERS | {"core.inference", "core.labels", "core.labelling"},
    "pages.components": frozenset({"core"}),
    "pages": frozenset({"core", "pages.components"}),
    "app": frozenset({"core", "pages"}),
    "command_line": frozenset({"core"}),
}
"""What each part may import besides itself; a module belongs to the longest name that fits."""

COMPONENTS = "pages.components"

FOR_ALL = frozenset({"cached", "gallery", "shared"})
"""Folders of components that any other folder of components may import."""

COMPONENT_FOLDERS: dict[str, frozenset[str]] = {
    "cached": frozenset(),
    "gallery": frozenset({"cached", "shared"}),
    "shared": frozenset({"cached"}),
    "collect": FOR_ALL | {"camera"},
    "dataset": FOR_ALL | {"collect"},
    "evaluate": FOR_ALL | {"dataset"},
    "labelling": FOR_ALL | {"dataset"},
    "labels": FOR_ALL | {"compare", "dataset", "runs", "train"},
    "predict": FOR_ALL | {"camera"},
    "runs": FOR_ALL | {"compare", "export", "network"},
    "train": FOR_ALL | {"network"},
}
"""What a folder of components may import besides itself, where that is not just what is for all."""

MOST_MODULES = 15
"""A folder with more modules than that is hard to take in at a glance."""

HEAVY = ("tensorflow", "keras", "torch")
"""What takes seconds and half a gigabyte to import, so that no page may."""


@dataclass(frozen=True)
class Import:
    """One import: who asks for which module or name, and in which line."""

    module: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the program, parsed, by name."""
    folders = (PROJECT / name for name in ("core", "pages", "command_line"))
    files = [PROJECT / "app.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    return {module_name(path): ast.parse(path.read_text("utf-8"), str(path)) for path in files}


@cache
def imports() -> tuple[Import, ...]:
    """Every import of the program, also those inside functions; `from a import b` counts as `a.b` if b is a module."""
    return tuple(found for name, tree in modules().items() for found in imports_of(name, tree))


def imports_of(name: str, tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative imports hide where a name comes from"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(name, inner if inner in modules() else str(node.module), node.lineno)


def is_part(name: str, of: str) -> bool:
    return name == of or name.startswith(f"{of}.")


def layer_of(name: str) -> str:
    found = [layer for layer in LAYERS if is_part(name, layer)]
    assert found, f"{name} belongs to no layer"
    return max(found, key=len)


def ours(name: str) -> bool:
    return name.partition(".")[0] in ("core", "pages", "app", "command_line")


def attributes_of(tree: ast.AST, *wanted: str) -> set[str]:
    """Which of these names are used as attributes (`st.wanted`) or imported (`from streamlit import wanted`)."""
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("streamlit"):
            found |= {alias.name for alias in node.names}
    return found & set(wanted)


def test_the_parser_finds_what_it_should() -> None:
    targets = {(found.module, found.target) for found in imports()}
    assert ("core.training.__main__", "core.training.loop") in targets, "imports inside functions count"
    assert ("pages.components.shared.dataset_choice", "pages.components.shared.state") in targets, (
        "modules imported from a package count"
    )
    assert {layer_of(name) for name in modules() if name not in ("core", "pages")} == set(LAYERS)


def test_imports_go_in_one_direction() -> None:
    wrong = []
    for found in imports():
        if not ours(found.target) or found.module in ("core", "pages", "command_line"):
            continue
        mine, theirs = layer_of(found.module), layer_of(found.target)
        allowed = LAYERS[mine] | {mine}
        same_page_layer = mine == theirs == "pages"  # a page does not import another page
        if same_page_layer or not any(is_part(theirs, part) for part in allowed):
            wrong.append(str(found))
    assert wrong == []


def test_a_folder_of_components_imports_itself_and_what_all_share_and_others_only_where_that_is_stated() -> None:
    wrong = []
    for found in imports():
        mine, theirs = component_folder(found.module), component_folder(found.target)
        if mine and theirs and theirs not in COMPONENT_FOLDERS.get(mine, FOR_ALL) | {mine}:
            wrong.append(str(found))
    assert wrong == []


def component_folder(name: str) -> str:
    """The folder of components that a module lies in; empty for all other modules."""
    return name.removeprefix(f"{COMPONENTS}.").partition(".")[0] if name.startswith(f"{COMPONENTS}.") else ""


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {name: {found.target for found in imports() if found.module == name} & set(modules()) for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these modules import each other: {' → '.join(error.args[1])}")


def test_the_core_knows_nothing_of_the_screen() -> None:
    screens = ("streamlit", "plotly", "altair", "pages", "app")
    wrong = [
        str(found)
        for found in imports()
        if is_part(found.module, "core") and any(is_part(found.target, name) for name in screens)
    ]
    assert wrong == []


def test_every_folder_can_be_taken_in_at_a_glance() -> None:
    folders = {path.parent for name in ("core", "pages", "command_line") for path in (PROJECT / name).rglob("*.py")}
    counts = {folder: sum(path.stem != "__init__" for path in folder.glob("*.py")) for folder in folders}
    assert {str(folder): count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_no_file_is_called_by_a_name_that_says_nothing() -> None:
    nothing_said = {"utils", "util", "helpers", "helper", "misc", "common"}
    folders = (PROJECT / "core", PROJECT / "pages", PROJECT / "command_line", PROJECT / "tests")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert [path for path in files if path.stem in nothing_said] == []


@pytest.mark.parametrize(
    ("names", "only_in"),
    [
        (("session_state", "query_params"), "pages.components.shared.state"),
        (("cache_data", "cache_resource", "cache"), "pages.components.cached"),
    ],
)
def test_what_outlives_a_rerun_is_kept_in_one_place(names: tuple[str, ...], only_in: str) -> None:
    users = {name for name, tree in modules().items() if attributes_of(tree, *names)}
    assert users
    assert {name for name in users if not is_part(name, only_in)} == set()


FROM_OUTSIDE = {"error", "path", "reason", "message", "trouble", "warning", "folder", "file", "root", "note", "origin"}
"""What holds names and texts that are not ours, by the last part of how it is called."""

NO_MARKDOWN = {"key", "alt", "placeholder", "args", "on_click", "on_change", "value", "data", "options"}
"""What Streamlit draws as it is, or not at all, by the name of the argument."""


def test_pages_hand_nothing_from_outside_to_markdown_as_it_is() -> None:
    wrong = []
    for name, tree in modules().items():
        for call in ast.walk(tree):
            if not (is_part(name, "pages") and isinstance(call, ast.Call) and ast.unparse(call.func).startswith("st.")):
                continue
            for text in [*call.args, *(word.value for word in call.keywords if word.arg not in NO_MARKDOWN)]:
                text = text.args[0] if isinstance(text, ast.Call) and ast.unparse(text.func) == "str" else text
                parts = [part.value for part in ast.walk(text) if isinstance(part, ast.FormattedValue)]
                wrong += [
                    f"{name}:{part.lineno} {ast.unparse(part)}"
                    for part in (*parts, *([text] if isinstance(text, ast.Name | ast.Attribute) else []))
                    if ast.unparse(part).rpartition(".")[2] in FROM_OUTSIDE
                ]
    assert wrong == []


def test_only_one_module_knows_how_a_photo_is_decoded() -> None:
    openers = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "open" and ast.unparse(node.value) == "Image"
    }
    assert openers == {"core.data.encodings"}


def test_only_one_module_starts_processes() -> None:
    starters = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("subprocess.", "os.nice", "os.spawn"))
    }
    assert starters == {"core.processes.children"}


def test_what_pages_and_commands_import_brings_no_tensorflow_along() -> None:
    askers = ("pages", "command_line")
    asked = [found for found in imports() if any(is_part(found.module, asker) for asker in askers)]
    wanted = sorted({found.target for found in asked if is_part(found.target, "core")})
    assert len(wanted) > 10
    script = (
        f"import importlib, sys\n"
        f"for name in {wanted!r}: importlib.import_module(name)\n"
        f"print(*sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", script]
    said = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=300)
    assert said.stdout.split() == [], f"one of {', '.join(wanted)} imports it"


def test_tables_that_pages_read_name_the_heavy_things_as_strings() -> None:
    at_the_top = {
        f"{name} imports {alias}"
        for name in ("core.models.backbones", "core.recipe.augmentations", "core.recipe.recipe")
        for node in modules()[name].body
        for alias in top_level_targets(node)
        if alias.partition(".")[0] in HEAVY
    }
    assert at_the_top == set()


def top_level_targets(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []
