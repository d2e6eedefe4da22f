"""Does a signature carry more than its tokens? Pairs of sentences, near or far by meaning or words.

Two spaces are asked about the same pairs: the mean of the states of the last layer, and the mean
of the rows that the tokens have in the model's table, which knows neither order nor context.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import StoreError
from core.metrics.intervals import RESAMPLES, Interval, Values, interval
from core.pipeline.models import identity, reader
from core.resources import site_root
from core.signatures.hidden import Reader, hidden_states
from core.signatures.pooling import Pooling, pool
from core.signatures.states import States
from core.spaces.linalg import paired_cosines
from core.store.keys import store_key
from core.store.read_back import Artefact
from core.types import Matrix, Progress, Scores, Vector, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

VERSION = 1
PREPARED = site_root() / "assets" / "pairs.tsv"
SAME = "paraphrase"  # the kind whose pairs mean the same


@dataclass(frozen=True)
class Pair:
    """Two sentences; ``kind`` says in what they differ."""

    kind: str
    first: str
    second: str


@dataclass(frozen=True, eq=False)
class SpaceAnswer:
    """One space's answer. ``distances`` (m,) are 1 - cosine of each pair about ``centre`` (d,), in
    units of ``far``, the mean distance of sentences that have nothing to do with each other."""

    name: str
    distances: Scores
    centre: Vector
    far: float
    by_kind: dict[str, Interval]
    nearer: dict[str, Interval]  # how often a paraphrase is nearer than a pair of that kind


@dataclass(frozen=True, eq=False)
class Signed:
    """Both spaces over the same pairs."""

    pairs: tuple[Pair, ...]
    contextual: SpaceAnswer
    rows: SpaceAnswer
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON."""
        return {
            "pairs": len(self.pairs),
            "spaces": {
                it.name: {
                    "distance": {kind: _told(found) for kind, found in it.by_kind.items()},
                    "paraphrase_nearer": {kind: _told(found) for kind, found in it.nearer.items()},
                }
                for it in (self.contextual, self.rows)
            },
            "notes": list(self.notes),
        }


@lru_cache(maxsize=1)
def prepared_pairs() -> tuple[Pair, ...]:
    """Pairs written for this project: word order, negation, context swap, paraphrase."""
    with PREPARED.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(Pair(row["kind"], row["first"], row["second"]) for row in rows)


def more_than_tokens(
    reference: str, pairs: Sequence[Pair] | None = None, progress: Progress = silent
) -> Signed:
    """Distances of the pairs by context and by rows alone; without ``pairs`` the prepared ones.

    Raises what :func:`core.pipeline.models.reader` and hidden_states raise; Cancelled.
    """
    chosen = tuple(prepared_pairs() if pairs is None else pairs)
    texts = [text for pair in chosen for text in (pair.first, pair.second)]
    context, rows, notes = _both(reference, texts, progress)
    kinds = [pair.kind for pair in chosen]
    judged = _judged("signature", context, kinds), _judged("mean of rows", rows, kinds)
    return Signed(chosen, *judged, notes)


def apart(reference: str, signed: Signed, first: str, second: str) -> tuple[float, float]:
    """How far two sentences are by context and by rows alone, in the units of ``signed``.

    Raises UnknownItem where one has nothing to read, InvalidSpecification where it is too long.
    """
    context, rows, _ = _both(reference, [first, second])
    both = []
    for vectors, told in ((context, signed.contextual), (rows, signed.rows)):
        centred = (vectors - told.centre).astype(np.float64)
        both.append(float(1 - paired_cosines(centred[:1], centred[1:])[0]) / told.far)
    return both[0], both[1]


def _both(
    reference: str, texts: Sequence[str], progress: Progress = silent
) -> tuple[Matrix, Matrix, tuple[str, ...]]:
    """(texts, d) by context and (texts, d) by rows alone, and notes."""
    model = reader(reference)
    states = hidden_states(texts, model, progress=progress)
    context = pool(states, Pooling(skip_first=states.causal)).vectors
    return context, _mean_rows(states, model), states.notes


def _mean_rows(states: States, model: Reader) -> Matrix:
    """(texts, d) the mean of the table's rows of each text's own tokens."""
    table = model.model.get_input_embeddings().weight.detach().float().cpu().numpy()
    own = states.tokens[~states.tokens["special"]]
    ids = np.asarray(model.tokenizer.convert_tokens_to_ids(own["token"].tolist()), np.int64)
    begins = np.flatnonzero(np.diff(own["text"].to_numpy(), prepend=-1))
    sums = np.add.reduceat(table[ids].astype(np.float64), begins)
    return (sums / np.diff(begins, append=len(ids))[:, None]).astype(np.float32)


def _judged(name: str, vectors: Matrix, kinds: Sequence[str]) -> SpaceAnswer:
    centre = vectors.mean(axis=0)
    centred = (vectors - centre).astype(np.float64)
    first, second = centred[::2], centred[1::2]
    far = float(np.mean(1 - paired_cosines(first, np.roll(second, 1, axis=0))))
    distances = (1 - paired_cosines(first, second)) / far
    names = np.asarray(kinds)
    groups = {kind: distances[names == kind] for kind in dict.fromkeys(kinds)}
    same = groups.get(SAME, np.zeros(0))
    return SpaceAnswer(
        name,
        distances.astype(np.float32),
        centre,
        far,
        {kind: interval(found) for kind, found in groups.items()},
        {
            kind: _nearer(same, found)
            for kind, found in groups.items()
            if kind != SAME and len(same)
        },
    )


def _nearer(same: Values, other: Values) -> Interval:
    """How often a pair of ``same`` is nearer than one of ``other``, ties as half: the area under
    the curve, with its bootstrap over both (Hanley & McNeil 1982)."""
    wins = (same[:, None] < other) + 0.5 * (same[:, None] == other)  # (s, o)
    generator = np.random.default_rng(0)
    s, o = wins.shape
    drawn = [
        wins[np.ix_(generator.integers(0, s, s), generator.integers(0, o, o))].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(wins.mean()), float(low), float(high))


def _told(interval: Interval) -> dict[str, float | list[float]]:
    return {"mean": interval.value, "95%": interval.report()}


def has_pairs(workspace: "Workspace", model: str) -> bool:
    """Whether the prepared pairs were measured with that model. Raises UnknownTeacher."""
    return workspace.store.has("pairs", _key(model))


def kept_pairs(workspace: "Workspace", model: str, progress: Progress = silent) -> Signed:
    """The prepared pairs in both spaces: measured before, or now, some seconds.

    Raises what :func:`core.pipeline.texts.pairs.more_than_tokens` raises.
    """
    key = _key(model)
    return workspace.kept(
        "pairs",
        key,
        read=lambda: _read(workspace.store.load("pairs", key)),
        make=lambda: more_than_tokens(model, progress=progress),
        write=lambda found: _write(workspace, key, found),
    )


def _key(model: str) -> str:
    return store_key(identity(model), VERSION, PREPARED.read_text(encoding="utf-8"))


def _write(workspace: "Workspace", key: str, signed: Signed) -> None:
    told = (signed.contextual, signed.rows)
    arrays = {f"distances {number}": it.distances for number, it in enumerate(told)}
    arrays |= {f"centre {number}": it.centre for number, it in enumerate(told)}
    said = [
        {
            "name": it.name,
            "far": it.far,
            "by_kind": {kind: list(vars(one).values()) for kind, one in it.by_kind.items()},
            "nearer": {kind: list(vars(one).values()) for kind, one in it.nearer.items()},
        }
        for it in told
    ]
    workspace.store.save("pairs", key, arrays, None, {"told": said, "notes": list(signed.notes)})


def _read(kept: Artefact) -> Signed:
    try:
        told = [_space_told(kept, number, said) for number, said in enumerate(kept.payload["told"])]
        contextual, rows = told
        return Signed(prepared_pairs(), contextual, rows, tuple(kept.payload["notes"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise StoreError(f"found kept pairs without {fault}; expected all: measure anew") from None


def _space_told(kept: Artefact, number: int, said: dict[str, Any]) -> SpaceAnswer:
    return SpaceAnswer(
        said["name"],
        np.asarray(kept.arrays[f"distances {number}"]),
        np.asarray(kept.arrays[f"centre {number}"]),
        float(said["far"]),
        {kind: Interval(*values) for kind, values in said["by_kind"].items()},
        {kind: Interval(*values) for kind, values in said["nearer"].items()},
    )
