"""Vectors from spelling: a text's grams have vectors, and their sum is a guess at the text's own.

    guess(text) = mean + (sum of its grams' vectors / root of their number) B

B holds the directions along which the teacher varies most. The grams' vectors are a ridge
regression, and then every direction is told how far it can be trusted: by guesses at words no
form of which was learnt from. What is kept of a gram is finer the more often it occurs, and is
entropy-coded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.lemmas import held_out_rows
from core.students.base import SEEDS
from core.students.checkpoint import Checkpoints
from core.students.coding.coded_matrix import CodedMatrix
from core.students.coding.step_search import TRIES, Tried, search
from core.students.subwords.conjugate_gradients import TrainingStage, ridge
from core.students.subwords.ngrams import Bags, Grams
from core.students.training import PREVIEWED
from core.types import Coords, Matrix, Progress, Queries, QueryCoords, Rows, Vector, silent

Array = npt.NDArray[Any]

RANK = 192  # directions at most; in those after them spelling says next to nothing
PENALTY = 2.0  # of the ridge, in units of a typical text's squared features
ROUNDS, QUICK_ROUNDS = 12, 6
ASKED_SHARE = 0.2  # of the word families, kept from a first ridge to see what to trust
FEWEST_ASKED = 20
TRUST = 27_000.0  # asked words that the draw to one trust for all directions weighs as much as
ANOTHER = 0x5EED  # so that these families are drawn apart from those that are held out
BYTES_A_GRAM = 16  # what a gram with its vector should cost, to decide how many there are
QUICK_GRAMS = 40_000
OTHER_BYTES = 2_000  # names, header, description, tables of the coder
LOUDNESS = 0.5  # by what power of its count a gram is told more finely
LEVELS = 20  # doublings of a gram's count
FINEST = 2**-12  # the smallest step, in deviations
SAMPLED = 8_000  # grams on which the step is searched first
CAUTION = 0.985  # of the room, for the sample, so that the first coding of all fits
CALM = 6.0  # times as much may be left as the search would leave: codings take seconds
PART = "weights.spelling"


@dataclass(frozen=True, eq=False)
class Spelling:
    """Everything that is needed to guess. Make one with :func:`learn`, store it with `pressed`."""

    grams: Grams
    levels: npt.NDArray[np.uint8]  # (f,) floor of the binary logarithm of each place's count
    vectors: npt.NDArray[np.float32]  # (f, p)
    basis: npt.NDArray[np.float32]  # (p, d) orthonormal rows
    mean: Vector  # (d,)
    coded: CodedMatrix | None = None

    def coordinates(self, bags: Bags) -> Coords:
        """(n, p) guesses along the basis, the mean left out; each text's by itself."""
        return np.asarray(features_of(bags, len(self.grams)) @ self.vectors, dtype=np.float32)

    def guess(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32; the mean for a text of which nothing is known."""
        found = self.coordinates(self.grams.bags(texts)) @ self.basis + self.mean
        return np.ascontiguousarray(found, dtype=np.float32)

    @cached_property
    def _order(self) -> Array:
        """Places by level, in a level by hash: how they are stored, so that levels cost nothing."""
        return np.argsort(self.levels[: len(self.grams.hashes)], kind="stable")

    def pressed(self, room: int, progress: Progress = silent) -> "Spelling":
        """The same as it comes back from disk, in at most ``room`` bytes of :meth:`arrays`."""
        basis = _from_bytes(*_as_bytes(self.basis))
        small = replace(self, basis=basis)
        least = sum(a.nbytes for a in small._small().values())
        coded = _coded_within(small._scaled(), room - least, progress)
        return replace(small, coded=coded, vectors=small._unscaled(coded))

    def _scales(self) -> Array:
        """(f, 1) what a vector is multiplied by before it is rounded."""
        scales: Array = np.exp2(self.levels * LOUDNESS).astype(np.float32)
        return scales[:, None]

    def _places(self) -> Array:
        shared = np.arange(len(self.grams.hashes), len(self.grams))
        return np.concatenate([self._order, shared])

    def _scaled(self) -> Coords:
        scaled: Coords = (self.vectors * self._scales())[self._places()]
        return scaled

    def _unscaled(self, coded: CodedMatrix) -> Coords:
        vectors: Coords = np.empty((len(self.grams), coded.k), np.float32)
        vectors[self._places()] = coded.rows(np.arange(len(self.grams), dtype=np.int64))
        vectors /= self._scales()
        return vectors

    def _small(self) -> dict[str, Array]:
        codes, scales = _as_bytes(self.basis)
        return {
            f"{PART}.grams": Grams(self.grams.hashes[self._order]).packed(),
            f"{PART}.basis": codes,
            f"{PART}.scales": scales,
            f"{PART}.mean": self.mean,
        }

    def arrays(self) -> dict[str, Array]:
        """What has to be kept; after :meth:`pressed`."""
        if self.coded is None:
            raise InvalidSpecification("found vectors that are not rounded; expected pressed(...)")
        return {**self._small(), **self.coded.arrays(PART)}

    @property
    def payload(self) -> dict[str, Any]:
        """What has to be kept beside the arrays, as JSON."""
        if self.coded is None:
            raise InvalidSpecification("found vectors that are not rounded; expected pressed(...)")
        own = self.levels[: len(self.grams.hashes)]
        counts = np.bincount(own, minlength=LEVELS).tolist()
        shared = int(self.levels[-1])
        return {"levels": counts, "shared_level": shared, "vectors": self.coded.payload}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], payload: Mapping[str, Any]) -> "Spelling":
        """The inverse of :meth:`arrays` and :attr:`payload`. Raises InvalidStudent."""
        by_level = Grams.unpacked(arrays[f"{PART}.grams"]).hashes
        if sum(payload["levels"]) != len(by_level) or min(payload["levels"]) < 0:
            raise ValueError("levels of other strings")
        levels = np.repeat(np.arange(LEVELS), payload["levels"]).astype(np.uint8)
        order = np.argsort(by_level, kind="stable")
        grams = Grams(by_level[order])
        shared = np.full(len(grams) - len(by_level), payload["shared_level"], np.uint8)
        coded = CodedMatrix.restore(arrays, payload["vectors"], PART)
        made = cls(
            grams,
            np.concatenate([levels[order], shared]),
            np.zeros((0, coded.k), np.float32),
            _from_bytes(arrays[f"{PART}.basis"], arrays[f"{PART}.scales"]),
            arrays[f"{PART}.mean"],
            coded,
        )
        return replace(made, vectors=made._unscaled(coded))

    def parameters(self) -> int:
        """Numbers: the grams' vectors, the basis and the mean."""
        return int(self.vectors.size + self.basis.size + self.mean.size)


def features_of(bags: Bags, size: int) -> Any:
    """(n, size) scipy CSR: how often each text has each gram, over the root of all its grams."""
    from scipy.sparse import csr_matrix

    shape = (len(bags.counts), size)
    return csr_matrix((bags.weights, bags.places, bags.starts), shape=shape)


def least_bytes(dim: int) -> int:
    """Below this there is no room for a single direction and some grams."""
    return OTHER_BYTES + 10 * dim + 500


def learn(
    texts: Sequence[str],
    vectors: Matrix,
    rows: Rows,
    room: int,
    *,
    seed: int,
    quick: bool,
    progress: Progress,
    checkpoints: Checkpoints,
) -> Spelling:
    """A spelling in at most ``room`` bytes, learnt from some ``rows`` of (n, d) float32.

    Resumes from the checkpoints, bit for bit. Raises Cancelled and TrainingFailed as
    :func:`core.students.subwords.conjugate_gradients.ridge` does.
    """
    read, known = [texts[row] for row in rows], vectors[rows]
    mean = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    basis = _principal(known - mean, _rank(room, vectors.shape[1]))
    most = (room - basis.size - OTHER_BYTES) // BYTES_A_GRAM
    grams = Grams.commonest(read, min(most, QUICK_GRAMS) if quick else most, least=1)
    bags = grams.bags(read)
    counts = np.bincount(bags.places, minlength=len(grams))
    features, gains = _weighted(bags, counts)
    targets = np.ascontiguousarray((known - mean) @ basis.T)
    shown = np.linspace(0, len(rows) - 1, min(len(rows), PREVIEWED)).astype(np.int64)

    def preview(weights: QueryCoords) -> tuple[Rows, Matrix]:
        guesses = np.asarray(features[shown] @ weights) @ basis + mean
        return rows[shown], guesses.astype(np.float32)

    rounds = QUICK_ROUNDS if quick else ROUNDS
    total = 2 * rounds + TRIES
    first = TrainingStage("seeing what to trust", 0, rounds, total, progress, checkpoints, preview)
    trust = _trust(read, features, targets, seed, first)
    carried = {"trust": trust}
    second = TrainingStage(
        "learning the grams", rounds, rounds, total, progress, checkpoints, preview, carried
    )
    found = ridge(features, targets, PENALTY, second) @ trust * gains[:, None]
    levels = np.minimum(np.log2(np.maximum(counts, 1)), LEVELS - 1).astype(np.uint8)
    levels[len(grams.hashes) :] = levels[len(grams.hashes) :].max()

    def rounding(done: int, total: int, message: str) -> bool:
        return progress(2 * rounds + done, 2 * rounds + total, message)

    return Spelling(grams, levels, found, basis, mean).pressed(room, rounding)


def _weighted(bags: Bags, counts: Array) -> tuple[Any, npt.NDArray[np.float32]]:
    """The features with each gram's surprise, a typical text's of length 1; and the gains."""
    from scipy.sparse import diags

    n = len(bags.counts)
    surprise = np.log(max(n, 2) / np.clip(counts, 1, max(0.5 * n, 1))).astype(np.float32)
    plain = features_of(bags, len(counts))
    weighted = (plain @ diags(surprise)).tocsr()
    size = float(np.sqrt(weighted.multiply(weighted).sum() / max(n, 1)) or 1.0)
    gains = (surprise / size).astype(np.float32)
    return (weighted / np.float32(size)).tocsr().astype(np.float32), gains


def _trust(
    texts: Sequence[str], features: Any, targets: Coords, seed: int, course: TrainingStage
) -> npt.NDArray[np.float32]:
    """(p, p) by which guesses are corrected: the ridge from guesses at unseen words to the truth.

    Drawn to one factor for all directions, the more the fewer words were asked.
    """
    found = course.checkpoints.restore()
    if found is not None and "trust" in found[0]:
        return found[0]["trust"].astype(np.float32)
    p = targets.shape[1]
    asked = held_out_rows(texts, ASKED_SHARE, (seed + ANOTHER) % SEEDS)
    taught = np.setdiff1d(np.arange(len(texts)), asked)
    if len(asked) < FEWEST_ASKED or not len(taught):
        return np.eye(p, dtype=np.float32)
    weights = ridge(features[taught], targets[taught], PENALTY, course)
    guesses = np.asarray(features[asked] @ weights, dtype=np.float64)
    square, cross = guesses.T @ guesses, guesses.T @ targets[asked].astype(np.float64)
    whole = float(np.trace(square))
    if not whole > 0:
        return np.eye(p, dtype=np.float32)
    factor = max(float(np.trace(cross)) / whole, 0.0)
    drawn = TRUST / len(asked) * whole / p * np.eye(p)
    return np.linalg.solve(square + drawn, cross + factor * drawn).astype(np.float32)


def _rank(room: int, dim: int) -> int:
    """Directions that a basis of a fifth of the room has place for."""
    return int(np.clip(room // 5 // (dim + 4), 1, min(RANK, dim)))


def _principal(centred: Matrix, rank: int) -> npt.NDArray[np.float32]:
    """(rank, d) orthonormal rows along which (n, d) varies most, each with a sign that is fixed."""
    spread = centred.T.astype(np.float64) @ centred
    _, directions = np.linalg.eigh(spread)
    basis = directions[:, ::-1][:, :rank].T
    signs = np.sign(basis[np.arange(rank), np.abs(basis).argmax(axis=1)])
    return np.ascontiguousarray(basis * signs[:, None], dtype=np.float32)


def _as_bytes(
    basis: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    scales = (np.abs(basis).max(axis=1) / 127).astype(np.float32)
    return np.round(basis / scales[:, None]).astype(np.int8), scales


def _from_bytes(codes: Array, scales: Array) -> npt.NDArray[np.float32]:
    return (codes.astype(np.float32) * scales[:, None]).astype(np.float32)


def _coded_within(matrix: Coords, room: int, progress: Progress) -> CodedMatrix:
    """The finest coding that fits ``room`` bytes. Raises InvalidSpecification, Cancelled."""

    def attempts(rows: Coords) -> Callable[[float], Tried[CodedMatrix]]:
        share = max(room, 1) * len(rows) / len(matrix)
        share *= 1 if rows is matrix else CAUTION

        def make(step: float) -> Tried[CodedMatrix]:
            coded = CodedMatrix.fit(rows, step, states=1, rounds=1)
            excess = float(np.log(coded.nbytes / share))
            return Tried(step, excess if excess > 0 else excess / CALM, coded)

        return make

    typical = float(np.sqrt(np.square(matrix, dtype=np.float64).mean())) or 1.0
    sample = matrix[:: max(1, len(matrix) // SAMPLED)]
    floor, said = typical * FINEST, "rounding the grams"
    near = search(attempts(sample), typical, floor, False, progress, said)
    step = typical if near is None else near.step
    best = search(attempts(matrix), step, floor, False, progress, said)
    if best is None:
        raise InvalidSpecification(
            f"found {room:,} bytes for the vectors of {len(matrix):,} grams; expected more: give "
            "more bytes per item"
        )
    return best.made
