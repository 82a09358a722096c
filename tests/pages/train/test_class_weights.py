import pytest
from streamlit.testing.v1 import AppTest


def page(counts: list[int]) -> None:
    from pathlib import Path

    import numpy as np
    import streamlit as st

    from core.data.scan.folder import ImageFolder
    from pages.components.train.class_weights import class_weights_toggle
    from pages.components.train.draft import Draft

    labels = np.repeat([0, 1], counts)
    paths = tuple(f"photo-{number}.png" for number in range(len(labels)))
    st.write("wanted:", class_weights_toggle(ImageFolder(Path("/photos"), ("roses", "tulips"), paths, labels), Draft()))


@pytest.mark.parametrize("counts", [[5, 5], [6, 5]])
def test_classes_of_about_the_same_size_need_no_weights(counts: list[int]) -> None:
    shown = AppTest.from_function(page, kwargs={"counts": counts}).run()
    assert not shown.exception and not shown.toggle
    assert "about the same number" in shown.caption[0].value


def test_what_always_guessing_the_largest_class_would_reach_is_said() -> None:
    shown = AppTest.from_function(page, kwargs={"counts": [3, 9]}).run()
    assert not shown.exception
    assert "**tulips** has 3.0 times as many photos as **roses**" in shown.markdown[0].value
    assert "Always guessing tulips would be right 75 % of the time." in shown.markdown[0].value
    assert "each photo of roses counts 2.0 times and each photo of tulips 0.7 times" in shown.toggle[0].help
    shown.toggle[0].set_value(True).run()
    assert shown.markdown[-1].value == "wanted: `True`"
