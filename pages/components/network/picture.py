"""A network as one row, from photo to answer: ice is frozen, fire learns. Knows nothing of Streamlit."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from core.language import tr
from core.models.architecture import Layer
from core.models.backbones import Backbone
from pages.components.shared import glossary
from pages.components.shared.drawings import count

STYLE = (Path(__file__).parent / "network.css").read_text("utf-8")

LOWEST = 0.62
"""Height of the block with the smallest map, in relation to the one with the largest."""


@dataclass(frozen=True)
class Sides:
    """What is said of one place of the border.

    Attributes:
        learns: What learns, in a few words.
        cold, warm: What stays frozen and what learns, with their numbers of parameters.
    """

    learns: str
    cold: str
    warm: str

    @property
    def told(self) -> str:
        """All of it, to be read out."""
        return tr("{learns}: {warm}, {cold}", learns=self.learns, warm=self.warm, cold=self.cold)


def frozen_blocks(chosen: Backbone, point: str) -> int:
    """How many blocks before an unfreeze point stay frozen: where the border is."""
    return len(chosen.blocks) - len(chosen.trainable_blocks(point))


def point_at(chosen: Backbone, frozen: int) -> str:
    """The unfreeze point with so many frozen blocks, from 0 to the number of blocks."""
    return next(point for point in chosen.unfreeze_points if frozen_blocks(chosen, point) == frozen)


def sides(chosen: Backbone, head: Sequence[Layer], frozen: int, layer: str = "", within: int | None = None) -> Sides:
    """What a place of the border means.

    Args:
        chosen: The backbone.
        head: The layers of the head, which always learns.
        frozen: How many blocks stay frozen.
        layer: The layer of the first block behind them at which learning begins; empty for the whole block.
        within: How many of the backbone's weights learn if it begins there.
    """
    learnable = sum(block.learnable for block in chosen.blocks[frozen:]) if within is None else within
    width, top = sum(each.parameters for each in head), sum(each.learnable for each in head)
    total = sum(block.learnable + block.fixed for block in chosen.blocks) + width
    return Sides(
        learns_from(chosen, frozen, layer),
        tr("{number} parameters stay frozen", number=count(total - learnable - top)),
        tr("{number} parameters learn", number=count(learnable + top)),
    )


def learns_from(chosen: Backbone, frozen: int, layer: str = "") -> str:
    """What learns with so many frozen blocks, in a few words; `layer` as in `sides`."""
    if layer:
        return tr("learns from {place} on", place=layer)
    if frozen == 0:
        return tr("everything learns")
    if frozen == len(chosen.blocks):
        return tr("only the head learns")
    return tr("learns from {place} on", place=chosen.block_names[frozen])


@dataclass(frozen=True)
class Example:
    """A photo (JPEG) that goes into a network, and the class that comes out; words stand where they are missing."""

    photo: bytes = b""
    answer: str = ""


NO_EXAMPLE = Example()


def row(chosen: Backbone, frozen: int, example: Example = NO_EXAMPLE, *, small: bool = False) -> str:
    """HTML of the row, with so many frozen blocks: a photo, the blocks, the head, the answer; small without numbers."""
    sizes = [_height(block.side, chosen) for block in chosen.blocks]
    cells = [
        _cell(block.name, "" if small else count(block.learnable), number >= frozen, size)
        for number, (block, size) in enumerate(zip(chosen.blocks, sizes, strict=True))
    ]
    cells.append(_cell(tr("head"), "" if small else tr("new"), True, LOWEST))
    missing, answer = tr("photo"), escape(example.answer or tr("answer"))
    photo = base64.b64encode(example.photo).decode()
    seen = f'<img src="data:image/jpeg;base64,{photo}" alt="">' if photo else f"<span>{missing}</span>"
    return (
        f'<div class="row{" small" if small else ""}" style="--cells:{len(cells)};--frozen:{frozen}">'
        f'<div class="end">{seen}</div><i class="way"></i><div class="blocks">{"".join(cells)}'
        f'<div class="border"><i class="grip"></i></div></div>'
        f'<i class="way"></i><div class="end"><span>{answer}</span></div></div>'
    )


def still(chosen: Backbone, drawn: str, words: str) -> str:
    """HTML of a `row` that cannot be changed, with what it shows in words."""
    label = tr("{name}: {words}", name=escape(chosen.name), words=escape(words))
    return (
        f'<style>{STYLE}</style><div class="uf-network still" role="img" aria-label="{label}"'
        f' title="{glossary.meaning(glossary.BLOCK)}">{drawn}</div>'
    )


def _height(side: int, chosen: Backbone) -> float:
    """Height of a block, `LOWEST` to 1: by the logarithm of the side of its map."""
    sizes = [math.log(max(1, block.side)) for block in chosen.blocks]
    spread = max(sizes) - min(sizes)
    return LOWEST + (1 - LOWEST) * (math.log(max(1, side)) - min(sizes)) / spread if spread else 1.0


def _cell(name: str, number: str, learns: bool, size: float) -> str:
    weights = f"<span>{number}</span>" if number else ""
    return (
        f'<div class="block {"learns" if learns else "frozen"}" style="--size:{size:.2f}"><i class="mark"></i>'
        f"<b>{escape(name)}</b>{weights}</div>"
    )
