"""How much context changes a word's vector, layer by layer.

Source: Ethayarajh 2019, arXiv:1909.00512.
"""

import numpy as np
import pandas as pd

from core.errors import InvalidSpecification
from core.signatures.isotropy import anisotropy
from core.signatures.pooling import Pooling, pool
from core.signatures.states import States
from core.spaces.linalg import unit_rows
from core.spaces.words import folded
from core.types import Matrix, Progress, silent, tell

CONTEXTS = 5  # texts that a word must occur in


def self_similarity(vectors: Matrix) -> float:
    """The mean cosine of all pairs of a word's n occurrences (n, d): 1 for a static vector."""
    n = len(vectors)
    unit = unit_rows(vectors).astype(np.float64)
    return float((np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (n * (n - 1)))


def intra_sentence_similarity(vectors: Matrix) -> float:
    """The mean cosine of a sentence's word vectors (n, d) with their own mean."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    return float(np.mean(unit_rows(vectors) @ (mean / (np.linalg.norm(mean) or 1.0))))


def explainable_variance(vectors: Matrix) -> float:
    """The share of a word's occurrences (n, d) that one static vector explains at best.

    s_1^2 / sum(s_i^2) with the singular values of the occurrences, which are not centred.
    """
    squares = np.linalg.svd(vectors.astype(np.float64), compute_uv=False) ** 2
    return float(squares[0] / (squares.sum() or 1.0))


def by_layer(
    states: States, contexts: int = CONTEXTS, seed: int = 0, progress: Progress = silent
) -> pd.DataFrame:
    """A row a layer: ``self_similarity`` and ``explainable`` averaged over words, and
    ``intra_sentence`` over texts, beside what stands for chance: ``anisotropy``, the mean cosine
    of random words, for the two similarities, and ``explainable_by_chance``, of as many.

    A word is its letters without case; measured are those in ``contexts`` texts or more, without
    position 0 of causal models. Raises InvalidSpecification where there is none, Cancelled.
    """
    found: list[dict[str, float]] = []
    for number in range(len(states.layers)):
        tell(progress, number, len(states.layers), "Measuring how much context changes words")
        spec = Pooling(unit="word", layers=(number,), skip_first=states.causal)
        made = pool(states, spec)
        vectors, table = made.vectors, made.table
        words = table.groupby(table["surface"].map(folded))
        often = words["text"].nunique()
        rows = [words.indices[word] for word in often.index[often >= max(contexts, 2)]]
        texts = table.groupby("text").indices.values()
        if not rows:
            raise InvalidSpecification(
                f"found no word in {contexts} texts or more (2 at least); expected some: read more "
                "texts, or ask for fewer contexts"
            )
        generator = np.random.default_rng(seed)
        random = [generator.choice(len(vectors), len(row), replace=False) for row in rows]
        measured = {
            "anisotropy": [anisotropy(vectors, seed=seed)],
            "self_similarity": [self_similarity(vectors[row]) for row in rows],
            "intra_sentence": [intra_sentence_similarity(vectors[row]) for row in texts],
            "explainable": [explainable_variance(vectors[row]) for row in rows],
            "explainable_by_chance": [explainable_variance(vectors[row]) for row in random],
        }
        found.append({name: float(np.mean(values)) for name, values in measured.items()})
    return pd.DataFrame(found).rename_axis("layer")
