"""Every page through Streamlit's own test driver: what it shows, what it says, what it keeps.

Widgets and messages are real; the stage is a component, of which the data that it is sent is read.
What happens in it is for test_browser.py.
"""

import json
from itertools import pairwise

import numpy as np
import pytest
from app_pages import healthy, listed, one, open_page, read_blob, said, scenes, stage, until
from small_words import HOSTILE, IMAGE, small_words, write_words
from streamlit.testing.v1 import AppTest

from core.pipeline import make_map, teachers
from core.projection.base import PcaSpec
from core.ui.shared import blobs, state

pytestmark = pytest.mark.usefixtures("pages")


class TestJobs:
    def test_a_space_and_its_pictures_are_made_by_the_worker(self, tmp_path):
        """First the space, then PCA at once, then UMAP with its figures, and the bar is gone."""
        own = f"vectors:{write_words(tmp_path / 'own.npz')}"
        app = healthy(open_page("map", teacher=own))
        until(app, lambda app: bool(scenes(app)))
        assert stage(healthy(app), "map")["name"] in ("map pca", "map umap")
        until(app, lambda app: stage(app, "map")["name"] == "map umap")
        until(app, lambda app: "trustworthiness" in said(app) and not app.get("progress"))
        healthy(app)
        assert "PCA, for reference: trustworthiness" in said(app)
        labels = stage(app, "map")["pictures"][0]["labels"]
        assert {label["text"] for label in labels} <= set(small_words()[0])

    def test_what_cannot_be_read_is_said_and_can_be_tried_again(self, tmp_path):
        file = tmp_path / "bad.txt"
        file.write_text("dog 1 nan\ncat 1 2\n")
        app = open_page("map", teacher=f"vectors:{file}")
        until(app, lambda app: bool(app.error))
        assert "found NaN or infinity in row 0 ('dog')" in said(healthy(app))
        file.write_text("dog 1 0\ncat 1 2\nbird 2 1\nfish 1 1\n")
        [again] = [button for button in app.button if button.label == "Try again"]
        again.click().run()
        until(app, lambda app: bool(scenes(app)))
        assert read_blob(stage(healthy(app), "map")["items"]["texts"]) == [
            *("dog", "cat", "bird", "fish")
        ]

    def test_stop_and_go_on(self, tmp_path):
        own = f"vectors:{write_words(tmp_path / 'stopped.npz')}"
        app = open_page("map", teacher=own)
        until(app, lambda app: bool(scenes(app)))
        state.runner().cancel(state.runner().jobs()[-1].id)
        if state.runner().jobs()[-1].status != "done":
            until(app, lambda app: "Stopped. Nothing was lost" in said(app) or done(app))
        healthy(app)


def done(app: AppTest) -> bool:
    return "PCA, for reference" in said(app)


class TestHome:
    def test_four_starts(self, small):
        app = healthy(open_page("", teacher=small))
        assert app.title[0].value == "See what a language model means"
        starts = {button.label for button in app.button}
        assert {"Show the path", "Open the map", "Do the sum", "See the axes"} <= starts
        assert stage(app, "home")["name"].startswith("map")

    @pytest.mark.parametrize(
        ("label", "title", "shown"),
        [
            ("Show the path", "Paths through meaning", "path dog → table"),
            ("Open the map", "Map of meaning", "map"),
            ("Do the sum", "Paths through meaning", "sum"),
            ("See the axes", "Axes of meaning", "axes"),
        ],
    )
    def test_each_start_leads_somewhere(self, small, label, title, shown):
        app = open_page("", teacher=small)
        [button] = [button for button in app.button if button.label == label]
        button.click().run()
        healthy(app)
        assert app.title[0].value == title
        [scene] = [scene for key, scene in scenes(app).items() if key.endswith("stage")]
        assert scene["name"].startswith(shown)
        assert app.query_params["teacher"] in (small, [small])  # the space stays


class TestMap:
    def test_the_picture_holds_every_item(self, small):
        scene = stage(healthy(open_page("map", teacher=small, projector="pca")), "map")
        words, vectors = small_words()
        assert scene["name"] == "map pca"
        assert read_blob(scene["items"]["texts"]) == words
        assert scene["pictures"][0]["tag"] == "projected"
        near = read_blob(scene["items"]["near"]).reshape(-1, 3)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -1)
        assert words[near[words.index("dog"), 0]] == words[cosines[words.index("dog")].argmax()]

    def test_neighbours_of_a_chosen_word(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca", selected="Ocean"))
        assert [element.value for element in app.subheader] == ["ocean"]
        words, vectors = small_words()
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        order = np.argsort(-(unit @ unit[words.index("ocean")]))[1:16]
        assert listed(app, "map list") == [words[row] for row in order]
        traces = stage(app, "map")["pictures"][0]["figure"]["data"]
        assert [trace["meta"]["role"] for trace in traces][:4] == [
            *("items", "matches", "links", "neighbors")
        ]

    def test_a_typed_text_says_how_its_vector_was_made(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca", selected="red boat"))
        assert "mean of 2 words: red boat" in said(app)
        assert listed(app, "map list")

    def test_an_unknown_word_is_an_answer_not_an_accident(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca", selected="qqqqqq"))
        assert "found 'qqqqqq'" in said(app)
        assert stage(app, "map")["name"] == "map pca"  # the map stays

    def test_every_colour(self, small):
        app = open_page("map", teacher=small, projector="pca")
        box = next(box for box in app.selectbox if box.label == "Colour by")
        legends = []
        for choice in range(len(box.options)):
            next(box for box in app.selectbox if box.label == "Colour by").select_index(choice)
            legends.append(json.dumps(stage(healthy(app.run()), "map")["legend"]))
        assert len(set(legends)) == len(legends) > 5
        assert legends[-1] == "null"  # one colour needs none

    def test_in_3_d(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca", dims="3"))
        trace = stage(app, "map")["pictures"][0]["figure"]["data"][0]
        assert trace["type"] == "scatter3d"

    def test_all_parameters_are_there_before_the_run(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca"))
        picture = next(group for group in app.get("button_group") if group.label == "Picture")
        picture.set_value("tsne").run()
        sliders = {slider.label: slider for slider in healthy(app).slider}
        assert {"perplexity", "exaggeration", "iterations"} <= set(sliders)
        assert all(slider.help for slider in sliders.values())
        assert app.query_params["projector"] in ("tsne", ["tsne"])


class TestPaths:
    def open(self, small: str, waypoints: str, **more: str) -> AppTest:
        link = {"teacher": small, "waypoints": waypoints, "projector": "pca", **more}
        return healthy(open_page("paths", **link))

    def test_a_path(self, small):
        app = self.open(small, "dog,table", kinds="lerp,slerp,graph", steps="24")
        scene = stage(app, "path")
        assert scene["name"] == "path dog → table"
        on_map, on_plane = scene["pictures"]
        assert (on_map["tag"], on_plane["tag"]) == ("projected", "measured")
        for picture in (on_map, on_plane):
            figure = picture["figure"]
            assert len(figure["frames"]) == 24
            moving = set(figure["frames"][0]["traces"])
            assert {figure["data"][k]["meta"]["role"] for k in moving} == {"trail", "marker"}
        player = scene["player"]
        assert [strip["name"] for strip in player["strips"]] == ["straight", "sphere", "graph"]
        for strip in player["strips"]:
            runs = strip["runs"]
            assert (runs[0]["start"], runs[-1]["stop"]) == (0, 24)
            assert all(a["stop"] == b["start"] for a, b in pairwise(runs))
            assert (runs[0]["text"], runs[-1]["text"]) == ("dog", "table")
        assert len(player["transcript"]) == 24
        for kind in ("Straight", "Sphere", "Graph"):
            assert f"**{kind}**" in said(app)
        assert len(app.dataframe[0].value) == 3 * 24

    def test_a_sum(self, small):
        app = self.open(small, "king - man + woman")
        assert stage(app, "sum")["name"] == "sum"
        assert listed(app, "sum with")[0] == "king"
        assert "king" not in listed(app, "sum without")
        assert "queen" in listed(app, "sum without")[:2]
        assert "one of the words put in, “king”" in said(app)

    @pytest.mark.parametrize(
        ("waypoints", "message"),
        [
            ("dog,dog", "found 'dog' and 'dog' one after the other"),
            ("dog,Dog", "found 'dog' and 'Dog' one after the other"),
            ("dog,qqqq", "found 'qqqq'"),
            (",".join(f"word{k}" for k in range(150)), "found 'word0'"),
            ("king + + man", "expected a word"),
            ("dog", None),  # one word is a sum of one
            ("dog,\\e", None),
        ],
    )
    def test_what_is_no_path_is_said(self, small, waypoints, message):
        app = self.open(small, waypoints)
        if message is None:
            assert not app.error
            assert listed(app, "sum without")
        else:
            assert app.error
            assert message in said(app)
            assert not scenes(app)

    def test_nothing_asked_yet(self, small):
        app = self.open(small, "")
        assert "Write where to start and where to go" in said(app)

    def test_the_box_is_read(self, small):
        app = self.open(small, "dog,table")
        [box] = [box for box in app.text_input if box.label == "Way or sum"]
        assert box.value == "dog > table"
        box.set_value("ocean -> king → queen").run()
        assert stage(healthy(app), "path")["name"] == "path ocean → king → queen"
        assert app.query_params["waypoints"] in ("ocean,king,queen", ["ocean,king,queen"])

    def test_one_kind_without_a_way_leaves_the_others(self, small, tmp_path, workspace_folder):
        generator = np.random.default_rng(3)
        away = np.repeat([[9.0, 0, 0], [0, 9, 0]], 40, axis=0)
        vectors = np.float32(away + generator.normal(size=(80, 3)) / 5)
        words = np.array([f"{side}{number}" for side in "ab" for number in range(40)])
        np.savez(tmp_path / "islands.npz", words=words, vectors=vectors)
        islands = f"vectors:{tmp_path / 'islands.npz'}"
        make_map(workspace_folder, {"reference": islands, "spec": PcaSpec().to_dict()})
        app = self.open(islands, "a1,b1", kinds="graph,slerp")
        assert "Graph: found no chain of neighbours" in said(app)
        assert [strip["name"] for strip in stage(app, "path")["player"]["strips"]] == ["sphere"]


class TestAxes:
    def test_the_example(self, small):
        app = healthy(open_page("axes", teacher=small))
        scene = stage(app, "axes")
        assert scene["pictures"][0]["tag"] == "measured"
        labels = {label["text"] for label in scene["pictures"][0]["labels"]}
        assert labels == {
            "mouse",
            "elephant",
            "whale",
            "shark",
            "kitten",
            "tiger",
            "bomb",
            "pillow",
        }
        assert "These two axes show" in said(app)

    def test_words_that_are_not_there(self, small):
        lists = {"x_from": "small", "x_to": "qqqq", "y_from": "safe", "y_to": "deadly"}
        app = healthy(open_page("axes", teacher=small, **lists))
        assert "found 'qqqq'" in said(app)
        lists = {"x_from": "small", "x_to": "Small", "y_from": "safe", "y_to": "deadly"}
        app = healthy(open_page("axes", teacher=small, **lists))
        assert "on both sides of the axis" in said(app)
        lists = {"x_from": "small", "x_to": "big", "y_from": "small", "y_to": "big"}
        app = healthy(open_page("axes", teacher=small, **lists))
        assert "two parallel axes" in said(app)

    def test_what_is_pointed_out_and_unknown_is_said(self, small):
        lists = {"x_from": "small", "x_to": "big", "y_from": "safe", "y_to": "deadly"}
        app = healthy(open_page("axes", teacher=small, highlight="dog,qqqq", **lists))
        assert "Not items of this space: qqqq" in said(app)

    def test_other_words_are_another_link(self, small):
        app = open_page("axes", teacher=small)
        [box] = [box for box in app.text_input if box.label == "Point out"]
        box.set_value("dog, cat").run()
        assert app.query_params["highlight"] in ("dog,cat", ["dog,cat"])
        labels = stage(healthy(app), "axes")["pictures"][0]["labels"]
        assert {label["text"] for label in labels} == {"dog", "cat"}


LONG = "x" * 30_000
HOSTILE_LINKS: list[tuple[str, dict[str, str]]] = [
    ("map", {"projector": "isomap", "dims": "9", "seed": "-1", "parameters": "a:b"}),
    ("map", {"projector": "pca", "selected": IMAGE}),
    ("map", {"projector": "pca", "selected": "![x](http://192.0.2.1/x.png)"}),
    ("map", {"projector": "pca", "selected": LONG}),
    ("map", {"projector": "pca", "selected": "\x00\ud7ff\u202e😀"}),
    ("map", {"projector": "pca", "selected": ""}),
    ("map", {"projector": "pca", "colour": "<script>", "revision": "x" * 1999}),
    ("map", {"projector": "pca", "parameters": "n_neighbors:15,n_neighbors:15"}),
    ("map", {"projector": "pca", "seed": "9" * 300, "unknown": "1"}),
    ("paths", {"projector": "pca", "waypoints": LONG}),
    ("paths", {"projector": "pca", "waypoints": "a\\"}),
    ("paths", {"projector": "pca", "waypoints": ",".join(["dog", "cat"] * 90)}),
    ("paths", {"projector": "pca", "waypoints": "dog,cat", "steps": "99999"}),
    ("paths", {"projector": "pca", "waypoints": "dog,cat", "steps": "2"}),
    ("paths", {"projector": "pca", "waypoints": "dog,cat", "kinds": "slerp,slerp"}),
    ("paths", {"projector": "pca", "waypoints": "dog,cat", "centred": "yes", "csls": "2"}),
    ("paths", {"projector": "pca", "waypoints": f"dog,{IMAGE}"}),
    ("paths", {"projector": "nothing", "waypoints": ""}),
    ("axes", {"x_from": "=1+1", "x_to": IMAGE, "y_from": "a", "y_to": LONG}),
    ("axes", {"x_from": "small", "x_to": "\\", "highlight": "😀,שלום"}),
    ("", {"selected": "ocean", "dims": "x"}),
]


class TestLinks:
    @pytest.mark.parametrize(("page", "link"), HOSTILE_LINKS)
    def test_a_strangers_link_never_ends_in_a_traceback(self, small, page, link):
        app = healthy(open_page(page, teacher=small, **link))
        assert app.title or app.subheader

    @pytest.mark.parametrize("page", ["", "map", "paths", "axes", "student"])
    @pytest.mark.parametrize(
        "teacher",
        [
            *("minilm:tokns", IMAGE, "vectors:/no/such/file", "vectors:" + "a" * 1900),
            *("vectors:~nobody-of-this-name/x", "glove:1", "path:/", "hub:../x"),
        ],
    )
    def test_a_space_that_there_is_not(self, page, teacher):
        app = healthy(open_page(page, teacher=teacher))
        assert app.error[0].value.replace("\\", "").startswith("found")
        assert not scenes(app)

    @pytest.mark.parametrize("word", HOSTILE)
    def test_hostile_words_are_words(self, small, word):
        app = healthy(open_page("map", teacher=small, projector="pca", selected=word))
        assert len(listed(app, "map list")) == 15
        assert not app.error
        for element in (*app.subheader, *app.caption, *app.markdown):
            assert not getattr(element.proto, "allow_html", False)

    def test_the_link_is_written_back_whole(self, small):
        link = {"teacher": small, "projector": "pca", "selected": "ocean", "colour": "norm"}
        app = open_page("map", **link)
        params = dict(app.query_params.items())
        again = healthy(open_page("map", **{k: one(v) for k, v in params.items()}))
        assert {k: one(v) for k, v in again.query_params.items()} == {
            name: one(value) for name, value in params.items()
        }
        assert stage(again, "map") == stage(app, "map")
        for name, value in link.items():
            assert one(params[name]) == value


class TestMovingAbout:
    def test_every_page_keeps_the_space(self, small):
        app = open_page("map", teacher=small, projector="pca", selected="ocean")
        for page, title in (
            ("paths", "Paths through meaning"),
            ("axes", "Axes of meaning"),
            ("student", "Students"),
            ("map", "Map of meaning"),
        ):
            app.switch_page(f"pages/{page}.py").run()
            assert healthy(app).title[0].value == title
            assert app.session_state["teacher"] == small
            assert app.sidebar.selectbox[0].value == small

    def test_a_space_that_is_not_there_is_said_in_the_middle_of_the_page(self):
        app = open_page("map", teacher="vectors:/dev/null")
        assert not app.exception
        assert not app.sidebar.error
        assert one([element.value for element in app.error]).startswith(
            "found a device '/dev/null'"
        )
        app.sidebar.selectbox[0].set_value("glove:30000").run()
        assert not healthy(app).error

    def test_another_space_is_chosen(self, small):
        app = open_page("map", teacher=small, projector="pca", selected="ocean")
        app.sidebar.selectbox[0].set_value("glove:30000").run()
        healthy(app)
        assert one(app.query_params["teacher"]) == "glove:30000"
        assert len(read_blob(stage(app, "map")["items"]["texts"])) == 30_000
        assert [element.value for element in app.subheader] == ["ocean"]  # there as well
        state.runner().cancel(state.runner().jobs()[-1].id)

    def test_without_our_server_the_data_travel_inside(self, small, monkeypatch):
        """As under a plain ``streamlit run app.py``: heavier, and the same."""
        link = {"teacher": small, "projector": "pca"}
        served = stage(healthy(open_page("map", **link)), "map")
        monkeypatch.setattr(blobs, "_served", False)
        inline = stage(healthy(open_page("map", **link)), "map")
        assert served["plotly"] == "meaning-space/plotly.js"
        assert inline["plotly"].startswith("data:text/javascript;base64,")
        assert inline["items"]["texts"]["$blob"].startswith("data:")
        assert read_blob(inline["items"]["texts"]) == read_blob(served["items"]["texts"])

    def test_the_sidebar_says_what_the_space_is(self, small):
        app = healthy(open_page("map", teacher=small, projector="pca"))
        prose = "\n".join(element.value for element in app.sidebar.caption)
        assert "a table of vectors" in prose
        assert "Licence: as its owner says" in prose
        assert "Computing on" in prose
        students = len(state.workspace().catalogue.students())
        # Those that need no argument, and this.
        assert len(app.sidebar.selectbox[0].options) == len(teachers()) + 1 + students


@pytest.mark.models
def test_the_default_space(workspace_folder):
    """The one real truth here: some 28,500 tokens of MiniLM, painted by PCA."""
    link = {"teacher": "minilm:tokens", "projector": "pca", "selected": "ocean"}
    app = open_page("map", **link)
    until(app, lambda app: bool(scenes(app)))
    assert len(read_blob(stage(healthy(app), "map")["items"]["texts"])) > 28_000
    assert {"sea", "oceans"} & set(listed(app, "map list"))
    state.runner().cancel(state.runner().jobs()[-1].id)
