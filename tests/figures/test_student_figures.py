"""The curve of fidelity against bytes, the loss, and the map that forms, as they are sent."""

from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_words import IMAGE

from core.figures.students.pareto import (
    LEAST,
    LIMIT,
    MEASURES,
    OUT_OF_REACH,
    Live,
    ParetoDot,
    amount,
    pareto_figure,
    pareto_labels,
)
from core.figures.students.training import (
    LANDMARKS,
    forming_figure,
    frame_of,
    landmarks,
    loss_figure,
)
from core.figures.tokens import DARK, LIGHT

ERROR = MEASURES["relative_error"]
DOTS = [
    *(ParetoDot("Gaussian limit", "limit", "limit", 60.0 * k, 10.0**-k) for k in (0.5, 1, 2, 3)),
    ParetoDot("PQ 96", "PQ", "rival", 106.0, 0.11, detail="106 bytes an item"),
    ParetoDot("PQ 64", "PQ", "rival", 73.0, 0.22),
    ParetoDot("int8 rows", "int8", "rival", 400.0, 0.0001),
    ParetoDot("transform, 79 B", "transform", "student", 79.0, 0.1, key="a"),
    ParetoDot("hybrid, 60 B", "hybrid", "student", 60.0, 0.3, key="b"),
]


def drawn(figure, role):
    return [trace for trace in figure.data if trace.meta["role"] == role]


def figure_of(dots=DOTS, **more):
    return pareto_figure(dots, ERROR, 28_594, 384, LIGHT, "r", **more)


def test_every_dot_stands_at_its_bytes_and_its_error():
    figure = figure_of()
    seen = {}
    for role in ("rivals", "students"):
        for trace in drawn(figure, role):
            for row, x, y in zip(trace.meta["rows"], trace.x, trace.y, strict=True):
                seen[row] = (x, y)
    assert set(seen) == {4, 5, 6, 7, 8}
    for row, (x, y) in seen.items():
        assert x == pytest.approx(log10(DOTS[row].bytes_per_item), abs=1e-6)
        assert y == pytest.approx(-log10(max(DOTS[row].value, LEAST)), abs=1e-6)


def test_rows_are_counted_from_where_the_scene_says():
    figure = figure_of(first=100, selected="a")
    rows = [row for trace in figure.data for row in trace.meta.get("rows", [])]
    assert min(rows) == 104
    assert drawn(figure, "selected")[0].meta["rows"] == [107]


def test_dots_of_one_coder_are_joined_from_few_bytes_to_many():
    lines = [
        trace for trace in figure_of().data if trace.mode == "lines" and not trace.meta["role"]
    ]
    assert len(lines) == 1  # PQ alone has two sizes
    assert list(lines[0].x) == sorted(lines[0].x)


def test_out_of_reach_is_all_that_lies_on_the_upper_left_of_the_limit():
    figure = figure_of()
    outline = drawn(figure, "unreachable")[0]
    line = drawn(figure, "limit")[0]
    low, high = figure.layout.xaxis.range
    assert min(outline.x) <= low
    assert max(outline.y) >= figure.layout.yaxis.range[1]
    assert max(outline.x) == pytest.approx(max(line.x))
    assert high > max(line.x[:2])
    assert line.x[0] < line.x[-1]
    assert line.y[0] < line.y[-1]  # more bytes, truer


def test_both_sizes_stand_under_each_tick():
    axis = figure_of().layout.xaxis
    at = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    assert at["100<br>2.9 MB"] == pytest.approx(2)
    assert len(axis.tickvals) <= 12


def test_a_training_is_a_hollow_marker_on_its_budget():
    figure = figure_of(live=Live("speller", 50.0, 0.5))
    marker = drawn(figure, "live")[0]
    assert marker.marker.color == LIGHT.canvas
    assert marker.marker.line.color == LIGHT.accent
    assert list(drawn(figure, "budget")[0].x) == pytest.approx([log10(50)] * 2)
    assert not drawn(figure_of(live=Live("speller", 50.0, None)), "live")
    assert len(figure.layout.xaxis.tickvals) <= 6  # there is half the room


def test_the_selected_student_is_ringed_and_named_first():
    figure = figure_of(selected="b")
    assert drawn(figure, "selected")[0].meta["rows"] == [8]
    labels = pareto_labels(DOTS, ERROR, 384, "b")
    assert (labels[0].text, labels[0].kind) == ("hybrid, 60 B", "chosen")
    assert not drawn(figure_of(), "selected")


def test_every_coder_is_named_once():
    labels = [label.text for label in pareto_labels(DOTS, ERROR, 384, "a")]
    assert sorted(labels) == sorted(
        ["transform, 79 B", "hybrid", "PQ", "int8", OUT_OF_REACH, LIMIT]
    )
    without = [dot for dot in DOTS if dot.kind != "limit"]
    assert OUT_OF_REACH not in [label.text for label in pareto_labels(without, ERROR, 384)]


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("dots", [[], DOTS[:4], DOTS[7:8]], ids=["none", "limit", "one student"])
def test_with_little_to_show_there_is_still_a_picture(measure, dots):
    shown = [ParetoDot(d.name, d.group, d.kind, d.bytes_per_item, 0.5, d.key) for d in dots]
    figure = pareto_figure(shown, measure, 300, 50, DARK, "r")
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.range[0] < axis.range[1]
        assert len(axis.tickvals) >= 2
        assert axis.fixedrange  # the wheel scrolls the page
    pareto_labels(shown, measure, 50)


@given(st.floats(0, 1), st.floats(0, 1))
def test_up_is_truer_by_every_measure(one, other):
    low, high = sorted((one, other))
    assert MEASURES["cosine"].height(low) <= MEASURES["cosine"].height(high)
    assert MEASURES["recall10"].height(low) <= MEASURES["recall10"].height(high)
    assert ERROR.height(low) >= ERROR.height(high)


@given(st.integers(1, 10**11))
def test_amounts_are_true_to_a_twentieth(size):
    number, unit = amount(size).split(" ")
    said = float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert said == pytest.approx(size, rel=0.051)


def test_no_name_becomes_markup():
    dots = [ParetoDot(IMAGE, IMAGE, "rival", 10.0, 0.5)]
    sent = str(figure_of(dots).to_dict())
    assert IMAGE not in sent  # names are labels, which the stage writes as text
    assert pareto_labels(dots, ERROR, 384)[0].text == IMAGE


class TestTraining:
    def test_loss(self):
        history = [{"step": step, "loss": 1 / step, "seconds": 0.1} for step in (1, 5, 9)]
        figure = loss_figure(history, LIGHT, "r")
        assert drawn(figure, "loss")[0].x == [1.0, 5.0, 9.0]
        assert drawn(figure, "now")[0].y[0] == pytest.approx(1 / 9)
        assert not loss_figure([], LIGHT, "r").data[0].x

    def test_the_frame_is_the_teachers_whatever_the_student_says(self):
        there = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
        far = forming_figure(there, there * 9, LIGHT, "r")
        near = forming_figure(there, there, LIGHT, "r")
        assert far.layout.xaxis.range == near.layout.xaxis.range
        assert far.layout.yaxis.range == near.layout.yaxis.range
        assert drawn(far, "ground")[0].meta["still"]
        np.testing.assert_array_equal(drawn(far, "items")[0].y, there[:, 1] * 9)

    def test_the_plane_is_that_of_the_principal_components(self):
        from sklearn.decomposition import PCA

        vectors = np.random.default_rng(1).normal(size=(80, 6)).astype(np.float32)
        vectors[:, 2] *= 5
        vectors[:, 4] *= 3
        mean, plane = frame_of(vectors)
        oracle = PCA(2).fit(vectors.astype(np.float64))
        np.testing.assert_allclose(mean, oracle.mean_, atol=1e-6)
        np.testing.assert_allclose(np.abs(plane @ oracle.components_.T), np.eye(2), atol=1e-5)

    @pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((5, 1)), np.zeros((3, 2))])
    def test_with_fewer_than_two_directions(self, vectors):
        mean, plane = frame_of(vectors.astype(np.float32))
        assert plane.shape == (2, vectors.shape[1])
        assert np.isfinite((vectors - mean) @ plane.T).all()

    def test_landmarks_are_whole_words_far_from_each_other(self):
        there = np.random.default_rng(2).normal(size=(200, 2)).astype(np.float32)
        texts = [f"word{'abcdefghij'[k % 10]}" if k % 2 else f"##{k}" for k in range(200)]
        labels = landmarks(texts, there)
        assert len(labels) == LANDMARKS
        assert all(label.text.isalpha() for label in labels)
        places = np.array([[label.x, label.y] for label in labels])
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        assert apart[~np.eye(LANDMARKS, dtype=bool)].min() > 0.3
        assert landmarks([], there[:0]) == []
        assert len(landmarks(["a", "b"], there[:2])) == 2
