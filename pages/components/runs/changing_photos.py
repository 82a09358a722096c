"""Validation photos whose answers change as a run learns, with each answer so far."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.data.class_names import shown_names
from core.data.scan.folder import ImageFolder
from core.errors import PhotoError, RunError
from core.evaluation.training_dynamics import TrainingDynamics
from core.language import tr
from core.recipe.recipe import Recipe
from core.runs.store import Run
from pages.components.cached import runs
from pages.components.shared import thumbnails

MOST = 8

STYLE = """
<style>
.uf-flips{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:.7rem .5rem;font-size:.875rem;line-height:1.3}
.uf-flips figure{margin:0;min-width:0}
.uf-flips img,.uf-flips .gone{width:100%;aspect-ratio:1;object-fit:cover;border-radius:8px;display:block}
.uf-flips .gone{border:1px dashed #8a8f94;display:flex;align-items:center;justify-content:center;text-align:center}
.uf-flips figcaption{overflow-wrap:anywhere;margin-top:.15rem}
.uf-flips .no{color:#b3261e;color:light-dark(#b3261e,#ff9a90)}
.uf-flips .ok{color:#0b6e99;color:light-dark(#0b6e99,#6cc3ea)}
.uf-trail{display:flex;gap:2px;height:.45rem;margin-top:.25rem}
.uf-trail i{flex:1;border-radius:2px;max-width:.8rem;box-sizing:border-box}
.uf-trail .ok{background:#2b93c4}
.uf-trail .no{border:1.5px solid}
</style>
"""


def show_changing_photos(run: Run, recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> None:
    """Some validation photos with the answers that a run has given; nothing before its first validation."""
    validated = [row for row in rows if "val_loss" in row]
    if not validated:
        return
    try:
        found = runs.dynamics_so_far(run.id, len(validated), float(validated[-1]["seconds"]))
        names = run.class_names()
    except RunError:  # it is of an earlier version, or has just been deleted
        return
    chosen = found.most_changing(MOST).tolist()
    classes = np.concatenate([found.labels, found.predicted.ravel()])
    if not chosen or classes.min() < 0 or classes.max() >= len(names):  # its files do not fit each other
        return
    changed = found.flips()[chosen].any()
    st.markdown(tr("**Photos it changes its mind about**") if changed else tr("**Photos it is least sure of**"))
    folder = ImageFolder(Path(recipe.dataset), names, found.paths, found.labels.astype(np.int32))
    st.html(f'{STYLE}<div class="uf-flips">{"".join(_figure(found, folder, place) for place in chosen)}</div>')
    st.caption(tr("Validation photos, which it does not train on. The bar shows its answers so far: filled is right."))


def _figure(found: TrainingDynamics, folder: ImageFolder, place: int) -> str:
    """A photo, its present answer, and whether each of its answers was right."""
    path, right, names = folder.paths[place], found.right[:, place], shown_names(tuple(folder.class_names))
    own, answer = escape(names[found.labels[place]]), escape(names[found.predicted[-1, place]])
    words = (
        f'<b class="ok">✓ {answer}</b>'
        if right[-1]
        else tr("{answer}, is {label}", answer=f'<b class="no">✕ {answer}</b>', label=own)
    )
    changes = int(found.flips()[place])
    said = (
        tr("{photo}: its answer has changed once", photo=escape(path))
        if changes == 1
        else tr("{photo}: its answer has changed {count} times", photo=escape(path), count=changes)
    )
    trail = "".join(f'<i class="{"ok" if each else "no"}"></i>' for each in right)
    return (
        f"<figure>{_picture(folder, place)}<figcaption>{words}</figcaption>"
        f'<div class="uf-trail no" role="img" aria-label="{said}">{trail}</div></figure>'
    )


def _picture(folder: ImageFolder, place: int) -> str:
    path = escape(folder.paths[place])
    try:
        photo = base64.b64encode(thumbnails.thumbnail(folder, place)).decode()
    except (PhotoError, FileNotFoundError):
        gone = tr("photo is gone")
        return f'<div class="gone">{escape(gone)}</div>'
    return f'<img src="data:image/jpeg;base64,{photo}" alt="{path}" title="{path}">'
