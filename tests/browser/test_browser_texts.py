"""The texts page in a real browser: a document walks through its windows, and a text is sought."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from browsing import LATER, SOON, ready
from conftest import served
from few_texts import few_documents
from playwright.sync_api import Page, expect

from core.pipeline import Workspace
from core.pipeline.texts import library as libraries
from core.pipeline.texts.library import draw_library
from core.projection.base import UmapSpec

pytestmark = [pytest.mark.browser, pytest.mark.models]
MARKER = """() => {
    const plot = document.querySelector('.ms-plot');
    const marker = plot.data.find((trace) => trace.meta?.role === 'marker');
    const windows = plot.data.find((trace) => trace.meta?.role === 'windows');
    return [[marker.x[0], marker.y[0]], Array.from(windows.x), Array.from(windows.y)];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a workspace in which a small library was read already."""
    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libraries, "corpus_documents", few_documents)
        draw_library(Workspace(folder), "minilm", UmapSpec())
    with served(folder) as address:
        yield address


def test_a_document_walks_through_its_windows(page: Page, address: str):
    link = {"document": "cell, biology"}
    page.goto(f"{address}/texts?{urlencode(link)}")
    ready(page, "texts umap cell, biology")
    at, x, y = page.evaluate(MARKER)
    assert len(x) > 1
    assert at == pytest.approx([x[0], y[0]])
    page.locator(".ms-range").press("End")  # by keyboard
    page.wait_for_function(
        f"([x, y]) => {{ const [at] = ({MARKER})(); "
        "return Math.abs(at[0] - x) < 1e-5 && Math.abs(at[1] - y) < 1e-5; }",
        arg=[x[-1], y[-1]],
        timeout=SOON,
    )
    expect(page.locator(".ms-where")).to_have_text(f"{len(x)} of {len(x)}")
    width = page.locator(".ms-plot").first.bounding_box()["width"]
    main = page.locator("[data-testid=stMainBlockContainer]").bounding_box()["width"]
    assert width > 2 / 3 * main
    # A neighbour in the panel is the next document, with a way of its own.
    near = page.locator(".ms-neighbors button").first
    title = str(near.locator("span").first.text_content())
    near.click()
    ready(page, f"texts umap {title}")
    expect(page.locator("h3").first).to_have_text(title, timeout=SOON)


def test_a_typed_text_is_placed_and_its_nearest_are_told(page: Page, address: str):
    page.goto(f"{address}/texts")
    ready(page, "texts umap")
    search = page.locator(".ms-search")
    search.fill("She caught a carp from the muddy bank of the river")
    search.press("Enter")
    page.wait_for_url(re.compile("query=She"), timeout=SOON)
    expect(page.locator(".ms-bars .ms-barname").first).to_be_visible(timeout=LATER)
    names = page.locator(".ms-bars .ms-barname").all_text_contents()
    assert "bank, river" in names[:4]
    expect(page.locator(".ms-label.ms-chosen")).to_contain_text("She caught a carp")
