from dataclasses import asdict
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import RANGES, Limits, make_home, settings_from


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


def test_a_server_for_others_offers_the_home_only_where_it_is_listed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    own = home / "unfreeze" / "datasets"
    assert settings_from({}, shared=True).dataset_roots == (own,)
    assert settings_from({"UNFREEZE_DATASETS": str(home)}, shared=True).dataset_roots == (own, home)
    own.parent.mkdir()
    (own.parent / "settings.toml").write_text('datasets = ["/photos"]\n')
    assert settings_from({}, shared=True).dataset_roots == (own, Path("/photos"))


def test_names_of_the_server(home: Path) -> None:
    assert settings_from({"UNFREEZE_HOME": str(home)}).hosts == ()
    (home / "settings.toml").write_text('hosts = ["school.example"]\n')
    assert settings_from({"UNFREEZE_HOME": str(home)}).hosts == ("school.example",)
    named = settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_HOSTS": "a.example, b.example"})
    assert named.hosts == ("a.example", "b.example")


def test_a_folder_of_datasets_that_is_listed_twice_is_one(home: Path) -> None:
    listed = f"{home / 'datasets'}:/a:/a/../a:/b"
    settings = settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_DATASETS": listed})
    assert settings.dataset_roots == (home / "datasets", Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("weights = 3", "weights = 3; it must be a folder"),
        ('datasets = "/photos"', "it must be a list of folders"),
        ("datasets = [1]", "it must be a list of folders"),
        ("hosts = 'school.example'", "it must be a list of names"),
        ("wieghts = '/models'", "it must be one of datasets, weights, offline"),
        ("weights = [", "cannot be read"),
        ("limits = 5", "limits = 5; it must be a table of limits"),
        ("[[limits]]\nfiles = 5", "it must be"),
        ("[limits]\nfile = 5", "a limit called “file”, which is not known; the limits are files, total_bytes"),
        ("[limits]\nfiles = '5'", "the limit files = '5'; it must be a whole number from 1 to 10,000,000"),
        ("[limits]\ndepth = 2.0", "the limit depth = 2.0; it must be a whole number"),
        ("[limits]\nfiles = true", "the limit files = True; it must be a whole number"),
        ("[limits]\nfiles = [5]", "the limit files = [5]; it must be a whole number"),
        ("[limits]\ndepth = 0", "the limit depth = 0; it must be a whole number from 1 to 100"),
        ("[limits]\nratio = -1", "the limit ratio = -1; it must be"),
        ("[limits]\npixels = 178956971", "it must be a whole number from 1 to 178,956,970"),
        *(
            (f"parallel = {value}", "it must be a whole number from 1 to 16")
            for value in ("0", "17", "-1", "true", "'2'")
        ),
        (
            "[limits]\nfeature_cache_bytes = -1",
            "the limit feature_cache_bytes = -1; it must be a whole number from 0 to",
        ),
    ],
)
def test_a_wrong_file_gets_a_sentence(home: Path, text: str, words: str) -> None:
    (home / "settings.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"settings\.toml") as caught:
        settings_from({"UNFREEZE_HOME": str(home)})
    assert words in str(caught.value)


def test_how_many_runs_go_at_once(home: Path) -> None:
    assert settings_from({"UNFREEZE_HOME": str(home)}).parallel == 1
    (home / "settings.toml").write_text("parallel = 3\n")
    assert settings_from({"UNFREEZE_HOME": str(home)}).parallel == 3
    assert settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_PARALLEL": "16"}).parallel == 16
    for wrong in ("0", "17", "two", "1.5", "-1"):
        with pytest.raises(SettingsError, match=f"UNFREEZE_PARALLEL is '{wrong}'; it must be a whole number from 1"):
            settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_PARALLEL": wrong})


@pytest.mark.parametrize(
    ("text", "on"),
    [
        *((text, True) for text in ("1", "true", "True", "TRUE", "yes", "Yes", "on", "ON", " on ")),
        *((text, False) for text in ("0", "false", "False", "no", "No", "off", "OFF")),
    ],
)
def test_variables_switch_in_any_case_whatever_the_file_says(home: Path, text: str, on: bool) -> None:
    (home / "settings.toml").write_text(f"offline = {str(not on).lower()}\nwarm = {str(not on).lower()}\n")
    settings = settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_OFFLINE": text, "UNFREEZE_WARM": text})
    assert (settings.allow_downloads, settings.keep_warm) == (not on, on)


@pytest.mark.parametrize("name", ["UNFREEZE_OFFLINE", "UNFREEZE_WARM"])
@pytest.mark.parametrize("text", ["2", "ja", "offline", "tru"])
def test_a_variable_that_switches_nothing_is_an_error_that_says_what_is_accepted(
    home: Path, name: str, text: str
) -> None:
    with pytest.raises(
        SettingsError, match=f"{name} is '{text}'; it must be one of 1, true, yes, on, 0, false, no, off"
    ):
        settings_from({"UNFREEZE_HOME": str(home), name: text})


def test_an_empty_variable_leaves_the_choice_to_the_file(home: Path) -> None:
    (home / "settings.toml").write_text("offline = true\nwarm = false\n")
    settings = settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_OFFLINE": "", "UNFREEZE_WARM": ""})
    assert not settings.allow_downloads and not settings.keep_warm


def test_limits_are_read_from_the_file_and_the_others_stay(home: Path) -> None:
    (home / "settings.toml").write_text("offline = true\n[limits]\nfiles = 12\nfile_bytes = 9_000_000\n")
    settings = settings_from({"UNFREEZE_HOME": str(home)})
    assert settings.limits == Limits(files=12, file_bytes=9_000_000)
    assert settings_from({"UNFREEZE_HOME": str(home / "other")}).limits == Limits()


def test_the_former_name_of_a_limit_is_accepted(home: Path) -> None:
    (home / "settings.toml").write_text("[limits]\ntrunk_bytes = 1_000_000\n")
    assert settings_from({"UNFREEZE_HOME": str(home)}).limits == Limits(feature_cache_bytes=1_000_000)


def test_every_limit_has_a_range_that_holds_its_default(home: Path) -> None:
    usual = asdict(Limits())
    assert set(RANGES) == set(usual)
    for name, (low, high) in RANGES.items():
        assert low <= usual[name] <= high
        for end in (low, high):
            (home / "settings.toml").write_text(f"[limits]\n{name} = {end}\n")
            assert asdict(settings_from({"UNFREEZE_HOME": str(home)}).limits) == {**usual, name: end}


def test_everything_that_is_written_lies_in_the_home(home: Path) -> None:
    settings = settings_from({"UNFREEZE_HOME": str(home)})
    places = {
        *(settings.runs_folder, settings.keras_home, settings.index_folder),
        *(settings.reviews_folder, settings.datasets_folder, settings.feature_cache_folder),
    }
    assert len(places) == 6 and {place.parent for place in places} == {home}
    assert settings.datasets_folder == settings.dataset_roots[0]


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without a name and without a home, as in a container."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("nobody")
def test_without_a_home_directory_one_must_be_named() -> None:
    with pytest.raises(SettingsError, match=r"There is no home directory.* Set UNFREEZE_HOME to a folder"):
        settings_from({})


@pytest.mark.usefixtures("nobody")
def test_nothing_asks_for_the_home_directory_where_another_is_named(home: Path) -> None:
    settings = settings_from({"UNFREEZE_HOME": str(home)})
    assert settings.dataset_roots == (home / "datasets",)
    assert settings.keras_cache == home / ".keras" / "models"
    assert settings_from({"UNFREEZE_HOME": str(home), "UNFREEZE_DATASETS": "/a"}).dataset_roots[1] == Path("/a")


@pytest.mark.parametrize("name", ["UNFREEZE_HOME", "UNFREEZE_DATASETS", "UNFREEZE_WEIGHTS", "KERAS_HOME"])
@pytest.mark.parametrize("folder", ["~nosuch", "a\0b", " "])
def test_a_folder_that_cannot_be_is_named_with_its_variable(home: Path, name: str, folder: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is .* which cannot be a folder"):
        settings_from({"UNFREEZE_HOME": str(home), name: folder})


def test_a_home_that_cannot_be_made_is_told_with_the_way_out(home: Path) -> None:
    make_home(settings_from({"UNFREEZE_HOME": str(home / "new")}))
    assert (home / "new" / "datasets").is_dir()
    (home / "file").touch()
    with pytest.raises(SettingsError, match=r"cannot be used \(Not a directory\).*Set UNFREEZE_HOME to a folder"):
        make_home(settings_from({"UNFREEZE_HOME": str(home / "file" / "below")}))
