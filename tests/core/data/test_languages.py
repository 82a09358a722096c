"""Reasons and sentences about data are told in the language of whoever reads them, wherever they were kept."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.data.dataset import prepare
from core.data.intake.catalogue import FAILED, Fetch, Progress
from core.data.review import EXCLUDE, Decision, Review
from core.data.scan.folder import Scan, scan
from core.data.scan.index import index_file
from core.data.scan.walk import LeftOut
from core.data.summary import split_in_words
from core.language import reading, tr
from tests.catalogues import second_language
from tests.core.data.conftest import place

CATALOGUE = """
msgid "the file is empty"
msgstr "文件为空"

msgid "{count} class"
msgid_plural "{count} classes"
msgstr[0] "{count} 个类别"

msgctxt "subset"
msgid "training"
msgstr "训练"

msgid "The dataset has its own split ({parts}), which is kept."
msgstr "数据集自带划分（{parts}），予以保留。"

msgid "Failed"
msgstr "失败"

msgid "Look-alikes"
msgstr "相似照片"
"""


@pytest.fixture(autouse=True)
def two_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with second_language(tmp_path / "locale", CATALOGUE, monkeypatch), reading("en"):
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        place(folder / "train" / name)
        place(folder / "test" / name)
    (folder / "train" / "cat" / "empty.png").touch()
    return folder


def look(root: Path) -> Scan:
    return scan(root, roots=[root.parent], index_folder=root.parent / "index")


def test_a_scan_is_told_to_each_reader_and_is_the_same_whoever_looked(root: Path) -> None:
    found = look(root)
    with reading("zh"):
        from_the_index = look(root)
        for each in (found, from_the_index):
            assert [entry.reason for entry in each.left_out] == ["文件为空"]
            assert each.reading.words.startswith("2 个类别")
            assert "训练" in each.reading.tree
        assert split_in_words(prepare(found, Review(root))).startswith("数据集自带划分（训练, ")
    assert [entry.reason for entry in from_the_index.left_out] == ["the file is empty"]
    assert from_the_index.token == found.token


def test_an_index_of_an_older_version_keeps_its_english_reasons(root: Path) -> None:
    look(root)
    with closing(sqlite3.connect(index_file(root.parent / "index", root))) as index:
        (kept,) = index.execute("SELECT reason FROM photo WHERE reason IS NOT NULL").fetchall()
    assert json.loads(kept[0]) == {"text": "the file is empty"}
    assert LeftOut("a.png", "the file is empty").reason == "the file is empty"


def test_why_something_was_decided_is_kept_in_no_language(root: Path) -> None:
    decision = Decision(EXCLUDE, {"cat/1.png": "00"}, why=tr("Look-alikes"))
    english = Review(root, decisions=(decision,)).to_json()
    with reading("zh"):
        review = Review.from_json(english, root)
        assert review.decisions[0].why == "相似照片" and review.to_json() == english
        assert review.decisions[0].is_because("Look-alikes") and not review.decisions[0].is_because("Copies")
    older = json.loads(english)
    older["decisions"][0]["why"] = "Look-alikes"
    (before,) = Review.from_json(json.dumps(older), root).decisions
    assert before.why == "Look-alikes" and before.is_because("Look-alikes")


def test_how_a_download_ended_is_told_to_each_reader(tmp_path: Path) -> None:
    fetch = Fetch(tmp_path)
    fetch.write(Progress("tf_flowers", state=FAILED, words=tr("Failed"), error="as an older version wrote it"))
    with reading("zh"):
        assert (fetch.read().words, fetch.read().error) == ("失败", "as an older version wrote it")
