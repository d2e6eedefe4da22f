"""A click where no item is, in a real browser: the place is marked where the mouse was."""

import re
from typing import Any

import pytest
from browsing import LATER, SOON, heading, see, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
WHERE = """(role) => {
    const plot = document.querySelector('.ms-plot');
    const { xaxis, yaxis, _size: size } = plot._fullLayout;
    const frame = plot.getBoundingClientRect();
    const at = (x, y) => [frame.left + size.l + xaxis.l2p(x), frame.top + size.t + yaxis.l2p(y)];
    const trace = plot.data.find(({ meta }) => meta?.role === role);
    return trace ? Array.from(trace.x, (x, k) => at(x, trace.y[k])) : [];
}"""


def empty_place(page: Page) -> tuple[float, float]:
    """A place of the picture, in pixels of the window, far from all items and controls."""
    items = page.evaluate(WHERE, "items")
    box = page.locator(".ms-plot").bounding_box()
    assert box is not None
    best, far = (0.0, 0.0), -1.0
    for across in range(20, 86, 5):
        for down in range(25, 96, 5):
            x = box["x"] + box["width"] * across / 100
            y = box["y"] + box["height"] * down / 100
            nearest = min((x - a) ** 2 + (y - b) ** 2 for a, b in items)
            if nearest > far:
                best, far = (x, y), nearest
    assert far > 20**2
    return best


def marked(page: Page) -> Any:
    page.wait_for_function("""() => document.querySelector('.ms-plot').data
        .some(({ meta }) => meta?.role === 'spot')""")
    return page.evaluate(WHERE, "spot")[0]


def test_a_click_on_empty_ground_marks_the_place_and_tells_it(page, address):
    see(page, address("map"), "map pca")
    settled(page)
    x, y = empty_place(page)
    page.mouse.click(x, y)
    page.wait_for_url(re.compile("spot="), timeout=SOON)
    expect(heading(page)).to_have_text("A place between", timeout=LATER)
    assert marked(page) == pytest.approx([x, y], abs=1.5)
    expect(page.locator(".ms-labels")).to_contain_text("here")
    page.locator(".ms-neighbors button").first.click()  # an item again, and the place is gone
    page.wait_for_url(re.compile("selected="), timeout=SOON)
    assert "spot=" not in page.url


def test_alt_asks_about_the_ground_under_an_item_and_a_drag_about_nothing(page, address):
    see(page, address("map"), "map pca")
    settled(page)
    x, y = empty_place(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 25, steps=4)
    page.mouse.up()
    page.wait_for_timeout(900)
    assert "spot=" not in page.url  # the map was moved
    items = page.evaluate(WHERE, "items")
    box = page.locator(".ms-plot").bounding_box()
    inside = [
        (a, b)
        for a, b in items
        if box["x"] + 0.3 * box["width"] < a < box["x"] + 0.7 * box["width"]
        and box["y"] + 0.3 * box["height"] < b < box["y"] + 0.7 * box["height"]
    ]
    a, b = inside[len(inside) // 2]
    page.keyboard.down("Alt")
    page.mouse.click(a, b)
    page.keyboard.up("Alt")
    page.wait_for_url(re.compile("spot="), timeout=SOON)
    assert "selected=" not in page.url
    assert marked(page) == pytest.approx([a, b], abs=1.5)
    page.mouse.click(a, b)  # without Alt it is the item that is meant
    page.wait_for_url(re.compile("selected="), timeout=SOON)
    assert "spot=" not in page.url


def test_a_lasso_that_ends_where_it_began_selects_and_asks_about_nothing(page, address):
    see(page, address("map", selected="king"), "map pca")
    settled(page)
    page.locator(".ms-plot").hover()
    page.get_by_role("button", name="Lasso Select").click()
    x, y = empty_place(page)
    page.mouse.move(x, y)
    page.mouse.down()
    frame = page.locator(".ms-plot").bounding_box()
    side = -1 if x > frame["x"] + frame["width"] / 2 else 1
    for across, down in ((300 * side, 0), (300 * side, -200), (0, -200), (0, 0)):
        page.mouse.move(x + across, y + down, steps=5)
    page.mouse.up()
    expect(page.get_by_text(re.compile("in the lasso"))).to_be_visible(timeout=SOON)
    page.wait_for_timeout(900)
    assert "spot=" not in page.url
    left = page.evaluate("""() => document.querySelector('.ms-plot').data
        .filter(({ meta }) => ["chosen", "neighbors"].includes(meta?.role))
        .map(({ unselected }) => unselected.marker.opacity)""")
    assert left == [1, 1]  # king and its neighbours are as bright as before
    held = """() => document.querySelector('.ms-plot').data
        .find(({ meta }) => meta?.role === 'items').selectedpoints?.length"""
    count = page.evaluate(held)
    page.get_by_role("radio", name="UMAP").click()
    page.wait_for_selector(".ms-stage[data-ready='map umap']", timeout=LATER)
    settled(page)
    assert page.evaluate(held) == count > 0  # the same items, wherever they are now
    expect(page.get_by_text(re.compile("in the lasso"))).to_be_visible()


def test_a_picture_listens_to_the_window_only_while_a_button_is_down(page, address):
    page.add_init_script("""
        window.heard = 0;
        const add = window.addEventListener;
        window.addEventListener = function (name, ...rest) {
            const ours = new Error().stack.includes('listenToGround');
            if (name === 'pointerup' && ours) window.heard += 1;
            return add.call(this, name, ...rest);
        };""")
    see(page, address("map"), "map pca")
    settled(page)
    assert page.evaluate("window.heard") == 0
    page.evaluate("window.former = document.querySelector('.ms-plot')")
    page.get_by_role("link", name="Axes").click()
    page.wait_for_function("!window.former.isConnected", timeout=LATER)
    page.wait_for_function("window.former._fullLayout === undefined", timeout=SOON)  # purged
