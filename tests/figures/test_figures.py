"""core.figures: what the browser is sent, and that no text becomes markup on the way."""

import base64
import html
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_words import HOSTILE, IMAGE

from core.figures.axes import AxisName, axes_figure, axes_labels
from core.figures.base import broken, padded, plain
from core.figures.bundle import bundle
from core.figures.colors import (
    GROUPS,
    clusters,
    continuous,
    faithful,
    frequency,
    kinds,
    parts_of_speech,
    word_groups,
)
from core.figures.export import standalone
from core.figures.map import Chosen, focus_on, map_figure, map_labels
from core.figures.parts import Figure
from core.figures.paths.path import TRAIL, FigurePath, path_labels, path_on_map, path_on_plane
from core.figures.scene import Items, Label, Picture, Player, Scene, Strip, to_json
from core.figures.tokens import DARK, LIGHT, theme

ASSETS = Path(__file__).resolve().parents[2] / "assets"
STEPS = 12
FLOATS = {"f4": np.float32, "f8": np.float64, "i4": np.int32, "i2": np.int16, "i1": np.int8}


def coords_of(n: int, dims: int = 2, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def roles(figure: Figure) -> list[str]:
    return [trace.meta["role"] for trace in figure.data]


def trace_of(figure: Figure, role: str) -> Any:
    return figure.data[roles(figure).index(role)]


def numbers(value: Any) -> np.ndarray[Any, Any]:
    """A coordinate of a serialised trace, as base64 or as a list; gaps are NaN."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), FLOATS[value["dtype"]])
    return np.array([np.nan if it is None else it for it in value], dtype=np.float64)


class TestMap:
    def test_items_travel_as_bytes(self):
        coords = coords_of(1000)
        sent = map_figure(coords, None, LIGHT, "r").to_dict()["data"][0]
        assert sent["type"] == "scattergl"
        assert sent["meta"]["role"] == "items"
        for name, axis in (("x", 0), ("y", 1)):
            assert sent[name]["dtype"] == "f4"
            np.testing.assert_array_equal(numbers(sent[name]), coords[:, axis])

    def test_lines_go_to_the_true_neighbours(self):
        coords = coords_of(50)
        chosen = Chosen("dog", coords[3], np.array([7, 9, 40]), 3)
        figure = map_figure(coords, None, LIGHT, "r", chosen)
        assert roles(figure) == ["items", "matches", "links", "neighbors", "inputs", "chosen"]
        links = np.stack([numbers(trace_of(figure, "links")[axis]) for axis in "xy"], axis=1)
        np.testing.assert_array_equal(links[0::3], np.repeat(coords[[3]], 3, axis=0))
        np.testing.assert_array_equal(links[1::3], coords[[7, 9, 40]])
        assert np.isnan(links[2::3]).all()  # a gap after each line
        assert trace_of(figure, "neighbors").meta["rows"] == [7, 9, 40]
        assert trace_of(figure, "chosen").meta["rows"] == [3]

    def test_a_typed_text_is_marked_otherwise(self):
        coords = coords_of(50)
        typed = map_figure(coords, None, LIGHT, "r", Chosen("my text", coords[3], np.array([7])))
        item = map_figure(coords, None, LIGHT, "r", Chosen("dog", coords[3], np.array([7]), 3))
        assert trace_of(typed, "chosen").marker.symbol != trace_of(item, "chosen").marker.symbol
        assert trace_of(typed, "chosen").meta["rows"] == []

    def test_in_3_d(self):
        coords = coords_of(50, 3)
        figure = map_figure(coords, None, LIGHT, "r", Chosen("dog", coords[3], np.array([7]), 3))
        assert {trace.type for trace in figure.data} == {"scatter3d"}
        assert map_labels([], coords, ["x"] * 50, Chosen("dog", coords[3], np.array([7]), 3)) == []

    def test_what_is_chosen_is_named_first(self):
        coords = coords_of(5)
        region = Label("animals", 0.0, 0.0)
        chosen = Chosen("b", coords[1], np.array([4, 2]), 1)
        labels = map_labels([region], coords, list("abcde"), chosen)
        assert [label.text for label in labels] == ["b", "e", "c", "animals"]

    def test_focus_holds_the_near_neighbours_and_not_a_torn_one(self):
        coords = np.float32([[0, 0], [1, 1], [-1, 2], [100, 100], [0, 100]])
        x0, x1, y0, y1 = focus_on(coords, Chosen("a", coords[0], np.array([1, 2, 3]), 0)) or []
        for x, y in coords[:3]:
            assert x0 < x < x1
            assert y0 < y < y1
        assert x1 < 100
        assert x1 - x0 >= 0.19 * 100
        assert focus_on(coords, None) is None

    @given(st.text(max_size=80))
    def test_plotly_reads_no_markup(self, text):
        shown = plain(text)
        assert not re.search(r"[<>]", shown)
        assert html.unescape(shown) == text or "…" in shown or "&" in text

    def test_hostile_words_stay_text_in_the_figure(self):
        coords = coords_of(9)
        for word in HOSTILE:
            figure = map_figure(coords, None, LIGHT, "r", Chosen(word, coords[0], np.array([1])))
            assert "<" not in trace_of(figure, "chosen").text[0]


def a_way(kind: str = "slerp", dims: int = 2, off: Any = None) -> FigurePath:
    t = np.linspace(0, 1, STEPS, dtype=np.float32)
    on_map = np.stack([t * 3 + axis for axis in range(dims)], axis=1).astype(np.float32)
    flags = np.zeros(STEPS, bool) if off is None else np.array(off)
    plane = np.stack([t, np.sin(np.pi * t) / 3], axis=1).astype(np.float32)
    return FigurePath(kind, on_map, plane, flags, [0, STEPS - 1])


class TestPath:
    @pytest.mark.parametrize("kinds", [["slerp"], ["lerp", "slerp", "graph"]])
    def test_frames_hold_the_moving_traces_alone(self, kinds):
        ways = [a_way(kind) for kind in kinds]
        coords = coords_of(300)
        for figure in (
            path_on_map(coords, ways, LIGHT, "r"),
            path_on_plane(ways, coords[:20], LIGHT, "r"),
        ):
            moving = [k for k, role in enumerate(roles(figure)) if role in ("trail", "marker")]
            assert len(moving) == 2 * len(kinds)
            assert [frame.name for frame in figure.frames] == [str(k) for k in range(STEPS)]
            for frame in figure.frames:
                assert list(frame.traces) == moving
                assert len(frame.data) == len(moving)
                assert {trace.type for trace in frame.data} == {"scatter"}  # SVG: scattergl stalls
                assert max(len(trace.x) for trace in frame.data) <= TRAIL

    def test_the_marker_is_where_the_path_is(self):
        way = a_way()
        figure = path_on_map(coords_of(300), [way], LIGHT, "r")
        for step, frame in enumerate(figure.frames):
            trail, marker = frame.data
            assert [*marker.x, *marker.y] == pytest.approx(way.on_map[step].tolist())
            expected = [max(0, step - back) for back in range(TRAIL, 0, -1)]
            np.testing.assert_allclose(trail.x, way.on_map[expected, 0])

    def test_frames_do_not_grow_with_the_space(self):
        sizes = []
        for n in (100, 10_000):
            figure = path_on_map(coords_of(n), [a_way()], LIGHT, "r")
            sizes.append(len(json.dumps(figure.to_dict()["frames"])))
        assert sizes[0] == sizes[1] < 30_000

    def test_solid_and_dashed_make_the_whole_way(self):
        off = [False] * 4 + [True] * 3 + [False] * 5
        way = a_way(off=off)
        figure = path_on_map(coords_of(300), [way], LIGHT, "r")
        solid, dashed = [trace for trace in figure.data if trace.meta["role"] == "line"]
        assert (solid.line.dash, dashed.line.dash) == ("solid", "dot")
        x = way.on_map[:, 0]
        drawn = set()
        for line in (solid, dashed):
            values = numbers(line.x)
            for one, other in pairwise(values):
                if not np.isnan([one, other]).any():
                    drawn.add((int(np.abs(x - one).argmin()), int(np.abs(x - other).argmin())))
        assert drawn == {(k, k + 1) for k in range(STEPS - 1)}  # no gap, and no shortcut
        assert np.nanmax(numbers(dashed.x)) < x[8]

    def test_in_3_d(self):
        figure = path_on_map(coords_of(300, 3), [a_way(dims=3)], LIGHT, "r")
        assert {trace.type for trace in figure.data} == {"scatter3d"}
        assert len(figure.frames) == STEPS

    def test_the_whole_way_is_in_sight(self):
        way = a_way()
        figure = path_on_map(coords_of(300) * 0.1, [way], LIGHT, "r")
        for axis, track in (("xaxis", way.on_map[:, 0]), ("yaxis", way.on_map[:, 1])):
            low, high = figure.layout[axis]["range"]
            assert low < track.min()
            assert track.max() < high

    def test_names(self):
        labels = path_labels(
            ["dog", "table"], a_way().on_map[[0, -1]], [("chair", np.float32([1, 1]))]
        )
        assert [label.text for label in labels] == ["dog", "table", "chair"]

    @given(st.lists(st.booleans(), min_size=1, max_size=20))
    def test_broken_lines_keep_every_kept_segment(self, keep):
        line = np.arange(len(keep), dtype=np.float32)[:, None]
        found = broken(line, np.array(keep))[:, 0]
        segments = {(int(a), int(b)) for a, b in pairwise(found) if not np.isnan([a, b]).any()}
        pairs = range(len(keep) - 1)
        assert segments == {(k, k + 1) for k in pairs if keep[k] and keep[k + 1]}


class TestColors:
    TABLE = pd.DataFrame(
        {
            "category": ["noun.animal", "verb.motion", "adj.all", "adv.all", "", None, "noun.time"],
            "kind": ["word"] * 5 + ["piece"] * 2,
            "frequency_rank": [0, 9, 99, 999, 9999, -1, 99],
        }
    )

    def test_meaning(self):
        layer = word_groups(self.TABLE, LIGHT, dark=False)
        names = [entry["label"] for entry in layer.legend["entries"]]
        said = ["animals, plants, body, food", "verbs", *["adjectives, adverbs"] * 2]
        assert [names[int(k)] for k in layer.values] == [
            *said,
            *["not in WordNet"] * 2,
            "places, times",
        ]
        for k, entry in enumerate(layer.legend["entries"]):
            assert color_at(layer, k) == entry["color"]  # the legend shows what is drawn

    def test_every_noun_of_wordnet_has_one_group(self):
        listed = [name for group in GROUPS.values() for name in group]
        assert len(listed) == len(set(listed))
        table = (ASSETS / "lexical_categories.tsv").read_text(encoding="utf-8")
        assert set(re.findall(r"noun\.\w+", table)) <= set(listed)

    def test_parts_of_speech_and_kinds(self):
        assert parts_of_speech(self.TABLE, LIGHT, False).values.tolist() == [0, 1, 2, 3, 4, 4, 0]
        assert kinds(self.TABLE, LIGHT, False).values.tolist() == [0] * 5 + [1] * 2

    def test_regions(self):
        layer = clusters(np.int32([0, 5, 6, -1]), LIGHT)
        assert layer.values[0] == layer.values[2]  # six colours, repeated
        assert color_at(layer, int(layer.values[3])) == LIGHT.faint
        assert "7 regions" in layer.legend["title"]

    def test_frequency(self):
        values = frequency(self.TABLE, dark=False).values
        assert (np.diff(values[:5]) < 0).all()  # the most frequent is highest
        assert values[5] == values[4]  # unknown counts as the rarest

    def test_outliers_do_not_rule(self):
        values = np.r_[np.linspace(0, 1, 1000), 1e6].astype(np.float32)
        layer = continuous(values, "Length", "short", "long", dark=False)
        assert (layer.low, layer.high) == tuple(np.percentile(values, [1, 99]).tolist())
        flat = continuous(np.ones(5, np.float32), "Length", "short", "long", dark=False)
        assert flat.high > flat.low

    def test_faithfulness_says_where_its_scale_ends(self):
        assert "30% or more" in faithful(np.full(10, 0.3, np.float32), dark=False).legend["high"]


def color_at(layer: Any, value: float) -> str:
    """The colour that Plotly draws for a value of a stepped scale."""
    share = (value - layer.low) / (layer.high - layer.low)
    return str(next(color for edge, color in reversed(layer.scale) if edge <= share))


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class TestTokens:
    @pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
    @pytest.mark.parametrize("name", ["text", "quiet", "label", "accent"])
    @pytest.mark.parametrize("ground", ["page", "canvas", "card"])
    def test_text_can_be_read(self, tokens, name, ground):
        pair = sorted(luminance(getattr(tokens, each)) for each in (name, ground))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5

    def test_theme(self):
        assert theme("dark") is DARK
        assert theme("light") is theme(None) is LIGHT
        assert "on-accent" in LIGHT.css()


class TestAxes:
    def test_titles_and_marks(self):
        scores = coords_of(40)
        x, y = AxisName("small", "large"), AxisName(IMAGE, "safe")
        figure = axes_figure(scores, x, y, None, np.array([3, 5]), LIGHT, "r")
        assert figure.layout.xaxis.title.text == "small  ←→  large"
        assert "<" not in figure.layout.yaxis.title.text
        assert trace_of(figure, "highlighted").meta["rows"] == [3, 5]
        for axis, column in (("xaxis", 0), ("yaxis", 1)):
            low, high = figure.layout[axis]["range"]
            assert low < scores[:, column].min() < scores[:, column].max() < high
        texts = [f"w{k}" for k in range(40)]
        assert [it.text for it in axes_labels(texts, scores, np.array([3, 5]))] == ["w3", "w5"]

    def test_a_range_is_never_empty(self):
        low, high = padded(np.float32([2, 2]))
        assert low < 2 < high


def a_scene(words: tuple[str, ...] = ("dog", "cat")) -> Scene:
    coords = coords_of(len(words))
    way = a_way()
    off = np.array([False] * 9 + [True] * 3)
    return Scene(
        name="path a → b",
        pictures=[
            Picture(
                path_on_map(coords, [way], LIGHT, "r"),
                title=words[0],
                tag="projected",
                alt=words[-1],
                labels=path_labels(words[:1], way.on_map[:1]),
            ),
            Picture(
                path_on_plane([a_way(off=off)], coords, LIGHT, "r"),
                title="plane",
                tag="measured",
                alt="plane",
            ),
        ],
        items=Items(words, [""] * len(words)),
        player=Player([0.0, 1.0], [Strip("sphere", "#fff", [(0, 1, words[0], True)])], list(words)),
        tokens=LIGHT.css(),
    )


class TestScene:
    def test_is_strict_json(self):
        data = to_json(a_scene(HOSTILE), array=lambda array: array.tolist(), strings=list)
        text = json.dumps(data, allow_nan=False, default=plotly_array)
        back = json.loads(text)
        assert back["name"] == "path a → b"
        assert back["items"]["texts"] == list(HOSTILE)
        assert len(back["pictures"][0]["figure"]["frames"]) == STEPS
        assert back["player"]["strips"][0]["runs"][0] == {
            "start": 0,
            "stop": 1,
            "text": HOSTILE[0],
            "off": True,
        }
        for picture in back["pictures"]:
            assert picture["tag"] in ("measured", "projected", "decoded", "hypothesis")
            assert picture["tag_help"]

    def test_a_label_is_cut(self):
        labels = path_labels(["x" * 1000], coords_of(1))
        assert len(labels[0].text) == 40


def plotly_array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(type(value))


class TestExport:
    @pytest.fixture
    def page(self) -> str:
        return standalone(a_scene(HOSTILE), IMAGE, "a & b", ASSETS, "window.Plotly = null;")

    def test_no_text_becomes_markup(self, page):
        assert "<img" not in page
        assert f"<title>{html.escape(IMAGE)}</title>" in page
        assert "a &amp; b" in page

    def test_the_data_cannot_end_its_own_script(self, page):
        data = page.split('id="scene">', 1)[1].split("</script>", 1)[0]
        back = json.loads(data)
        assert back["items"]["texts"] == list(HOSTILE)

    def test_nothing_is_fetched(self, page):
        assert not re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=""", page)
        assert not re.search(r"@import|url\(\s*['\"]?http", page)

    def test_the_sheet_and_the_stage_are_inside(self, page):
        assert (ASSETS / "stage.css").read_text(encoding="utf-8") in page
        assert bundle(ASSETS / "stage" / "index.js") in page
