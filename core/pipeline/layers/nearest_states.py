"""What a token became: the vocabulary and the states of other sentences nearest to it, by layer."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.models.word_marks import UNUSED, readings
from core.pipeline.layers.state_index import Floats, StateIndex, best
from core.pipeline.models import identity, reader
from core.signatures.states import States
from core.spaces.words import folded
from core.types import Scores

NEAREST = 5
OUT = -2.0  # lower than any cosine


@dataclass(frozen=True)
class NearToken:
    """An entry of the vocabulary and its cosine."""

    token: str
    cosine: float


@dataclass(frozen=True)
class NearState:
    """A token of another sentence, characters ``start`` to ``end`` of it, and its cosine."""

    sentence: str
    start: int
    end: int
    document: str
    cosine: float

    @property
    def parts(self) -> tuple[str, str, str]:
        """What stands before the token, the token, and what stands behind."""
        text = self.sentence
        return text[: self.start], text[self.start : self.end], text[self.end :]


@dataclass(frozen=True)
class NearestStates:
    """One layer. ``table`` are the rows of the model's own table nearest to the state (none where
    the table has another width), ``usual`` the tokens whose mean state in this layer is nearest,
    ``states`` single states of other sentences, one a sentence."""

    layer: int
    table: tuple[NearToken, ...]
    usual: tuple[NearToken, ...]
    states: tuple[NearState, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Table:
    """A model's input rows (v, d) with their tokens' texts; ``shown`` (v,) leaves out special
    and unused ones."""

    texts: tuple[str, ...]
    shown: npt.NDArray[np.bool_]
    rows: Floats
    mean: Floats
    lengths: Floats
    centred_lengths: Floats

    def cosines(self, states: Floats, away: Floats, centred: bool = True) -> Floats:
        """(layers, v) cosine of a token's states (layers, d) with each row; centred, each state
        is taken without ``away`` (layers, d), the mean of its own layer, the rows without theirs.
        """
        asked = states - away if centred else states
        products = asked @ self.rows.T
        if centred:
            products -= (asked @ self.mean)[:, None]
        lengths = self.centred_lengths if centred else self.lengths
        both = np.linalg.norm(asked, axis=1)[:, None] * lengths
        found = np.where(both > 0, products / np.where(both > 0, both, 1), 0)
        found[:, ~self.shown] = -np.inf
        return found.astype(np.float32)


def nearest_states(
    index: StateIndex,
    reference: str,
    states: States,
    row: int,
    k: int = NEAREST,
    centred: bool = True,
) -> list[NearestStates]:
    """What the token in ``row`` of ``states`` is like in each layer, k of each kind.

    ``states`` are those of the index's model. The table is of layer 0's world: its rows are what
    the model reads before any layer, so from layer 1 on they tell what of the token itself is
    left. Other sentences only: the token's own is left out, should it be in the index. Raises
    InvalidSpecification for a row that is not there or states of another model.
    """
    if not 0 <= row < len(states.tokens):
        raise InvalidSpecification(
            f"found token {row}; expected 0 to {len(states.tokens) - 1}: choose one of the sentence"
        )
    dim = states.layers[0].shape[1]
    if (len(states.layers), dim) != (len(index.layers), index.means.shape[1]):
        raise InvalidSpecification(
            f"found states of {len(states.layers)} layers x {dim}; expected "
            f"{len(index.layers)} x {index.means.shape[1]}, those of the index: read with its model"
        )
    stamp = identity(reference)
    table, names = _table(reference, stamp), _names(reference, stamp, tuple(index.types["token"]))
    own = folded(states.texts[int(states.tokens["text"].iloc[row])])
    mine = np.stack([layer[row] for layer in states.layers]).astype(np.float32)
    by_row = table.cosines(mine, index.means, centred) if table else None
    found = []
    for number, state in enumerate(mine):
        by_type = index.usual_cosines(number, state, centred)
        found.append(
            NearestStates(
                number,
                _rows(table, by_row[number], k) if table and by_row is not None else (),
                tuple(NearToken(names[it], cosine) for it, cosine in best(by_type, k)),
                _others(index, index.cosines(number, state, centred), own, k),
            )
        )
    return found


def _rows(table: Table, cosines: Floats, k: int) -> tuple[NearToken, ...]:
    return tuple(NearToken(table.texts[it], cosine) for it, cosine in best(cosines, k))


def _others(index: StateIndex, cosines: Scores, own: str, k: int) -> tuple[NearState, ...]:
    """The k nearest states, the best of each sentence, without the sentence itself."""
    mine = np.array([folded(text) == own for text in index.texts])
    left = np.where(mine[index.text_rows], OUT, cosines).astype(np.float32)
    nearest = np.full(len(index.texts), OUT, np.float32)
    np.maximum.at(nearest, index.text_rows, left)
    found = []
    for text, cosine in best(nearest, k):
        if cosine == OUT:
            break
        row = int(np.flatnonzero((index.text_rows == text) & (left == nearest[text]))[0])
        start, end = (int(index.tokens[name].iloc[row]) for name in ("start", "end"))
        found.append(NearState(index.texts[text], start, end, index.documents[text], cosine))
    return tuple(found)


@lru_cache(maxsize=2)
def _table(reference: str, stamp: str) -> Table | None:  # noqa: ARG001 - made anew, read anew
    """The input rows of a model; None where they are no states' neighbours: factorised ones."""
    model = reader(reference)
    weight = getattr(model.model.get_input_embeddings(), "weight", None)
    if weight is None or weight.shape[1] != model.trial[0].shape[-1]:
        return None
    rows = weight.detach().float().cpu().numpy()
    tokens = model.tokenizer.convert_ids_to_tokens(list(range(len(rows))))
    hidden = {*model.tokenizer.all_special_tokens, None, ""}
    shown = np.array([token not in hidden and not UNUSED.fullmatch(token) for token in tokens])
    texts = tuple(text for text, _ in readings([token or "" for token in tokens], model.tokenizer))
    mean = rows[shown].mean(axis=0, dtype=np.float64).astype(np.float32)
    return Table(
        texts,
        shown,
        rows,
        mean,
        np.linalg.norm(rows, axis=1).astype(np.float32),
        np.linalg.norm(rows - mean, axis=1).astype(np.float32),
    )


@lru_cache(maxsize=2)
def _names(reference: str, stamp: str, tokens: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG001
    """Tokens as a person reads them."""
    return tuple(text for text, _ in readings(list(tokens), reader(reference).tokenizer))
