"""Seeded damage, for fuzz tests: to bytes, and to the values of JSON."""

import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, 1 << 70, "", "x" * 300, "\ud800", "\0", [], {}, [[]], {"a": 1}),
    *(float("nan"), float("inf"), "<b>", "2020"),
)
"""What stands where something else should."""


def damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    """Change a bit, remove or add a few bytes, cut the end off, or spoil the beginning."""
    changed = bytearray(content or b"\0")
    place = chance.randrange(len(changed))
    kind = chance.randrange(5)
    if kind == 0:
        changed[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del changed[place : place + chance.randrange(1, 40)]
    elif kind == 2:
        changed[place:place] = chance.randbytes(chance.randrange(1, 8))
    elif kind == 3:
        del changed[place:]
    else:
        for _ in range(8):
            changed[chance.randrange(min(len(changed), 200))] = chance.randrange(256)
    return bytes(changed)


def damaged_json(content: bytes, chance: random.Random) -> bytes:
    """Put something odd in the place of a value, at any depth, or remove it."""
    value = json.loads(content)
    path = chance.choice(_paths(value))
    if not path:
        return json.dumps(chance.choice(ODD)).encode()
    *before, last = path
    holder = value
    for step in before:
        holder = holder[step]
    if isinstance(holder, dict) and chance.random() < 0.2:
        del holder[last]
    else:
        holder[last] = chance.choice(ODD)
    return json.dumps(value).encode()


def damaged_line(content: bytes, chance: random.Random) -> bytes:
    """Damage the JSON in one of the lines."""
    lines = content.splitlines()
    place = chance.randrange(len(lines))
    lines[place] = damaged_json(lines[place], chance)
    return b"".join(line + b"\n" for line in lines)


def _paths(value: Any) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, child in inner for rest in _paths(child))]
