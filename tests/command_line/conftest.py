import pytest

from tests.conftest import FinishedRun, Workplace


def settle_in(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands of this process work in an installation."""
    for name, value in place.variables().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def here(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """An installation of its own, in which commands work."""
    settle_in(workplace, monkeypatch)
    return workplace


@pytest.fixture
def after_a_run(finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """The finished run, in whose installation commands work; they must not change it."""
    settle_in(finished_run.workplace, monkeypatch)
    return finished_run
