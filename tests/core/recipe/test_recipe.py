import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.scan.folder import ImageFolder
from core.errors import RecipeError
from core.models.backbones import BACKBONES, Backbone
from core.recipe.augmentations import AUGMENTATIONS, Choice
from core.recipe.recipe import (
    FEW_PHOTOS,
    RANGES,
    VERSION,
    WEIGHTS,
    WHOLE,
    Recipe,
    are_few,
    default_epochs,
    default_recipe,
    default_unfreeze_point,
)

PLAIN = Recipe(dataset="/photos/flowers")


def words(name: str) -> str:
    return name.replace("_", " ")


def changed(**values: Any) -> Recipe:
    return replace(PLAIN, **values)


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_of_a_range_are_allowed(name: str) -> None:
    for end in (RANGES[name].low, RANGES[name].high):
        assert getattr(changed(**{name: end}), name) == end


@pytest.mark.parametrize("name", sorted(RANGES.keys() - {*WHOLE, "plateau_factor"}))
def test_whole_numbers_become_floats_where_any_number_is_allowed(name: str) -> None:
    whole = 1 if RANGES[name].high >= 1 else 0
    for recipe in (changed(**{name: whole}), Recipe.from_json(json.dumps({"dataset": "d", name: whole}))):
        value = getattr(recipe, name)
        assert type(value) is float and value == whole


@pytest.mark.parametrize("name", RANGES)
def test_a_number_out_of_range_is_refused_with_the_range(name: str) -> None:
    low, high = RANGES[name].low, RANGES[name].high
    step = 1 if name in WHOLE else 1e-9
    for value in (low - step, high + step, -1, *(() if name in WHOLE else (float("nan"), float("inf")))):
        with pytest.raises(RecipeError) as caught:
            changed(**{name: value})
        assert str(caught.value) == f"The {words(name)} is {value}; it must be between {low} and {high}."


def test_a_number_far_beyond_any_float_is_refused() -> None:
    for values in ({"batch_size": 10**400}, {"dropout": 10**400}, {"augmentations": {"zoom": 10**400}}):
        with pytest.raises(RecipeError, match=r"it must be (between|above)"):
            Recipe.from_json(json.dumps(asdict(PLAIN) | values))


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", ["8", None, True, [1]])
def test_what_is_no_number_is_refused(name: str, value: object) -> None:
    kind = "a whole number" if name in WHOLE else "a number"
    with pytest.raises(RecipeError) as caught:
        changed(**{name: value})
    assert str(caught.value) == f"The {words(name)} is {value!r}; it must be {kind}."


@pytest.mark.parametrize("name", WHOLE)
def test_half_a_step_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"The {words(name)} is 2.5; it must be a whole number"):
        changed(**{name: 2.5})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"version": VERSION + 1}, rf"version {VERSION + 1}; this Unfreeze reads version {VERSION}"),
        ({"weights": "noisy"}, "The weights are “noisy”; they must be one of imagenet, random"),
        ({"backbone": "efficientnet-b9"}, "There is no backbone 'efficientnet-b9'; choose one of: efficientnet-b0, "),
        ({"unfreeze_point": "block9"}, "EfficientNet-B0 has no unfreeze point 'block9'; choose one of: none, top_conv"),
        ({"backbone": "baseline-cnn"}, "Baseline CNN has no unfreeze point 'none'; choose one of: all"),
        ({"head_epochs": 0, "fine_tune_epochs": 0}, "no epochs to train: give the head or the fine-tuning"),
        ({"augmentations": ["zoom"]}, r"The augmentations are \['zoom'\]; they must give a choice for each name"),
        ({"augmentations": {"fog": Choice(0.1)}}, "There is no augmentation “fog”; there are flip_horizontal, "),
        ({"augmentations": {"zoom": 0.1}}, "The augmentation “zoom” is 0.1; it must have a strength and a probability"),
        ({"augmentations": {"zoom": Choice("0.1")}}, "The strength of “Zoom” is '0.1'; it must be a number"),  # type: ignore[arg-type]
        ({"augmentations": {"zoom": Choice(True)}}, "The strength of “Zoom” is True; it must be a number"),
        ({"augmentations": {"zoom": Choice(float("nan"))}}, "The strength of “Zoom” is nan; it must be above 0"),
        (
            {"augmentations": {"zoom": Choice(0.1, 0)}},
            "The probability of “Zoom” is 0; it must be above 0 and at most 1",
        ),
        ({"augmentations": {"zoom": Choice(0.1, 1.5)}}, "The probability of “Zoom” is 1.5; it must be above 0"),
        ({"augmentations": {"zoom": Choice(0.1, None)}}, "The probability of “Zoom” is None; it must be a number"),  # type: ignore[arg-type]
        ({"class_weights": 1}, "The class weights are 1; they must be true or false"),
        ({"class_weights": None}, "The class weights are None; they must be true or false"),
        ({"dataset": ""}, "The dataset is ''; it must be the path of a folder"),
        ({"optimizer": "lion"}, "The optimizer is “lion”; it must be one of adam, adamw, sgd, rmsprop"),
        ({"schedule": ["cosine"]}, "they|it must be one of cosine, plateau, constant"),
        ({"pooling": "median"}, "The pooling is “median”; it must be one of average, max, flatten"),
        ({"shuffle": "yes"}, "The shuffle is 'yes'; it must be true or false"),
        ({"more_epochs": (2, 0)}, r"The additional epochs are \(2, 0\); they must be whole numbers from 1 on"),
        ({"more_epochs": 3}, "they must be whole numbers from 1 on"),
        ({"without_classes": "rose"}, "The classes left out are 'rose'; they must be a list of names"),
        (
            {"unfreeze_point": "block6", "unfreeze_layer": "block7a_bn"},
            "it must be in the block of the unfreeze point",
        ),
        ({"unfreeze_point": "block6", "unfreeze_layer": "nonsense"}, "has no layer 'nonsense'"),
        ({"unfreeze_point": "block6", "unfreeze_layer": 7}, "The unfreeze layer is 7; it must be in the block"),
        ({"dataset": 5}, "The dataset is 5; it must be the path of a folder"),
    ],
)
def test_choices_that_cannot_be_are_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        changed(**values)


@pytest.mark.parametrize("row", AUGMENTATIONS, ids=lambda row: row.key)
def test_strengths_lie_above_zero_and_up_to_their_maximum(row: Any) -> None:
    for strength in (row.default, row.maximum, row.maximum / 100):
        choice = Choice(strength, 0.25)
        assert changed(augmentations={row.key: choice}).augmentations == {row.key: choice}
    for strength in (0, -0.1, row.maximum * 1.01):
        with pytest.raises(RecipeError, match=rf"“{row.name}” is .* above 0 and at most {row.maximum:g}"):
            changed(augmentations={row.key: Choice(strength)})


def test_a_recipe_comes_back_from_json() -> None:
    recipe = Recipe(
        dataset="/photos/Äpfel und Birnen",
        backbone="efficientnet-lite0",
        weights="random",
        unfreeze_point="block6",
        augmentations={"zoom": Choice(0.25, 0.4), "flip_horizontal": Choice(1, 1)},
        head_epochs=0,
        fine_tune_epochs=7,
        head_learning_rate=0.5,
        fine_tune_learning_rate=1e-8,
        scratch_learning_rate=0.25,
        batch_size=1,
        dropout=0.0,
        drop_connect=0.9,
        class_weights=True,
        photos_per_class=5,
        views=64,
        minutes=2.5,
        seed=2**31 - 1,
        split_seed=7,
        more_epochs=(3, 1),
        without_classes=("rose", "写真"),
        unfreeze_layer="block6a_expand_conv",
        gradual=True,
        optimizer="sgd",
        schedule="plateau",
        pooling="flatten",
        head_batch_norm=True,
        shuffle=False,
        tensorboard=False,
        ema=0.99,
    )
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json('{"dataset": "/photos/flowers"}') == PLAIN
    assert "Äpfel" in recipe.to_json() and json.loads(recipe.to_json())["version"] == VERSION


@pytest.mark.parametrize("version", [1, 2])
def test_the_head_of_an_older_recipe_begins_at_random_as_it_did_then(version: int) -> None:
    assert Recipe.from_json(f'{{"dataset": "d", "version": {version}}}').head_start == "random"
    assert Recipe.from_json('{"dataset": "d"}').head_start == "regression"


def test_a_recipe_of_version_1_splits_as_it_did_then() -> None:
    recipe = Recipe.from_json('{"dataset": "d", "version": 1, "seed": 5, "views": 2}')
    assert (recipe.version, recipe.seed, recipe.split_seed, recipe.views) == (VERSION, 5, 5, 2)
    assert Recipe.from_json('{"dataset": "d", "seed": 5}').split_seed == 0


def test_a_recipe_that_names_strengths_alone_gets_the_probabilities_of_then() -> None:
    text = '{"dataset": "d", "version": 1, "augmentations": {"flip_horizontal": 1, "zoom": 0.3}}'
    assert Recipe.from_json(text).augmentations == {"flip_horizontal": Choice(1, 0.5), "zoom": Choice(0.3, 1)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is not valid JSON"),
        ("{", "it is not valid JSON"),
        ("[]", "it is not a JSON object"),
        ("null", "it is not a JSON object"),
        ('{"seed": 1}', "must be a JSON object that names a dataset"),
        ('{"dataset": "d", "epochs": 3, "alpha": 1}', "holds unknown choices: alpha, epochs"),
        ('{"dataset": "d", "seed": "1"}', "The seed is '1'; it must be a whole number"),
        ('{"dataset": "d", "seed": 1.0}', "The seed is 1.0; it must be a whole number"),
        ('{"dataset": "d", "dropout": NaN}', "NaN is not a number"),
        ('{"dataset": "d", "class_weights": "true"}', "The class weights are 'true'; they must be true or false"),
        ('{"dataset": "d", "augmentations": 5}', "The augmentations are 5; they must give a choice for each name"),
        ('{"dataset": "d", "augmentations": {"fog": 0.5}}', "There is no augmentation “fog”"),
        ('{"dataset": "d", "augmentations": {"zoom": "1"}}', "is '1'; it must have a strength and a probability"),
        ('{"dataset": "d", "augmentations": {"zoom": true}}', "The strength of “Zoom” is True; it must be a number"),
        ('{"dataset": "d", "augmentations": {"zoom": {"strength": 1}}}', "it must have a strength and a probability"),
        (
            '{"dataset": "d", "augmentations": {"zoom": {"strength": 0.1, "probability": [1]}}}',
            r"The probability of “Zoom” is \[1\]; it must be a number",
        ),
        ('{"dataset": "d", "version": 99}', "This recipe has version 99"),
        ('{"dataset": "d", "weights": ["imagenet"]}', "they must be one of imagenet, random"),
        ('{"dataset": "d", "unfreeze_point": null}', "has no unfreeze point None"),
        ('{"dataset": "d", "backbone": {}}', "There is no backbone {}"),
        ('{"dataset": ["d"]}', r"The dataset is \['d'\]; it must be the path of a folder"),
    ],
)
def test_json_that_is_no_recipe_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        Recipe.from_json(text)


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.key)
def test_the_default_unfreeze_point_is_valid_and_the_least_that_holds_half_of_the_weights(row: Backbone) -> None:
    point = default_unfreeze_point(row)
    assert changed(backbone=row.key, unfreeze_point=point).unfreeze_point == point
    half = row.learnable_parameters("all") / 2
    assert row.learnable_parameters(point) >= half
    before = row.unfreeze_points[: row.unfreeze_points.index(point)]
    assert all(row.learnable_parameters(smaller) < half for smaller in before)


def test_the_default_unfreeze_point_of_b0_is_block6() -> None:
    assert default_unfreeze_point(next(row for row in BACKBONES if row.key == "efficientnet-b0")) == "block6"


def test_default_epochs_fall_with_the_number_of_photos_within_limits() -> None:
    counts = [0, 1, 10, 100, 500, 1000, 1500, 2000, 2500, 5000, 10_000, 10**7]
    pairs = [default_epochs(count) for count in counts]
    assert pairs[0] == pairs[1] == (3, 12) and pairs[-1] == (3, 5)
    assert default_epochs(1000) == (3, 9)
    for epochs in zip(*pairs, strict=True):
        assert list(epochs) == sorted(epochs, reverse=True)
    for head, fine_tune in pairs:
        assert changed(head_epochs=head, fine_tune_epochs=fine_tune).weights in WEIGHTS


@pytest.mark.parametrize("classes", [2, 5, 120])
def test_few_photos_train_the_head_alone_unless_fine_tuning_is_asked_for(classes: int) -> None:
    names = tuple(f"c{number:03d}" for number in range(classes))
    paths = tuple(f"{name}/1.png" for name in names)
    folder = ImageFolder(Path("/photos"), names, paths, np.arange(classes, dtype=np.int32))
    b0, scratch = (next(row for row in BACKBONES if row.key == key) for key in ("efficientnet-b0", "baseline-cnn"))
    few, enough = FEW_PHOTOS * classes - 1, FEW_PHOTOS * classes
    assert are_few(few, classes) and not are_few(enough, classes)
    alone = default_recipe(folder, few, b0)
    assert (alone.unfreeze_point, alone.head_epochs, alone.fine_tune_epochs) == ("none", 3, 0)
    assert default_recipe(folder, enough, b0).unfreeze_point == "block6"
    asked = default_recipe(folder, few, b0, always_fine_tuned=True)
    assert (asked.unfreeze_point, asked.fine_tune_epochs) == ("block6", default_epochs(few)[1])
    assert default_recipe(folder, few, scratch).fine_tune_epochs > 0, "nothing is pretrained, so there is no head alone"
