"""Pictures in plain HTML, light enough to draw by the hundred. Knows nothing of Streamlit.

Frozen is cold and blue, learning is warm and orange, here as everywhere.
"""

from collections.abc import Sequence
from html import escape

from core.models.backbones import Backbone

NETWORK_STYLE = """
<style>
.uf-net{display:flex;flex-wrap:wrap;gap:6px;align-items:stretch;margin:.25rem 0 .4rem}
.uf-block{flex:1 1 64px;min-width:64px;border-radius:8px;padding:.45rem .3rem;text-align:center;
  font-size:.82rem;line-height:1.25;border:1.5px solid}
.uf-block b{display:block;font-weight:650}
.uf-key{display:flex;gap:1.2rem;font-size:.85rem;flex-wrap:wrap}
.uf-dot{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.35em;border:1.5px solid}
.uf-frozen{background:#2b93c41f;border-color:#2b93c4}
.uf-learns{background:#e07b2833;border-color:#e07b28}
</style>
"""

BARS_STYLE = """
<style>
.uf-bars{display:grid;grid-template-columns:minmax(1.5rem,max-content) 1fr max-content;gap:.3rem .6rem;
  align-items:center;font-size:.9rem}
.uf-bars span{overflow-wrap:anywhere}
.uf-bar{height:1.05rem;border-radius:4px;min-width:2px}
.uf-bars .uf-share{font-variant-numeric:tabular-nums;text-align:right}
</style>
"""


def count(number: int) -> str:
    """A number of parameters as people say it: 950, 12.3 k, 4.0 M, 390 M."""
    for limit, unit in ((1_000_000_000, " G"), (1_000_000, " M"), (1_000, " k")):
        if number >= limit:
            return f"{number / limit:.{0 if number >= 100 * limit else 1}f}{unit}"
    return str(number)


def network_picture(chosen: Backbone, point: str, class_count: int) -> str:
    """HTML of the network's blocks from photo to head, marked by whether they learn at this unfreeze point."""
    learning = chosen.trainable_blocks(point)
    head = (chosen.feature_width + 1) * class_count
    cells = [_cell(block.name, block.learnable, block.name in learning) for block in chosen.blocks]
    trainable = chosen.learnable_parameters(point) + head
    total = sum(block.learnable + block.fixed for block in chosen.blocks) + head
    words = f"{count(trainable)} parameters learn, {count(total - trainable)} stay frozen"
    return (
        f'{NETWORK_STYLE}<div class="uf-net" role="img" aria-label="{escape(chosen.name)}: {words}">'
        f"{''.join(cells)}{_cell('head', head, True)}</div>"
        f'<div class="uf-key"><span><i class="uf-dot uf-learns"></i>learns: {count(trainable)} parameters</span>'
        f'<span><i class="uf-dot uf-frozen"></i>frozen: {count(total - trainable)} parameters</span></div>'
    )


def _cell(name: str, parameters: int, learns: bool) -> str:
    kind = "uf-learns" if learns else "uf-frozen"
    return f'<div class="uf-block {kind}"><b>{escape(name)}</b>{count(parameters)}</div>'


def percent(share: float) -> str:
    """A share of 1 as text; never 100 % or 0 % for what is neither."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def probability_bars(top: Sequence[tuple[str, float]]) -> str:
    """HTML of the most probable classes as bars, most probable first."""
    rows = (_bar(name, share, "#e07b28" if place == 0 else "#2b93c4") for place, (name, share) in enumerate(top))
    return f'{BARS_STYLE}<div class="uf-bars">{"".join(rows)}</div>'


def _bar(name: str, share: float, colour: str) -> str:
    bar = f'<div class="uf-bar" style="width:{100 * share:.2f}%;background:{colour}"></div>'
    return f'<span>{escape(name)}</span><div>{bar}</div><span class="uf-share">{escape(percent(share))}</span>'
