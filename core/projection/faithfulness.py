"""How true a picture is: four figures for the whole, and one for each point.

docs/faithfulness.md has the formulas, their sources, and how to read them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, InvalidVectors
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Space, frozen
from core.types import Coords, GraphIndices, Progress, Rows, Scores, silent

EXACT_UP_TO = 3000  # items; above, ranks are taken on a sample of rows, against all items
SAMPLE_ROWS, FEWEST_ROWS, SAMPLE_CELLS = 1000, 200, 30_000_000
TRIPLETS = 50_000
BLOCK_CELLS = 2**22  # 32 MB of float64


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What a picture kept. All shares from 0 to 1, 1 being perfect.

    ``trustworthiness``: points near each other in the picture are near in the space.
    ``continuity``: points near each other in the space are near in the picture.
    ``overlap``: share of the k true neighbours among the k nearest in the picture.
    ``triplets``: share of random triplets whose nearer one is the same; 0.5 is chance.
    ``per_point``: (n,) float32, each point's own overlap.
    ``sample``: rows on which trustworthiness and continuity were measured, n when exact.
    """

    trustworthiness: float
    continuity: float
    overlap: float
    triplets: float
    k: int
    per_point: Scores
    sample: int

    def sentence(self, noun: str = "item") -> str:
        """The overlap in plain words.

        >>> Faithfulness(0.8, 0.9, 0.15, 0.6, 15, np.zeros(1, np.float32), 1).sentence("word")
        "of a word's 15 true neighbours, 2.2 are near it in this picture"
        """
        if self.k == 0:
            return f"too few {noun}s to say how true this picture is"
        article = "an" if noun[:1].lower() in "aeiou" else "a"
        kept = f"{self.overlap * self.k:.1f}"
        return f"of {article} {noun}'s {self.k} true neighbours, {kept} are near it in this picture"


def faithfulness(
    space: Space,
    graph: NeighborGraph,
    coords: Coords,
    k: int = 15,
    seed: int = 0,
    progress: Progress = silent,
) -> Faithfulness:
    """Measure the picture ``coords`` (n, p) of ``space`` against its true neighbours.

    k is clipped to less than half the items, where the formulas end, and to the graph's. Up to
    3000 items everything is exact; above, trustworthiness and continuity take exact ranks on a
    sample of rows drawn with ``seed``. Raises InvalidVectors when the coordinates do not fit the
    space, Cancelled when ``progress`` answers False.

    Sources: Venna & Kaski 2001 (trustworthiness, continuity); Wang and others 2021 (triplets).
    """
    n = len(space)
    if len(coords) != n or len(graph) != n or not np.isfinite(coords).all():
        raise InvalidVectors(
            f"found {len(coords)} points and a graph of {len(graph)} for {n} items; expected one "
            "finite point and one row for each item: pass this space's own picture and graph"
        )
    k = max(0, min(k, graph.k, (n - 1) // 2))
    if k == 0:
        return Faithfulness(1.0, 1.0, 1.0, 1.0, 0, frozen(np.ones(n, np.float32)), n)
    near = picture_neighbors(coords, k)
    true = graph.indices[:, :k]
    per_point = _overlap(true, near)
    rows = _sample(n, seed)
    trust, continuity = _rank_measures(space, coords, true, near, rows, progress)
    return Faithfulness(
        trustworthiness=trust,
        continuity=continuity,
        overlap=float(per_point.mean(dtype=np.float64)),
        triplets=_triplets(space, coords, seed),
        k=k,
        per_point=frozen(per_point),
        sample=len(rows),
    )


def picture_neighbors(coords: Coords, k: int) -> GraphIndices:
    """Each point's k nearest others in the picture (n, k), by Euclidean distance, nearest first."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(coords).query(coords, k + 1, workers=-1)
    found = found.astype(np.int32)
    own = found == np.arange(len(coords), dtype=np.int32)[:, None]
    own[~own.any(axis=1), -1] = True  # among many equal points its own row may not be found
    return np.ascontiguousarray(found[~own].reshape(len(coords), k))


def _overlap(true: GraphIndices, near: GraphIndices) -> Scores:
    kept = np.zeros(len(true), np.int32)
    for column in near.T:
        kept += (true == column[:, None]).any(axis=1)
    overlap: Scores = (kept / true.shape[1]).astype(np.float32)
    return overlap


def _sample(n: int, seed: int) -> Rows:
    if n <= EXACT_UP_TO:
        return np.arange(n)
    rows = max(FEWEST_ROWS, min(SAMPLE_ROWS, SAMPLE_CELLS // n))
    return np.sort(np.random.default_rng(seed).choice(n, rows, replace=False))


def _rank_measures(
    space: Space,
    coords: Coords,
    true: GraphIndices,
    near: GraphIndices,
    rows: Rows,
    progress: Progress,
) -> tuple[float, float]:
    """Trustworthiness and continuity: how far down the others' list each neighbour stands."""
    n, k = true.shape
    exact = len(rows) == n  # in float64 then, which changes nothing but ties
    unit = space.unit.astype(np.float64) if exact else space.unit
    intruders = missing = 0
    for part in _parts(rows, n):
        if not progress(int(np.searchsorted(rows, part[0])), len(rows), "measuring the map"):
            raise Cancelled("found a stop while measuring the map; start again to go on")
        away = -(unit[part] @ unit.T)  # (b, n): smaller is nearer
        intruders += _excess(away, part, near[part], k)
        missing += _excess(_distances(coords, part), part, true[part], k)
    scale = 2 / (len(rows) * k * (2 * n - 3 * k - 1))
    return 1 - scale * intruders, 1 - scale * missing


def _parts(rows: Rows, n: int) -> Iterator[Rows]:
    size = max(1, BLOCK_CELLS // n)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _excess(
    away: npt.NDArray[np.floating], part: Rows, others: npt.NDArray[np.int32], k: int
) -> int:
    """Sum over all pairs of max(0, rank - k); rank 1 is the nearest, equals share the best rank."""
    away[np.arange(len(part)), part] = np.inf  # an item is not its own neighbour
    total = 0
    for column in others.T:
        at = np.take_along_axis(away, column[:, None].astype(np.int64), axis=1)
        rank = 1 + np.count_nonzero(away < at, axis=1)
        total += int(np.maximum(0, rank - k).sum())
    return total


def _distances(coords: Coords, part: Rows) -> npt.NDArray[np.float64]:
    """Squared distances (b, n) in the picture, by differences: float64 keeps near ties apart."""
    squares = np.zeros((len(part), len(coords)))
    for axis in coords.T.astype(np.float64):
        squares += np.square(axis[part, None] - axis[None, :])
    return squares


def _triplets(space: Space, coords: Coords, seed: int) -> float:
    """Share of random triplets (i, j, l) on which space and picture agree which is nearer to i.

    A tie on one side only counts half.
    """
    n = len(space)
    generator = np.random.default_rng(seed)
    anchor = generator.integers(0, n, TRIPLETS)
    one = (anchor + generator.integers(1, n, TRIPLETS)) % n
    other = (anchor + generator.integers(1, n, TRIPLETS)) % n
    kept = one != other
    anchor, one, other = anchor[kept], one[kept], other[kept]
    agreed = 0.0
    for chunk in np.array_split(np.arange(len(anchor)), 1 + len(anchor) * space.dim // BLOCK_CELLS):
        a, j, l = anchor[chunk], one[chunk], other[chunk]  # noqa: E741
        toward = np.einsum("td,td->t", space.unit[a], space.unit[j] - space.unit[l])
        apart = np.square(coords[a] - coords[l]).sum(1) - np.square(coords[a] - coords[j]).sum(1)
        agreed += float((1 - np.abs(np.sign(toward) - np.sign(apart)) / 2).sum())
    return agreed / len(anchor)
