import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_line.main import main
from core.recipe.recipe_book import RecipeBook
from core.runs.store import ACTIVE, FINISHED, QUEUED, RUNNING, STOPPED, Status
from tests.conftest import PATIENCE, PROJECT, Workplace, eventually, write_colours


def recipe_file(here: Workplace, folder: Path, **choices: object) -> str:
    file = folder / "recipe.json"
    file.write_text(here.recipe(**choices).to_json(), "utf-8")
    return str(file)


def test_a_recipe_is_trained_to_its_end(here: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = write_colours(here.colours.parent / "moved")
    arguments = ["train", recipe_file(here, tmp_path), "--dataset", str(moved), "--name", "mine", "--seed", "5"]
    assert main([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    (run,) = here.store.runs()
    assert (facts["id"], facts["state"], facts["name"]) == (run.id, "finished", "mine")
    assert facts["test_count"] == run.read_status().test_count == 6
    recipe = run.recipe_values()
    assert (recipe["dataset"], recipe["seed"], recipe["split_seed"]) == (str(moved), 5, 3)
    assert "Looking at every photo" in said.err and "now used for those of “moved”" in said.err


def test_a_saved_recipe_waits_behind_another_run(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    RecipeBook(here.settings.recipes_folder).save("only colours", here.recipe())
    going = here.new_run()
    with going.held():
        going.write_status(type(going.read_status())(state=RUNNING, created=1.0, started=1.0))
        assert main(["train", "only colours", "--queue", "--json"]) == 0
        waiting = here.store.get(json.loads(capsys.readouterr().out)["id"])
        assert waiting.read_status().state == QUEUED


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone.json", "cannot be read"), ("no such name", "no saved recipe"), ("broken.json", "not valid JSON")],
)
def test_what_is_no_recipe_is_told(
    name: str,
    words: str,
    here: Workplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    assert main(["train", name]) == 1
    assert words in capsys.readouterr().err and here.store.runs() == []


def test_a_folder_out_of_bounds_is_told(here: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", recipe_file(here, tmp_path), "--dataset", "/etc"]) == 1
    assert "UNFREEZE_DATASETS" in capsys.readouterr().err


@pytest.mark.thorough
def test_ctrl_c_stops_the_run_also_where_sigint_was_inherited_as_ignored(here: Workplace, tmp_path: Path) -> None:
    recipe = recipe_file(here, tmp_path, head_epochs=0, fine_tune_epochs=1000)
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # as a shell starts a command in the background
    child = subprocess.Popen(
        [*ignoring, sys.executable, "-m", "command_line", "train", recipe],
        cwd=PROJECT,
        env=here.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: any(run.read_metrics() for run in here.store.runs()), "it trains")
        os.kill(child.pid, signal.SIGINT)
        said, told = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
    (run,) = here.store.runs()
    assert child.returncode == 130, told
    assert run.read_status().state == STOPPED not in ACTIVE and run.best_file.exists()
    assert "Stopping: the best model so far is kept" in told
    assert "The model is kept" in said and "of the test photos were classified correctly" in said


def test_a_run_to_start_from_is_named(here: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = recipe_file(here, tmp_path, backbone="efficientnet-lite0", unfreeze_point="none")
    assert main(["train", recipe, "--start-from", "nobody"]) == 1
    assert "There is no run “nobody”" in capsys.readouterr().err
    earlier = here.new_run(backbone="efficientnet-lite0", unfreeze_point="none")
    assert main(["train", recipe, "--start-from", "latest"]) == 1
    assert "has no model yet: it has not finished" in capsys.readouterr().err
    earlier.best_file.write_bytes(b"a model")
    earlier.write_status(Status(state=FINISHED, created=1.0, started=1.0, ended=2.0))
    going = here.new_run()
    with going.held():
        going.write_status(Status(state=RUNNING, created=1.0, started=1.0))
        assert main(["train", recipe, "--start-from", earlier.id, "--queue", "--json"]) == 0
    run = here.store.get(json.loads(capsys.readouterr().out)["id"])
    assert (run.recipe_values()["start_from"], run.start_file.read_bytes()) == (earlier.id, b"a model")
