"""A place where no item is, on the map and on the paths page, through Streamlit's test driver."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import healthy, listed, open_page, said, scenes, stage, until

from core.decode.guided_decoding import Written
from core.permalink import MapView
from core.pipeline import Workspace
from core.pipeline.points.description import PointDescription
from core.projection.base import PcaSpec, UmapSpec
from core.projection.inverse import ground
from core.teachers.smollm2 import COMMAND
from core.ui.paths import sentences as paths_sentences
from core.ui.shared import jobs, picked_point, state
from core.ui.shared.picked_point import Lost, pickable_picture, point_of

pytestmark = pytest.mark.usefixtures("pages")


@pytest.fixture(scope="module")
def picture(small: str, workspace_folder: Path) -> str:
    """What a place of the small space's PCA picture is marked with."""
    return Workspace(workspace_folder).space(small).digest[:8] + PcaSpec().digest[:8]


def test_a_place_of_a_link_is_marked_and_told(
    small: str, picture: str, workspace_folder: Path
) -> None:
    mark = f"0.2,-0.1@{picture}"
    app = healthy(open_page("map", teacher=small, projector="pca", spot=mark))
    [drawn] = stage(app, "map")["pictures"]
    assert drawn["ground"]
    assert drawn["labels"][0]["text"] == "here"
    assert (drawn["labels"][0]["x"], drawn["labels"][0]["y"]) == pytest.approx((0.2, -0.1))
    [mark] = [it for it in drawn["figure"]["data"] if it["meta"]["role"] == "spot"]
    assert mark["meta"] == {"role": "spot"}
    workspace = Workspace(workspace_folder)
    space = workspace.space(small)
    coords = workspace.projection(space, PcaSpec()).coords
    found = ground(space, coords, np.array([0.2, -0.1], np.float32), linear=True)
    best = space.texts[int((space.unit @ found.vector).argmax())]
    assert listed(app, "map spot list")[0] == best
    assert "the picture's plane" in said(app)
    assert f"keeps {found.kept:.0%}" in said(app)
    assert "MiniLM's vectors of whole words and sentences only" in said(app)


def test_the_middle_of_a_way_is_typed_instead(small: str) -> None:
    app = healthy(open_page("map", teacher=small, projector="pca"))
    assert "map spot list" not in scenes(app)
    [box] = [it for it in app.text_input if it.label == "Two items"]
    app = healthy(box.set_value("dog > table").run())
    assert "half-way between the two" in said(app)
    assert listed(app, "map spot list")
    assert app.session_state["map view"].spot == "dog > table"
    [forget] = [it for it in app.button if it.label == "Forget this place"]
    app = healthy(forget.click().run())
    assert app.session_state["map view"].spot == ""
    assert "Nothing chosen yet" in said(app)


def test_what_is_missing_in_the_box_is_said(small: str) -> None:
    app = healthy(open_page("map", teacher=small, projector="pca", selected="cat"))
    [box] = [it for it in app.text_input if it.label == "Two items"]
    app = healthy(box.set_value("dog > cat > table").run())
    assert "Found 3 items; write two" in said(app)
    assert app.session_state["map view"].selected == "cat"  # nothing was lost
    assert app.session_state["map view"].spot == ""


def test_in_three_dimensions_no_place_is_asked_for(small: str, picture: str) -> None:
    link = {"teacher": small, "projector": "pca", "dims": "3"}
    app = healthy(open_page("map", **link, spot=f"0.2,-0.1@{picture}"))
    assert not [it for it in app.text_input if it.label == "Two items"]
    assert "Choose 2-D to see it again" in said(app)


UMAP = UmapSpec().digest[:8]


@pytest.mark.parametrize(
    ("spot", "why"),
    [
        ("1,2@another", "can't be read"),
        ("x,y@{picture}", "can't be read"),
        ("nan,1@{picture}", "can't be read"),
        ("@", "can't be read"),
        ("dog", "Found 1 item;"),
        ("dog > nobody's word", "nobody's word"),
        (f"1,2@{{space}}{UMAP}", "drawn anew since"),
        ("1,2@0123456789abcdef", "another space"),
        ("1,2@01234567{shown}", "another space"),  # the same kind of picture, of another space
    ],
)
def test_a_place_that_means_nothing_here(small: str, picture: str, spot: str, why: str) -> None:
    written = spot.format(picture=picture, space=picture[:8], shown=picture[8:])
    sheet = pickable_picture(small, state.workspace().space(small), PcaSpec())
    found = point_of(written, sheet, PcaSpec())
    assert isinstance(found, Lost)
    assert why in found.why


def test_why_a_place_is_lost_is_told_and_it_can_be_forgotten(small: str, picture: str) -> None:
    written = f"1,2@{picture[:8]}{UMAP}"
    app = healthy(open_page("map", teacher=small, projector="pca", spot=written))
    assert "drawn anew since" in said(app)
    assert "map spot list" not in scenes(app)
    assert stage(app, "map")["pictures"][0]["labels"][0]["text"] != "here"
    [forget] = [it for it in app.button if it.label == "Forget this place"]
    app = healthy(forget.click().run())
    assert app.session_state["map view"].spot == ""
    assert "spot" not in app.query_params


def test_a_place_of_a_picture_that_is_being_drawn_is_waited_for(
    small: str, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "submitted", lambda *_, **__: None)
    written = f"1,2@{picture[:8]}{UmapSpec(n_neighbors=7).digest[:8]}"
    link = {"teacher": small, "projector": "umap", "parameters": "n_neighbors:7"}
    app = healthy(open_page("map", **link, spot=written))
    assert stage(app, "map")["name"] == "map pca"
    assert "being drawn now" in said(app)


def test_a_place_stays_behind_when_the_space_changes() -> None:
    here = MapView(teacher="minilm:words", spot="0.2,1@0123456789abcdef")
    assert state._moved(here, "minilm:tokens") == MapView(teacher="minilm:tokens")
    assert state._moved(here, "minilm:words") == here
    typed = MapView(teacher="minilm:words", spot="dog > table")
    assert state._moved(typed, "minilm:tokens").spot == "dog > table"


def test_the_path_map_has_a_ground_too(
    small: str, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = {}
    monkeypatch.setattr(
        picked_point,
        "neighbor_list",
        lambda rows, label, key, choose: clicks.update({key: (rows, choose)}),
    )
    link = {"teacher": small, "projector": "pca", "waypoints": "dog,table"}
    app = healthy(open_page("paths", **link, spot=f"0.1,0.1@{picture}"))
    on_map, plane = stage(app, "path")["pictures"]
    assert on_map["ground"]
    assert not plane["ground"]
    assert on_map["labels"][0]["text"] == "here"
    labels = [it.label for it in app.button]
    assert "Say it in sentences" not in labels  # no sentences in a space of word vectors
    rows, choose = clicks["paths spot list"]
    kept: dict[str, Any] = {
        "paths spot list": {"chosen": {"row": rows[0][2]}},
        "paths view": app.session_state["paths view"],
    }
    monkeypatch.setattr(picked_point.st, "session_state", kept)
    monkeypatch.setattr(
        picked_point, "remember", lambda page, seen: kept.update({f"{page} view": seen})
    )
    choose()
    assert kept["paths view"].waypoints == ("dog", "table", rows[0][0])
    assert kept["paths:box"] == f"dog > table > {rows[0][0]}"
    choose()  # a second click on the same word adds nothing
    assert len(kept["paths view"].waypoints) == 3


def test_what_the_model_wrote_is_shown_as_it_is(
    small: str, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A way and a place in words: texts of a model are no Markdown and no HTML."""
    wrote = "# A ![dog](http://example.invalid/x) <b>at</b> the *table*."
    made = Written(wrote, 0.71, -2.0)
    for module in (paths_sentences, picked_point):
        monkeypatch.setattr(module, "crosses", lambda _: True)
        monkeypatch.setattr(module, "has_told", lambda *_: True)
        monkeypatch.setattr(
            module, "tell_point", lambda *_: PointDescription(("*dog*",), made, made)
        )
    for name in ("installed", "has_bridge"):
        monkeypatch.setattr(picked_point, name, lambda *_: True)
    link = {"teacher": small, "projector": "pca", "waypoints": "dog,table"}
    app = healthy(open_page("paths", **link, spot=f"0.1,0.1@{picture}"))
    assert said(app).count(wrote) == 1 + paths_sentences.PLACES
    assert "cosine 0.71 to this place" in said(app)
    shown = "\n".join(str(it.value) for it in app.markdown)
    assert "![dog]" not in shown
    assert "<b>" not in shown


def test_without_the_language_model_its_command_is_said(
    small: str, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picked_point, "crosses", lambda _: True)
    monkeypatch.setattr(picked_point, "installed", lambda: False)
    mark = f"0.2,-0.1@{picture}"
    app = healthy(open_page("map", teacher=small, projector="pca", spot=mark))
    assert COMMAND in said(app)
    assert listed(app, "map spot list")  # everything else works


def test_without_a_bridge_one_can_be_learnt_here(
    small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in {"crosses": True, "installed": True, "has_bridge": False}.items():
        monkeypatch.setattr(picked_point, name, lambda *_, answer=answer: answer)
    app = healthy(open_page("map", teacher=small, projector="pca", spot="dog > table"))
    assert "in about an hour" in said(app)
    assert not [job for job in state.runner().jobs() if job.recipe == "bridge"]
    [learn] = [it for it in app.button if it.label == "Learn the bridge"]
    app = healthy(learn.click().run())
    [job] = [job for job in state.runner().jobs() if job.recipe == "bridge"]
    state.runner().cancel(job.id)
    until(app, lambda app: "Stopped. Nothing was lost" in said(app))


def test_the_start_page_has_no_ground(small: str) -> None:
    app = healthy(open_page("", teacher=small))
    assert not stage(app, "home")["pictures"][0]["ground"]
