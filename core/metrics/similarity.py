"""How alike two spaces are when turning, moving or scaling one of them is forgiven.

Linear CKA, RSA and the Procrustes residual see the same thing from three sides. All three are
kind: a student can score 0.99 on them and give vectors that are of no use in the teacher's place.
Cosine, relative error and recall (core/metrics/fidelity.py) stand beside them for that reason, and
so does the null, which is what items in random order would score.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors
from core.spaces.linalg import unit_rows
from core.types import Coords, Matrix, Queries, Rows, Vector

HELD_OUT_PAIRS = 20_000  # of held-out items, for the rank correlation of their cosines
PAIRS = 100_000  # of items; Spearman's standard error is then about 0.003
FEWEST = 3  # items; any two lie on any other two, turned, moved and scaled
FEWEST_UNBIASED = 4  # items; below, the unbiased estimate divides by zero

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The turn, scale and shift that bring b nearest to a, in D = max(d, p) dimensions.

    ``rotation`` is (D, D) orthogonal (reflections allowed); ``residual`` is the share of a's
    variance that is left, 0 to 1; the smaller space is padded with zeros.
    """

    rotation: npt.NDArray[np.float32]
    scale: float
    residual: float
    mean_a: Vector
    mean_b: Vector

    def apply(self, b: Coords) -> Matrix:
        """(n, D) float32: vectors of b's space in a's place."""
        moved = padded(b, len(self.rotation)) - self.mean_b
        return (self.scale * (moved @ self.rotation) + self.mean_a).astype(np.float32)


@dataclass(frozen=True)
class Similarity:
    """The three, and what each gives when b's items stand in random order (``null``)."""

    cka: float
    cka_debiased: float
    rsa: float
    procrustes: float
    null: dict[str, float]

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def similarity(a: Matrix, b: Coords, seed: int = 0) -> Similarity:
    """All three for two spaces over the same items, (n, d) and (n, p), beside their null.

    NaN below three items: two spaces of two items are alike whatever they hold, CKA 1 and residual
    0. The debiased CKA needs four.
    """
    if len(a) < FEWEST:
        null = dict.fromkeys(("cka", "cka_debiased", "rsa", "procrustes"), math.nan)
        return Similarity(math.nan, math.nan, math.nan, math.nan, null)
    mixed = b[np.random.default_rng(seed).permutation(len(b))]
    null = {
        "cka": linear_cka(a, mixed),
        "cka_debiased": linear_cka(a, mixed, debiased=True),
        "rsa": rsa(a, mixed, seed),
        "procrustes": procrustes(a, mixed).residual,
    }
    debiased = linear_cka(a, b, debiased=True)
    if len(a) < FEWEST_UNBIASED:
        debiased = null["cka_debiased"] = math.nan
    return Similarity(linear_cka(a, b), debiased, rsa(a, b, seed), procrustes(a, b).residual, null)


def linear_cka(a: Matrix, b: Coords, *, debiased: bool = False) -> float:
    """Linear centred kernel alignment of (n, d) and (n, p): 1 for equal up to turn and scale.

    Without the Gram matrices, in O(n d p). The plain form lies in 0..1 and is above 0 even for
    unrelated spaces when n is not far above d; the debiased one is 0 there on average and can go
    below. A space without variance gives 0. Sources: Kornblith and others 2019; the unbiased
    HSIC of Song and others 2012.

    >>> a = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> round(linear_cka(a, 2 * a[:, ::-1] + 1), 6)
    1.0
    """
    _require_same_items(a, b)
    x, y = _centred(a), _centred(b)
    if not (x.any() and y.any()) or (debiased and len(x) < FEWEST_UNBIASED):
        return 0.0
    hsic = _unbiased if debiased else _biased
    own = hsic(x, x) * hsic(y, y)
    return float(hsic(x, y) / np.sqrt(own)) if own > 0 else 0.0


def rsa(a: Matrix, b: Coords, seed: int = 0) -> float:
    """Representational similarity: Spearman's rank correlation of the two spaces' distances.

    Euclidean distances between pairs of items: all pairs where they are no more than 100,000,
    else so many drawn with ``seed``. Spaces without variance or of fewer than three items give
    0. Source: Kriegeskorte and others 2008.
    """
    from scipy.stats import spearmanr

    _require_same_items(a, b)
    one, other = _pairs(len(a), seed)
    if len(one) < 3:
        return 0.0
    first, second = _distances(a, one, other), _distances(b, one, other)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)


def procrustes(a: Matrix, b: Coords) -> Alignment:
    """Bring b (n, p) onto a (n, d) by shift, scale and an orthogonal turn (Schönemann 1966).

    The residual is at most the relative error of b as it stands. Where b has no variance nothing
    can be explained: residual 1; where a has none, 0.
    """
    from scipy.linalg import svd

    _require_same_items(a, b)
    width = max(a.shape[1], b.shape[1])
    mean_a, mean_b = _mean(a), _mean(b)
    x, y = padded(_centred(a), width), padded(_centred(b), width)
    left, values, right = svd(y.T @ x)
    here, there = float(np.square(x).sum()), float(np.square(y).sum())
    scale = float(values.sum()) / there if there else 0.0
    residual = 1.0 - scale * float(values.sum()) / here if here else 0.0
    return Alignment(
        rotation=(left @ right).astype(np.float32),
        scale=scale,
        residual=min(1.0, max(0.0, residual)),
        mean_a=padded(mean_a[None], width)[0].astype(np.float32),
        mean_b=padded(mean_b[None], width)[0].astype(np.float32),
    )


def padded(vectors: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """The same rows with zeros to the right, up to ``width`` columns.

    >>> padded(np.ones((1, 1)), 3)
    array([[1., 0., 0.]])
    """
    return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))


def _biased(x: Wide, y: Wide) -> float:
    return float(np.square(x.T @ y).sum())


def _unbiased(x: Wide, y: Wide) -> float:
    """The trace of the products of both Gram matrices without their diagonals, and its terms."""
    n = len(x)
    own_x, own_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
    rows_x = x @ x.sum(axis=0) - own_x
    rows_y = y @ y.sum(axis=0) - own_y
    trace = float(np.square(x.T @ y).sum()) - float(own_x @ own_y)
    sums = float(rows_x.sum() * rows_y.sum()) / ((n - 1) * (n - 2))
    crossed = 2 * float(rows_x @ rows_y) / (n - 2)
    return (trace + sums - crossed) / (n * (n - 3))


def _pairs(n: int, seed: int, most: int = PAIRS) -> tuple[Rows, Rows]:
    """(p,) and (p,) rows of pairs among n items: all where they are no more than ``most``, else so
    many drawn with the seed."""
    if n * (n - 1) // 2 <= most:
        one, other = np.triu_indices(n, 1)
        return one, other
    generator = np.random.default_rng(seed)
    one = generator.integers(0, n, most)
    return one, (one + generator.integers(1, n, most)) % n


def _distances(
    vectors: npt.NDArray[np.float32], one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> Wide:
    found = np.empty(len(one))
    for start in range(0, len(one), 8192):
        part = slice(start, start + 8192)
        away = vectors[one[part]].astype(np.float64) - vectors[other[part]]
        found[part] = np.sqrt(np.einsum("pd,pd->p", away, away))
    return found


def _mean(vectors: npt.NDArray[np.float32]) -> Wide:
    mean: Wide = vectors.mean(axis=0, dtype=np.float64)
    return mean


def _centred(vectors: npt.NDArray[np.float32]) -> Wide:
    """In float64; a space that is one point comes out as exact zeros, not as rounding."""
    moved = vectors - _mean(vectors)
    if np.abs(moved).max() <= 1e-6 * np.abs(vectors).max():
        return np.zeros_like(moved)
    return moved


def _require_same_items(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> None:
    if len(a) != len(b):
        raise InvalidVectors(
            f"found {len(a)} items in one space and {len(b)} in the other; expected the same "
            "items in the same order: take the shared ones first"
        )


def pair_spearman(teacher: Queries, student: Queries, seed: int = 0) -> float:
    """Rank correlation of the cosines of pairs, (m, d) each: how well likeness is ranked.

    All pairs where they are few, else 20,000 drawn with ``seed``; NaN below three items.
    """
    from scipy.stats import spearmanr

    m = len(teacher)
    if m < 3:
        return float("nan")
    one, other = _pairs(m, seed, HELD_OUT_PAIRS)
    both = [_cosines(vectors, one, other) for vectors in (teacher, student)]
    return float(spearmanr(*both).statistic)


def _cosines(vectors: Queries, one: Rows, other: Rows) -> Any:
    unit = unit_rows(vectors)
    return np.einsum("pd,pd->p", unit[one], unit[other])
