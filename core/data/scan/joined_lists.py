"""Lists whose lines belong together by a number or a name at their start, as CUB-200-2011 and NABirds come:
`images.txt` names a photo for each, `image_class_labels.txt` its class, `train_test_split.txt` its subset."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from core.data.scan.subset_folders import subset_named
from core.data.scan.tables import LIST_SUFFIX, MAX_LIST_BYTES, MAX_TABLE_BYTES, Table, is_photo_name, read_table
from core.data.scan.text_encoding import decoded
from core.data.scan.walk import is_housekeeping
from core.data.subsets import NO_SUBSET, TRAINING
from core.files import open_resolved

CLASS, IS_TRAINING = "class", "is_training"
"""The columns that are added, with the class of each photo and with whether it is for training."""

CLASS_LISTS = ("classes.txt", "class_names.txt", "labels.txt")
"""Lists with the name of each class behind its number."""

MOST_LISTS = 20


def read_joined(root: Path, name: str, encoding: str = "", *, max_bytes: int = MAX_TABLE_BYTES) -> Table:
    """Read a table as `read_table` does; a list of photos with what lists beside it say of the same photos."""
    table = read_table(root, name, encoding, max_bytes=max_bytes)
    if not name.lower().endswith(LIST_SUFFIX) or len(table.columns) != 2:
        return table
    ids = table.cells(table.columns[0])
    names_photos = all("/" in cell or is_photo_name(cell) for cell in table.cells(table.columns[1]))
    if len(set(ids)) < len(ids) or not names_photos or any(map(is_photo_name, ids)):
        return table
    added = _columns_beside(root, name, set(ids))
    rows = tuple((line, (*row, *(values[row[0]] for values in added.values()))) for line, row in table.rows)
    return Table((*table.columns, *added), rows, table.encoding, has_names=False)


def _columns_beside(root: Path, name: str, ids: set[str]) -> dict[str, dict[str, str]]:
    """Return by column what the lists beside one say of each of these numbers."""
    found: dict[str, dict[str, str]] = {}
    folder = (root / name).parent
    for path in sorted(folder.glob(f"*{LIST_SUFFIX}"))[:MOST_LISTS]:
        values = {} if path.name == PurePosixPath(name).name or is_housekeeping(path.name) else _pairs(path, root)
        if values.keys() != ids:
            continue
        if set(values.values()) == {"0", "1"} and _tells_training(path.stem):
            found[IS_TRAINING] = values
        elif len(set(values.values())) > 1 and re.search("class|label|categor|species", path.stem.casefold()):
            names = next((known for each in CLASS_LISTS if (known := _pairs(folder / each, root))), {})
            found.setdefault(CLASS, {key: names.get(value, value) for key, value in values.items()})
    return found


def _tells_training(stem: str) -> bool:
    """Tell whether 1 means training in a list of this name: is_training, or train_test_split."""
    return TRAINING in {subset_named(stem), *map(subset_named, re.split(r"[\W_]+", stem)[:1])} - {NO_SUBSET}


def _pairs(path: Path, root: Path) -> dict[str, str]:
    """Return the rest of each line by its first word; nothing where a line is no such pair, or the list unreadable."""
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(root) or resolved.stat().st_size > MAX_LIST_BYTES:
            return {}
        with open_resolved(resolved) as file:
            lines = decoded(file.read())[0].splitlines()
    except (OSError, ValueError):
        return {}
    words: Sequence[list[str]] = [line.split(None, 1) for line in lines if line.strip()]
    pairs = {pair[0]: pair[1].strip() for pair in words if len(pair) == 2}
    return pairs if len(pairs) == len(words) else {}
