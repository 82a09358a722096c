from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line.main import language_of, main
from core.language import find_by
from tests.catalogues import second_language
from tests.conftest import Workplace

CATALOGUE = """
msgid "There are no runs yet. “unfreeze train --help” says how to start one."
msgstr "还没有训练记录。"

msgid "There is no run “{name}”. The command “unfreeze runs” lists them."
msgstr "没有名为“{name}”的训练记录。"

msgid "train a model as a recipe says"
msgstr "按照配方训练模型"

msgid "show this help message and exit"
msgstr "显示帮助"

msgid "argument {name}: {problem}"
msgstr "参数 {name}：{problem}"

msgid "invalid choice: {value} (choose from {choices})"
msgstr "{value} 不在可选范围 {choices} 内"

msgid "usage:"
msgstr "用法："
"""

VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(autouse=True)
def two_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with second_language(tmp_path, CATALOGUE, monkeypatch):
        yield
    find_by(lambda: "en")


@pytest.mark.parametrize("typed", [["--lang", "zh", "runs"], ["runs", "--lang=zh-CN"]])
def test_results_are_in_the_language_that_was_asked_for(
    typed: list[str], here: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == 0
    assert capsys.readouterr().out == "还没有训练记录。\n"
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.startswith("There are no runs yet.")


@pytest.mark.parametrize("name", VARIABLES)
def test_errors_and_help_are_in_the_language_of_the_terminal(
    name: str, here: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "zh_CN.UTF-8")
    assert main(["runs", "show", "lost"]) == 1
    assert capsys.readouterr().err == "没有名为“lost”的训练记录。\n"
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert said.startswith("用法： unfreeze") and "按照配方训练模型" in said and "显示帮助" in said


def test_of_what_a_terminal_says_the_first_that_is_set_counts() -> None:
    assert language_of([], {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"
    assert language_of([], {"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_GB"}) == "zh"
    assert language_of([], {"LANG": "fr_FR.UTF-8"}) == language_of([], {}) == "en"
    assert language_of(["--lang", "en", "runs"], {"LC_ALL": "zh_CN"}) == "en"
    assert language_of(["predict", "x", "--", "--lang", "zh"], {}) == "en"
    assert language_of(["runs", "--lang"], {"LANG": "zh"}) == "zh"


def test_a_language_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--lang", "xx", "runs"])
    assert "'xx' is none of the languages en, zh" in capsys.readouterr().err


def test_what_was_typed_wrongly_is_said_in_the_language_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    said = {}
    for code in ("en", "zh"):
        with pytest.raises(SystemExit, match="2"):
            main(["--lang", code, "export", "latest", "floppy"])
        said[code] = capsys.readouterr().err.splitlines()[-1]
    assert said["en"].startswith("unfreeze export: error: argument FORMAT: invalid choice: 'floppy' (choose from ")
    assert "参数 FORMAT：'floppy' 不在可选范围" in said["zh"]
