"""Bringing a file of vectors through the browser, where others are served and paths are closed."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import LATER, SOON
from conftest import served
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link of a class server."""
    folder = tmp_path_factory.mktemp("class")
    with served(folder, "--host", "0.0.0.0"):
        address = re.search(
            r"http://[\d.]+:(\d+)/\?token=[\w-]+", (folder / "server.log").read_text()
        )
        assert address is not None
        yield re.sub(r"//[\d.]+:", "//127.0.0.1:", address[0])


def test_a_file_is_brought_looked_at_and_forgotten(page: Page, link: str, tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(60, 5)).round(3)
    table = tmp_path / "städte.vec"
    lines = [f"город{at} {' '.join(map(str, row))}" for at, row in enumerate(rows)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    prose = tmp_path / "prose.txt"
    prose.write_text("<b>No table</b> of vectors.\n")
    page.goto(link)
    side = page.get_by_test_id("stSidebar")
    side.get_by_role("button", name="Bring a file").click(timeout=LATER)
    box = page.get_by_test_id("stPopoverBody")
    expect(box.get_by_text("At most 12 MB a file")).to_be_visible(timeout=SOON)
    box.locator("input[type=file]").set_input_files(prose)
    expect(box.get_by_text("found prose.txt, whose first line is not")).to_be_visible(timeout=LATER)
    expect(box.locator("input[type=file]")).to_have_count(1, timeout=SOON)  # the new, empty one
    box.locator("input[type=file]").set_input_files(table)
    expect(box).to_have_count(0, timeout=LATER)
    expect(page.locator(".ms-plot").first).to_be_visible(timeout=LATER)
    expect(side.get_by_text("städte.vec").first).to_be_visible(timeout=SOON)
    side.get_by_role("button", name="Forget this file").click()
    expect(side.get_by_text("städte.vec")).to_have_count(0, timeout=LATER)
