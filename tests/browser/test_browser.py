"""The real app in a real browser: what people see, click, play, link to and take away.

All on the small space except the last test; links name it, and PCA where UMAP is not the point.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import LATER, SOON, heading, ready, see, settled, words_listed
from playwright.sync_api import Browser, Page, expect
from small_words import IMAGE, small_words

pytestmark = pytest.mark.browser
WIDTHS = (1280, 1920)


def neighbors_of(word: str, count: int = 15) -> list[str]:
    words, vectors = small_words()
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[words.index(word)]), kind="stable")
    return [words[row] for row in order if words[row] != word][:count]


class TestMap:
    def test_find_a_word_and_see_its_neighbours(self, page, address):
        see(page, address("map"), "map pca")
        search = page.locator(".ms-search")
        search.fill("ocea")
        expect(page.locator(".ms-list [role=option]").first).to_have_text("ocean", timeout=SOON)
        search.fill("Ocean")
        search.press("Enter")
        expect(heading(page)).to_have_text("ocean", timeout=SOON)
        expect(words_listed(page)).to_have_text(neighbors_of("ocean"), timeout=SOON)
        page.wait_for_url(re.compile(r"selected=ocean"), timeout=SOON)
        page.wait_for_function(
            """() => ['links', 'neighbors', 'chosen'].every((role) => document
                .querySelector('.ms-plot').data.some((trace) => trace.meta.role === role))"""
        )

    def test_click_a_neighbour(self, page, address):
        see(page, address("map", selected="ocean"), "map pca")
        first, second = neighbors_of("ocean", 2)
        expect(words_listed(page).first).to_have_text(first, timeout=SOON)
        page.locator(".ms-neighbors button").nth(1).click()
        expect(heading(page)).to_have_text(second, timeout=SOON)
        expect(words_listed(page)).to_have_text(neighbors_of(second), timeout=SOON)

    def test_choose_with_the_keyboard_alone(self, page, address):
        see(page, address("map"), "map pca")
        search = page.locator(".ms-search")
        search.focus()
        page.keyboard.type("kin")
        options = page.locator(".ms-list [role=option]")
        expect(options.first).to_contain_text("king", timeout=SOON)
        page.keyboard.press("ArrowDown")
        expect(options.first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(heading(page)).to_have_text("king", timeout=SOON)

    def test_a_typed_text_is_placed(self, page, address):
        see(page, address("map"), "map pca")
        page.locator(".ms-search").fill("red boat")
        page.locator(".ms-search").press("Enter")
        expect(heading(page)).to_have_text("red boat", timeout=SOON)
        expect(page.get_by_text("mean of 2 words: red boat")).to_be_visible(timeout=SOON)

    def test_another_colour_leaves_the_points_where_they_are(self, page, address):
        see(page, address("map", colour="category"), "map pca")
        before = settled(page)
        page.goto(address("map", colour="norm"))
        ready(page, "map pca")
        expect(page.locator(".ms-legend")).to_contain_text("Vector length", timeout=SOON)
        assert settled(page) == before

    def test_first_sight_becomes_umap(self, page, address):
        """PCA at once, UMAP when the worker has it, and the figures that say how true it is."""
        see(page, address("map", projector="umap"), "map umap")
        expect(page.get_by_text(re.compile("PCA, for reference"))).to_be_visible(timeout=LATER)
        x, y = settled(page)
        assert len(x) == len(y) == len(small_words()[0])
        assert np.isfinite([x, y]).all()


class TestLinks:
    def test_the_same_link_shows_the_same_view_in_a_new_window(self, page, browser, address):
        see(page, address("map"), "map pca")
        page.locator(".ms-search").fill("king")
        page.locator(".ms-search").press("Enter")
        expect(heading(page)).to_have_text("king", timeout=SOON)
        page.wait_for_url(re.compile(r"selected=king"), timeout=SOON)
        mine = view_of(page)
        window = browser.new_context(viewport={"width": 1440, "height": 900})
        try:
            other = window.new_page()
            see(other, page.url, "map pca")
            expect(heading(other)).to_have_text("king", timeout=SOON)
            expect(words_listed(other)).to_have_count(15, timeout=SOON)
            assert view_of(other) == mine
        finally:
            window.close()

    def test_a_path_has_a_link_too(self, page, browser, address):
        link = address("paths", waypoints="dog,ocean,king", kinds="slerp,graph", steps="20")
        see(page, link, "path dog → ocean → king")
        page.wait_for_url(re.compile(r"revision="), timeout=SOON)
        window = browser.new_context()
        try:
            other = window.new_page()
            see(other, page.url, "path dog → ocean → king")
            assert settled(other) == settled(page)
            strips = [tab.locator(".ms-word").all_text_contents() for tab in (page, other)]
            assert strips[0] == strips[1]
        finally:
            window.close()


def view_of(page: Page) -> dict[str, Any]:
    """What makes two windows the same view."""
    expect(words_listed(page)).to_have_count(15, timeout=SOON)
    return {
        "heading": heading(page).all_text_contents(),
        "near": words_listed(page).all_text_contents(),
        "scene": page.locator(".ms-stage").first.get_attribute("data-ready"),
        "items": settled(page),
        "title": page.locator(".ms-title").all_text_contents(),
        "legend": page.locator(".ms-legend").all_text_contents(),
    }


STEPS = 16


@pytest.fixture(scope="module")
def link(address: Any) -> str:
    """The way that the tests below look at."""
    return address("paths", waypoints="dog,king", kinds="lerp,graph", steps=str(STEPS))


@pytest.fixture(scope="class")
def path(shared_page: Page, link: str) -> Page:
    """That way, opened once for all tests that leave the page as it is."""
    see(shared_page, link, "path dog → king")
    return shared_page


class TestPaths:
    def test_play_to_the_end(self, path):
        stage = path.locator(".ms-stage")
        expect(stage).to_have_attribute("data-step", "0")
        path.locator(".ms-speed").select_option("4")
        button = path.locator(".ms-play")
        expect(button).to_have_text("Play")
        button.click()
        expect(stage).to_have_attribute("data-step", str(STEPS - 1), timeout=SOON)
        expect(button).to_have_text("Play again")
        expect(path.locator(".ms-now").first).to_have_text("king")
        markers, ends = path.evaluate(
            """() => {
                const plot = document.querySelector('.ms-plot');
                const of = (role) => plot.data.filter((trace) => trace.meta.role === role);
                return [of('marker').map((t) => [t.x[0], t.y[0]]),
                        of('waypoints').map((t) => [t.x.at(-1), t.y.at(-1)])];
            }"""
        )
        np.testing.assert_allclose(markers, ends, atol=1e-4)  # they have arrived
        button.click()  # and once more, from the start
        expect(button).to_have_text("Pause")
        button.click()
        assert int(stage.get_attribute("data-step")) < STEPS - 1

    def test_scrub_by_keyboard(self, path):
        stage = path.locator(".ms-stage")
        path.locator(".ms-range").focus()
        for key, step in (
            ("Home", 0),
            ("ArrowRight", 1),
            ("ArrowRight", 2),
            ("ArrowLeft", 1),
            ("Home", 0),
        ):
            path.keyboard.press(key)
            expect(stage).to_have_attribute("data-step", str(step))
        path.keyboard.press("End")
        expect(stage).to_have_attribute("data-step", str(STEPS - 1))
        expect(path.locator(".ms-play")).to_have_text("Play again")
        said = path.locator(".ms-range").get_attribute("aria-valuetext")
        assert "king" in said

    def test_a_word_leads_to_its_step(self, path):
        word = path.locator(".ms-word").nth(1)
        start = word.get_attribute("data-start")
        word.click()
        expect(path.locator(".ms-stage")).to_have_attribute("data-step", start)
        expect(word).to_have_class(re.compile("ms-now"))

    def test_the_way_can_be_read(self, path):
        path.locator("summary", has_text="Read the path as text").click()
        lines = path.locator(".ms-transcript li")
        expect(lines).to_have_count(STEPS)
        expect(lines.first).to_be_visible()
        expect(lines.first).to_contain_text("dog")
        expect(lines.last).to_contain_text("king")

    def test_background_points_are_never_inside_frames(self, path):
        found = path.evaluate(
            """() => [...document.querySelectorAll('.ms-plot')].map((plot) => ({
                roles: plot.data.map((trace) => trace.meta.role),
                frames: plot._transitionData._frames.map((frame) => ({
                    traces: frame.traces,
                    most: Math.max(...frame.data.map((trace) => trace.x.length)),
                })),
            }))"""
        )
        assert len(found) == 2
        for plot in found:
            assert len(plot["frames"]) == STEPS
            for frame in plot["frames"]:
                assert {plot["roles"][k] for k in frame["traces"]} == {"trail", "marker"}
                assert frame["most"] <= 8

    def test_a_straight_path_is_straight_in_its_plane(self, path):
        x, y = path.evaluate(
            """() => {
                const line = document.querySelectorAll('.ms-plot')[1].data.find(
                    (t) => t.meta.role === 'line' && t.meta.kind === 'lerp' && t.x.length);
                return [line.x, line.y];
            }"""
        )
        steps = [(a, b) for a, b in zip(x, y, strict=True) if a is not None]
        np.testing.assert_allclose([b for _, b in steps], 0, atol=1e-4)

    def test_another_way_is_typed(self, page, link):
        see(page, link, "path dog → king")
        box = page.get_by_label("Way or sum")
        box.fill("ocean > table")
        box.press("Enter")
        ready(page, "path ocean → table")
        expect(page.locator(".ms-stage")).to_have_attribute("data-step", "0")
        page.wait_for_url(re.compile("waypoints=ocean%2Ctable"), timeout=SOON)

    def test_the_saved_page_plays_offline(self, path, browser, tmp_path):
        with path.expect_download(timeout=SOON) as download:
            path.get_by_role("button", name="Save as a page").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        assert file.suffix == ".html"
        with_nobody = browser.new_context(offline=True)
        asked: list[str] = []
        try:
            tab = with_nobody.new_page()
            tab.on("request", lambda request: asked.append(request.url))
            tab.goto(file.as_uri())
            ready(tab, "path dog → king", SOON)
            tab.locator(".ms-speed").select_option("4")
            tab.locator(".ms-play").click()
            expect(tab.locator(".ms-stage")).to_have_attribute(
                "data-step", str(STEPS - 1), timeout=SOON
            )
            expect(tab.locator(".ms-play")).to_have_text("Play again")
            assert tab.locator(".ms-word").all_text_contents() == (
                path.locator(".ms-word").all_text_contents()
            )
        finally:
            with_nobody.close()
        assert asked == [file.as_uri()]

    def test_the_steps_as_a_table(self, path, tmp_path):
        with path.expect_download(timeout=SOON) as download:
            path.get_by_role("button", name="Save the steps").click()
        file = Path(tmp_path / "steps.csv")
        download.value.save_as(file)
        import pandas as pd

        table = pd.read_csv(file)
        assert len(table) == 2 * STEPS
        assert table["word"].iloc[0] == "dog"
        assert table["word"].iloc[-1] == "king"


class TestTexts:
    """A text is never HTML, and never Markdown that fetches a picture."""

    def nothing_came_alive(self, page: Page) -> None:
        assert page.locator("img[src='x']").count() == 0
        assert page.locator("b", has_text="bold").count() == 0

    def test_typed(self, page, address):
        see(page, address("map"), "map pca")
        page.locator(".ms-search").fill(IMAGE)
        expect(page.locator(".ms-list [role=option]").first).to_have_text(IMAGE, timeout=SOON)
        page.locator(".ms-search").press("Enter")
        expect(heading(page)).to_have_text(IMAGE, timeout=SOON)
        expect(page.locator(".ms-label", has_text="onerror").first).to_be_visible(timeout=SOON)
        self.nothing_came_alive(page)

    def test_unknown(self, page, address):
        see(page, address("map", selected="<img src=x onerror=alert(2)>qqqq"), "map pca")
        expect(page.get_by_text("found '<img src=x onerror=alert(2)>qqqq'")).to_be_visible(
            timeout=SOON
        )
        self.nothing_came_alive(page)

    @pytest.mark.parametrize("page_name", ["map", "paths", "axes"])
    def test_markdown_in_a_link_fetches_nothing(self, page, address, page_name):
        """An error repeats the word; a picture in it would tell a stranger who looks."""
        evil = "![q](http://192.0.2.1/q.png)"
        view = {"selected": evil} if page_name == "map" else {}
        if page_name == "paths":
            view = {"waypoints": f"dog,{evil}"}
        if page_name == "axes":
            lists = {"x_from": "small", "x_to": "big", "y_from": "safe", "y_to": "deadly"}
            view = {**lists, "highlight": evil}
        page.goto(address(page_name, **view))
        expect(page.get_by_text("192.0.2.1").first).to_be_visible(timeout=SOON)
        assert page.locator("img[src*='192.0.2.1']").count() == 0

    def test_as_a_waypoint_and_in_the_saved_page(self, page, browser, address, tmp_path):
        link = address("paths", waypoints=f"dog,{IMAGE},</script><b>bold", steps="9")
        see(page, link, f"path dog → {IMAGE} → </script><b>bold")
        expect(page.locator(".ms-word", has_text="onerror").first).to_be_visible()
        self.nothing_came_alive(page)
        with page.expect_download(timeout=SOON) as download:
            page.get_by_role("button", name="Save as a page").click()
        file = tmp_path / "page.html"
        download.value.save_as(file)
        tab = page.context.new_page()
        alerts: list[str] = []
        tab.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        tab.goto(file.as_uri())
        tab.wait_for_selector(".ms-stage[data-ready]", timeout=SOON)
        self.nothing_came_alive(tab)
        assert alerts == []


class TestLooks:
    def test_nothing_scrolls_sideways(self, page, address):
        for name, view, scene in (
            ("map", {"selected": "ocean"}, "map pca"),
            ("paths", {"waypoints": "dog,king", "kinds": "lerp,slerp,graph"}, "path dog → king"),
            ("paths", {"waypoints": "king - man + woman"}, "sum"),
            ("axes", {}, "axes"),
        ):
            page.set_viewport_size({"width": WIDTHS[-1], "height": 900})
            see(page, address(name, **view), scene)
            for width in reversed(WIDTHS):
                page.set_viewport_size({"width": width, "height": 900})
                page.wait_for_function(f"document.querySelector('.stMain').clientWidth <= {width}")
                page.wait_for_timeout(500)  # the pictures follow the window
                for element in ("document.documentElement", "document.querySelector('.stMain')"):
                    over = page.evaluate(f"{element}.scrollWidth - {element}.clientWidth")
                    assert over <= 0, f"{name} at {width}: {element} is {over} pixels too wide"

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_both_themes(self, browser, address, scheme):
        context = browser.new_context(color_scheme=scheme)
        try:
            page = context.new_page()
            see(page, address("map", selected="ocean"), "map pca")
            root = page.locator(".ms-stage").first
            text, ground = root.evaluate(
                """(stage) => ['--ms-text', '--ms-canvas'].map(
                    (name) => getComputedStyle(stage).getPropertyValue(name))"""
            )
            body = page.evaluate(
                "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
            )
        finally:
            context.close()
        light = [brightness(color) for color in (text, ground, body)]
        expected = [False, True, True] if scheme == "light" else [True, False, False]
        assert [value > 0.5 for value in light] == expected

    def test_those_who_want_no_motion_get_none(self, browser, address):
        context = browser.new_context(reduced_motion="reduce")
        try:
            page = context.new_page()
            see(page, address("paths", waypoints="dog,king", steps="8"), "path dog → king")
            page.evaluate(
                """() => {
                    window.durations = [];
                    const animate = Plotly.animate;
                    Plotly.animate = (plot, frames, options) => {
                        durations.push(options.transition.duration);
                        return animate(plot, frames, options);
                    };
                }"""
            )
            page.locator(".ms-speed").select_option("4")
            page.locator(".ms-play").click()
            expect(page.locator(".ms-stage")).to_have_attribute("data-step", "7", timeout=SOON)
            durations = page.evaluate("durations")
            assert durations
            assert set(durations) == {0}
        finally:
            context.close()


def brightness(color: str) -> float:
    """0 black to 1 white, of #rrggbb or rgb(r, g, b)."""
    color = color.strip()
    if color.startswith("#"):
        parts = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    else:
        parts = [int(float(part)) for part in re.findall(r"[\d.]+", color)[:3]]
    return sum(parts) / 3 / 255


class TestMovingAbout:
    def test_from_the_start_to_a_path_and_back(self, page, address):
        page.goto(address(""))
        page.get_by_role("button", name="Show the path").click(timeout=LATER)
        ready(page, "path dog → table")
        page.get_by_role("link", name="Map").click()
        expect(page.get_by_role("heading", name="Map of meaning")).to_be_visible(timeout=SOON)
        page.wait_for_selector(".ms-stage[data-ready^='map']", timeout=LATER)
        page.get_by_role("link", name="Axes").click()
        ready(page, "axes")

    def test_a_shared_browser_does_not_mix_two_people(self, browser: Browser, address):
        """Two windows, two choices: what one chooses stays there."""
        contexts = [browser.new_context() for _ in range(2)]
        try:
            one, two = (context.new_page() for context in contexts)
            see(one, address("map", selected="ocean"), "map pca")
            see(two, address("map", selected="king"), "map pca")
            one.locator(".ms-search").fill("dog")
            one.locator(".ms-search").press("Enter")
            expect(heading(one)).to_have_text("dog", timeout=SOON)
            expect(heading(two)).to_have_text("king", timeout=SOON)
        finally:
            for context in contexts:
                context.close()


@pytest.mark.models
def test_the_default_space(page, app_server):
    """The one real truth: find ocean among the tokens of MiniLM."""
    see(page, f"{app_server}/map?projector=pca", "map pca")
    page.locator(".ms-search").fill("ocean")
    page.locator(".ms-search").press("Enter")
    expect(heading(page)).to_have_text("ocean", timeout=SOON)
    expect(words_listed(page)).to_have_count(15, timeout=SOON)
    assert {"sea", "oceans"} & set(words_listed(page).all_text_contents())
