import errno
import json
import os
import sys

import pytest

from command_line.output import Output, listing, percent_or_dash, table
from core.errors import StorageError


class Terminal:
    """A screen in small: what was written, and that it is one."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_makes_way_for_the_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    output = Output(as_json=False)
    output.progress("Training", 0.25, "about 5 s left")
    assert "██████" in screen.text and " 25% Training · about 5 s left" in screen.text
    output.result({}, "done")
    assert screen.text.endswith("\r\x1b[K") and capsys.readouterr().out == "done\n"


def test_a_file_gets_each_word_once(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    with output.showing("Looking at every photo") as counting:
        for done in range(5):
            counting(done, 5)
    for share in range(5):
        output.progress("Comparing", None, f"{share} %")
    assert capsys.readouterr().err == "Looking at every photo\nComparing\n"
    output.result({"name": "Übung"}, "never shown")
    assert json.loads(capsys.readouterr().out) == {"name": "Übung"}


class FullDisk(Terminal):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("as_json", [False, True])
def test_what_takes_no_more_is_told_and_what_is_said_on_the_way_may_be_lost(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, FullDisk())
    output = Output(as_json)
    output.progress("Training", 0.5)
    output.fail("It has failed.")
    with pytest.raises(StorageError, match=r"The results cannot be written \(No space left on device\)\. Free"):
        output.result({}, "done")


def test_a_program_may_close_standard_output_and_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output = Output(as_json=True)
    output.progress("Training", 0.5)
    output.result({}, "done")
    output.fail("It has failed.")


def test_tables_stand_in_columns() -> None:
    rows = [{"id": "1", "name": "rose"}, {"id": "200", "name": ""}]
    assert table(rows) == "id   name\n1    rose\n200"
    assert listing({"a": "1", "long": "2"}) == "a     1\nlong  2"


def test_a_figure_that_is_not_there_is_a_dash() -> None:
    assert (percent_or_dash(0.5), percent_or_dash(None)) == ("50.0 %", "–")
