"""Random changes as Keras layers, where Keras has none or draws them otherwise than is wanted here."""

from typing import Any

import keras
import tensorflow as tf


class Sometimes(keras.Layer):  # type: ignore[misc, unused-ignore]
    """Changes each photo by itself, and only a share of them: the chances are drawn for each photo anew.

    Some layers of Keras draw once for a whole batch; here they see one photo at a time, so that nothing depends on the
    photos that happen to come with it. What is not changed costs nothing.
    """

    def __init__(self, layer: keras.Layer, probability: float, seed: int) -> None:
        """Change photos with `layer`, each with this probability, in (0, 1]."""
        super().__init__()
        self.layer, self.probability = layer, probability
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Prepare for photos of this shape."""
        self.layer.build((1, *shape[1:]))

    def call(self, photos: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Photos `(B, S, S, 3)`, changed while training."""
        if not training:
            return photos
        if photos.shape[0] == 1:
            return self._one(photos)
        return tf.map_fn(lambda photo: self._one(photo[None])[0], photos, parallel_iterations=1)

    def _one(self, photo: tf.Tensor) -> tf.Tensor:
        if self.probability == 1:
            return self._changed(photo)
        drawn = keras.random.uniform((), seed=self.seed_generator)
        return tf.cond(drawn < self.probability, lambda: self._changed(photo), lambda: photo)

    def _changed(self, photo: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(self.layer(photo, training=True), photo.shape)


class Flip(keras.Layer):  # type: ignore[misc, unused-ignore]
    """Mirrors every photo. `RandomFlip` leaves half of them, and so could not mirror more often."""

    def __init__(self, axis: int) -> None:
        """Mirror along axis 1, upside down, or 2, left to right."""
        super().__init__()
        self.axis = axis

    def call(self, photos: tf.Tensor, **_: Any) -> tf.Tensor:
        """Photos `(B, S, S, 3)`, mirrored."""
        return tf.reverse(photos, [self.axis])
