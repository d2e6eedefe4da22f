"""The colour layers that a space offers, and the quiet line of each item."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from core.cache import LruCache
from core.figures.colors import (
    Layer,
    clusters,
    continuous,
    faithful,
    frequency,
    kinds,
    own_column,
    parts_of_speech,
    short,
    word_groups,
)
from core.figures.tokens import LIGHT
from core.projection.base import Spec
from core.spaces.columns import OWN, own_columns, own_name
from core.spaces.join import occurrences
from core.spaces.space import Space
from core.ui.shared.state import workspace
from core.ui.stage import dark, tokens

MOST_OWN = 40  # columns of a file that are offered as colours
OF_THE_PICTURE = ("cluster", "faithfulness")  # layers that differ from picture to picture
MOST_TOLD = 3  # of them on the card of an item
NAMES = {
    "category": "Meaning",
    "part_of_speech": "Part of speech",
    "kind": "Word or piece",
    "frequency": "Frequency",
    "norm": "Vector length",
    "cluster": "Region",
    "faithfulness": "How true here",
    "plain": "One colour",
}
_layers: LruCache[Layer | None] = LruCache(24)


def offered(space: Space) -> list[str]:
    """Names of the layers for which this space has the data."""
    return _offered(space.digest, space)


@st.cache_resource(max_entries=8, show_spinner=False)
def _offered(digest: str, _space: Space) -> list[str]:  # noqa: ARG001 - the digest is the key
    columns = _space.metadata.columns
    words = "category" in columns and bool((_space.metadata["category"].fillna("") != "").any())
    names = ["category", "part_of_speech"] if words else []
    if "kind" in columns and _space.metadata["kind"].nunique() > 1:
        names.append("kind")
    if "frequency_rank" in columns and bool((_space.metadata["frequency_rank"] >= 0).any()):
        names.append("frequency")
    names += _own_layers(_space)
    if float(np.ptp(_space.norms)) > 1e-3 * float(_space.norms.max()):
        names.append("norm")
    return [*names, "cluster", "faithfulness", "plain"]


def layer(name: str, space: Space, spec: Spec) -> Layer | None:
    """The layer, made once for everybody; None for one colour and for what is not computed yet."""
    make = _maker(name, space, spec)
    picture = spec.digest if name in OF_THE_PICTURE else ""
    return make and _layers.get((name, space.digest, picture, dark()), make)


def _maker(name: str, space: Space, spec: Spec) -> Callable[[], Layer | None] | None:
    """How it is made; None where there is nothing to make it of."""
    makers: dict[str, Callable[[], Layer]] = {
        "category": lambda: word_groups(space.metadata, tokens(), dark()),
        "part_of_speech": lambda: parts_of_speech(space.metadata, tokens(), dark()),
        "kind": lambda: kinds(space.metadata, tokens(), dark()),
        "frequency": lambda: frequency(space.metadata, dark()),
        "norm": lambda: continuous(space.norms, "Vector length", *_ends(space), dark()),
    }
    if name in makers:
        return makers[name]
    if name.startswith(OWN) and name in space.metadata:
        return lambda: own_column(space.metadata[name], own_name(name)[:40], tokens(), dark())
    if name == "cluster" and spec.dims == 2 and workspace().has_regions(space, spec):
        return lambda: clusters(workspace().regions(space, spec).cluster, tokens())
    if name == "faithfulness" and workspace().has_faithfulness(space, spec):
        measured = workspace().faithfulness(space, spec)
        return (lambda: faithful(measured.per_point, dark())) if measured.judged else None
    return None


def layer_name(name: str) -> str:
    """What a layer is called; a column of one's own by its own name, marked as such."""
    return f"{own_name(name):.40} (own column)" if name.startswith(OWN) else NAMES.get(name, name)


def _own_layers(space: Space) -> list[str]:
    """The columns that its file brought and that tell items apart."""
    table = space.metadata
    columns = own_columns(table)[:MOST_OWN]
    return [column for column in columns if own_column(table[column], "", LIGHT, False) is not None]


def in_words(category: str) -> str:
    """WordNet's "noun.animal" as "noun, animal", "adj.all" as "adjective"."""
    part, _, field = category.partition(".")
    names = {"adj": "adjective", "adv": "adverb"}
    return names.get(part) or (f"{part}, {field.lower()}" if field else part)


def _ends(space: Space) -> tuple[str, str]:
    low, high = np.percentile(space.norms, [1, 99])
    return f"{low:.2f}", f"{high:.2f}"


def details(space: Space) -> list[str]:
    """One quiet line an item for the hover card: category, frequency, document."""
    return _details(space.digest, space)


@st.cache_resource(max_entries=8, show_spinner=False)
def _details(digest: str, _space: Space) -> list[str]:  # noqa: ARG001 - the digest is the key
    table = _space.metadata
    parts = [_which_of_equals(_space)]
    if "category" in table:
        parts.append(table["category"].fillna("").astype(str).map(in_words))
    if "kind" in table:
        parts.append(table["kind"].map({"piece": "piece of a word"}).fillna(""))
    if "frequency_rank" in table:
        rank = table["frequency_rank"]
        parts.append(pd.Series([f"no. {r + 1:,} in English" if r >= 0 else "" for r in rank]))
    if "document" in table:
        parts.append(table["document"].fillna("").astype(str))
    parts += [
        _said(table[column], own_name(column)[:40]) for column in own_columns(table)[:MOST_TOLD]
    ]
    rows = zip(*(part.tolist() for part in parts), strict=True)
    return [" · ".join(filter(None, row)) for row in rows]


def _said(values: pd.Series, name: str) -> pd.Series:
    """What a column of one's own has to say of each item."""
    each = zip(values, values.notna(), strict=True)
    return pd.Series([f"{name}: {short(value):.40}" if there else "" for value, there in each])


def _which_of_equals(space: Space) -> pd.Series:
    """Where several items have one text: which of them this is, and its id."""
    before, count = occurrences(space.texts)
    each = zip(before.tolist(), count.tolist(), space.ids, strict=True)
    return pd.Series([f"{k + 1} of {n}, id {own:.40}" if n > 1 else "" for k, n, own in each])
