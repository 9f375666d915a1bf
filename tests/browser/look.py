"""What a page is asked, whoever looks at it: does it fit the screen, can everybody use it."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# What scrolls in a box of its own may be as wide as it likes, and what lies left of the screen is meant for the ear.
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const boxed = e => e && (getComputedStyle(e).overflowX !== 'visible' || boxed(e.parentElement));
  return [...document.body.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > width + 0.5 && !boxed(e.parentElement))
    .map(e => `${e.tagName.toLowerCase()}.${e.className} ends at ${Math.round(e.getBoundingClientRect().right)}`);
}"""


def too_wide(page: Page) -> list[str]:
    """The elements because of which a page must be moved sideways."""
    return page.evaluate(_TOO_WIDE)


def barriers(page: Page) -> list[str]:
    """What axe calls serious or critical: its rule, and where it is broken."""
    return [
        f"{found['id']}: {node['target'][0]} {node['failureSummary'].splitlines()[1].strip()}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]
