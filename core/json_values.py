"""JSON that comes back from a disk: parsed strictly, and its values checked for type and range when they are read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from core.files import open_regular
from core.language import tr

LARGEST = 1e12
"""The limit for numbers that have no limit of their own."""

NAMES: Mapping[type, str] = {dict: "object", list: "list"}

T = TypeVar("T")


def read_json(path: Path, kind: type[T]) -> T:
    """The value in a file, of this type; raises `OSError` where it cannot be opened, and `ValueError` as `parsed`."""
    with open_regular(path) as file:
        return parsed(file.read(), kind)


def parsed(text: str | bytes, kind: type[T]) -> T:
    """The value that a text holds as JSON.

    Raises:
        ValueError: It is not valid JSON or not of this type, or it holds NaN, infinity, or what is no text.
    """
    try:
        found = json.loads(text, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # which refuses 1e999 and lone surrogates
    except RecursionError as error:
        raise ValueError(tr("it is not valid JSON (its brackets are nested too deeply)")) from error
    except ValueError as error:
        raise ValueError(tr("it is not valid JSON ({reason})", reason=str(error)[:200])) from error
    if type(found) is not kind:
        raise ValueError(tr("it is not a JSON {kind}", kind=NAMES.get(kind, kind.__name__)))
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def checked(
    values: Mapping[str, Any], kinds: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """The values of known names, in the order of `kinds`; others, as a newer version may write, are left.

    Args:
        values: Parsed JSON.
        kinds: The type of each, or a union of types.
        ranges: The smallest and the largest number of each; 0 to `LARGEST` where it is not given.

    Raises:
        ValueError: One is of another type, or out of its range.
    """
    found = {name: values[name] for name in kinds if name in values}
    for name, value in found.items():
        if not fits(value, kinds[name], *ranges.get(name, (0, LARGEST))):
            shown = value if isinstance(value, str | int | float) else type(value).__name__
            raise ValueError(tr("{name} = {value} is not possible", name=name, value=repr(str(shown)[:40])))
    return found


def fits(value: Any, kind: Any, lowest: float, highest: float) -> bool:
    """Whether a JSON value is of a type or one of a union of types, and a number in a range, both ends included."""
    kinds = get_args(kind) or (kind,)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value) in kinds
    return (type(value) in kinds or float in kinds) and lowest <= value <= highest
