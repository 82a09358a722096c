import io
import json
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from core.data.images import MODES, decode
from core.export.formats import export_format
from core.export.predict_script import predict_script
from core.export.trial_photos import VARIANTS
from core.inference.decision import DecisionRule, decide

SIDE = 96
RULE = DecisionRule(temperature=1.7, least_confidence=0.6)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """`predict.py` as a module, beside labels and preprocessing but without a model."""
    folder = tmp_path_factory.mktemp("script")
    (folder / "labels.txt").write_text("a\nb\n")
    (folder / "preprocessing.json").write_text(json.dumps({"side": SIDE}))
    (folder / "decision.json").write_text(RULE.to_json())
    (folder / "predict.py").write_text(predict_script(export_format("openvino")), "utf-8")
    spec = spec_from_file_location("exported_predict", folder / "predict.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("exported_predict", None)


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


def test_its_pixels_are_ours_bit_for_bit_whatever_the_file(script: ModuleType, tmp_path: Path) -> None:
    for number, (kind, content) in enumerate(odd_files()):
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
