from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from pages.components.shared import elements

    count = st.number_input("Photos", value=2)
    chosen = elements.choose("Show", {"all": f"All · {count}", "red": f"Red · {count - 1}"}, "show")
    st.markdown(chosen)


def test_a_choice_outlives_its_label_and_the_box_shows_the_present_one() -> None:
    app = AppTest.from_function(page).run()
    first = app.selectbox[0].id
    assert app.selectbox[0].options == ["All · 2", "Red · 1"]
    app.selectbox[0].select("red").run()
    for count in (8, 9):
        app.number_input[0].set_value(count).run()
        assert app.selectbox[0].options == [f"All · {count}", f"Red · {count - 1}"]
        assert app.selectbox[0].value == app.markdown[0].value == "red"
        assert app.selectbox[0].id != first, "a browser would go on showing the former label of the same box"
