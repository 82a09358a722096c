"""Recipes on the Train page: saved under a name, loaded, downloaded, uploaded."""

import streamlit as st

from core.data.scan.folder import ImageFolder
from core.errors import RecipeError, UnfreezeError
from core.language import retold, tr
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import fitted_to, from_upload, to_download
from pages.components.cached import services
from pages.components.shared import markdown, state
from pages.components.train import draft
from pages.components.train.draft import Draft

MESSAGE, TO_DELETE = "recipe-message", "recipe-to-delete"
USUAL_NAME = "recipe"


def box(present: Draft, recipe: Recipe, folder: ImageFolder, training_photos: int) -> None:
    """A button that opens all that can be done with the recipe on the page."""
    with st.popover(tr("Recipe"), icon=":material/receipt_long:", help=tr("Save these choices, or load others")):
        name = st.text_input(tr("Name"), key="recipe-name", max_chars=60, placeholder=tr("for example: rotation only"))
        with st.container(horizontal=True, vertical_alignment="center"):
            over = st.checkbox(tr("Replace a recipe of the same name"), key="recipe-over")
            st.button(tr("Save"), icon=":material/save:", on_click=_save, args=(name, recipe, over))
        _load_saved(folder, training_photos)
        _files(present, name, recipe, folder, training_photos)
        message = state.take(MESSAGE)
        if message:
            st.info(markdown.escape(retold(message)), icon=":material/info:")


def _load_saved(folder: ImageFolder, training_photos: int) -> None:
    saved, damaged = services.recipe_book().entries()
    if saved:
        chosen = st.selectbox(tr("Saved recipes"), [entry.name for entry in saved], key="recipe-saved")
        with st.container(horizontal=True):
            values = (chosen, folder, training_photos)
            st.button(tr("Load"), icon=":material/folder_open:", on_click=_load, args=values)
            if state.recall(TO_DELETE, "") == chosen:
                st.button(tr("Delete for good"), icon=":material/delete_forever:", on_click=_delete, args=(chosen,))
            else:
                st.button(tr("Delete"), icon=":material/delete:", on_click=state.remember, args=(TO_DELETE, chosen))
    for entry in damaged:
        st.caption(f":material/warning: {markdown.escape(entry.name)}: {markdown.escape(retold(entry.reason))}")


def _files(present: Draft, name: str, recipe: Recipe, folder: ImageFolder, training_photos: int) -> None:
    try:
        file_name, content = to_download(name or USUAL_NAME, recipe)
    except RecipeError:
        file_name, content = to_download(USUAL_NAME, recipe)
    st.download_button(
        tr("Download (JSON)"), content, file_name, "application/json", icon=":material/download:", on_click="ignore"
    )
    key = present.key("recipe-file")
    st.file_uploader(
        tr("Load from a file"),
        "json",
        key=key,
        max_upload_size=1,
        on_change=_upload,
        args=(key, folder, training_photos),
    )


def _save(name: str, recipe: Recipe, over: bool) -> None:
    try:
        entry = services.recipe_book().save(name, recipe, over=over)
    except UnfreezeError as error:
        state.remember(MESSAGE, error.text)
    else:
        state.remember(MESSAGE, tr("Saved as “{name}”.", name=entry.name))


def _delete(name: str) -> None:
    state.remember(TO_DELETE, "")
    try:
        services.recipe_book().delete(name)
    except UnfreezeError as error:
        state.remember(MESSAGE, error.text)
    else:
        state.remember(MESSAGE, tr("Deleted “{name}”.", name=name))


def _load(name: str, folder: ImageFolder, training_photos: int) -> None:
    try:
        draft.start_from(fitted_to(services.recipe_book().read(name), folder, training_photos))
    except RecipeError as error:
        state.remember(MESSAGE, error.text)


def _upload(key: str, folder: ImageFolder, training_photos: int) -> None:
    file = state.widget(key)
    if file is None:
        return
    try:
        draft.start_from(from_upload(file.getvalue(), folder, training_photos))
    except RecipeError as error:
        state.remember(MESSAGE, error.text)
