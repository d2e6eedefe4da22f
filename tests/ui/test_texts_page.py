"""The texts page through Streamlit's own test driver, on a library of some twenty short texts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_pages import healthy, listed, one, open_page, read_blob, said, scenes, stage, until
from few_texts import few_documents
from small_words import HOSTILE, IMAGE
from streamlit.testing.v1 import AppTest

from core.metrics.intervals import Interval
from core.pipeline import Workspace, make_map
from core.pipeline.texts import library as libraries
from core.pipeline.texts.library import Library, draw_library, library
from core.pipeline.texts.own_document import dropped, has_dropped, keep_text
from core.pipeline.texts.pairs import Pair, Signed, SpaceAnswer, kept_pairs
from core.projection.base import UmapSpec
from core.spaces.linalg import unit_rows
from core.spaces.space import Provenance, Space
from core.teachers.corpus import corpus_documents
from core.ui.shared import state
from core.ui.texts.library_job import DOCUMENTS, WORDS
from core.ui.texts.pairs import verdict
from core.ui.texts.scene import DocumentPath, _player

pytestmark = [pytest.mark.usefixtures("pages"), pytest.mark.models]


@pytest.fixture(scope="module")
def workspace(workspace_folder: Path) -> Workspace:
    return Workspace(workspace_folder)


@pytest.fixture(scope="module")
def made(workspace: Workspace) -> Library:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libraries, "corpus_documents", few_documents)
        draw_library(workspace, "minilm", UmapSpec())
    return library(workspace, "minilm")


@pytest.fixture(scope="module")
def first(made: Library) -> AppTest:
    """The page with nothing chosen; for tests that only look."""
    return see()


def see(**link: str) -> AppTest:
    return healthy(open_page("texts", **link))


def traces(app: AppTest) -> dict[str, dict]:
    [picture] = stage(app, "texts")["pictures"]
    return {trace["meta"]["role"]: trace for trace in picture["figure"]["data"]}


def button(app: AppTest, label: str) -> object:
    [found] = [button for button in app.button if button.label == label]
    return found


def test_before_anything_is_read(tmp_path, monkeypatch):
    """What it takes is said first; nothing starts by itself."""
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path))
    app = see()
    assert "Read the library first" in said(app)
    assert "minutes on two cores" in said(app)
    assert {"Read the library", "Measure the pairs"} <= {it.label for it in app.button}
    assert state.runner().jobs() == []
    button(app, "Read the library").click().run()
    [job] = state.runner().jobs()
    assert (job.recipe, job.arguments["model"]) == ("library", "minilm")
    assert "Read the library" not in [it.label for it in healthy(app).button]
    assert "Stop" in [it.label for it in app.button]
    state.runner().cancel(job.id)
    until(app, lambda app: "Stopped. Nothing was lost" in said(app))
    assert "Go on" in [it.label for it in healthy(app).button]
    state.runner().close()


def test_the_figures_that_the_offer_names():
    documents = corpus_documents()
    assert len(documents) == DOCUMENTS >= 300
    words = sum(len(document.text.split()) for document in documents)
    assert abs(words - WORDS) < 1_000
    assert len({document.title for document in documents}) == len(documents)
    assert not any("\ue000" in document.text for document in documents)


class TestTheMap:
    def test_documents_and_windows(self, first, made):
        scene = stage(first, "texts")
        assert scene["name"] == "texts umap"
        assert read_blob(scene["items"]["texts"]) == list(made.space.texts)
        [picture] = scene["pictures"]
        assert picture["tag"] == "projected"
        sizes = numbers(traces(first)["items"]["marker"]["size"])
        large = (made.space.metadata["part"] < 0).to_numpy()
        assert sizes[large].min() > sizes[~large].max()
        assert "news" in json.dumps(scene["legend"])
        assert "trustworthiness" in said(first)
        assert "Nothing chosen yet" in said(first)
        assert scene["player"] is None

    def test_regions_are_named_by_their_keywords(self, first, workspace, made):
        topics = libraries.library_topics(workspace, made, UmapSpec())
        labels = [it["text"] for it in stage(first, "texts")["pictures"][0]["labels"]]
        assert labels
        assert set(labels) <= {topic.name[:36] for topic in topics}
        [table] = [it.value for it in first.dataframe if "keywords" in it.value]
        assert len(table) == len(topics)
        assert table["items"].is_monotonic_decreasing

    def test_a_document_is_a_way_through_its_windows(self, made):
        app = see(document="bank, river", part="1")
        row = made.rows["bank, river"]
        way = made.document_path(row)
        assert len(way) > 1
        found = traces(app)
        items = numbers(found["items"]["x"]), numbers(found["items"]["y"])
        drawn = numbers(found["windows"]["x"]), numbers(found["windows"]["y"])
        for all_of_them, own in zip(items, drawn, strict=True):
            np.testing.assert_allclose(own, all_of_them[way], atol=1e-6)
        scene = stage(app, "texts")
        assert len(scene["pictures"][0]["figure"]["frames"]) == len(way)
        assert len(scene["player"]["transcript"]) == len(way)
        strips = {strip["name"]: strip["runs"] for strip in scene["player"]["strips"]}
        assert made.space.texts[way[0]].startswith(strips["it says"][0]["text"].rstrip("…"))
        assert strips["where"][-1]["stop"] == len(way)
        assert found["looked_at"]["meta"]["rows"] == [way[1]]
        assert f"Window 2 of {len(way)}" in said(app)
        assert made.said(int(way[1]), 60).rstrip("…") in said(app)
        near = listed(app, "texts near documents")
        assert "bank, river" not in near
        cosines = made.space.unit[: len(made.documents)] @ made.space.unit[row]
        cosines[row] = -1
        assert near[0] == made.documents[int(cosines.argmax())].title

    def test_a_document_of_one_window_needs_no_player(self, first, made):
        app = see(document="One line")
        assert stage(app, "texts")["player"] is None
        assert len(numbers(traces(app)["windows"]["x"])) == 1
        assert "1 window" in said(app)

    def test_a_typed_text_finds_documents_and_windows(self, made):
        app = see(query="He fished from the muddy bank of the stream")
        assert "bank, river" in listed(app, "texts near documents")[:3]
        names = [row["name"] for row in scenes(app)["texts near windows"]["rows"]]
        assert "bank, river" in names[:4]
        assert "found" in traces(app)
        labels = stage(app, "texts")["pictures"][0]["labels"]
        assert labels[0]["text"].startswith("He fished")

    def test_a_document_is_chosen_from_the_list(self, made):
        app = see(query="a text")
        [box] = [box for box in app.selectbox if box.label == "Document"]
        assert set(box.options) == {document.title for document in made.documents}
        box.set_value("mouse, computer").run()
        assert one(healthy(app).query_params["document"]) == "mouse, computer"
        assert "query" not in app.query_params
        assert stage(app, "texts")["name"] == "texts umap mouse, computer"

    def test_a_region_is_lit(self, made, workspace):
        app = see()
        [box] = [box for box in app.selectbox if box.label == "Region"]
        box.select_index(0).run()
        topics = libraries.library_topics(workspace, made, UmapSpec())
        largest = max(range(len(topics)), key=lambda number: topics[number].size)
        cluster = workspace.regions(made.space, UmapSpec()).cluster
        lit = traces(healthy(app))["region"]["meta"]["rows"]
        assert lit == np.flatnonzero(cluster == largest).tolist()
        assert "What it is about" in said(app)
        assert topics[largest].words[0][0] in said(app)

    @pytest.mark.parametrize(("colour", "legend"), [("region", "HDBSCAN"), ("plain", "null")])
    def test_colours(self, made, colour, legend):
        assert legend in json.dumps(stage(see(colour=colour), "texts")["legend"])


class TestOwnDocument:
    TEXT = " ".join(document.text for document in few_documents()[:2])

    def test_typed_in_read_and_walked(self, made, workspace):
        app = see()
        app.text_area[0].set_value(self.TEXT)
        button(app, "Show its way").click().run()
        until(app, lambda app: "own" in app.query_params and "yours" in said(app))
        healthy(app)
        key = one(app.query_params["own"])
        assert has_dropped(workspace, key)
        scene = stage(app, "texts")
        assert scene["name"].startswith("texts umap Yours:")
        windows = len(dropped(workspace, "minilm", key).read.windows)
        assert len(scene["player"]["transcript"]) == windows > 2
        titles = [document.title for document in few_documents()[:2]]
        assert set(listed(app, "texts near documents")[:2]) == set(titles)
        [table] = [it.value for it in app.dataframe if "document 1" in it.value]
        assert len(table) == windows
        button(app, "Forget this document").click().run()
        assert "own" not in healthy(app).query_params
        assert not has_dropped(workspace, key)

    @pytest.mark.parametrize(
        ("name", "raw", "message"),
        [
            ("a.txt", "Größe".encode("cp1252"), "it may be in Windows-1252"),
            ("a.md", b"   \n", "found only spaces"),
            ("a.txt", b"%PDF-1.7", "found a PDF document"),
        ],
    )
    def test_a_file_that_is_none(self, made, name, raw, message):
        app = see()
        app.file_uploader[0].upload(name, raw, "text/plain")
        button(app, "Show its way").click().run()
        assert message in said(healthy(app))
        assert "own" not in app.query_params

    def test_a_file(self, made, workspace):
        app = see()
        app.file_uploader[0].upload("*notes*.md", b"# A note\nOn ferries.", "text/markdown")
        button(app, "Show its way").click().run()
        until(app, lambda app: "yours" in said(app))
        assert "*notes*.md" in said(app)

    def test_nothing(self, made):
        app = see()
        button(app, "Show its way").click().run()
        assert "found nothing in the box" in said(healthy(app))

    def test_unknown_letters_are_said(self, made, workspace):
        key = keep_text(workspace, "minilm", "wedges", "𐎀𐎁𐎂 𐎃𐎄")
        dropped(workspace, "minilm", key)
        assert "all look the same to it" in said(see(own=key))

    def test_a_strangers_key(self, made):
        assert "not on this machine" in said(see(own="../../etc/passwd"))

    def test_markup_stays_text(self, made, workspace):
        hostile = f"{IMAGE} ![a](http://x.y/z) $x$ :smile: <script>alert(1)</script> " * 3
        key = keep_text(workspace, "minilm", IMAGE, hostile)
        dropped(workspace, "minilm", key)
        app = see(own=key)
        assert "<img" not in "".join(str(it.value) for it in app.get("markdown")).replace(
            "\\<img", ""
        )
        assert not app.get("html") or all("alert(1)" not in str(it.value) for it in app.get("html"))


class TestSentences:
    def test_it_waits_for_its_space(self, made):
        app = see(show="sentences")
        assert "This space is made once" in said(app)
        assert "Does a signature carry more than its tokens?" in said(app)
        job = state.runner().jobs()[-1]
        assert (job.recipe, job.arguments) == ("space", {"reference": "minilm:sentences"})
        state.runner().cancel(job.id)

    def test_sentences_found_by_typing(self, made, workspace):
        """A few sentences under the name of all of them."""
        lines = [line for document in few_documents() for line in document.text.split(". ")][:120]
        teacher = workspace.teacher("minilm:sentences")
        vectors = teacher.encode(lines)
        table = pd.DataFrame({"kind": "sentence", "document": "a", "source": "news"}, range(120))
        space = Space.create(
            lines, vectors, Provenance("minilm:sentences", "MiniLM"), metadata=table
        )
        workspace.store.save_space(workspace.space_key("minilm:sentences"), space)
        make_map(workspace.folder, {"reference": "minilm:sentences", "spec": UmapSpec().to_dict()})
        app = see(show="sentences", query="A fish lay on the muddy bank")
        scene = stage(app, "texts")
        assert scene["name"] == "sentences umap"
        assert read_blob(scene["items"]["texts"]) == lines
        unit = unit_rows(vectors)
        cosines = unit @ unit_rows(teacher.encode(["A fish lay on the muddy bank"]))[0]
        rows = scenes(app)["texts near sentences"]["rows"]
        assert rows[0]["name"] == lines[int(cosines.argmax())]
        assert rows[0]["value"] == f"{cosines.max():.2f}"
        assert {"links", "neighbors", "found"} <= set(traces(app))
        button(app, "Leave the search").click().run()
        assert "found" not in traces(healthy(app))
        state._bench.cache_clear()
        token = space.digest[:8] + UmapSpec().digest[:8]
        x, y = workspace.projection(space, UmapSpec()).coords[3].tolist()
        app = see(show="sentences", spot=f"{x:.6g},{y:.6g}@{token}")  # on an item, which answers
        [picture] = stage(app, "texts")["pictures"]
        assert picture["ground"]
        assert picture["labels"][0]["text"] == "here"
        assert listed(app, "texts spot list")[0] == lines[3]
        assert app.session_state["texts view"].query == ""
        workspace.store.remove("space", workspace.space_key("minilm:sentences"))


class TestTheQuestion:
    def test_the_answer_with_its_intervals(self, made, workspace):
        signed = kept_pairs(workspace, "minilm")
        app = see()
        assert "Yes, on every kind" in said(app).replace("**", "")
        scene = scenes(app)["texts pairs stage"]
        told = [it for it in scene["pictures"][0]["figure"]["data"] if it["meta"]["role"] == "told"]
        assert [it["meta"]["space"] for it in told] == ["signature", "mean of rows"]
        values = [it.value for it in signed.contextual.by_kind.values()]
        assert sorted(told[0]["x"]) == pytest.approx(sorted(values))

    def test_ones_own_pair(self, made, workspace):
        kept_pairs(workspace, "minilm")
        app = see()
        first, second = [box for box in app.text_input if box.label.startswith(("One", "and"))]
        first.set_value("The dog bit the man.")
        second.set_value("The man bit the dog.").run()
        assert "Your pair is" in said(healthy(app)).replace("**", "")
        assert "0.000 by the mean of rows" in said(app)

    def test_whichever_way_it_falls(self):
        kinds = ("word order", "negation", "context swap", "paraphrase")
        pairs = tuple(Pair(kind, "a", "b") for kind in kinds for _ in range(30))

        def told(name, values):
            noise = np.random.default_rng(len(name)).normal(size=120) / 100
            distances = (np.repeat(values, 30) + noise).astype(np.float32)
            found = {
                kind: Interval(value, value - 0.1, value + 0.1)  # pair by pair they tell more
                for kind, value in zip(kinds, values, strict=True)
            }
            nearer = {"negation": Interval(0.9, 0.8, 1.0), "context swap": Interval(0.2, 0.1, 0.3)}
            return SpaceAnswer(name, distances, distances, 1.0, found, nearer)

        rows = told("rows", (0.0, 0.2, 0.3, 0.7))
        answers = [
            verdict(Signed(pairs, told("signature", values), rows, ()))
            for values in ((0.0, 0.1, 0.2, 0.8), (0.1, 0.1, 0.3, 0.4), (0.1, 0.4, 0.5, 0.2))
        ]
        assert [it.split()[0] for it in answers] == ["**No,", "**In", "**Yes,"]
        assert (
            "on word order (0.100 against 0.000), paraphrase (0.400 against 0.700)." in answers[1]
        )
        assert answers[2].endswith("nearer than the same words meant otherwise in 20%.")


class TestStates:
    @pytest.mark.parametrize(
        "link",
        [
            {"document": "no such"},
            {"document": IMAGE, "part": "999999"},
            {"query": "x " * 900},
            {"query": "\u200b"},
            {"show": "songs", "colour": "rainbow", "part": "-1"},
            {"document": "bank, river", "part": "77"},
        ],
    )
    def test_a_strangers_link_never_ends_in_a_traceback(self, made, link):
        assert see(**link).title

    @pytest.mark.parametrize("text", HOSTILE[:3])
    def test_hostile_queries(self, made, text):
        assert see(query=text).title

    @pytest.mark.parametrize("model", ["nothing", "hub:../x", "path:/no/such", IMAGE])
    def test_a_model_that_is_not_there(self, model):
        app = see(model=model)
        assert str(app.error[0].value).replace("\\", "").startswith("found")

    def test_the_link_restores_everything(self, made):
        link = {"document": "bank, river", "part": "1", "colour": "region", "query": "a river"}
        app = see(**link)
        params = {name: one(value) for name, value in app.query_params.items()}
        assert params | link == params
        assert stage(see(**params), "texts") == stage(app, "texts")

    def test_the_way_of_a_very_long_document_is_bounded(self):
        places = np.random.default_rng(0).normal(size=(1500, 2)).astype(np.float32)
        walk = DocumentPath(
            "long", places, [f"w{k}" for k in range(1500)], np.full(1500, -1), own=True
        )
        player = _player(walk, ())
        assert len(player.t) == len(player.transcript) == 200
        assert player.transcript[0] == "Window 1: w0"
        assert player.transcript[-1] == "Window 1500: w1499"
        [strip] = player.strips
        assert len(strip.runs) == 12
        assert (strip.runs[0][0], strip.runs[-1][1]) == (0, 200)


def numbers(value: object) -> np.ndarray:
    """Numbers of a serialised array: a blob, base64, or a list."""
    if isinstance(value, dict) and "bdata" in value:
        import base64

        return np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(f"<{value['dtype']}"))
    return np.asarray(read_blob(value) if isinstance(value, dict) else value)
