"""The rivals: what coders without gradients make of the same table in the same bytes.

Each is charged for everything that has to be kept: codes, codebooks, bases and scales at 16 bits,
and the vocabulary, but not for names and headers, which no student is spared. Spaces larger than
a sample are coded whole, with codebooks learnt on the sample.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from core.spaces.space import Space
from core.students.coding.lloyd_max import LloydMax, lloyd_max_coder
from core.types import Matrix, Progress, Rows, silent, tell

SAMPLE = 12_000  # rows that codebooks are learnt on
HALF = 2  # bytes of a 16-bit float
CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # of a row's largest entry, tried for its scale
KMEANS_ROUNDS = 6
BEAM = 2  # of the residual quantiser's search; 4 took twice as long
LARGE = 100_000  # items; from there codebooks of 256 entries weigh little
INT8 = 127
FEWEST = 4  # items; fewer have no codebooks to learn

Array = npt.NDArray[np.float32]
Coded = tuple[int, Array]


@dataclass(frozen=True, eq=False)
class Rival:
    """A table coded and decoded: ``vectors`` (n, d), and ``bytes_total`` with the vocabulary.

    ``method`` is the curve that it belongs to, ``name`` the point on it, ``note`` what it does in
    plain words.
    """

    name: str
    method: str
    note: str
    bytes_total: int
    vectors: Matrix


@dataclass(frozen=True)
class _Method:
    title: str
    note: str
    points: tuple[tuple[str, Callable[[Matrix], Coded]], ...]


def rivals(
    space: Space,
    vocabulary_bytes: int,
    progress: Progress = silent,
    skip: Collection[str] = (),
) -> Iterator[Rival]:
    """Every rival at several sizes, one after the other, the quick ones first.

    Those whose names are in ``skip`` are known already and left out.

    Sizes go with the dimensions: about d/16 to d bytes an item. Deterministic. Raises Cancelled
    between two of them when ``progress`` answers False.
    """
    methods = _methods(len(space), space.dim)
    if len(space) < FEWEST:
        methods = [method for method in methods if "quantisation" not in method.title]
    total = sum(len(method.points) for method in methods)
    scale = float(np.sqrt(np.mean(np.square(space.vectors, dtype=np.float64)))) or 1.0
    scaled = (space.vectors / np.float32(scale)).astype(np.float32)  # whose halves never overflow
    done = 0
    for method in methods:
        for detail, code in method.points:
            tell(progress, done, total, f"coding by {method.title}, {detail}")
            done += 1
            if f"{method.title}, {detail}" in skip:
                continue
            size, vectors = code(scaled)
            yield Rival(
                name=f"{method.title}, {detail}",
                method=method.title,
                note=method.note,
                bytes_total=vocabulary_bytes + size + 4,
                vectors=np.ascontiguousarray(vectors * np.float32(scale), dtype=np.float32),
            )


def _methods(n: int, d: int) -> list[_Method]:
    pieces = _divisors_near(d, (d / 12, d / 8, d / 6, d / 4))
    kept = sorted({max(1, round(d * share)) for share in (0.1, 0.2, 0.35, 0.6)})
    budgets = sorted({max(1, round(d * share)) for share in (1 / 12, 1 / 6, 1 / 4, 1 / 3)})
    shared = sorted({max(1, round(n * share)) for share in (0.03, 0.1, 0.25)})
    centres = [count for count in (256, 1024) if 4 * count <= n] or [max(1, n // 4)]
    stages = sorted({max(1, d // 24), max(1, d // 12)})
    return [
        _Method(
            "whole numbers",
            "Every number of a row is rounded to a few bits; each row has its own scale.",
            tuple((f"{bits} bits", partial(whole_numbers, bits=bits)) for bits in (8, 4, 3)),
        ),
        _Method(
            "fewer axes",
            "PCA keeps the axes along which the items differ most, eight bits for each.",
            tuple((f"{keep} axes", partial(principal_axes, keep=keep)) for keep in kept),
        ),
        _Method(
            "transform coder",
            "PCA, then more bits for the axes that matter more: the bar that a student must pass.",
            tuple(
                (f"{budget} bytes", partial(transform_coder, budget=budget)) for budget in budgets
            ),
        ),
        _Method(
            "hashing trick",
            "Items share rows by chance, as their hash falls; nothing is kept for an item itself.",
            tuple((f"{rows:,} rows", partial(hashed_rows, rows=rows)) for rows in shared),
        ),
        _Method(
            "k-means",
            "Items that lie together share one vector; each keeps the number of its group.",
            tuple((f"{count:,} groups", partial(k_means, groups=count)) for count in centres),
        ),
        _Method(
            "product quantisation",
            "Each row is cut in pieces; a piece is one of 256 from a list (Jegou and others 2011).",
            tuple(
                (f"{piece} pieces", partial(product_quantiser, pieces=piece)) for piece in pieces
            ),
        ),
        _Method(
            "rotated product quantisation",
            "The same after a rotation that makes the pieces easier (OPQ, Ge and others 2013).",
            tuple(
                (f"{piece} pieces", partial(product_quantiser, pieces=piece, rotated=True))
                for piece in pieces[:3:2]
            ),
        ),
        _Method(
            "residual quantisation",
            "A row is a sum: each term mends what those before it left (Chen and others 2010).",
            tuple(
                (
                    f"{stage} terms",
                    partial(residual_quantiser, terms=stage, bits=8 if n > LARGE else 6),
                )
                for stage in stages
            ),
        ),
    ]


def whole_numbers(x: Matrix, bits: int) -> Coded:
    """Symmetric rounding of (n, d) to ``bits``, one 16-bit scale a row, clipped where it pays."""
    n, d = x.shape
    top = 2 ** (bits - 1) - 1
    largest = np.abs(x).max(axis=1, keepdims=True)
    best = np.zeros_like(x)
    least = np.full((n, 1), np.inf, np.float32)
    for clip in CLIPS if bits < 8 else CLIPS[:1]:
        step = (clip * largest / top).astype(np.float16).astype(np.float32)
        safe = np.where(step > 0, step, 1)
        rounded = np.clip(np.rint(x / safe), -top, top) * step
        error = np.square(x - rounded).sum(axis=1, keepdims=True)
        best = np.where(error < least, rounded, best)
        least = np.minimum(error, least)
    return n * math.ceil(d * bits / 8) + HALF * n, best


def principal_axes(x: Matrix, keep: int) -> Coded:
    """The first ``keep`` principal axes, each coordinate in 8 bits by the axis's own range."""
    mean, basis, _ = _pca(x)
    basis = _halved(basis[:, :keep])
    coordinates = _times(x - mean, basis)
    step = _halved(np.abs(coordinates).max(axis=0) / INT8)
    rounded = np.clip(np.rint(coordinates / np.where(step > 0, step, 1)), -INT8, INT8) * step
    axes = basis.shape[1]
    return len(x) * axes + HALF * (basis.size + mean.size + axes), rounded @ basis.T + mean


def transform_coder(x: Matrix, budget: int) -> Coded:
    """PCA, bits to the axes by greed, Lloyd and Max's levels on each: ``budget`` bytes a row."""
    mean, basis, _ = _pca(x)
    basis = _halved(basis)
    coordinates = _times(x - mean, basis)
    coder: LloydMax = lloyd_max_coder(coordinates[_sample(len(x))], 8 * budget)
    axes = int(np.count_nonzero(coder.bits))  # all of them come first: the bits fall with variance
    decoded = coder.decode(coder.encode(coordinates[:, :axes]))
    size = len(x) * budget + HALF * (basis[:, :axes].size + mean.size + coder.numbers) + axes
    return size, decoded @ basis[:, :axes].T + mean


def hashed_rows(x: Matrix, rows: int) -> Coded:
    """The mean of the items whose hash is the same, among ``rows`` (Weinberger and others 2009)."""
    bucket = np.random.default_rng(0).integers(0, rows, len(x))
    counts = np.maximum(np.bincount(bucket, minlength=rows), 1)
    sums = np.zeros((rows, x.shape[1]))
    np.add.at(sums, bucket, x)
    table = _halved((sums / counts[:, None]).astype(np.float32))
    return HALF * table.size, table[bucket]


def k_means(x: Matrix, groups: int) -> Coded:
    """One of ``groups`` centres for each item."""
    faiss = _faiss()
    learnt = faiss.Kmeans(
        x.shape[1], groups, niter=KMEANS_ROUNDS, seed=0, max_points_per_centroid=SAMPLE,
        min_points_per_centroid=1,
    )  # fmt: skip
    learnt.train(x[_sample(len(x))])
    _, nearest = learnt.index.search(x, 1)
    table = _halved(learnt.centroids)
    bits = max(1, (groups - 1).bit_length())
    return math.ceil(len(x) * bits / 8) + HALF * table.size, table[nearest[:, 0]]


def product_quantiser(x: Matrix, pieces: int, rotated: bool = False) -> Coded:
    """faiss's product quantiser with codebooks of 256 at 16 bits, after OPQ's rotation or not.

    The rotation is OPQ's parametric one, in closed form: faiss's iterations take minutes here.
    """
    faiss = _faiss()
    n, d = x.shape
    basis = _halved(_balanced(x, pieces)) if rotated else None
    turned = x if basis is None else np.ascontiguousarray(_times(x, basis))
    quantiser = faiss.ProductQuantizer(d, pieces, _code_bits(n, 8))
    quantiser.cp.niter, quantiser.cp.min_points_per_centroid = KMEANS_ROUNDS, 1
    quantiser.train(np.ascontiguousarray(turned[_sample(n)]))
    books = _round_inside(quantiser.centroids)
    decoded = quantiser.decode(quantiser.compute_codes(turned))
    size = n * quantiser.code_size + HALF * (books + (0 if basis is None else basis.size))
    return size, decoded if basis is None else decoded @ basis.T


def residual_quantiser(x: Matrix, terms: int, bits: int) -> Coded:
    """faiss's residual quantiser: ``terms`` codebooks of 2**bits rows each, at 16 bits."""
    faiss = _faiss()
    quantiser = faiss.ResidualQuantizer(x.shape[1], terms, _code_bits(len(x), bits))
    quantiser.train_type = faiss.ResidualQuantizer.Train_default
    quantiser.max_beam_size = BEAM
    quantiser.cp.niter, quantiser.cp.min_points_per_centroid = KMEANS_ROUNDS, 1
    quantiser.train(x[_sample(len(x))])
    books = _round_inside(quantiser.codebooks)
    decoded = quantiser.decode(quantiser.compute_codes(x))
    return len(x) * quantiser.code_size + HALF * books, decoded


def _pca(x: Array) -> tuple[Array, Array, Array]:
    """Mean (d,) at 16 bits, axes (d, d) in columns and variances (d,), the largest first."""
    mean = _halved(x.mean(axis=0, dtype=np.float64).astype(np.float32))
    centred = x - mean
    variances, axes = np.linalg.eigh((centred.T @ centred / len(x)).astype(np.float64))
    return (
        mean,
        np.ascontiguousarray(axes[:, ::-1], dtype=np.float32),
        variances[::-1].astype(np.float32),
    )


def _halved(array: npt.NDArray[np.floating]) -> Array:
    """As it comes back when it was kept in 16 bits."""
    return array.astype(np.float16).astype(np.float32)


def _round_inside(vector: object) -> int:
    """Round a faiss vector to 16 bits where it lies; answers how many numbers it has."""
    faiss = _faiss()
    numbers = faiss.vector_to_array(vector)
    faiss.copy_array_to_vector(_halved(numbers), vector)
    return len(numbers)


def _balanced(x: Array, pieces: int) -> Array:
    """(d, d) principal axes dealt out so that all pieces have variances of equal product.

    Ge and others 2013, section 3.2.2: the largest axis left goes to the piece whose product is
    the smallest and that still has room.
    """
    _, axes, variances = _pca(x)
    logs = np.log(np.maximum(variances, 1e-12 * variances.max() + 1e-30))
    logs += 1 - logs.min()  # of positive numbers only, so that an empty piece is the smallest
    room = x.shape[1] // pieces
    dealt: list[list[int]] = [[] for _ in range(pieces)]
    sums = np.zeros(pieces)
    for axis, worth in enumerate(logs):
        piece = int(np.argmin(np.where([len(it) < room for it in dealt], sums, np.inf)))
        dealt[piece].append(axis)
        sums[piece] += worth
    return np.ascontiguousarray(axes[:, [axis for piece in dealt for axis in piece]])


def _times(x: npt.NDArray[np.floating], basis: Array) -> Array:
    found: Array = (x @ basis).astype(np.float32, copy=False)
    return found


def _faiss() -> Any:
    """Its own annotations are of the C++ functions, not of what Python calls."""
    import faiss

    return faiss


def _sample(n: int) -> Rows:
    if n <= SAMPLE:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))


def _code_bits(n: int, most: int) -> int:
    """A codebook has no more entries than a quarter of the items that it is learnt on."""
    return max(1, min(most, int(math.log2(max(n / 4, 2)))) if n >= 2 else 0)


def _divisors_near(d: int, wanted: tuple[float, ...]) -> list[int]:
    """Divisors of d, nearest by ratio to each number wanted.

    >>> _divisors_near(50, (4.0, 8.0, 25.0))
    [5, 10, 25]
    """
    divisors = [at for at in range(1, d + 1) if d % at == 0]
    return sorted(
        {min(divisors, key=lambda it: abs(math.log(it / max(want, 1)))) for want in wanted}
    )
