from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import settings_from


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_defaults_lie_in_the_users_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    settings = settings_from({})
    assert settings.home == home / "unfreeze"
    assert settings.dataset_roots == (home / "unfreeze" / "datasets", home)
    assert settings.weights_folder == home / "unfreeze" / "weights"
    assert settings.keras_cache == home / ".keras" / "models"
    assert settings.allow_downloads
    assert not settings.home.exists(), "reading the settings writes nothing"


def test_the_file_counts_and_a_variable_wins_over_it(home: Path) -> None:
    (home / "settings.toml").write_text('datasets = ["/photos", "/more"]\nweights = "/models"\noffline = true\n')
    filed = settings_from({"UNFREEZE_HOME": str(home)})
    assert filed.dataset_roots == (home / "datasets", Path("/photos"), Path("/more"))
    assert filed.weights_folder == Path("/models") and not filed.allow_downloads
    chosen = {"UNFREEZE_WEIGHTS": "/mine", "UNFREEZE_DATASETS": "/a:/b", "UNFREEZE_OFFLINE": "0"}
    set_by_hand = settings_from({"UNFREEZE_HOME": str(home), **chosen})
    assert set_by_hand.weights_folder == Path("/mine") and set_by_hand.allow_downloads
    assert set_by_hand.dataset_roots == (home / "datasets", Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("weights = 3", "weights = 3; it must be a folder"),
        ('datasets = "/photos"', "it must be a list of folders"),
        ("datasets = [1]", "it must be a list of folders"),
        ("wieghts = '/models'", "it must be one of datasets, weights, offline"),
        ("weights = [", "cannot be read"),
    ],
)
def test_a_wrong_file_gets_a_sentence(home: Path, text: str, words: str) -> None:
    (home / "settings.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"settings\.toml") as caught:
        settings_from({"UNFREEZE_HOME": str(home)})
    assert words in str(caught.value)
