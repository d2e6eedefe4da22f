"""What each layer would say after each token: a grid of tokens and layers, first layer below."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.figures.base import blank, marks, plain
from core.figures.parts import Figure, Part
from core.figures.tokens import CIVIDIS, CIVIDIS_DARK, VIRIDIS, VIRIDIS_DARK, Tokens

WIDTH = (
    900  # pixels that the cells have together, about; only how much of a word fits depends on it
)
PER_LETTER = 6.6  # pixels of a letter in a cell
FEWEST_LETTERS = 3  # fewer tell nothing
ROW = 18  # pixels of a layer
LEVEL = 16  # tokens at most whose names stand level


@dataclass(frozen=True, eq=False)
class Shade:
    """What colours the cells: values (l, t), what the ends are called, and where they lie."""

    title: str
    values: npt.NDArray[np.floating]
    low: float
    high: float
    ends: tuple[str, str]
    cividis: bool = False

    def scale(self, dark: bool) -> tuple[str, ...]:
        """Colours from low to high."""
        if self.cividis:
            return (CIVIDIS, CIVIDIS_DARK)[dark]
        return (VIRIDIS, VIRIDIS_DARK)[dark]

    def legend(self, dark: bool) -> dict[str, object]:
        """For the stage."""
        ends = {"low": self.ends[0], "high": self.ends[1]}
        return {"title": self.title, **ends, "gradient": list(self.scale(dark))}


def grid_height(layers: int, count: int) -> int:
    """Pixels of a grid of so many layers and tokens: many have their names at a slant below."""
    return (50 if count <= LEVEL else 84) + ROW * layers


def visible(token: str) -> str:
    """A token as one sees it: a line break and a space that stands alone get a sign.

    >>> visible("\\n"), visible(" dog"), visible(" ")
    ('⏎', 'dog', '␣')
    """
    return token.replace("\n", "⏎").replace("\t", "⇥").strip(" ") or "␣"


def lens_figure(
    words: Sequence[Sequence[str]],
    texts: Sequence[str],
    shade: Shade,
    appears: npt.NDArray[np.integer],
    chosen: int,
    tokens: Tokens,
    dark: bool,
    revision: str,
) -> Figure:
    """``words`` (l, t) are written into the cells where they fit; ``texts`` (t,) are the text's own
    tokens, ``appears`` (t,) the layers from which on the final answer stays, ``chosen`` the token
    that is looked at.

    Traces by ``meta.role``: grid, items (a cell each, layer after layer, to point at), appears.
    """
    layers, count = shade.values.shape
    figure = blank(tokens, revision)
    scale = shade.scale(dark)
    letters = int(WIDTH / count / PER_LETTER)
    shown = [[plain(visible(word), letters) for word in row] for row in words]
    figure.add_trace(
        Part(
            type="heatmap",
            z=np.round(shade.values, 4).tolist(),
            zmin=shade.low,
            zmax=shade.high,
            colorscale=[[k / (len(scale) - 1), color] for k, color in enumerate(scale)],
            text=shown if letters >= FEWEST_LETTERS else None,
            texttemplate="%{text}" if letters >= FEWEST_LETTERS else None,
            textfont={"size": 11},
            hoverinfo="skip",
            showscale=False,
            xgap=1,
            ygap=1,
            meta={"role": "grid"},
        )
    )
    _marks(figure, layers, count, appears, tokens)
    _axes(figure, layers, texts, tokens)
    figure.add_shape(
        type="rect", x0=chosen - 0.5, x1=chosen + 0.5, y0=-0.5, y1=layers - 0.5,
        line={"color": tokens.accent, "width": 2},
    )  # fmt: skip
    return figure


def _marks(
    figure: Figure, layers: int, count: int, appears: npt.NDArray[np.integer], tokens: Tokens
) -> None:
    """A line under the first cell of each answer, and a dot nobody sees in every cell."""
    edges = [
        [[at - 0.46, layer - 0.5], [at + 0.46, layer - 0.5], [np.nan, np.nan]]
        for at, layer in enumerate(appears.tolist())
    ]
    line = {"width": 3, "color": tokens.accent}
    ends = np.array(edges, np.float32).reshape(-1, 2)
    figure.add_trace(marks(ends, "lines", line=line, meta={"role": "appears"}))
    across, up = np.meshgrid(np.arange(count), np.arange(layers))
    places = np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)
    dot = {"size": 12, "opacity": 0, "color": tokens.accent}
    figure.add_trace(marks(places, marker=dot, meta={"role": "items"}))


def _axes(figure: Figure, layers: int, texts: Sequence[str], tokens: Tokens) -> None:
    count = len(texts)
    every = 1 if count <= 32 else 2
    step = 1 if layers <= 16 else 2 if layers <= 40 else 4
    letters = max(6, int(WIDTH / count / PER_LETTER))
    side = {"ticks": "", "showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_layout(
        margin={"l": 46, "r": 6, "t": 6, "b": 30 if count <= LEVEL else 64},
        dragmode=False,
        hoverdistance=60,
        xaxis={
            **side,
            "range": [-0.5, count - 0.5],
            "tickvals": list(range(0, count, every)),
            "ticktext": [plain(visible(text), letters) for text in texts[::every]],
            "tickfont": {"size": 12, "color": tokens.text},
            "tickangle": 0 if count <= LEVEL else -50,
        },
        yaxis={
            **side,
            "range": [-0.5, layers - 0.5],
            "tickvals": list(range(0, layers, step)),
            "tickfont": {"size": 11},
            "title": {"text": "layer", "font": {"size": 12}, "standoff": 6},
        },
    )
