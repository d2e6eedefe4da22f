"""Texts longer than a model reads at once: overlapping windows, and what is made of them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from core.errors import InvalidSpecification
from core.signatures.hidden import FULL, Plan, Reader, ReadSpec, Window, read
from core.signatures.pooling import Pooling, Signatures, pool
from core.signatures.states import States
from core.types import Progress, QueryCoords, Scores, silent

OVERLAP = 0.25  # of a window


def document_states(
    texts: Sequence[str],
    reader: Reader,
    spec: ReadSpec = FULL,
    *,
    size: int = 0,
    overlap: int | None = None,
    folder: Path | None = None,
    progress: Progress = silent,
) -> States:
    """The states of texts of any length, read in windows of ``size`` tokens, special ones counted.

    With 0 a window is as long as the model reads at once. Neighbouring windows share ``overlap``
    tokens or more, a quarter of a window by default, and each token is taken once, see
    :func:`windows`. A text that fits one window has the states of hidden_states. Raises what
    hidden_states raises, and InvalidSpecification for a size or overlap out of range.
    """
    if not 0 <= size <= reader.window:
        raise InvalidSpecification(
            f"found windows of {size} tokens; expected at most {reader.window}, which "
            f"{reader.name} reads at once: take shorter ones"
        )

    plan = sliding(reader, overlap)
    return read(texts, reader, spec, plan, size or reader.window, folder, progress)


def sliding(reader: Reader, overlap: int | None) -> Plan:
    """The plan that reads a text of any length in windows; None shares a quarter of a window."""

    def plan(_: int, length: int, room: int) -> list[Window]:
        shared = int(OVERLAP * room) if overlap is None else overlap
        return windows(length, room, shared, reader.causal)

    return plan


def windows(length: int, room: int, overlap: int, causal: bool = False) -> list[Window]:
    """Windows of ``room`` tokens over ``length``; the last one is moved back to be full.

    Each token is taken from the window where the poorer of its two sides has most tokens; where
    only the left side is seen (``causal``), from the one that has most there, the earliest.

    >>> windows(10, 6, 2)
    [Window(start=0, stop=6, first=0, last=5), Window(start=4, stop=10, first=5, last=10)]
    """
    if not 0 <= overlap < room:
        raise InvalidSpecification(
            f"found an overlap of {overlap} tokens; expected 0 to {room - 1}, less than a window "
            "has room for: share fewer"
        )
    if length <= room:
        return [Window(0, length, 0, length)]
    starts = [*range(0, length - room, room - overlap), length - room]
    # Windows have one length, so the richer poorer side is that of the nearer middle.
    cuts = [
        left + room if causal else (left + right + room) // 2 for left, right in pairwise(starts)
    ]
    edges = zip(starts, [0, *cuts], [*cuts, length], strict=True)
    return [Window(start, start + room, first, last) for start, first, last in edges]


def document_signatures(
    states: States, spec: Pooling, weights: Scores | None = None
) -> tuple[QueryCoords, Signatures]:
    """(m, p) one vector a text, and those of its windows in order.

    A window's vector is pooled over the tokens taken from it, so that each counts once; the
    text's is their mean weighted by the numbers of tokens, which for "mean" is the plain mean.
    """
    parts = pool(states, replace(spec, unit="window"), weights)
    begins = np.flatnonzero(np.diff(parts.table["text"], prepend=-1))
    tokens = parts.table["tokens"].to_numpy(np.float64)[:, None]
    sums = np.add.reduceat(parts.vectors * tokens, begins)
    return (sums / np.add.reduceat(tokens, begins)).astype(np.float32), parts
