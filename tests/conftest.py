"""What several test modules share: a tiny dataset that any network can learn, and one run that has finished on it."""

import asyncio
import ctypes
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.data.pseudo_labels import PseudoLabels
from core.data.scan.folder import ImageFolder, scan
from core.data.split import assign_subsets
from core.data.subsets import TRAINING
from core.models.backbones import BACKBONES
from core.processes import children
from core.recipe.recipe import Recipe
from core.runs.queue import Queue
from core.runs.store import ACTIVE, Run, RunStore, Status
from core.settings import Settings, settings_from
from core.training.launch import create_run, enqueue
from tests import nursery, small_baseline

PROJECT = Path(__file__).resolve().parents[1]

# Each of the many processes that tests start imports TensorFlow or Streamlit: compiling them takes longer than that.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

PATIENCE = 300.0
"""Seconds after which something that should happen by itself is taken to have failed; generous, machines are busy."""

LONG = {"head_epochs": nursery.ENDLESS, "steps_per_epoch": 12}
"""Choices for a run that does not end by itself while a test looks at it, however quick the machine is."""

FAMILIES = tuple({row.family: row.key for row in reversed(BACKBONES) if row.pretrained}.values())
"""The key of one pretrained network of each family, the first in the table."""

LAUNCHER = """
import sys
from pathlib import Path
from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.runs.queue import Queue
from core.runs.store import RunStore
from core.processes import children
from core.training.launch import launch
from core.recipe.recipe import Recipe

children.PYTHON = sys.argv[1]
queue = Queue(RunStore(Path(sys.argv[2])))
for text in sys.argv[3:]:
    recipe = Recipe.from_json(text)
    folder = scan(recipe.dataset, roots=[Path(recipe.dataset)]).folder
    print(launch(queue, recipe, folder, assign_subsets(folder.labels, seed=recipe.split_seed)).id)
"""
"""A server in small: launches a run for each recipe with a given Python, says their names and ends."""


LONGEST = (
    "core/training/test_resuming.py",
    "browser/test_main_job.py",
    "core/training/test_loop.py",
    "browser/test_train_page.py",
    "core/training/codegen/test_script.py",
    "browser/test_intake.py",
    "core/training/test_fitting.py",
    "browser/test_pages.py",
    "core/models/test_folding.py",
    "browser/test_queue.py",
    "core/runs/test_trainers.py",
    "browser/test_label_check.py",
    "core/models/test_trainable.py",
    "browser/test_compare.py",
    "core/export/test_jobs.py",
    "browser/test_evaluate.py",
    "command_line/test_train.py",
    "browser/test_predict.py",
)
"""Files that take longest. They come first, so that at the end no worker waits for another, and those that compute
take turns with those that mostly wait for a browser: where there are two workers, each has one of them."""

M_ARENA_MAX = -8
"""What glibc's mallopt calls the number of heaps: one a thread, as is usual, holds on to far more memory."""

GROWTH = 300 * 2**20
"""Bytes by which a worker may grow before what it no longer needs is given back."""


def pytest_configure(config: pytest.Config) -> None:
    """Start the nurseries where the tests are started, and have all that run them use these."""
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
        if not hasattr(config, "workerinput"):
            folder = Path(tempfile.mkdtemp(prefix="nurseries-"))
            config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
            for each in nursery.begin(folder):
                config.add_cleanup(partial(nursery.end, each))
        children.PYTHON = nursery.stand_in()
        small_baseline.shrink()


def pytest_collection_finish() -> None:
    """Never look for garbage in what is loaded by now, TensorFlow above all: each time would take half a second."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    places = {PROJECT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(scope="module", autouse=True)
def forget_networks() -> Iterator[None]:
    """After each module Keras forgets what it keeps of networks."""
    yield
    if keras := sys.modules.get("keras"):
        keras.backend.clear_session(free_memory=False)


def resident() -> int:
    """Bytes of memory that this process has; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def pytest_runtest_logfinish() -> None:
    """Give memory back where a test has left much of it: networks are circles, which Python seldom looks for."""
    global least
    if resident() > least + GROWTH:
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        least = resident()
    least = min(least, resident())


least = resident()


def eventually(happened: Callable[[], bool], what: str) -> None:
    """Wait until something is true; fail when it takes far too long."""
    deadline, pause = time.monotonic() + PATIENCE, 0.02
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE:g} s in vain until {what}")
        time.sleep(pause)
        pause = min(1.1 * pause, 0.2)  # looking costs time, too


def alive(pid: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def write_colours(root: Path, per_class: int = 15, side: int = 40) -> Path:
    """Write a dataset of two classes, noise that is bluer in one and redder in the other; returns its folder."""
    random = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = random.integers(0, 120, (side, side, 3), dtype=np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(root / name / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def shallow_lite() -> Iterator[Mapping[str, Callable[..., Any]]]:
    """In this process EfficientNet-Lite has the first bottleneck of each block only, with its published weights.

    Everything that depends on the structure stays as it is, but building and tracing take half as long. Trainers in
    processes of their own have the whole network: give this process what is yielded, by name, to share with them.
    """
    from core.models import efficientnet_lite
    from core.training.feature_cache import kept_graphs

    whole, torch_names = efficientnet_lite.plan, efficientnet_lite.torch_names
    names = {key: efficientnet_lite.torch_names(key) for key in efficientnet_lite.SCALING}

    def first_of_each(key: str) -> tuple[efficientnet_lite.MBConv, ...]:
        return tuple(each for each in whole(key) if each.name.endswith("a"))

    def names_of_these(key: str) -> dict[str, str]:
        kept = {each.name for each in first_of_each(key)} | {"stem", "top"}
        return {name: theirs for name, theirs in names[key].items() if name.split("_")[0] in kept}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(efficientnet_lite, "plan", first_of_each)
        patch.setattr(efficientnet_lite, "torch_names", names_of_these)
        patch.setattr(kept_graphs, "_code", lambda: "the first bottleneck of each block")
        yield {"plan": whole, "torch_names": torch_names}


@pytest.fixture(scope="module")
def whole_baseline() -> Iterator[None]:
    """The baseline CNN is as published, in this process and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(small_baseline.WHOLE, "1")
        small_baseline.restore()
        yield
        if sys.platform == "linux":
            small_baseline.shrink()


def some_unlabelled(folder: ImageFolder, parts: NDArray[np.int8]) -> tuple[ImageFolder, NDArray[np.int8], PseudoLabels]:
    """Every third training photo without its label, which has spread to it again, more or less certainly."""
    without = np.flatnonzero(parts == TRAINING)[::3]
    kept = np.setdiff1d(np.arange(len(folder)), without)
    classes = tuple(folder.class_names[label] for label in folder.labels[without])
    certainty = np.linspace(0.2, 0.9, len(without)).astype(np.float32)
    return folder.subset(kept), parts[kept], PseudoLabels(tuple(folder.paths[i] for i in without), classes, certainty)


@dataclass(frozen=True)
class Workplace:
    """An installation of its own, with a dataset of two colours in it.

    Attributes:
        home: What `UNFREEZE_HOME` names.
        colours: The dataset's folder.
    """

    home: Path
    colours: Path

    @property
    def store(self) -> RunStore:
        """Its runs."""
        return RunStore(self.settings.runs_folder)

    @property
    def settings(self) -> Settings:
        """Its settings, without downloads."""
        return settings_from(self.variables())

    def variables(self, **more: str) -> dict[str, str]:
        """Its settings as environment variables."""
        names = {"UNFREEZE_HOME": self.home, "UNFREEZE_DATASETS": self.colours.parent, "KERAS_HOME": self.home / "k"}
        usual = {"UNFREEZE_OFFLINE": "1", "UNFREEZE_WARM": "0"}
        return {**{name: str(value) for name, value in names.items()}, **usual, **more}

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a child process that belongs to it."""
        return {**os.environ, "HOME": str(self.home), **self.variables(**more), "TF_CPP_MIN_LOG_LEVEL": "2"}

    def folder(self) -> ImageFolder:
        """The dataset, scanned."""
        return scan(self.colours, roots=[self.colours]).folder

    def recipe(self, **choices: Any) -> Recipe:
        """A recipe for a few seconds: the smallest network, two epochs of three steps; `choices` change it."""
        usual = {"backbone": "baseline-cnn", "unfreeze_point": "all", "head_epochs": 1, "fine_tune_epochs": 1}
        return Recipe(**{"dataset": str(self.colours), **usual, "batch_size": 8, "seed": 3, "split_seed": 3, **choices})

    def new_run(self, **choices: Any) -> Run:
        """A run that is ready to be carried out, with the split that its seed gives."""
        recipe, folder = self.recipe(**choices), self.folder()
        parts, pseudo = assign_subsets(folder.labels, seed=recipe.split_seed), None
        if recipe.unlabelled:
            folder, parts, pseudo = some_unlabelled(folder, parts)
        return create_run(self.store, recipe, folder, parts, pseudo=pseudo)

    def queued_run(self, **choices: Any) -> Run:
        """A run like that at the end of the queue, which nobody has begun yet."""
        recipe, folder = self.recipe(**choices), self.folder()
        return enqueue(Queue(self.store), recipe, folder, assign_subsets(folder.labels, seed=recipe.split_seed))


@pytest.fixture
def real_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes of this one are started from the beginning, not forked."""
    monkeypatch.setattr(children, "PYTHON", sys.executable)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """An installation for one test, after which nothing works in it any more."""
    place = Workplace(tmp_path / "home", write_colours(tmp_path / "photos" / "colours"))
    yield place
    end_processes_of(place)


def end_processes_of(place: Workplace) -> None:
    """Kill what still works in an installation: a trainer would go on for minutes, and others need the cores."""
    mark = f"UNFREEZE_HOME={place.home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is somebody else's
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def trainer_of(run: Run) -> int:
    """The process id of the trainer that was started for a run."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if str(run.folder).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                return int(entry.name)
    pytest.fail(f"no process has the run {run.id}:\n{run.log_tail()}")


@contextmanager
def trainer(run: Run, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The real trainer process of a run, with its output in the run's log; it does not outlive the block."""
    with run.log_file.open("ab") as log:
        child = subprocess.Popen(
            [children.PYTHON, "-m", "core.training", str(run.folder)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def kill_trainer(child: "subprocess.Popen[bytes]", run: Run) -> None:
    """Kill the trainer of a run, and wait until nothing of it is left."""
    child.kill()
    child.wait(PATIENCE)
    eventually(lambda: not run.is_locked(), "the run has no trainer")


def in_a_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, in a thread of its own: the browser's driver has a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def photos_of(run: Run, part: str) -> list[Path]:
    """The files of one part of a run's split, in the order of the split."""
    recipe = Recipe.from_json(run.recipe_file.read_text("utf-8"))
    rows = [line.split(",") for line in run.split_file.read_text("utf-8").splitlines()[1:]]
    return [Path(recipe.dataset) / file for file, _, where in rows if where == part]


@dataclass(frozen=True)
class FinishedRun:
    """A run of the real trainer, from launch to end; tests must not change it.

    Attributes:
        workplace: Where it was made.
        run: The run.
        first_seen: Its status when the process that had launched it was gone.
    """

    workplace: Workplace
    run: Run
    first_seen: Status

    def predictions(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Probabilities and labels that the trainer left for a part."""
        with np.load(self.run.predictions_file(part)) as file:
            return file["probabilities"], file["labels"]


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A finished run, launched by a process that ended at once; made once for all tests."""
    base = tmp_path_factory.mktemp("finished")
    place = Workplace(base / "home", write_colours(base / "photos" / "colours"))
    arguments = [sys.executable, "-c", LAUNCHER, children.PYTHON, str(place.store.root), place.recipe().to_json()]
    said = subprocess.run(
        arguments, cwd=PROJECT, env=place.environment(), check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    run = place.store.get(said.stdout.strip())
    first_seen = run.read_status()
    eventually(lambda: run.read_status().state not in ACTIVE, f"the run ended:\n{run.log_tail()}")
    eventually(run.embeddings_file.exists, f"its photos were looked at once more:\n{run.log_tail()}")
    return FinishedRun(place, run, first_seen)
