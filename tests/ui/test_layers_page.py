"""The layers page through Streamlit's own test driver, on a tiny model saved to disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from app_pages import healthy, open_page, said, scenes, stage, until
from small_words import HOSTILE
from tiny_encoder import save_model

from core.permalink import join_words
from core.pipeline import Workspace
from core.pipeline.layers import pictures as layers_pictures
from core.pipeline.layers.pictures import draw_layers
from core.projection.base import PcaSpec, UmapSpec
from core.ui.layers.sentences import SETS

pytestmark = pytest.mark.usefixtures("pages")
SENTENCES = ("the cat sleeps under a table", "a big dog runs over the small table")


@pytest.fixture(scope="module")
def model(tmp_path_factory, workspace_folder: Path) -> Iterator[str]:
    """A random model of two layers, whose background and second drawing are there already."""
    reference = f"path:{save_model(tmp_path_factory.mktemp('model'), 'bert')}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers_pictures, "BACKGROUND", 600)  # test_browser_layers.py has all of them
        draw_layers(Workspace(workspace_folder), reference, PcaSpec(), "aligned")
        yield reference


def at_layers(model: str, **link: str):
    link = {"sentences": join_words(SENTENCES), **link}
    return healthy(open_page("layers", model=model, **link))


class TestSentences:
    def test_every_token_has_its_way(self, model):
        app = at_layers(model)
        [picture] = stage(app, "layers")["pictures"]
        movers = picture["movers"]
        assert [it["text"] for it in movers] == " ".join(SENTENCES).split()
        assert {len(it["way"]) for it in movers} == {3}
        followed = [it["text"] for it in movers if it["chosen"]]
        assert followed == ["table", "table"]
        assert "steps" in picture
        assert picture["steps"] == []
        assert stage(app, "layers")["player"]["names"] == ["embeddings", "layer 1", "layer 2"]

    def test_a_fit_for_each_layer_moves_the_background(self, model):
        app = at_layers(model, fit="aligned")
        [picture] = stage(app, "layers")["pictures"]
        assert len(picture["steps"]) == 3
        assert "turning of the picture" in said(app)
        assert "trustworthiness" in said(app)

    def test_the_chosen_token_is_in_the_link(self, model):
        app = at_layers(model, token="1")
        [picture] = stage(app, "layers")["pictures"]
        assert [it["text"] for it in picture["movers"] if it["chosen"]] == ["cat"]
        assert "What “cat” became" in said(app)

    def test_the_drift_stands_beside_chance(self, model):
        drifts = scenes(at_layers(model))["layers drift"]["pictures"]
        roles = [trace["meta"]["name"] for trace in drifts[1]["figure"]["data"]]
        assert roles == ["all tokens", "the chosen one", "by another seed alone"]

    def test_typing_other_sentences_chooses_anew(self, model):
        app = at_layers(model, token="1")
        app.text_area(key="layers:sentences").set_value("salt and sea\n\n  the moon  ").run()
        healthy(app)
        assert app.query_params["sentences"] == "salt and sea,the moon"
        assert "token" not in app.query_params

    def test_a_prepared_set(self, model):
        app = at_layers(model)
        app.selectbox(key="layers:set None").select("One not").run()
        healthy(app)
        assert app.selectbox(key="layers:set One not").value == "One not"
        assert app.query_params["sentences"] == join_words(SETS["One not"])

    def test_nothing_typed(self, model):
        app = at_layers(model)
        app.text_area(key="layers:sentences").set_value("  \n ").run()
        healthy(app)
        assert "Type a sentence" in said(app)

    def test_words_that_the_model_does_not_know_are_said(self, model):
        app = at_layers(model, sentences="ねこ が")
        assert "no token known" in said(app).casefold()

    def test_too_many_sentences_and_a_long_one(self, model):
        app = at_layers(model)
        app.text_area(key="layers:sentences").set_value("\n".join(["the cat"] * 30)).run()
        assert "Found 30 sentences" in said(healthy(app))
        app.text_area(key="layers:sentences").set_value("cat " * 1900).run()
        assert "cut after 2,000 characters" in said(healthy(app))
        assert "The first 120 of 500 tokens" in said(app)
        assert len(stage(app, "layers")["pictures"][0]["movers"]) == 120

    @pytest.mark.parametrize("text", [*HOSTILE, "\x00", "a" * 1500, "$x$ :smile: [a](b)"])
    def test_no_text_breaks_the_page(self, model, text):
        if text.strip("\x00 \n\t"):
            at_layers(model, sentences=join_words((text,)))

    @pytest.mark.parametrize("reference", ["path:/nowhere", "nobody", "student:none", "path:"])
    def test_a_model_that_is_not_there(self, reference):
        app = healthy(open_page("layers", model=reference))
        assert any("found" in error.value for error in app.error)

    def test_from_a_model_that_is_gone_one_can_choose_another(self):
        app = healthy(open_page("layers", model="path:~nobody/x", show="senses", word="bank"))
        assert app.error
        app.selectbox(key="layers:model").set_value("minilm").run()
        assert not healthy(app).error
        assert app.query_params["model"] == "minilm"

    def test_umap_and_pca_are_two_pictures(self, model, workspace_folder):
        draw_layers(Workspace(workspace_folder), model, UmapSpec(), "joint")
        ways = []
        for name in ("umap", "pca", "umap"):
            [drawn] = stage(at_layers(model, picture=name), "layers")["pictures"]
            assert name.upper() in drawn["title"]
            ways.append(drawn["movers"][0]["way"])
        assert ways[0] != ways[1]
        assert ways[0] == ways[2]

    def test_a_token_is_not_taken_for_a_sentence(self, model):
        app = at_layers(model, token="1", layer="1")
        app.segmented_control(key="layers:show").set_value("senses").run()
        healthy(app)
        assert "token" not in app.query_params
        assert "layer" not in app.query_params

    @pytest.mark.parametrize("link", [{"token": "9999"}, {"layer": "99"}, {"fit": "x"}])
    def test_links_of_strangers(self, model, link):
        assert stage(at_layers(model, **link), "layers")


class TestSenses:
    def test_own_sentences_part(self, model):
        app = at_layers(model, show="senses", word="table")
        assert "found 0 sentences" in said(app) or "table" in said(app)
        lines = [f"one: the cat sleeps under a table {it}" for it in ("big", "small", "moon")]
        lines += [f"two: salt and sea table {it}" for it in ("dog", "cat", "runs")]
        app.text_area(key="layers:labelled").set_value("\n".join(lines)).run()
        healthy(app)
        senses = stage(app, "senses")
        entries = [it["label"] for it in senses["legend"]["entries"]]
        assert entries == ["one", "two"]
        assert len(senses["pictures"][0]["movers"]) == 8  # six occurrences and two middles
        assert "They part most in" in said(app) or "do not part beyond chance" in said(app)

    def test_a_word_that_the_sentences_lack(self, model):
        app = at_layers(model, show="senses", word="moon")
        app.text_area(key="layers:labelled").set_value("a: the cat\nb: the dog").run()
        assert any("found no" in error.value for error in healthy(app).error)

    def test_one_sense_is_too_few(self, model):
        app = at_layers(model, show="senses", word="cat")
        app.text_area(key="layers:labelled").set_value("a: the cat\na: a cat\na: cat").run()
        assert any("two or more" in error.value for error in healthy(app).error)


class TestMeasures:
    def test_layers_are_measured_by_the_worker(self, model):
        app = at_layers(model, show="measures")
        until(app, lambda app: {"measures grid", "measures context"} <= set(scenes(app)))
        healthy(app)
        [heat] = scenes(app)["measures grid"]["pictures"]
        assert len(heat["figure"]["data"][0]["z"]) == 3
        assert "Narrowest in" in said(app)

    def test_where_two_models_part(self, model):
        app = at_layers(model, show="measures", second=model)
        until(app, lambda app: "measures grid" in scenes(app))
        found = scenes(healthy(app))["measures parted"]["pictures"][0]
        assert "They part most at" in found["alt"]
        values = [value for row in found["figure"]["data"][0]["z"] for value in row]
        assert min(values) == pytest.approx(1, abs=1e-4)


def _panel_of_a_student() -> None:
    """A page with nothing but the panel, of a student whose report has two layers."""
    from pathlib import Path

    from core.pipeline import StudentCard
    from core.ui.students.layers import layer_fidelity

    layers = [
        {"layer": 0, "cosine": 0.99, "unexplained": 0.02, "sentence_cosine": 0.98,
         "pair_spearman": 0.97, "cka": 0.99, "static_cosine": 0.9, "static_unexplained": 0.2},
        {"layer": 1, "cosine": 0.95, "unexplained": 0.09, "sentence_cosine": 0.96,
         "pair_spearman": 0.94, "cka": 0.97, "static_cosine": 0.6, "static_unexplained": 0.7},
    ]  # fmt: skip
    times = {"student_alone": 5.0, "teacher_alone": 6.0}
    told = {"layers": layers, "teacher": "minilm", "sentences": 12, "milliseconds": times}
    for report in ({}, {"contextual": {}}, {"contextual": told}):
        card = StudentCard("key", "t", "contextual", "minilm", 1, 1.0, False, report, Path())
        layer_fidelity(card)


def test_a_contextual_student_is_shown_layer_by_layer():
    from streamlit.testing.v1 import AppTest

    app = healthy(AppTest.from_function(_panel_of_a_student).run())
    pictures = scenes(app)["student layers"]["pictures"]
    names = [[trace["meta"].get("name") for trace in it["figure"]["data"]] for it in pictures]
    assert names == [["the student", "a table at its best"]] * 2
    assert "cosine 0.950 a token" in said(app)
    assert len(app.button) == 1
