"""The compare page in a real browser: linked pointing, zoom and selection, and the morph."""

import re
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from browsing import LATER, SOON, ready, words_listed
from compared_words import ASTRAY, write_second
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PLACES = """(k) => {
    const plot = document.querySelectorAll('.ms-plot')[k];
    const items = plot.data.find((trace) => trace.meta.role === 'items');
    return [Array.from(items.x), Array.from(items.y)];
}"""
WINDOWS = """() => [...document.querySelectorAll('.ms-plot')].slice(0, 2).map((plot) => {
    const { xaxis, yaxis } = plot._fullLayout;
    return [...xaxis.range, ...yaxis.range];
})"""
SPOT = """([k, row]) => {  // where an item is on the screen
    const plot = document.querySelectorAll('.ms-plot')[k];
    const { xaxis, yaxis, _size } = plot._fullLayout;
    const items = plot.data.find((trace) => trace.meta.role === 'items');
    const { left, top } = plot.getBoundingClientRect();
    const at = [xaxis.l2p(items.x[row]) + _size.l, yaxis.l2p(items.y[row]) + _size.t];
    return [left + at[0], top + at[1], at[0], at[1]];
}"""


@pytest.fixture(scope="module")
def pair(words_reference: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    second = write_second(tmp_path_factory.mktemp("second") / "second.npz")
    return {"a": words_reference, "b": f"vectors:{second}", "picture": "pca"}


@pytest.fixture
def see(page: Page, app_server: str, pair: dict[str, str]) -> Any:
    def at(scene: str, **view: str) -> Page:
        page.goto(f"{app_server}/compare?{urlencode(pair | view)}")
        ready(page, scene, 2 * LATER)
        page.wait_for_selector('.ms-stage[data-ready^="compare way"]', timeout=LATER)
        expect(page.locator("[data-testid=stProgress]")).to_have_count(0, timeout=LATER)
        return page

    return at


def row_of(page: Page, word: str) -> int:
    """The row of a word among the drawn items: its label's place tells it, exactly."""
    return int(
        page.evaluate(
            """() => document.querySelector('.ms-plot').data
                .find((trace) => trace.meta.role === 'chosen').meta.rows[0]"""
        )
    )


def test_pointing_zooming_and_choosing_are_linked(see):
    page = see("compare side pca", item="dog")
    row = row_of(page, "dog")
    # Pointed at in the first map, it is ringed in the second, where that one has it.
    x, y, *_ = page.evaluate(SPOT, [0, row])
    page.mouse.move(x - 40, y - 40)
    page.mouse.move(x, y, steps=8)
    ring = page.locator(".ms-picture").nth(1).locator(".ms-ring")
    expect(ring).to_be_visible(timeout=SOON)
    expect(ring).to_have_text("dog")
    _, _, left, top = page.evaluate(SPOT, [1, row])
    style = ring.evaluate("(node) => [parseFloat(node.style.left), parseFloat(node.style.top)]")
    np.testing.assert_allclose(style, [left, top], atol=0.6)
    # Zoomed in the second, the first follows.
    before = page.evaluate(WINDOWS)
    x, y, *_ = page.evaluate(SPOT, [1, row])
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        f"(before) => {{ const now = ({WINDOWS})(); return Math.abs(now[0][0] - before) > 1e-6 "
        "&& now[0].every((value, k) => Math.abs(value - now[1][k]) < 1e-6); }",
        arg=before[0][0],
        timeout=SOON,
    )
    # A click in the second chooses in both.
    page.locator(".ms-search").fill("king")
    page.locator(".ms-search").press("Enter")
    page.wait_for_url(re.compile("item=king"), timeout=SOON)
    expect(page.locator("h3").first).to_have_text("king", timeout=SOON)
    roles = """() => [...document.querySelectorAll('.ms-plot')].slice(0, 2).map((plot) =>
        plot.data.find((trace) => trace.meta.role === 'chosen')?.meta.rows[0])"""
    page.wait_for_function(
        f"(row) => {{ const now = ({roles})(); return now[0] === now[1] && now[0] !== row; }}",
        arg=row,
        timeout=SOON,
    )
    # A neighbour in the panel is chosen by a click, and so is a line of the table.
    name = words_listed(page).first.text_content()
    words_listed(page).first.click()
    expect(page.locator("h3").first).to_have_text(str(name), timeout=SOON)
    lines = page.locator(".ms-moves tbody tr")
    assert {lines.nth(k).locator("button").text_content() for k in range(3)} == set(ASTRAY)
    lines.nth(0).locator("button").click()
    expect(page.locator("h3").first).to_have_text(
        str(lines.nth(0).locator("button").text_content()), timeout=SOON
    )


def test_one_map_morphs_into_the_other_and_back(see):
    page = see("compare morph pca", item="dog", layout="morph")
    stage = page.locator(".ms-stage").first
    start = np.array(page.evaluate(PLACES, 0))
    assert stage.get_attribute("data-morph") == "0"
    page.locator(".ms-morph .ms-play").click()
    expect(stage).to_have_attribute("data-morph", "1", timeout=SOON)
    end = np.array(page.evaluate(PLACES, 0))
    row = row_of(page, "dog")
    assert np.linalg.norm(end[:, row] - start[:, row]) > 0.05
    marker, trail = page.evaluate(
        """() => {
            const { data } = document.querySelector('.ms-plot');
            const of = (role) => data.find((trace) => trace.meta.role === role);
            const trails = of('trails');
            const at = trails.meta.follow.findIndex((row) => row === of('chosen').meta.rows[0]);
            return [[of('chosen').x[0], of('chosen').y[0]],
                    [[trails.x[at - 1], trails.y[at - 1]], [trails.x[at], trails.y[at]]]];
        }"""
    )
    np.testing.assert_allclose(marker, end[:, row], atol=1e-5)  # it went along
    np.testing.assert_allclose(trail, [start[:, row], end[:, row]], atol=1e-5)
    # Another choice is made at this end, and the map stays there.
    page.locator(".ms-search").fill("ocean")
    page.locator(".ms-search").press("Enter")
    expect(page.locator("h3").first).to_have_text("ocean", timeout=SOON)
    page.wait_for_timeout(500)
    assert stage.get_attribute("data-morph") == "1"
    np.testing.assert_allclose(page.evaluate(PLACES, 0), end, atol=1e-5)
    # Held half-way by the slider, then back by the name of the first end.
    page.locator(".ms-morph .ms-range").fill("50")
    expect(stage).to_have_attribute("data-morph", "0.5", timeout=SOON)
    np.testing.assert_allclose(page.evaluate(PLACES, 0), (start + end) / 2, atol=1e-4)
    page.locator(".ms-end").first.click()
    expect(stage).to_have_attribute("data-morph", "0", timeout=SOON)
    np.testing.assert_allclose(page.evaluate(PLACES, 0), start, atol=1e-5)


def test_without_motion_the_morph_is_one_step(see, page):
    page.emulate_media(reduced_motion="reduce")
    see("compare morph pca", layout="morph")
    page.evaluate(
        """() => {
            window.seen = new Set();
            new MutationObserver(() => window.seen.add(
                document.querySelector('.ms-stage').dataset.morph
            )).observe(document.querySelector('.ms-stage'), { attributes: true });
        }"""
    )
    page.locator(".ms-morph .ms-play").click()
    stage = page.locator(".ms-stage").first
    expect(stage).to_have_attribute("data-morph", "1", timeout=SOON)
    assert page.evaluate("[...window.seen]") == ["1"]


def test_both_ways_play_together(see):
    page = see("compare way dog → table", waypoints="dog,table")
    stage = page.locator('.ms-stage[data-ready^="compare way"]')
    stage.locator(".ms-range").focus()
    page.keyboard.press("End")
    last = stage.locator(".ms-word.ms-now")
    expect(last).to_have_count(2)
    assert last.all_text_contents() == ["table", "table"]
