"""The probability model of the entropy coder: classes, their tables of frequencies, and bytes.

Frequencies are kept as logarithms in sixteenths of a bit, one byte each, and made into whole
numbers that sum to 2^15 by integer arithmetic, so that every machine decodes with the same tables.
"""

import lzma
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidStudent
from core.students.coding.trellis import (
    POLYNOMIALS,
    PRECISION,
    SKIPPED,
    WIDTH,
    compiled,
    tally,
    trellis,
)
from core.types import Coords, Rows

Array = npt.NDArray[Any]

FILTERS: list[dict[str, Any]] = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0}]
LEVELS = np.array([round(2 ** (u / 16)) for u in range(256)], dtype=np.int64)  # of a frequency
PULL = 128  # parts of a half step in which the pull of a point is counted
MOST_BYTES = 1 << 28  # of a code table unpacked: more is damage
MOST_SHIFTED = 16  # low bits sent as they are
PER_OCTAVE = 3  # classes for each doubling of the deviation
WIDEST = 6.0  # deviation in half steps above which low bits are sent as they are


@dataclass(frozen=True, eq=False)
class Model:
    """What the coder knows about the numbers before it sees them."""

    states: int
    classes: npt.NDArray[np.uint8]  # (components, k)
    shifts: Array  # (t,) int64
    most: Array  # (t,) int64
    levels: npt.NDArray[np.uint8]  # (t, 2, WIDTH) frequencies as logarithms
    drawn: npt.NDArray[np.uint8]  # (t, 2) pulls in 1/128
    label_levels: npt.NDArray[np.uint8]  # (components,)

    @cached_property
    def starts(self) -> Array:
        """(2t, WIDTH + 1) int64: cumulated frequencies, table 2 class + quantiser."""
        found = np.zeros((2 * len(self.most), WIDTH + 1), np.int64)
        for t, most in enumerate(self.most):
            for which in range(2):
                found[2 * t + which, : most + 2] = cumulated(self.levels[t, which, : most + 1])
                found[2 * t + which, most + 2 :] = 1 << PRECISION
        return found

    @cached_property
    def label_starts(self) -> Array:
        """(components + 1,) int64."""
        return cumulated(self.label_levels)

    @cached_property
    def bits(self) -> npt.NDArray[np.float32]:
        """(t, 2, WIDTH): what a magnitude costs, its sign included."""
        frequencies = np.diff(self.starts, axis=1).reshape(-1, 2, WIDTH)
        costs = PRECISION - np.log2(np.maximum(frequencies, 2**-20))
        costs[:, :, 1:] += 1
        return costs.astype(np.float32)

    @cached_property
    def pulls(self) -> npt.NDArray[np.float32]:
        """(t, 2): how far the points of magnitude 1, and above, are drawn towards zero."""
        return self.drawn.astype(np.float32) / np.float32(PULL)

    def packed(self, means: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
        """Everything as bytes; ``means`` (components, k) go with it."""
        components, k = self.classes.shape
        sizes = np.array([self.states, components, k, len(self.most)], dtype=np.uint32)
        used = [self.levels[t, :, : m + 1].ravel() for t, m in enumerate(self.most)]
        differences = np.diff(self.classes, axis=1, prepend=np.zeros_like(self.classes[:, :1]))
        pieces = [
            *(self.shifts.astype(np.uint8), self.most.astype(np.uint8), self.drawn.ravel()),
            *(self.label_levels, differences.ravel()),
            *(means.view(np.uint8).ravel(), *used),
        ]
        body = lzma.compress(np.concatenate(pieces).tobytes(), lzma.FORMAT_RAW, filters=FILTERS)
        return np.frombuffer(sizes.tobytes() + body, np.uint8).copy()

    @classmethod
    def unpacked(cls, array: npt.NDArray[np.uint8]) -> tuple["Model", npt.NDArray[np.int8]]:
        """The inverse of :meth:`packed`. Raises InvalidStudent."""
        try:
            states, components, k, t = np.frombuffer(array[:16].tobytes(), np.uint32).tolist()
            most_bytes = t * (4 + 2 * WIDTH) + components * (1 + 2 * k)
            if not (components and 0 < t < SKIPPED and most_bytes <= MOST_BYTES):
                raise ValueError
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
            content = np.frombuffer(
                unpacker.decompress(array[16:].tobytes(), most_bytes + 1), np.uint8
            )
            cuts = np.cumsum([t, t, 2 * t, components, components * k, components * k])
            shifts, most, drawn, labels, classes, means, used = np.split(content, cuts)
            levels, at = np.zeros((t, 2, WIDTH), np.uint8), 0
            for index, m in enumerate(most.tolist()):
                levels[index, :, : m + 1] = used[at : at + 2 * m + 2].reshape(2, m + 1)
                at += 2 * m + 2
            whole = np.cumsum(classes.reshape(components, k), axis=1, dtype=np.uint8)
            if states not in (1, *POLYNOMIALS) or at != len(used):
                raise ValueError
            # The compiled loop checks no bounds: what it looks up by has to be there.
            if not (0 < most.min() <= most.max() < WIDTH and shifts.max() <= MOST_SHIFTED):
                raise ValueError
            if (whole[whole != SKIPPED] >= t).any() or len(labels) != components:
                raise ValueError
        except (lzma.LZMAError, ValueError, EOFError):
            raise InvalidStudent(
                "found a code table that does not unpack; expected the bytes that were packed: "
                "copy the student again, or train it again"
            ) from None
        model = cls(
            states, whole, shifts.astype(np.int64), most.astype(np.int64), levels,
            drawn.reshape(t, 2), labels,
        )  # fmt: skip
        return model, means.view(np.int8).reshape(components, k)


def cumulated(levels: npt.NDArray[np.uint8]) -> Array:
    """(s + 1,) int64: where each symbol's share of 2^15 begins; none is empty."""
    weights = LEVELS[levels]
    total, room = int(weights.sum()), (1 << PRECISION) - len(levels)
    frequencies = 1 + weights * room // max(total, 1)
    frequencies[int(np.argmax(weights))] += (1 << PRECISION) - int(frequencies.sum())
    return np.concatenate([[0], np.cumsum(frequencies)]).astype(np.int64)


def as_levels(counts: Array) -> npt.NDArray[np.uint8]:
    """Counts along the last axis as logarithms in sixteenths of a bit, the largest 240."""
    shares = counts / np.maximum(counts.max(axis=-1, keepdims=True), 1e-12)
    levels: Array = np.round(240 + 16 * np.log2(np.maximum(shares, 1e-9)))
    return np.clip(levels, 0, 240).astype(np.uint8)


def initial(values: Coords, labels: Rows, components: int, states: int) -> Model:
    """Classes by deviation, tables as of Laplace's distribution, before anything is counted."""
    k = values.shape[1]
    deviations = np.zeros((components, k))
    for c in range(components):
        mine = values[labels == c]
        if len(mine):
            deviations[c] = np.sqrt(np.square(mine, dtype=np.float64).mean(axis=0))
    grades = np.round(PER_OCTAVE * np.log2(np.maximum(deviations, 0.05))).astype(np.int64)
    found, classes = np.unique(grades, return_inverse=True)
    scale = 2.0 ** (found / PER_OCTAVE)
    shifts = np.maximum(0, np.ceil(np.log2(scale / WIDEST))).astype(np.int64)
    levels = np.stack([_laplace(scale / 2**shifts, which) for which in range(2)], axis=1)
    skipped = np.where(deviations.reshape(classes.shape) > 0, classes, SKIPPED)
    counts = np.bincount(labels, minlength=components) + 0.5
    return Model(
        states,
        skipped.reshape(components, k).astype(np.uint8),
        shifts,
        np.full(len(found), WIDTH - 1),
        levels,
        np.zeros((len(found), 2), np.uint8),
        as_levels(counts),
    )


def _laplace(deviations: Array, which: int) -> npt.NDArray[np.uint8]:
    """(t, WIDTH) what the cells of a quantiser hold of Laplace's distribution."""
    edges = np.concatenate([[0.0], np.maximum(2 * np.arange(1, WIDTH + 1) - 1 - which, 0.5)])
    beyond = np.exp(-np.sqrt(2) * edges / np.maximum(deviations, 0.2)[:, None])
    return as_levels(-np.diff(beyond, axis=1))


def estimate(model: Model, values: Coords, chosen: Array, labels: Rows) -> Model:
    """The model whose tables are counted from what was chosen, and whose classes fit best."""
    components, k = model.classes.shape
    t = len(model.most)
    counts = np.zeros((components, k, 2, WIDTH))
    pulled = np.zeros((t, 2, 2))
    _tally(model, values, chosen, labels, counts, pulled, False)
    costs = counts.reshape(-1, 2 * WIDTH) @ model.bits.reshape(t, -1).T  # (components k, t)
    old = model.classes.ravel().astype(np.int64)
    known = old != SKIPPED
    costs[known] += 1e12 * (model.shifts[None] != model.shifts[old[known], None])
    never = counts.reshape(-1, 2, WIDTH)[:, :, 1:].sum(axis=(1, 2)) == 0
    never &= ~(model.shifts[np.where(known, old, 0)] > 0)
    classes = np.where(known & ~never, costs.argmin(axis=1), SKIPPED)
    return _counted(replace(model, classes=classes.reshape(components, k).astype(np.uint8)),
                    values, chosen, labels)  # fmt: skip


def _counted(model: Model, values: Coords, chosen: Array, labels: Rows) -> Model:
    t = len(model.most)
    counts, pulled = np.zeros((t, 1, 2, WIDTH)), np.zeros((t, 2, 2))
    _tally(model, values, chosen, labels, counts, pulled, True)
    used = np.flatnonzero(np.bincount(model.classes.ravel(), minlength=256)[:t])
    used = used if len(used) else np.zeros(1, np.int64)
    renamed = np.full(256, SKIPPED, np.uint8)
    renamed[used] = np.arange(len(used))
    counts, pulled = counts[used, 0], pulled[used]
    seen = counts[:, :, : WIDTH - 1].sum(axis=1) > 0
    most = np.where(seen.any(axis=1), WIDTH - 1 - seen[:, ::-1].argmax(axis=1), 1)
    for index, m in enumerate(most):
        counts[index, :, m] = counts[index, :, m:].sum(axis=1) + 0.2  # what escapes
        counts[index, :, m + 1 :] = 0
    drawn = np.clip(np.round(PULL * pulled[:, :, 1] / np.maximum(pulled[:, :, 0], 1)), 0, 255)
    label_counts = np.bincount(labels, minlength=len(model.classes)) + 0.5
    return replace(
        model,
        classes=renamed[model.classes],
        shifts=model.shifts[used],
        most=most.astype(np.int64),
        levels=as_levels(counts + 0.3),
        drawn=drawn.astype(np.uint8),
        label_levels=as_levels(label_counts),
    )


def _tally(
    model: Model,
    values: Coords,
    chosen: Array,
    labels: Rows,
    counts: Array,
    pulled: Array,
    by_class: bool,
) -> None:
    compiled(tally)(
        values, chosen, labels, model.classes, model.shifts,
        trellis(model.states), counts, pulled, by_class,
    )  # fmt: skip
