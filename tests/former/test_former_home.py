"""What version 0.1.0 left in its home opens as it did: runs, recipes, decisions, the queue, settings.

`home-0.1.0.zip` holds such a home with one of nearly everything (trained for real; what takes much room is left out),
its datasets, and `expected.json`: what 0.1.0 itself read from it. In place of its folders stand @HOME@ and @DATASETS@;
names of files that depend on where a dataset lies hold @COLOURS@ and @TABLE@.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.dataset import Dataset, prepare
from core.data.review import ReviewStore
from core.data.scan.folder import scan
from core.evaluation.run_results import evaluation
from core.evaluation.training_dynamics import read_training_dynamics
from core.models.backbones import backbone
from core.recipe.recipe import AT_RANDOM, VERSION, Recipe
from core.recipe.recipe_book import RecipeBook
from core.runs.embeddings import read_embeddings
from core.runs.queue import Queue
from core.runs.store import STOPPED, Run, RunStore
from core.settings import Settings, settings_from
from core.training.budget.throughput import guessed_throughput, known_throughput
from core.training.codegen.script import training_script
from core.training.lr_finder.finder import sweeps
from tests.conftest import eventually, trainer

PACKED = Path(__file__).with_name("home-0.1.0.zip")
TEXTS = (".json", ".toml", ".csv", ".jsonl")
STATUS = (
    "state",
    "epoch",
    "epochs",
    "best_epoch",
    "best_val_accuracy",
    "test_accuracy",
    "test_count",
    "first_accuracy",
)


@dataclass(frozen=True)
class FormerHome:
    """A home of 0.1.0, unpacked; tests must not change it.

    Attributes:
        base: The folder with `home` and `datasets`.
        expected: What 0.1.0 read from it.
    """

    base: Path
    expected: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return settings_from({"UNFREEZE_HOME": str(self.base / "home"), "KERAS_HOME": str(self.base / "keras")})

    @property
    def store(self) -> RunStore:
        """Its runs."""
        return RunStore(self.settings.runs_folder)

    def run(self, key: str) -> Run:
        """The run that `expected.json` has under a name."""
        return self.store.get(self.expected["by_key"][key])

    def dataset(self, name: str) -> Dataset:
        """A dataset with the decisions about it."""
        root = self.base / "datasets" / name
        review = ReviewStore(self.settings.reviews_folder).read(root)
        return prepare(scan(root, roots=[root], layout=review.layout), review)


def unpack(base: Path) -> FormerHome:
    """Unpack the home below a folder, with its own places in it."""
    places = {"@HOME@": str(base / "home"), "@DATASETS@": str(base / "datasets")}
    places |= {sign: name_of(base / "datasets" / name) for sign, name in NAMED.items()}
    with zipfile.ZipFile(PACKED) as archive:
        for name in archive.namelist():
            content, path = archive.read(name), Path(_filled(name, places))
            target = base / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_filled(content.decode(), places).encode() if path.suffix in TEXTS else content)
    return FormerHome(base, json.loads((base / "expected.json").read_text("utf-8")))


NAMED = {"@COLOURS@": "colours", "@TABLE@": "by table"}


def name_of(root: Path) -> str:
    """What 0.1.0 put behind the name of a dataset in names of files."""
    return hashlib.blake2b(str(root).encode(), digest_size=6).hexdigest()


def _filled(text: str, places: dict[str, str]) -> str:
    for sign, place in places.items():
        text = text.replace(sign, place)
    return text


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> FormerHome:
    return unpack(tmp_path_factory.mktemp("former").resolve())


def runs_of(former: FormerHome) -> Iterator[tuple[Run, dict[str, Any]]]:
    for run_id, known in former.expected["runs"].items():
        yield former.store.get(run_id), known


def test_every_run_is_there_in_its_state(former: FormerHome) -> None:
    assert {run.id for run in former.store.runs()} == set(former.expected["runs"])
    for run, known in runs_of(former):
        status = asdict(run.read_status())
        assert {name: status[name] for name in STATUS} == {name: known["status"][name] for name in STATUS}, known["key"]
        assert asdict(run.read_label()) == known["label"] | {"purpose": ""}  # purpose: newer than that home
        assert list(run.class_names()) == known["class_names"]
        assert run.is_imported == known["imported"]
        assert len(run.read_metrics()) == known["metrics_rows"]


def in_present_form(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a recipe of then says today, where every head began at random and every class was learned."""
    return recipe | {
        "version": VERSION,
        "head_start": AT_RANDOM,
        "without_classes": [],
        "unlabelled": False,
        "photos_per_class": 0,
        "start_from": "",
    }


def test_every_recipe_says_what_it_said(former: FormerHome) -> None:
    for run, known in runs_of(former):
        assert json.loads(Recipe.from_values(run.recipe_values()).to_json()) == in_present_form(known["recipe"]), known[
            "key"
        ]


def test_what_a_run_came_to_is_counted_as_before(former: FormerHome) -> None:
    for run, known in runs_of(former):
        if isinstance(known["evaluation_test"], dict):
            found = evaluation(run, "test")
            assert np.asarray(found.confusion).tolist() == known["evaluation_test"]["confusion"], known["key"]
        if isinstance(known["timeline"], list):
            assert list(read_training_dynamics(run).predicted.shape) == known["timeline"][::2], known["key"]
    assert read_embeddings(former.run("finished baseline")).embedding.shape[0] == 42


def test_the_queue_keeps_its_order(former: FormerHome) -> None:
    assert [run.id for run in Queue(former.store).queued()] == former.expected["queue"]


def test_saved_recipes_open_and_a_damaged_one_is_told(former: FormerHome) -> None:
    saved, damaged = RecipeBook(former.settings.recipes_folder).entries()
    known = former.expected["recipe_book"]
    assert {each.name: json.loads(each.recipe.to_json()) for each in saved} == {
        name: in_present_form(recipe) for name, recipe in known["saved"].items()
    }
    assert [each.name for each in damaged] == [name for name, _ in known["damaged"]]


@pytest.mark.parametrize("name", ["colours", "by table"])
def test_decisions_about_photos_hold(former: FormerHome, name: str) -> None:
    dataset, known = former.dataset(name), former.expected["datasets"][name]
    folder = dataset.folder
    assert dict(zip(folder.class_names, folder.counts().tolist(), strict=True)) == known["classes"]
    assert dataset.excluded() == known["excluded"]
    assert {folder.paths[position] for position in dataset.withheld} == set(known["withheld"])
    assert [path for path, _ in dataset.lost] == [path for path, _ in known["lost"]]
    labels = {path: folder.class_names[label] for path, label in zip(folder.paths, folder.labels, strict=True)}
    assert {path: labels[path] for path in known["relabelled"]} == known["relabelled"]
    assert np.bincount(dataset.split(3)[dataset.split(3) >= 0]).tolist() == list(known["split_seed_3"].values())


def test_settings_measured_speed_and_searched_rates_are_known(former: FormerHome) -> None:
    assert not former.settings.allow_downloads and former.settings.limits.uploads == 150
    assert former.settings.limits.feature_cache_bytes == 1_000_000_000
    known = known_throughput(former.settings.home, backbone("efficientnet-lite0"), guessed_throughput())
    assert known.measured
    for each in former.expected["rate_finder"]:
        search = RunStore(former.settings.home / "rate_finder").get(each["run"])
        assert [(sweep.phase, len(sweep.rates)) for sweep in sweeps(search)] == [
            (sweep["phase"], sweep["points"]) for sweep in each["sweeps"]
        ]


def test_the_training_script_a_former_run_can_be_written(former: FormerHome) -> None:
    assert "EfficientNet-Lite0" in training_script(former.run("paused"), former.settings)


def test_a_run_that_was_paused_goes_on(tmp_path: Path) -> None:
    former = unpack(tmp_path.resolve())
    run = former.run("paused")
    for key in ("queued", "queued again"):  # or the trainer would go on with them at its end
        Queue(former.store).cancel(former.run(key))
    before = run.read_metrics()
    run.clear_requests()
    environment = {"UNFREEZE_HOME": str(former.settings.home), "KERAS_HOME": str(tmp_path / "keras")}
    with trainer(run, {**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "2"}) as child:
        eventually(lambda: run.read_status().epoch > 3 or child.poll() is not None, "it went on")
        run.request_stop()
        assert child.wait(300) == 0, run.log_tail()
    assert run.read_status().state == STOPPED
    assert run.read_status().test_count == 8
    kept = [row for row in run.read_metrics() if "val_loss" in row]
    assert kept[:2] == [row for row in before if "val_loss" in row][:2]
    assert [row["epoch"] for row in kept[:3]] == [1, 2, 3]
