"""Every text of a page, in all its views: for the tests of other languages."""

import re
from collections.abc import Iterator

from playwright.sync_api import Error, Locator

from tests.browser.conftest import Screen

_TEXTS = """(ours) => {
    const found = new Set(), code = "code, pre, script, style, [data-testid=stCode], [translate=no]";
    const add = (text) => { if (text && text.trim()) found.add(text.trim().replace(/\\s+/g, " ")); };
    const visit = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (node.nodeType === Node.TEXT_NODE) {
                if (!node.parentElement || !node.parentElement.closest(code)) add(node.data);
                continue;
            }
            if (node.matches("[data-testid=stIconMaterial], [translate=no] *")) { walker.nextSibling(); continue; }
            for (const name of ["aria-label", "title", "placeholder", "alt"]) add(node.getAttribute(name));
            if (node.shadowRoot) visit(node.shadowRoot);
        }
    };
    visit(document.body);
    return [...found];
}"""
"""The texts in a page and in its components, and what is said of elements to those who cannot see them."""

MOST_VIEWS = 60
"""After so many views of one page something goes round in circles."""

_ICON = re.compile(r"[a-z0-9_]+")
"""A name of an icon, which its font draws as a picture."""


def texts(screen: Screen) -> set[str]:
    """What can be read on the page as it is now."""
    screen.settle()
    icons = set(screen.page.get_by_test_id("stIconMaterial").all_inner_texts())
    return {text for text in screen.page.evaluate(_TEXTS) if text not in icons}


def every_view(screen: Screen) -> Iterator[set[str]]:
    """The texts of a page, everything unfolded, then again after each choice between views was taken once."""
    seen: set[str] = set()
    for _ in range(MOST_VIEWS):
        unfold(screen)
        yield texts(screen)
        yield from _hidden(screen, seen)
        for option in _options(screen):
            name = _name(option)
            if name and name not in seen:
                seen.add(name)
                option.click(force=True)
                break
        else:
            return
    raise AssertionError(f"more than {MOST_VIEWS} views: {sorted(seen)}")


def _options(screen: Screen) -> list[Locator]:
    """What chooses between views: tabs, and radio buttons of any kind."""
    main = screen.page.get_by_test_id("stMain")
    return [*main.get_by_role("tab").all(), *main.get_by_role("radio").all()]


def _name(option: Locator) -> str:
    try:
        if option.is_disabled(timeout=1000):
            return ""
        return str(option.evaluate("node => node.innerText || node.parentElement.innerText || node.ariaLabel || ''"))
    except Error:  # it has just been drawn again
        return ""


def unfold(screen: Screen) -> None:
    """Open everything that is folded."""
    for _ in range(MOST_VIEWS):
        folded = screen.page.locator("[data-testid=stMain] details:not([open]) > summary").filter(visible=True)
        if not folded.count():
            return
        folded.first.click()
        screen.settle()


def _hidden(screen: Screen, seen: set[str]) -> Iterator[set[str]]:
    """The texts of menus, of popovers and of what the pointer brings, each once a page."""
    main = screen.page.get_by_test_id("stMain")
    for each in main.get_by_role("combobox").all() + main.get_by_test_id("stPopoverButton").all():
        name = f"menu {each.get_attribute('aria-label') or each.inner_text()}"
        if name not in seen and each.is_enabled() and each.is_visible():
            seen.add(name)
            each.click()
            screen.settle()
            yield texts(screen)
            screen.page.keyboard.press("Escape")
    for each in main.get_by_test_id("stTooltipIcon").filter(visible=True).all():
        name = f"help {each.locator('xpath=..').inner_text()}"
        if name not in seen:
            seen.add(name)
            each.hover(force=True)
            screen.page.wait_for_timeout(150)
            yield set(screen.page.get_by_test_id("stTooltipContent").all_inner_texts())
