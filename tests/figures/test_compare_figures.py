"""core.figures.compare and the words beside it: two places for each item, drift, one way twice."""

import numpy as np
import pytest
from compared_words import ASTRAY, write_second
from hypothesis import given
from hypothesis import strategies as st

from core.figures.compare import (
    SEEN,
    TRAILS,
    Pick,
    any_moved,
    divergence_figure,
    drift_histogram,
    drift_layer,
    kept_layer,
    morph_map,
    most_moved,
    other_end,
    pair_labels,
    side_color,
    side_map,
)
from core.figures.scene import Items, Picture, Scene, to_json
from core.figures.tokens import DARK, LIGHT
from core.pipeline import Workspace
from core.pipeline.compare.comparison import compare
from core.pipeline.compare.joint_picture import counterpart
from core.projection.base import PcaSpec
from core.ui.compare.wording import (
    alike_in_spelling,
    drift_in_words,
    figures,
    forgiving,
    in_words,
    tendency,
)

PICK = Pick("dog", 3, np.array([1, 4]), np.array([7, 4]))
NOTHING = np.empty(0, np.int64)


def places(seed, n=12):
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)


def trace_of(figure, role, side=None):
    return next(
        trace
        for trace in figure.data
        if trace.meta["role"] == role and trace.meta.get("side") in (None, side)
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory, words_reference):
    """A real comparison: a turned copy in which three words took each other's places."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    second = write_second(tmp_path_factory.mktemp("second") / "second.npz")
    comparison = compare(workspace, words_reference, f"vectors:{second}")
    return comparison, counterpart(workspace, comparison, PcaSpec())


class TestMaps:
    def test_both_windows_hold_both_places(self):
        a, b = places(0), places(1) * 4
        one = side_map(a, b, None, LIGHT, "r", "a")
        other = side_map(b, a, None, LIGHT, "r", "b")
        for axis in ("xaxis", "yaxis"):
            assert one.layout[axis].range == other.layout[axis].range
        low, high = one.layout.xaxis.range
        assert low < min(a[:, 0].min(), b[:, 0].min())
        assert high > max(a[:, 0].max(), b[:, 0].max())

    @pytest.mark.parametrize(("side", "near"), [("a", [1, 4]), ("b", [7, 4])])
    def test_each_side_joins_its_own_neighbours(self, side, near):
        a = places(0)
        figure = side_map(a, places(1), None, LIGHT, "r", side, PICK)
        assert trace_of(figure, "neighbors", side).meta["rows"] == near
        assert trace_of(figure, "neighbors", side).marker.color == side_color(side, LIGHT)
        assert trace_of(figure, "chosen").marker.color == LIGHT.accent
        links = trace_of(figure, "links", side)
        assert list(links.x[0::3]) == pytest.approx([float(a[3, 0])] * 2)
        assert list(links.x[1::3]) == pytest.approx(a[near, 0].tolist())

    def test_everything_follows_its_item(self):
        """At the first end each vertex that follows an item is where the item is; the starts of
        the trails stay."""
        a = places(0)
        figure = morph_map(a, places(1), None, LIGHT, "r", np.array([2, 9]), PICK)
        followers = [trace for trace in figure.data if "follow" in trace.meta]
        assert {trace.meta["role"] for trace in followers} == {
            *("trails", "links", "neighbors", "chosen")
        }
        for trace in followers:
            follow = trace.meta["follow"]
            assert len(follow) == len(trace.x) == len(trace.y)
            for vertex, row in enumerate(follow):
                if row >= 0:
                    at = (trace.x[vertex], trace.y[vertex])
                    assert at == pytest.approx(tuple(a[row].tolist()))
        trails = trace_of(figure, "trails")
        assert trails.meta["follow"] == [-1, 2, -1, -1, 9, -1]
        assert list(trails.x[0::3]) == list(trails.x[1::3])  # of no length before it moves

    def test_the_far_end_travels_with_the_scene(self):
        a, b = places(0), places(1)
        labels = [pair_labels("abcdefghijkl", at, PICK, ("a", "b"), NOTHING) for at in (a, b)]
        figure = morph_map(a, b, None, LIGHT, "r", NOTHING, PICK)
        end = other_end(("one", "other"), b, labels[1], LIGHT)
        picture = Picture(figure, "t", "projected", "alt", labels=labels[0], morph=end)
        scene = Scene("s", [picture], Items(list("abcdefghijkl")))
        sent = to_json(scene, np.ndarray.tolist, list)["pictures"][0]["morph"]
        assert sent["x"] == b[:, 0].tolist()
        assert sent["y"] == b[:, 1].tolist()
        assert len(sent["labels"]) == len(labels[0])
        assert sent["names"] == ["one", "other"]

    def test_a_neighbour_of_both_is_named_once(self):
        labels = pair_labels("abcdefghijkl", places(0), PICK, ("a", "b"), NOTHING)
        assert [(label.text, label.kind) for label in labels] == [
            *(("dog", "chosen"), ("b", "near"), ("e", "near"), ("h", "second"))
        ]

    def test_where_nothing_is_chosen_the_travellers_are_named(self):
        labels = pair_labels("abcdefghijkl", places(0), None, ("a",), np.array([5, 2]))
        assert [label.text for label in labels] == ["f", "c"]

    def test_a_real_comparison(self, compared):
        comparison, made = compared
        moved = most_moved(comparison.drift)
        assert {comparison.a.texts[row] for row in moved[:3]} == set(ASTRAY)
        layer = drift_layer(comparison.drift, dark=False)
        figure = morph_map(made.a, made.b, layer, DARK, "r", moved)
        assert len(trace_of(figure, "trails").x) == 3 * min(TRAILS, len(moved))
        assert figure.data[0].marker.colorscale[0][1] == layer.scale[0][1]


class TestDrift:
    @given(st.integers(0, 2**32 - 1), st.integers(1, 300))
    def test_the_bars_are_shares_of_all_items(self, seed, n):
        drift = np.random.default_rng(seed).gamma(2, 0.1, n).astype(np.float32)
        figure = drift_histogram(drift, None, False, LIGHT, "r")
        assert sum(figure.data[0].y) == pytest.approx(1)

    def test_the_null_is_an_outline_of_the_same_measure(self, compared):
        comparison, _ = compared
        null = comparison.drift / 3
        figure = drift_histogram(comparison.drift, null, False, LIGHT, "r")
        outline = trace_of(figure, "null")
        assert outline.line.color == LIGHT.second
        assert (outline.y[0], outline.y[-1]) == (0, 0)
        assert max(outline.y) <= figure.layout.yaxis.range[1]

    def test_bars_wear_the_colours_of_the_map(self, compared):
        comparison, _ = compared
        layer = drift_layer(comparison.drift, dark=True)
        bars = drift_histogram(comparison.drift, None, True, DARK, "r").data[0]
        assert (bars.marker.cmin, bars.marker.cmax) == (layer.low, layer.high)

    def test_what_is_chosen_is_marked(self):
        drift = np.linspace(0, 0.5, 50, dtype=np.float32)
        figure = drift_histogram(drift, None, False, LIGHT, "r", mark=1.3)
        assert list(trace_of(figure, "mark").x) == pytest.approx([1.3, 1.3])
        assert figure.layout.xaxis.range[1] > 1.3

    def test_nothing_moved(self):
        still = np.zeros(9, np.float32)
        assert len(most_moved(still)) == 0
        assert sum(drift_histogram(still, still, False, LIGHT, "r").data[0].y) == 1

    def test_what_rounding_makes_is_neither_ranked_nor_coloured(self):
        noise = np.random.default_rng(0).uniform(0, 0.9 * SEEN, 50).astype(np.float32)
        layer = drift_layer(noise, dark=False)
        assert not any_moved(noise)
        assert len(most_moved(noise)) == 0
        assert set(layer.values) == {layer.low}
        assert layer.legend["entries"] == [{"label": "Nothing moved", "color": layer.scale[0][1]}]
        one = np.append(noise, np.float32(0.2))
        assert any_moved(one)
        assert list(most_moved(one)) == [50]
        assert "gradient" in drift_layer(one, dark=False).legend

    def test_neighbours_kept_from_none_to_all(self):
        layer = kept_layer(np.float32([0.2, 0.4]), dark=False)
        assert (layer.low, layer.high) == (0, 1)


class TestDivergence:
    def test_the_marker_walks_the_curve(self):
        t = np.linspace(0, 1, 9, dtype=np.float32)
        degrees = np.float32([3, 5, 9, 20, 30, 20, 9, 5, 4])
        figure = divergence_figure(t, degrees, ("a", "<b>"), LIGHT, "r")
        assert [frame.name for frame in figure.frames] == [str(step) for step in range(9)]
        for step, frame in enumerate(figure.frames):
            assert list(frame.traces) == [1]
            at = (frame.data[0].x[0], frame.data[0].y[0])
            assert at == pytest.approx((t[step], degrees[step]))
        assert figure.layout.yaxis.range == pytest.approx((0, 37.5))
        assert "<b>" not in figure.layout.xaxis.title.text


class TestWords:
    def test_toward_spelling_and_away(self):
        near, like = ["puppy", "hound", "pet"], ["dogs", "doge", "dogma"]
        assert tendency("dog", near, like, {}) == "toward words spelt like it"
        assert tendency("dog", like, near, {}) == "away from words spelt like it"
        assert tendency("dog", near, ["cat", "pup"], {}) == ""
        assert tendency("dog", [], like, {}) == ""

    def test_from_one_field_to_another(self):
        fields = {"river": "noun.object", "shore": "noun.object", "loan": "noun.possession"}
        fields |= {"debt": "noun.possession", "swim": "verb.motion", "run": "verb.motion"}
        said = tendency("bank", ["swim", "run"], ["loan", "debt"], fields)
        assert said == "from verbs to things, materials"
        assert tendency("bank", ["river", "shore"], ["loan", "debt"], fields) == ""  # one field

    def test_a_whole_sentence(self):
        said = in_words("dog", ["puppy", "hound"], [], {})
        assert said == "lost: puppy, hound; gained: nothing"
        assert in_words("dog", [], [], {}) == "its ten nearest stayed the same"

    @given(st.text(max_size=12), st.text(max_size=12))
    def test_likeness_of_spelling(self, one, other):
        found = alike_in_spelling(one, other)
        assert 0 <= found <= 1
        assert found == alike_in_spelling(other, one)
        assert alike_in_spelling(one, one) == 1

    def test_every_figure_has_its_meaning_and_its_chance(self, compared):
        comparison, _ = compared
        said = figures(comparison.summary, 250, comparison.join.left_out)
        assert [figure.name for figure in said] == [
            *("Shared items", "CKA", "RSA", "Procrustes residual", "Neighbours kept")
        ]
        assert all(len(figure.meaning) > 40 and figure.short for figure in said)
        assert all("by chance" in figure.short for figure in said[1:4])
        assert "forgive any turn" in forgiving(comparison.summary)

    def test_drift_beside_chance(self):
        assert "beyond what another seed" in drift_in_words(0.5, 0.9, 0.2)
        assert "within what another seed" in drift_in_words(0.1, 0.9, 0.2)
        assert "seed" not in drift_in_words(0.1, 1.0, None)
        assert "99%" in drift_in_words(0.1, 1.0, None)
