"""The script that an export brings along: decodes as `core.data.images` does, and runs the model.

What differs between formats is how the model is loaded and run. A test compares its pixels with ours, bit by bit.
"""

import json
from pathlib import Path

from core.data import encodings
from core.data.images import FORMATS, HEIF, HEIF_SUFFIXES, MODES, OF_ENCODINGS, PHOTO_SUFFIXES
from core.data.scan.walk import HOUSEKEEPING
from core.export.formats import ExportFormat
from core.language import ENGLISH, language, tr, tr_mark
from core.source_excerpts import source_excerpt

LOADERS: dict[str, str] = {
    "keras": '''
import keras


def load():
    """Load the model."""
    return keras.models.load_model(HERE / "[[MODEL]]", compile=False)


def run(model, photo):
    """The probabilities (K,) for one photo as `pixels` gives it."""
    return model.predict_on_batch(photo[None])[0]
''',
    "saved_model": '''
import tensorflow as tf


def load():
    """Load the model."""
    return tf.saved_model.load(str(HERE / "[[MODEL]]"))


def run(model, photo):
    """The probabilities (K,) for one photo as `pixels` gives it."""
    return model.serve(tf.constant(photo[None]))["probabilities"].numpy()[0]
''',
    "litert": '''
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # TensorFlow brings it along, too
    from tensorflow import lite

    Interpreter = lite.Interpreter


def load():
    """Load the model."""
    model = Interpreter(str(HERE / "[[MODEL]]"))
    model.allocate_tensors()
    return model


def run(model, photo):
    """The probabilities (K,) for one photo as `pixels` gives it."""
    (entry,), (answer,) = model.get_input_details(), model.get_output_details()
    model.set_tensor(entry["index"], photo[None])
    model.invoke()
    return model.get_tensor(answer["index"])[0]
''',
    "onnx": '''
import onnxruntime


def load():
    """Load the model."""
    return onnxruntime.InferenceSession(str(HERE / "[[MODEL]]"), providers=["CPUExecutionProvider"])


def run(model, photo):
    """The probabilities (K,) for one photo as `pixels` gives it."""
    return model.run(["probabilities"], {"photos": photo[None]})[0][0]
''',
    "openvino": '''
import openvino


def load():
    """Load the model."""
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # else some processors round so much that probabilities move by 2 %
    return openvino.Core().compile_model(str(HERE / "[[MODEL]]"), "CPU", exact)


def run(model, photo):
    """The probabilities (K,) for one photo as `pixels` gives it."""
    return model({"photos": photo[None]})["probabilities"][0]
''',
}
"""By key, how a model is loaded and run."""

USAGE = tr_mark("Classifies photos.")
COMMANDS = {
    "python predict.py": tr_mark("the sample photos, compared with the expected probabilities"),
    "python predict.py PHOTO_OR_FOLDER ...": tr_mark(
        "the most probable classes of photos, with calibrated probabilities"
    ),
    "python predict.py --json FOLDER ...": tr_mark("the same for programs: a line of JSON for each photo"),
}
REMARKS = (
    tr_mark(
        "Subfolders are included. What cannot be read is named, and the rest is classified; the exit status is then 1."
    ),
    tr_mark("It needs the packages in requirements.txt: {command}"),
    tr_mark("In a program of your own: {code}"),
)
INSTALL = "pip install -r requirements.txt"
IMPORT = "from predict import load, pixels, run, calibrated, decide, CLASSES"

SAID = (
    tr_mark("its pixel type ({mode}) has no fixed brightness range"),
    tr_mark("{folder}: not photos, passed over: {names}"),
    tr_mark("{names} and {count} more"),
    tr_mark("it is not a photo that can be read, or it is damaged"),
    tr_mark("{photo}: {found}, expected {right}; largest difference {difference}"),
    tr_mark("there is no such file"),
    tr_mark("There is no option {option}. See the first lines of predict.py."),
    tr_mark("unsure"),
    tr_mark("{failed} of {count} photos could not be read."),
    tr_mark("There are no photos."),
)
"""What the script says, besides why a photo cannot be read (`core.data.images.OF_ENCODINGS`)."""

_SCRIPT = '''"""[[USAGE]]"""

import io
import json
import os
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, TiffImagePlugin
[[IMPORTS]]
HERE = Path(__file__).resolve().parent
CLASSES = (HERE / "labels.txt").read_text("utf-8").split("\\n")[:-1]
SIDE = json.loads((HERE / "preprocessing.json").read_text("utf-8"))["side"]
RULE = json.loads((HERE / "decision.json").read_text("utf-8"))

FORMATS = [[FORMATS]]
MODES = [[MODES]]
PHOTO_SUFFIXES = [[PHOTO_SUFFIXES]]
HOUSEKEEPING = [[HOUSEKEEPING]]
TEXTS = [[TEXTS]]
BROKEN = (
    *(OSError, SyntaxError, ValueError, RuntimeError, LookupError, TypeError, EOFError, ArithmeticError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def said(message, **values):
    """A message in the language of this script, with its values filled in."""
    message, values = getattr(message, "message", message), getattr(message, "values", values)
    parts = re.split(r"\\{(\\w+)\\}", TEXTS.get(message, message))
    return "".join(str(values.get(part, part)) if at % 2 else part for at, part in enumerate(parts))


def orientation(image):
    """How the camera was held, from the photo's EXIF data; 1, upright, where that is damaged."""
    try:
        return image.getexif().get(0x0112, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, RuntimeError, EOFError, struct.error):
        return 1


[[ENCODINGS]]

FORMATS += ("HEIF",) if with_heif() else ()  # photos of iPhones


def pixels(photo):
    """A photo, given by its path or as an open file, as the model takes it.

    That is the middle square, upright, RGB, float32 (SIDE, SIDE, 3) from 0 to 255.
    """
    if hasattr(photo, "read"):
        return with_photo(photo, FORMATS, square)
    with open(photo, "rb") as stream:
        return with_photo(stream, FORMATS, square)


def square(image):
    """What `pixels` returns, of an open image."""
    if image.mode not in MODES:
        raise UnclearPixels(said("its pixel type ({mode}) has no fixed brightness range", mode=image.mode))
    image.draft(None, (3 * SIDE // 2, 3 * SIDE // 2))  # a large JPEG is read at a half, quarter or eighth
    photo, _ = eight_bit(image)
    turn = TURNS.get(orientation(image))
    photo = photo if turn is None else photo.transpose(turn)
    side, (width, height) = min(photo.size), photo.size
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    photo = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box, reducing_gap=2.0)
    return np.asarray(photo.convert("RGB"), np.float32)

[[RUN]]

def calibrated(probabilities):
    """The probabilities (K,) after temperature scaling: of answers with 80 %, about 80 in 100 are right."""
    known = np.maximum(np.asarray(probabilities, np.float64), RULE["smallest_probability"])
    scores = np.log(known) / RULE["temperature"]
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


def decide(probabilities):
    """The class, the confidence in it (0 to 1, calibrated), and whether that is too low to rely on."""
    best = int(np.argmax(probabilities))
    confidence = float(calibrated(probabilities)[best])
    return CLASSES[best], confidence, confidence < RULE["least_confidence"]


def photos_in(arguments):
    """The files that are named, and the photos in folders that are named and below; each with the name to show."""
    for path in map(Path, arguments):
        if not path.is_dir():
            yield path, path.name
            continue
        others = []
        for folder, folders, files in os.walk(path, onerror=lambda error: tell(f"{error.filename}: {error.strerror}")):
            folders[:] = sorted(name for name in folders if not is_housekeeping(name))
            for name in sorted(name for name in files if not is_housekeeping(name)):
                file = Path(folder, name)
                if file.suffix.lower() in PHOTO_SUFFIXES:
                    yield file, file.relative_to(path).as_posix()
                else:
                    others.append(name)
        if others:
            names = ", ".join(others[:3])
            if len(others) > 3:
                names = said("{names} and {count} more", names=names, count=len(others) - 3)
            tell(said("{folder}: not photos, passed over: {names}", folder=path, names=names))


def is_housekeeping(name):
    """Whether a file or folder is what operating systems leave behind."""
    return name.startswith(".") or name.lower() in HOUSEKEEPING


def shown(text):
    """A text without characters that a terminal would obey or cannot show."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in str(text))


def tell(text):
    """Say something that is no answer."""
    print(shown(text), file=sys.stderr, flush=True)


def why(error, photo):
    """Why a photo cannot be read."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnclearPixels):
        return said(error.args[0])
    with open(photo, "rb") as stream:
        return said(why_unread(stream) or "it is not a photo that can be read, or it is damaged")


def check_samples(model):
    """Compare the model's predictions on the sample photos with the expected ones."""
    for name, expected in json.loads((HERE / "samples" / "expected.json").read_text("utf-8")).items():
        found = run(model, pixels(HERE / "samples" / name))
        apart = np.abs(found - np.array(expected)).max()
        seen = f"{CLASSES[found.argmax()]} {found.max():.1%}"
        right = f"{CLASSES[np.argmax(expected)]} {max(expected):.1%}"
        message = "{photo}: {found}, expected {right}; largest difference {difference}"
        print(said(message, photo=name, found=seen, right=right, difference=f"{apart:.1e}"))


def classified(model, photo):
    """The probabilities (K,) for a photo and the milliseconds it took, or why it cannot be read."""
    began = time.perf_counter()
    if not photo.is_file():
        return said("there is no such file"), 0.0
    try:
        entry = pixels(photo)
    except BROKEN as error:
        return why(error, photo), 0.0
    return run(model, entry), 1000 * (time.perf_counter() - began)


def main(arguments):
    """Do what the first lines of this file say; returns the exit status."""
    as_json = arguments[:1] == ["--json"]
    arguments = arguments[1:] if as_json else arguments
    if any(each.startswith("-") for each in arguments):
        tell(said("There is no option {option}. See the first lines of predict.py.", option=arguments[0]))
        return 2
    model = load()
    if not arguments and not as_json:
        return check_samples(model)
    count = failed = 0
    for photo, name in photos_in(arguments):
        found, milliseconds = classified(model, photo)
        count, failed = count + 1, failed + isinstance(found, str)
        if as_json:
            row = {"photo": name, "milliseconds": milliseconds}
            if isinstance(found, str):
                row["error"] = found
            else:
                row |= {"probabilities": found.tolist()}
                row |= dict(zip(("class", "confidence", "unsure"), decide(found)))
            print(json.dumps(row), flush=True)
        elif isinstance(found, str):
            tell(f"{name}: {found}")
        else:
            best, shares = np.argsort(-found)[:3], calibrated(found)
            note = f" ({said('unsure')})" if decide(found)[2] else ""
            print(shown(f"{name}: {', '.join(f'{CLASSES[i]} {shares[i]:.1%}' for i in best)}{note}"), flush=True)
    if failed or not count:
        message = "{failed} of {count} photos could not be read." if count else "There are no photos."
        tell(said(message, failed=failed, count=count))
    return int(bool(failed or not count))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''


def source_of_encodings() -> str:
    """What `predict.py` uses of `core.data.encodings`."""
    text = Path(encodings.__file__).read_text("utf-8")
    return source_excerpt(text, ("with_heif", "with_photo", "eight_bit", "why_unread")) + "\n"


def _usage() -> str:
    """The script's first lines, in the reader's language."""
    commands = "".join(f"    {command:39} {tr(told)}\n" for command, told in COMMANDS.items())
    remarks = "\n".join(tr(remark, command=INSTALL, code=IMPORT) for remark in REMARKS[1:])
    return f"{tr(USAGE)}\n\n{commands}\n{tr(REMARKS[0])}\n\n{remarks}\n".replace("\\", "").replace('"', "'")


def _texts() -> dict[str, str]:
    """What the script says by its English, in the reader's language; empty where that is English."""
    return {} if language() == ENGLISH else {message: tr(message) for message in (*SAID, *OF_ENCODINGS)}


def _set(names: frozenset[str]) -> str:
    return "{" + ", ".join(map(repr, sorted(names))) + "}"


def predict_script(chosen: ExportFormat) -> str:
    """The text of `predict.py` for a format, which speaks the language of the present reader."""
    imports, function, rest = LOADERS[chosen.loader].partition("\n\ndef load")
    parts = {
        "IMPORTS": imports.strip("\n") + "\n",
        "USAGE": _usage(),
        "TEXTS": json.dumps(_texts(), ensure_ascii=False, indent=4),
        "RUN": f"{function}{rest}".replace("[[MODEL]]", chosen.model),
        "FORMATS": repr(tuple(name for name in FORMATS if name != HEIF)),
        "MODES": _set(MODES),
        "PHOTO_SUFFIXES": _set(PHOTO_SUFFIXES | HEIF_SUFFIXES),
        "HOUSEKEEPING": _set(HOUSEKEEPING),
        "ENCODINGS": source_of_encodings(),
    }
    text = _SCRIPT
    for name, part in parts.items():
        text = text.replace(f"[[{name}]]", part)
    return text
