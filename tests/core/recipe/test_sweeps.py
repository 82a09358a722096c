from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.subsets import NO_SUBSET, TEST, TRAINING, VALIDATION
from core.errors import RecipeError
from core.models.backbones import backbone
from core.recipe import sweeps
from core.recipe.augmentations import AUGMENTATION_OF, AUGMENTATIONS, Choice
from core.recipe.recipe import Recipe
from core.recipe.sweeps import Past, Planned
from core.runs.store import Label
from core.training.launch import create_run
from tests.conftest import Workplace

BASE = Recipe(
    dataset="/photos/flowers",
    unfreeze_point="block6",
    augmentations={"zoom": Choice(0.2), "rotation": Choice(0.05, 0.5)},
    seed=7,
    split_seed=3,
    dropout=0.3,
)

SWEEPS: dict[str, tuple[Callable[[], tuple[Planned, ...]], int, set[str]]] = {
    "repeats": (lambda: sweeps.repeats(BASE, 5), 5, {"seed"}),
    "one thing": (lambda: sweeps.vary(BASE, "dropout", (0.0, 0.2, 0.5)), 3, {"dropout"}),
    "two things": (
        lambda: sweeps.grid(BASE, {"batch_size": (8, 32), "optimizer": ("adam", "sgd", "adamw")}),
        6,
        {"batch_size", "optimizer"},
    ),
    "variants": (
        lambda: sweeps.vary(BASE, "backbone", ("efficientnet-b1", "efficientnet-lite0", "baseline-cnn")),
        3,
        {"backbone", "unfreeze_point"},
    ),
    "unfreeze points": (lambda: sweeps.unfreeze_points(BASE), 10, {"unfreeze_point"}),
    "rates": (
        lambda: sweeps.vary(BASE, sweeps.LEARNING_RATE, sweeps.learning_rates(BASE)),
        5,
        {"fine_tune_learning_rate"},
    ),
    "augmentations": (lambda: sweeps.each_augmentation_alone(BASE), len(AUGMENTATIONS) + 1, {"augmentations"}),
    "and half": (
        lambda: sweeps.each_augmentation_alone(BASE, ("rotation", "flip_horizontal"), also_half=True),
        5,
        {"augmentations"},
    ),
}


def fields_that_vary(runs: Iterable[Planned]) -> set[str]:
    values = [{name: repr(value) for name, value in vars(run.recipe).items()} for run in runs]
    return {name for name in values[0] if len({each[name] for each in values}) > 1}


@pytest.mark.parametrize("kind", SWEEPS)
def test_a_sweep_varies_what_it_is_meant_to_and_nothing_else(kind: str) -> None:
    make, count, varied = SWEEPS[kind]
    runs = make()
    assert len(runs) == count
    assert fields_that_vary(runs) == varied
    untouched = set(asdict(BASE)) - varied
    assert all(getattr(run.recipe, name) == getattr(BASE, name) for run in runs for name in untouched)


@pytest.mark.parametrize("kind", SWEEPS)
def test_names_tell_runs_apart_and_variants_repeats_together(kind: str) -> None:
    runs = SWEEPS[kind][0]()
    assert len({run.name for run in runs}) == len(runs)
    assert len({run.variant for run in runs}) == (1 if kind == "repeats" else len(runs))


def test_repeats_begin_with_the_seed_of_the_recipe() -> None:
    runs = sweeps.repeats(BASE, 3)
    assert [run.recipe.seed for run in runs] == [7, 8, 9]
    assert runs[0].recipe == BASE
    assert [run.name for run in runs] == [
        "EfficientNet-B0, 1 of 3",
        "EfficientNet-B0, 2 of 3",
        "EfficientNet-B0, 3 of 3",
    ]
    assert sweeps.repeats(replace(BASE, seed=2**31 - 1), 2)[1].recipe.seed == 0


def test_every_run_of_a_sweep_can_be_repeated() -> None:
    runs = sweeps.repeated(sweeps.vary(BASE, "batch_size", (8, 16)), 3)
    assert [(run.variant, run.recipe.seed) for run in runs] == [
        *(("batch size 8", seed) for seed in (7, 8, 9)),
        *(("batch size 16", seed) for seed in (7, 8, 9)),
    ]


@pytest.mark.parametrize(
    ("field", "values", "variants"),
    [
        ("unfreeze_point", ("none", "block6", "all"), ["head only", "from block6", "everything"]),
        ("backbone", ("baseline-cnn",), ["Baseline CNN"]),
        ("class_weights", (False, True), ["class weights no", "class weights yes"]),
        (sweeps.LEARNING_RATE, (3e-5,), ["learning rate, fine-tuning 3e-05"]),
    ],
)
def test_variants_are_named_in_words(field: str, values: tuple[Any, ...], variants: list[str]) -> None:
    assert [run.variant for run in sweeps.vary(BASE, field, values)] == variants


def test_a_variant_brings_its_own_unfreeze_point_even_when_both_are_varied() -> None:
    runs = sweeps.grid(BASE, {"unfreeze_point": ("none", "all"), "backbone": ("resnet50", "mobilenetv2")})
    assert [run.variant for run in runs][:2] == ["ResNet50 · head only", "ResNet50 · everything"]
    layered = replace(BASE, unfreeze_point="block6", unfreeze_layer="block6c_expand_conv")
    assert [run.recipe.unfreeze_layer for run in sweeps.vary(layered, "backbone", ("resnet50",))] == [""]
    with pytest.raises(RecipeError, match="ResNet50 has no unfreeze point 'block6'"):
        sweeps.grid(BASE, {"unfreeze_point": ("block6",), "backbone": ("resnet50",)})


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        (BASE, "fine_tune_learning_rate"),
        (replace(BASE, unfreeze_point="none"), "head_learning_rate"),
        (replace(BASE, fine_tune_epochs=0), "head_learning_rate"),
        (replace(BASE, weights="random"), "scratch_learning_rate"),
        (replace(BASE, backbone="baseline-cnn", unfreeze_point="all"), "scratch_learning_rate"),
    ],
)
def test_the_rate_that_matters_most_is_varied(recipe: Recipe, field: str) -> None:
    ladder = sweeps.learning_rates(recipe)
    assert getattr(recipe, field) in ladder
    runs = sweeps.vary(recipe, sweeps.LEARNING_RATE, ladder)
    assert [getattr(run.recipe, field) for run in runs] == list(ladder) == sorted(ladder)


def test_a_ladder_stays_within_what_is_allowed() -> None:
    assert sweeps.learning_rates(replace(BASE, fine_tune_learning_rate=1.0)) == (0.1, 0.3, 1.0)


@pytest.mark.parametrize("factor", sweeps.FACTORS, ids=lambda factor: str(factor.key))
def test_every_value_that_is_offered_can_be_trained_with(factor: sweeps.Factor) -> None:
    values = factor.values(BASE, 100)
    field = sweeps.learning_rate_field(BASE) if factor.key == sweeps.LEARNING_RATE else factor.key
    assert getattr(BASE, field) in values and len(values) > 1
    assert len(sweeps.vary(BASE, factor.key, values)) == len(values)


@pytest.mark.parametrize(
    ("most", "own", "series"),
    [
        (300, 0, (5, 10, 20, 40, 80, 160, 0)),
        (300, 30, (5, 10, 20, 30, 40, 80, 160, 0)),
        (11, 0, (5, 10, 0)),
        (10, 0, (2, 4, 8, 0)),
        (4, 0, (1, 2, 0)),
        (1, 0, (0,)),
    ],
)
def test_photos_per_class_double_up_to_what_there_is(most: int, own: int, series: tuple[int, ...]) -> None:
    recipe = replace(BASE, photos_per_class=own)
    assert sweeps.sizes(recipe, most) == series
    runs = sweeps.vary(recipe, "photos_per_class", series)
    assert [run.recipe.photos_per_class for run in runs] == list(series)
    assert fields_that_vary(runs) <= {"photos_per_class"}


def test_runs_on_few_photos_are_named_by_them_and_take_less_time() -> None:
    runs = sweeps.vary(BASE, "photos_per_class", (1, 5, 0))
    assert [run.name for run in runs] == [
        "1 training photo per class",
        "5 training photos per class",
        "all training photos",
    ]
    known = [Past(BASE, 100, 100.0)]
    assert sweeps.estimated_seconds(runs, [3, 40, 57], known) == pytest.approx(3 + 13 + 100)


def test_augmentations_come_one_by_one() -> None:
    none, flip, turn, rarer_flip, rarer_turn = sweeps.each_augmentation_alone(
        BASE, ("flip_horizontal", "rotation"), also_half=True
    )
    assert none.variant == sweeps.NO_AUGMENTATION and not none.recipe.augmentations
    assert flip.recipe.augmentations == {"flip_horizontal": AUGMENTATION_OF["flip_horizontal"].choice()}
    assert (turn.variant, rarer_turn.variant) == ("Rotation, all photos", "Rotation, half of the photos")
    assert rarer_turn.recipe.augmentations == {"rotation": Choice(AUGMENTATION_OF["rotation"].default, 0.5)}
    assert rarer_flip.recipe.augmentations["flip_horizontal"].probability == 0.25


def study(settings_of: Workplace, count: int = 4) -> sweeps.Study:
    return sweeps.flower_study(replace(BASE, backbone="efficientnet-b0"), settings_of.settings, count)


@pytest.fixture
def with_mobilenet(workplace: Workplace) -> Workplace:
    source = backbone("mobilenetv2").weights
    assert source
    folder: Path = workplace.settings.weights_folder
    folder.mkdir(parents=True)
    (folder / source.file_name).touch()
    return workplace


def test_the_flower_study_has_its_runs_in_the_order_of_the_study(with_mobilenet: Workplace) -> None:
    found = study(with_mobilenet)
    variants = [run.variant for run in found.runs]
    assert variants[:4] == [sweeps.BASELINE_NAME] * 4 and [run.recipe.seed for run in found.runs[:4]] == [7, 8, 9, 10]
    names = [AUGMENTATION_OF[key].name for key in sweeps.STUDY_AUGMENTATIONS[1:]]
    assert variants[4:-2] == [
        "Flip left–right, half of the photos",
        *(f"{name}, all photos" for name in names),
        "Flip left–right, 25 % of the photos",
        *(f"{name}, half of the photos" for name in names),
    ]
    assert variants[-2:] == ["MobileNetV2, feature extractor", "MobileNetV2, fine-tuned from layer 100"]
    assert found.note == ""
    published = {variant: sweeps.published_accuracy(variant) for variant in variants}
    assert {variant: ends for variant, ends in published.items() if ends} == {
        variants[0]: (0.650, 0.679),
        variants[-2]: (0.894, 0.894),
        variants[-1]: (0.948, 0.948),
    }
    assert {run.recipe.backbone for run in found.runs[:-2]} == {"baseline-cnn"}
    assert all(not run.recipe.augmentations for run in (*found.runs[:4], *found.runs[-2:]))
    assert fields_that_vary(found.runs) == {"backbone", "unfreeze_point", "unfreeze_layer", "augmentations", "seed"}


def test_layer_100_is_that_of_the_network_as_keras_builds_it(with_mobilenet: Workplace) -> None:
    import keras

    network = keras.applications.MobileNetV2(include_top=False, weights=None)
    tuned = study(with_mobilenet).runs[-1].recipe
    assert network.layers[100].name == tuned.unfreeze_layer
    assert backbone("mobilenetv2").block_of(tuned.unfreeze_layer) == tuned.unfreeze_point


def test_without_its_weights_another_network_takes_its_place_and_is_named(workplace: Workplace) -> None:
    found = study(workplace, 2)
    extractor, tuned = found.runs[-2:]
    assert extractor.variant == "Lite0 for MobileNetV2, feature extractor"
    assert (extractor.recipe.backbone, extractor.recipe.unfreeze_point) == ("efficientnet-lite0", "none")
    assert tuned.recipe.unfreeze_point != "none" and tuned.recipe.unfreeze_point in tuned.variant
    assert "EfficientNet-Lite0 takes its place" in found.note and "MobileNetV2" in found.note
    assert sweeps.published_accuracy(tuned.variant) == (0.948, 0.948)


@pytest.mark.parametrize("count", [0, 201])
def test_too_few_and_too_many_runs_are_refused(count: int) -> None:
    with pytest.raises(RecipeError, match="must be 1 or more" if count == 0 else "at most 200 are queued"):
        sweeps.repeats(BASE, count)


def test_a_subset_keeps_every_class_and_every_part() -> None:
    labels = np.repeat(np.arange(3), (100, 40, 5)).astype(np.int32)
    parts = np.concatenate([np.resize([0, 0, 0, 0, 0, 0, 0, 1, 2, 2], 140), [0, 0, 0, 1, 2]]).astype(np.int8)
    parts[:10] = NO_SUBSET
    found = sweeps.few_per_class(labels, parts, 20)
    kept = found != NO_SUBSET
    assert (found[kept] == parts[kept]).all() and not kept[:10].any()
    assert np.bincount(labels[kept]).tolist() == [20, 20, 5]
    assert [int((found[labels == 0] == part).sum()) for part in (TRAINING, VALIDATION, TEST)] == [14, 2, 4]
    smallest = sweeps.few_per_class(labels, parts, 1)
    assert np.bincount(labels[smallest != NO_SUBSET]).tolist() == [3, 3, 3]


def test_a_subset_is_the_same_each_time() -> None:
    labels, parts = np.repeat([0, 1], 50).astype(np.int32), np.tile([0, 0, 1, 2, 0], 20).astype(np.int8)
    one, again, other = (sweeps.few_per_class(labels, parts, 10, seed) for seed in (4, 4, 5))
    assert (one == again).all() and (one != other).any()


def test_runs_on_a_subset_share_photos_and_split(workplace: Workplace) -> None:
    folder = workplace.folder()
    parts = sweeps.few_per_class(folder.labels, np.tile([0, 0, 0, 1, 2], 6).astype(np.int8), 5)
    used = parts != NO_SUBSET
    runs = [
        create_run(
            workplace.store, each.recipe, folder.subset(used), parts[used], Label(each.name, "few", each.variant)
        )
        for each in sweeps.repeats(workplace.recipe(), 2)
    ]
    first, second = (run.split_file.read_text("utf-8") for run in runs)
    assert first == second and first.count("\n") == 1 + 10
    assert {run.read_label().group for run in runs} == {"few"}


def test_the_time_is_told_from_what_like_runs_took() -> None:
    other = Past(replace(BASE, unfreeze_point="all"), 100, 1000.0)
    alike = [Past(BASE, 100, seconds) for seconds in (80.0, 160.0, 800.0)]
    runs = sweeps.repeats(BASE, 3)
    assert sweeps.estimated_seconds(runs, [20, 30], [other, *alike]) == pytest.approx(3 * 80)
    assert sweeps.estimated_seconds(runs, [100], [other]) == pytest.approx(3000)
    assert sweeps.estimated_seconds(sweeps.vary(BASE, "backbone", ("resnet50",)), [50], [other]) is None
    assert sweeps.estimated_seconds(runs, [50], []) is None
