import json
import math

import pytest

from core.recipe.recipe import Recipe
from core.training.schedule import Patience, Schedule


def schedule(**choices: object) -> Schedule:
    return Schedule(Recipe(dataset="d", **choices), 0.02, epochs=10, steps=10)  # type: ignore[arg-type]


def test_cosine_falls_along_half_a_wave_from_its_peak_to_nothing() -> None:
    rate = schedule().rate
    assert [rate(step) for step in (0, 50, 100, 150)] == pytest.approx([0.02, 0.01, 0.0, 0.0])
    assert rate(25) == pytest.approx(0.02 * 0.5 * (1 + 2**-0.5))
    rates = [rate(step) for step in range(101)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("kind", ["cosine", "constant", "plateau"])
def test_a_warm_up_rises_to_the_peak_in_even_steps(kind: str) -> None:
    rate = schedule(schedule=kind, warm_up_epochs=0.9).rate
    assert [rate(step) for step in range(10)] == pytest.approx([0.002 * (step + 1) for step in range(10)])
    assert rate(10) <= rate(9) == pytest.approx(0.02)
    assert rate(99) == pytest.approx(0.02) if kind != "cosine" else rate(99) < 1e-4


def test_a_warm_up_longer_than_the_phase_leaves_one_step_at_the_peak() -> None:
    assert schedule(warm_up_epochs=50).rate(99) == pytest.approx(0.02)


def test_constant_stays() -> None:
    found = schedule(schedule="constant")
    for _ in range(20):
        assert not found.validated(1.0)
    assert {found.rate(step) for step in range(100)} == {0.02}


def test_the_momentum_of_averages_rises_to_that_of_the_recipe() -> None:
    averaging = schedule(ema=0.99).averaging
    assert [averaging(updates) for updates in (0, 10, 90, 10_000)] == pytest.approx([0.1, 0.55, 0.91, 0.99])


def test_plateau_drops_after_so_many_validations_without_a_better_loss() -> None:
    found = schedule(schedule="plateau", plateau_patience=2, plateau_factor=0.5)
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.9, 0.8, 0.81, 0.8, 0.8, 0.8):
        found.validated(loss)
        rates.append(found.rate(50))
    assert rates == pytest.approx([0.02] * 3 + [0.01] * 3 + [0.005] * 2 + [0.0025])


def test_early_stopping_asks_once_patience_is_out_and_never_without_it() -> None:
    found = schedule(early_stopping=3)
    assert [found.validated(loss) for loss in (1.0, 1.1, 0.5, 0.6, 0.5, 0.49995)] == [False] * 5 + [True]
    assert not any(schedule().validated(1.0) for _ in range(100))


def test_a_gain_too_small_to_count_is_none() -> None:
    patience = Patience(2)
    assert [patience.runs_out(loss) for loss in (1.0, 0.99995, 0.9999)] == [False, False, True]


def test_what_is_kept_of_it_goes_through_json_and_goes_on_the_same() -> None:
    choices = {"schedule": "plateau", "plateau_patience": 2, "early_stopping": 4}
    losses = [1.0, 1.1, 1.2, 0.9, 1.0, 1.0, 1.0, 1.0]
    whole, first = schedule(**choices), schedule(**choices)
    told = [(whole.validated(loss), whole.rate(5)) for loss in losses]
    for cut in range(len(losses)):
        second = schedule(**choices)
        second.restore(json.loads(json.dumps(first.state())))
        assert [(second.validated(loss), second.rate(5)) for loss in losses[cut:]] == told[cut:]
        first.validated(losses[cut])
    assert math.isinf(Patience(1).best)
