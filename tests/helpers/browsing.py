"""The app in a browser: addresses, waiting until it has drawn, and reading what it shows."""

import json
from typing import Any

from playwright.sync_api import Page

SOON = 15_000  # milliseconds for what the page does at once, on a slow machine
LATER = 150_000  # for what the worker does, also behind work that an earlier test left it
ITEMS = """() => {
    const { x, y } = document.querySelector('.ms-plot').data[0];
    return [Array.from(x), Array.from(y)];
}"""


def ready(page: Page, scene: str, wait: int = LATER) -> None:
    """Wait until the stage has painted that scene."""
    page.wait_for_selector(
        f".ms-stage[data-ready={json.dumps(scene, ensure_ascii=False)}]", timeout=wait
    )


def settled(page: Page) -> list[list[float]]:
    """x and y of all items, once they have stopped moving."""
    now: Any = None
    for _ in range(100):
        before, now = now, page.evaluate(ITEMS)
        if now == before and now[0]:
            return list(now)
        page.wait_for_timeout(300)
    raise AssertionError(f"the points never came to rest; there are {len(now[0])} of them")


def see(page: Page, url: str, scene: str) -> None:
    page.goto(url)
    ready(page, scene)


def heading(page: Page) -> Any:
    """The name of what is chosen, in the panel beside the map."""
    return page.locator("h3")


def words_listed(page: Page) -> Any:
    return page.locator(".ms-neighbors button span:first-child")
