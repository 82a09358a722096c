"""The other side of the speed bench: EfficientNet-B0 fine-tuned by a plain Keras script.

    uv run python -m bench.plain_keras FOLDER --head-epochs 5 --fine-tune-epochs 10 --unfreeze block7 --out DIR
    uv run python -m bench.plain_keras FOLDER --all --epochs 1 --out DIR
    uv run python -m bench.plain_keras FOLDER --features-once --head-epochs 10 --out DIR

FOLDER holds train/ and validation/, each with a folder for every class. Photos come in as in "Load and preprocess
images" and "Data augmentation" (tensorflow.org/tutorials): one decode, kept in memory, changed anew in every epoch. The
model learns as in "Image classification via fine-tuning with EfficientNet" (keras.io/examples): the head first, then
the upper blocks at a lower rate, with BatchNorm frozen all the time. With --features-once it is what somebody writes
who knows that the frozen part need not see a photo twice ("Transfer learning & fine-tuning", keras.io/guides): one
`predict` of the pooled features, and a head on arrays.

DIR gets `model.keras` and `result.json`: seconds from `--started` to the saved model, the validation accuracy after
every epoch, and the most memory that the process held, in megabytes.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from core.models import weights
from core.models.backbones import backbone
from core.models.build import build_backbone
from core.settings import settings_from

B0 = backbone("efficientnet-b0")
SEED = 0


def photos(folder: Path, batch_size: int, *, shuffle: bool, augmenter: keras.Sequential | None = None) -> Any:
    """Batches of float32 photos `(B, S, S, 3)` in [0, 255] with labels `(B,)`, decoded once and kept in memory."""
    side = B0.resolution
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(side, side), batch_size=batch_size, shuffle=shuffle, seed=SEED
    ).cache()
    if augmenter is not None:
        dataset = dataset.map(
            lambda pictures, labels: (augmenter(pictures, training=True), labels), num_parallel_calls=tf.data.AUTOTUNE
        )
    return dataset.prefetch(tf.data.AUTOTUNE)


def build_augmenter() -> keras.Sequential:
    """The changes, and their strengths, that Unfreeze offers first."""
    return keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.05), keras.layers.RandomZoom(0.15)]
    )


def build_model(class_count: int, dropout: float) -> keras.Model:
    """EfficientNet-B0, frozen, with a new head."""
    # EfficientNetB0(include_top=False) with the very ImageNet weights that Unfreeze starts from.
    features = build_backbone(B0)
    weights.load(features, B0, weights.fetch(B0, settings_from()))
    features.trainable = False
    x = keras.layers.GlobalAveragePooling2D()(features.output)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(features.input, keras.layers.Dense(class_count, activation="softmax")(x))


def features_once(model: keras.Model, folder: Path, batch_size: int) -> tuple[Any, Any]:
    """What the head of a model reads of each photo `(N, D)`, and the labels `(N,)`."""
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(B0.resolution, B0.resolution), batch_size=batch_size, shuffle=False
    )
    labels = np.array([dataset.class_names.index(Path(file).parent.name) for file in dataset.file_paths])
    pooled = keras.Model(model.input, model.layers[-2].input)
    return pooled.predict(dataset.map(lambda pictures, labels: pictures).prefetch(2), verbose=0), labels


def learn_on_features(model: keras.Model, chosen: argparse.Namespace) -> list[float]:
    """Train the head of a model on features that are computed once; returns what `learn` does."""
    training, validation = (
        features_once(model, chosen.folder / part, chosen.batch_size) for part in ("train", "validation")
    )
    start = keras.Input(training[0].shape[1:])
    head = keras.Model(start, model.layers[-1](model.layers[-2](start)))
    head.compile(
        optimizer=keras.optimizers.Adam(chosen.head_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    history = head.fit(
        *training,
        batch_size=chosen.batch_size,
        epochs=chosen.head_epochs,
        validation_data=validation,
        verbose=2,
    )
    return [float(value) for value in history.history["val_accuracy"]]


def unfreeze(model: keras.Model, start: str) -> None:
    """Let the layers from the first one whose name begins with `start` learn, or "all"; never BatchNorm."""
    names = [layer.name for layer in model.layers]
    first = 0 if start == "all" else next(i for i, name in enumerate(names) if name.startswith(start))
    for layer in model.layers[first:]:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)


def learn(model: keras.Model, training: Any, validation: Any, epochs: int, rate: float) -> list[float]:
    """Compile and fit; returns the validation accuracy after every epoch."""
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    history = model.fit(training, validation_data=validation, epochs=epochs, verbose=2)
    return [float(value) for value in history.history["val_accuracy"]]


def choices() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--head-epochs", type=int, default=5)
    parser.add_argument("--fine-tune-epochs", type=int, default=10)
    parser.add_argument(
        "--unfreeze", default="block7", help="layers from this name's beginning on learn in fine-tuning"
    )
    parser.add_argument("--all", action="store_true", help="no head phase, everything learns for --epochs")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--features-once", action="store_true", help="a head on features that are computed once")
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--head-rate", type=float, default=1e-2)
    parser.add_argument("--fine-tune-rate", type=float, default=1e-4)
    parser.add_argument("--started", type=float, help="time.time() at the start; without it, once all is imported")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    if chosen.all:
        chosen.head_epochs, chosen.fine_tune_epochs, chosen.unfreeze = 0, chosen.epochs, "all"
    return chosen


def learn_on_photos(model: keras.Model, chosen: argparse.Namespace) -> list[float]:
    """Train the head of a model, then what is unfrozen, on photos; returns what `learn` does."""
    augmenter = build_augmenter() if chosen.augment else None
    training = photos(chosen.folder / "train", chosen.batch_size, shuffle=True, augmenter=augmenter)
    validation = photos(chosen.folder / "validation", chosen.batch_size, shuffle=False)
    accuracies = []
    if chosen.head_epochs:
        accuracies += learn(model, training, validation, chosen.head_epochs, chosen.head_rate)
    if chosen.fine_tune_epochs:
        unfreeze(model, chosen.unfreeze)
        accuracies += learn(model, training, validation, chosen.fine_tune_epochs, chosen.fine_tune_rate)
    return accuracies


def main() -> None:
    """Train as the command line asks, and write down what it took."""
    chosen = choices()
    started = chosen.started or time.time()
    keras.utils.set_random_seed(SEED)
    class_count = sum(entry.is_dir() for entry in (chosen.folder / "train").iterdir())
    model = build_model(class_count, chosen.dropout)
    accuracies = (learn_on_features if chosen.features_once else learn_on_photos)(model, chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    model.save(chosen.out / "model.keras")
    result = {
        "seconds": time.time() - started,
        "val_accuracy": accuracies,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (chosen.out / "result.json").write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
