"""Trajectories with a planted difference between kinds of text."""

import numpy as np
import pandas as pd

from core.pipeline.trajectories.samples import KINDS, TEXTS
from core.pipeline.trajectories.statistics import (
    LOCAL,
    QUANTITIES,
    Laws,
)


def planted(difference, n=40, seed=0, part="held out"):
    """Laws of noise, where sampled text turns by so much more and step goes with turn."""
    generator = np.random.default_rng(seed)
    base = generator.normal(size=n)
    rows = []
    for kind in KINDS:
        for document in range(n):
            noise = generator.normal(size=len(QUANTITIES))
            row = dict(zip(QUANTITIES, base[document] + 0.3 * noise, strict=True))
            row["turn"] += difference * (kind == "sampled")
            if kind not in TEXTS:
                row["entropy"] = np.nan
            pairs = [f"{a}~{b}" for k, a in enumerate(LOCAL) for b in LOCAL[k + 1 :]]
            row |= {pair: 0.1 * generator.normal() for pair in pairs}
            row["step~turn"] += 0.4
            rows.append({"document": str(document), "kind": kind, **row})
    flat = np.zeros((len(TEXTS), n, 3), np.float32)
    paths = np.zeros((len(KINDS), 1, 4, 2), np.float32)
    return Laws("m", 2, part, pd.DataFrame(rows), flat, paths, 0.3, {}, 0, 1.0)
