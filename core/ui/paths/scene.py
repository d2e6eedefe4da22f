"""The paths page's parts: reading the box, the two pictures, the strip, and what to take away."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
import streamlit as st

from core.figures.paths.path import (
    NAMES,
    FigurePath,
    color_of,
    path_labels,
    path_on_map,
    path_on_plane,
)
from core.figures.scene import Items, Picture, Player, Scene, Strip
from core.paths.plane import plane_of_path
from core.paths.sphere import turned
from core.permalink import PathView
from core.pipeline import PathReport, place_path
from core.projection.base import Spec
from core.projection.inverse import InvertedPoint
from core.spaces.space import Space
from core.ui.shared.colouring import details
from core.ui.shared.downloads import as_page, file_name, save_page_and_table
from core.ui.shared.picked_point import Lost, PickablePicture, mark_point, point_from
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import workspace
from core.ui.stage import mount, tokens

AROUND_THE_WAY = 40  # items drawn beside the path in its plane
NAMED_AROUND = 9


@dataclass(frozen=True, eq=False)
class DrawnPath:
    """Reports of the chosen kinds over the same waypoints, on one picture of one space."""

    space: Space
    shown: Spec
    reports: Sequence[PathReport]
    with_waypoints: bool = False

    @property
    def names(self) -> list[str]:
        """Texts of the waypoints."""
        return [point.text for point in self.reports[0].waypoints]

    def words(self, report: PathReport) -> list[str]:
        """The decoded word of each step; at a waypoint its own text."""
        rows = report.nearest if self.with_waypoints else report.nearest_without
        words = [self.space.texts[row] for row in rows[:, 0]]
        if report.kind != "graph":
            for step, point in zip(report.curve.stops, report.waypoints, strict=True):
                words[step] = point.text
            return words
        # On the graph every item visited is itself a step, so nothing has to be left out.
        return [self.space.texts[row] for row in report.nearest[:, 0]]

    def title(self) -> str:
        """dog → table."""
        return " → ".join(name if len(name) < 40 else name[:39] + "…" for name in self.names)


def path_scene(journey: DrawnPath, key: str, spot: InvertedPoint | Lost | None = None) -> Scene:
    """Map and plane side by side, the words along the way, one scrubber for all; ``spot`` is marked
    on the map."""
    space, reports = journey.space, journey.reports
    coords = workspace().projection(space, journey.shown).coords
    plane = plane_of_path(np.concatenate([report.curve.points for report in reports]))
    rows = _around(reports)
    around = plane.view(space.vectors[rows])
    around_xy = np.stack([around.x, around.y], axis=1)
    ways = []
    for report in reports:
        seen = plane.view(report.curve.points)
        ways.append(
            FigurePath(
                report.kind,
                place_path(workspace(), space.name, journey.shown, report),
                np.stack([seen.x, seen.y], axis=1),
                report.off,
                [int(step) for step in report.curve.stops],
            )
        )
    stops = list(reports[0].curve.stops)
    first = ways[0]
    named = _decoded(reports)[:NAMED_AROUND]
    on_map = [(space.texts[row], coords[row]) for row in named]
    on_plane = [(space.texts[row], around_xy[rows.index(row)]) for row in named]
    revision = f"{space.digest} {journey.shown.digest} {key}"
    fill = 452 + 46 * len(reports)
    on_map_figure = path_on_map(coords, ways, tokens(), revision)
    map_labels = (
        path_labels(journey.names, first.on_map[stops], on_map) if journey.shown.dims == 2 else []
    )
    if journey.shown.dims == 2:
        mark_point(on_map_figure, map_labels, spot)
    alt = f"{journey.title()}: {_spoken(journey, reports[0])}"
    return Scene(
        name=f"path {journey.title()}",
        pictures=[
            Picture(
                on_map_figure,
                title=f"On the map ({TITLES[journey.shown.kind]})",
                tag="projected",
                alt=f"The path on the map. {alt}",
                height=340,
                fill=fill,
                grow=1.55,
                labels=map_labels,
                ground=journey.shown.dims == 2,
                hint="Flattened from many dimensions: a straight way may look bent or broken here.",
            ),
            Picture(
                path_on_plane(ways, around_xy, tokens(), revision),
                title="The plane of the path: straight is straight",
                tag="measured",
                alt=f"The plane of the path. {alt}",
                height=340,
                fill=fill,
                labels=path_labels(journey.names, first.on_plane[stops], on_plane),
                hint="Exact and linear. Grey points are decoded items, most far off this plane.",
            ),
        ],
        items=Items(space.texts, details(space)),
        player=_player(journey),
    )


def show(
    journey: DrawnPath, key: str, sheet: PickablePicture, spot: InvertedPoint | Lost | None = None
) -> Scene:
    """Put the journey on the stage, its map being ``sheet``; the scene, for whoever exports it."""
    scene = path_scene(journey, key, spot)
    mount(scene, "path stage", on_ground=point_from("path stage", "paths", sheet))
    return scene


def _player(journey: DrawnPath) -> Player:
    strips = []
    for report in journey.reports:
        words, start = journey.words(report), 0
        runs = []
        for (word, off), group in groupby(zip(words, report.off.tolist(), strict=True)):
            stop = start + len(list(group))
            runs.append((start, stop, word[:60], bool(off)))
            start = stop
        strips.append(Strip(NAMES[report.kind], color_of(report.kind, tokens()), runs))
    steps = len(journey.reports[0].curve)
    t = [round(step / (steps - 1), 4) for step in range(steps)]
    lines = [_line(journey, step) for step in range(steps)]
    return Player(t, strips, lines)


def _line(journey: DrawnPath, step: int) -> str:
    """One step in words, for the transcript."""
    parts = []
    for report in journey.reports:
        word = journey.words(report)[step]
        rows = report.nearest_without[step, :3]
        near = ", ".join(journey.space.texts[row] for row in rows)
        off = ", off the data" if report.off[step] else ""
        cosine = report.nearest_cosines[step, 0]
        parts.append(
            f"{NAMES[report.kind]}: {word} (cosine to the nearest item {cosine:.2f}; "
            f"without the waypoints {near}{off})"
        )
    return ". ".join(parts)


def _spoken(journey: DrawnPath, report: PathReport) -> str:
    return ", ".join(word for word, _ in groupby(journey.words(report)))


def _decoded(reports: Sequence[PathReport]) -> list[int]:
    """Rows of the items named along the ways, in order of appearance, waypoints left out."""
    own = {point.row for report in reports for point in report.waypoints}
    seen: dict[int, None] = {}
    for report in reports:
        found = report.nearest if report.kind == "graph" else report.nearest_without
        for row in found[:, 0].tolist():
            if row not in own:
                seen[row] = None
    return list(seen)


def _around(reports: Sequence[PathReport]) -> list[int]:
    """Items near the ways: the decoded ones, then further neighbours of the steps."""
    rows = dict.fromkeys(_decoded(reports))
    for rank in range(1, reports[0].nearest_without.shape[1]):
        for report in reports:
            rows.update(dict.fromkeys(report.nearest_without[::4, rank].tolist()))
        if len(rows) >= AROUND_THE_WAY:
            break
    return list(rows)[: max(AROUND_THE_WAY, NAMED_AROUND)]


# --------------------------------------------------------------------------------- to take away


def steps_table(journey: DrawnPath) -> pd.DataFrame:
    """All steps of all ways as a table."""
    spec = journey.shown
    tables = []
    for report in journey.reports:
        coords = place_path(workspace(), journey.space.name, spec, report)
        table = pd.DataFrame({"kind": NAMES[report.kind], "step": range(len(report.curve))})
        table["t"] = report.curve.t
        table["word"] = journey.words(report)
        texts = journey.space.texts
        table["nearest"] = [texts[row] for row in report.nearest[:, 0]]
        table["nearest id"] = [journey.space.ids[row] for row in report.nearest[:, 0]]
        table["cosine"] = report.nearest_cosines[:, 0]
        table["nearest without waypoints"] = [
            ", ".join(texts[row] for row in rows) for rows in report.nearest_without[:, :5]
        ]
        table["cosine to start"] = report.cosine_to_start
        table["cosine to end"] = report.cosine_to_end
        table["length"] = report.norm
        table["length percentile"] = report.norm_percentile
        table["distance percentile"] = report.knn_percentile
        table["off the data"] = report.off
        for axis, name in enumerate("xyz"[: spec.dims]):
            table[name] = coords[:, axis]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def take_away(journey: DrawnPath, scene: Scene) -> None:
    """The steps as a table, and what can be saved."""
    table = steps_table(journey)
    with st.expander("Every step in figures"):
        st.dataframe(table, hide_index=True, height=320)
    save_page_and_table(
        file_name("path", journey.names[:4]),
        lambda: _page(journey, scene),
        table,
        "step",
        "One HTML file that plays offline, to show in a class or to send. "
        "For a PNG use the camera in the picture's corner.",
    )


def _page(journey: DrawnPath, scene: Scene) -> bytes:
    made = journey.space.provenance
    caption = (
        f"A path through {journey.space.name} ({made.model}, {len(journey.space):,} items, "
        f"{journey.space.dim} dimensions; space {journey.space.digest[:12]}), "
        f"{len(journey.reports[0].curve)} steps, "
        f"{'centred' if journey.reports[0].centred else 'as it is'}; "
        f"map by {TITLES[journey.shown.kind]}. Made with Meaning Space."
    )
    return as_page(scene, journey.title(), caption)


def _turned(space: Space, report: PathReport) -> float:
    """Degrees between each waypoint and the next, summed; about the centre that the path used."""
    stops = np.stack([point.vector for point in report.waypoints]).astype(np.float64)
    if report.centred:
        stops -= space.mean
    return turned(stops)


def explain(view: PathView, journey: DrawnPath) -> None:
    """What kinds of way these are, and where they leave the data."""
    lines = []
    for report in journey.reports:
        share = float(np.mean(report.off))
        off = f"{share:.0%} of its steps are off the data" if share else "it stays among the data"
        if report.kind == "lerp":
            low = float(report.norm.min() / report.norm[[0, -1]].mean())
            lines.append(
                f"**Straight** cuts through the inside: its length falls to {low:.2f} of the "
                f"ends'; {off}."
            )
        elif report.kind == "slerp":
            angle = _turned(journey.space, report)
            lines.append(
                f"**Sphere** turns the direction evenly through {angle:.0f}°, keeping the "
                f"length; {off}."
            )
        else:
            lines.append(
                f"**Graph** is a walk over {len(report.visited)} real items, "
                f"from neighbour to neighbour, with jumps between them; {off}."
            )
    if view.centred:
        lines.append("The mean of the space is taken away first, so hubs pull less.")
    st.caption("  \n".join(lines))
