"""Figures of the laws of motion: every dot where its mean is, gaps where nothing was measured."""

import numpy as np

from core.figures.tokens import LIGHT
from core.figures.trajectories.statistics import (
    COLUMNS,
    Estimate,
    Panel,
    laws_figure,
    panels_height,
    random_walk_figure,
)

KINDS, COLORS = ["people", "walk"], ["#000000", "#777777"]


def roles(figure, role):
    return [trace for trace in figure.data if trace.meta["role"] == role]


def test_a_panel_a_quantity_and_a_dot_a_kind():
    panels = [
        Panel("Turn", "degrees", [Estimate(114.0, 113.0, 115.0), Estimate(90.0, 89.0, 91.0)], 90.0),
        Panel("Entropy", "nats", [Estimate(3.0, 2.9, 3.1), None]),
    ]
    figure = laws_figure(panels, KINDS, COLORS, LIGHT, "r")
    dots = roles(figure, "dot")
    assert [(trace.x[0], trace.y[0], trace.xaxis) for trace in dots] == [
        (114.0, 0.0, "x"),
        (90.0, 1.0, "x"),
        (3.0, 0.0, "x2"),
    ]
    assert list(roles(figure, "interval")[0].x) == [113.0, 115.0]
    assert [shape["x0"] for shape in figure.layout.shapes] == [90.0]
    low, high = figure.layout.xaxis.range
    assert low < 89 < 115 < high
    assert list(figure.layout.yaxis.ticktext) == KINDS
    assert list(figure.layout.yaxis2.ticktext) == ["", ""]


def test_panels_do_not_overlap():
    panels = [Panel(str(k), "", [Estimate(1.0, 0.5, 1.5)] * 2) for k in range(8)]
    layout = laws_figure(panels, KINDS, COLORS, LIGHT, "r").layout
    xs = [layout[f"xaxis{k + 1 if k else ''}"]["domain"] for k in range(8)]
    ys = [layout[f"yaxis{k + 1 if k else ''}"]["domain"] for k in range(8)]
    for k in range(COLUMNS - 1):
        assert xs[k][1] <= xs[k + 1][0]
    assert ys[COLUMNS][1] < ys[0][0]
    assert min(it[0] for it in ys) > 0
    assert max(it[1] for it in ys) <= 1
    assert panels_height(8, 2) > panels_height(4, 2)


def test_the_chosen_path_stands_before_the_others():
    ways = [np.full((3, 2), k, np.float32) for k in range(3)]
    corpus = np.zeros((5, 2), np.float32)
    figure = random_walk_figure(ways, corpus, 1, np.concatenate(ways), "#123456", LIGHT, "r")
    assert len(roles(figure, "other")) == 2
    [way], [start] = roles(figure, "way"), roles(figure, "start")
    assert list(way.x) == [1, 1, 1]
    assert way.line.color == "#123456"
    assert len(start.x) == 1
