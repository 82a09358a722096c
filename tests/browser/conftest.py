"""The real app, served by a real server, in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, expect, sync_playwright

from tests.conftest import PROJECT, Workplace, alive, eventually, write_colours
from tests.nursery import VARIABLE, forked_server

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream=device-count=2",
    "--use-fake-ui-for-media-stream",
]

PATIENCE_MS = 120_000
"""How long the browser waits for what should appear by itself; generous, machines are busy."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser; the tests are skipped where there is none, unless the environment says that there must be."""
    if not CHROMIUM.exists() and not os.environ.get("UNFREEZE_REQUIRE_BROWSER"):
        pytest.skip(f"no browser at {CHROMIUM}: install Debian's package chromium to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


def started_afresh(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start a server as the README does; returns its process id."""
    none = subprocess.DEVNULL
    command = [sys.executable, "app.py", *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=none, stdout=none, stderr=none).pid


@dataclass
class Server:
    """The app's own server for one workplace.

    Attributes:
        afresh: Start it as the README does, not as a fork of what has been loaded already.
    """

    workplace: Workplace
    port: int
    more: Mapping[str, str] = field(default_factory=dict)
    afresh: bool = False
    pid: int = 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        arguments = ["--server.port", str(self.port), "--server.headless", "true"]
        environment = self.workplace.environment(**self.more)
        self.pid = (started_afresh if self.afresh or VARIABLE not in os.environ else forked_server)(
            arguments, environment
        )
        eventually(self._answers, "the server answers")

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with suppress(ChildProcessError):  # it is the nursery's
                os.waitpid(self.pid, 0)
            eventually(lambda: not alive(self.pid), "the server is gone")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def free_port() -> int:
    """A port that nobody listens on, if possible one from before: for the browser, what it has loaded is of a port."""
    for port in (*PORTS, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended do not count
            probe.bind(("127.0.0.1", port))
            if not port:
                PORTS.append(int(probe.getsockname()[1]))
            return port or PORTS[-1]
    raise OSError("there is no free port")


PORTS: list[int] = []
"""Ports that were free once."""


@pytest.fixture
def server(workplace: Workplace) -> Iterator[Server]:
    """A running server for the test's own workplace."""
    started = Server(workplace, free_port())
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="session")
def idle_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where no run is ever started, shared by all tests: they must leave its home as it is."""
    base = tmp_path_factory.mktemp("idle")
    started = Server(Workplace(base / "home", write_colours(base / "photos" / "colours")), free_port())
    started.start()
    yield started
    started.kill()


WATCH = """if (!window.wire) {
    new MutationObserver(() => {
        for (const node of document.querySelectorAll('[data-testid=stException]:not([data-said])')) {
            node.dataset.said = 'yes';
            console.error('An exception on the page: ' + node.innerText);
        }
    }).observe(document, {childList: true, subtree: true});
    window.wire = {sent: 0, received: 0};
    window.WebSocket = class extends WebSocket {
        constructor(...more) {
            super(...more);
            this.addEventListener('message', () => { window.wire.received = performance.now(); });
        }
        send(data) {
            window.wire.sent = performance.now();
            super.send(data);
        }
    };
}"""
"""Has a page tell of each exception at once, since the next rerun of the script may take it away again; and remember
when it last said something to the server, and when it last heard from it."""

SETTLED = """async (patience) => {
    const begun = performance.now(), pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let since = begun, state = 'there is no app on the page';
    for (;;) {
        const app = document.querySelector('[data-testid=stApp]'), now = performance.now();
        if (app) state = `${app.dataset.testConnectionState}, ${app.dataset.testScriptState}`;
        const answered = window.wire.received >= window.wire.sent || now > window.wire.sent + 1000;
        if (!app || state !== 'CONNECTED, notRunning' || !answered) since = now;
        if (now - since >= 200) break;
        if (now - begun > patience) return [`not settled after ${patience} ms: ${state}`];
        await pause(25);
    }
    const words = [...document.querySelectorAll('[data-testid=stException]')].map((node) => node.innerText);
    const said = document.evaluate("//*[text()[contains(., 'encountered an error')]]", document, null, 7);
    return [...words, ...[...Array(said.snapshotLength).keys()].map((place) => said.snapshotItem(place).innerText)];
}"""
"""Waits until the app is connected, its script has run, what was sent has been answered, and it has all stayed so for
a fifth of a second, within which a widget sends what was done with it; gives the texts of exceptions."""


@dataclass
class Screen:
    """One browser tab on a server.

    Attributes:
        seen: The texts of all exceptions that its pages have shown, be they still there or not.
    """

    server: Server
    page: Page
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen for exceptions from now on."""
        self.page.on("console", self.listen)
        self.page.add_init_script(WATCH)

    def listen(self, said: ConsoleMessage) -> None:
        """Remember an exception that the page tells of."""
        if "An exception on" in said.text:
            self.seen.append(said.text)

    def open(self, path: str = "/") -> None:
        """Go to a page of the app, and wait until it is drawn."""
        self.page.goto(self.server.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run and nothing is left to draw; an exception on the page fails the test."""
        while True:
            try:
                shown: list[str] = self.page.evaluate(SETTLED, PATIENCE_MS)
            except Error as error:
                if "context was destroyed" not in error.message:  # else it went on to another page meanwhile
                    raise
            else:
                break
        assert not self.seen + shown

    def looks(self) -> Iterator[str]:
        """Have the page as on a large light screen, then as on a small dark one; says which."""
        for name, width, dark in (("large and light", 1280, False), ("small and dark", 400, True)):
            self.page.emulate_media(color_scheme="dark" if dark else "light")
            self.page.set_viewport_size({"width": width, "height": 1000})
            expect(self.page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark" if dark else "light")
            self.settle()
            yield name

    def button(self, name: str) -> Locator:
        """The page's buttons of a name, apart from the arrows of choices, which Streamlit calls "Open"."""
        named = self.page.get_by_role("button", name=name, exact=True)
        return named.and_(self.page.locator(":not(.stSelectbox *)"))

    def press(self, name: str) -> None:
        """Click a button, and wait for what it brings."""
        self.button(name).click()
        self.settle()

    def follow(self, name: str) -> None:
        """Click a link to another page, and wait for it."""
        self.page.get_by_role("link", name=name).first.click()
        self.settle()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until something is true, while the page lives on."""

        def happened_after_a_moment() -> bool:
            self.page.wait_for_timeout(100)
            return happened()

        eventually(happened_after_a_moment, what)

    def text(self, words: str) -> Locator:
        """Where some words stand on the page."""
        return self.page.get_by_test_id("stMain").get_by_text(words).filter(visible=True).first

    def unfold(self, title: str) -> None:
        """Open what is folded away below a title that begins so."""
        self.page.get_by_test_id("stExpander").get_by_text(re.compile(f"^{title}")).first.click()
        self.settle()

    def send_photos(self, files: Any) -> None:
        """On the Predict page, choose uploads as the source, and upload files: whatever Playwright takes."""
        self.page.get_by_role("radio", name="Photos", exact=True).click()
        self.settle()
        self.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(files)

    def endless(self) -> None:
        """On the Train page, by epochs: a thousand for the head, however soon it stops improving."""
        self.unfold("Expert")
        self.page.get_by_role("tab", name="Epochs", exact=True).click()
        self.settle()
        for label, number in (("Early stopping", "0"), ("Epochs for the head", "1000")):
            self.page.get_by_label(label, exact=True).fill(number)
            self.page.get_by_label(label, exact=True).press("Enter")
            self.settle()

    def by_epochs(self) -> None:
        """On the Train page, choose by epochs instead of by minutes, which unfolds all that can be chosen."""
        self.choose_length("By epochs")

    def choose_length(self, words: str) -> None:
        """On the Train page, choose so many minutes, or by epochs."""
        self.page.get_by_test_id("stRadioOption").filter(has_text=re.compile(f"^{words}")).click()
        self.settle()

    def exceptions(self) -> list[str]:
        """The texts of exceptions that pages in this tab have shown so far, or show."""
        shown = self.page.get_by_test_id("stException").or_(self.page.get_by_text("encountered an error"))
        return self.seen + ([] if self.page.is_closed() else shown.all_inner_texts())

    def skipped_headings(self) -> list[str]:
        """Headings that are more than one level below the one before, so that those who hear a page get lost."""
        headings = "node => [+node.tagName[1], node.innerText]"
        rows = self.page.evaluate(f"() => [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map({headings})")
        pairs = pairwise([(0, ""), *rows])
        return [f"h{level} follows h{before}: {words}" for (before, _), (level, words) in pairs if level > before + 1]

    def problems(self) -> list[str]:
        """What nobody should ever see: exceptions, levels of headings left out, and a page wider than the window."""
        found = [*self.exceptions(), *self.skipped_headings()]
        found += self.page.get_by_role("dialog").get_by_text("not found").all_inner_texts()
        wide = self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        return [*found, f"the page is {wide} px too wide"] if wide > 0 else found


@dataclass
class Tab:
    """A browser tab in a profile of its own, which one test after the other has as if it were new.

    Starting one, and loading the app's scripts into an empty cache, takes more time than many a test.
    """

    page: Page
    screen: Screen | None = None

    def begin(self, server: Server, width: int, dark: bool) -> Screen:
        """Look at a server with it."""
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.screen = Screen(server, self.page)
        return self.screen

    def end(self) -> None:
        """Forget whatever the last test did, except for what was loaded from where anything else may be loaded."""
        assert self.screen
        self.page.remove_listener("console", self.screen.listen)
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        self.page.context.clear_permissions()
        line = self.page.context.new_cdp_session(self.page)
        line.send("Storage.clearDataForOrigin", {"origin": self.screen.server.address, "storageTypes": KEPT_BY_PAGES})
        line.detach()
        self.screen = None


KEPT_BY_PAGES = "cookies,file_systems,indexeddb,local_storage,service_workers,cache_storage"
"""What pages can keep in a browser, as the DevTools protocol calls it; its cache of what was loaded is none of them."""


@pytest.fixture(scope="session")
def tabs(chromium: Browser) -> list[Tab]:
    """Tabs that no test has at the moment."""
    return []


@pytest.fixture
def new_screen(chromium: Browser, tabs: list[Tab], request: pytest.FixtureRequest) -> Iterator[Callable[..., Screen]]:
    """Opens tabs, each in a browser profile of its own: `new_screen(server, width=…, dark=…)`.

    None of them may have shown an exception when the test ends. A test that adds scripts to its pages or listens to
    them asks for one that nobody has afterwards, with `own=True`.
    """
    begun: list[tuple[Tab, bool]] = []

    def open_tab(server: Server, width: int = 1280, dark: bool = False, own: bool = False) -> Screen:
        if tabs and not own:
            tab = tabs.pop()
        else:
            tab = Tab(chromium.new_context(accept_downloads=True).new_page())
            tab.page.set_default_timeout(PATIENCE_MS)
        begun.append((tab, own))
        return tab.begin(server, width, dark)

    failed = request.session.testsfailed
    yield open_tab
    shown = [text for tab, _ in begun if tab.screen for text in tab.screen.exceptions()]
    for tab, own in begun:
        if own or shown or tab.page.is_closed() or request.session.testsfailed > failed:
            tab.page.context.close()
        else:
            try:
                tab.end()
            except Error:  # its page could not be loaded: the server has gone
                tab.page.context.close()
            else:
                tabs.append(tab)
    assert not shown
