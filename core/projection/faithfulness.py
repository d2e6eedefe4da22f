"""How true a picture is: four figures for the whole, and one for each point.

docs/faithfulness.md has the formulas, their sources, and how to read them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

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
TIE = 1e-6  # cosines closer than this are the same cosine
ROUNDING = 1e-6  # of a picture's numbers: a width below it is none
UNJUDGED = float("nan")
FEWEST = 3  # items of which a neighbour can be the wrong one


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What a picture kept. All shares from 0 to 1, 1 being perfect.

    ``trustworthiness``: points near each other in the picture are near in the space.
    ``continuity``: points near each other in the space are near in the picture.
    ``overlap``: share of the k true neighbours among the k nearest in the picture.
    ``triplets``: share of random triplets whose nearer one is the same; 0.5 is chance.
    ``per_point``: (n,) float32, each point's own overlap.
    ``sample``: rows on which trustworthiness and continuity were measured, n when exact.

    Fewer than three items, or items that are all alike, fit into any picture: of two each is the
    other's only neighbour, and no triplet can be drawn. From three on, two of them different, a
    neighbour can be the wrong one, and every figure can fall below 1. Below, k is 0 and all
    figures are NaN: no mark where none could be bad.
    """

    trustworthiness: float
    continuity: float
    overlap: float
    triplets: float
    k: int
    per_point: Scores
    sample: int

    @property
    def judged(self) -> bool:
        """Whether a picture of these items could be a bad one."""
        return self.k > 0

    @property
    def blank(self) -> bool:
        """Whether all points lie at one place, which tells nothing: all figures are 0."""
        return self.trustworthiness == self.continuity == self.overlap == 0

    @property
    def _alike(self) -> bool:
        """Whether nothing is judged though there are items enough: they all have one direction."""
        return not self.judged and self.sample >= FEWEST

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON without those of each point; None and why where nothing is judged."""
        said = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "per_point"
        }
        if self.judged:
            return said
        marks = dict.fromkeys(("trustworthiness", "continuity", "overlap", "triplets"))
        note = "all items are alike: none to judge" if self._alike else "too few items to judge"
        return {**said, **marks, "note": note}

    def sentence(self, noun: str = "item") -> str:
        """The overlap in plain words.

        >>> Faithfulness(0.8, 0.9, 0.15, 0.6, 15, np.zeros(1, np.float32), 1).sentence("word")
        "of a word's 15 true neighbours, 2.2 are near it in this picture"
        """
        if self._alike:
            return f"all {noun}s have the same direction here: where each one stands is chance"
        if not self.judged:
            return f"too few {noun}s to judge how true this picture is"
        if self.blank:
            return f"all {noun}s are drawn at one place: this picture says nothing of the space"
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

    k is clipped to less than half the items, where the formulas end, and to the graph's; with
    none left, as of fewer than three items, nothing is judged. Up to
    3000 items everything is exact; above, trustworthiness and continuity take exact ranks on a
    sample of rows drawn with ``seed``. Of items that are equal in the space any stands for the
    others; points that only the picture puts at one place are no nearer than chance. Raises
    InvalidVectors when the coordinates do not fit the space, Cancelled when ``progress`` answers
    False.

    Sources: Venna & Kaski 2001 (trustworthiness, continuity); Wang and others 2021 (triplets).
    """
    n = len(space)
    if len(coords) != n or len(graph) != n or not np.isfinite(coords).all():
        raise InvalidVectors(
            f"found {len(coords)} points and a graph of {len(graph)} for {n} items; expected one "
            "finite point and one row for each item: pass this space's own picture and graph"
        )
    k = max(0, min(k, graph.k, (n - 1) // 2))
    if k == 0 or float(np.ptp(space.unit, axis=0).max()) <= TIE:
        none = frozen(np.full(n, UNJUDGED, np.float32))
        return Faithfulness(UNJUDGED, UNJUDGED, UNJUDGED, UNJUDGED, 0, none, n)
    if float(np.ptp(coords, axis=0).max()) <= ROUNDING * float(np.abs(coords).max()):
        return Faithfulness(0.0, 0.0, 0.0, 0.0, k, frozen(np.zeros(n, np.float32)), n)
    near = picture_neighbors(coords, k)
    true = graph.indices[:, :k]
    per_point = _overlap(space, graph, near)
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
    """Each point's k nearest others in the picture (n, k), by Euclidean distance, nearest first.

    Of points at one place any may come first: their order in the file says nothing, so it is mixed.
    """
    from scipy.spatial import cKDTree

    mixed = np.random.default_rng(0).permutation(len(coords)).astype(np.int32)
    _, found = cKDTree(coords[mixed]).query(coords, k + 1, workers=-1)
    found = mixed[found]
    own = found == np.arange(len(coords), dtype=np.int32)[:, None]
    own[~own.any(axis=1), -1] = True  # among many equal points its own row may not be found
    return np.ascontiguousarray(found[~own].reshape(len(coords), k))


def _overlap(space: Space, graph: NeighborGraph, near: GraphIndices) -> Scores:
    """Share of the k true neighbours among ``near``; where the k-th is one of several equals, each
    of those is as true."""
    k = near.shape[1]
    true, least = graph.indices[:, :k], graph.cosines[:, k - 1] - TIE
    kept = np.zeros(len(true), np.int32)
    for column in near.T:
        kept += (true == column[:, None]).any(axis=1)
    tied = np.flatnonzero(graph.cosines[:, k] >= least) if graph.k > k else np.empty(0, np.int64)
    for rows in np.array_split(tied, 1 + tied.size * k * space.dim // BLOCK_CELLS):
        cosines = np.einsum("bd,bkd->bk", space.unit[rows], space.unit[near[rows]])
        kept[rows] = (cosines >= least[rows, None]).sum(axis=1)
    overlap: Scores = (kept / k).astype(np.float32)
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
    stacked = len(np.unique(coords, axis=0)) < n
    intruders = missing = 0.0
    for part in _parts(rows, n):
        if not progress(int(np.searchsorted(rows, part[0])), len(rows), "measuring the map"):
            raise Cancelled("found a stop while measuring the map; start again to go on")
        away = -(unit[part] @ unit.T)  # (b, n): smaller is nearer
        intruders += _excess(away, part, near[part], k)
        drawn = _distances(coords, part)
        missing += _excess(drawn, part, true[part], k, away if stacked else None)
    scale = 2 / (len(rows) * k * (2 * n - 3 * k - 1))
    return 1 - scale * intruders, 1 - scale * missing


def _parts(rows: Rows, n: int) -> Iterator[Rows]:
    size = max(1, BLOCK_CELLS // n)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _excess(
    away: npt.NDArray[np.floating],
    part: Rows,
    others: npt.NDArray[np.int32],
    k: int,
    apart: npt.NDArray[np.floating] | None = None,
) -> float:
    """Sum over all pairs of max(0, rank - k); rank 1 is the nearest, equals share the best rank.

    Of equals that lie farther off by ``apart`` half are counted as nearer: their order is chance.
    """
    away[np.arange(len(part)), part] = np.inf  # an item is not its own neighbour
    total = 0.0
    for column in others.T:
        chosen = column[:, None].astype(np.int64)
        at = np.take_along_axis(away, chosen, axis=1)
        rank = 1.0 + np.count_nonzero(away < at, axis=1)
        if apart is not None:
            farther = apart > np.take_along_axis(apart, chosen, axis=1) + TIE
            rank += np.count_nonzero((away == at) & farther, axis=1) / 2
        total += float(np.maximum(0, rank - k).sum())
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
