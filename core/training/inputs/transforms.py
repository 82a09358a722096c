"""The random transforms themselves, each a function of a photo, a strength and draws that follow from a seed.

A photo is float32 `(S, S, 3)` in [0, 255]; whoever calls clips the result to that range. Keras' own layers could not be
used as they are. In Keras 3.15 `RandomElasticTransform` moves every pixel along one diagonal, for both directions have
the same seed; `RandomPerspective` never moves the first corner; `RandomShear` turns about a corner, not the middle;
`Solarization` inverts most where its factor is least; `RandomSaturation` leaves the range; blur and sharpness darken
edges; `RandAugment` computes all of its transforms and takes two; `AugMix` draws from Python's global generator. And
none can be seeded per photo. Functions of a seed can run at the same time, and several geometric transforms are one
warp.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


class Draws:
    """Random numbers that follow from a seed, each draw with numbers of its own."""

    def __init__(self, seed: tf.Tensor) -> None:
        """Draw for this seed, two whole numbers."""
        self._seed, self._count = tf.cast(seed, tf.int64), 0

    def uniform(self, low: float, high: float, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """Numbers between the two."""
        return tf.random.stateless_uniform(shape, self._next(), low, high)

    def whole(self, count: int) -> tf.Tensor:
        """One of 0 to count - 1."""
        return tf.random.stateless_uniform((), self._next(), 0, count, tf.int32)

    def seeds(self, count: int) -> tf.Tensor:
        """Seeds for other draws, `(count, 2)`: what is done sometimes has its own, so that others draw the same."""
        return tf.random.stateless_uniform((count, 2), self._next(), None, None, tf.int32)

    def _next(self) -> tf.Tensor:
        self._count += 1
        return self._seed + tf.constant([0, self._count], tf.int64)


Transform = Callable[[tf.Tensor, float, Draws], tf.Tensor]
Matrix = Callable[[int, float, Draws], tf.Tensor]


# Geometry: functions that give the matrix `(3, 3)` from a place in the new photo to the place in the old one that is
# seen there, both in pixels from the middle.


def _matrix(*values: tf.Tensor | float) -> tf.Tensor:
    return tf.reshape(tf.stack([tf.cast(value, tf.float32) for value in values]), (3, 3))


def flip_horizontal(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Left becomes right."""
    return _matrix(-1, 0, 0, 0, 1, 0, 0, 0, 1)


def flip_vertical(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Up becomes down."""
    return _matrix(1, 0, 0, 0, -1, 0, 0, 0, 1)


def rotation(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Up to this part of a full turn, to either side."""
    angle = 2 * 3.14159265 * draws.uniform(-strength, strength)
    sine, cosine = tf.sin(angle), tf.cos(angle)
    return _matrix(cosine, -sine, 0, sine, cosine, 0, 0, 0, 1)


def zoom(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Up to this share more or less of the scene, in each direction."""
    scale = 1 + draws.uniform(-strength, strength)
    return _matrix(scale, 0, 0, 0, scale, 0, 0, 0, 1)


def translation(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Up to this share of the side, along both axes."""
    shift = draws.uniform(-strength, strength, (2,)) * side
    return _matrix(1, 0, shift[0], 0, 1, shift[1], 0, 0, 1)


def shear(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """Each axis leans towards the other by up to this."""
    lean = draws.uniform(-strength, strength, (2,))
    return _matrix(1, lean[0], 0, lean[1], 1, 0, 0, 0, 1)


def crop(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """A square from anywhere, up to this share smaller than the photo, as large as the photo again."""
    cut = draws.uniform(0, strength)
    shift = draws.uniform(-0.5, 0.5, (2,)) * cut * side
    return _matrix(1 - cut, 0, shift[0], 0, 1 - cut, shift[1], 0, 0, 1)


def perspective(side: int, strength: float, draws: Draws) -> tf.Tensor:
    """The photo as a plane that is tilted: one end is smaller than the middle by up to half of this."""
    tilt = draws.uniform(-strength, strength, (2,)) / side
    return _matrix(1, 0, 0, 0, 1, 0, tilt[0], tilt[1], 1)


def warp(photo: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The photo seen through such a matrix; beyond its edges it is mirrored."""
    side, middle = photo.shape[0], (photo.shape[0] - 1) / 2
    to_middle, back = _matrix(1, 0, -middle, 0, 1, -middle, 0, 0, 1), _matrix(1, 0, middle, 0, 1, middle, 0, 0, 1)
    whole = back @ matrix @ to_middle
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=photo[None],
        transforms=(tf.reshape(whole, (1, 9)) / whole[2, 2])[:, :8],
        output_shape=(side, side),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return tf.ensure_shape(warped[0], photo.shape)


def elastic(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Shifts that vary smoothly over the photo, up to this share of its side.

    As in Ronneberger et al., "U-Net" (2015): random shifts on a coarse grid, bicubic in between.
    """
    side = photo.shape[0]
    coarse = draws.uniform(-strength * side, strength * side, (1, 5, 5, 2))
    shifts = tf.image.resize(coarse, (side, side), "bicubic")[0]
    places = tf.stack(tf.meshgrid(tf.range(side), tf.range(side), indexing="ij"), axis=-1)
    return _seen_at(photo, tf.cast(places, tf.float32) + shifts)


def _seen_at(photo: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The photo at places `(S, S, 2)`, row and column, bilinear; beyond an edge is what is at the edge."""
    side = photo.shape[0]
    places = tf.clip_by_value(places, 0, side - 1)
    first = tf.minimum(tf.floor(places), max(side - 2, 0))
    part = places - first
    corner = tf.cast(first[..., 0] * side + first[..., 1], tf.int32)
    pixels, down = tf.reshape(photo, (side * side, 3)), part[..., :1]
    right, last = part[..., 1:], side * side - 1
    above, below = (
        tf.gather(pixels, tf.minimum(start, last)) * (1 - right)
        + tf.gather(pixels, tf.minimum(start + 1, last)) * right
        for start in (corner, corner + side)
    )
    return above * (1 - down) + below * down


def brightness(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Up to this share of the range more or less."""
    return photo + 255 * draws.uniform(-strength, strength)


def contrast(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Each channel further from its mean, or nearer to it, by up to this share."""
    mean = tf.reduce_mean(photo, axis=(0, 1))
    return mean + (photo - mean) * (1 + draws.uniform(-strength, strength))


def saturation(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Each pixel further from its grey, or nearer to it, by up to this share."""
    grey = tf.image.rgb_to_grayscale(photo)
    return grey + (photo - grey) * (1 + draws.uniform(-strength, strength))


def hue(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Colours turned up to this share of half of the colour circle."""
    return 255 * tf.image.adjust_hue(photo / 255, draws.uniform(-strength / 2, strength / 2))


def colour_jitter(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Brightness, contrast, saturation and, a quarter as strong, hue."""
    for transform, part in ((brightness, 1), (contrast, 1), (saturation, 1), (hue, 0.25)):
        photo = tf.clip_by_value(transform(photo, part * strength, draws), 0, 255)
    return photo


def posterise(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Up to this many of the 8 bits cut off."""
    step = tf.pow(2.0, tf.cast(1 + draws.whole(-int(-strength // 1)), tf.float32))
    return tf.floor(photo / step) * step


def solarise(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """What is lighter than a threshold is inverted; the threshold lies up to this share below white."""
    return tf.where(photo >= 255 * (1 - draws.uniform(0, strength)), 255 - photo, photo)


def greyscale(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Without colours."""
    return tf.repeat(tf.image.rgb_to_grayscale(photo), 3, axis=-1)


def auto_contrast(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Each channel stretched over the whole range."""
    low, high = tf.reduce_min(photo, axis=(0, 1)), tf.reduce_max(photo, axis=(0, 1))
    return (photo - low) * (255 / tf.maximum(high - low, 1))


def equalise(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Every brightness as frequent as any other."""
    return tf.cast(keras.layers.Equalization(value_range=(0, 255))(photo[None])[0], tf.float32)


def sharpness(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Further from a smoothed photo, or nearer to it, by up to this."""
    smooth = _filtered(_filtered(photo, tf.constant([0.25, 0.5, 0.25]), 0), tf.constant([0.25, 0.5, 0.25]), 1)
    return photo + (photo - smooth) * draws.uniform(-strength, strength)


def blur(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """A Gaussian, its standard deviation up to this share of the side."""
    side = photo.shape[0]
    widest = strength * side
    reach = min(max(1, -int(-3 * widest // 1)), side - 1)
    deviation = tf.maximum(draws.uniform(0.2 * widest, widest), 0.2)
    weights = tf.exp(-0.5 * (tf.range(-reach, reach + 1, dtype=tf.float32) / deviation) ** 2)
    weights /= tf.reduce_sum(weights)
    return _filtered(_filtered(photo, weights, 0), weights, 1)


def _filtered(photo: tf.Tensor, weights: tf.Tensor, axis: int) -> tf.Tensor:
    """Weighted means along an axis; beyond the edges the photo is mirrored, so that they do not darken."""
    reach = weights.shape[0] // 2
    padded = tf.pad(photo, [[reach, reach] if way == axis else [0, 0] for way in range(3)], "REFLECT")
    kernel = tf.reshape(weights, (-1, 1, 1, 1) if axis == 0 else (1, -1, 1, 1))
    return tf.nn.depthwise_conv2d(padded[None], tf.tile(kernel, (1, 1, 3, 1)), (1, 1, 1, 1), "VALID")[0]


def erasing(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """A rectangle of noise, up to this share of the photo's area, its sides in a ratio of up to 3.

    Zhong et al., "Random Erasing Data Augmentation" (2020).
    """
    side = photo.shape[0]
    area, stretch = draws.uniform(0, strength), tf.exp(draws.uniform(-1.0986, 1.0986))
    sides = tf.stack([tf.sqrt(area * stretch), tf.sqrt(area / stretch)])
    lengths = tf.clip_by_value(tf.round(sides * side), 1, side)
    starts = tf.floor(draws.uniform(0, 1, (2,)) * (side - lengths + 1))
    along = tf.range(side, dtype=tf.float32)[:, None]
    inside = (along >= starts) & (along < starts + lengths)
    hole = inside[:, 0, None, None] & inside[None, :, 1, None]
    return tf.where(hole, draws.uniform(0, 255, photo.shape), photo)


def _warped(matrix: Matrix) -> Transform:
    return lambda photo, strength, draws: warp(photo, matrix(photo.shape[0], strength, draws))


SHAPES: Sequence[tuple[Transform, float]] = (
    (auto_contrast, 1),
    (equalise, 1),
    (posterise, 4),
    (_warped(rotation), 30 / 360),
    (solarise, 1),
    (_warped(shear), 0.3),
    (_warped(translation), 0.3),
)
"""What AugMix chooses from, each with its strength at full strength; RandAugment's list has four more."""

ALL: Sequence[tuple[Transform, float]] = (
    *SHAPES,
    (brightness, 0.9),
    (saturation, 0.9),
    (contrast, 0.9),
    (sharpness, 0.9),
)


def _one_of(choices: Sequence[tuple[Transform, float]], photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    [seed] = tf.unstack(draws.seeds(1))

    def branch(transform: Transform, full: float) -> Callable[[], tf.Tensor]:
        return lambda: tf.clip_by_value(transform(photo, full * strength, Draws(seed)), 0, 255)

    return tf.switch_case(draws.whole(len(choices)), [branch(*each) for each in choices])


def rand_augment(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """Two transforms of the list, one after the other: Cubuk et al., "RandAugment" (2020)."""
    return tf.foldl(lambda drawn, seed: _one_of(ALL, drawn, strength, Draws(seed)), draws.seeds(2), photo)


def aug_mix(photo: tf.Tensor, strength: float, draws: Draws) -> tf.Tensor:
    """The photo mixed with three chains of one to three transforms each: Hendrycks et al., "AugMix" (2020).

    The shares of the chains are Dirichlet, the share of all of them is Beta, both with parameter 1.
    """

    def chain(seed: tf.Tensor) -> tf.Tensor:
        own = Draws(seed)
        length = 1 + own.whole(3)
        return tf.foldl(lambda drawn, one: _one_of(SHAPES, drawn, strength, Draws(one)), own.seeds(3)[:length], photo)

    shares = -tf.math.log(draws.uniform(1e-6, 1, (3,)))
    chains = tf.map_fn(chain, draws.seeds(3), fn_output_signature=tf.TensorSpec(photo.shape, tf.float32))
    mixed = tf.tensordot(shares / tf.reduce_sum(shares), chains, 1)
    return photo + draws.uniform(0, 1) * (mixed - photo)
