import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.split import assign_subsets
from core.errors import RunBusy
from core.runs.store import ACTIVE, FINISHED, STOPPED, RunStore
from core.training.lr_finder.finder import (
    FOLDER,
    HIGHEST,
    LOWEST,
    STEPS,
    has_exploded,
    rate_at,
    smoothed,
    start,
    suggested,
    sweeps,
    sweeps_of,
)
from tests.conftest import Workplace, eventually

RATES = np.array([rate_at(step) for step in range(STEPS)])


def curve(falls_from: float, lowest: float, explodes_from: float) -> NDArray[np.float64]:
    """A loss that is flat, falls evenly over the logarithm of the rate, and explodes."""
    loss = np.interp(np.log(RATES), np.log([falls_from, lowest]), [1.6, 0.4])
    return np.where(explodes_from < RATES, 0.4 + 30 * (RATES - explodes_from), loss)


def test_rates_rise_by_equal_ratios() -> None:
    assert RATES[0] == pytest.approx(LOWEST) and RATES[-1] == pytest.approx(HIGHEST)
    np.testing.assert_allclose(RATES[1:] / RATES[:-1], RATES[1] / RATES[0])


def test_the_suggestion_lies_two_thirds_down_the_valley() -> None:
    found = suggested(RATES, curve(1e-4, 1e-1, 2e-1))
    assert found is not None and 7e-3 < found < 1.6e-2


def test_noise_moves_the_suggestion_little() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, STEPS)
    found = suggested(RATES, curve(1e-4, 1e-1, 2e-1) + noise)
    assert found is not None and 2e-3 < found < 4e-2


def test_a_loss_that_never_falls_and_too_few_points_bring_no_suggestion() -> None:
    assert suggested(RATES, np.linspace(1, 2, STEPS)) is None
    assert suggested(RATES[:5], np.linspace(2, 1, 5)) is None


def test_smoothing_begins_without_bias() -> None:
    assert smoothed([2.0] * 5).tolist() == pytest.approx([2.0] * 5)
    assert smoothed([1.0, 2.0])[1] == pytest.approx((0.85 * 0.15 * 1 + 0.15 * 2) / (1 - 0.85**2))


def test_a_loss_explodes_at_four_times_its_lowest_or_as_no_number() -> None:
    assert not has_exploded(np.array([1.0, 0.5, 1.9])) and has_exploded(np.array([1.0, 0.5, 2.1]))
    assert has_exploded(np.array([1.0, np.inf])) and not has_exploded(np.array([]))


def test_lines_of_two_phases_make_two_sweeps() -> None:
    rows = [
        {"phase": phase, "learning_rate": rate, "loss": loss}
        for phase in ("head", "fine-tune")
        for rate, loss in zip(RATES, curve(1e-4, 1e-1, 2e-1), strict=True)
    ]
    found = sweeps_of(rows)
    assert [each.phase for each in found] == ["head", "fine-tune"]
    assert all(len(each.rates) == len(each.losses) == STEPS and each.suggestion for each in found)
    assert sweeps_of([]) == ()


def test_a_real_search_suggests_a_rate_for_each_phase_and_a_second_one_waits(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in workplace.environment().items():
        monkeypatch.setenv(name, value)
    store, folder = RunStore(workplace.home / FOLDER), workplace.folder()
    recipe = workplace.recipe(backbone="efficientnet-lite0", unfreeze_point="block7", label_smoothing=0.1, mixup=0.2)
    parts = assign_subsets(folder.labels, seed=3)
    run = start(store, recipe, folder, parts)
    with pytest.raises(RunBusy, match="being tried out already"):
        start(store, recipe, folder, parts)
    eventually(lambda: run.read_status().state not in ACTIVE, f"the search ended:\n{run.log_tail()}")
    status = run.read_status()
    assert (status.state, status.error) == (FINISHED, ""), run.log_tail()
    head, fine = sweeps(run)
    assert (head.phase, fine.phase) == ("head", "fine-tune")
    for each in (head, fine):
        assert (np.diff(each.rates) > 0).all() and len(each.rates) > 20
    assert head.suggestion is not None and 1e-4 < head.suggestion < 0.5
    assert not run.best_file.exists() and workplace.store.runs() == []

    again = start(store, recipe, folder, parts)
    again.request_stop()
    eventually(lambda: again.read_status().state not in ACTIVE, "the second search ended")
    assert again.read_status().state == STOPPED and store.runs() == [again]


@pytest.mark.thorough
def test_a_network_from_nothing_has_one_sweep(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in workplace.environment().items():
        monkeypatch.setenv(name, value)
    folder = workplace.folder()
    run = start(RunStore(workplace.home / FOLDER), workplace.recipe(), folder, assign_subsets(folder.labels, seed=3))
    eventually(lambda: run.read_status().state not in ACTIVE, f"the search ended:\n{run.log_tail()}")
    [found] = sweeps(run)
    assert found.phase == "from scratch" and found.suggestion is not None and found.suggestion < 0.1
