"""What the ZIP file of an export holds besides the model."""

import io
import json
import platform
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.images import decode
from core.export.formats import ExportFormat
from core.export.parity import ParityReport, as_text
from core.export.predict_script import predict_script
from core.inference import decision
from core.inference.prediction import Predictor
from core.language import tr
from core.reports.card_facts import read_card_facts
from core.reports.model_card import as_markdown
from core.runs.store import Run

SAMPLES = 3
ALWAYS = ("numpy", "pillow", "pi-heif")

CERTIFICATE, CERTIFICATE_TEXT = "certificate.json", "certificate.txt"


def write_package(folder: Path, chosen: ExportFormat, run: Run, predictor: Predictor, photos: Sequence[Path]) -> None:
    """Write everything but the model and the parity report into a folder.

    Args:
        folder: Where to.
        chosen: The format.
        run: The run.
        predictor: Its model.
        photos: Of which samples are made, as a network sees them: nothing that a camera has noted goes along.
    """
    names = [" ".join(name.splitlines()) for name in predictor.class_names]
    texts = {
        "labels.txt": "".join(f"{name}\n" for name in names),
        "preprocessing.json": json.dumps(preprocessing(predictor.resolution), indent=1),
        decision.FILE: decision.read_decision_rule(run).to_json(),
        "predict.py": predict_script(chosen),
        "requirements.txt": requirements(chosen),
        "MODEL_CARD.md": model_card_of(run),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8", newline="\n")
    _write_samples(folder / "samples", predictor, photos)


def preprocessing(side: int) -> dict[str, object]:
    """How a photo becomes what the model takes, for those who write a program of their own."""
    return {
        "side": side,
        "input": {"name": "photos", "shape": [None, side, side, 3], "type": "float32", "range": [0, 255]},
        "steps": [
            "rotate as the EXIF tag Orientation says",
            "8-bit RGB: 16 bits divided by 256 (by less if only 8 to 14 are used), transparency over white, first frame"
            " of an animation; see eight_bit in predict.py",
            "resize with antialiasing (bilinear) so that the shorter side has this length",
            "crop the central square",
        ],
        "normalisation": "none: the model contains it",
        "output": {"name": "probabilities", "order": "labels.txt"},
    }


def requirements(chosen: ExportFormat) -> str:
    """The packages that `predict.py` needs, in the versions that are installed here, if they are."""
    lines = [_with_version(line) for line in (*chosen.requirements, *ALWAYS)]
    return "# Verified with these versions; newer ones should work.\n" + "".join(f"{line}\n" for line in lines)


def _with_version(requirement: str) -> str:
    name, semicolon, marker = requirement.partition(";")
    known = _version(name) or _version("tensorflow" if name == "tensorflow-cpu" else "tensorflow-cpu")
    if not known or (name not in ("tensorflow", "tensorflow-cpu") and not _version(name)):
        return requirement
    return f"{name}=={known}{semicolon}{marker}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def versions_of(chosen: ExportFormat) -> dict[str, str]:
    """Python, the packages that `predict.py` finds here, and the machine."""
    names = [line.partition(";")[0] for line in (*chosen.requirements, *ALWAYS)]
    if chosen.loader == "litert" and not _version("ai-edge-litert"):
        names = ["tensorflow-cpu", "tensorflow", *names]  # whose interpreter takes its place
    known = {name: _version(name) for name in names if _version(name)}
    return {"Python": platform.python_version(), **known, "on": platform.platform()}


def model_card_of(run: Run) -> str:
    """The model card of a run as Markdown."""
    facts = read_card_facts(run, run.read_label().name)
    usual = tr("{network} on {dataset}", network=facts.backbone.name, dataset=facts.dataset)
    return as_markdown(facts if facts.name else replace(facts, name=usual))


def _write_samples(folder: Path, predictor: Predictor, photos: Sequence[Path]) -> None:
    """Three photos without anything but their pixels, and what the run's model predicts for exactly these files."""
    folder.mkdir()
    expected: dict[str, list[float]] = {}
    for number, photo in enumerate(photos[:SAMPLES], 1):
        content = io.BytesIO()
        Image.fromarray(decode(photo, 2 * predictor.resolution)).save(content, "JPEG", quality=92)
        name = f"sample-{number}.jpg"
        (folder / name).write_bytes(content.getvalue())
        seen = predictor.see(content.getvalue())
        expected[name] = predictor.predict([seen]).probabilities[0].tolist()
    (folder / "expected.json").write_text(json.dumps(expected, indent=1), "utf-8")


def one_of_each(labels: NDArray[np.intp], files: Sequence[Path]) -> list[Path]:
    """Files of different classes first, so that the samples show more than one."""
    _, first = np.unique(labels, return_index=True)
    order = [*first, *(i for i in range(len(files)) if i not in set(first.tolist()))]
    return [files[i] for i in order]


def parity_files(found: ParityReport) -> Mapping[str, str]:
    """The parity report for programs and for people, by file name."""
    return {CERTIFICATE: json.dumps(found.to_values(), indent=1), CERTIFICATE_TEXT: as_text(found)}


def zipped(folder: Path, file: Path) -> None:
    """Write a folder's content into a ZIP file, below one folder of the file's name."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, f"{file.stem}/{path.relative_to(folder).as_posix()}")


def size_of(path: Path) -> int:
    """Bytes of the model: of a file with what belongs to it, or of a folder."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.stem}.*")
    return sum(each.stat().st_size for each in files if each.is_file())
