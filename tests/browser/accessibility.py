"""What axe-core finds on a page: barriers that a machine can see, of WCAG 2.2 at levels A and AA."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

BARRIERS = ("serious", "critical")

STREAMLITS_OWN = {
    # The sidebar's list of pages holds headings with a list of their own, which are no items.
    "list": "[data-testid=stSidebarNavItems]",
    "listitem": "[data-testid=stSidebarNavItems]",
}
"""Rules, each with a selector of what Streamlit draws against it and has no setting for."""

_RUN = """async () => {
  const found = await axe.run(document, {
    resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  });
  return found.violations.map((rule) => [rule.id, rule.impact, rule.nodes.map((node) => [node.target.join(" "),
    node.html, [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ")])]);
}"""

_IS_WITHIN = "([target, own]) => Boolean(document.querySelector(target)?.closest(own))"


def barriers(page: Page) -> list[str]:
    """What is serious or critical on a page, but for what Streamlit alone can change."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"{AXE_SCRIPT};0")
    found = []
    for rule, impact, places in page.evaluate(_RUN):
        own = STREAMLITS_OWN.get(rule)
        for target, html, words in places if impact in BARRIERS else ():
            if not own or not page.evaluate(_IS_WITHIN, [target, own]):
                found.append(f"{rule}: {target}: {html[:200]}: {words}")
    return found
