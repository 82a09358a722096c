import pytest

from core.models.backbones import backbone
from core.recipe.recipe import CHOICES, usual
from pages.components.train import expert
from pages.components.train.expert import Around

B0 = backbone("efficientnet-b0")
USUAL = Around(B0, "block6", from_scratch=False, timed=False)
DEFAULTS = {row.name: usual(row.name) for row in expert.ROWS}


def shown(around: Around, **choices: object) -> set[str]:
    values = {**DEFAULTS, **choices}
    return {row.name for row in expert.ROWS if row.shown(values, around)}


def test_choices_that_differ_from_the_defaults_are_counted() -> None:
    assert expert.changes(DEFAULTS, USUAL) == 0
    assert expert.changes({**DEFAULTS, "seed": 5, "mixup": 0.2}, USUAL) == 2
    scratch = Around(B0, "all", from_scratch=True, timed=False)
    assert expert.changes({**DEFAULTS, "early_stopping": 0}, scratch) == 0


@pytest.mark.parametrize(
    ("choice", "value", "field"),
    [
        ("optimizer", "sgd", "momentum"),
        ("optimizer", "adamw", "weight_decay"),
        ("schedule", "plateau", "plateau_patience"),
    ],
)
def test_a_field_is_shown_only_with_the_choice_it_belongs_to(choice: str, value: str, field: str) -> None:
    assert field not in shown(USUAL) and field in shown(USUAL, **{choice: value})


def test_what_is_trained_decides_which_learning_rates_are_shown() -> None:
    scratch = Around(B0, "all", from_scratch=True, timed=False)
    assert {"head_learning_rate", "fine_tune_learning_rate", "gradual", "views"} <= shown(USUAL)
    assert "scratch_learning_rate" not in shown(USUAL)
    assert not {"head_learning_rate", "fine_tune_learning_rate", "gradual", "views"} & shown(scratch)
    assert "scratch_learning_rate" in shown(scratch)


def test_a_time_budget_leaves_out_what_it_decides() -> None:
    assert not {"gradual", "views"} & shown(Around(B0, "block6", from_scratch=False, timed=True))


def test_every_choice_has_a_name_and_every_group_a_row() -> None:
    names = {value for row in expert.ROWS if row.name in CHOICES for value in CHOICES[row.name]}
    assert names <= set(expert.CHOICE_NAMES)
    assert {row.group for row in expert.ROWS} == set(expert.GROUPS)
