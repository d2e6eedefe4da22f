"""The Laws view of the trajectories page: pictures that follow the chosen document, and minutes of
work that begin only when somebody asks. What is shown was not measured: it is made up."""

from pathlib import Path

import numpy as np
import pytest
from app_pages import healthy, open_page, said, scenes
from planted_laws import planted
from tiny_causal import save_tiny

from core.pipeline import Workspace
from core.pipeline.trajectories import statistics as laws_module
from core.pipeline.trajectories.preregistration import locked
from core.pipeline.trajectories.samples import KINDS, TEXTS
from core.pipeline.trajectories.statistics import laws
from core.ui.shared import state
from core.ui.trajectories import statistics

pytestmark = pytest.mark.usefixtures("pages")
LAYER = 2  # the middle one, which is shown first


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture
def measured(model, workspace_folder: Path, monkeypatch) -> str:
    """A model whose explored documents are there: two paths of each kind."""
    paths = np.random.default_rng(0).normal(size=(len(KINDS), 2, 6, 2)).astype(np.float32)
    made = planted(1.0, part="explored")
    words = {kind: [["one"], ["two"]] for kind in TEXTS}
    found = type(made)(model, LAYER, "explored", made.table, made.turns, paths, 0.3, words, 0, 1.0)
    monkeypatch.setattr(laws_module, "_measured", lambda *_: found)
    laws(Workspace(workspace_folder), model, LAYER)
    monkeypatch.setattr(statistics, "corpus_places", lambda *_: paths[0, 0])
    statistics._places.clear()
    return model


def at(model: str, **link: str):
    return healthy(open_page("trajectories", model=model, show="laws", **link))


def jobs(model: str, part: str):
    """The runs that measure a part in any layer and go on."""
    return [
        job
        for job in state.runner().jobs()
        if job.recipe == "laws" and not job.over and not job.stopping
        and (job.arguments["model"], job.arguments["part"]) == (model, part)
    ]  # fmt: skip


def stop(model: str, part: str) -> None:
    for job in jobs(model, part):
        state.runner().cancel(job.id)


def ways(app):
    """The chosen path of each picture."""
    return [
        next(it for it in picture["figure"]["data"] if it["meta"]["role"] == "way")["x"]
        for picture in scenes(app)["laws stage"]["pictures"]
    ]


class TestDocument:
    def test_choosing_another_one_draws_it_at_once(self, measured):
        app = at(measured)
        first = ways(app)
        app.selectbox(key=f"trajectories:laws document {LAYER}").select_index(1).run()
        assert all(one != other for one, other in zip(ways(healthy(app)), first, strict=True))
        assert app.query_params["step"] == "1"
        assert ways(at(measured, step="1")) == ways(app)
        assert "two" in said(app)


class TestMeasuring:
    def test_it_begins_when_asked_for(self, measured):
        app = at(measured, layer="1")
        assert "That takes two to four minutes" in said(app)
        assert not jobs(measured, "explored")
        [measure] = [it for it in app.button if it.label == "Measure"]
        measure.click().run()
        [job] = jobs(measured, "explored")
        assert job.arguments["layer"] == 1
        other = at(measured, layer="1")  # who comes later follows it
        assert "Measure" not in [it.label for it in other.button]
        assert f"stop {job.id}" in [it.key for it in other.button]
        stop(measured, "explored")

    def test_looking_at_another_layer_begins_nothing(self, measured):
        app = at(measured)
        app.selectbox(key=f"trajectories:laws layer {measured}").select(3).run()
        assert "Measure" in [it.label for it in healthy(app).button]
        assert not jobs(measured, "explored")

    def test_a_locked_guess_is_scored_for_who_made_it(self, measured, workspace_folder):
        app = at(measured)
        next(it for it in app.button if it.label == "Lock this guess").click().run()
        assert len(locked(Workspace(workspace_folder), measured, LAYER)) == 1
        assert "Held out: guesses made here, scored" in said(healthy(app))
        assert jobs(measured, "held out")
        stop(measured, "held out")
        later = at(measured)
        assert "Score the guesses" in [it.label for it in later.button]
        assert not jobs(measured, "held out")
