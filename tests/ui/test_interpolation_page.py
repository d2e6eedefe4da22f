"""Between and Islands on the paths page, through Streamlit's own test driver, on a tiny model."""

from pathlib import Path

import pytest
from app_pages import healthy, open_page, said, scenes, stage, until
from small_words import HOSTILE
from tiny_causal import DEPTH, save_tiny

from core.permalink import join_words
from core.pipeline import Workspace
from core.pipeline.paths.concept_plane import _write, islands, islands_key, kept_islands
from core.pipeline.paths.interpolation import kept_between
from core.pipeline.paths.layer_suggestion import kept_named
from core.ui.paths import concept_plane as view

pytestmark = pytest.mark.usefixtures("pages")
PAIR, THREE = ("cat", "river"), ("cat", "dog", "river")


@pytest.fixture(scope="module")
def model(tmp_path_factory, workspace_folder: Path) -> str:
    """A tiny model; one way and one map are there already."""
    reference = save_tiny(tmp_path_factory.mktemp("tiny"))
    kept_between(Workspace(workspace_folder), reference, *PAIR, 1, 7, "lerp")
    kept_islands(Workspace(workspace_folder), reference, THREE, 1, 9)
    return reference


def between(model: str, **link: str):
    link = {"ends": join_words(PAIR), "samples": "7", **link}
    return healthy(open_page("paths", show="between", model=model, **link))


def map_of(model: str, **link: str):
    link = {"corners": join_words(THREE), "grid": "9", **link}
    return healthy(open_page("paths", show="islands", model=model, **link))


class TestBetween:
    def test_what_is_kept_is_there_at_once(self, model):
        app = between(model)
        found = stage(app, "between")
        [picture] = found["pictures"]
        roles = [trace["meta"]["role"] for trace in picture["figure"]["data"]]
        assert roles.count("band") >= 3
        assert len(found["player"]["t"]) == 7
        assert [strip["name"] for strip in found["player"]["strips"]] == ["word", "in words"]
        assert picture["tag"] == "answered"
        assert "Controls:" in said(app)
        assert "random vectors get" in said(app)
        assert app.query_params["show"] == "between"

    def test_another_way_is_made_by_the_worker(self, model):
        app = between(model, ends=join_words(("money", "bank")), samples="5")
        until(app, lambda app: "between stage" in scenes(app))
        assert len(stage(healthy(app), "between")["player"]["t"]) == 5
        assert app.query_params["ends"] == "money,bank"

    def test_the_layer_is_in_the_link(self, model):
        app = between(model, layer="3")
        until(app, lambda app: "between stage" in scenes(app))
        assert app.query_params["layer"] == "3"
        assert "suggested: 1" in str(app.select_slider(key=f"paths:layer {model}").label)

    @pytest.mark.parametrize(
        ("ends", "message"),
        [(("cat", " Cat"), "twice"), (("cat", ""), "empty concept"), (("", ""), "empty concept")],
    )
    def test_bad_pairs(self, model, ends, message):
        app = between(model, ends=join_words(ends))
        assert any(message in error.value for error in app.error)
        app.text_input(key="paths:from").set_value("cat")
        app.text_input(key="paths:to").set_value("river")
        [walk] = [it for it in app.button if it.label == "Walk between"]
        walk.click().run()
        assert "between stage" in scenes(healthy(app))

    def test_another_layer_stands_beside_it(self, model, workspace_folder):
        kept_between(Workspace(workspace_folder), model, *PAIR, 3, 7, "lerp")
        app = between(model, beside="3")
        found = stage(app, "between")
        roles = [trace["meta"]["role"] for trace in found["pictures"][0]["figure"]["data"]]
        assert roles.count("divergence") == 1
        assert "beside" in roles
        names = [strip["name"] for strip in found["player"]["strips"]]
        assert names == ["layer 1", "layer 3", "in words"]
        assert "The answers of layer 3 are" in said(app)
        assert app.query_params["beside"] == "3"

    def test_a_concept_of_several_tokens_is_said(self, model, workspace_folder):
        kept_between(Workspace(workspace_folder), model, "red river", "cat", 1, 7, "lerp")
        app = between(model, ends=join_words(("red river", "cat")))
        assert "its state is that of the last one" in said(app)

    @pytest.mark.parametrize("text", [*HOSTILE[:4], "$x$ :smile: [a](b)", "a" * 199])
    def test_no_text_breaks_the_page(self, model, text):
        between(model, ends=join_words((text, text)))

    @pytest.mark.parametrize("reference", ["path:/nowhere", "nobody", "minilm"])
    def test_a_model_that_is_not_there(self, reference, model):
        app = between(reference)
        assert any("found" in error.value for error in app.error)
        assert app.query_params["show"] == "between"

    def test_a_layer_beyond_the_last_is_the_last(self, model):
        app = between(model, layer="99")
        assert app.select_slider(key=f"paths:layer {model}").value == DEPTH


class TestIslands:
    def test_what_is_kept_is_there_at_once(self, model):
        app = map_of(model)
        found = stage(app, "islands")
        [picture] = found["pictures"]
        roles = [trace["meta"]["role"] for trace in picture["figure"]["data"]]
        assert roles[0] == "cells"
        assert len(found["items"]["texts"]) > 0
        assert {"cat", "dog", "river"} <= {label["text"] for label in picture["labels"]}
        assert "Of 81 places" in said(app)
        assert "so far" not in picture["title"]
        labels = [button.proto.label for button in app.get("download_button")]
        assert labels == ["Save as a page", "Save as Parquet", "Save as CSV"]

    def test_the_page_to_take_away_holds_the_map(self, model, workspace_folder):
        found = kept_islands(Workspace(workspace_folder), model, THREE, 1, 9)
        page = view._page(found, view.islands_scene(found)).decode()
        assert "Islands of cat, dog, river" in page
        assert "mountStage(document.getElementById" in page
        assert '"rgba256"' in page

    def test_a_coarse_map_is_shown_while_the_rest_is_read(
        self, model, workspace_folder, monkeypatch
    ):
        three = ("cat", "moon", "river")
        workspace = Workspace(workspace_folder)
        coarse = next(islands(model, three, 1, 9))
        _write(workspace, islands_key(model, three, 1, 9), coarse)
        monkeypatch.setattr(view, "submitted", lambda *_, **__: None)
        app = map_of(model, corners=join_words(three))
        [picture] = stage(app, "islands")["pictures"]
        assert "one cell in 16 so far" in picture["title"]
        [cells] = [t for t in picture["figure"]["data"] if t["meta"]["role"] == "cells"]
        assert len(cells["z"]) == 9

    def test_another_map_is_made_by_the_worker(self, model):
        app = map_of(model, corners=join_words(("money", "bank", "mat")))
        until(app, lambda app: "so far" not in _title(app))
        assert "Of 81 places" in said(healthy(app))

    @pytest.mark.parametrize(
        "corners", [("cat", "cat", "dog"), ("cat", "dog", ""), ("cat",), ("cat", "dog")]
    )
    def test_bad_threes(self, model, corners):
        app = map_of(model, corners=join_words(corners))
        assert app.error

    def test_layers_are_measured_when_asked(self, model, workspace_folder):
        app = map_of(model)
        [button] = [it for it in app.button if it.label == "Measure every layer"]
        button.click().run()
        until(app, lambda app: "nouns right" in said(app))
        assert kept_named(Workspace(workspace_folder), model).layers == tuple(range(DEPTH + 1))


def _title(app) -> str:
    return (
        stage(app, "islands")["pictures"][0]["title"]
        if "islands stage" in scenes(app)
        else "so far"
    )


def test_the_three_views_of_the_page(model):
    app = between(model)
    app.segmented_control(key="paths:show").set_value("islands").run()
    healthy(app)
    assert app.query_params["show"] == "islands"
    assert not [box for box in app.selectbox if box.label == "Space"]
    app.segmented_control(key="paths:show").set_value("way").run()
    assert app.query_params["show"] == "way"
    assert [box for box in app.selectbox if box.label == "Space"]
