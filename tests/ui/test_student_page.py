"""The students page through Streamlit's own test driver: choosing, training, asking, errors.

Two small families of tests/helpers/toy_students.py stand in for those that take long: what
surrounds a student is meant here, not the student.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_pages import healthy, listed, one, open_page, said, scenes, stage, until
from hypothesis import given
from hypothesis import strategies as st
from small_words import HOSTILE, IMAGE, small_words
from streamlit.testing.v1 import AppTest
from toy_students import registered

from core.figures.students.pareto import OUT_OF_REACH
from core.pipeline import Workspace, distill, evaluate_kept, specification, student_key
from core.students.checkpoint import Checkpoints
from core.ui.shared import state
from core.ui.students import summary as students_summary
from core.ui.students.summary import answered
from core.ui.students.wording import (
    BestRival,
    best_rival,
    budgets,
    nearest_budget,
    verdict,
)

pytestmark = pytest.mark.usefixtures("pages")
WORDS = small_words()[0]


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def keys(_toys: None, workspace_folder: Path, words_reference: str) -> dict[str, str]:
    """Two students of the small space: one that only stores, one that reads."""
    workspace, made = Workspace(workspace_folder), {}
    for family, values in (("flat", {"bytes_per_item": 150.0}), ("toy", {"bytes_per_item": 64.0})):
        spec = specification(family, values)
        key = student_key(words_reference, spec)
        done = distill(workspace, words_reference, spec, key)
        evaluate_kept(workspace, key, seconds=done.seconds)
        made[family] = key
    return made


def student_page(teacher: str, **link: str) -> AppTest:
    """The page at a link; a file is read before, so that it need not wait for the worker."""
    if teacher.startswith("vectors:"):
        state.workspace().space(teacher)
    return healthy(open_page("student", teacher=teacher, **link))


def dots(app: AppTest) -> list[str]:
    return [label["text"] for label in stage(app, "student")["pictures"][0]["labels"]]


def button(app: AppTest, label: str) -> object:
    [found] = [button for button in app.button if button.label == label]
    return found


class TestAtFirst:
    def test_without_students_there_is_the_limit_and_the_way_to_one(self, tmp_path):
        generator = np.random.default_rng(0)
        file = tmp_path / "few.npz"
        words = np.array([f"w{k}" for k in range(40)])
        np.savez(file, words=words, vectors=generator.normal(size=(40, 6)))
        app = student_page(f"vectors:{file}")
        assert app.title[0].value == "Students"
        assert "No student yet" in said(app)
        assert dots(app) == [OUT_OF_REACH, "Gaussian limit"]
        assert not app.error
        assert {"Train", "Try now (30 s)", "Add classical coders"} <= {
            each.label for each in app.button
        }
        [slider] = app.select_slider
        assert slider.value in budgets(6)

    @pytest.mark.parametrize("shape", [(1, 3), (5, 1)])
    def test_the_smallest_spaces(self, tmp_path, shape):
        file = tmp_path / "least.npz"
        words = np.array([f"w{k}" for k in range(shape[0])])
        np.savez(file, words=words, vectors=np.ones(shape))
        app = student_page(f"vectors:{file}")
        assert "No student yet" in said(app)
        assert dots(app) == []  # rows that are all the same need no bytes


class TestCurve:
    def test_students_stand_on_it_and_one_is_looked_at(self, words_reference, keys):
        app = student_page(words_reference, student=keys["flat"])
        scene = stage(app, "student")
        assert scene["pictures"][0]["tag"] == "measured"
        assert any(text.startswith("flat, ") for text in dots(app))
        assert "toy" in dots(app)
        assert app.subheader[0].value == "Flat"
        assert "times smaller than the teacher's rows" in said(app)
        assert "it keeps all" in said(app)
        figures = scenes(app)["student figures"]["rows"]
        assert [row["name"] for row in figures] == ["error", "cosine", "neighbours"]
        parts = scenes(app)["student parts"]["rows"]
        assert sum(row["share"] for row in parts) == pytest.approx(1)

    def test_a_measured_student_is_looked_at_unasked(self, words_reference, keys):
        app = student_page(words_reference)
        assert one(app.query_params["student"]) in keys.values()

    @pytest.mark.parametrize("measure", ["relative_error", "cosine", "recall10"])
    def test_every_measure(self, words_reference, keys, measure):
        app = student_page(words_reference, student=keys["toy"], measure=measure)
        assert any(text.startswith("toy, ") for text in dots(app))
        assert (OUT_OF_REACH in dots(app)) == (measure != "recall10")

    def test_another_measure_is_another_link(self, words_reference, keys):
        app = student_page(words_reference)
        pick = next(group for group in app.get("button_group") if group.label == "Measure")
        pick.set_value("recall10").run()
        assert one(healthy(app).query_params["measure"]) == "recall10"

    def test_the_rivals_are_measured_when_somebody_asks(self, words_reference, keys):
        state.workspace().store.remove("pareto", state.workspace().space_key(words_reference))
        app = student_page(words_reference)
        button(app, "Add classical coders").click().run()
        assert not [each for each in healthy(app).button if each.label.startswith("Add classical")]
        [job] = [job for job in state.runner().jobs() if job.recipe == "pareto"]
        assert job.arguments == {"teacher": words_reference}
        state.runner().cancel(job.id)

    def test_the_student_of_another_teacher_is_not_shown(self, words_reference, keys):
        app = student_page(words_reference, student="shipped-nothing")
        assert one(app.query_params["student"]) in keys.values()


class TestAsking:
    def test_a_word_that_both_know(self, words_reference, keys):
        app = student_page(words_reference, student=keys["flat"], text="ocean")
        assert "Cosine between the two vectors **1.000**" in said(app)
        assert listed(app, "student answer") == listed(app, "teacher answer")
        assert stage(app, "student ask")["name"] == "asked ocean"

    def test_a_word_that_only_the_student_can_read(self, words_reference, keys):
        app = student_page(words_reference, student=keys["toy"], text="oceanqqq")
        assert "Only the student has an answer here" in said(app)
        assert "the student is alone here" in said(app)
        assert len(listed(app, "student answer")) == 10

    def test_a_family_that_stores_rows_says_so(self, words_reference, keys):
        app = student_page(words_reference, student=keys["flat"], text="oceanqqq")
        assert "holds rows only" in said(app)
        assert "read spelling: " in said(app)
        assert "speller" in said(app)
        assert "toy" in said(app)

    @pytest.mark.parametrize("text", [*HOSTILE, "x" * 1999, " ", "![x](http://192.0.2.1/x.png)"])
    def test_whatever_is_typed(self, words_reference, keys, text):
        for key in keys.values():
            app = student_page(words_reference, student=key, text=text)
            for element in (*app.subheader, *app.caption, *app.markdown, *app.info, *app.error):
                assert not getattr(element.proto, "allow_html", False)

    def test_what_is_typed_is_in_the_link(self, words_reference, keys):
        app = student_page(words_reference, student=keys["toy"])
        [box] = [box for box in app.text_input if box.label.startswith("A word")]
        box.set_value("kitten").run()
        assert one(healthy(app).query_params["text"]) == "kitten"
        assert listed(app, "student answer")


class TestErrors:
    def test_the_worst_items_and_the_slices(self, words_reference, keys):
        app = student_page(words_reference, student=keys["toy"])
        worst = scenes(app)["student worst"]["rows"]
        assert {row["name"] for row in worst} <= set(WORDS)
        values = [float(row["value"]) for row in worst]
        assert values == sorted(values)
        assert all(" → " in row["detail"] for row in worst[:3])
        drawn = [key for key in scenes(app) if key.startswith("student slices")]
        assert drawn
        marks = {row.get("mark") for row in scenes(app)[drawn[0]]["rows"]}
        assert len(marks) == 1  # the mean of all

    def test_a_worst_item_leads_to_the_map(self, words_reference, keys):
        app = student_page(words_reference, student=keys["toy"])
        app.session_state["student worst row"] = WORDS.index("ocean")
        app.run()
        assert healthy(app).title[0].value == "Map of meaning"
        assert one(app.query_params["selected"]) == "ocean"


class TestTakingAway:
    def test_curve_and_report(self, words_reference, keys):
        app = student_page(words_reference, student=keys["toy"])
        labels = {each.label for each in app.get("download_button")}
        assert {"Curve as CSV", "Curve as JSON", "Report of this student"} <= labels


class TestTraining:
    """By the worker, with the speller: the family that is quickest to learn."""

    def test_train_and_look_at_it(self, words_reference, keys):
        app = student_page(words_reference, family="speller", bytes_per_item="48")
        button(app, "Try now (30 s)").click().run()
        assert "Learning" in said(healthy(app))
        assert button(app, "Train").disabled
        assert {"Pause", "Cancel"} <= {each.label for each in app.button}
        until(app, lambda app: one(app.query_params["student"]).startswith("speller-"))
        assert "Learning" not in said(healthy(app))
        assert any(text.startswith("speller, ") for text in dots(app))
        assert "Of 100 words that it never saw" in said(app)

    def test_what_cannot_be_is_said_until_it_is_read(self, words_reference, keys):
        app = student_page(words_reference, family="speller", bytes_per_item="2")
        button(app, "Train").click().run()
        until(app, lambda app: bool(app.error))
        assert "give at least" in said(healthy(app))
        assert not button(app, "Train").disabled
        button(app, "Close").click().run()
        assert not healthy(app).error

    def test_an_encoder_needs_a_model(self, words_reference, keys):
        app = student_page(words_reference, family="encoder")
        assert button(app, "Train").disabled
        assert "this teacher is a bare table" in button(app, "Train").help

    def test_what_was_cut_off_is_listed_after_a_restart(
        self, workspace_folder, words_reference, keys
    ):
        place = workspace_folder / "trainings" / "speller-cut-off"
        checkpoints = Checkpoints(place)
        checkpoints.save({"module.x": np.zeros(3)}, {"step": 40, "seconds": 2.0})
        checkpoints.record({"step": 40, "loss": 0.25, "seconds": 2.0})
        spec = specification("speller", {"bytes_per_item": 30.0}).to_dict()
        arguments = {"teacher": words_reference, "spec": spec, "key": place.name}
        (place / "training.json").write_text(json.dumps({"arguments": arguments, "error": ""}))
        app = student_page(words_reference)
        assert "waits at step 40, loss 0.25" in said(app)
        assert button(app, "Resume")
        button(app, "Discard").click().run()
        assert "waits at step" not in said(healthy(app))
        assert not place.exists()


class TestLinks:
    @pytest.mark.parametrize(
        "link",
        [
            {"student": IMAGE, "family": IMAGE, "bytes_per_item": "-1", "measure": "x"},
            {"student": "../../etc/passwd", "text": IMAGE},
            {"student": "x" * 1999, "bytes_per_item": "1e6"},
            {"bytes_per_item": "0.01", "revision": "\x00"},
        ],
    )
    def test_a_strangers_link_never_ends_in_a_traceback(self, words_reference, keys, link):
        assert student_page(words_reference, **link).title

    @pytest.mark.parametrize("teacher", ["minilm:tokns", IMAGE, "student:nobody", "student:"])
    def test_a_space_that_there_is_not(self, teacher):
        app = student_page(teacher)
        assert app.error[0].value.replace("\\", "").startswith("found")

    def test_a_student_is_a_space_like_any_other(self, words_reference, keys):
        reference = f"student:{keys['flat']}"
        app = student_page(words_reference)
        assert reference in options(app)
        app = healthy(open_page("map", teacher=reference, projector="pca", selected="ocean"))
        until(app, lambda app: bool(scenes(app)))
        assert listed(app, "map list")
        state.runner().cancel(state.runner().jobs()[-1].id)


def options(app: AppTest) -> set[str]:
    box = app.sidebar.selectbox[0]
    shown = {label for label in box.options if label.startswith("Student: ")}
    references = [f"student:{card.key}" for card in state.workspace().catalogue.students()]
    assert len(shown) <= len(references)
    return set(references) if shown else set()


class TestWords:
    def test_a_verdict_says_what_was_measured_and_nothing_else(self):
        report = {"bytes_total": 2_650_000, "relative_error": 0.1, "recall": {"10": 0.735}}
        told = verdict(report, 28_594, 384, BestRival("PQ 96", 0.12), 67.8)
        assert told == [
            "17 times smaller than the teacher's rows.",
            "Of an item's 10 nearest it keeps 7 to 8: good for rough search, and for topics.",
            "Truer than the best classical coder of its size, PQ 96 (error 0.1 against 0.12).",
            "Takes 1.37 times the bytes of the Gaussian limit at this error, all included.",
        ]
        assert verdict({}, 10, 10) == []

    def test_a_better_rival_is_said_to_be_better(self):
        told = verdict({"relative_error": 0.2}, 10, 10, BestRival("OPQ", 0.1))
        assert told == ["A classical coder of its size is better: OPQ (error 0.1 against 0.2)."]

    @given(st.integers(1, 4096), st.floats(0.01, 1e6))
    def test_there_is_a_budget_for_every_space(self, dim, wanted):
        choices = budgets(dim)
        assert choices == sorted(set(choices))
        assert nearest_budget(dim, wanted) in choices
        assert choices[0] <= dim <= 2 * choices[-1]

    def test_the_best_rival_is_one_that_can_be_afforded(self):
        from core.pipeline import ParetoPoint

        def point(size: float, error: float, kind: str = "rival") -> ParetoPoint:
            return ParetoPoint(f"{size:g}", kind, "x", 1, size, error, 0.5, 0.5)

        points = [point(10.0, 0.5), point(20.0, 0.2), point(40.0, 0.1), point(5.0, 0.0, "limit")]
        assert best_rival(points, 30.0) == BestRival("20", 0.2)
        assert best_rival(points, 1.0) is None

    def test_the_answer_is_shown_only_where_there_is_one(self, tmp_path, monkeypatch):
        file = tmp_path / "answer.json"
        assert answered(file) is None
        file.write_text("{")
        assert answered(file) is None
        said = {"question": "Can it be smaller?", "sentence": "Yes.", "measured": "here"}
        points = [{"heading": "Uses", "text": "search"}]
        file.write_text(json.dumps({**said, "points": points, "table": [{"MB": 2.0}]}))
        found = answered(file)
        assert found is not None
        assert found.points == (("Uses", "search"),)
        monkeypatch.setattr(students_summary, "answered", lambda: found)
        app = AppTest.from_function(_only_the_answer).run()
        assert healthy(app).expander[0].label == "Can it be smaller?"


def _only_the_answer() -> None:
    from core.ui.students.summary import can_it_be_smaller

    can_it_be_smaller()
