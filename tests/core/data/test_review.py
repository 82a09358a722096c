import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review, ReviewStore, rows_of
from core.data.scan.layout import INNERMOST, TABLE, Layout
from core.errors import DataError, StorageError

ROOT = Path("/photos/flowers")
LEAVE_OUT = Decision(EXCLUDE, {"rose/1.png": "aa", "薔薇/写真 2.png": "bb"}, why="blurred", made=1_700_000_000.5)
CALL_TULIP = Decision(RELABEL, {"rose/1.png": "aa"}, label="Tulpe 🌷", made=1_700_000_060.0)
FINE = Decision(KEEP, {"daisy/1.png": "cc"}, why="look-alike", made=1_700_000_120.0)


@pytest.fixture
def store(tmp_path: Path) -> ReviewStore:
    return ReviewStore(tmp_path / "home" / "reviews")


def reviewed(*decisions: Decision, root: Path = ROOT) -> Review:
    return Review(root, decisions=decisions)


def test_the_last_decision_about_a_photo_counts() -> None:
    review = reviewed(LEAVE_OUT).with_decision(CALL_TULIP).with_decision(FINE)
    assert review.decisions == (LEAVE_OUT, CALL_TULIP, FINE)
    assert review.standing() == {"rose/1.png": CALL_TULIP, "薔薇/写真 2.png": LEAVE_OUT, "daisy/1.png": FINE}
    assert reviewed().standing() == {}


def test_an_undone_decision_lets_the_one_before_it_count_again() -> None:
    review = reviewed(LEAVE_OUT, CALL_TULIP, FINE)
    assert review.without(-1) == reviewed(LEAVE_OUT, CALL_TULIP)
    assert review.without(-1).without(-1).standing()["rose/1.png"] is LEAVE_OUT
    assert review.without(-1).without(-1).without(-1) == reviewed()


def test_any_decision_can_be_taken_back() -> None:
    review = reviewed(LEAVE_OUT, CALL_TULIP, FINE)
    assert review.without(0) == reviewed(CALL_TULIP, FINE)
    assert review.without(1) == reviewed(LEAVE_OUT, FINE)
    assert review.decisions == (LEAVE_OUT, CALL_TULIP, FINE), "the review itself stays"


@pytest.mark.parametrize("layout", [Layout(), Layout(INNERMOST), Layout(TABLE, "a/ü.csv", "file", "Größe, m")])
def test_a_review_comes_back_from_json(layout: Layout) -> None:
    review = Review(ROOT, layout, (LEAVE_OUT, CALL_TULIP, FINE))
    assert Review.from_json(review.to_json(), ROOT) == review
    assert "Tulpe 🌷" in review.to_json() and "薔薇" in review.to_json(), "people can read it"
    assert json.loads(review.to_json())["dataset"] == str(ROOT)


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    values = json.loads(reviewed(LEAVE_OUT).to_json())
    values["decisions"][0]["by"] = values["by"] = values["layout"]["more"] = "somebody"
    assert Review.from_json(json.dumps(values), ROOT) == reviewed(LEAVE_OUT)


def test_classes_stay_in_the_order_in_which_they_were_named(store: ReviewStore) -> None:
    review = replace(reviewed(CALL_TULIP), classes=("tulip", "Tulpe 🌷", "rose"))
    assert Review.from_json(review.to_json(), ROOT) == review
    store.write(review)
    assert store.read(ROOT).classes == ("tulip", "Tulpe 🌷", "rose")
    assert review.with_decision(FINE).without(-1).classes == review.classes, "decisions leave them"


def test_a_review_without_classes_is_written_as_before_there_were_any() -> None:
    assert reviewed().classes == () and "classes" not in json.loads(reviewed(FINE).to_json())
    former = {"version": 1, "layout": {}, "decisions": []}
    assert Review.from_json(json.dumps(former), ROOT).classes == ()


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("cup", ""), "Each class needs a name"),
        (("cup", 5), "Each class needs a name"),
        (("cup", "pen", "cup"), "must not have the same name; got cup, pen, cup"),
    ],
)
def test_classes_that_cannot_be_are_refused(classes: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Review(ROOT, classes=classes)


DECISION = {"action": "exclude", "photos": {"a.png": "aa"}, "label": "", "why": "", "made": 1.0}
CHANGED: dict[str, dict[str, object]] = {
    "action": {"action": "burn"},
    "action is a list": {"action": ["exclude"]},
    "no photos": {"photos": {}},
    "photos in a list": {"photos": ["a.png"]},
    "digest": {"photos": {"a.png": 5}},
    "label without need": {"label": "cat"},
    "no label": {"action": "relabel"},
    "label is a number": {"action": "relabel", "label": 5},
    "time is text": {"made": "yesterday"},
}
DAMAGED = {
    "empty": "",
    "cut off": reviewed(LEAVE_OUT).to_json()[:-20],
    "null": "null",
    "list": "[]",
    "number": "5",
    "no version": '{"layout": {}, "decisions": []}',
    "newer": '{"version": 2, "layout": {}, "decisions": []}',
    "no layout": '{"version": 1, "decisions": []}',
    "no decisions": '{"version": 1, "layout": {}}',
    "layout": '{"version": 1, "layout": {"label_by": "mood"}, "decisions": []}',
    "layout is text": '{"version": 1, "layout": "first", "decisions": []}',
    "decisions are null": '{"version": 1, "layout": {}, "decisions": null}',
    "classes are text": '{"version": 1, "layout": {}, "decisions": [], "classes": "cup"}',
    "classes are numbers": '{"version": 1, "layout": {}, "decisions": [], "classes": [1, 2]}',
    "classes are null": '{"version": 1, "layout": {}, "decisions": [], "classes": null}',
    "classes are the same": '{"version": 1, "layout": {}, "decisions": [], "classes": ["cup", "cup"]}',
    "decision is text": '{"version": 1, "layout": {}, "decisions": ["exclude"]}',
    **{
        name: json.dumps({"version": 1, "layout": {}, "decisions": [{**DECISION, **changed}]})
        for name, changed in CHANGED.items()
    },
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_gets_a_sentence_and_stays(store: ReviewStore, text: str) -> None:
    store.folder.mkdir(parents=True)
    store.file(ROOT).write_text(text, "utf-8")
    with pytest.raises(
        DataError, match=r"The decisions about flowers cannot be read from .*move it away to start over"
    ):
        store.read(ROOT)
    assert store.file(ROOT).read_text("utf-8") == text


def test_a_file_that_is_no_text_gets_the_same_sentence(store: ReviewStore) -> None:
    store.folder.mkdir(parents=True)
    store.file(ROOT).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="The decisions about flowers cannot be read"):
        store.read(ROOT)
    store.file(ROOT).unlink()
    store.file(ROOT).mkdir()
    with pytest.raises(DataError, match="The decisions about flowers cannot be read"):
        store.read(ROOT)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("burn", {"a.png": "aa"}), "A decision is “burn”; it must be one of exclude, relabel, keep"),
        ((EXCLUDE, {}), "must name at least one photo, each with the digest"),
        ((EXCLUDE, ["a.png"]), "must name at least one photo, each with the digest"),
        ((EXCLUDE, {"a.png": b"aa"}), "must name at least one photo, each with the digest"),
        ((RELABEL, {"a.png": "aa"}), "to relabel photos has the label “”"),
        ((EXCLUDE, {"a.png": "aa"}, "cat"), "to exclude photos has the label “cat”"),
        ((KEEP, {"a.png": "aa"}, "cat"), "to keep photos has the label “cat”"),
    ],
)
def test_decisions_that_cannot_be_are_refused(values: tuple[object, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Decision(*values)  # type: ignore[arg-type]


def test_nothing_was_decided_at_first(store: ReviewStore) -> None:
    assert store.read(ROOT) == Review(ROOT)
    assert not store.folder.exists(), "reading writes nothing"


def test_a_store_keeps_the_review_of_each_dataset(store: ReviewStore) -> None:
    one, other = reviewed(LEAVE_OUT, FINE), reviewed(CALL_TULIP, root=Path("/elsewhere/flowers"))
    store.write(one)
    store.write(other)
    assert ReviewStore(store.folder).read(ROOT) == one and store.read(other.root) == other
    store.write(one.without(-1))
    assert store.read(ROOT) == reviewed(LEAVE_OUT)
    assert {path.suffix for path in store.folder.iterdir()} == {".json"} and len(list(store.folder.iterdir())) == 2


def test_a_dataset_may_have_a_name_that_is_no_text(store: ReviewStore) -> None:
    review = reviewed(LEAVE_OUT, root=Path("/photos") / os.fsdecode(b"caf\xe9"))
    store.write(review)
    assert store.read(review.root) == review


def test_a_decision_that_cannot_be_kept_leaves_what_was_kept(
    store: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(reviewed(LEAVE_OUT))
    for broken in ("replace", "open"):

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os if broken == "replace" else Path, broken, full)
            with pytest.raises(StorageError, match=r"cannot be saved in .* \(No space left on device\)"):
                store.write(reviewed(LEAVE_OUT, FINE))
        assert store.read(ROOT) == reviewed(LEAVE_OUT)
    store.write(reviewed(LEAVE_OUT, FINE))
    assert [path.name for path in store.folder.iterdir()] == [store.file(ROOT).name]


def test_a_writer_that_dies_halfway_leaves_what_was_kept(store: ReviewStore) -> None:
    store.write(reviewed(LEAVE_OUT))
    store.file(ROOT).with_name(f"{store.file(ROOT).name}.unfinished").write_text("{ half", "utf-8")
    assert store.read(ROOT) == reviewed(LEAVE_OUT)
    store.write(reviewed(FINE))
    assert store.read(ROOT) == reviewed(FINE)


def test_where_a_file_blocks_the_folder_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder is needed")
    with pytest.raises(StorageError, match="cannot be saved in"):
        ReviewStore(tmp_path / "home" / "reviews").write(reviewed(LEAVE_OUT))


def test_decisions_are_listed_photo_by_photo() -> None:
    rows = rows_of([LEAVE_OUT, CALL_TULIP])
    assert [row["photo"] for row in rows] == ["rose/1.png", "薔薇/写真 2.png", "rose/1.png"]
    assert [(row["decision"], row["class"], row["because"]) for row in rows] == [
        *[("exclude", "", "blurred")] * 2,
        ("relabel", "Tulpe 🌷", ""),
    ]
    assert all(row["when"].startswith("2023-11-1") for row in rows)
    assert rows_of([]) == []


def test_changes_of_two_people_are_both_kept(store: ReviewStore) -> None:
    seen_by_both = store.change(ROOT, lambda review: review.with_decision(LEAVE_OUT))
    store.change(ROOT, lambda review: review.with_decision(CALL_TULIP))
    store.change(ROOT, lambda review: review.with_decision(FINE))
    assert store.read(ROOT) == reviewed(LEAVE_OUT, CALL_TULIP, FINE)
    store.change(ROOT, lambda review: review.without_decision(seen_by_both.decisions[-1]))
    assert store.read(ROOT) == reviewed(CALL_TULIP, FINE)
    store.change(ROOT, lambda review: review.without_decision(LEAVE_OUT))
    assert store.read(ROOT) == reviewed(CALL_TULIP, FINE), "it was already taken back"


def test_many_changes_at_once_are_all_kept(store: ReviewStore) -> None:
    decisions = [Decision(KEEP, {f"rose/{i}.png": "00"}) for i in range(24)]

    def decide(decision: Decision) -> None:
        ReviewStore(store.folder).change(ROOT, lambda review: review.with_decision(decision))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decide, decisions))
    assert set(store.read(ROOT).standing()) == {f"rose/{i}.png" for i in range(24)}
