"""Colour layers: one number per item, a scale, and a legend in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.figures.tokens import (
    CIVIDIS,
    CIVIDIS_DARK,
    OKABE_ITO,
    VIRIDIS,
    VIRIDIS_DARK,
    Tokens,
)

GROUPS: dict[str, tuple[str, ...]] = {
    "people, groups": ("noun.person", "noun.group", "noun.relation"),
    "animals, plants, body, food": ("noun.animal", "noun.plant", "noun.body", "noun.food"),
    "things, materials": (
        "noun.artifact",
        "noun.object",
        "noun.substance",
        "noun.shape",
        "noun.possession",
        "noun.quantity",
    ),
    "places, times": ("noun.location", "noun.time"),
    "acts, events, ideas": (
        "noun.act",
        "noun.event",
        "noun.process",
        "noun.phenomenon",
        "noun.cognition",
        "noun.communication",
        "noun.feeling",
        "noun.motive",
        "noun.attribute",
        "noun.state",
        "noun.Tops",
    ),
}
"""WordNet's noun files in five groups; with verbs, modifiers and the rest they make eight."""

_WORDS = ("#d55e00", "#e69f00", "#a89600", "#cc79a7", "#009e73", "#0072b2", "#56b4e9")
_WORDS_DARK = ("#ff7a33", "#e69f00", "#f0e442", "#e394c3", "#1fc79a", "#4f9fe0", "#8fd3ff")
"""Okabe-Ito, the yellow darkened on white, the dark ones lightened on dark."""


@dataclass(frozen=True)
class Layer:
    """Values of a colour layer, (n,) float32, with the scale they are drawn on."""

    values: npt.NDArray[np.float32]
    scale: list[list[Any]]
    low: float
    high: float
    legend: dict[str, Any]

    def marker(self) -> dict[str, Any]:
        """The part of a Plotly marker that colours it."""
        return {
            "color": self.values,
            "colorscale": self.scale,
            "cmin": self.low,
            "cmax": self.high,
            "showscale": False,
        }


def word_groups(metadata: pd.DataFrame, tokens: Tokens, dark: bool) -> Layer:
    """Lexical category: nouns in five groups, verbs, other words, and grey for the unknown."""
    of = {category: k for k, group in enumerate(GROUPS.values()) for category in group}
    category = metadata["category"].fillna("").astype(str)
    verbs, others = len(GROUPS), len(GROUPS) + 1
    codes = category.map(of).to_numpy(dtype=float, na_value=np.nan, copy=True)
    codes[category.str.startswith("verb").to_numpy()] = verbs
    codes[category.str.startswith("ad").to_numpy()] = others
    colors = _WORDS_DARK if dark else _WORDS
    names = [*GROUPS, "verbs", "adjectives, adverbs"]
    return _categorical(codes, names, colors, tokens, "Meaning", "not in WordNet")


def parts_of_speech(metadata: pd.DataFrame, tokens: Tokens, dark: bool) -> Layer:
    """Noun, verb, adjective, adverb."""
    names = ["noun", "verb", "adjective", "adverb"]
    start = {"noun": 0, "verb": 1, "adj": 2, "adv": 3}
    category = metadata["category"].fillna("").astype(str).str.split(".").str[0]
    codes = category.map(start).to_numpy(dtype=float, na_value=np.nan)
    palette = _WORDS_DARK if dark else _WORDS
    colors = [palette[0], palette[5], palette[4], palette[3]]
    return _categorical(codes, names, colors, tokens, "Part of speech", "not in WordNet")


def kinds(metadata: pd.DataFrame, tokens: Tokens, dark: bool) -> Layer:
    """Whole words and pieces of words."""
    names = ["whole word", "piece of a word"]
    codes = metadata["kind"].map({"word": 0, "piece": 1}).to_numpy(dtype=float, na_value=np.nan)
    palette = _WORDS_DARK if dark else _WORDS
    colors = [palette[5], palette[0]]
    return _categorical(codes, names, colors, tokens, "Kind", "other")


def sources(metadata: pd.DataFrame, tokens: Tokens, dark: bool) -> Layer:
    """News and Wikipedia."""
    codes = metadata["source"].map({"news": 0, "wikipedia": 1}).to_numpy(float, na_value=np.nan)
    palette = _WORDS_DARK if dark else _WORDS
    return _categorical(codes, ["news", "Wikipedia"], [palette[3], palette[5]], tokens, "", "other")


def clusters(cluster: npt.NDArray[np.int32], tokens: Tokens) -> Layer:
    """Regions of the picture; colours repeat, labels tell neighbours apart, grey is in none."""
    palette = OKABE_ITO[:6]
    codes = np.where(cluster >= 0, cluster % len(palette), np.nan).astype(float)
    layer = _categorical(codes, [""] * len(palette), list(palette), tokens, "", "")
    count = int(cluster.max()) + 1 if len(cluster) else 0
    legend = {
        "title": f"{count} regions of this picture (HDBSCAN); colours repeat",
        "entries": [{"label": "in none", "color": tokens.faint}],
    }
    return Layer(layer.values, layer.scale, layer.low, layer.high, legend)


def frequency(metadata: pd.DataFrame, dark: bool) -> Layer:
    """Rank in GloVe's vocabulary, logarithmic; unknown words count as the rarest."""
    rank = metadata["frequency_rank"].to_numpy(dtype=float)
    rank = np.where(rank < 0, np.nan, rank)
    rarest = np.nanmax(rank) if np.isfinite(rank).any() else 1.0
    values = -np.log10(np.nan_to_num(rank, nan=rarest) + 10)
    return continuous(values, "Frequency in English", "rare", "frequent", dark)


def continuous(
    values: npt.NDArray[Any],
    title: str,
    low: str,
    high: str,
    dark: bool,
    scales: tuple[Sequence[str], Sequence[str]] = (VIRIDIS, VIRIDIS_DARK),
) -> Layer:
    """A continuous layer, clipped to its 1st and 99th percentile so that outliers don't rule."""
    values = np.asarray(values, dtype=np.float32)
    bottom, top = (float(edge) for edge in np.percentile(values, [1, 99]))
    if not top > bottom:
        top = bottom + 1.0
    scale = scales[dark]
    colorscale = [[k / (len(scale) - 1), color] for k, color in enumerate(scale)]
    legend = {"title": title, "low": low, "high": high, "gradient": list(scale)}
    return Layer(values, colorscale, bottom, top, legend)


def faithful(per_point: npt.NDArray[np.float32], dark: bool) -> Layer:
    """Share of an item's true neighbours that stay near it in the picture."""
    return continuous(
        per_point,
        "True neighbours kept near in this picture",
        "none",
        f"{100 * float(np.percentile(per_point, 99)):.0f}% or more",
        dark,
        (CIVIDIS, CIVIDIS_DARK),
    )


def _categorical(
    codes: npt.NDArray[Any],
    names: Sequence[str],
    colors: Sequence[str],
    tokens: Tokens,
    title: str,
    unknown: str,
) -> Layer:
    """Discrete colours as a stepped scale; NaN becomes the grey last step."""
    steps = [*colors, tokens.faint]
    count = len(steps)
    values = np.where(np.isnan(codes), count - 1, codes).astype(np.float32)
    scale = [
        [edge, color] for k, color in enumerate(steps) for edge in (k / count, (k + 1) / count)
    ]
    entries = [{"label": name, "color": color} for name, color in zip(names, colors, strict=True)]
    if unknown and np.isnan(codes).any():
        entries.append({"label": unknown, "color": tokens.faint})
    return Layer(values, scale, -0.5, count - 0.5, {"title": title, "entries": entries})
