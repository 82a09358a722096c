from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.errors import PhotoError
from pages.components.shared.upload_limits import check_upload_size


def test_an_upload_above_the_limit_is_refused_with_both_sizes() -> None:
    check_upload_size(20_000_000, 20_000_000)
    with pytest.raises(PhotoError, match=r"The file is 21 MB; the limit is 20 MB\."):
        check_upload_size(21_000_000, 20_000_000)


def page() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from pages.components.shared.upload_limits import release

    files = st.file_uploader("Photos", accept_multiple_files=True, key="photos")
    if st.button("Take them"):
        release(files)
    context = get_script_run_ctx()
    assert context is not None
    held = context.uploaded_file_mgr.get_files(context.session_id, [file.file_id for file in files])
    st.markdown(str(sum(len(file.data) for file in held)))


def test_uploads_that_were_taken_care_of_are_held_no_longer() -> None:
    app = AppTest.from_function(page).run()
    app.file_uploader[0].upload("a.png", b"12345", "image/png").run()
    assert app.markdown[0].value == "5"
    app.button[0].click().run()
    assert app.markdown[0].value == "0"


def keeping() -> None:
    import streamlit as st

    from core.errors import PhotoError
    from pages.components.cached import services
    from pages.components.shared.upload_limits import keep, release

    services.upload_totals().per_session = 8
    kept = keep("pasted.png", b"12345")
    st.markdown(f"{kept.name}: {kept.getvalue()!r}")
    try:
        keep("too much.png", b"12345")
    except PhotoError as error:
        st.markdown(str(error))
    release([kept])
    st.markdown(keep("another.png", b"12345").name)


def test_a_file_that_came_in_another_way_counts_as_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNFREEZE_HOME", str(tmp_path))
    st.cache_resource.clear()
    kept, refused, another = AppTest.from_function(keeping).run().markdown
    assert kept.value == "pasted.png: b'12345'"
    assert "was refused: this browser tab holds" in refused.value
    assert another.value == "another.png"
    st.cache_resource.clear()


def limits() -> None:
    from pages.components.shared.upload_limits import show_limits

    show_limits()


def test_limits_say_how_full_the_feature_cache_is_and_a_click_empties_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = tmp_path / "trunk" / "graph-1234"
    graph.mkdir(parents=True)
    (graph / "graph.bin").write_bytes(bytes(2_000_000))
    monkeypatch.setenv("UNFREEZE_HOME", str(tmp_path))
    st.cache_resource.clear()
    app = AppTest.from_function(limits).run()
    assert any("2 MB of 10.0 GB" in fact.value for fact in app.markdown), [fact.value for fact in app.markdown]
    app.button[0].click().run()
    assert not app.exception and app.button[0].disabled and not graph.exists()
    st.cache_resource.clear()
