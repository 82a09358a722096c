import json
import subprocess
import sys
import tomllib

import pytest

from command_line.main import COMMANDS, Command, main
from tests.conftest import PROJECT, FinishedRun, Workplace


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself_with_examples(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.name
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    said = capsys.readouterr().out
    assert f"unfreeze {name}" in said and "examples:" in said and "--json" in said


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train"], ["runs", "show"], ["runs", "list", "--fast"]])
def test_wrong_usage_is_told_from_failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: unfreeze" in capsys.readouterr().err


def test_what_fails_says_why_in_a_sentence(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", "nothing"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "There is no run “nothing”" in said.err
    assert main(["runs", "show", "nothing", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"].startswith("There is no run")


def test_the_command_is_installed_under_its_name() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["scripts"] == {"unfreeze": "command_line.main:main"}


def test_a_process_lists_runs_without_tensorflow(after_a_run: FinishedRun) -> None:
    script = (
        "import sys; from command_line.main import main; main(['runs', '--json']); print('tensorflow' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env=after_a_run.workplace.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    listed, _, heavy = said.stdout.strip().rpartition("\n")
    assert json.loads(listed)[0]["id"] == after_a_run.run.id and heavy == "False"
