"""Pictures in plain HTML, light enough to draw by the hundred. Knows nothing of Streamlit.

Frozen is cold and blue, learning is warm and orange, here as everywhere.
"""

from collections.abc import Collection, Sequence
from html import escape
from itertools import groupby

from core.formatting import percent as percent
from core.language import number, tr, tr_mark, tr_plural
from core.models.architecture import Architecture, Layer, Place
from core.models.backbones import Backbone
from pages.components.shared.colours import ANSWER, EDGE, FROZEN, LEARNS, OTHER

KIND_STYLE = f"""
<style>
.uf-dot{{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.35em;border:1.5px solid}}
.uf-frozen{{background:{FROZEN}1f;border-color:{FROZEN}}}
.uf-learns{{background:{LEARNS}33;border-color:{LEARNS}}}
.uf-partly{{background:linear-gradient(90deg,{FROZEN}1f 50%,{LEARNS}33 50%);border-color:{LEARNS}}}
.uf-plain{{background:none;border-color:{EDGE};border-style:dashed}}
</style>
"""

ARCHITECTURE_STYLE = """
<style>
.uf-arch{max-width:60rem;container-type:inline-size;font-size:.85rem;line-height:1.35}
.uf-arch p{margin:.2rem 0}
.uf-end{text-align:center;opacity:.75}
.uf-part{border-width:1.5px;border-style:solid;border-radius:8px;padding:.35rem .6rem;margin:.3rem 0}
.uf-part.uf-partly{background:none}
.uf-group{border-left:3px solid #8a8f9466;padding-left:.5rem;margin:.25rem 0}
.uf-arch summary{cursor:pointer}
.uf-arch summary b{display:inline-block;margin-right:.8rem}
.uf-arch summary span{margin-right:.9rem;opacity:.8;font-variant-numeric:tabular-nums;display:inline-block}
.uf-arch ul{list-style:none;margin:.1rem 0;padding:0}
.uf-arch li{display:grid;font-size:inherit;gap:0 .5rem;
  grid-template-columns:1.2em minmax(0,3fr) minmax(0,2.4fr) minmax(0,1.8fr) 4rem;
  align-items:baseline;margin:0;padding:.12rem 0;border-bottom:1px solid #8a8f9433}
.uf-arch li b{font-weight:500;overflow-wrap:anywhere}
.uf-arch li span{overflow-wrap:anywhere;opacity:.8;font-variant-numeric:tabular-nums}
.uf-arch li span:last-child{text-align:right}
.uf-skip{border:2px solid #8a8f94;border-right:0;border-radius:10px 0 0 10px;padding:.1rem 0 .1rem .6rem;margin:.2rem 0}
.uf-aside{border-left:2px dashed #8a8f94;margin:.15rem 0 .15rem 1.1rem;padding-left:.6rem}
.uf-note{font-style:italic;opacity:.75}
@container (max-width:36rem){.uf-arch li{grid-template-columns:1.2em minmax(0,1fr) auto}
  .uf-arch li span:nth-of-type(1){grid-column:2/4;grid-row:2}
  .uf-arch li span:nth-of-type(2){grid-column:3;grid-row:1}
  .uf-arch li span:nth-of-type(3){grid-column:3;grid-row:2}
  .uf-skip,.uf-aside{padding-left:.35rem}.uf-aside{margin-left:.4rem}}
</style>
"""

TABLE_STYLE = """
<style>
.uf-table{width:100%;border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
.uf-table th{font-weight:400;opacity:.7;text-align:right;padding:.15rem 0 .15rem .6rem}
.uf-table td{text-align:right;padding:.2rem 0 .2rem .6rem;border-top:1px solid #8a8f9444;white-space:nowrap}
.uf-table th:first-child,.uf-table td:first-child{text-align:left;padding-left:0;white-space:normal}
</style>
"""

_BELOW = (
    "{grid-template-columns:1fr max-content;gap:.1rem .6rem;grid-auto-flow:dense}",
    ">span{grid-column:1}",
    ">.uf-share{grid-column:2}",
    ">div{grid-column:1/3;margin-bottom:.35rem}",
)
"""What has each bar begin in a line of its own, below its name, and be as long as the whole width."""

BARS_STYLE = f"""
<style>
.uf-bars{{container-type:inline-size;font-size:.9rem}}
.uf-rows{{display:grid;grid-template-columns:minmax(1.5rem,max-content) minmax(50%,1fr) max-content;
  gap:.3rem .6rem;align-items:center}}
.uf-rows span{{overflow-wrap:anywhere}}
{"".join(f".uf-below{rule}" for rule in _BELOW)}
@container (max-width:22rem){{{"".join(f".uf-rows{rule}" for rule in _BELOW)}}}
.uf-bar{{height:1.05rem;border-radius:4px;min-width:2px}}
.uf-rows .uf-share{{font-variant-numeric:tabular-nums;text-align:right}}
</style>
"""
"""However long the names are, a bar has at least half of the width."""


STATES = {"plain": tr_mark("no weights"), "learns": tr_mark("trainable"), "frozen": tr_mark("frozen")}
"""What the kinds of layers are called, by the end of their CSS class."""


UNITS = ((1_000_000_000, tr_mark("{number} G")), (1_000_000, tr_mark("{number} M")), (1_000, tr_mark("{number} k")))


def count(parameters: int) -> str:
    """A number of parameters as people say it: 950, 12.3 k, 4.0 M, 390 M."""
    for limit, unit in UNITS:
        if parameters >= limit:
            return tr(unit, number=number(parameters / limit, 0 if parameters >= 100 * limit else 1))
    return str(parameters)


def architecture_diagram(
    chosen: Backbone, architecture: Architecture, head: Sequence[Layer], learning: Collection[str]
) -> str:
    """HTML of a network down to its layers, from photo to head: blocks fold out, repeated parts of a block fold out.

    Args:
        chosen: The backbone.
        architecture: Its layers.
        head: The layers of the head, which all learn.
        learning: Names of the backbone's layers that learn.
    """
    places = architecture.places()
    parts = [
        _block_part(block.name, [place for place in places if place.layer.block == block.name], learning)
        for block in chosen.blocks
    ]
    top = [Place(layer, False, "") for layer in head]
    parts.append(_block_part(tr("head"), top, [layer.name for layer in head], unfolded=True))
    begin, end = tr("photo"), tr("a probability for each class")
    return (
        f'{KIND_STYLE}{ARCHITECTURE_STYLE}<div class="uf-arch"><p class="uf-end">{begin}</p>{"".join(parts)}'
        f'<p class="uf-end">{end}</p></div>'
    )


def _kind(learns: bool) -> str:
    return "learns" if learns else "frozen"


def _block_part(name: str, places: Sequence[Place], learning: Collection[str], *, unfolded: bool = False) -> str:
    """One block, folded: its name, what it puts out, how many weights it has and how many of its layers learn."""
    layers = [place.layer for place in places]
    able = [layer.name for layer in layers if layer.learnable]
    begun = [each for each in able if each in learning]
    kind = "partly" if 0 < len(begun) < len(able) else _kind(bool(begun))
    words = tr("trainable from {layer} on", layer=escape(begun[0])) if kind == "partly" else tr(STATES[kind])
    groups = [(key, list(members)) for key, members in groupby(places, key=lambda place: place.layer.group)]
    inside = "".join(
        _group_part(key, members, learning, unfolded=place == 0) if key else _rows(members, learning)
        for place, (key, members) in enumerate(groups)
    )
    return (
        f'<details class="uf-part uf-{kind}"{" open" if unfolded else ""}><summary><b>{escape(name)}</b>'
        f"{_facts(layers, words)}</summary>{inside}</details>"
    )


def _facts(layers: Sequence[Layer], *more: str) -> str:
    how_many = tr_plural("{count} layer", "{count} layers", len(layers))
    weights = tr("{number} parameters", number=count(sum(layer.parameters for layer in layers)))
    return "".join(f"<span>{words}</span>" for words in (*more, how_many, _shape(layers[-1].shape), weights))


def _group_part(name: str, places: Sequence[Place], learning: Collection[str], *, unfolded: bool) -> str:
    """A repeated part of a block; what a skip connection leads past has a bracket."""
    joined = next((which for which, place in enumerate(places) if place.skip), None)
    words = [tr("skip connection")] if joined is not None else []
    if any(place.aside for place in places):
        words.append(
            tr("with squeeze-and-excitation") if _squeezes(places) else tr("with a convolution on the shortcut")
        )
    if joined is None:
        inside = _rows(places, learning)
    else:
        note = tr(
            "skip connection: the output of {layer} also bypasses these layers and is added at the end",
            layer=escape(places[joined].skip),
        )
        inside = (
            f'<div class="uf-skip"><p class="uf-note">{note}</p>{_rows(places[: joined + 1], learning)}</div>'
            f"{_rows(places[joined + 1 :], learning)}"
        )
    layers = [place.layer for place in places]
    return (
        f'<details class="uf-group"{" open" if unfolded else ""}><summary><b>{escape(name)}</b>'
        f"{_facts(layers, *words)}</summary>{inside}</details>"
    )


def _squeezes(places: Sequence[Place]) -> bool:
    return any(place.layer.kind == "Multiply" for place in places)


def _side_branch(places: Sequence[Place]) -> str:
    if _squeezes(places):
        return tr("side branch: squeeze-and-excitation")
    return tr("side branch: a convolution on the shortcut")


def _rows(places: Sequence[Place], learning: Collection[str]) -> str:
    """Layers one below the other; what is beside the main way is set in."""
    found = []
    for aside, members in groupby(places, key=lambda place: place.aside):
        rows = "".join(_row(place.layer, learning) for place in members)
        words = f'<p class="uf-note">{_side_branch(places)}</p>' if aside else ""
        found.append(f'<div class="uf-aside">{words}<ul>{rows}</ul></div>' if aside else f"<ul>{rows}</ul>")
    return "".join(found)


def _row(layer: Layer, learning: Collection[str]) -> str:
    kind = "plain" if not layer.parameters else _kind(layer.name in learning)
    state = tr(STATES[kind])
    weights = count(layer.parameters) if layer.parameters else "–"
    return (
        f'<li><i class="uf-dot uf-{kind}" role="img" aria-label="{state}" title="{state}"></i>'
        f"<b>{escape(layer.name)}</b><span>{escape(layer.kind)}</span><span>{_shape(layer.shape)}</span><span>{weights}</span></li>"
    )


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """HTML of a small table whose first column is text and whose others are numbers."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'{TABLE_STYLE}<table class="uf-table"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def probability_bars(top: Sequence[tuple[str, float]], *, below: bool = False) -> str:
    """HTML of the most probable classes as bars, most probable first; `below` as `bars` has it."""
    colours = [ANSWER, *[OTHER] * len(top)]
    rows = [(name, share, colour, percent(share)) for (name, share), colour in zip(top, colours, strict=False)]
    return bars(rows, below=below)


def bars(rows: Sequence[tuple[str, float, str, str]], *, below: bool = False) -> str:
    """HTML of bars, each a name, its length as a share of 1, its colour and its figure.

    A bar is beside its name; where there is little room, or if `below` says so, it is below it in the whole width.
    """
    drawn = "".join(
        f'<span>{escape(name)}</span><div><div class="uf-bar" style="width:{100 * share:.2f}%;background:{colour}">'
        f'</div></div><span class="uf-share">{escape(figure)}</span>'
        for name, share, colour, figure in rows
    )
    kind = "uf-rows uf-below" if below else "uf-rows"
    return f'{BARS_STYLE}<div class="uf-bars"><div class="{kind}">{drawn}</div></div>'
