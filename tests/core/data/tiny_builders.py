"""Tiny datasets for TensorFlow Datasets, made without a network; imported by the worker process as well as by tests."""

import io
import os
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds  # type: ignore[import-untyped, unused-ignore]
from PIL import Image


def jpeg(number: int) -> bytes:
    """A small JPEG photo, different for each number."""
    pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


class TinySquares(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc, unused-ignore]
    """Two classes with awkward names in three parts: JPEG photos, one without a label, and a part of another name."""

    VERSION = tfds.core.Version("1.0.0")
    COUNTS: ClassVar = {"train": 6, "test": 4, "extra": 2}
    NAMES: ClassVar = ["a/b", "A_B"]

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "mask": tfds.features.Image(shape=(None, None, 1)),
                    "label": tfds.features.ClassLabel(names=self.NAMES),
                    "shade": tfds.features.ClassLabel(num_classes=3),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {name: self._generate_examples(count) for name, count in self.COUNTS.items()}

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        mask = np.zeros((2, 2, 1), np.uint8)
        for number in range(count):
            label = -1 if number == 5 else number % 2
            yield number, {"image": io.BytesIO(jpeg(number)), "mask": mask, "label": label, "shade": 0}


class TinyTest(TinySquares):
    """No part for training, and pixels instead of files; only one photo and one class, so no supervised keys."""

    COUNTS: ClassVar = {"test": 3}

    def _info(self) -> Any:
        features = {"photo": tfds.features.Image(shape=(4, 4, 1)), "kind": tfds.features.ClassLabel(num_classes=3)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(count):
            yield number, {"photo": np.full((4, 4, 1), 80 * number, np.uint8), "kind": number}


class TinyHeights(TinySquares):
    """Pictures whose pixels are floating point numbers, and no class."""

    def _info(self) -> Any:
        features = {"height": tfds.features.Image(shape=(4, 4, 1), dtype=np.float32)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))


class TinyByHand(TinySquares):
    """A dataset that nobody may fetch by a program."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Write a letter."


class TinyUnlabelled(TinySquares):
    """A test part without labels, as contests have it."""

    COUNTS: ClassVar = {"train": 4, "test": 2}

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, record in super()._generate_examples(count):
            yield number, {**record, "label": record["label"] if count == 4 else -1}


class TinyDownload(TinySquares):
    """Photos that come from the address in the environment variable `TINY_URL`, 9 MB of them."""

    url_infos: ClassVar = {
        os.environ.get("TINY_URL", ""): tfds.download.checksums.UrlInfo(
            size=9_000_000, checksum="0a" * 32, filename="tiny"
        )
    }

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        dl_manager.download(os.environ["TINY_URL"])
        return super()._split_generators(dl_manager)


class TinySlow(TinySquares):
    """Photos that come slowly out of the records, so that there is time to interfere while they are written."""

    COUNTS: ClassVar = {"train": 100}

    def as_dataset(self, *arguments: Any, **options: Any) -> Any:
        import tensorflow as tf

        def late(label: Any) -> Any:
            time.sleep(0.2)
            return label

        def wait(record: dict[str, Any]) -> dict[str, Any]:
            return {**record, "label": tf.numpy_function(late, [record["label"]], tf.int64)}

        return super().as_dataset(*arguments, **options).map(wait)
