"""The trajectories page in a real browser: a text grows, plays, answers clicks and stops."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tiny_causal import SLOW, save_tiny

pytestmark = pytest.mark.browser
SOON = 20_000  # milliseconds, for what the page does at once
LATER = 240_000  # for what the worker and the model do, on a slow machine that is also starting
WHOLE = ".ms-stage[data-ready='trajectory whole']"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny(tmp_path_factory.mktemp("model"))


def test_a_text_is_written_and_played(page: Page, app_server: str, model: str):
    prompt = "the cat sat on the mat"
    page.goto(f"{app_server}/trajectories?model={model}&prompt={prompt}&steps=9&temperature=1")
    page.wait_for_selector(WHOLE, timeout=LATER)
    stage = page.locator(WHOLE)
    expect(stage).to_have_attribute("data-step", "4", timeout=SOON)  # the prompt's end
    expect(page.locator(".ms-flowing").first).to_have_text(prompt)
    expect(page.locator(".ms-label", has_text="%").first).to_be_visible()  # words of the fan
    words = page.locator(".ms-flowing .ms-word")
    words.filter(has_text="sat").first.click()
    page.wait_for_url(re.compile("step=1"), timeout=SOON)
    expect(page.get_by_role("heading", name="sat", exact=True)).to_be_visible(timeout=SOON)
    expect(stage).to_have_attribute("data-step", "1")
    page.locator(".ms-play").click()
    expect(stage).not_to_have_attribute("data-step", "1", timeout=SOON)
    last = words.count() - 2  # the first token is in no step
    expect(stage).to_have_attribute("data-step", str(last), timeout=SOON)
    page.wait_for_url(re.compile(f"step={last}"), timeout=SOON)
    assert page.evaluate("document.querySelector('.ms-plot').data.length") > 8


def test_in_space_the_step_moves_too(page: Page, app_server: str, model: str):
    page.goto(f"{app_server}/trajectories?model={model}&prompt=the moon is red&steps=5&dims=3")
    page.wait_for_selector(WHOLE, timeout=LATER)
    marker = """() => { const { data } = document.querySelector('.ms-plot');
        return data.find(({ meta }) => meta?.role === 'marker').x[0]; }"""
    before = page.evaluate(marker)
    page.locator(".ms-flowing .ms-word").filter(has_text="moon").first.click()
    page.wait_for_function(f"before => ({marker})() !== before", arg=before, timeout=SOON)


def test_a_text_grows_live_and_stops(page: Page, app_server: str, tmp_path: Path):
    slow = save_tiny(tmp_path, other=SLOW)
    page.goto(f"{app_server}/trajectories?model={slow}&prompt=the cat sat on the mat&steps=500")
    page.wait_for_selector(".ms-stage[data-ready='trajectory writing'] .ms-word", timeout=LATER)
    canvases = "[...document.querySelectorAll('.gl-canvas')]"
    marked = f"{canvases}.map((canvas) => {{ canvas.first = true; }}).length > 0"
    page.wait_for_function(marked, timeout=LATER)
    page.wait_for_function("document.querySelectorAll('.ms-word').length > 11", timeout=LATER)
    page.get_by_role("button", name="Stop").first.click()  # the next one stops the map's work
    page.wait_for_selector(WHOLE, timeout=LATER)
    # it was drawn again and again in the same place: a new WebGL context each time takes a second
    page.wait_for_function(f"{canvases}.length > 0", timeout=SOON)
    assert page.evaluate(f"{canvases}.every((canvas) => canvas.first)")
    expect(page.get_by_text("Stopped. Press Write to begin again.")).to_be_visible()
    count = page.locator(".ms-flowing .ms-word").count()
    assert 11 < count < 500
