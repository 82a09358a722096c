"""Kept graphs: the frozen part of each backbone, converted once, and kept for all runs that begin with its weights.

With one of them a trainer computes features before it has loaded TensorFlow. A graph is found by the hash of the
weights file and of the code that makes a graph of it, so that another file or another version never meets an old graph.
It is a folder of the feature cache, which bounds its size and removes what was not used for longest.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import openvino as ov

import core.models
from core.errors import FeatureCacheError
from core.files import write_atomically
from core.json_values import checked, read_json
from core.models.backbones import Backbone
from core.models.weights import WeightsFile
from core.training.feature_cache.cache import KEPT, LOCK, FeatureCache

GRAPH, CONSTANTS, FACTS = "graph.xml", "graph.bin", "facts.json"

SOURCES = ("backbones", "build", "efficientnet_lite", "frozen", "heads", "torch_checkpoint", "weights")
"""Modules of `core.models` that make a graph of a weights file."""

PACKAGES = ("keras", "openvino", "tensorflow", "tensorflow-cpu")

KINDS = {"backbone": str, "weights": str, "content": str}
"""What is written down beside a graph: see `KeptGraph`, and the hash of its files."""


@dataclass(frozen=True, eq=False)
class KeptGraph:
    """The frozen part of a backbone.

    Attributes:
        backbone: The backbone's key.
        key: Hash of the weights file and of the code.
        weights: Hash of the weights, as `core.models.frozen.weights_hash` has it.
        graph: From photos to every boundary, see `core.models.frozen.graph_to_boundaries`.
    """

    backbone: str
    key: str
    weights: str
    graph: ov.Model


def key_of(chosen: Backbone, file: WeightsFile) -> str:
    """What a graph of a backbone with these weights is kept under; empty where the file cannot be read."""
    total = hashlib.blake2b(_code().encode() + chosen.key.encode(), digest_size=16)
    try:
        total.update(_digest(file.path))
    except OSError:
        return ""
    return total.hexdigest()


def find(cache: FeatureCache, key: str) -> KeptGraph | None:
    """The graph under a key; None where there is none, or it is damaged, or for an empty key."""
    if not key:
        return None
    folder = cache.root / f"{KEPT}{key}"
    try:
        facts = checked(read_json(folder / FACTS, dict), KINDS, {})
        if facts["content"] != _content(folder):
            return None
        graph = _read(folder)
        with suppress(OSError):
            (folder / LOCK).touch()  # so that it is known when it was last used
        return KeptGraph(facts["backbone"], key, facts["weights"], graph)
    except (OSError, ValueError, KeyError, RuntimeError):  # another process may have removed it in this moment
        return None


def keep(cache: FeatureCache, made: KeptGraph) -> KeptGraph:
    """Keep a graph, and return it as it will be found; where it cannot be kept, it is returned as it is.

    With an empty key it is not kept.
    """
    if not made.key:
        return made

    def fill(folder: Path) -> None:
        ov.save_model(made.graph, folder / GRAPH, compress_to_fp16=False)
        for name in (GRAPH, CONSTANTS):
            with (folder / name).open("r+b") as file:
                os.fsync(file.fileno())
        facts = {"backbone": made.backbone, "weights": made.weights, "content": _content(folder)}
        write_atomically(folder / FACTS, json.dumps(facts))

    try:
        cache.keep(f"{KEPT}{made.key}", fill)
    except (FeatureCacheError, RuntimeError) as error:
        print(f"The converted network is not kept: {error}", flush=True)
    return find(cache, made.key) or made


def _read(folder: Path) -> ov.Model:
    runtime = ov.Core()
    # Windows removes no file that is mapped; elsewhere mapped constants are memory that can be taken away.
    runtime.set_property({"ENABLE_MMAP": os.name != "nt"})
    return runtime.read_model(folder / GRAPH)


def _content(folder: Path) -> str:
    return hashlib.blake2b(_digest(folder / GRAPH) + _digest(folder / CONSTANTS), digest_size=16).hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


@lru_cache(maxsize=1)
def _code() -> str:
    """What tells the code that makes graphs from any other."""
    folder = Path(core.models.__file__).parent
    total = hashlib.blake2b(digest_size=16)
    for name in SOURCES:
        total.update((folder / f"{name}.py").read_bytes())
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # TensorFlow has one of two names
            total.update(f"{name} {version(name)}".encode())
    return total.hexdigest()
