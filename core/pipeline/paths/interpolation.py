"""What lies between two concepts: a way through a layer of a language model, read in its words."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.decode.language_model import LanguageModel
from core.decode.nouns import NOUNS
from core.decode.patchscopes import (
    DESCRIBING,
    Patchscope,
    Shares,
    concepts,
    entropy,
    identity_prompt,
    is_echo,
    likeliest,
    named_apart,
    words_of,
)
from core.errors import InvalidSpecification, StoreError
from core.paths.linear import lerp
from core.paths.sphere import slerp
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.paths.interpolation_reading import TOP, Between, Control, Floats
from core.progress import reach, scaled
from core.spaces.words import folded
from core.store.keys import store_key
from core.types import Progress, Queries, Vector, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

KINDS = ("lerp", "slerp", "centred")
STEPS = 21
MOST_STEPS = 201
DESCRIBED = 14  # tokens of a description at most
DRAWS = 8  # vectors of each control
EARLY = 4 / 30  # of the depth


def usual_layer(depth: int) -> int:
    """The layer to begin with in a model of so many: an eighth of the way up.

    >>> usual_layer(30), usual_layer(4)
    (4, 1)
    """
    return min(max(1, round(EARLY * depth)), depth)


def between(
    reference: str,
    a: str,
    b: str,
    layer: int | None = None,
    steps: int = STEPS,
    kind: str = "lerp",
    progress: Progress = silent,
) -> Between:
    """Walk from concept to concept in a layer, and read what the model says on the way.

    "lerp" is the straight line, "slerp" the great circle about zero, "centred" the one about the
    mean state of sixty nouns. Raises InvalidSpecification, InvalidPath, TeacherUnavailable,
    Unsupported, NotEnoughMemory, Cancelled.
    """
    require_asked((a, b), steps, kind)
    reach(progress, 0, "loading the model")
    lm = speaker(reference)
    layer = lm.require_layer(usual_layer(lm.depth) if layer is None else layer)
    reach(progress, 5, "reading the two concepts")
    named = concepts(lm, (a, b), [layer])
    points = _way(lm, [it.states[0] for it in named], layer, steps, kind)
    own = named_apart(lm, named)
    prompt, examples = identity_prompt((a, b, *own))
    scope, describing = Patchscope(lm, prompt), Patchscope(lm, DESCRIBING)
    controls = np.concatenate([_noise(points), _shuffled(points)])
    reach(progress, 15, "asking for the word at each step")
    shares = scope.shares(points, layer)
    reach(progress, 30, "asking the same of vectors that mean nothing")
    checked = scope.shares(controls, layer)
    part = partial(scaled, progress, 40, 100)
    descriptions = describing.write(points, layer, DESCRIBED, part)
    words = words_of(lm).texts
    rows = _kept([words.index(name) for name in own], shares)
    top = [words[row] for row in shares[[0, -1]].argmax(axis=1)]
    return Between(
        reference,
        layer,
        kind,
        (named[0].text, named[1].text),
        (named[0].pieces, named[1].pieces),
        (own[0], own[1]),
        np.linspace(0, 1, steps, dtype=np.float32),
        tuple(words[row] for row in rows),
        np.ascontiguousarray(shares[:, rows]),
        entropy(shares),
        tuple(descriptions),
        _cosines(points),
        np.linalg.norm(points, axis=1).astype(np.float32),
        shares.astype(np.float16),
        examples,
        (top[0] == own[0], top[1] == own[1]),
        _judged(checked[:DRAWS], words, examples),
        _judged(checked[DRAWS:], words, examples),
    )


def divergence(one: Between, other: Between) -> Floats:
    """(m,) how differently two layers of a model answer at each t: the Jensen-Shannon divergence of
    their distributions over all words, in nats, from 0 for the same to log 2 (0.69).

    Raises InvalidSpecification for ways of other models, ends or steps.
    """
    from scipy.spatial.distance import jensenshannon

    if (one.model, one.ends, one.full.shape) != (other.model, other.ends, other.full.shape):
        raise InvalidSpecification(
            f"found ways of {one.model} and {other.model} with {len(one.t)} and {len(other.t)} "
            "steps; expected one model, the same ends and as many steps: ask for both alike"
        )
    first, second = (it.full.astype(np.float64) for it in (one, other))
    distance = jensenshannon(first, second, axis=1)  # the root; rounding may leave one of -1e-18
    return np.asarray(np.square(np.nan_to_num(distance)), np.float32)


def require_asked(texts: Sequence[str], steps: int = STEPS, kind: str = "lerp") -> None:
    """Raise InvalidSpecification for concepts that are the same or empty, and for steps and kinds
    that there are not: what can be said before a model is loaded."""
    said = [folded(" ".join(text.split())) for text in texts]
    if not all(said):
        raise InvalidSpecification(
            "found an empty concept; expected a word or a few, such as ocean: write one"
        )
    if len(set(said)) < len(said):
        twice = next(text for text in said if said.count(text) > 1)
        raise InvalidSpecification(
            f"found the concept {twice!r:.60} twice; expected different ones, or nothing lies "
            "between them: change one"
        )
    if kind not in KINDS:
        raise InvalidSpecification(
            f"found the kind {kind!r:.40}; expected one of {', '.join(KINDS)}"
        )
    if not 2 <= steps <= MOST_STEPS:
        raise InvalidSpecification(f"found {steps} steps; expected 2 to {MOST_STEPS}")


def _way(lm: LanguageModel, ends: Sequence[Vector], layer: int, steps: int, kind: str) -> Queries:
    """(m, d) the points; both ends are the concepts' own states, bit for bit."""
    shares = np.linspace(0, 1, steps)
    centre = np.zeros(lm.dim)
    if kind == "centred":
        states = np.stack([concept.states[0] for concept in concepts(lm, NOUNS, [layer])])
        centre = states.mean(axis=0, dtype=np.float64)
    start, end = (it.astype(np.float64) - centre for it in ends)
    line = lerp(start, end, shares) if kind == "lerp" else slerp(start, end, shares)
    points = np.ascontiguousarray(line + centre, dtype=np.float32)
    points[0], points[-1] = ends
    return points


def _noise(points: Queries) -> Floats:
    """Random directions as long as the ends are in the mean."""
    drawn = np.random.default_rng(0).normal(size=(DRAWS, points.shape[1]))
    length = np.linalg.norm(points[[0, -1]], axis=1).mean()
    drawn *= length / np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn.astype(np.float32)


def _shuffled(points: Queries) -> Floats:
    """Midpoints of the ends, each with its numbers in another order."""
    draw = np.random.default_rng(1)
    return np.stack(
        [(draw.permutation(points[0]) + draw.permutation(points[-1])) / 2 for _ in range(DRAWS)]
    ).astype(np.float32)


def _judged(shares: Shares, words: Sequence[str], examples: Sequence[str]) -> Control:
    said = tuple(words[row] for row in shares.argmax(axis=1))
    echoes = sum(is_echo(word, examples) for word in said)
    return Control(said, float(entropy(shares).mean()), echoes)


def _kept(own: Sequence[int], shares: Shares) -> list[int]:
    """Rows of the words that are kept: the ends' own, then the likeliest of each step."""
    return list(dict.fromkeys([*own, *likeliest(shares, TOP).ravel().tolist()]))


def _cosines(points: Queries) -> Floats:
    """(m, 2) of each point to both ends."""
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(unit @ unit[[0, -1]].T, dtype=np.float32)


# ------------------------------------------------------------------------------------- kept


def between_key(reference: str, a: str, b: str, layer: int | None, steps: int, kind: str) -> str:
    """Where the store keeps a way. Raises UnknownTeacher, TeacherUnavailable."""
    asked = (" ".join(a.split()), " ".join(b.split()), layer, steps, kind)
    return store_key("between-2", speaker_identity(reference), *map(repr, asked))


def has_between(
    workspace: "Workspace", reference: str, a: str, b: str, layer: int | None, steps: int, kind: str
) -> bool:
    """Whether it can be shown at once."""
    return workspace.store.has("between", between_key(reference, a, b, layer, steps, kind))


def kept_between(
    workspace: "Workspace",
    reference: str,
    a: str,
    b: str,
    layer: int | None = None,
    steps: int = STEPS,
    kind: str = "lerp",
    progress: Progress = silent,
) -> Between:
    """The same, from the store where it is there."""
    require_asked((a, b), steps, kind)
    key = between_key(reference, a, b, layer, steps, kind)
    return workspace.kept(
        "between",
        key,
        read=lambda: _read(workspace, key),
        make=lambda: between(reference, a, b, layer, steps, kind, progress),
        write=lambda made: _write(workspace, key, made),
    )


ARRAYS = ("t", "shares", "entropy", "cosines", "norms", "full")


def _write(workspace: "Workspace", key: str, between: Between) -> None:
    said = asdict(between)
    arrays = {name: said.pop(name) for name in ARRAYS}
    workspace.store.save("between", key, arrays, None, said)


def _read(workspace: "Workspace", key: str) -> Between:
    stored = workspace.store.load("between", key)
    try:
        said = dict(stored.payload)
        controls = {
            name: Control(**{**said.pop(name), "words": tuple(stored.payload[name]["words"])})
            for name in ("noise", "shuffled")
        }
        lists = {
            name: tuple(tuple(it) if isinstance(it, list) else it for it in value)
            for name, value in said.items()
            if isinstance(value, list)
        }
        arrays = {name: stored.arrays[name] for name in ARRAYS}
        return Between(**{**said, **lists, **controls, **arrays})
    except (KeyError, TypeError, AttributeError):
        raise StoreError(f"found no whole way under {key}; expected one: make it again") from None
