"""The Lens and Laws views of the trajectories page, on a tiny model saved to disk."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_pages import healthy, open_page, said, scenes, until
from small_words import HOSTILE
from tiny_causal import DEPTH, save_tiny

from core.figures.tokens import LIGHT
from core.figures.trajectories.lens import Shade, lens_figure, visible
from core.pipeline import Workspace
from core.pipeline.layers import pictures
from core.pipeline.layers.pictures import ground
from core.pipeline.trajectories import lenses
from core.pipeline.trajectories import statistics as laws_module
from core.pipeline.trajectories.lenses import fitted_lens
from core.pipeline.trajectories.preregistration import locked
from core.pipeline.trajectories.statistics import laws
from core.ui.trajectories import lens

pytestmark = pytest.mark.usefixtures("pages")
TEXT = "the cat sat on the mat"
USUAL = {name: getattr(lenses, name) for name in ("EACH", "JUDGED", "WINDOW")}


@pytest.fixture(scope="module")
def model(tmp_path_factory, workspace_folder: Path) -> Iterator[str]:
    """A tiny model whose lens, background and laws are there already, of few texts."""
    reference = save_tiny(tmp_path_factory.mktemp("model"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "BACKGROUND", 500)
        for name, value in {"EACH": 1, "JUDGED": 4, "WINDOW": 16}.items():
            patch.setattr(lenses, name, value)
        for name, value in {"DOCUMENTS": 5, "WRITTEN": 16, "FEWEST": 8, "SHOWN": 2}.items():
            patch.setattr(laws_module, name, value)
        workspace = Workspace(workspace_folder)
        ground(workspace, reference)
        fitted_lens(workspace, reference)
        for part in ("explored", "held out"):
            laws(workspace, reference, 2, part)
        yield reference


def at(model: str, show: str, **link: str):
    return healthy(open_page("trajectories", model=model, show=show, **link))


class TestLensView:
    def test_every_token_has_a_column_and_every_layer_a_row(self, model):
        app = at(model, "lens", prompt=TEXT)
        [picture] = scenes(app)["lens stage"]["pictures"]
        grid, appears, items = picture["figure"]["data"]
        assert grid["meta"]["role"] == "grid"
        assert np.shape(grid["z"]) == (DEPTH + 1, 6)
        assert [row["role"] for row in (appears["meta"], items["meta"])] == ["appears", "items"]
        ticks = picture["figure"]["layout"]["xaxis"]["ticktext"]
        assert ticks == TEXT.split()
        # the first layer is below
        low, high = picture["figure"]["layout"]["yaxis"]["range"]
        assert low < high

    def test_the_way_has_a_step_for_each_layer(self, model):
        rise = scenes(at(model, "lens", prompt=TEXT))["rise stage"]
        [chosen] = [it for it in rise["pictures"][0]["movers"] if it["chosen"]]
        assert chosen["text"] == "mat"
        assert len(chosen["way"]) == DEPTH + 1
        assert len(rise["player"]["transcript"]) == DEPTH + 1
        assert rise["player"]["strips"][0]["runs"][-1]["stop"] == DEPTH + 1

    def test_the_chosen_column_is_in_the_link(self, model):
        rise = scenes(at(model, "lens", prompt=TEXT, step="1"))["rise stage"]
        [chosen] = [it for it in rise["pictures"][0]["movers"] if it["chosen"]]
        assert chosen["text"] == "cat"

    def test_the_first_token_is_said_to_be_an_outlier(self, model):
        assert "outlier" in said(at(model, "lens", prompt=TEXT, step="0"))

    def test_the_lenses_say_different_things(self, model):
        grids = []
        for kind in ("logit", "fitted"):
            app = at(model, "lens", prompt=TEXT, lens=kind)
            assert "In layer 2 the fitted lens names" in said(app)
            grids.append(scenes(app)["lens stage"]["pictures"][0]["figure"]["data"][0]["z"])
        assert grids[0] != grids[1]
        assert grids[0][-1] == grids[1][-1]  # the last layer is the model itself

    def test_both_lenses_are_laid_beside_each_other(self, model):
        found = scenes(at(model, "lens", prompt=TEXT, step="2"))["lens apart"]
        [picture] = found["pictures"]
        curves = [it for it in picture["figure"]["data"] if it["meta"]["role"] == "curve"]
        assert len(curves) == len(found["legend"]["entries"]) == 3
        for curve in curves:
            assert len(curve["y"]) == DEPTH + 1
            assert curve["y"][-1] == 0  # the last layer is read by no lens

    def test_pictures_say_that_a_lens_read_them(self, model):
        found = scenes(at(model, "lens", prompt=TEXT))
        for name in ("lens stage", "lens answer", "lens apart"):
            assert found[name]["pictures"][0]["tag"] == "read by a lens"

    def test_a_lens_that_was_fitted_anew_is_read_anew(self, model, monkeypatch):
        before = [lens._stamp(model, kind) for kind in ("logit", "fitted")]
        monkeypatch.setattr(lenses, "CHECKED", 5)
        after = [lens._stamp(model, kind) for kind in ("logit", "fitted")]
        assert before[0] == after[0]
        assert before[1] != after[1]

    @pytest.mark.parametrize("shade", ["probability", "entropy", "answer"])
    def test_colours(self, model, shade):
        app = at(model, "lens", prompt=TEXT, shade=shade)
        scene = scenes(app)["lens stage"]
        assert scene["legend"]["title"]
        values = np.array(scene["pictures"][0]["figure"]["data"][0]["z"])
        if shade == "answer":
            assert (values[-1] == 0).all()

    def test_typing_another_text(self, model):
        app = at(model, "lens", prompt=TEXT, step="1")
        app.text_input(key="trajectories:lens text").set_value("the dog").run()
        healthy(app)
        assert app.query_params["prompt"] == "the dog"
        assert "step" not in app.query_params
        app.text_input(key="trajectories:lens text").set_value("  ").run()
        assert "Write some words" in said(healthy(app))

    @pytest.mark.parametrize("text", [*HOSTILE, "\x00", "cat " * 60, "<b>x</b> $x$ :smile:"])
    def test_no_text_breaks_the_page(self, model, text):
        if text.strip("\x00 \n\t"):
            app = at(model, "lens", prompt=text)
            for element in app.get("markdown"):
                assert "<b>" not in str(element.value)

    def test_a_long_text_is_cut_and_said(self, model):
        assert "The first 48 of" in said(at(model, "lens", prompt="cat dog " * 30))

    @pytest.mark.parametrize("link", [{"step": "9999"}, {"lens": "x"}, {"shade": "y"}])
    def test_links_of_strangers(self, model, link):
        assert "lens stage" in scenes(at(model, "lens", prompt=TEXT, **link))


class TestLawsView:
    def test_four_paths_and_every_quantity(self, model):
        app = at(model, "laws")
        found = scenes(app)
        assert [it["title"] for it in found["laws stage"]["pictures"]] == [
            "Written by people",
            "Written by the model",
            "Their words, shuffled",
            "A random walk",
        ]
        dots = [
            trace
            for trace in found["laws quantities"]["pictures"][0]["figure"]["data"]
            if trace["meta"]["role"] == "dot"
        ]
        assert len(dots) == 8 * 7 - 3  # what is made up has no entropy
        assert "nothing but a random walk?" in said(app)
        assert "Explored: 5 documents" in said(app) or "Explored: 4 documents" in said(app)
        assert "laws turns" in found

    def test_nothing_of_the_held_out_is_shown_without_a_guess(self, model):
        assert "Held out" not in said(at(model, "laws"))

    def test_a_guess_is_locked_and_scored(self, model, workspace_folder):
        app = at(model, "laws")
        app.selectbox(key="trajectories:guess that of texts").select("walk")
        app.selectbox(key="trajectories:guess is").select("higher")
        app.button[0].click().run()
        healthy(app)
        [one] = locked(Workspace(workspace_folder), model, 2)
        assert one.guess.other == "walk"
        assert "Held out: guesses made here, scored" in said(app)
        boxes = [*app.success, *app.error, *app.info]
        assert any("held-out documents" in str(it.value) for it in boxes)
        assert any(one.digest in str(it.value) for it in boxes)

    def test_a_guess_that_is_none_is_said(self, model):
        app = at(model, "laws")
        app.selectbox(key="trajectories:guess that of texts").select("greedy")
        app.button[0].click().run()
        assert any("expected two different" in str(it.value) for it in healthy(app).error)

    def test_another_document_is_in_the_link(self, model):
        app = at(model, "laws", step="1")
        assert app.query_params["step"] == "1"
        assert "laws stage" in scenes(app)

    def test_a_layer_that_was_not_measured_becomes_a_job(self, model):
        app = at(model, "laws", layer="1")
        assert "measured in each kind of text, once" in said(app)
        assert "Write down a guess" in next(it.label for it in app.expander)

    @pytest.mark.parametrize("link", [{"layer": "99"}, {"step": "77"}])
    def test_links_of_strangers(self, model, link):
        at(model, "laws", **link)


def test_every_view_has_its_own_title(model):
    """A layer and a step mean something else in each view, so they stay behind."""
    app = at(model, "lens", prompt=TEXT, step="1", layer="2")
    titles = {app.title[0].value}
    for show in ("laws", "steer", "shapes"):
        app.segmented_control(key="trajectories:show").set_value(show).run()
        titles.add(healthy(app).title[0].value)
        assert not {"step", "layer"} & set(app.query_params)
    assert len(titles) == 4


class TestFigure:
    def test_words_are_cut_to_what_fits_and_are_no_markup(self):
        shade = Shade("p", np.full((2, 2), 0.5, np.float32), 0.0, 1.0, ("0", "1"))
        figure = lens_figure(
            [["<b>x</b>", "y"]] * 2, ["a", "b"], shade, np.array([0, 1]), 1, LIGHT, False, "r"
        )
        assert "<" not in figure.data[0].text[0][0]
        many = Shade("p", np.zeros((2, 60), np.float32), 0.0, 1.0, ("0", "1"))
        wide = lens_figure(
            [["word"] * 60] * 2, ["a"] * 60, many, np.zeros(60, int), 0, LIGHT, False, "r"
        )
        assert wide.data[0].text is None

    def test_what_cannot_be_seen_gets_a_sign(self):
        assert [visible(it) for it in ("\n", "  ", " a", "")] == ["⏎", "␣", "a", "␣"]


def test_the_worker_fits_a_lens(tmp_path, workspace_folder, monkeypatch):
    for name, value in USUAL.items():  # the worker process knows of no fewer
        monkeypatch.setattr(lenses, name, value)
    reference = save_tiny(tmp_path, seed=6)
    app = at(reference, "lens", prompt=TEXT, lens="fitted")
    assert "made once and then kept" in said(app)
    assert "lens stage" in scenes(app)  # the logit lens meanwhile
    until(app, lambda app: "In layer 2 the fitted lens names" in said(app))
