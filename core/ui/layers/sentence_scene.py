"""The scene of sentences read layer by layer: tokens that walk, and what each is nearest to."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import streamlit as st

from core.figures.layers.states import layer_colours, layer_name, layers_map, runs_of
from core.figures.scene import Items, Mover, Picture, Player, Scene, Strip
from core.figures.tokens import OKABE_ITO
from core.permalink import LayersView
from core.pipeline.layers.pictures import (
    Ground,
    LayerPicture,
    Track,
)
from core.signatures.states import States
from core.spaces.linalg import unit_rows
from core.spaces.words import folded, is_word
from core.ui.shared.projection_form import TITLES
from core.ui.stage import dark, tokens

MOST_DRAWN = 120  # tokens that walk
MOST_FOLLOWED = 4  # of one word, each with its way and a strip of what it is near
SECONDS = 8.4
SENTENCES = (OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[3], OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[7])
FITS = {"joint": "One fit for all", "aligned": "Aligned", "each": "Each by itself"}
DISTORTS = {
    "joint": "One fit for all layers: a place means the same in each of them, but what a single "
    "layer does is flattened most.",
    "aligned": "A fit for each layer, turned onto that of the layer before: every layer at its "
    "best, but some of the movement is the turning of the picture.",
    "each": "A fit for each layer, as it comes: only who is near whom counts; the movement "
    "between two layers means nothing.",
}


@dataclass(frozen=True, eq=False)
class SentenceReading:
    """Sentences as a model reads them, on a picture of its layers."""

    seen: LayersView
    states: States
    picture: LayerPicture

    @cached_property
    def places(self) -> Track:
        """(l, t, 2)"""
        return self.picture.place([np.asarray(layer, np.float32) for layer in self.states.layers])

    @property
    def chosen(self) -> int:
        """The row of the token that is looked at."""
        count = len(states_of(self))
        wanted = self.seen.token
        return wanted if wanted is not None and wanted < count else telling(self.states)

    @cached_property
    def followed(self) -> list[int]:
        """The chosen token, then its namesakes among those that are drawn."""
        name = folded(self.written(self.chosen))
        same = [row for row in states_of(self) if folded(self.written(row)) == name]
        return [self.chosen, *(row for row in same if row != self.chosen)][:MOST_FOLLOWED]

    @cached_property
    def near(self) -> list[list[list[str]]]:
        """For each followed token and each layer, the words that its state is nearest to."""
        return [nearest_words(self.picture.ground, self.states, row) for row in self.followed]

    def written(self, row: int) -> str:
        """A token as it stands in its sentence."""
        return surface(self.states, row)


def sentence_scene(reading: SentenceReading) -> Scene:
    """The picture of the layers, with tokens that walk through it and strips of what is near."""
    picture = reading.picture
    joint = picture.fit == "joint"
    own = picture.ground.joint if joint else picture.ground.layers[0]
    coords = np.concatenate(picture.coords) if joint else picture.coords[0]
    frame = np.concatenate(picture.coords) if not joint else coords[:0]
    colours = None
    if joint:
        colours = layer_colours([len(coord) for coord in picture.coords], dark())
    movers = _movers(reading)
    ways = [(mover.way, mover.color) for mover in movers if mover.chosen]
    revision = f"{own.digest} {picture.fit} {picture.spec.digest}"
    title = f"{len(states_of(reading)):,} tokens over {len(coords):,} states"
    return Scene(
        name=f"layers {picture.fit} {picture.spec.kind}",
        pictures=[
            Picture(
                layers_map(coords, frame, colours, ways, tokens(), revision),
                title=f"{title}: {FITS[picture.fit].lower()}, {TITLES[picture.spec.kind]}",
                tag="projected",
                alt=f"{_told(reading)[-1]} Each token's way through the layers.",
                height=380,
                fill=452,
                space=f"{own.digest} layers",
                hint=DISTORTS[picture.fit],
                movers=movers,
                steps=() if joint else picture.coords,
            )
        ],
        items=Items(own.texts, _details(own.digest, own.metadata), None),
        legend=None if colours is None else colours.legend,
        player=_player(reading),
    )


def surface(states: States, row: int) -> str:
    """The characters of a token, or its name in the vocabulary where it has none."""
    token = states.tokens.iloc[row]
    text = states.texts[int(token["text"])][int(token["start"]) : int(token["end"])]
    return text or str(token["token"])


def telling(states: States) -> int:
    """The token to begin with: a word that stands in most of the sentences, the longest of those.

    A single sentence has its longest word looked at.
    """
    names = [folded(surface(states, row)) for row in range(min(len(states.tokens), MOST_DRAWN))]
    held: dict[str, set[int]] = {}
    for name, text in zip(names, states.tokens["text"].tolist(), strict=False):
        held.setdefault(name, set()).add(text)
    best = max(
        held, key=lambda name: (len(held[name]) > 1, len(name) > 3, len(held[name]), len(name))
    )
    return names.index(best)


def states_of(reading: SentenceReading) -> range:
    """Rows of the tokens that are drawn."""
    return range(min(len(reading.states.tokens), MOST_DRAWN))


@st.cache_resource(max_entries=8, show_spinner=False)
def _details(digest: str, _table: pd.DataFrame) -> list[str]:  # noqa: ARG001 - the digest is the key
    names = [layer_name(int(number)) for number in _table["layer"]]
    return [f"{name} · {text[:110]}" for name, text in zip(names, _table["sentence"], strict=True)]


def _movers(reading: SentenceReading) -> list[Mover]:
    """A dot for each token, in its sentence's colour; the chosen token and its namesakes with
    their ways."""
    states, places = reading.states, reading.places
    strokes = dict(zip(reading.followed, _strokes(), strict=False))
    colors = SENTENCES if len(states.texts) > 1 else (tokens().quiet,)
    made = []
    for row in states_of(reading):
        text = int(states.tokens["text"].iloc[row])
        made.append(
            Mover(
                text=reading.written(row),
                way=np.ascontiguousarray(places[:, row]),
                color=strokes.get(row) or colors[text % len(colors)],
                row=row,
                chosen=row in strokes,
                detail=f"in: {states.texts[text][:120]}",
            )
        )
    return made


def _strokes() -> tuple[str, ...]:
    """Colours of what is followed: the chosen one amber, then its namesakes."""
    theme = tokens()
    return theme.accent, theme.second, theme.third, theme.label


def _player(reading: SentenceReading) -> Player:
    """Layer by layer, with what the states of the followed tokens are nearest to."""
    count = len(reading.states.layers)
    strips = [
        Strip(_strip_name(reading, row), color, runs_of([words[0] for words in near]))
        for row, color, near in zip(reading.followed, _strokes(), reading.near, strict=False)
    ]
    return Player(
        t=[float(layer) for layer in range(count)],
        strips=strips,
        transcript=_told(reading),
        seconds=SECONDS,
        names=[layer_name(layer) for layer in range(count)],
    )


def _strip_name(reading: SentenceReading, row: int) -> str:
    """ "bank, 2": the token, and in which sentence it stands where that has to be said."""
    name = reading.written(row)[:10]
    text = int(reading.states.tokens["text"].iloc[row])
    return f"{name}, {text + 1}" if len(reading.followed) > 1 else name


def _told(reading: SentenceReading) -> list[str]:
    """Each layer in words."""
    near = reading.near
    lines = []
    for layer in range(len(reading.states.layers)):
        said = [
            f"{_strip_name(reading, row)} is nearest to {', '.join(words[layer])}"
            for row, words in zip(reading.followed, near, strict=True)
        ]
        lines.append(f"{layer_name(layer)}: {'; '.join(said)}.")
    return lines


def nearest_words(own: Ground, states: States, row: int, k: int = 3) -> list[list[str]]:
    """For each layer the k different tokens of the background whose states are nearest, by cosine
    about the layer's mean; the token's own kind, and what begins like it, is left out."""
    name = folded(surface(states, row).strip())
    found = []
    for number, space in enumerate(own.layers):
        query = unit_rows(np.asarray(states.layers[number][[row]], np.float32) - space.mean)[0]
        words: dict[str, None] = {}
        for near in np.argsort(-(space.centred.unit @ query), kind="stable").tolist():
            text = space.texts[near]
            other = folded(text)
            if is_word(text) and not (other.startswith(name) or name.startswith(other)):
                words[text] = None
            if len(words) == k:
                break
        found.append(list(words) or ["–"])
    return found
