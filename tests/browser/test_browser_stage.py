"""The stage by itself in a real browser: taken off the page and put back, as Streamlit may do."""

import json
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from core.figures.bundle import bundle
from core.figures.parts import Figure, scattergl
from core.figures.scene import Picture, Scene, to_json
from core.figures.tokens import LIGHT
from core.resources import plotly_path, site_root

pytestmark = pytest.mark.browser
AWAY = 3_000  # milliseconds that a stage waits
MOUNT = """async ([source, data]) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const mount = (await import(url)).default;
    const quiet = () => {};
    window.put = (key) => {
        const parentElement = document.body.appendChild(document.createElement('div'));
        const gone = mount({ data: { ...data, key }, parentElement,
                             setTriggerValue: quiet, setStateValue: quiet });
        return () => { gone(); parentElement.remove(); };
    };
}"""
READY = ".ms-stage[data-ready='points'] .gl-canvas"
CANVASES = "[...document.querySelectorAll('.gl-canvas')]"


def a_picture() -> dict[str, Any]:
    figure = Figure({})
    figure.add_trace(scattergl(x=[0, 1, 2], y=[2, 0, 1], mode="markers"))
    picture = Picture(figure, "Points", "projected", "Three points")
    scene = Scene("points", [picture], tokens=LIGHT.css())
    data = to_json(scene, array=lambda array: np.asarray(array).tolist(), strings=list)
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


@pytest.fixture
def with_stage(page: Page) -> Page:
    page.set_content("<!doctype html><body></body>")
    page.add_script_tag(path=plotly_path())
    source = bundle(site_root() / "assets" / "stage" / "index.js")
    page.evaluate(MOUNT, [source, a_picture()])
    page.evaluate("() => { window.take = window.put('first'); }")
    page.wait_for_selector(READY, state="attached")
    page.evaluate(f"{CANVASES}.forEach((canvas) => {{ canvas.first = true; }})")
    return page


def test_what_comes_back_at_once_keeps_its_contexts(with_stage: Page):
    with_stage.evaluate("() => { window.take(); window.take = window.put('first'); }")
    with_stage.wait_for_selector(READY, state="attached")
    assert with_stage.evaluate(f"{CANVASES}.length > 0 && {CANVASES}.every((it) => it.first)")
    with_stage.wait_for_timeout(AWAY + 500)  # nothing that it was to do meanwhile ends it now
    assert with_stage.evaluate("document.querySelector('.ms-plot').data.length") == 1


def test_another_one_is_made_anew(with_stage: Page):
    with_stage.evaluate("() => { window.take(); window.put('second'); }")
    with_stage.wait_for_selector(READY, state="attached")
    assert not with_stage.evaluate(f"{CANVASES}.some((canvas) => canvas.first)")


def test_what_stays_away_is_let_go(with_stage: Page):
    with_stage.evaluate("() => { window.plot = document.querySelector('.ms-plot'); take(); }")
    assert with_stage.evaluate("Boolean(window.plot._fullLayout)")
    with_stage.wait_for_function("!window.plot._fullLayout", timeout=10 * AWAY)
    with_stage.evaluate("() => { window.put('first'); }")
    with_stage.wait_for_selector(READY, state="attached")
    assert not with_stage.evaluate(f"{CANVASES}.some((canvas) => canvas.first)")
