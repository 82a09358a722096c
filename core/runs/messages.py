"""What there is to tell about a run: a key with values is stored, and the sentence is made where it is shown.

Two people may read the same run in two languages, so no sentence is written into a run's folder, except for errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.formatting import size, whole
from core.language import from_json, kept, placeholders, retold, tr, tr_context, tr_mark

Value = str | int | float

TEXTS: Mapping[str, str] = {
    "sentence": "{text}",
    # waiting and starting
    "queued": tr_mark("Waiting in the queue"),
    "starting": tr_mark("Starting"),
    "starting-trainer": tr_mark("Starting the trainer"),
    "loading-tensorflow": tr_mark("Loading TensorFlow"),
    "building-network": tr_mark("Building the network"),
    # preparing
    "indexing-photos": tr_mark("Looking at the photos"),
    "benchmarking": tr_mark("Measuring the speed of this computer"),
    "loading-weights": tr_mark("Loading the pretrained weights"),
    "downloading-weights": tr_mark("Downloading the pretrained weights, {bytes} so far"),
    "decoding-photos": tr_mark("Reading the photos"),
    "computing-photos": tr_mark("Running the frozen layers on each photo"),
    "computing-features": tr_mark("Computing the features of each photo"),
    "writing-features": tr_mark("Writing the result"),
    # checking labels
    "checking-labels": tr_mark("Fine-tuning {fold} of {folds}"),
    "stopped-check": tr_mark("Stopped; it can go on from there"),
    # training
    "train-head": tr_mark("Training the head"),
    "train-head-added": tr_mark("Training the head, additional epochs ({number})"),
    "fine-tune": tr_mark("Fine-tuning"),
    "fine-tune-from": tr_mark("Fine-tuning from {point}"),
    "fine-tune-added": tr_mark("Fine-tuning, additional epochs ({number})"),
    "train-all": tr_mark("Training everything from scratch"),
    "train-all-added": tr_mark("Training everything from scratch, additional epochs ({number})"),
    "timing-fine-tuning": tr_mark("Measuring how long fine-tuning will take"),
    "computing-version": tr_mark("Running the frozen layers on version {number} of each photo"),
    "find-rate-train-head": tr_mark("Trying learning rates for the head"),
    "find-rate-fine-tune": tr_mark("Trying learning rates for fine-tuning"),
    "find-rate-train-all": tr_mark("Trying learning rates for training from scratch"),
    "finishing": tr_mark("Writing the model and testing it"),
    # exporting
    "export-predicting": tr_mark("Reading photos and computing the model's predictions"),
    "export-converting": tr_mark("Converting the model"),
    "export-verifying": tr_mark("Verifying it in a separate process"),
    # how it ended
    "finished": tr_mark("Finished"),
    "failed": tr_mark("Failed"),
    "stopped-untrained": tr_mark("Nothing was trained"),
    "stopped": tr_mark("The best model so far is kept"),
    "paused-before-training": tr_mark("Paused before the first epoch"),
    "paused": tr_mark("Paused in epoch {epoch} of {epochs}"),
    "exported-unfinished": tr_mark("It had not finished when it was exported"),
    # which data a phase is trained on, and why
    "cached": tr_mark("The frozen layers run once for each photo; their output is cached."),
    "cached-versions": tr_mark(
        "The frozen layers run once for each of {number} versions of each photo; their output is cached."
    ),
    "no-room": tr_mark("Not cached (needs {bytes}): every epoch runs the whole network."),
    "all-trainable": tr_mark("Not cached (all layers are trained): every epoch runs the whole network."),
    "photos-mixed": tr_mark(
        "Not cached (MixUp and CutMix blend other photos in every epoch): every epoch runs the whole network."
    ),
    "caching-off": tr_mark("Not cached (switched off in the recipe): every epoch runs the whole network."),
    "head-too-wide": tr_mark(
        "Not cached (the input of this head would take more space than the photos): every epoch runs the whole network."
    ),
    "little-gain": tr_mark("Not cached (nearly all layers are trained): every epoch runs the whole network."),
    "cache-failed": tr_mark("Not cached: every epoch runs the whole network. {error}"),
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
        values = {name: from_json(each) if isinstance(each, dict) else each for name, each in values.items()}
        if not all(isinstance(each, str | int | float) for each in values.values()):
            raise ValueError(f"the values of the message {key[:80]} must be texts and numbers")
        return cls(key, values)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; a text among the values is kept as what it was made of."""
        values = {name: kept(each) if isinstance(each, str) else each for name, each in self.values.items()}
        return {"key": self.key, "values": values}

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.key)


NO_MESSAGE = Message()


def text_of(message: Message, *, with_share: bool = True) -> str:
    """The sentence for a message; where a newer version wrote it, what can be read from its key."""
    if not message:
        return ""
    values = {
        name: retold(value) if isinstance(value, str) else AS_TEXT.get(name, str)(value)
        for name, value in message.values.items()
    }
    known = TEXTS.get(message.key, "")
    told = known and placeholders(known) <= values.keys()
    text = tr(known, **values) if told else message.key.replace("-", " ").capitalize()
    if with_share and "share" in values:
        return tr_context("progress", "{what}, {share}", what=text, share=values["share"])
    return text
