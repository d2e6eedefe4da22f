"""The same way walked in both spaces: its words in each, and how far apart the two ways run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.compare import divergence_figure, side_color
from core.figures.paths.path import FigurePath, path_labels, path_on_map
from core.figures.scene import Items, Picture, Player, Scene, Strip
from core.metrics.similarity import Alignment, padded, procrustes
from core.paths.notation import box_text, waypoints_of
from core.permalink import CompareView
from core.pipeline import PathReport, path
from core.pipeline.compare.joint_picture import falls
from core.spaces.join import in_both
from core.spaces.linalg import paired_cosines, row_lengths
from core.types import QueryScores
from core.ui.compare.pair import ComparedPair
from core.ui.paths.scene import DrawnPath
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import widget, workspace
from core.ui.stage import dark, mount, tokens

STEPS = 36
USUAL = (("dog", "table"), ("ocean", "king"), ("cat", "music"), ("red", "small"))


@dataclass(frozen=True, eq=False)
class TwoPaths:
    """The same waypoints in both spaces; ``degrees`` (m,) between the two ways at each step."""

    reports: tuple[PathReport, PathReport]
    words: tuple[list[str], list[str]]
    degrees: QueryScores


def path_box(view: CompareView, pair: ComparedPair) -> CompareView:
    """The heading and the box; the view with what was typed."""
    st.markdown("##### The same way in both")
    usual = view.waypoints if len(view.waypoints) > 1 else _usual(pair)
    typed = st.text_input(
        "Way",
        box_text(usual),
        placeholder="dog > table",
        key=widget("compare", f"way {view.a} {view.b}"),
        max_chars=5000,
        label_visibility="collapsed",
    )
    return replace(view, waypoints=waypoints_of(typed))


def _usual(pair: ComparedPair) -> tuple[str, ...]:
    """Two words that both spaces hold."""
    find = pair.comparison.a.find
    for one, other in USUAL:
        if find(one) is not None and find(other) is not None:
            return one, other
    texts = pair.comparison.a.texts
    return texts[0], texts[len(texts) // 2]


def same_path(view: CompareView, pair: ComparedPair) -> None:
    """Both ways on both maps, their words, and the angle between them; or why there are none."""
    spaces = [workspace().space(reference) for reference in (view.a, view.b)]
    if len(view.waypoints) < 2:
        st.info("Write two words, such as `dog > table`.")
        return
    if not all(workspace().has_graph(space) for space in spaces):
        st.caption("The ways follow as soon as it is known who is near whom in both spaces.")
        return
    theme = "dark" if dark() else "light"
    try:
        scene, told = _drawn(f"{pair.digest} {theme} {view.waypoints}", pair, view.waypoints)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/wrong_location:")
        return
    mount(scene, "compare way stage")
    st.caption(told)


@st.cache_resource(max_entries=12, show_spinner="Walking the way in both")
def _drawn(key: str, _pair: ComparedPair, _waypoints: tuple[str, ...]) -> tuple[Scene, str]:  # noqa: ARG001
    steps = max(STEPS, len(_waypoints))
    names = _pair.comparison.names
    wholes = (workspace().space(names[0]), workspace().space(names[1]))
    led = in_both(_pair.comparison.join, _pair.comparison.a, wholes, _waypoints)
    first, second = (
        path(workspace(), name, way, "slerp", steps) for name, way in zip(names, led, strict=True)
    )
    ways = two_paths(_pair, (first, second))
    return path_scene(_pair, ways), _told(ways)


def two_paths(pair: ComparedPair, reports: tuple[PathReport, PathReport]) -> TwoPaths:
    """Measure the angle between both curves, the second laid on the first space as its items are,
    seen from the first space's mean, as the drift is."""
    first = padded(reports[0].curve.points, pair.comparison.b.dim)
    second = _alignment(pair.digest, pair).apply(reports[1].curve.points)
    mean = padded(pair.comparison.a.mean[None], first.shape[1])
    x, y = (points.astype(np.float64) - mean for points in (first, second))
    degrees = np.degrees(np.arccos(np.clip(paired_cosines(x, y), -1, 1))).astype(np.float32)
    spaces = [workspace().space(name) for name in pair.comparison.names]
    words = [
        DrawnPath(space, pair.shown.spec, [report]).words(report)
        for space, report in zip(spaces, reports, strict=True)
    ]
    return TwoPaths(reports, (words[0], words[1]), degrees)


@st.cache_resource(max_entries=4, show_spinner=False)
def _alignment(key: str, _pair: ComparedPair) -> Alignment:  # noqa: ARG001 - the key
    return procrustes(_pair.comparison.a.vectors, _pair.theirs.vectors)


def path_scene(pair: ComparedPair, ways: TwoPaths) -> Scene:
    """Two maps, the curve of divergence, two strips of words, one scrubber."""
    comparison, shown = pair.comparison, pair.shown
    first, second = ways.reports
    points = [
        padded(first.curve.points, comparison.b.dim),
        _alignment(pair.digest, pair).apply(second.curve.points),
    ]
    lengths = row_lengths(points[0]).astype(np.float32)
    tracks = [falls(workspace(), comparison, shown.spec, each, lengths) for each in points]
    plane = np.stack([first.curve.t, ways.degrees], axis=1)
    drawn = [
        FigurePath(side, track, plane, report.off, [int(step) for step in report.curve.stops])
        for side, track, report in zip("ab", tracks, ways.reports, strict=True)
    ]
    names = [point.text for point in first.waypoints]
    window = path_on_map(shown.a, drawn, tokens(), "window").layout
    title = " → ".join(name[:40] for name in names)
    pictures = []
    for side, coords, way, name in zip("ab", (shown.a, shown.b), drawn, pair.names, strict=True):
        figure = path_on_map(coords, [way], tokens(), f"{pair.digest} way {title} {side}")
        figure.update_layout(
            xaxis={"range": window.xaxis.range}, yaxis={"range": window.yaxis.range}
        )
        stops = way.on_map[list(way.stops)]
        pictures.append(
            Picture(
                figure,
                title=f"{name} ({TITLES[shown.spec.kind]})",
                tag="projected",
                alt=f"The way {title} in {name}.",
                height=280,
                labels=path_labels(names, stops),
                space=f"{pair.digest} way",
                color=side_color("a" if side == "a" else "b", tokens()),
            )
        )
    pictures.append(
        Picture(
            divergence_figure(first.curve.t, ways.degrees, (names[0], names[-1]), tokens(), title),
            title="How far apart the two ways run",
            tag="measured",
            alt=f"Angle between the two ways: {_range(ways.degrees)}.",
            height=280,
            hint="The angle between both ways at the same moment, seen from the first space's "
            "mean, with the second space laid on the first.",
        )
    )
    return Scene(
        name=f"compare way {title}",
        pictures=pictures,
        items=Items([comparison.a.texts[row] for row in shown.rows]),
        player=_player(pair, ways),
    )


def _player(pair: ComparedPair, ways: TwoPaths) -> Player:
    strips = []
    for side, name, report, words in zip("ab", pair.names, ways.reports, ways.words, strict=True):
        color = side_color("a" if side == "a" else "b", tokens())
        strips.append(Strip(name, color, _runs(words, report.off.tolist())))
    t = [round(float(each), 4) for each in ways.reports[0].curve.t]
    lines = [
        f"{pair.names[0]}: {one}. {pair.names[1]}: {other}. {degrees:.0f}° apart"
        for one, other, degrees in zip(*ways.words, ways.degrees.tolist(), strict=True)
    ]
    return Player(t, strips, lines)


def _runs(words: Sequence[str], off: Sequence[bool]) -> list[tuple[int, int, str, bool]]:
    runs, start = [], 0
    for (word, away), group in groupby(zip(words, off, strict=True)):
        stop = start + len(list(group))
        runs.append((start, stop, word[:60], bool(away)))
        start = stop
    return runs


def _range(degrees: QueryScores) -> str:
    return f"{float(degrees.min()):.0f}° to {float(degrees.max()):.0f}°"


def _told(ways: TwoPaths) -> str:
    """The two ways in a sentence: apart at the ends, furthest where, reading what there."""
    degrees = ways.degrees
    names = [point.text for point in ways.reports[0].waypoints]
    at = int(degrees.argmax())
    one, other = (plain(words[at], 40) for words in ways.words)
    t = float(ways.reports[0].curve.t[at])
    reading = f"both read “{one}”" if one == other else f"one reads “{one}”, the other “{other}”"
    same = sum(a == b for a, b in zip(*ways.words, strict=True))
    return (
        f"At {plain(names[0], 40)} the two ways are {degrees[0]:.0f}° apart, at "
        f"{plain(names[-1], 40)} {degrees[-1]:.0f}°: that is how far those words moved. They are "
        f"furthest apart, {degrees[at]:.0f}°, at {t:.2f} of the way, where {reading}. At {same} of "
        f"{len(degrees)} steps both read the same word. Words are decoded in each space by itself."
    )
