"""The Steer and Shapes views of the trajectories page, on a tiny model saved to disk."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_pages import healthy, open_page, said, scenes, until
from small_words import HOSTILE
from tiny_causal import DEPTH, save_tiny

from core.permalink import TrajectoriesView, join_words
from core.pipeline import Workspace
from core.pipeline.trajectories.shapes import ShapeSpec, shape
from core.pipeline.trajectories.steering import steer
from core.pipeline.trajectories.steering_layers import scan
from core.ui.trajectories import steering
from core.ui.trajectories.steering import spec_of

pytestmark = pytest.mark.usefixtures("pages")
PROMPT, PLUS, MINUS = "the cat sat on", ("the red moon",), ("the blue river",)


@pytest.fixture(scope="module")
def _few_strengths() -> Iterator[None]:
    """So that no test waits for hundreds of texts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steering, "SWEEP", (-0.3, 0.6))
        yield


@pytest.fixture(scope="module")
def model(_few_strengths: None, tmp_path_factory, workspace_folder: Path) -> str:
    """A tiny model that was steered, and in which shapes were looked for."""
    reference = save_tiny(tmp_path_factory.mktemp("model"))
    workspace = Workspace(workspace_folder)
    spec = spec_of(TrajectoriesView(model=reference, prompt=PROMPT, plus=PLUS, minus=MINUS), DEPTH)
    steer(workspace, spec)
    scan(workspace, spec)
    for task in ("days", "numbers", "cities"):
        shape(workspace, ShapeSpec(reference, task))
    return reference


def steered(model: str, **link: str):
    given = {"prompt": PROMPT, "plus": join_words(PLUS), "minus": join_words(MINUS), **link}
    return healthy(open_page("trajectories", model=model, show="steer", **given))


def shaped(model: str, task: str, **link: str):
    return healthy(open_page("trajectories", model=model, show="shapes", shape=task, **link))


class TestSteerView:
    def test_effect_and_price_stand_in_one_figure(self, model):
        app = steered(model)
        [picture] = scenes(app)["steer stage"]["pictures"]
        roles = [trace["meta"]["role"] for trace in picture["figure"]["data"]]
        assert roles.count("along") == roles.count("random") == 2
        assert "yaxis2" in picture["figure"]["layout"]
        assert "Perplexity goes from" in said(app)
        assert "random ones" in said(app)

    def test_three_texts_of_one_draw_stand_side_by_side(self, model):
        text = said(steered(model, strength="0.6"))
        assert text.count("score +") + text.count("score -") == 3
        assert "Pushed by +0.60" in text
        assert "A random push by +0.60" in text
        assert "Without a push" in text

    def test_without_a_push_there_is_one_text(self, model):
        text = said(steered(model, strength="0"))
        assert "No push." in text
        assert "A random push" not in text

    def test_the_strength_is_in_the_link(self, model):
        app = steered(model)
        app.select_slider(key="trajectories:steer strength").set_value(-0.3).run()
        assert healthy(app).query_params["strength"] == "-0.3"
        assert "Pushed by -0.30" in said(app)

    def test_the_layers_that_were_tried(self, model):
        app = steered(model)
        assert "Furthest for at most twice the price: layer" in said(app)
        [picture] = scenes(app)["steer layers stage"]["pictures"]
        assert picture["alt"].count("effect") == 2

    def test_another_prompt_is_a_job_once_the_button_is_pressed(self, model):
        app = steered(model, prompt="the dog")
        assert "Press Steer: 76 short texts" in said(app).replace("*", "")
        assert not app.get("progress")
        submit = next(it for it in app.button if it.label == "Steer")
        submit.click().run()
        assert "Press Steer" not in said(app).replace("*", "")
        until(healthy(app), lambda it: "steer stage" in scenes(it))
        assert app.query_params["prompt"] == "the dog"
        assert "the dog" in said(app)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_prompt_breaks_the_page(self, model, text):
        healthy(open_page("trajectories", model=model, show="steer", prompt=text))

    @pytest.mark.parametrize("link", [{"strength": "9"}, {"made": "x"}, {"layer": "77"}])
    def test_a_stranger_s_link(self, model, link):
        steered(model, **link)

    def test_a_model_that_is_not_there(self):
        app = healthy(open_page("trajectories", model="path:/nowhere", show="steer"))
        assert any("found" in it.value for it in app.error)


class TestShapesView:
    def test_a_ring(self, model):
        app = shaped(model, "days")
        [picture] = scenes(app)["shape stage"]["pictures"]
        assert [it["text"] for it in picture["labels"]][:2] == ["Monday", "Tuesday"]
        way = picture["figure"]["data"][0]
        assert len(way["x"]) == 8
        assert "by luck" in said(app) or "round trip" in said(app)
        assert "thrown at random would keep" in said(app)
        curve = scenes(app)["shape layers stage"]["pictures"][0]["figure"]["data"]
        assert [it["meta"]["role"] for it in curve].count("rival") == 2

    def test_a_row_has_its_answers(self, model):
        found = scenes(shaped(model, "numbers"))
        assert len(found["shape stage"]["pictures"][0]["figure"]["data"][0]["x"]) == 20
        assert "shape read stage" in found

    def test_a_map_of_cities_known_and_unknown(self, model):
        titles = []
        for unseen in ("cities", "continents"):
            app = shaped(model, "cities", unseen=unseen)
            [picture] = scenes(app)["shape map stage"]["pictures"]
            heads = [it for it in picture["figure"]["data"] if it["meta"]["role"] == "read"]
            assert len(heads) == 6
            titles.append(np.concatenate([it["x"] for it in heads]))
            assert "GloVe" in said(app)
        assert not np.allclose(*titles)

    def test_another_layer_is_in_the_link(self, model):
        app = shaped(model, "days", layer="1")
        assert "layer 1" in scenes(app)["shape stage"]["pictures"][0]["title"]
        assert app.query_params["layer"] == "1"

    def test_ones_own_words_are_a_job(self, model):
        app = shaped(model, "own", words="cat,dog,moon,lamp,salt,chair", form="line")
        until(app, lambda it: "shape stage" in scenes(it))
        assert "shape read stage" in scenes(app)

    def test_too_few_words(self, model):
        app = shaped(model, "own", words="cat,dog")
        assert any("5 to 100 words" in it.value for it in app.error)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_words_break_the_page(self, model, text):
        shaped(model, "own", words=join_words((text, "b", "c")))
