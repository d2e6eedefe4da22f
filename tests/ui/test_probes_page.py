"""The probes' view, and what a token became, through Streamlit's own test driver.

The view is drawn alone, as the layers page calls it; the model and the worker are real.
"""

from typing import Any

import pytest
from app_pages import healthy, one, said, scenes, until
from streamlit.testing.v1 import AppTest

from core.pipeline import Workspace
from core.pipeline.layers.probing.probes import has_probing, kept_probing

pytestmark = pytest.mark.usefixtures("pages")

ROWS = "".join(
    f"I {verb} the {thing} number {row},{label},{thing}\n"
    for row in range(3)
    for thing in ("film", "book", "meal", "song", "walk")
    for verb, label in (("love", "=good <b>"), ("hate", "![x](http://x)"))
)
WORDS = ["He", "sat", "<", "b", ">", "on", "the", "bank", "of", "the", "river", "."]
OWN = f"text,label,thing\n{ROWS}".encode()


def _view() -> None:
    """The page's part that this file tests, with the view in the address bar as everywhere."""
    from core.permalink import LayersView
    from core.ui.layers.probes import probes_view
    from core.ui.shared.state import remember, view_of

    view = view_of("layers", LayersView)
    remember("layers", probes_view(view))


def _token() -> None:
    from core.permalink import LayersView
    from core.pipeline.models import reader
    from core.signatures.documents import document_states
    from core.ui.layers.attention import attention_lines
    from core.ui.layers.nearest_states import nearest_states_panel
    from core.ui.shared.state import view_of

    view = view_of("layers", LayersView)
    states = document_states(list(view.sentences), reader(view.model))
    attention_lines(view, states, view.token or 0)
    nearest_states_panel(view, states, view.token or 0)


def see(what: Any, **link: str) -> AppTest:
    app = AppTest.from_function(what, default_timeout=120)
    for name, value in link.items():
        app.query_params[name] = value
    return app.run()


@pytest.fixture(scope="module", autouse=True)
def _sense(workspace_folder):
    """One answer is kept, so that no test has to wait for it."""
    kept_probing(Workspace(workspace_folder), "minilm", "sense:bank")


@pytest.fixture
def kept(workspace_folder) -> AppTest:
    return healthy(see(_view, show="probes", task="sense:bank"))


class TestKept:
    def test_it_says_what_was_found_and_what_that_does_not_show(self, kept):
        text = said(kept)
        assert "says it best" in text
        assert "context brings" in text
        assert "What can be read is not what is used" in text
        assert "no line for random labels" in text

    def test_the_chart_has_every_line_that_was_measured(self, kept):
        picture = scenes(kept)["layer probes"]["pictures"][0]
        roles = {trace["meta"]["role"] for trace in picture["figure"]["data"]}
        assert {"accuracy", "band", "static", "majority", "chosen"} <= roles
        assert "known" not in roles  # there is no control for a word's senses
        assert picture["tag"] == "measured"

    def test_the_items_stand_along_the_probes_direction(self, kept, workspace_folder):
        found = kept_probing(Workspace(workspace_folder), "minilm", "sense:bank")
        scene = scenes(kept)["layer probe items"]
        title = scene["pictures"][0]["figure"]["layout"]["xaxis"]["title"]["text"]
        assert title == "money  ←→  river"
        assert str(found.best) in scene["pictures"][0]["title"]
        legend = {entry["label"] for entry in scene["legend"]["entries"]}
        assert legend == {"money", "river"}

    def test_another_layer_is_remembered_in_the_link(self, kept):
        kept.select_slider[0].set_value(1).run()
        healthy(kept)
        assert one(kept.query_params["layer"]) == "1"
        assert "in layer 1" in scenes(kept)["layer probe items"]["pictures"][0]["title"]

    def test_the_figures_can_be_taken_away(self, kept):
        labels = [button.label for button in kept.get("download_button")]
        assert labels == ["Save as CSV", "Save as JSON"]
        table = kept.dataframe[0].value
        assert table["layer"].tolist() == ["table", *map(str, range(7))]

    @pytest.mark.parametrize("task", ["nix", "sense:nix", "![x](http://x)"])
    def test_a_link_to_no_task_falls_back(self, task, workspace_folder, monkeypatch):
        monkeypatch.setattr("core.ui.layers.probes._follow", lambda view: None)
        app = healthy(see(_view, show="probes", task=task))
        assert app.selectbox[0].value in ("category", "sense")


class TestOwn:
    def test_nothing_is_asked_before_there_is_a_table(self):
        app = healthy(see(_view, show="probes", task="own"))
        assert not app.button
        assert "layer probes" not in scenes(app)

    @pytest.mark.parametrize(
        ("data", "said_of_it"),
        [
            (b"", "found no text"),
            ("text,label\né,a".encode("latin-1"), "is not UTF-8"),
            (b"text,label\na,b\nc,d,e,f\n", "does not read as a table"),
        ],
    )
    def test_what_is_no_table_says_so(self, data, said_of_it):
        app = see(_view, show="probes", task="own")
        app.file_uploader[0].set_value(("f.csv", data, "text/csv")).run()
        assert said_of_it in said(healthy(app))

    def test_one_class_says_so(self):
        app = see(_view, show="probes", task="own")
        app.file_uploader[0].set_value(("f.csv", b"text,label\na,x\nb,x\n", "text/csv")).run()
        app.button(key="layers probe ask").click().run()
        assert "found 1 label" in said(healthy(app))

    def test_a_table_is_asked_by_the_worker_and_shown(self, workspace_folder):
        app = see(_view, show="probes", task="own")
        app.file_uploader[0].set_value(("f.csv", OWN, "text/csv")).run()
        healthy(app)
        assert [box.value for box in app.selectbox[1:]] == ["text", "label", "none", "none"]
        app.selectbox(key="layers:probe group").set_value("thing").run()
        app.button(key="layers probe ask").click().run()
        until(app, lambda it: "layer probes" in scenes(it))
        healthy(app)
        task = one(app.query_params["task"])
        assert has_probing(Workspace(workspace_folder), "minilm", task)
        assert "groups that it was not taught" in said(app)
        scene = scenes(app)["layer probe items"]
        title = scene["pictures"][0]["figure"]["layout"]["xaxis"]["title"]["text"]
        assert "&lt;b&gt;" in title
        assert "<b>" not in title

    def test_a_table_of_another_machine_is_asked_for_again(self):
        app = see(_view, show="probes", task=f"own:{'0' * 32}")
        until(app, lambda it: bool(it.error))
        assert "bring it again" in said(app)


class TestToken:
    SENTENCE = "He sat <b> on the bank of the river."

    def test_lines_over_the_sentence(self, workspace_folder):
        app = healthy(see(_token, sentences=self.SENTENCE, token="2", layer="3"))
        sent = scenes(app)["layers rollout"]
        names = [word["name"] for word in sent["words"]]
        assert names == ["[CLS]", *WORDS, "[SEP]"]
        assert sum(word["share"] for word in sent["words"]) == pytest.approx(1, abs=1e-4)
        assert names[sent["chosen"]] == "<"
        assert "after layer 3" in sent["label"]
        assert "It is no explanation" in said(app)

    def test_in_layer_0_nothing_has_looked_yet(self):
        app = healthy(see(_token, sentences=self.SENTENCE, token="2", layer="0"))
        sent = scenes(app)["layers rollout"]["words"]
        assert [word["share"] for word in sent] == [float(row == 3) for row in range(len(sent))]
        assert "no token has looked at any other" in said(app)

    def test_the_index_is_offered_then_built_then_shown(self, workspace_folder):
        app = healthy(see(_token, sentences=self.SENTENCE, token="7", layer="3"))
        assert "Compare it with 50,000 tokens" in said(app)
        assert "layers became" not in scenes(app)
        from core.pipeline.layers.state_index import build_index

        build_index(workspace_folder, "minilm", count=3_000)  # as the worker does, of fewer
        app.run()
        sent = healthy(app) and scenes(app)["layers became"]
        assert [row["layer"] for row in sent["rows"]] == list(range(7))
        assert sent["chosen"] == 3
        assert sent["rows"][0]["table"][0]["token"] == "bank"
        assert sent["rows"][0]["table"][0]["cosine"] > 0.9
        for row in sent["rows"]:
            assert len(row["states"]) == 3
            assert all(len(it["parts"]) == 3 and it["parts"][1] for it in row["states"])
