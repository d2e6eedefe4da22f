"""How faithful a student's vectors are to the teacher's: direction, error, neighbours, rank.

Two questions, two functions. :func:`fidelity` compares two whole tables: are a word's neighbours
in the student's own table the ones that it has in the teacher's? :func:`held_out_fidelity` takes
vectors of a few items, which the student may never have seen, and puts them among the *teacher's*
rows: does the vector land where the true one lies?
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors
from core.metrics.intervals import Interval, interval
from core.spaces.linalg import row_lengths, unit_rows
from core.spaces.neighbors import nearest
from core.spaces.space import frozen
from core.types import (
    GraphIndices,
    Matrix,
    Progress,
    Queries,
    QueryIndices,
    QueryScores,
    Rows,
    Scores,
    silent,
    tell,
)

DEPTHS = (1, 10, 100)
NEAR = 10  # neighbours kept, to name those lost and gained
QUERIES = 2_000  # rows asked for their neighbours; recall@10 is then sure to about 0.01
BLOCK_ROWS = 4096
ASKED_AT_ONCE = 256
TIE = 1e-6  # cosines closer than this are the same cosine
NOTHING = 1e-6  # of the mean length: shorter than this is no direction

OWN_TABLE = "the student's vectors among the student's vectors"
TEACHERS_TABLE = "the student's vectors among the teacher's vectors"


@dataclass(frozen=True, eq=False)
class Fidelity:
    """How faithful; of n items, r of which were asked for their neighbours.

    ``relative_error``: sum |x - s|^2 / sum |x - mean|^2 with the mean of the teacher's table: 0
    is perfect, 1 is what the mean alone would give. ``cosine``, ``cosine_centred``: mean over
    items, -1 to 1, centred with the teacher's mean taken from both. ``recall``: for 1, 10 and
    100, the share of an item's nearest in the teacher's table that are its nearest in ``table``,
    which says in what the student's vectors were looked up; NaN where an item has no more than k
    others, since all of them are then its nearest whatever the vectors are.
    ``ranks``: (r,) place of the true item when the student's vector asks the teacher's table, 1
    the best. Per item: ``residual`` and ``spread`` (n,) lengths of x - s and x - mean,
    ``cosines`` (n,). Per question: ``rows`` (r,), ``kept`` {k: (r,)} recall of each, and the ten
    nearest then and now, ``true`` and ``found`` (r, 10).
    """

    table: str
    relative_error: float
    cosine: float
    cosine_centred: float
    recall: Mapping[int, float]
    ranks: QueryScores
    residual: Scores
    spread: Scores
    cosines: Scores
    cosines_centred: Scores
    rows: Rows
    kept: Mapping[int, QueryScores]
    true: QueryIndices
    found: QueryIndices

    @property
    def items(self) -> int:
        """n, items compared."""
        return len(self.residual)

    @property
    def sampled(self) -> bool:
        """Whether fewer items than there are were asked for their neighbours."""
        return len(self.rows) < self.items

    @property
    def rank_median(self) -> float:
        """The place of the true item for half of the questions."""
        return float(np.median(self.ranks))

    def in_top(self, places: int) -> float:
        """Share of the questions whose true item is among so many nearest teacher's rows; NaN where
        there are no more rows than that, among which it is for certain."""
        certain = self.true.shape[1] < min(places, NEAR)
        return float("nan") if certain else float((self.ranks <= places).mean())

    def lost(self, question: int) -> list[int]:
        """Rows that were among the ten nearest of ``rows[question]`` and no longer are."""
        return [int(it) for it in self.true[question] if it not in self.found[question]]

    def gained(self, question: int) -> list[int]:
        """Rows that are among the ten nearest of ``rows[question]`` and were not."""
        return [int(it) for it in self.found[question] if it not in self.true[question]]

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95% bootstrap intervals over items, or over questions where those were sampled."""
        judged = self.ranks if self.in_top(NEAR) >= 0 else self.ranks[:0]  # NaN: none could be bad
        return {
            "relative_error": interval(
                np.square(self.residual, dtype=np.float64),
                over=np.square(self.spread, dtype=np.float64),
            ),
            "cosine": interval(self.cosines),
            "cosine_centred": interval(self.cosines_centred),
            **{f"recall_{k}": interval(kept[~np.isnan(kept)]) for k, kept in self.kept.items()},
            "true_word_in_top_10": interval(judged <= NEAR),
        }

    def report(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "items": self.items,
            "relative_error": self.relative_error,
            "cosine": self.cosine,
            "cosine_centred": self.cosine_centred,
            "recall": {str(k): share for k, share in self.recall.items()},
            "rank_median": self.rank_median,
            "true_word_first": self.in_top(1),
            "true_word_in_top_10": self.in_top(10),
            "neighbours_of": self.table,
            "queries": len(self.rows),
            "intervals": {name: it.report() for name, it in self.intervals.items()},
        }


def fidelity(
    teacher: Matrix,
    student: Matrix,
    *,
    rows: Rows | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Fidelity:
    """Compare two tables of the same items, (n, d) each, neighbours each in its own table.

    Errors and cosines are over all items. Neighbours and ranks are exact, asked for ``rows``;
    without any, for all items up to 2,000, else for 2,000 drawn with ``seed``. Raises
    InvalidVectors where the student's are not finite or of another shape, Cancelled when
    ``progress`` answers False.
    """
    _require_same_shape(teacher, student)
    asked = sample_rows(len(teacher), seed) if rows is None else rows
    mean = teacher.mean(axis=0, dtype=np.float64).astype(np.float32)
    unit_teacher, unit_student = unit_rows(teacher), unit_rows(student)
    return _measured(
        OWN_TABLE,
        mean,
        (teacher, student),
        (unit_teacher, unit_student[asked]),
        (unit_student, unit_student[asked]),
        asked,
        progress,
    )


def held_out_fidelity(
    teacher: Matrix,
    rows: Rows,
    student: Queries,
    *,
    progress: Progress = silent,
) -> Fidelity:
    """How near the student's vectors (r, d) come to the teacher's ``rows`` of ``teacher`` (n, d).

    Every row is asked. Neighbours: those of the true vector among all of the teacher's other
    rows, against those of the student's vector among the same rows. The mean behind the relative
    error is that of the whole table: 1 is what one gives who knows nothing of the item.
    """
    theirs = np.ascontiguousarray(teacher[rows])
    _require_same_shape(theirs, student)
    mean = teacher.mean(axis=0, dtype=np.float64).astype(np.float32)
    unit = unit_rows(teacher)
    asking = unit_rows(student)
    return _measured(
        TEACHERS_TABLE, mean, (theirs, student), (unit, asking), (unit, asking), rows, progress
    )


def overlap(true: GraphIndices, graph_indices: GraphIndices) -> Scores:
    """(n,) share of each row's k neighbours in ``true`` (n, k) that are in ``found`` too.

    >>> overlap(np.array([[1, 2]], np.int32), np.array([[2, 3]], np.int32)).tolist()
    [0.5]
    """
    if true.shape[1] == 0:  # one item has no neighbour to lose
        return np.ones(len(true), np.float32)
    both = np.concatenate([np.sort(true, axis=1), graph_indices], axis=1)
    both.sort(axis=1, kind="stable")
    shared = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    share: Scores = (shared / true.shape[1]).astype(np.float32)
    return share


def sample_rows(n: int, seed: int, most: int = QUERIES) -> Rows:
    """Rows to ask, in order: all of n where those are no more than ``most``."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _measured(
    table: str,
    mean: npt.NDArray[np.float32],
    pair: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    truth: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    looked_up: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    rows: Rows,
    progress: Progress,
) -> Fidelity:
    """``truth``: the teacher's unit rows and who asks them; ``looked_up``: those of ``table``."""
    residual, spread, cosines, centred = _per_item(*pair, mean)
    ranks, true, found = _neighbours(truth, looked_up, rows, progress)
    kept = {
        k: overlap(np.ascontiguousarray(true[:, :k]), np.ascontiguousarray(found[:, :k]))
        if k < len(truth[0]) - 1
        else np.full(len(rows), np.nan, np.float32)
        for k in DEPTHS
    }
    return Fidelity(
        table=table,
        relative_error=_relative_error(residual, spread, pair[0]),
        cosine=float(cosines.mean(dtype=np.float64)),
        cosine_centred=float(centred.mean(dtype=np.float64)),
        recall={k: round(float(share.mean(dtype=np.float64)), 6) for k, share in kept.items()},
        ranks=frozen(ranks),
        residual=frozen(residual),
        spread=frozen(spread),
        cosines=frozen(cosines),
        cosines_centred=frozen(centred),
        rows=rows,
        kept={k: frozen(share) for k, share in kept.items()},
        true=frozen(true[:, :NEAR].copy()),
        found=frozen(found[:, :NEAR].copy()),
    )


def _per_item(
    teacher: Matrix, student: Matrix, mean: npt.NDArray[np.float32]
) -> tuple[Scores, Scores, Scores, Scores]:
    """(n,) each: lengths of x - s and of x - mean, cosines of x and s, and of both centred."""
    n = len(teacher)
    residual, spread, cosines, centred = (np.empty(n, np.float32) for _ in range(4))
    length = float(row_lengths(teacher[:BLOCK_ROWS]).mean())
    for start in range(0, n, BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        x, s = teacher[part].astype(np.float64), student[part].astype(np.float64)
        residual[part] = np.linalg.norm(x - s, axis=1)
        spread[part] = np.linalg.norm(x - mean, axis=1)
        cosines[part] = _cosines(x, s, length)
        centred[part] = _cosines(x - mean, s - mean, length)
    return residual, spread, cosines, centred


def _cosines(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], length: float
) -> npt.NDArray[np.float64]:
    """Row by row. Two rows without a direction are alike (1), one of them alone is not (0)."""
    long_a, long_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    none_a, none_b = long_a <= NOTHING * length, long_b <= NOTHING * length
    products = np.einsum("nd,nd->n", a, b) / np.where(none_a | none_b, 1, long_a * long_b)
    kept: npt.NDArray[np.float64] = np.where(none_a | none_b, none_a & none_b, products)
    return np.clip(kept, -1, 1)


def _relative_error(residual: Scores, spread: Scores, teacher: npt.NDArray[np.float32]) -> float:
    """A space that is one point has nothing to explain: there the lengths stand in its place."""
    lost = float(np.square(residual, dtype=np.float64).sum())
    there = float(np.square(spread, dtype=np.float64).sum())
    lengths = float(np.square(teacher, dtype=np.float64).sum())
    if there <= NOTHING**2 * lengths:
        there = lengths
    return lost / there if there else lost


def _neighbours(
    truth: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    looked_up: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    rows: Rows,
    progress: Progress,
) -> tuple[QueryScores, QueryIndices, QueryIndices]:
    """(r,) ranks of the true items; (r, 100) nearest others by the teacher; by the student."""
    unit, asking = truth
    k = max(0, min(max(DEPTHS), len(unit) - 1))
    ranks = np.empty(len(rows), np.float32)
    true, found = (np.empty((len(rows), k), np.int32) for _ in range(2))
    for start in range(0, len(rows), ASKED_AT_ONCE):
        tell(progress, start, len(rows), "comparing neighbours")
        part = slice(start, start + ASKED_AT_ONCE)
        true[part] = others(unit, unit[rows[part]], rows[part], k)
        found[part] = others(looked_up[0], looked_up[1][part], rows[part], k)
        scores = asking[part] @ unit.T  # (b, n)
        own = scores[np.arange(len(scores)), rows[part]]
        ranks[part] = 1 + (scores > own[:, None] + TIE).sum(axis=1)
    return ranks, true, found


def others(unit: Matrix, asking: Queries, own: Rows, k: int) -> QueryIndices:
    """(b, k) the rows nearest to each query, its own row left out."""
    near, _ = nearest(unit, asking, k + 1)
    mine = near == own[:, None]
    mine[~mine.any(axis=1), -1] = True  # not among its own nearest: the farthest goes
    return np.ascontiguousarray(near[~mine].reshape(len(near), k))


def _require_same_shape(teacher: npt.NDArray[np.float32], student: npt.NDArray[np.float32]) -> None:
    if teacher.shape != student.shape:
        raise InvalidVectors(
            f"found {student.shape} for a teacher of {teacher.shape}; expected one vector of the "
            "teacher's dimensions for each item: pass the items in the teacher's order"
        )
    bad = np.flatnonzero(~np.isfinite(student).all(axis=1))
    if len(bad):
        raise InvalidVectors(
            f"found NaN or infinity in the student's row {bad[0]} ({len(bad)} such rows); expected "
            "finite numbers: train it again"
        )
