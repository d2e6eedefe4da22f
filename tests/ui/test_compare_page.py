"""The compare page through Streamlit's own test driver, on two small files that share words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import healthy, listed, one, open_page, read_blob, said, scenes, stage, until
from compared_words import ASTRAY, write_second, write_strange
from small_words import IMAGE, small_words
from streamlit.testing.v1 import AppTest
from toy_students import ToySpec, registered

from core.permalink import CompareView
from core.pipeline import Workspace, distill
from core.pipeline.compare.comparison import compare
from core.pipeline.compare.joint_picture import draw_over
from core.projection.base import PcaSpec
from core.types import silent
from core.ui.compare.maps import sheets_of
from core.ui.compare.pair import paired
from core.ui.shared import state
from core.ui.shared.picked_point import point_of

pytestmark = pytest.mark.usefixtures("pages")


@pytest.fixture(scope="module")
def pair(workspace_folder: Path, words_reference: str, tmp_path_factory: Any) -> tuple[str, str]:
    """The small space and its turned copy, compared and drawn, so that no page has to wait."""
    file = write_second(tmp_path_factory.mktemp("second") / "second.npz")
    draw_over(Workspace(workspace_folder), words_reference, f"vectors:{file}", PcaSpec(), silent)
    return words_reference, f"vectors:{file}"


@pytest.fixture(scope="module")
def first(pair: tuple[str, str]) -> AppTest:
    """The page with nothing chosen; for tests that only look."""
    return see(pair)


@pytest.fixture(scope="module")
def chosen(pair: tuple[str, str]) -> AppTest:
    """The page with "dog" chosen; for tests that only look."""
    return see(pair, item="dog")


def see(pair: tuple[str, str], **link: str) -> AppTest:
    return healthy(open_page("compare", a=pair[0], b=pair[1], **{"picture": "pca", **link}))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in app.metric}


class TestAPlaceOfTheGround:
    @pytest.mark.parametrize("number", [0, 1])
    def test_each_map_answers_for_its_own_space(self, pair, number):
        workspace = state.workspace()
        drawn = paired(
            CompareView(a=pair[0], b=pair[1]),
            compare(workspace, *pair),
            workspace.space(pair[1]),
            PcaSpec(),
        )
        sheet = sheets_of(CompareView(a=pair[0], b=pair[1]), drawn)[number]
        x, y = sheet.coords[3].tolist()  # on an item: in the second map its own vector answers
        app = see(pair, spot=f"{x:.6g},{y:.6g}@{sheet.token(PcaSpec())}")
        pictures = stage(app, "compare")["pictures"]
        assert [picture["ground"] for picture in pictures] == [True, True]
        marked = [
            any(trace["meta"].get("role") == "spot" for trace in it["figure"]["data"])
            for it in pictures
        ]
        assert marked == [number == 0, number == 1]
        point = point_of(f"{x:.6g},{y:.6g}@{sheet.token(PcaSpec())}", sheet, PcaSpec()).vector
        space = workspace.space(pair[number])
        best = space.texts[int((space.unit @ point).argmax())]
        assert listed(app, "compare spot list")[0] == best
        if number:
            assert best == sheet.drawn.texts[3]

    def test_one_that_moves_has_no_ground(self, pair):
        [picture] = stage(see(pair, layout="morph", spot="1,2@0123456789abcdef"), "compare")[
            "pictures"
        ]
        assert not picture["ground"]


class TestTheMaps:
    def test_two_maps_of_the_shared_items_in_one_window(self, first):
        scene = stage(first, "compare")
        assert scene["name"] == "compare side pca"
        here, there = scene["pictures"]
        assert len(read_blob(scene["items"]["texts"])) == 250
        assert here["space"] == there["space"] != ""
        for axis in ("xaxis", "yaxis"):
            windows = [picture["figure"]["layout"][axis]["range"] for picture in (here, there)]
            assert windows[0] == windows[1]
        assert here["tag"] == there["tag"] == "projected"
        assert here["color"] != there["color"]
        assert "Moved, measured" in scene["legend"]["title"]

    def test_a_turned_copy_lies_where_the_first_space_has_it(self, first):
        """All but the words astray: Procrustes takes the turn away, and no refit moves anything."""
        scene = stage(first, "compare")
        words = read_blob(scene["items"]["texts"])
        places = []
        for picture in scene["pictures"]:
            items = picture["figure"]["data"][0]
            places.append(np.stack([numbers(items["x"]), numbers(items["y"])], axis=1))
        away = np.linalg.norm(places[0] - places[1], axis=1)
        astray = np.isin(words, ASTRAY)
        assert np.median(away[~astray]) < 0.05 * np.ptp(places[0], axis=0).max()
        assert away[astray].min() > 3 * np.median(away[~astray])

    def test_a_choice_is_shown_in_both(self, chosen):
        app = chosen
        scene = stage(app, "compare")
        words = read_blob(scene["items"]["texts"])
        for picture, side in zip(scene["pictures"], "ab", strict=True):
            roles = {trace["meta"]["role"]: trace for trace in picture["figure"]["data"]}
            assert roles["chosen"]["meta"]["rows"] == [words.index("dog")]
            assert roles["neighbors"]["meta"]["side"] == side
            assert picture["labels"][0]["text"] == "dog"
        assert app.subheader[0].value == "dog"
        assert "Moved by" in said(app)
        lists = [key for key in scenes(app) if key in ("compare lost", "compare gained")]
        assert lists == ["compare lost", "compare gained"]
        assert set(listed(app, "compare lost")).isdisjoint(listed(app, "compare gained"))

    def test_one_map_that_moves(self, pair):
        scene = stage(see(pair, layout="morph", item="ocean"), "compare")
        [picture] = scene["pictures"]
        morph = picture["morph"]
        words = read_blob(scene["items"]["texts"])
        assert len(numbers(morph["x"])) == len(numbers(morph["y"])) == len(words)
        assert len(morph["labels"]) == len(picture["labels"])
        traces = {trace["meta"]["role"]: trace for trace in picture["figure"]["data"]}
        trails = traces["trails"]["meta"]["follow"]
        assert {words[row] for row in trails if row >= 0} >= set(ASTRAY)
        assert len(trails) == len(traces["trails"]["x"])

    @pytest.mark.parametrize(
        ("colour", "legend"), [("kept", "Neighbours that both"), ("plain", "null")]
    )
    def test_colours(self, pair, colour, legend):
        assert legend in json.dumps(stage(see(pair, colour=colour), "compare")["legend"])


class TestTheFigures:
    def test_the_summary(self, first):
        app = first
        found = metrics(app)
        assert found["Shared items"] == "250"
        assert float(found["CKA"]) > 0.9
        assert float(found["Procrustes residual"]) < 0.1
        assert found["Neighbours kept"].endswith("of 10")
        assert "forgive any turn of the whole space" in said(app)
        assert "Without any turning" in said(app)

    def test_what_moved_is_named_first(self, first):
        rows = scenes(first)["compare moves"]["rows"]
        assert {row["text"] for row in rows[:3]} == set(ASTRAY)
        assert all(row["lost"] and row["gained"] for row in rows[:3])
        assert rows[0]["share"] >= rows[-1]["share"]

    def test_no_second_seed_is_said(self, first):
        app = first
        assert "No outline of chance: neither side is a student" in said(app)
        figure = stage_of(app, "compare drift")["pictures"][0]["figure"]
        assert [trace["meta"]["role"] for trace in figure["data"]] == ["drift"]

    def test_the_chosen_one_is_marked(self, chosen):
        figure = stage_of(chosen, "compare drift")["pictures"][0]
        assert figure["figure"]["data"][-1]["meta"]["role"] == "mark"
        assert figure["labels"][0]["text"] == "dog"


class TestTheSameWay:
    def test_in_both(self, pair):
        app = see(pair, waypoints="cat,table")
        scene = stage_of(app, "compare way stage")
        assert scene["name"] == "compare way cat → table"
        here, there, curve = scene["pictures"]
        assert (here["tag"], there["tag"], curve["tag"]) == ("projected", "projected", "measured")
        strips = scene["player"]["strips"]
        for strip in strips:
            assert (strip["runs"][0]["text"], strip["runs"][-1]["text"]) == ("cat", "table")
        line = next(t for t in curve["figure"]["data"] if t["meta"]["role"] == "divergence")
        assert len(line["x"]) == len(scene["player"]["t"]) == len(curve["figure"]["frames"])
        assert max(line["y"]) < 40  # neither word is astray
        assert "the two ways are" in said(app)

    def test_the_usual_words_are_in_the_link(self, first):
        assert one(first.query_params["waypoints"]) == "dog,table"

    @pytest.mark.parametrize("waypoints", ["dog,qqqq", "dog,dog", f"dog,{IMAGE}x"])
    def test_no_way_is_said(self, pair, waypoints):
        app = see(pair, waypoints=waypoints)
        assert app.error
        assert "compare way stage" not in scenes(app)

    def test_another_way_is_typed(self, pair):
        app = see(pair)
        [box] = [box for box in app.text_input if box.label == "Way"]
        box.set_value("king > queen > man").run()
        assert (
            stage_of(healthy(app), "compare way stage")["name"] == "compare way king → queen → man"
        )
        assert one(app.query_params["waypoints"]) == "king,queen,man"


class TestStates:
    def test_the_worker_compares_and_the_page_follows(self, words_reference, tmp_path):
        second = f"vectors:{write_second(tmp_path / 'flat.npz', dims=20)}"
        app = healthy(open_page("compare", a=words_reference, b=second, picture="pca"))
        until(app, lambda app: bool(app.metric))
        assert metrics(healthy(app))["Shared items"] == "250"
        assert "They have 50 and 20 dimensions" in said(app)
        assert "Without any turning" not in said(app)
        until(app, lambda app: "compare way stage" in scenes(app))

    def test_nothing_shared(self, words_reference, tmp_path):
        strange = f"vectors:{write_strange(tmp_path / 'strange.npz')}"
        app = open_page("compare", a=words_reference, b=strange)
        until(app, lambda app: bool(app.info))
        assert "These two share no item" in said(healthy(app))
        assert "strange0; strange1" in said(app)
        assert not app.metric

    def test_the_same_space_twice(self, words_reference):
        app = healthy(open_page("compare", a=words_reference, b=words_reference))
        assert "Both are the same space, so nothing moves" in said(app)
        assert not app.error

    def test_a_turned_copy_did_not_move(self, words_reference, workspace_folder, tmp_path):
        words, vectors = small_words()
        turn = np.linalg.qr(np.random.default_rng(5).normal(size=(vectors.shape[1],) * 2))[0]
        np.savez(tmp_path / "turned.npz", words=np.array(words), vectors=3 * vectors @ turn)
        turned = f"vectors:{tmp_path / 'turned.npz'}"
        draw_over(Workspace(workspace_folder), words_reference, turned, PcaSpec(), silent)
        app = see((words_reference, turned))
        assert "Nothing moved: no word by as much as 0.005" in said(app)
        assert "compare moves" not in scenes(app)
        names = [label["text"] for label in stage(app, "compare")["pictures"][0]["labels"]]
        assert names == words[: len(names)] != []  # the most frequent, as none went furthest

    @pytest.mark.parametrize("second", ["vectors:/no/such/file", IMAGE, "student:none"])
    def test_a_second_space_that_there_is_not(self, words_reference, second):
        app = healthy(open_page("compare", a=words_reference, b=second))
        assert said_first_error(app).startswith("found")

    def test_an_item_that_is_not_shared(self, pair):
        lonely = small_words()[0][-1]
        app = see(pair, item=lonely)
        assert "Not in both" in said(app)
        assert len(stage(app, "compare")["pictures"]) == 2

    @pytest.mark.parametrize(
        "link",
        [
            {"item": IMAGE, "layout": "stack", "colour": "<script>", "waypoints": "a\\"},
            {"item": "x" * 30_000, "waypoints": ",".join(["dog", "cat"] * 90)},
            {"waypoints": "dog"},
        ],
    )
    def test_a_strangers_link_never_ends_in_a_traceback(self, pair, link):
        assert see(pair, **link).title

    def test_the_link_restores_everything(self, pair):
        link = {"item": "king", "layout": "morph", "colour": "kept", "waypoints": "cat,table"}
        app = see(pair, **link)
        params = {name: one(value) for name, value in app.query_params.items()}
        assert params | link == params
        again = healthy(open_page("compare", **params))
        assert stage(again, "compare") == stage(app, "compare")
        assert {name: one(value) for name, value in again.query_params.items()} == params

    def test_the_sidebar_chooses_the_first(self, pair):
        app = see(pair)
        assert app.sidebar.selectbox[0].value == pair[0]
        app.sidebar.selectbox[0].set_value("glove:30000").run()
        assert "share" in said(healthy(app))
        assert len(stage(app, "compare")["pictures"]) == 2  # before any neighbour is found
        assert not app.metric
        colours = next(box for box in app.selectbox if box.label == "Colour by")
        assert "Neighbours kept" not in colours.options
        assert one(app.query_params["a"]) == "glove:30000"
        assert one(app.query_params["b"]) == pair[1]
        state.runner().cancel(state.runner().jobs()[-1].id)

    def test_the_second_is_chosen_from_a_list(self, pair, first):
        app = first
        box = next(box for box in app.selectbox if box.label == "Compared with")
        assert {"MiniLM words", "GloVe 30,000"} <= set(box.options)
        assert box.value == pair[1]


@pytest.fixture(scope="module")
def toys(workspace_folder: Path, words_reference: str) -> Iterator[Workspace]:
    """A toy student of the small space, which learns and so differs from seed to seed."""
    workspace = Workspace(workspace_folder)
    with registered():
        distill(workspace, words_reference, ToySpec(bytes_per_item=400.0), "toy-0")
        yield workspace
        for card in workspace.catalogue.students(words_reference):
            workspace.catalogue.remove(card.key)


class TestStudents:
    def test_a_student_is_the_usual_second_and_offers_its_null(self, toys, words_reference):
        draw_over(toys, words_reference, "student:toy-0", PcaSpec(), silent)
        app = healthy(open_page("compare", a=words_reference, picture="pca"))
        assert one(app.query_params["b"]) == "student:toy-0"
        assert "No outline of chance: no second seed of this toy student yet" in said(app)
        assert "Train a second seed" in [button.label for button in app.button]

    def test_two_seeds_make_the_null(self, toys, words_reference):
        distill(toys, words_reference, ToySpec(bytes_per_item=400.0, seed=1), "toy-1")
        draw_over(toys, words_reference, "student:toy-0", PcaSpec(), silent)
        app = healthy(open_page("compare", a=words_reference, b="student:toy-0", picture="pca"))
        assert "Chance: the same student with seed 1, median" in said(app)
        assert "Train a second seed" not in [button.label for button in app.button]
        scene = stage_of(app, "compare drift")
        roles = [trace["meta"]["role"] for trace in scene["pictures"][0]["figure"]["data"]]
        assert roles == ["drift", "null"]
        assert "another seed" in scene["legend"]["entries"][0]["label"]

    def test_two_students(self, toys, words_reference):
        draw_over(toys, "student:toy-0", "student:toy-1", PcaSpec(), silent)
        link = {"a": "student:toy-0", "b": "student:toy-1", "picture": "pca"}
        app = healthy(open_page("compare", **link))
        assert metrics(app)["Shared items"] == f"{len(small_words()[0]):,}"


def numbers(value: Any) -> Any:
    """Numbers of a serialised array: a blob, base64, or a list."""
    if isinstance(value, dict) and "bdata" in value:
        import base64

        return np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(f"<{value['dtype']}"))
    return np.asarray(read_blob(value) if isinstance(value, dict) else value)


def stage_of(app: AppTest, key: str) -> Any:
    return scenes(app)[key]


def said_first_error(app: AppTest) -> str:
    return str(app.error[0].value).replace("\\", "")
