"""What a state says: it is written into a prompt in the place of a word, and the model goes on.

Patchscopes (Ghandeharioun and others 2024, arXiv:2401.06102) and SelfIE (Chen and others 2024,
arXiv:2403.10949) read a state this way. The **identity prompt** asks for the word, the
**describing prompt** for a few words about it. The state is taken from the last token of a concept
in a plain sentence, and written in at the same layer.

A vector that says little to the model is often answered with a word of the prompt: an **echo**.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel, Pass
from core.decode.residual_stream import Edit
from core.errors import InvalidSpecification, Unsupported
from core.models.batching import in_batches
from core.spaces.words import folded
from core.types import Progress, Queries, QueryScores, silent, tell

if TYPE_CHECKING:
    from torch import Tensor

SOURCE = "I was thinking about the"
EXAMPLES = ("moon", "chair", "lamp", "salt")
SPARE = ("glove", "mill", "soap", "nail")  # in place of an example that is itself asked about
PLACE = "x"  # where the vector is written in
DESCRIBING = (
    "Everest: the highest mountain on Earth\n Mozart: a composer of music from Austria\n "
    "kitchen: a room where food is made\n winter: the coldest time of the year\n x:"
)
BATCH = 64  # vectors in one pass
LEAST = 3  # letters from which on the beginning of a prompt's word is an echo of it

Shares = npt.NDArray[np.float32]  # (m, w)


@dataclass(frozen=True, eq=False)
class Concept:
    """A concept as a model has it.

    ``pieces`` are its tokens, ``first`` the id of the first one, which is what a model that names
    it says next. ``states`` (l, d) are those of its last token in the layers asked for.
    """

    text: str
    pieces: tuple[str, ...]
    first: int
    states: Queries


def concepts(lm: LanguageModel, texts: Sequence[str], layers: Sequence[int]) -> list[Concept]:
    """Concepts as the last words of a plain sentence.

    Raises InvalidSpecification for an empty one, one that is too long, and a layer that is not.
    """
    said = [" ".join(text.split()) for text in texts]
    if not all(said):
        raise InvalidSpecification(
            "found an empty concept; expected a word or a few, such as ocean: write one"
        )
    rows = [lm.ids(f"{SOURCE} {text}") for text in said]
    states = [
        it for part in in_batches(len(rows), BATCH, lambda at: _ends(lm, rows[at], layers))
        for it in part
    ]  # fmt: skip
    opening = lm.ids(SOURCE)
    found = []
    for text, ids, own in zip(said, rows, states, strict=True):
        same = takewhile(lambda pair: pair[0] == pair[1], zip(opening, ids[:-1], strict=False))
        tokens = ids[len(list(same)) :]
        found.append(Concept(text, tuple(lm.pieces(tokens)), tokens[0], own))
    return found


def _ends(lm: LanguageModel, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Queries]:
    """The states (l, d) of each row's last token."""
    stream = lm.run(rows, layers=layers).stream
    return [
        np.stack([_array(stream[layer][row, len(ids) - 1]) for layer in layers])
        for row, ids in enumerate(rows)
    ]


def identity_prompt(avoiding: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """The prompt that asks for a word, and its examples, none of which is one of ``avoiding``.

    >>> identity_prompt(["Moon"])[1]
    ('chair', 'lamp', 'salt', 'glove')
    """
    asked = {folded(text.strip()) for text in avoiding}
    examples = tuple([it for it in (*EXAMPLES, *SPARE) if it not in asked][: len(EXAMPLES)])
    lines = "\n".join(f" {example}: {example}" for example in examples)
    return f"{lines}\n {PLACE}:".removeprefix(" "), examples


def named_apart(lm: LanguageModel, found: Sequence[Concept]) -> tuple[str, ...]:
    """What the model says when it names each concept: its first token, as shown.

    Raises InvalidSpecification where two begin with the same one, so that no answer of one token
    could tell them apart.
    """
    names = tuple(shown(lm.text([it.first])) for it in found)
    for at, name in enumerate(names):
        if name in names[:at]:
            same = found[names.index(name)].text, found[at].text
            raise InvalidSpecification(
                f"found {same[0]!r:.40} and {same[1]!r:.40}, which both begin with the token "
                f"{name!r}; expected concepts that this model's answer of one token can tell "
                "apart: choose another word for one of them"
            )
    return names


def is_echo(word: str, examples: Sequence[str]) -> bool:
    """Whether a word is the prompt's own, or begins or goes on from a word of it.

    >>> [is_echo(it, ("moon", "salt")) for it in ("Salt", "sal", "salty", "x", "sea", "s")]
    [True, True, True, True, False, False]
    """
    said = folded(word.strip())
    if said in (PLACE, ":", *examples):
        return True
    return any(
        len(said) >= LEAST
        and (example.startswith(said) or (said.startswith(example) and len(example) > LEAST))
        for example in examples
    )


class Patchscope:
    """A prompt with a place into which any vector of a layer can be written.

    Everything before the place is read once: neither its keys nor its values can depend on what
    comes after. Raises Unsupported where the tokenizer leaves the place no token of its own, and
    where the model does not read the whole prompt at once.
    """

    def __init__(self, lm: LanguageModel, prompt: str) -> None:
        self.lm = lm
        self.prompt = prompt
        self.ids = _whole(lm, prompt)
        own = [at for at, piece in enumerate(lm.pieces(self.ids)) if piece.strip() == PLACE]
        if not own or not 0 < own[-1] < len(self.ids) - 1:
            raise Unsupported(
                f"found no token of its own for {PLACE!r} in the prompt of {lm.name}; expected one "
                "to write into: choose another model, such as smollm2"
            )
        self.place = own[-1]

    @cached_property
    def _before(self) -> Any:
        """Keys and values of what stands before the place, one row."""
        return self.lm.run([self.ids[: self.place]], cached=True).cache

    def logits(self, vectors: Queries, layer: int) -> "Tensor":
        """(m, v) what would come next, in one pass for vectors (m, d) at a layer."""
        return self.lm.logits(self._patched(vectors, layer).final[:, -1]).float()

    def shares(self, vectors: Queries, layer: int) -> Shares:
        """(m, w) the probability of each next word, for vectors (m, d) at a layer."""
        parts = in_batches(
            len(vectors),
            BATCH,
            lambda at: words_of(self.lm).shares(self.logits(vectors[at], layer).softmax(-1)),
        )
        return np.concatenate(list(parts))

    def write(
        self, vectors: Queries, layer: int, steps: int, progress: Progress = silent
    ) -> list[str]:
        """What the model writes up to the end of the line, at most ``steps`` tokens or as many as
        it has room for, always the likeliest one. Raises Cancelled."""
        steps = min(steps, self.lm.window - len(self.ids) + 1)  # the last one is not read
        parts = in_batches(
            len(vectors), BATCH, lambda at: self._written(vectors[at], layer, steps, progress)
        )
        return [text for part in parts for text in part]

    def _written(self, vectors: Queries, layer: int, steps: int, progress: Progress) -> list[str]:
        found = self._patched(vectors, layer)
        rows: list[list[int]] = [[] for _ in vectors]
        over = np.zeros(len(vectors), dtype=np.bool_)
        for step in range(steps):
            tell(progress, step, steps, "describing each of them in words")
            ids = self.lm.logits(found.final[:, -1]).argmax(-1).tolist()
            for row, token in enumerate(ids):
                over[row] |= token in self.lm.ends or "\n" in self.lm.text([token])
                if not over[row]:
                    rows[row].append(token)
            if over.all() or step == steps - 1:
                break
            found = self.lm.run([[token] for token in ids], cache=found.cache)
        return [self.lm.text(row).strip() for row in rows]

    def _patched(self, vectors: Queries, layer: int) -> Pass:
        """The pass over what begins with the place, a row for each vector."""
        cache = copy.deepcopy(self._before)  # a pass adds to its own
        cache.batch_repeat_interleave(len(vectors))
        edit = Edit(layer, vectors, self.place, self.place + 1)
        return self.lm.run([self.ids[self.place :]] * len(vectors), edits=[edit], cache=cache)


def _whole(lm: LanguageModel, prompt: str) -> list[int]:
    """The tokens of a prompt that nobody typed, so that nobody can shorten it."""
    try:
        return lm.ids(prompt)
    except InvalidSpecification as error:
        raise Unsupported(
            f"found {lm.name}, which reads {lm.window:,} tokens at once; expected room for the "
            "prompt that asks what a state says: choose another model, such as smollm2"
        ) from error


class Words:
    """The vocabulary without the space in front of a word: tokens that differ in nothing else are
    one word of the w."""

    def __init__(self, lm: LanguageModel) -> None:
        import torch

        rows: dict[str, int] = {}
        self.of_token = [
            rows.setdefault(shown(piece), len(rows)) for piece in lm.pieces(range(lm.vocabulary))
        ]
        self.texts = tuple(rows)
        self._of = torch.tensor(self.of_token, device=lm.device)

    def shares(self, probabilities: "Tensor") -> Shares:
        """(m, w) from (m, v)."""
        summed = probabilities.new_zeros((len(probabilities), len(self.texts)))
        return _array(summed.index_add_(1, self._of, probabilities))


def shown(piece: str) -> str:
    r"""A token as it is shown to people.

    >>> shown(" sea"), shown("\n"), shown("  ")
    ('sea', '(new line)', '(space)')
    """
    return piece.strip() or ("(new line)" if "\n" in piece else "(space)")


def entropy(shares: Shares) -> QueryScores:
    """(m,) in nats: 0 where one word is certain, log(w) where all are as likely."""
    exact = shares.astype(np.float64)
    logs = np.log(exact, out=np.zeros_like(exact), where=exact > 0)
    summed: QueryScores = -(exact * logs).sum(axis=1).astype(np.float32)
    return summed


def likeliest(shares: Shares, k: int) -> npt.NDArray[np.int64]:
    """(m, k) the rows of the k likeliest words, likeliest first.

    >>> likeliest(np.float32([[0.1, 0.6, 0.3]]), 2).tolist()
    [[1, 2]]
    """
    some = np.argpartition(-shares, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(shares, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


@lru_cache(maxsize=2)
def words_of(lm: LanguageModel) -> Words:
    """The words of a model, made once: its whole vocabulary is turned into text, about a second."""
    return Words(lm)


def _array(tensor: "Tensor") -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = tensor.float().cpu().numpy()
    return found
