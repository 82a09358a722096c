"""The script that an export brings along: decodes as `core.data.images` does, and runs the model.

What differs between formats is how the model is loaded and run. A test compares its pixels with ours, bit by bit.
"""

from core.data.images import FORMATS, MODES
from core.export.formats import ExportFormat

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

_SCRIPT = '''"""Classifies photos.

    python predict.py                       the sample photos, compared with the expected probabilities
    python predict.py PHOTO_OR_FOLDER ...   the most probable classes of photos, with calibrated probabilities
    python predict.py --json FOLDER ...     the same for programs: a line of JSON for each photo

It needs the packages in requirements.txt: pip install -r requirements.txt
In a program of your own: from predict import load, pixels, run, calibrated, decide, CLASSES
"""

import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
[[IMPORTS]]
HERE = Path(__file__).resolve().parent
CLASSES = (HERE / "labels.txt").read_text("utf-8").split("\\n")[:-1]
SIDE = json.loads((HERE / "preprocessing.json").read_text("utf-8"))["side"]
RULE = json.loads((HERE / "decision.json").read_text("utf-8"))

FORMATS = [[FORMATS]]
MODES = [[MODES]]
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image):
    """How the camera was held, from the photo's EXIF data; 1, upright, where that is damaged."""
    try:
        return image.getexif().get(0x0112, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, RuntimeError, EOFError, struct.error):
        return 1


def pixels(photo):
    """A photo as the model takes it: the middle square, upright, RGB, float32 (SIDE, SIDE, 3) from 0 to 255."""
    with Image.open(photo, formats=FORMATS) as image:
        if image.mode not in MODES:
            raise ValueError(f"{photo}: its pixel type ({image.mode}) has no fixed brightness range")
        image.draft(None, (3 * SIDE // 2, 3 * SIDE // 2))  # a large JPEG is read at a half, quarter or eighth
        image.load()
        turn = TURNS.get(orientation(image))
        image = image if turn is None else image.transpose(turn)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.has_transparency_data:  # lies over white
            layer, image = image.convert("RGBA"), Image.new("RGB", image.size, "white")
            image.paste(layer, mask=layer.getchannel("A"))
        elif image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        side, (width, height) = min(image.size), image.size
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box, reducing_gap=2.0)
        return np.asarray(image.convert("RGB"), np.float32)

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
    """The files that are named, and those in folders that are named."""
    for path in map(Path, arguments):
        yield from sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def check_samples(model):
    """Compare the model's predictions on the sample photos with the expected ones."""
    for name, expected in json.loads((HERE / "samples" / "expected.json").read_text("utf-8")).items():
        found = run(model, pixels(HERE / "samples" / name))
        apart = np.abs(found - np.array(expected)).max()
        right = CLASSES[np.argmax(expected)]
        print(f"{name}: {CLASSES[found.argmax()]} {found.max():.1%}, expected {right} {max(expected):.1%}", end="; ")
        print(f"largest difference {apart:.1e}")


def main(arguments):
    """Do what the first lines of this file say."""
    as_json = arguments[:1] == ["--json"]
    model = load()
    if not arguments:
        return check_samples(model)
    for photo in photos_in(arguments[1:] if as_json else arguments):
        began = time.perf_counter()
        found = run(model, pixels(photo))
        seconds = time.perf_counter() - began
        if as_json:
            row = {"photo": photo.name, "milliseconds": 1000 * seconds, "probabilities": found.tolist()}
            row |= dict(zip(("class", "confidence", "unsure"), decide(found)))
            print(json.dumps(row), flush=True)
        else:
            best, shares = np.argsort(-found)[:3], calibrated(found)
            note = " (unsure)" if decide(found)[2] else ""
            print(f"{photo.name}: {', '.join(f'{CLASSES[i]} {shares[i]:.1%}' for i in best)}{note}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
'''


def predict_script(chosen: ExportFormat) -> str:
    """The text of `predict.py` for a format."""
    imports, function, rest = LOADERS[chosen.loader].partition("\n\ndef load")
    parts = {
        "IMPORTS": imports.strip("\n") + "\n",
        "RUN": f"{function}{rest}".replace("[[MODEL]]", chosen.model),
        "FORMATS": repr(FORMATS),
        "MODES": repr(set(sorted(MODES))),
    }
    text = _SCRIPT
    for name, part in parts.items():
        text = text.replace(f"[[{name}]]", part)
    return text
