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

MOST_VALUES = 7  # of numbers, that are drawn as kinds and not as a scale

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


def own_column(values: pd.Series, title: str, tokens: Tokens, dark: bool) -> Layer | None:
    """A column that somebody's file brought: its commonest values, or numbers and times in order.

    None where it tells nothing apart: a single value, or texts of which none occurs twice.
    """
    told = values.dropna()
    if not len(told) or isinstance(told.iloc[0], bytes | complex):
        return None
    different = told.nunique()
    if different < 2:
        return None
    numbers = _as_numbers(values)
    if numbers is None or different <= min(MOST_VALUES, len(told) // 2):
        return _commonest(values.astype(object), title, tokens, dark)
    missing = np.isnan(numbers)  # also what is not finite
    if missing.all() or np.nanmin(numbers) == np.nanmax(numbers):
        return None
    low, high = (short(values[~missing].iloc[at]) for at in _ends(numbers[~missing]))
    numbers = numbers / 2 - np.nanmin(numbers) / 2  # 0 to 1: neither 1e308 nor years in
    numbers /= np.nanmax(numbers)  # microseconds fit float32
    drawn = continuous(numbers[~missing], title, low, high, dark)
    if not missing.any():
        return drawn
    step = (drawn.high - drawn.low) / 200  # a first step in grey, below all that has a value
    whole = np.where(missing, drawn.low - step, np.maximum(numbers, drawn.low))
    scale = [[0.0, tokens.faint], [0.004, tokens.faint], [0.005, drawn.scale[0][1]]]
    legend = {**drawn.legend, "title": f"{title} (grey: no value)"}
    values_ = whole.astype(np.float32)
    return Layer(values_, [*scale, *drawn.scale[1:]], drawn.low - step, drawn.high, legend)


def _as_numbers(values: pd.Series) -> npt.NDArray[np.float64] | None:
    """(n,) numbers and times as float64, NaN where there is none; None for all that is neither."""
    from decimal import Decimal

    kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else ""
    if pd.api.types.is_datetime64_any_dtype(values) or kind == "m":
        missing = values.isna().to_numpy()
        return np.where(missing, np.nan, values.astype("int64").to_numpy(float))
    if pd.api.types.is_bool_dtype(values):
        return None
    decimal = all(isinstance(value, Decimal) for value in values.dropna())
    if pd.api.types.is_numeric_dtype(values) or decimal:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    return None


def short(value: object) -> str:
    """A number or a moment in a legend; a moment at midnight is its day."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.removesuffix("+00:00").removesuffix(" 00:00:00")


def _ends(numbers: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Where the values stand that :func:`continuous` draws as its ends."""
    order, last = np.argsort(numbers, kind="stable"), len(numbers) - 1
    return int(order[round(0.01 * last)]), int(order[round(0.99 * last)])


def _commonest(values: pd.Series, title: str, tokens: Tokens, dark: bool) -> Layer | None:
    """The commonest values in colours of their own, the other ones in one."""
    counts = values.value_counts()  # most frequent first, missing ones left out
    if counts.iloc[0] < 2:
        return None
    palette = _WORDS_DARK if dark else _WORDS
    own = counts.index[: len(palette) if len(counts) <= len(palette) else len(palette) - 1]
    codes = values.map({value: float(k) for k, value in enumerate(own)})
    names = [str(value)[:40] for value in own]
    if len(counts) > len(own):
        names.append(f"{len(counts) - len(own):,} other values")
        codes = codes.where(codes.notna() | values.isna(), float(len(own)))
    numbers = codes.to_numpy(dtype=float, na_value=np.nan)
    return _categorical(numbers, names, palette[: len(names)], tokens, title, "no value")


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
