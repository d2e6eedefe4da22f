"""What a model might say next: probability against rank, and how two readings part."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.figures.base import blank, listed, marks, plain, ruled_axis
from core.figures.parts import Figure, Part, frame, scatter
from core.figures.tokens import Tokens
from core.metrics.zipf import RankLaw, spread_ranks

LEAST = 1e-12  # of a probability that is drawn


def rank_figure(
    shares: npt.NDArray[np.floating],
    law: RankLaw | None,
    words: Sequence[str],
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Probability against rank, both logarithmic, with the fitted line over its ranks.

    ``shares`` (v,) are sorted, the largest first; ``words`` name the first of them in the hover.
    Traces by ``meta.role``: ranks, law.
    """
    ranks = spread_ranks(1, len(shares))
    values = np.asarray(shares, np.float64)[ranks - 1]
    ranks, values = ranks[values >= LEAST], values[values >= LEAST]
    low = float(np.log10(max(values.min(initial=1.0), LEAST))) - 0.3
    figure = blank(
        tokens,
        revision,
        xaxis=_decades("rank: 1 is the likeliest", -0.1, np.log10(len(shares)) + 0.1, tokens),
        yaxis=_decades("probability", low, 0.2, tokens),
    )
    figure.update_layout(margin={"l": 58, "r": 8, "t": 8, "b": 40}, dragmode=False)
    dots = {"size": 6, "color": tokens.point, "line": {"width": 0}}
    trace = _scatter(ranks, values, "markers", marker=dots, meta={"role": "ranks"})
    trace.merge(
        hoverinfo="text",
        hovertext=[
            f"{_name(words, rank)}rank {rank:,}: {share:.2g}"
            for rank, share in zip(ranks.tolist(), values.tolist(), strict=True)
        ],
    )
    figure.add_trace(trace)
    if law is not None:
        ends = np.array([law.low, law.high])
        line = {"width": 2.4, "color": tokens.accent}
        figure.add_trace(_scatter(ends, law.at(ends), "lines", line=line, meta={"role": "law"}))
    return figure


def divergence_figure(
    apart: npt.NDArray[np.floating], words: Sequence[str], tokens: Tokens, revision: str
) -> Figure:
    """1 - correlation (m,) at each word; its marker moves with the player, a frame a word.

    Traces by ``meta.role``: parting, marker.
    """
    steps = np.arange(len(apart))
    top = max(float(np.nanmax(apart, initial=0.0)) * 1.15, 0.2)
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("word", -0.6, len(apart) - 0.4, tokens) | {"showgrid": False},
        yaxis=ruled_axis("apart by", min(0.0, float(np.nanmin(apart, initial=0.0))), top, tokens)
        | {"nticks": 5},
    )
    figure.update_layout(margin={"l": 48, "r": 8, "t": 8, "b": 40})
    curve = np.stack([steps, apart], axis=1).astype(np.float32)
    line = {"width": 2.2, "color": tokens.third}
    dot = {"size": 5, "color": tokens.third}
    trace = marks(curve, "lines+markers", line=line, marker=dot, meta={"role": "parting"})
    trace.merge(
        hoverinfo="text",
        hovertext=[
            f"{plain(word, 30)}: {value:.2f}" for word, value in zip(words, apart, strict=True)
        ],
    )
    figure.add_trace(trace)
    head = {"size": 13, "color": tokens.accent, "line": {"width": 3, "color": tokens.canvas}}
    figure.add_trace(marks(curve[[0]], marker=head, meta={"role": "marker"}))
    frames = []
    for step in range(len(apart)):
        x, y = listed(curve[[step]])
        frames.append(frame(step, [1], [scatter(x=x, y=y)]))
    figure.frames = frames
    return figure


def _name(words: Sequence[str], rank: int) -> str:
    return f"{plain(words[rank - 1], 30)}, " if rank <= len(words) else ""


def _decades(title: str, low: float, high: float, tokens: Tokens) -> dict[str, object]:
    return ruled_axis(title, float(low), float(high), tokens) | {
        "type": "log",
        "dtick": 1,
        "exponentformat": "power",
        "fixedrange": True,
    }


def _scatter(
    x: npt.NDArray[np.generic], y: npt.NDArray[np.generic], mode: str, **trace: object
) -> Part:
    return scatter(x=x.tolist(), y=y.tolist(), mode=mode, hoverinfo="none", **trace)
