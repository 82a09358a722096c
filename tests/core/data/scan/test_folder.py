import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.data.scan import folder as scanning
from core.data.scan.folder import ImageFolder, LeftOut, Scan, check_inside, scan
from core.data.scan.walk import check_file
from core.data.subsets import NO_SUBSET
from core.errors import DataError, FolderError
from core.settings import Limits
from tests.core.data.conftest import encode, noise, place, plain, touch


def reasons(found: Scan) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.left_out}


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("links cannot be made here")


def test_a_folder_of_class_folders_is_a_dataset(flowers: Path) -> None:
    found = scan(flowers, roots=[flowers.parent])
    assert found.folder.root == flowers.resolve()
    assert found.folder.class_names == ("daisy", "rose")
    assert found.folder.paths == ("daisy/1.png", "daisy/2.png", "daisy/3.png", "rose/1.png", "rose/2.png")
    assert found.folder.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.folder.counts().tolist() == [3, 2]
    assert found.sizes.tolist() == [[9, 7]] * 5
    assert (found.left_out, found.ignored, found.datasets_inside) == ((), 0, ())


def test_deeper_photos_belong_to_the_first_folder(flowers: Path) -> None:
    place(flowers / "daisy" / "garden" / "2024" / "4.png")
    found = scan(flowers, roots=[flowers])
    assert found.folder.class_names == ("daisy", "rose")
    assert "daisy/garden/2024/4.png" in found.folder.paths


def test_order_is_by_class_then_path(tmp_path: Path) -> None:
    for name in ("a/2.png", "a b/1.png", "a/b/1.png", "a-/9.png", "Z/1.png", "10/1.png", "9/1.png"):
        place(tmp_path / name)
    found = scan(tmp_path, roots=[tmp_path]).folder
    assert found.class_names == ("10", "9", "Z", "a", "a b", "a-")
    assert found.paths == ("10/1.png", "9/1.png", "Z/1.png", "a/2.png", "a/b/1.png", "a b/1.png", "a-/9.png")
    assert found.labels.tolist() == [0, 1, 2, 3, 3, 4, 5]


def test_odd_names_are_kept_as_they_are(tmp_path: Path) -> None:
    names = ["薔薇/写真 1.png", "🌼 daisy/👩‍🌾.png", "with space/a, b.png", 'quote"d/x;y.PNG', "Ünï/é.Png"]
    for name in names:
        place(tmp_path / name)
    assert set(scan(tmp_path, roots=[tmp_path]).folder.paths) == set(names)


def test_names_that_differ_only_in_case_are_different(tmp_path: Path) -> None:
    for name in ("cat/a.png", "cat/A.PNG", "Cat/a.png"):
        place(tmp_path / name)
    if len(os.listdir(tmp_path)) < 2:
        pytest.skip("this file system does not tell cases apart")
    found = scan(tmp_path, roots=[tmp_path]).folder
    assert found.class_names == ("Cat", "cat")
    assert found.paths == ("Cat/a.png", "cat/A.PNG", "cat/a.png")


def test_names_that_are_no_text_are_left_out(flowers: Path) -> None:
    try:
        place(flowers / "daisy" / os.fsdecode(b"caf\xe9.png"), encode(noise(4, 4)))
    except OSError:
        pytest.skip("this file system takes only text as names")
    found = scan(flowers, roots=[flowers])
    assert len(found.folder) == 5
    assert "rename it" in reasons(found)["daisy/caf�.png"]
    assert found.token == scan(flowers, roots=[flowers]).token


def test_housekeeping_is_counted_not_reported(flowers: Path) -> None:
    for name in (".DS_Store", "daisy/Thumbs.db", "daisy/._1.png", "__MACOSX/daisy/1.png", ".hidden/1.png"):
        place(flowers / name)
    place(flowers / "rose" / ".ipynb_checkpoints" / "1-checkpoint.png")
    found = scan(flowers, roots=[flowers])
    assert (found.ignored, found.left_out, len(found.folder)) == (6, (), 5)


def test_what_is_no_photo_is_left_out_with_a_reason(flowers: Path) -> None:
    page = b"<html>not found</html>"
    contents = {"daisy/a.jpg": page, "daisy/b.jpg": b"", "daisy/c.jpg": encode(noise(40, 40), "JPEG")[:-300]}
    contents |= {"daisy/notes.txt": b"x", "rose/noending": b"x", "rose/scan.dcm": b"x", "labels.csv": b"x"}
    contents |= {"loose.png": encode(noise(9, 7))}
    for name, content in contents.items():
        place(flowers / name, content)
    found = scan(flowers, roots=[flowers])
    assert len(found.folder) == 5
    assert list(reasons(found)) == sorted(contents)
    expected = {
        "daisy/a.jpg": "HTML",
        "daisy/b.jpg": "empty",
        "daisy/c.jpg": "cut off",
        "daisy/notes.txt": ".txt files",
    }
    expected |= {"rose/noending": "no ending", "rose/scan.dcm": "DICOM", "labels.csv": "a table"}
    expected |= {"loose.png": "next to the class folders"}
    for path, words in expected.items():
        assert words in reasons(found)[path]


def test_a_class_without_readable_photos_is_no_class(flowers: Path) -> None:
    place(flowers / "tulip" / "1.jpg", b"broken")
    (flowers / "weed").mkdir()
    found = scan(flowers, roots=[flowers])
    assert found.folder.class_names == ("daisy", "rose")
    assert "not a class" in reasons(found)["tulip"] and "not a class" in reasons(found)["weed"]


def test_large_files_are_left_out(flowers: Path) -> None:
    place(flowers / "rose" / "big.png", encode(noise(60, 60)))
    found = scan(flowers, roots=[flowers], limits=Limits(file_bytes=5000))
    assert "too large: 0.0 MB; the limit is 0.005 MB" in reasons(found)["rose/big.png"]
    assert len(found.folder) == 5


def test_what_is_neither_file_nor_folder_is_never_opened(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(flowers / "daisy" / "pipe.png")
    monkeypatch.chdir(flowers / "rose")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        found = scan(flowers, roots=[flowers])
    assert set(reasons(found).values()) == {"this is neither a file nor a folder"}
    assert len(found.left_out) == 2


def test_a_photo_that_disappears_meanwhile_is_left_out(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "BATCH", 1)

    def vanish(done: int, total: int) -> None:
        if done == 1:
            (flowers / "daisy" / "3.png").unlink()

    found = scan(flowers, roots=[flowers], on_progress=vanish)
    assert found.left_out == (LeftOut("daisy/3.png", "the file is no longer there"),)
    assert len(found.folder) == len(found.sizes) == 4


def test_folders_that_cannot_be_opened_are_reported(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(flowers / "daisy" / "private" / "1.png")
    listed = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan(flowers, roots=[flowers])
    assert reasons(found) == {"daisy/private": "the folder cannot be opened (Permission denied)"}


def test_links_are_followed_inside_the_roots_only(flowers: Path, tmp_path: Path) -> None:
    inside, outside = place(tmp_path / "more" / "1.png"), place(tmp_path.parent / f"{tmp_path.name}-out" / "1.png")
    link(flowers / "tulip", inside.parent)
    link(flowers / "rose" / "linked.png", inside)
    link(flowers / "weed", outside.parent)
    link(flowers / "rose" / "out.png", outside)
    link(flowers / "rose" / "nowhere.png", tmp_path / "missing.png")
    found = scan(flowers, roots=[tmp_path])
    assert found.folder.class_names == ("daisy", "rose", "tulip")
    assert {"rose/linked.png", "tulip/1.png"} <= set(found.folder.paths)
    assert reasons(found)["rose/out.png"] == "this link points outside the folders that may be read"
    assert reasons(found)["rose/nowhere.png"] == "this link is broken"
    assert set(reasons(found)) == {"rose/out.png", "rose/nowhere.png", "weed"}


def test_links_in_a_circle_come_to_an_end(flowers: Path) -> None:
    link(flowers / "daisy" / "self", flowers / "daisy")
    link(flowers / "daisy" / "up", flowers)
    link(flowers / "daisy" / "higher", flowers.parent)
    link(flowers / "daisy" / "loop", flowers / "daisy" / "loop")
    for depth in range(12):  # without memory this would be 2 ** 12 ways down
        folder = flowers / "rose" / f"level{depth}"
        place(folder / "x.png")
        link(folder / "left", flowers / "rose" / f"level{depth + 1}")
        link(folder / "right", flowers / "rose" / f"level{depth + 1}")
    found = scan(flowers, roots=[flowers.parent])
    assert len(found.folder) == 5 + 12
    assert not any("left" in path or "right" in path for path in found.folder.paths)
    assert "already read" in reasons(found)["daisy/self"]
    assert "points back" in reasons(found)["daisy/up"] and "points back" in reasons(found)["daisy/higher"]
    assert "broken" in reasons(found)["daisy/loop"]


def test_progress_is_reported_up_to_the_end(flowers: Path) -> None:
    seen: list[tuple[int, int]] = []
    scan(flowers, roots=[flowers], on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_a_scan_can_be_broken_off_from_its_progress(flowers: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(flowers, roots=[flowers], on_progress=stop)


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    place(tmp_path / "daisy" / "1.png")
    with pytest.raises(FolderError, match=r"only one class folder with photos \(daisy\).*at least two subfolders"):
        scan(tmp_path, roots=[tmp_path])


def test_photos_without_class_folders_are_not_enough(tmp_path: Path) -> None:
    place(tmp_path / "1.png")
    with pytest.raises(FolderError, match="no class folder with photos"):
        scan(tmp_path, roots=[tmp_path])


def test_one_readable_class_is_not_enough(tmp_path: Path) -> None:
    place(tmp_path / "daisy" / "1.png")
    place(tmp_path / "rose" / "1.png", b"broken")
    with pytest.raises(FolderError, match=r"only one class folder with readable photos \(daisy\)"):
        scan(tmp_path, roots=[tmp_path])


def test_the_dataset_one_folder_down_is_suggested(flowers: Path) -> None:
    with pytest.raises(FolderError, match=f"looks like a dataset: pick {flowers}"):
        scan(flowers.parent, roots=[flowers.parent])


def test_a_folder_of_datasets_is_recognised(flowers: Path) -> None:
    for name in ("animals/cat/1.png", "animals/dog/1.png"):
        place(flowers.parent / name)
    found = scan(flowers.parent, roots=[flowers.parent])
    assert found.folder.class_names == found.datasets_inside == ("animals", "flowers")


def test_photos_above_the_limits_are_left_out(flowers: Path) -> None:
    place(flowers / "rose" / "big.png", encode(noise(30, 20)))
    place(flowers / "rose" / "a" / "b" / "c" / "deep.png")
    found = scan(flowers, roots=[flowers], limits=Limits(pixels=599, depth=3))
    assert reasons(found) == {
        "rose/big.png": "too many pixels: 30 × 20; the limit is 599",
        "rose/a/b/c": "it is 4 folders deep; the limit is 3",
    }
    assert len(scan(flowers, roots=[flowers], limits=Limits(pixels=600, depth=4)).folder) == 7


def test_more_photos_than_the_limit_are_refused_with_both_ways_out(flowers: Path) -> None:
    assert len(scan(flowers, roots=[flowers], limits=Limits(files=5)).folder) == 5
    with pytest.raises(FolderError, match=r"more than 4 photos.*Pick one of its subfolders, or raise “files”"):
        scan(flowers, roots=[flowers], limits=Limits(files=4))


def test_the_token_changes_with_what_was_found_and_only_then(flowers: Path) -> None:
    photo = flowers / "daisy" / "1.png"
    seen = {scan(flowers, roots=[flowers]).token}
    for nothing_new in (lambda: place(flowers / ".DS_Store"), lambda: touch(photo)):
        nothing_new()
        assert scan(flowers, roots=[flowers]).token in seen
    changes: list[Callable[[], object]] = [
        lambda: place(flowers / "rose" / "9.png"),
        lambda: photo.write_bytes(photo.read_bytes() + b"x"),
        lambda: photo.rename(photo.with_name("7.png")),
        lambda: (flowers / "empty").mkdir(),
        lambda: (flowers / "rose").rename(flowers / "tulip"),
    ]
    for change in changes:
        change()
        seen.add(scan(flowers, roots=[flowers]).token)
    assert len(seen) == 6


def test_a_scan_holds_a_row_of_facts_for_each_photo(flowers: Path) -> None:
    place(flowers / "daisy" / "2.png", encode(plain(200, (30, 20), "L")))
    place(flowers / "rose" / "0.png", b"broken")
    found = scan(flowers, roots=[flowers])
    second = found.folder.paths.index("daisy/2.png")
    assert found.sizes[second].tolist() == [30, 20]
    assert (found.fingerprints[second] == 200).all() and found.fingerprints.shape == (5, 16, 16)
    for i in range(5):
        content = found.folder.absolute(i).read_bytes()
        assert found.digests[i].tobytes() == hashlib.blake2b(content, digest_size=16).digest()
    assert found.sharpness.shape == (5,) and found.sharpness[second] == found.sharpness.min()
    assert (found.given == NO_SUBSET).all()
    for values in (found.sizes, found.digests, found.fingerprints, found.sharpness, found.given):
        assert not values.flags.writeable


def test_weights_make_all_classes_count_alike() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    folder = ImageFolder(Path("root"), ("a", "b", "c"), tuple(f"{i}.png" for i in range(100)), labels)
    weights = folder.class_weights()
    assert [weights[label] * count for label, count in enumerate((60, 30, 10))] == pytest.approx([100 / 3] * 3)
    assert np.mean([weights[label] for label in labels]) == pytest.approx(1)


def test_the_mean_weight_is_1_also_where_a_class_has_no_photos() -> None:
    folder = folder_of([0, 0, 2], ("a", "b", "c"))
    weights = folder.class_weights()
    assert np.mean([weights[label] for label in folder.labels.tolist()]) == pytest.approx(1)


def test_a_folder_inside_a_root_is_accepted(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(flowers.parent))
    monkeypatch.setenv("USERPROFILE", str(flowers.parent))
    expected = flowers.resolve()
    assert check_inside(flowers, [flowers.parent]) == expected
    assert check_inside(str(flowers / "rose" / ".."), [flowers]) == expected
    assert check_inside("~/flowers", [Path("~")]) == expected


@pytest.mark.parametrize("address", ["file://{}", "file://localhost{}", "file:{}", "FILE://{}"])
def test_a_folder_can_be_named_by_its_address(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "my photos #1"
    folder.mkdir()
    encoded = str(folder.resolve()).replace(" ", "%20").replace("#", "%23")
    assert check_inside(address.format(encoded), [tmp_path]) == folder.resolve()
    place(folder / "flowers.zip", b"x")
    assert check_file(f"{address.format(encoded)}/flowers.zip", [tmp_path]) == folder.resolve() / "flowers.zip"


@pytest.mark.skipif(os.name == "nt", reason="there they are paths")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        *((path, "a path of a computer with Windows") for path in ("C:\\Users\\me\\flowers.zip", "d:/photos", "E:")),
        *((path, "a path of a computer with Windows") for path in ("\\\\server\\share\\x", "%USERPROFILE%\\x")),
        *((path, "a path of a computer with Windows") for path in ("file:///C:/Users/me", "file://C:/Users/me")),
        ("file://server/share/photos", "a folder of another computer"),
        *(
            (path, "an address on a network")
            for path in ("https://x.example/a.zip", "smb://server/share", "s3://bucket/x")
        ),
    ],
)
def test_paths_of_other_computers_get_advice_of_their_own(path: str, words: str, tmp_path: Path) -> None:
    for check in (check_inside, check_file):
        with pytest.raises(FolderError, match=words) as caught:
            check(path, [tmp_path])
        assert str(caught.value).startswith(path) and "UNFREEZE_DATASETS" not in str(caught.value)


def test_a_path_that_is_not_whole_is_asked_for_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="Enter its whole path"):
        check_inside("no-such-folder/photos", [tmp_path])


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    names = ("", "nul\0byte", "n" * 300, "loop", "pipe", "missing", "loop/x")
    for path in ("/", "~nosuchuser/x", "", *(f"{tmp_path}/{name}" for name in names)):
        with pytest.raises(FolderError):
            check_file(path, [tmp_path])


@pytest.mark.parametrize(
    "path", ["/", "..", "~nosuchuser/x", "", "  ", "nul\0byte", "{}/../..", "{}/missing", "{}/f.txt"]
)
def test_other_folders_are_refused(path: str, tmp_path: Path) -> None:
    place(tmp_path / "f.txt", b"x")
    with pytest.raises(FolderError):
        check_inside(path.replace("{}", str(tmp_path)), [tmp_path])


def test_a_refusal_names_the_roots_and_does_not_tell_what_exists(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for outside in (tmp_path, tmp_path / "missing", tmp_path / "root-twin"):
        with pytest.raises(FolderError, match=f"outside the folders that may be read \\({root}\\)"):
            check_inside(outside, [root])


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").mkdir()
    link(tmp_path / "root" / "way", tmp_path / "secret")
    with pytest.raises(FolderError, match="outside"):
        check_inside(tmp_path / "root" / "way", [tmp_path / "root"])


def folder_of(labels: object, names: tuple[str, ...] = ("a", "b")) -> ImageFolder:
    return ImageFolder(Path("root"), names, ("a/1.png", "a/2.png", "b/1.png"), np.array(labels))


def test_an_image_folder_gives_parts_of_itself() -> None:
    part = folder_of([0, 0, 1]).subset([2, 0])
    assert (part.paths, part.labels.tolist(), part.class_names) == (("b/1.png", "a/1.png"), [1, 0], ("a", "b"))
    assert part.absolute(0) == Path("root/b/1.png")
    assert len(part) == 2 and len(part.subset([])) == 0
    assert part.subset([1]).counts().tolist() == [1, 0]
    assert folder_of([0, 0, 1]).subset(np.array([False, True, True])).paths == ("a/2.png", "b/1.png")


def test_labels_are_int32_and_cannot_be_changed() -> None:
    folder = folder_of([0, 0, 1])
    assert folder.labels.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        folder.labels[0] = 1


@pytest.mark.parametrize("labels", [[0, 0], [0, 0, 2], [-1, 0, 1], [0.0, 0.0, 1.0], [[0], [0], [1]]])
def test_labels_that_do_not_fit_are_refused(labels: object) -> None:
    with pytest.raises(DataError):
        folder_of(labels)


def test_unsorted_classes_and_paths_that_lead_out_are_refused() -> None:
    with pytest.raises(DataError, match="sorted"):
        folder_of([0, 0, 1], ("b", "a"))
    for path in ("/etc/x.png", "a/../../x.png"):
        with pytest.raises(DataError, match="stay inside"):
            ImageFolder(Path("root"), ("a", "b"), (path,), np.array([0]))


def test_the_shared_flowers_are_all_readable(shared_scan: Scan) -> None:
    found = shared_scan
    assert found.folder.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert len(found.folder) == 3119
    assert not found.left_out
