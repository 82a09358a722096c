"""The script of a run, executed in a process of its own, reaches the metrics of the run."""

import ast
import csv
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.data.images import decode
from core.errors import RunError
from core.models.backbones import BACKBONES, Backbone, backbone
from core.models.build import build_backbone
from core.models.efficientnet_lite import plan
from core.processes import children
from core.recipe.augmentations import AUGMENTATIONS, Choice
from core.recipe.recipe import OPTIMIZERS, SCHEDULES, Recipe
from core.runs.store import FINISHED, Run
from core.settings import Settings
from core.source_excerpts import source_excerpt
from core.training.codegen.script import ENCODINGS_FILE, LITE_BLOCKS, TRANSFORMS_FILE, script_archive, training_script
from core.training.loop import train
from tests.conftest import FAMILIES, PROJECT, Workplace, write_colours
from tests.core.data.conftest import noise
from tests.core.data.tiffs import tiff
from tests.thorough import cases
from tests.zoo import heic

SHARED = PROJECT.parent / "shared"
CLOSE = 1e-3
LONGEST = 232
"""Lines of a script, without what reads unusual encodings, augments photos or builds EfficientNet-Lite."""

SMALL_STEPS = {"head_epochs": 2, "fine_tune_epochs": 1, "batch_size": 4, "scratch_learning_rate": 1e-4}
LITE = {"backbone": "efficientnet-lite0", "unfreeze_point": "block7", "head_epochs": 2, "fine_tune_epochs": 2}
TURNED = {"rotation": Choice(0.1), "brightness": Choice(0.2, 0.5)}

CASES: dict[str, dict[str, Any]] = {
    "baseline": SMALL_STEPS,
    "everything that mixes, weighs and averages, with a warm-up": {
        **SMALL_STEPS,
        "augmentations": TURNED,
        "mixup": 0.4,
        "label_smoothing": 0.1,
        "class_weights": True,
        "unlabelled": True,
        "ema": 0.999,
        "optimizer": "adamw",
        "warm_up_epochs": 0.5,
        "more_epochs": (1,),
    },
    "validation every few steps": {
        **SMALL_STEPS,
        "validate_every": 4,
        "steps_per_epoch": 7,
        "shuffle": False,
        "optimizer": "sgd",
        "schedule": "constant",
    },
    "versions kept": {
        **LITE,
        "augmentations": TURNED,
        "views": 2,
        "dropout": 0.4,
        "drop_connect": 0.5,
        "unlabelled": True,
    },
    "gradual, ended early": {
        **LITE,
        "head_learning_rate": 1e-3,
        "gradual": True,
        "head_epochs": 6,
        "fine_tune_epochs": 6,
        "head_batch_norm": True,
        "pooling": "max",
        "schedule": "plateau",
        "plateau_patience": 1,
        "early_stopping": 2,
    },
    "from a layer on, with mixing": {
        **LITE,
        "unfreeze_layer": "block7a_project_conv",
        "mixup": 0.3,
        "cutmix": 1.0,
        "optimizer": "rmsprop",
    },
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """An installation for all these tests."""
    base = tmp_path_factory.mktemp("script")
    return Workplace(base / "home", write_colours(base / "photos" / "colours"))


def finished(workplace: Workplace, **choices: Any) -> Run:
    run = workplace.new_run(**choices)
    with run.held():
        train(run, workplace.settings)
    assert run.read_status().state == FINISHED, run.read_status().error
    return run


def executed(run: Run, settings: Settings, folder: Path) -> dict[str, Any]:
    """Unpack the archive of a run, execute its script in a process of its own, and return the metrics it wrote."""
    with zipfile.ZipFile(io.BytesIO(script_archive(run, settings))) as archive:
        archive.extractall(folder)
    process = subprocess.run(
        [children.PYTHON, "-I", "train.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return found


def assert_same_metrics(run: Run, metrics: dict[str, Any]) -> None:
    close = 3 * CLOSE if run.recipe_values()["head_start"] == "regression" else CLOSE
    recorded = [row for row in run.read_metrics() if "val_loss" in row]
    assert len(metrics["validations"]) == len(recorded) > 0
    for mine, theirs in zip(metrics["validations"], recorded, strict=True):
        for name in ("epoch", "step", "val_loss", "val_accuracy"):
            assert mine[name] == pytest.approx(theirs[name], abs=close), (name, mine, theirs)
    assert metrics["test_accuracy"] == pytest.approx(run.read_status().test_accuracy, abs=close)


def names_of(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    inner = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    return [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else inner


def lines_taken(tree: ast.Module) -> int:
    """The lines of what reads unusual encodings, augments photos or builds EfficientNet-Lite, with the gaps."""
    files = (TRANSFORMS_FILE, ENCODINGS_FILE)
    theirs = {name for file in files for node in ast.parse(file.read_text("utf-8")).body for name in names_of(node)}
    theirs |= {"normed", "conv", "efficientnet_lite"}
    found = [node for node in tree.body if theirs.intersection(names_of(node))]
    return sum((node.end_lineno or 0) - node.lineno + 3 for node in found)


def assert_readable(script: str) -> None:
    """Valid, clean by ruff's own rules, short, and nothing in it that is not used."""
    arguments = ["check", "--isolated", "--line-length", "120", "--select", "E4,E7,E9,F,E501,I", "-"]
    process = subprocess.run(["ruff", *arguments], input=script, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout
    tree = ast.parse(script)
    assert len(script.splitlines()) - lines_taken(tree) < LONGEST
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    constants = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    ]
    for name in (*functions, *constants):
        assert name.startswith("__") or len(re.findall(rf"\b{name}\b", script)) > 1, f"{name} is not used"
    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    known = {"csv", "hashlib", "json", "math", "pathlib", "keras", "numpy", "tensorflow", "PIL"}
    known |= {"pi_heif"} if "register_heif_opener" in script else set()
    known |= {"sklearn.linear_model"} if "start_head" in script else set()
    assert modules <= known | ({"io", "struct", "sys", "zlib"} if "eight_bit" in script else set())


@pytest.mark.parametrize("name", cases(CASES, "baseline", "everything that mixes, weighs and averages, with a warm-up"))
def test_the_script_reaches_the_metrics_of_the_run(workplace: Workplace, name: str, tmp_path: Path) -> None:
    run = finished(workplace, **CASES[name])
    script = training_script(run, workplace.settings)
    assert_readable(script)
    assert_same_metrics(run, executed(run, workplace.settings, tmp_path / "script"))


@pytest.mark.thorough
@pytest.mark.parametrize("known", [True, False])
def test_the_script_of_a_run_that_starts_from_an_earlier_one(workplace: Workplace, known: bool, tmp_path: Path) -> None:
    earlier = finished(workplace, **{**LITE, "head_epochs": 0}, fine_tune_learning_rate=1e-3)
    dataset = workplace.colours
    if not known:
        dataset = tmp_path / "photos" / "others"
        shutil.copytree(workplace.colours, dataset)
        for number, file in enumerate(sorted((dataset / "red").iterdir())):
            if number % 2:
                (dataset / "green").mkdir(exist_ok=True)
                with Image.open(file) as photo:
                    photo.rotate(90).point(lambda value: 255 - value).save(dataset / "green" / file.name)
                file.unlink()
    place = Workplace(workplace.home, dataset)
    run = finished(place, **{**LITE, "augmentations": TURNED, "views": 2}, start_from=earlier.id)
    script = training_script(run, place.settings)
    assert_readable(script)
    assert ("start_head" in script, "TAKEN" in script) == (not known, True)
    if not known:  # the other is a part of it
        assert_same_metrics(run, executed(run, place.settings, tmp_path / "script"))


@pytest.mark.thorough
def test_the_script_of_efficientnet_on_real_photos(tmp_path: Path) -> None:
    photos, weights = SHARED / "data" / "hotdog", SHARED / "weights" / "efficientnetb0_notop.h5"
    if not photos.is_dir() or not weights.is_file():
        pytest.skip(f"needs photos in {photos} and Keras' weights {weights}")
    some = tmp_path / "photos" / "some"
    for name in ("hotdog", "not_hotdog"):
        (some / name).mkdir(parents=True)
        for file in sorted((photos / name).glob("*.jpg"))[:30]:
            shutil.copy(file, some / name / file.name)
    place = Workplace(tmp_path / "home", some)
    settings = replace(place.settings, weights_folder=weights.parent)
    choices = {"backbone": "efficientnet-b0", "unfreeze_point": "block7", "head_epochs": 2, "fine_tune_epochs": 2}
    run = place.new_run(**choices, augmentations={"flip_horizontal": Choice(1, 0.5), "zoom": Choice(0.1)}, views=2)
    with run.held():
        train(run, settings)
    metrics = executed(run, settings, tmp_path / "script")
    assert_readable((tmp_path / "script" / "train.py").read_text("utf-8"))
    assert_same_metrics(run, metrics)


@pytest.fixture(scope="module")
def one_run(workplace: Workplace) -> Run:
    """A run whose recipe tests may exchange: scripts are only read."""
    return finished(workplace, **{**SMALL_STEPS, "scratch_learning_rate": 1e-3}, augmentations=TURNED, ema=0.999)


def test_a_moving_average_over_few_steps_is_of_weights_that_have_learned(one_run: Run) -> None:
    status = one_run.read_status()
    assert status.test_accuracy is not None and status.test_accuracy > 0.75
    assert status.best_val_loss is not None and status.best_val_loss < 0.02, "after the first step it is 0.1"


def with_recipe(run: Run, folder: Path, **choices: Any) -> Run:
    """A copy of a run with other choices in its recipe."""
    shutil.copytree(run.folder, folder / run.id)
    copy = Run(folder / run.id)
    recipe = Recipe.from_values(run.recipe_values())
    copy.recipe_file.write_text(replace(recipe, **choices).to_json(), "utf-8")
    return copy


@pytest.mark.parametrize(
    ("row", "weights"), zip(BACKBONES, cycle(["imagenet", "random"])), ids=lambda given: getattr(given, "key", given)
)
def test_every_network_has_a_readable_script(
    workplace: Workplace, one_run: Run, tmp_path: Path, row: Backbone, weights: str
) -> None:
    point = row.unfreeze_points[-2] if len(row.unfreeze_points) > 1 else "all"
    choices = {"backbone": row.key, "weights": weights, "unfreeze_point": point, "augmentations": {}}
    script = training_script(with_recipe(one_run, tmp_path, **choices), workplace.settings)
    assert_readable(script)


@pytest.mark.parametrize("row", AUGMENTATIONS, ids=lambda row: row.key)
def test_every_augmentation_has_a_readable_script(workplace: Workplace, one_run: Run, tmp_path: Path, row: Any) -> None:
    run = with_recipe(one_run, tmp_path, augmentations={row.key: row.choice()})
    assert_readable(training_script(run, workplace.settings))


@pytest.mark.parametrize(("optimizer", "ema"), zip(OPTIMIZERS, cycle((0.0, 0.9))))
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_and_schedule_has_a_readable_script(
    workplace: Workplace, one_run: Run, tmp_path: Path, optimizer: str, ema: float, schedule: str
) -> None:
    choices = {"optimizer": optimizer, "schedule": schedule, "ema": ema, "warm_up_epochs": 1.0 if ema else 0.0}
    assert_readable(training_script(with_recipe(one_run, tmp_path, **choices), workplace.settings))


@pytest.mark.parametrize("key", FAMILIES)
def test_the_first_layer_of_a_block_has_the_name_in_the_script(key: str) -> None:
    chosen = backbone(key)
    names = [layer.name for layer in build_backbone(chosen).layers]
    for point in chosen.unfreeze_points[1:-1]:
        begins = chosen.first_layer(point)
        found = next(place for place, name in enumerate(names) if name.startswith(begins))
        learning = chosen.trainable_blocks(point)
        assert [chosen.block_of(name) in learning for name in names] == [place >= found for place in range(len(names))]


@pytest.mark.parametrize("key", LITE_BLOCKS)
def test_the_stages_of_efficientnet_lite_are_those_of_the_network(key: str) -> None:
    stages = [block.name[5] for block in plan(key)]
    assert tuple(stages.count(str(number)) for number in range(1, 8)) == LITE_BLOCKS[key]


def test_left_out_photos_stay_left_out_and_file_names_are_quoted(
    workplace: Workplace, one_run: Run, tmp_path: Path
) -> None:
    evil = '/photos/a """ + exit() + """ \\'
    run = with_recipe(one_run, tmp_path, dataset=evil)
    versions = json.loads(run.environment_file.read_text("utf-8"))
    run.environment_file.write_text(json.dumps({**versions, "python": '3 """ + exit()'}), "utf-8")
    with run.split_file.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))["file"]
    run.left_out_file.write_text(json.dumps([{"file": first, "reason": "it is damaged"}]), "utf-8")
    script = training_script(run, workplace.settings)
    assert_readable(script)
    constants = {
        target.id: ast.unparse(node.value)
        for node in ast.parse(script).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert ast.literal_eval(constants["LEFT_OUT"]) == {first}
    assert constants["DATASET"] == f"Path({evil!r})"


def decode_of(script: str, folder: Path) -> tuple[Callable[[Path], NDArray[Any]], int]:
    """How a script reads photos, and their side in pixels; nothing else of it is run."""
    wanted = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)
    begins: list[ast.stmt] = [node for node in ast.parse(script).body if isinstance(node, wanted)]
    last = next(place for place, node in enumerate(begins) if "square" in names_of(node))
    space: dict[str, Any] = {"__file__": str(folder / "train.py")}
    exec(compile(ast.Module(begins[: last + 1], []), "script", "exec"), space)
    return space["decode"], space["SIDE"]


def test_photos_of_any_format_are_read_as_the_run_reads_them(
    workplace: Workplace, one_run: Run, tmp_path: Path
) -> None:
    run = with_recipe(one_run, tmp_path)
    grey = (np.indices((40, 60)).sum(axis=0) * 2).astype(np.uint16)
    photos = [tiff(grey * 16, 1), tiff(65535 - grey * 257, 0), tiff(np.dstack([grey] * 3), 2)]
    for image in (grey * 64, np.dstack([grey, grey, grey, grey * 0]).astype(np.uint8)):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        photos.append(buffer.getvalue())
    script = training_script(run, workplace.settings)
    assert_readable(script)
    read, side = decode_of(script, tmp_path)
    for number, photo in enumerate(photos):
        (tmp_path / f"{number}").write_bytes(photo)
        expected = decode(tmp_path / f"{number}", side)
        np.testing.assert_array_equal(read(tmp_path / f"{number}"), expected)
        assert expected.std() > 30


def test_the_script_of_a_run_on_jpeg_photos_alone_reads_them_in_a_few_lines(
    workplace: Workplace, one_run: Run, tmp_path: Path
) -> None:
    run = with_recipe(one_run, tmp_path)
    run.split_file.write_text(run.split_file.read_text("utf-8").replace(".png", ".JPG"), "utf-8")
    script = training_script(run, workplace.settings)
    assert_readable(script)
    assert "eight_bit" not in script
    read, side = decode_of(script, tmp_path)
    for mode in ("RGB", "L", "CMYK"):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.radial_gradient("L").resize((300, 200)).convert(mode).save(tmp_path / "1.jpg", exif=exif)
        np.testing.assert_array_equal(read(tmp_path / "1.jpg"), decode(tmp_path / "1.jpg", side))


def test_the_script_of_a_run_on_photos_of_phones_reads_them_as_the_run_does(
    workplace: Workplace, one_run: Run, tmp_path: Path
) -> None:
    run = with_recipe(one_run, tmp_path)
    run.split_file.write_text(run.split_file.read_text("utf-8").replace(".png", ".HEIC"), "utf-8")
    script = training_script(run, workplace.settings)
    assert_readable(script)
    read, side = decode_of(script, tmp_path)
    (tmp_path / "1.HEIC").write_bytes(heic(noise(120, 90), 8, tile_size=64))
    np.testing.assert_array_equal(read(tmp_path / "1.HEIC"), decode(tmp_path / "1.HEIC", side))
    with zipfile.ZipFile(io.BytesIO(script_archive(run, workplace.settings))) as archive:
        assert archive.read("requirements.txt").endswith(b"\npi-heif\n")


def test_what_the_zip_file_holds(workplace: Workplace, one_run: Run) -> None:
    with zipfile.ZipFile(io.BytesIO(script_archive(one_run, workplace.settings))) as archive:
        assert set(archive.namelist()) == {"train.py", "README.txt", "requirements.txt", "split.csv", "recipe.json"}
        assert archive.read("split.csv") == one_run.split_file.read_bytes()
        assert Recipe.from_json(archive.read("recipe.json").decode()) == Recipe.from_values(one_run.recipe_values())
        assert re.fullmatch(
            r"tensorflow==\S+\nkeras==\S+\nnumpy==\S+\npillow==\S+\n(scikit-learn\n)?",
            archive.read("requirements.txt").decode(),
        )


def test_a_run_without_a_validated_epoch_says_so(workplace: Workplace) -> None:
    with pytest.raises(RunError, match="no validated epoch yet"):
        training_script(workplace.new_run(**SMALL_STEPS), workplace.settings)


def test_a_run_that_recorded_too_little_says_so(workplace: Workplace, one_run: Run, tmp_path: Path) -> None:
    run = with_recipe(one_run, tmp_path)
    shutil.rmtree(run.checkpoints_folder)
    with pytest.raises(RunError, match="Repeat the run"):
        training_script(run, workplace.settings)


def test_an_excerpt_holds_what_is_needed_and_nothing_else() -> None:
    module = '''
LIMIT: int = 3


class Box:
    """Keeps."""

    def __init__(self, value: int) -> None:
        """Take it."""
        self.value = value

    def get(self) -> int:
        """Give it."""
        return self.value

    def unused(self) -> int:
        return 0


def other(x: int) -> int:
    return x


def wanted(
    box: Box,
    *more: int,
) -> int:
    """Add up."""

    def inner(x: int) -> int:
        return x + LIMIT

    return box.get() + sum(map(inner, more))
'''
    found = source_excerpt(module, ["wanted", "Box"])
    assert "unused" not in found and "other" not in found and "int" not in found.replace("print", "")
    space: dict[str, Any] = {}
    exec(compile(found, "excerpt", "exec"), space)
    assert space["wanted"](space["Box"](1), 2, 3) == 12
