from pathlib import Path

import pytest

from core.language import reading
from pages.components.compare import series_names
from pages.components.compare.series_names import KINDS, STUDY
from tests.catalogues import second_language

ENTRIES = """
msgid "Flower study"
msgstr "花卉研究"
"""


def test_a_new_series_begins_with_its_kind_and_is_told_as_it_is_kept() -> None:
    for kind in KINDS:
        name = series_names.new(kind, "my · roses")
        assert series_names.kind_of(name) == kind
        assert series_names.told(name) == name, "in English"


def test_a_series_is_told_in_the_language_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{STUDY} · my · roses · 29 Feb, 10:00:07"
    with second_language(tmp_path, ENTRIES, monkeypatch), reading("zh"):
        assert series_names.told(name) == "花卉研究 · my · roses · 2月29日 10:00:07"


@pytest.mark.parametrize("name", ["", "mine", "Repeats", "Repeats · roses", "Mine · roses · 25 Nov, 10:00:00"])
def test_any_other_name_is_told_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with second_language(tmp_path, ENTRIES, monkeypatch), reading("zh"):
        assert series_names.told(name) == name
