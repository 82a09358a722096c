"""Whatever is typed or set, a command ends with a sentence: no traceback, no waiting, nothing that a terminal obeys."""

import json
import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from command_line import predict
from command_line.files import path_named, writing
from command_line.main import main
from command_line.output import Output, one_line, printable, table
from core.errors import DataError, RunError, SettingsError
from core.runs.store import FINISHED, Label
from core.settings import Limits, Settings, settings_from
from tests.conftest import Workplace
from tests.disks import read_only

RED = "\x1b[31mred\x1b[0m"

NASTY = (
    *("", " ", "\t", RED, "\x9b31m", "\u202egpj.exe", "a\nb", "a\0b", "\udcff", "x" * 300, "é" * 200, "9" * 500),
    *(
        "~",
        "~nosuch/x",
        "..",
        "/",
        ".",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "-",
        "--",
        "-1",
        "1e999",
        "latest",
    ),
    *("{", "*", "%s", "$(id)", "'", "C:\\photos", "file:///tmp", "nul", "🙂"),
)
"""What people, scripts and mistakes put into arguments and variables."""

WORDS = (
    *("train", "predict", "check-labels", "export", "runs", "list", "show", "delete", "import", "--json", "--dataset"),
    *("--name", "--seed", "--queue", "-o", "--output", "--most", "--network", "--yes", "--help", "openvino", "run"),
    *("dataset", "--labels", "--file-column", "--encoding", "--join", "parts"),
)

LONGEST = 60
"""Seconds; a command that waits for a pipe would take for ever."""

CONTROL = {chr(code) for code in (*range(32), *range(127, 160), 0x202E)} - {"\n", "\t", "\r"}


@pytest.fixture
def impatient() -> Iterator[None]:
    """End a test that waits."""
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)


@pytest.fixture
def quiet(here: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """An installation with a run, in which commands start no processes and load no models."""

    def start_nothing(*given: Any, **more: Any) -> None:
        raise RunError("This would start a process.")

    run = here.new_run()
    run.write_status(replace(run.read_status(), state=FINISHED))
    run.write_label(Label(name=RED))
    for place in ("train.launch", "check_labels.features.start", "export.request"):
        monkeypatch.setattr(f"command_line.{place}", start_nothing)
    monkeypatch.chdir(here.home)
    return here


def outcome(arguments: Sequence[str]) -> int:
    """What the process would return; anything else that is raised fails the test."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def assert_harmless(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> None:
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said and not CONTROL & set(said), (arguments, said)


@pytest.mark.usefixtures("impatient")
def test_random_arguments_never_end_in_a_traceback(quiet: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = quiet.home / "pipe.json"
    os.mkfifo(pipe)
    recipe = quiet.home / "recipe.json"
    recipe.write_text(quiet.recipe().to_json(), "utf-8")
    known = (str(pipe), str(recipe), str(quiet.colours), quiet.store.runs()[0].id)
    draw = random.Random(15)
    for _ in range(300):
        count = draw.randint(0, 5)
        arguments = draw.choices((*WORDS[:5], "dataset"), k=1) + draw.choices((*WORDS, *NASTY, *known), k=count)
        assert outcome(arguments) in (0, 1, 2), arguments
        assert_harmless(capsys, arguments)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("nasty", [text for text in NASTY if text.strip()], ids=ascii)
def test_every_argument_may_be_nonsense(quiet: Workplace, nasty: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        ["train", nasty],
        ["train", "saved", "--dataset", nasty, "--name", nasty],
        ["predict", nasty, nasty],
        ["check-labels", nasty],
        ["export", "latest", "run", "-o", nasty],
        ["runs", "import", nasty, "--dataset", nasty],
        ["runs", "show", nasty],
        ["runs", "export", nasty, "-o", nasty],
    ]
    for arguments in commands:
        assert outcome(arguments) in (0, 1, 2), arguments
        assert_harmless(capsys, arguments)


EMPTY: dict[str, list[str]] = {
    "recipe": ["train", ""],
    "dataset": ["train", "saved", "--dataset", ""],
    "name": ["train", "saved", "--name", " "],
    "photos": ["predict", "latest", "a.jpg", ""],
    "output": ["export", "latest", "run", "-o", ""],
    "file": ["runs", "import", ""],
    "which": ["runs", "show", ""],
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_argument_is_an_error(quiet: Workplace, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(EMPTY[name]) == 2
    assert f"The argument {name} is empty" in capsys.readouterr().err


VARIABLES = ("HOME", "DATASETS", "WEIGHTS", "OFFLINE", "WARM", "PARALLEL", "HOSTS")

LINES = (
    *('datasets = ["~nobody/x"]', 'datasets = [""]', 'datasets = ["a\\u0000b"]', 'weights = "~nobody"', "limits = 1"),
    *(f"parallel = {'9' * 5000}", f"parallel = 0x{'f' * 5000}", f"[limits]\nfiles = 0x{'f' * 5000}", "=", "\0"),
    *("a = " + "[" * 5000, 'weights = "' + "x" * 5000 + '"', "parallel = true", "offline = 2", "\ufeffwarm = true"),
)


def test_random_settings_give_settings_or_a_sentence(tmp_path: Path) -> None:
    draw = random.Random(18)
    texts = [text for text in NASTY if "\0" not in text]  # which no variable can hold
    for turn in range(400):
        home = tmp_path / str(turn)
        home.mkdir()
        (home / "settings.toml").write_text("\n".join(draw.choices(LINES, k=draw.randint(0, 2))), "utf-8")
        names = draw.sample(VARIABLES, draw.randint(0, 4))
        environ = {"UNFREEZE_HOME": str(home), **{f"UNFREEZE_{name}": draw.choice(texts) for name in names}}
        try:
            assert isinstance(settings_from(environ), Settings)
        except SettingsError as error:
            assert str(error).endswith(".")


@pytest.mark.usefixtures("impatient")
def test_settings_that_are_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.toml")
    with pytest.raises(SettingsError, match="it is no file"):
        settings_from({"UNFREEZE_HOME": str(tmp_path)})


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["pipe.zip", "pipe.jpg"])
def test_pipes_are_refused_wherever_a_file_is_expected(
    quiet: Workplace, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = quiet.home / name
    os.mkfifo(pipe)
    for arguments in (["train", str(pipe)], ["runs", "import", str(pipe)]):
        assert main(arguments) == 1
        assert "neither a file nor a folder" in capsys.readouterr().err
    assert main(["check-labels", str(pipe)]) == 1
    with ExitStack() as archives, pytest.raises(DataError, match="neither a file nor a folder"):
        listing = predict._listing(pipe, Limits(), archives)(lambda: None)
        listing.photos[0].read()


def test_a_name_that_is_too_long_is_refused_before_anything_is_made() -> None:
    for text in ("x" * 300, "a\0b", "~nosuch/x"):
        with pytest.raises(DataError, match="cannot be a file or folder"):
            path_named(text)
    assert path_named("~") == Path.home() and path_named("not there") == Path("not there")


def test_a_result_that_cannot_be_written_is_told_by_its_name(tmp_path: Path) -> None:
    told = r"result\.zip cannot be written \(Read-only file system\)"
    with read_only(tmp_path), pytest.raises(RunError, match=told), writing(tmp_path / "result.zip"):
        pytest.fail("it cannot be opened")


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = f"{RED}\x9b2J\u202e\udcff"
    words = Output(as_json=False)
    words.say(nasty)
    words.progress(nasty, 0.5)
    words.result({}, nasty)
    said = capsys.readouterr()
    assert not CONTROL & set(said.out + said.err) and "red" in said.out and "red" in said.err
    Output(as_json=True).result({"name": nasty}, "")
    said = capsys.readouterr()
    assert not CONTROL & set(said.out) and json.loads(said.out)["name"] == nasty
    assert one_line("a\nb") == "a�b" and printable("a\nb\tc") == "a\nb\tc"
    assert printable("نمی\u200cخواهم 👩\u200d🔬 Ünï") == "نمی\u200cخواهم 👩\u200d🔬 Ünï"
    assert table([{"file": "a\nb"}]) == "file\na�b"
