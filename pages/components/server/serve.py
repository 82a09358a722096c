"""Starting the server, whether by `python app.py` or by `streamlit run app.py`."""

import asyncio
import gc
import os
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from core.errors import SettingsError
from core.language import sentences, tr
from core.settings import home_of_user, settings_from
from pages.components.cached import runs, services
from pages.components.server.gate import Gate
from pages.components.server.uploads import Uploads

EVERYWHERE = ("", "0.0.0.0", "::")

NOWHERE = ("192.0.2.1", 9)
"""An address that nobody has (RFC 5737). Nothing is sent to it; the way to it tells the address of this computer."""


def serve(script: str) -> None:
    """Start the server with the options of the command line, and stay in it."""
    try:
        settings = settings_from()
    except SettingsError as error:
        sys.exit(str(error))
    if home_of_user() is None:  # as in a container; Streamlit asks for it, and so does Keras in our own processes
        os.environ["HOME"] = str(settings.home)
    sys.exit(cli.main(["run", script, *sys.argv[1:]], prog_name="streamlit"))


def middleware() -> list[Middleware]:
    """What each request goes through first, once all is prepared that needs no visitor."""
    try:
        settings = services.settings()
    except SettingsError as error:
        sys.exit(str(error))
    # Most of what pages draw with, so that no visitor waits for it; and the queue goes on without a visitor.
    import_module("pages.components.runs.run_view")
    runs.queue_keeper()
    # Streamlit takes a folder named "pages" for its older way of listing pages until `st.navigation` has run once, and
    # greets whoever opens a link to a page of a fresh server with "Page not found".
    PagesManager.uses_pages_directory = False
    names = {*settings.hosts, services.server_address()} - {""}
    return [Middleware(Gate, names=names), Middleware(Uploads, totals=services.upload_totals())]


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Say where the server is and who can do what there, and open a browser unless that was forbidden."""
    address = services.server_address()
    url = url_at("localhost" if address in EVERYWHERE else address)
    here = tr("Unfreeze is at {url}", url=url)
    print(f"\n  {here}")
    if services.is_shared():
        print(shared_words())
    print(flush=True)
    if not st.get_option("server.headless"):
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)
    # Streamlit looks for garbage after each run of a script, in which nobody else's can run: not in what stays loaded.
    gc.collect()
    gc.freeze()
    yield


def shared_words() -> str:
    """What others can see and do on a server that more than this computer can reach."""
    found = reached_at()
    who = sentences(
        tr("Other computers can reach it, at {url}.", url=url_at(found))
        if found
        else tr("Other computers can reach it."),
        tr("There is no password."),
    )
    what = tr(
        "Whoever opens it can see all runs, datasets and decisions, train models, delete runs, move and leave out"
        " photos, and download models."
    )
    where = tr(
        "They can pick datasets in these folders (UNFREEZE_DATASETS names others; your home is not offered by itself):"
    )
    roots = (f"  {root}" for root in services.settings().dataset_roots)
    return "\n" + "\n".join(f"  {line}" for line in (who, what, where, *roots))


def url_at(host: str) -> str:
    """The address of the app at one of the server's names or addresses."""
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}/{path}".rstrip("/")


def reached_at() -> str:
    """The address of this computer in its network; an empty text where it has none."""
    if (address := services.server_address()) not in EVERYWHERE:
        return address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])
