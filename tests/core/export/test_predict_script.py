import ast
import io
import json
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from core.data.images import MODES, decode
from core.export.formats import export_format
from core.export.predict_script import SAID, predict_script
from core.export.trial_photos import VARIANTS
from core.inference.decision import DecisionRule, decide
from core.language import reading
from tests.core.data.tiffs import tiff
from tests.pseudo import CODE, accented, write_catalogue
from tests.zoo import heic

SIDE = 96
RULE = DecisionRule(temperature=1.7, least_confidence=0.6)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """`predict.py` as a module, beside labels and preprocessing but without a model."""
    yield loaded(tmp_path_factory.mktemp("script"))


def loaded(folder: Path) -> ModuleType:
    (folder / "labels.txt").write_text("a\nb\n")
    (folder / "preprocessing.json").write_text(json.dumps({"side": SIDE}))
    (folder / "decision.json").write_text(RULE.to_json())
    (folder / "predict.py").write_text(predict_script(export_format("openvino")), "utf-8")
    spec = spec_from_file_location("exported_predict", folder / "predict.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture(width: int = 400, height: int = 300) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def odd_files() -> Iterator[tuple[str, bytes]]:
    yield from ((kind, make(picture())) for kind, (_, make) in VARIANTS.items())
    for mode in sorted(MODES - {"PA", "RGBX", "HSV", "I;16L", "I;16B", "I;16"}):
        buffer = io.BytesIO()
        picture(201, 333).convert(mode).save(buffer, "TIFF")
        yield f"TIFF {mode}", buffer.getvalue()
    for size in ((1, 1), (97, 31), (2000, 700)):
        for orientation in range(10):
            exif = Image.Exif()
            exif[0x0112] = orientation
            buffer = io.BytesIO()
            picture(*size).save(buffer, "JPEG", exif=exif)
            yield f"JPEG {size} turned {orientation}", buffer.getvalue()
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    yield "JPEG with damaged EXIF data", buffer.getvalue()
    yield "HEIC turned", heic(picture(201, 333), orientation=6, tile_size=64)


def unusual_encodings() -> Iterator[tuple[str, bytes]]:
    colours = np.asarray(picture(80, 60))
    grey = np.asarray(picture(80, 60).convert("L")).astype(np.uint16)
    yield "12 of 16 bits", tiff(grey * 16, 1)
    yield "12 of 16 bits in colour", tiff(colours.astype(np.uint16) * 16, 2)
    yield "white is zero", tiff(65535 - grey * 257, 0)
    yield "near infrared", tiff(np.dstack([colours, 40 + grey.astype(np.uint8) // 2]), 2, extra=[1])
    yield "one band after the other", tiff(colours.astype(np.uint16) * 257, 2, separate=True)


def test_its_pixels_are_ours_bit_for_bit_whatever_the_file(script: ModuleType, tmp_path: Path) -> None:
    for number, (kind, content) in enumerate([*odd_files(), *unusual_encodings()]):
        file = tmp_path / str(number)
        file.write_bytes(content)
        found = script.pixels(file)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, decode(file, SIDE), err_msg=kind)


def test_what_has_no_fixed_brightness_is_refused_as_we_do(script: ModuleType, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match="no fixed brightness range"):
        script.pixels(tmp_path / "float.tif")


def test_labels_are_read_in_their_order(script: ModuleType) -> None:
    assert script.CLASSES == ["a", "b"]


@pytest.mark.parametrize("first", [0.0, 0.05, 0.35, 0.5, 0.7, 1.0])
def test_its_answers_are_ours(script: ModuleType, first: float) -> None:
    probabilities = np.array([first, 1 - first], np.float32)
    ours = decide(probabilities[None], RULE)
    name, confidence, unsure = script.decide(probabilities)
    assert (name, unsure) == (script.CLASSES[ours.predicted[0]], ours.unsure[0])
    assert confidence == pytest.approx(ours.confidence[0], abs=1e-12)
    np.testing.assert_allclose(script.calibrated(probabilities), ours.probabilities[0], atol=1e-12)


@pytest.fixture
def answering(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with a model that finds every photo to be of the first class."""
    monkeypatch.setattr(script, "load", lambda: None)
    monkeypatch.setattr(script, "run", lambda model, photo: np.array([0.9, 0.1], np.float32))
    return script


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    """Photos in a folder and below, among what is found in real folders."""
    for name in ("1.jpg", "2.JPG", "sub/deep/3.png", "\x1b[31mred.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(30, 20).save(file, "PNG" if name.endswith("png") else "JPEG")
    for name in (".DS_Store", "Thumbs.db", "1notes.txt", "sub/table.csv", ".hidden/4.jpg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


def test_every_photo_of_a_folder_gets_its_answer_whatever_else_is_there(
    answering: ModuleType, mixed_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answering.main([str(mixed_folder)]) == 1
    said, complaints = capsys.readouterr()
    names = [line.partition(":")[0] for line in said.splitlines()]
    assert sorted(names) == ["1.jpg", "2.JPG", "sub/deep/3.png", "\ufffd[31mred.png"]
    assert all(": a " in line for line in said.splitlines())
    assert "broken.jpg: it is not a photo that can be read, or it is damaged" in complaints
    assert "not photos, passed over: 1notes.txt, table.csv" in complaints
    assert "1 of 5 photos could not be read" in complaints and "DS_Store" not in complaints


def test_programs_get_a_line_for_each_photo(
    answering: ModuleType, mixed_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answering.main(["--json", str(mixed_folder)]) == 1
    rows = {row["photo"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert len(rows) == 5 and rows["sub/deep/3.png"]["class"] == "a"
    assert "probabilities" not in rows["broken.jpg"] and "damaged" in rows["broken.jpg"]["error"]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["gone.jpg"], 1, "gone.jpg: there is no such file"),
        (["--csv", "x"], 2, "There is no option --csv"),
        (["."], 1, "There are no photos"),
    ],
)
def test_arguments_that_lead_nowhere_are_named(
    answering: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answering.main(arguments) == status
    assert complaint in capsys.readouterr().err


def test_it_speaks_the_language_it_was_exported_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    monkeypatch.setenv("UNFREEZE_LOCALE", str(write_catalogue(tmp_path / "locale")))
    with reading(CODE):
        script = loaded(folder)
    assert accented("Classifies photos.") in str(script.__doc__) and "python predict.py --json" in str(script.__doc__)
    assert script.main(["--wrong"]) == 2
    assert "See" not in capsys.readouterr().err
    damaged, unclear = tmp_path / "a.png", tmp_path / "b.tif"
    damaged.write_bytes(b"no photo")
    unclear.write_bytes(tiff(np.zeros((4, 4, 7), np.uint8), 2, extra=[1, 1, 1, 1]))
    assert script.classified(None, damaged)[0] == accented("it is not a photo that can be read, or it is damaged")
    assert script.classified(None, tmp_path / "none.png")[0] == accented("there is no such file")
    assert "bands" not in script.classified(None, unclear)[0] and "7" in script.classified(None, unclear)[0]


def test_everything_it_says_can_be_translated() -> None:
    tree = ast.parse(predict_script(export_format("openvino")))
    told = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "said"]
    said = {
        each.value
        for node in told
        for each in ast.walk(node.args[0])
        if isinstance(each, ast.Constant) and each.value != 0
    }
    chosen = {"{photo}: {found}, expected {right}; largest difference {difference}", *SAID[-2:]}
    assert said | chosen == set(SAID), "those chosen in a line of their own apart"
