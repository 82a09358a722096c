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
    # waiting and starting
    "queued": "Waiting in the queue",
    "starting": "Starting",
    "starting-trainer": "Starting the trainer",
    "loading-tensorflow": "Loading TensorFlow",
    "building-network": "Building the network",
    # preparing
    "indexing-photos": "Looking at the photos",
    "benchmarking": "Measuring the speed of this computer",
    "loading-weights": "Loading the pretrained weights",
    "downloading-weights": "Downloading the pretrained weights, {bytes} so far",
    "decoding-photos": "Reading the photos",
    "computing-photos": "Running the frozen layers on each photo",
    "computing-features": "Computing the features of each photo",
    "writing-features": "Writing the result",
    # checking labels
    "checking-labels": "Fine-tuning {fold} of {folds}",
    "stopped-check": "Stopped; it can go on from there",
    # training
    "train-head": "Training the head",
    "train-head-added": "Training the head, additional epochs ({number})",
    "fine-tune": "Fine-tuning",
    "fine-tune-from": "Fine-tuning from {point}",
    "fine-tune-added": "Fine-tuning, additional epochs ({number})",
    "train-all": "Training everything from scratch",
    "train-all-added": "Training everything from scratch, additional epochs ({number})",
    "timing-fine-tuning": "Measuring how long fine-tuning will take",
    "computing-version": "Running the frozen layers on version {number} of each photo",
    "find-rate-train-head": "Trying learning rates for the head",
    "find-rate-fine-tune": "Trying learning rates for fine-tuning",
    "find-rate-train-all": "Trying learning rates for training from scratch",
    "finishing": "Writing the model and testing it",
    # exporting
    "export-predicting": "Reading photos and computing the model's predictions",
    "export-converting": "Converting the model",
    "export-verifying": "Verifying it in a separate process",
    # how it ended
    "finished": "Finished",
    "failed": "Failed",
    "stopped-untrained": "Nothing was trained",
    "stopped": "The best model so far is kept",
    "paused-before-training": "Paused before the first epoch",
    "paused": "Paused in epoch {epoch} of {epochs}",
    "exported-unfinished": "It had not finished when it was exported",
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

    @classmethod
    def from_json(cls, value: Any) -> "Message":
        """What was stored: a key with values, or by former versions a sentence; raises `ValueError` for others."""
        if isinstance(value, str):
            return cls("sentence", {"text": value}) if value else cls()
        key, values = (value.get("key"), value.get("values")) if isinstance(value, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(values, dict):
            raise ValueError(f"a message must be a key with values, not {str(value)[:80]}")
        if not all(isinstance(each, str | int | float) for each in values.values()):
            raise ValueError(f"the values of the message {key[:80]} must be texts and numbers")
        return cls(key, values)

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.key)


NO_MESSAGE = Message()


def text_of(message: Message, *, with_share: bool = True) -> str:
    """The sentence for a message; where a newer version wrote it, what can be read from its key."""
    if not message:
        return ""
    values = {
        name: str(value) if isinstance(value, str) else AS_TEXT.get(name, str)(value)
        for name, value in message.values.items()
    }
    try:
        text = TEXTS[message.key].format_map(values)
    except KeyError:
        text = message.key.replace("-", " ").capitalize()
    return f"{text}, {values['share']}" if with_share and "share" in values else text
