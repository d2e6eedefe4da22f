"""The scene of a text as a path: the picture, the words as its scrubber, and what is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from core.figures.scene import Items, Picture, Player, Scene, Strip
from core.figures.trajectories.next_tokens import divergence_figure
from core.figures.trajectories.trajectory import (
    Rays,
    Track,
    control_color,
    shown,
    step_labels,
    trajectory_figure,
    word_labels,
)
from core.permalink import TrajectoriesView
from core.pipeline.trajectories.corpus_picture import Backdrop
from core.pipeline.trajectories.divergence import Divergence
from core.pipeline.trajectories.next_tokens import Said, Spread, reweighed
from core.pipeline.trajectories.trajectory import FIRST, TokenPath, Walks, branches
from core.spaces.space import Space
from core.types import QueryScores
from core.ui.shared.projection_form import TITLES
from core.ui.stage import tokens

SECONDS_A_WORD = 0.45
MOST_STRIPS = 4  # samples whose words are written out under the picture
LEGEND = 28  # pixels
FAR = 95.0  # percent of the corpus' own states that are nearer to theirs


@dataclass(frozen=True, eq=False)
class OtherReading:
    """Another reading of the same text: ``walk`` has a state for each token of the first."""

    name: str
    backdrop: Backdrop
    walk: TokenPath
    parting: Divergence


@dataclass(frozen=True, eq=False)
class Drawn:
    """All that is drawn of a text."""

    seen: TrajectoriesView
    layer: int
    backdrop: Backdrop
    walks: Walks
    growing: bool = False
    spreads: Sequence[Spread] = ()
    said: Said | None = None
    percentile: QueryScores | None = None
    control: TokenPath | None = None
    beside: OtherReading | None = None
    tracks: Sequence[Track] = field(default=())

    @property
    def trunk(self) -> TokenPath:
        """The first sample."""
        return self.walks[0]

    @property
    def steps(self) -> int:
        """Tokens that are drawn: all but the first."""
        return max(0, len(self.trunk) - FIRST) if self.walks else 0

    @property
    def step(self) -> int:
        """The step that is looked at: at first the prompt's end."""
        if self.growing:
            return self.steps - 1
        wanted = self.seen.step
        usual = self.trunk.begun - FIRST - 1
        return max(0, min(usual if wanted is None else wanted, self.steps - 1))


def tracks_of(walks: Walks, behind: Backdrop) -> list[Track]:
    """The samples as they are drawn."""
    found = []
    for walk, branch in zip(walks, branches(walks), strict=True):
        found.append(
            Track(
                walk.pieces[FIRST:],
                behind.place(walk.states[FIRST:]),
                max(0, walk.begun - FIRST),
                [told(walk, at) for at in range(FIRST, len(walk))],
                max(0, branch.at - FIRST),
            )
        )
    return found


def told(walk: TokenPath, at: int) -> str:
    """A token in figures: help: 23% likely there, the model's 2nd choice."""
    share, rank = float(walk.probability[at]), int(walk.rank[at])
    if rank == 0:
        return shown(walk.pieces[at])
    return f"{shown(walk.pieces[at])}: {percent(share)} likely there, {place_words(rank)}"


def place_words(rank: int) -> str:
    """Whose choice a token was.

    >>> place_words(1), place_words(2), place_words(13)
    ("the model's first choice", "the model's 2nd choice", "the model's 13th choice")
    """
    if rank == 1:
        return "the model's first choice"
    ends = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if rank % 100 in (11, 12, 13) else ends.get(rank % 10, "th")
    return f"the model's {rank:,}{ending} choice"


def percent(share: float) -> str:
    """
    >>> percent(0.234), percent(0.0042), percent(0.0000012)
    ('23%', '0.42%', 'under 0.01%')
    """
    if share >= 0.995:
        return "over 99%" if share < 1 else "100%"
    if share >= 0.01:
        return f"{share:.0%}"
    return f"{100 * share:.2f}%" if share >= 1e-4 else "under 0.01%"


def rays_of(drawn: Drawn) -> list[Rays | None]:
    """The fan at each step, weighed at the temperature that is asked for."""
    if not drawn.spreads or drawn.seen.fans == "off" or drawn.growing:
        return []
    own = drawn.tracks[0].places
    places = drawn.backdrop.place(np.concatenate([spread.states for spread in drawn.spreads]))
    found: list[Rays | None] = [None] * drawn.steps
    start = 0
    for spread in drawn.spreads:
        stop = start + len(spread.ids)
        at = spread.position - FIRST
        found[at] = Rays(own[at], spread.pieces, places[start:stop], shares_of(drawn, spread))
        start = stop
    return found


def shares_of(drawn: Drawn, spread: Spread) -> np.ndarray:
    """(k,) the probabilities of a fan at the temperature that is asked for."""
    heat = drawn.seen.heat
    if heat == 1 or drawn.said is None:
        return np.asarray(spread.probability, np.float64)
    return reweighed(drawn.said[spread.position], heat)[spread.ids]


def scene_of(drawn: Drawn) -> Scene:
    """The whole stage."""
    fans = rays_of(drawn)
    pictures = [_picture(drawn, fans)]
    if drawn.beside is not None and not drawn.growing:
        pictures += _beside(drawn, drawn.beside)
    space = drawn.backdrop.space
    return Scene(
        name=f"trajectory {'writing' if drawn.growing else 'whole'}",
        pictures=pictures,
        items=Items(space.texts, _details(space.digest, space)),
        legend=None if drawn.control is None else _control_legend(),
        player=_player(drawn, fans) if drawn.steps > 0 else None,
    )


def _control_legend() -> dict[str, object]:
    """What the dotted line is; the other colours are those of the words below."""
    said = "dotted: the same words shuffled, read as a text of their own"
    return {"title": "", "entries": [{"label": said, "color": control_color(tokens())}]}


def _picture(drawn: Drawn, fans: Sequence[Rays | None]) -> Picture:
    seen, behind, tracks = drawn.seen, drawn.backdrop, drawn.tracks
    control = None
    if drawn.control is not None:
        control = behind.place(drawn.control.states[FIRST:])
    text = drawn.trunk.text if drawn.walks else ""
    kind = TITLES[behind.picture.spec.kind]
    figure = trajectory_figure(
        behind.coords,
        tracks,
        tokens(),
        f"{behind.space.digest} {behind.picture.spec.digest} {seen.prompt} {drawn.growing}",
        fans=fans,
        along=seen.fans == "along",
        control=control,
        growing=drawn.growing,
        at=drawn.step,
    )
    strips = 30 * min(len(tracks) - 1, MOST_STRIPS - 1) if tracks else 0
    name = f"{drawn.steps} tokens among {len(behind.space):,} of the corpus, {kind}"
    if drawn.beside is not None:
        name = f"Layer {drawn.layer}"
    return Picture(
        figure,
        title=name,
        tag="projected",
        alt=f"The path of the text “{text[:400]}” through the picture.",
        height=380,
        fill=458 + strips + (0 if control is None else LEGEND),
        labels=word_labels(tracks, drawn.growing),
        labels_at=[] if drawn.growing else step_labels(tracks[0], fans),
        hint="The corpus' states and the plane were there before: the text is placed on them, "
        "exactly." if behind.plane is not None else
        "The corpus' states were there before: the text is placed among its nearest.",
    )  # fmt: skip


def _beside(drawn: Drawn, beside: OtherReading) -> list[Picture]:
    """The other reading, and the curve of how far the two are apart."""
    behind = beside.backdrop
    track = Track(
        drawn.tracks[0].words,
        behind.place(beside.walk.states[FIRST:]),
        drawn.tracks[0].begun,
        drawn.tracks[0].said,
    )
    theme = tokens()
    apart = beside.parting.apart[FIRST:]
    words = [shown(word) for word in track.words]
    far = int(np.nanargmax(apart)) if np.isfinite(apart).any() else None
    said = (
        "too short to compare" if far is None else f"furthest at “{words[far]}”, {apart[far]:.2f}"
    )
    return [
        Picture(
            trajectory_figure(
                behind.coords, [track], theme, f"{behind.space.digest} beside", at=drawn.step
            ),
            title=f"{beside.name}, the same text",
            tag="projected",
            alt=f"The same text as {beside.name} has it.",
            height=380,
            fill=458,
            labels=word_labels([track]),
            labels_at=step_labels(track, ()),
        ),
        Picture(
            divergence_figure(apart, words, theme, f"parting {beside.name}"),
            title="How far the two are apart",
            tag="measured",
            alt=f"How far the two readings are apart at each word: {said}.",
            height=380,
            fill=458,
            grow=0.7,
            hint="1 - the correlation of a word's cosines to all other words of the text, in the "
            "one and in the other: 0 is the same relations, 1 none in common.",
        ),
    ]  # fmt: skip


def _player(drawn: Drawn, fans: Sequence[Rays | None]) -> Player:
    """The words themselves are the scrubber: the prompt's, then what was written."""
    theme, trunk = tokens(), drawn.tracks[0]
    strips = [
        Strip(
            "prompt", theme.second, _undrawn(drawn) + _runs(drawn, 0, 0, trunk.begun), flowing=True
        ),
        Strip("it writes", theme.accent, _runs(drawn, 0, trunk.begun, drawn.steps), flowing=True),
    ]
    for number, track in enumerate(drawn.tracks[1:MOST_STRIPS], 1):
        runs = _runs(drawn, number, max(track.stem, track.begun), len(track.words))
        if runs:
            strips.append(Strip(f"or, {number + 1}", theme.label, runs, flowing=True))
    count = drawn.steps
    return Player(
        t=[float(step) for step in range(count)],
        strips=[strip for strip in strips if strip.runs],
        transcript=[_line(drawn, fans, step) for step in range(count)],
        seconds=max(4.0, SECONDS_A_WORD * count),
        names=[shown(word)[:12] for word in trunk.words],
        start=drawn.step,
        report=not drawn.growing,
    )


def _runs(drawn: Drawn, sample: int, first: int, stop: int) -> list[tuple[int, int, str, bool]]:
    """A run a word, the one after the other; far from the corpus where that is known."""
    words = drawn.tracks[sample].words
    far = drawn.percentile if sample == 0 else None
    return [
        (
            at,
            at + 1,
            words[at].replace("\n", "⏎") or "␣",
            bool(far is not None and FIRST + at < len(far) and far[FIRST + at] > FAR),
        )
        for at in range(first, stop)
    ]


def _undrawn(drawn: Drawn) -> list[tuple[int, int, str, bool]]:
    """The first token, in no step of the player: there to be read."""
    return [(0, 0, drawn.trunk.pieces[0].replace("\n", "⏎"), True)]


def _line(drawn: Drawn, fans: Sequence[Rays | None], step: int) -> str:
    """A step in words, for those who read the path as text."""
    said = told(drawn.trunk, FIRST + step)
    rays = fans[step] if step < len(fans) else None
    if rays is None:
        return said
    near = ", ".join(
        f"{shown(word)} {percent(float(share))}"
        for word, share in list(zip(rays.words, rays.shares, strict=True))[:3]
    )
    return f"{said}. Next it would say {near}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _details(digest: str, _space: Space) -> list[str]:  # noqa: ARG001 - the digest is the key
    """What stands before each of the corpus' tokens, for the hover card."""
    if "before" not in _space.metadata:
        return [""] * len(_space)
    return [f"…{text} ▸" for text in _space.metadata["before"].astype(str)]
