"""Starting the server from `python app.py`."""

import sys
from importlib import import_module

from streamlit import runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from core.errors import SettingsError
from core.settings import settings_from
from pages.components.cached import runs


def serve_unless_served(script: str) -> None:
    """Start the server and stay in it, unless this very script is already being served.

    Streamlit takes a folder named "pages" for its older way of listing pages until `st.navigation` has run once, and
    greets whoever opens a link to a page of a fresh server with "Page not found". Started from here, it does not.
    """
    if runtime.exists():
        return
    try:
        settings_from()
    except SettingsError as error:
        sys.exit(str(error))
    # Most of what pages draw with, so that no visitor waits for it; and the queue goes on without a visitor.
    import_module("pages.components.runs.run_view")
    runs.queue_keeper()
    PagesManager.uses_pages_directory = False
    sys.exit(cli.main(["run", script, *sys.argv[1:]], prog_name="streamlit"))
