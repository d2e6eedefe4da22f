"""How well a student ranks likeness: the cosines of pairs, its own against the teacher's."""

from typing import Any

import numpy as np

from core.spaces.linalg import unit_rows
from core.types import Queries, Rows

PAIRS = 20_000  # of held-out items, for the rank correlation of their cosines


def pair_spearman(teacher: Queries, student: Queries, seed: int = 0) -> float:
    """Rank correlation of the cosines of pairs, (m, d) each: how well likeness is ranked.

    All pairs where they are few, else 20,000 drawn with ``seed``; NaN below three items.
    """
    from scipy.stats import spearmanr

    m = len(teacher)
    if m < 3:
        return float("nan")
    one, other = np.triu_indices(m, 1) if m <= 200 else _drawn(m, seed)
    both = [_cosines(vectors, one, other) for vectors in (teacher, student)]
    return float(spearmanr(*both).statistic)


def _drawn(m: int, seed: int) -> tuple[Rows, Rows]:
    generator = np.random.default_rng(seed)
    one = generator.integers(0, m, PAIRS)
    return one, (one + generator.integers(1, m, PAIRS)) % m


def _cosines(vectors: Queries, one: Rows, other: Rows) -> Any:
    unit = unit_rows(vectors)
    return np.einsum("pd,pd->p", unit[one], unit[other])
