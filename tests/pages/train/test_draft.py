import pytest
from streamlit.testing.v1 import AppTest

from core.data.dataset import prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.data.split import read_split_csv
from core.data.subsets import TRAINING
from tests.conftest import PATIENCE, Workplace


def page(root: str, handed: str) -> None:
    from pathlib import Path

    import streamlit as st

    from core.data.dataset import prepare
    from core.data.review import Review
    from core.data.scan.folder import scan
    from pages.components.shared import state
    from pages.components.train import draft

    dataset = prepare(scan(Path(root), roots=[Path(root)]), Review(Path(root)))
    if handed and not st.session_state.get("was-handed"):
        st.session_state["was-handed"] = True
        state.remember(draft.HANDED, handed)
    start = draft.present(dataset)
    folder, parts = draft.used_photos(dataset, start)
    st.write(" ".join(f"{path}:{part}" for path, part in zip(folder.paths, parts, strict=True)))
    st.number_input("Seed of the split", 0, 99, start.first("split_seed", 0), key=start.key("split_seed"))
    st.number_input("Limit", 0, 99, start.first("photos_per_class", 0), key=start.key("photos_per_class"))
    st.number_input("Seed", 0, 99, start.first("seed", 0), key=start.key("seed"))


@pytest.mark.parametrize("handed_seed", [None, 7])
def test_the_photos_counted_are_those_that_a_run_with_this_seed_would_take(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, handed_seed: int | None
) -> None:
    for name, value in workplace.variables().items():
        monkeypatch.setenv(name, value)
    dataset = prepare(scan(workplace.colours, roots=[workplace.colours]), Review(workplace.colours))

    def expected(seed: int) -> str:
        folder, parts = dataset.used(dataset.split(seed))
        return " ".join(f"{path}:{part}" for path, part in zip(folder.paths, parts, strict=True))

    assert expected(0) != expected(7) != expected(5)
    recipe = "" if handed_seed is None else workplace.recipe(split_seed=handed_seed).to_json()
    app = AppTest.from_function(page, args=(str(workplace.colours), recipe), default_timeout=PATIENCE).run()
    assert app.markdown[0].value == expected(handed_seed or 0)
    app.number_input[0].set_value(5).run()
    assert app.markdown[0].value == expected(5)
    app.number_input[1].set_value(2).run()
    limited = app.markdown[0].value
    assert limited.count(":0") == 2 * 2 and limited.count(":1") == expected(5).count(":1")
    run = workplace.new_run(split_seed=5, photos_per_class=2, seed=app.number_input[2].value)
    folder, parts = read_split_csv(run.split_file, workplace.colours)
    counted = [each.removesuffix(":0") for each in limited.split() if each.endswith(":0")]
    assert sorted(folder.subset(parts == TRAINING).paths) == sorted(counted)
