"""What there is to tell about a run: a key with values is stored, and the sentence is made where it is shown.

Two people may read the same run in two languages, so no sentence is written into a run's folder, except for errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.formatting import size, whole

Value = str | int | float

TEXTS: Mapping[str, str] = {
    "sentence": "{text}",
    # which data a phase is trained on, and why
    "cached": "The frozen layers run once for each photo; their output is cached.",
    "cached-versions": (
        "The frozen layers run once for each of {number} versions of each photo; their output is cached."
    ),
    "no-room": "Not cached (needs {bytes}): every epoch runs the whole network.",
    "all-trainable": "Not cached (all layers are trained): every epoch runs the whole network.",
    "photos-mixed": (
        "Not cached (MixUp and CutMix blend other photos in every epoch): every epoch runs the whole network."
    ),
    "caching-off": "Not cached (switched off in the recipe): every epoch runs the whole network.",
    "head-too-wide": (
        "Not cached (the input of this head would take more space than the photos): every epoch runs the whole network."
    ),
    "little-gain": "Not cached (nearly all layers are trained): every epoch runs the whole network.",
    "cache-failed": "Not cached: every epoch runs the whole network. {error}",
}
"""The sentence for each key, with the names of its values in braces."""

AS_TEXT: Mapping[str, Callable[[Any], str]] = {"bytes": size, "share": whole}
"""How values of these names are written."""


@dataclass(frozen=True)
class Message:
    """Something to tell, which can be stored and compared.

    Attributes:
        key: A key of `TEXTS`; empty where there is nothing to tell. A newer version may know more keys.
        values: What the sentence names. `share` (0 to 1) is how much is done of what any message tells about.
    """

    key: str = ""
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.key)


def text_of(message: Message, *, with_share: bool = True) -> str:
    """The sentence for a message; where a newer version wrote it, what can be read from its key."""
    if not message:
        return ""
    values = {name: AS_TEXT.get(name, str)(value) for name, value in message.values.items()}
    try:
        text = TEXTS[message.key].format_map(values)
    except KeyError:
        text = message.key.replace("-", " ").capitalize()
    return f"{text}, {values['share']}" if with_share and "share" in values else text
