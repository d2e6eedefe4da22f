"""The bands between two concepts and the map between three: what the browser is sent."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_words import HOSTILE

from core.figures.paths.concept_plane import (
    CellGrid,
    filled,
    island_labels,
    islands_figure,
    islands_of,
    word_colours,
)
from core.figures.paths.interpolation import (
    OTHERS,
    PAIRED,
    ComparedReading,
    band_labels,
    bands,
    between_figure,
    told_labels,
)
from core.figures.tokens import DARK, LIGHT

T = np.linspace(0, 1, 5, dtype=np.float32)
WORDS = ["sea", "law", "salt", "wave", "dust"]
SHARES = np.float32(
    [
        [0.9, 0.0, 0.0, 0.05, 0.0],
        [0.8, 0.0, 0.1, 0.08, 0.0],
        [0.3, 0.2, 0.3, 0.02, 0.0],
        [0.1, 0.7, 0.1, 0.0, 0.01],
        [0.0, 0.95, 0.0, 0.0, 0.0],
    ]
)
ENTROPY = np.float32([0.5, 1, 4, 2, 0.4])
ECHOES = [False, False, True, False, False]


def drawn(tokens=LIGHT):
    layers = bands(WORDS, SHARES, ("sea", "law"), ECHOES)
    return layers, between_figure(T, layers, ENTROPY, [0.5], tokens, "r")


class TestBands:
    def test_from_the_start_to_the_end(self):
        layers, _ = drawn()
        assert [band.word for band in layers] == ["sea", "wave", "salt", OTHERS, "law"]
        kinds = [band.kind for band in layers]
        assert kinds == ["start", "between", "echo", "rest", "end"]

    @given(st.integers(0, 999))
    def test_they_add_up_to_one(self, seed):
        draw = np.random.default_rng(seed)
        shares = draw.dirichlet(np.full(30, 0.2), 7).astype(np.float32)[:, :25]
        words = [str(k) for k in range(25)]
        layers = bands(words, shares, ("0", "1"), [False] * 25)
        np.testing.assert_allclose(sum(band.shares for band in layers), 1, atol=1e-5)
        assert len({band.word for band in layers}) == len(layers)

    def test_two_ends_that_begin_alike(self):
        layers = bands(WORDS, SHARES, ("sea", "sea"), ECHOES)
        assert [band.word for band in layers].count("sea") == 1
        np.testing.assert_allclose(sum(band.shares for band in layers), 1, atol=1e-5)

    @pytest.mark.parametrize("tokens", [LIGHT, DARK])
    def test_what_is_drawn(self, tokens):
        layers, figure = drawn(tokens)
        roles = [trace.meta["role"] for trace in figure.data]
        assert roles == ["band"] * len(layers) + ["entropy", "here", "doubt"]
        for trace, band in zip(figure.data, layers, strict=False):
            np.testing.assert_allclose(trace.y, band.shares, atol=1e-4)
            assert trace.stackgroup == "words"
            assert ("/" in (trace.fillpattern or {}).values()) is (band.kind == "echo")
            assert list(trace.meta["steps"]) == list(range(5))
        np.testing.assert_allclose(figure.data[-3].y, ENTROPY, atol=1e-4)
        assert figure.data[-3].yaxis == "y2"
        [line] = figure.layout.shapes
        assert line["x0"] == line["x1"] == 0.5

    def test_frames_move_the_two_markers_alone(self):
        _, figure = drawn()
        assert [frame.name for frame in figure.frames] == [str(k) for k in range(5)]
        for step, frame in enumerate(figure.frames):
            roles = [figure.data[k].meta["role"] for k in frame.traces]
            assert roles == ["here", "doubt"]
            assert frame.data[0].x == [float(T[step])] * 2
            assert frame.data[1].y == [pytest.approx(ENTROPY[step])]

    def test_names_stand_in_their_bands(self):
        layers, _ = drawn()
        labels = {label.text: label for label in band_labels(T, layers)}
        assert set(labels) == {"sea", "law", "salt (echo)", "wave", OTHERS}
        below = np.cumsum([band.shares for band in layers], axis=0)
        at = 2
        assert labels["salt (echo)"].x == pytest.approx(T[at])
        assert below[1, at] < labels["salt (echo)"].y < below[2, at]

    def test_another_reading_stands_below(self):
        layers, _ = drawn()
        theirs = bands(WORDS, SHARES[::-1], ("sea", "law"), ECHOES)
        beside = ComparedReading(
            ("layer 4", "layer 12"), theirs, np.float32([0.6, 0.2, 0.1, 0.2, 0.6])
        )
        figure = between_figure(T, layers, ENTROPY, [0.5], LIGHT, "r", beside)
        roles = [trace.meta["role"] for trace in figure.data]
        count = len(layers)
        assert roles == [
            *["band"] * count, "entropy", *["beside"] * count, "divergence",
            *["here", "doubt"] * 2,
        ]  # fmt: skip
        below = figure.data[count + 1 : 2 * count + 1]
        assert {trace.yaxis for trace in below} == {"y3"}
        colours = {trace.meta["word"]: trace.fillcolor for trace in figure.data[:count]}
        assert all(trace.fillcolor == colours[trace.meta["word"]] for trace in below)
        np.testing.assert_allclose(figure.data[2 * count + 1].y, beside.divergence, atol=1e-4)
        ends = sorted(figure.layout[f"yaxis{k}"]["domain"] for k in ("", "2", "3", "4"))
        assert all(low[1] < high[0] for low, high in pairwise(ends))
        for step, frame in enumerate(figure.frames):
            assert len(frame.traces) == len(frame.data) == 4
            assert frame.data[3].y == [pytest.approx(beside.divergence[step])]
        labels = band_labels(T, layers, beside)
        (low, high), (start, end) = PAIRED[2], PAIRED[0]
        [mine, other] = [it for it in labels if it.text == "law"]
        assert 0 < mine.y < 1
        assert low < start + other.y * (end - start) < high  # on the paper, within its own bands

    def test_what_is_told_is_shown_at_its_step(self):
        assert [[it.text for it in step] for step in told_labels(["a", ""])] == [["“a”"], []]

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_word_becomes_markup(self, text):
        layers = bands([text, "b"], np.float32([[1, 0], [0, 1]]), (text, "b"), [False, False])
        figure = between_figure(T[:2], layers, ENTROPY[:2], [], LIGHT, "r")
        sent = json.dumps(figure.to_dict(), default=lambda value: np.asarray(value).tolist())
        assert "<img" not in sent
        assert "<script" not in sent


def ground(seed: int = 0, grid: int = 9) -> CellGrid:
    draw = np.random.default_rng(seed)
    word = np.zeros((grid, grid), np.int64)
    word[:, grid // 2 :] = 1
    word[0, 0] = 2
    share = draw.uniform(size=(grid, grid)).astype(np.float32)
    kinds = ("concept", "echo", "between")
    return CellGrid(2.0, ("cat", "salt", "glass"), kinds, word, share, np.ones_like(word, bool))


CORNERS = np.float32([[-0.3, -0.2], [0.3, -0.2], [0, 0.4]])


class TestIslands:
    @pytest.mark.parametrize(("tokens", "dark"), [(LIGHT, False), (DARK, True)])
    def test_what_is_drawn(self, tokens, dark):
        shown = ground()
        figure = islands_figure(
            shown, CORNERS, ("cat", "dog", "piano"), ("x", "y"), [1.0], tokens, dark, "r"
        )
        roles = [trace.meta["role"] for trace in figure.data]
        assert roles == ["cells", "ring", "places", "corners"]
        painted = np.array(figure.data[0].z)
        assert painted.shape == (9, 9, 4)
        loud = painted[4, 1, :3].tolist()
        assert (
            f"#{''.join(f'{part:02x}' for part in loud)}"
            == word_colours(["cat"], ["concept"], ["cat"], tokens, dark)[0]
        )
        order = np.argsort(shown.probability[:, :4].ravel())
        assert (np.diff(painted[:, :4, 3].ravel()[order]) >= 0).all()
        np.testing.assert_allclose(np.hypot(figure.data[1].x, figure.data[1].y), 1, atol=1e-5)
        assert figure.layout.yaxis.scaleanchor == "x"
        assert list(figure.data[2].meta["rows"]) == list(range(81))
        first = (figure.data[2].x[0], figure.data[2].y[0])
        assert first == (-2.0, -2.0)  # row 0 is the lowest, as cells are counted

    def test_only_cells_that_are_read_can_be_pointed_at(self):
        shown = ground()
        read = np.zeros((9, 9), bool)
        read[::4, ::4] = True
        part = CellGrid(2.0, shown.words, shown.kinds, shown.word, shown.probability, read)
        figure = islands_figure(part, CORNERS, ("cat",), ("x", "y"), [], LIGHT, False, "r")
        assert len(figure.data[1].x) == 9

    @given(st.integers(1, 60), st.sampled_from([1, 2, 4]))
    def test_a_gap_takes_after_the_nearest_read_row(self, grid, stride):
        found = filled(grid, stride)
        known = np.arange(0, grid, stride)
        away = np.abs(np.arange(grid)[:, None] - known).min(axis=1)
        assert set(found.tolist()) <= set(known.tolist())
        np.testing.assert_array_equal(np.abs(np.arange(grid) - found), away)

    def test_islands_are_connected(self):
        found = islands_of(ground())
        assert [(word, cells) for word, cells, _, _ in found] == [(1, 45), (0, 35), (2, 1)]
        assert found[2][2:] == (-2.0, -2.0)

    def test_names(self):
        labels = island_labels(ground(), CORNERS, ("cat", "dog", "piano"), [1.0], "length")
        texts = [label.text for label in labels]
        assert texts == ["cat", "dog", "piano", "salt (echo)", "1 length"]  # one cell is no island
        salt = labels[3]
        assert salt.x > 0
