"""The layers page in a real browser: tokens walk, a click chooses one, senses part."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tiny_encoder import save_model

pytestmark = pytest.mark.browser
SOON = 20_000  # milliseconds, for what the page does at once
LATER = 90_000  # for what the worker does, on a slow machine that is also starting


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"path:{save_model(tmp_path_factory.mktemp('model') / 'bert', 'bert')}"


def places(page: Page) -> list[str]:
    return page.locator(".ms-mover").evaluate_all("all => all.map(it => it.style.transform)")


def test_tokens_walk_and_are_chosen(page: Page, app_server: str, model: str):
    sentences = "the cat sleeps under a table,a big dog runs over the small table"
    page.goto(f"{app_server}/layers?model={model}&sentences={sentences}")
    page.wait_for_selector(".ms-stage[data-ready='layers joint pca']", timeout=LATER)
    movers = page.locator(".ms-mover")
    expect(movers).to_have_count(14, timeout=SOON)
    expect(page.locator(".ms-mover.ms-this")).to_have_count(2)  # the table of each sentence
    before = places(page)
    page.locator(".ms-play").first.click()
    stage = page.locator(".ms-stage").first
    expect(stage).to_have_attribute("data-step", "2", timeout=SOON)
    assert places(page) != before
    expect(page.locator(".ms-where").first).to_have_text("layer 2")
    dog = movers.filter(has_text="dog")
    dog.focus()  # by keyboard, as some do
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("token=8"), timeout=SOON)
    expect(page.locator(".ms-mover.ms-this")).to_have_text(["dog"], timeout=SOON)
    expect(stage).to_have_attribute("data-step", "2")  # the layer is kept
    box = page.get_by_role("textbox", name="Sentences, one a line")
    box.fill("<b>the</b> moon")
    box.press("Control+Enter")
    expect(movers.last).to_have_text("moon", timeout=SOON)


def test_senses_part(page: Page, app_server: str, model: str):
    page.goto(f"{app_server}/layers?model={model}&show=senses&word=bank")
    page.wait_for_selector(".ms-stage[data-ready='senses bank']", timeout=LATER)
    expect(page.locator(".ms-mover")).to_have_count(32, timeout=SOON)  # and two middles
    page.locator(".ms-mover").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("token=0"), timeout=SOON)
    expect(page.get_by_text("The sentences, by how they stand in")).to_be_visible()
    assert Path("assets/senses.tsv").read_text(encoding="utf-8").count("\nbank\t") == 30
