"""What axe-core finds on a page: barriers that a machine can see, of WCAG 2.2 at levels A and AA."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

BARRIERS = ("serious", "critical")

_RUN = """async () => {
  const found = await axe.run(document, {
    resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  });
  return found.violations.map((rule) => [rule.id, rule.impact, rule.nodes.map((node) => [node.target.join(" "),
    node.html, [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ")])]);
}"""


def barriers(page: Page) -> list[str]:
    """What is serious or critical on a page."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"{AXE_SCRIPT};0")
    return [
        f"{rule}: {target}: {html[:200]}: {words}"
        for rule, impact, places in page.evaluate(_RUN)
        if impact in BARRIERS
        for target, html, words in places
    ]
