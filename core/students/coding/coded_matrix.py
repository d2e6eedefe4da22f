"""A matrix of real numbers as few bits: quantised on a trellis, entropy-coded in blocks of rows.

Every coefficient has a class by its column (and by its row's label, where rows have labels), and
every class a table of frequencies that was counted, not assumed. Rows are coded in blocks, each
of which can be read by itself, so that reading one row costs one block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidStudent
from core.students.coding.frequency_tables import Model, estimate, initial
from core.students.coding.prefix_prediction import GRADES, Relatives
from core.students.coding.trellis import compiled, decode, encode, quantise, sources, trellis
from core.types import Coords, QueryCoords, Rows

Array = npt.NDArray[Any]

BLOCK = 128  # rows: what a block costs by itself (6 bytes) against what one row costs to read
MOST_ROWS = 1 << 16  # of a block
ROUNDS = 4
STATES = 8  # of the trellis: more gain little and take longer to encode, never to decode
SAMPLED = 6_000  # rows on which the tables are first counted
PRICE = 0.45  # squared half steps that a bit is worth


@dataclass(frozen=True, eq=False)
class CodedMatrix:
    """(n, k) numbers, coded. Make one with :meth:`fit`; :meth:`rows` reads.

    ``step`` is the width of a quantiser's cell: without a trellis the squared error of a
    coefficient that is not mostly zero is near step squared / 12. ``means`` (components, k) is
    what the rows of each label are coded around.

    >>> matrix = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    >>> coded = CodedMatrix.fit(matrix, 0.5)
    >>> bool(np.abs(coded.rows(np.arange(500)) - matrix).max() < 1), coded.nbytes < 500 * 4
    (True, True)
    """

    step: float
    block: int
    model: Model
    means: npt.NDArray[np.int8]  # (components, k), in half steps
    relatives: Relatives
    stream: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.unsignedinteger[Any]]  # (blocks,) words of each

    @classmethod
    def fit(
        cls,
        matrix: Coords,
        step: float,
        *,
        labels: Rows | None = None,
        means: npt.NDArray[np.int8] | None = None,
        relatives: Relatives | None = None,
        states: int = STATES,
        block: int = BLOCK,
        price: float = PRICE,
        rounds: int = ROUNDS,
    ) -> "CodedMatrix":
        """Quantise and code (n, k) float32. ``labels`` (n,) in 0..components-1; ``means`` of them.

        ``relatives`` says from which earlier row of its block a row is predicted. ``states`` is 1
        (scalar quantiser), 4, 8, 16, 32 or 64; ``rounds`` is how often the tables are counted anew
        from what the quantiser chose with the last ones.
        """
        known = np.zeros(len(matrix), np.int64) if labels is None else labels
        means = np.zeros((known.max() + 1, matrix.shape[1]), np.int8) if means is None else means
        relatives = relatives or Relatives.none(len(matrix))
        scaled = _Scaled(matrix / np.float32(step / 2), known, means, relatives)
        sample = scaled.some(block, SAMPLED)
        model = initial(scaled.residuals(), known, len(means), states)
        for _ in range(rounds):
            model = sample.improved(model, price)
        model = scaled.improved(model, price)
        chosen, _, _ = scaled.quantised(model, price)
        stream, lengths = _encoded(model, chosen, known, block)
        return cls(float(step), block, model, means, relatives, stream, lengths)

    @property
    def k(self) -> int:
        """Columns."""
        return int(self.means.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of :meth:`arrays`."""
        return sum(array.nbytes for array in self.arrays("").values())

    @property
    def nbytes_of_rows(self) -> int:
        """Bytes that grow with the number of rows."""
        return int(self.stream.nbytes + self.lengths.nbytes)

    @cached_property
    def _begins(self) -> Array:
        """(blocks + 1,) where each block begins in the stream."""
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    def arrays(self, part: str) -> dict[str, Array]:
        """What has to be kept, under "part.name"."""
        return {
            f"{part}.stream": self.stream,
            f"{part}.lengths": self.lengths,
            f"{part}.model": self.model.packed(self.means),
        }

    @property
    def payload(self) -> dict[str, Any]:
        """What has to be kept beside the arrays, as JSON."""
        return {
            "rows": len(self.relatives.before),
            "step": self.step,
            "block": self.block,
            "gains": self.relatives.steps.tolist(),
        }

    @classmethod
    def restore(
        cls,
        arrays: Mapping[str, Array],
        payload: Mapping[str, Any],
        part: str = "codes",
        texts: Sequence[str] = (),
    ) -> "CodedMatrix":
        """The inverse of :meth:`arrays` and :attr:`payload`. Raises InvalidStudent.

        ``texts`` are what the rows were predicted by, where they were.
        """
        model, means = Model.unpacked(arrays[f"{part}.model"])
        stream, lengths = arrays[f"{part}.stream"], arrays[f"{part}.lengths"]
        n, block, step = int(payload["rows"]), int(payload["block"]), float(payload["step"])
        typed = stream.dtype == np.uint16 and lengths.dtype.kind == "u"
        if not (typed and stream.ndim == lengths.ndim == 1 and np.isfinite(step) and step > 0):
            raise InvalidStudent("found codes of another type; expected those that were written")
        if n < 0 or not 0 < block <= MOST_ROWS or n > MOST_ROWS * max(len(lengths), 1):
            raise InvalidStudent(f"found {n} rows in blocks of {block}; expected some in each")
        if len(lengths) != -(-n // block) or int(lengths.sum(dtype=np.int64)) != len(stream):
            raise InvalidStudent(
                f"found {len(lengths)} blocks of codes in {len(stream)} words; expected "
                f"{-(-n // block)} that fill them: train the student again"
            )
        steps = np.array(payload["gains"], dtype=np.uint8)
        if len(steps) not in (0, GRADES):
            raise InvalidStudent(f"found {len(steps)} gains; expected none, or {GRADES}")
        relatives = Relatives.of(texts, block).scaled(steps) if len(steps) else Relatives.none(n)
        if len(relatives.before) != n:
            raise InvalidStudent(
                f"found codes of {n:,} rows and {len(texts):,} texts; expected as many of each: "
                "train the student again"
            )
        return cls(step, block, model, means, relatives, stream, lengths)

    def rows(self, indices: Rows) -> QueryCoords:
        """(m, k) float32: the rows of some indices, each block read once and no further than
        needed."""
        out = np.empty((len(indices), self.k), np.float32)
        if not len(indices):
            return out
        if not 0 <= indices.min() <= indices.max() < len(self.relatives.before):
            raise IndexError(f"row {indices.max()} of {len(self.relatives.before)}")
        order = np.argsort(indices, kind="stable")
        blocks, firsts = np.unique(indices[order] // self.block, return_index=True)
        for which, picked in zip(blocks, np.split(order, firsts[1:]), strict=True):
            inside = indices[picked] - which * self.block
            out[picked] = self._read(int(which), int(inside[-1]) + 1)[inside]
        return out

    def _read(self, which: int, count: int) -> Coords:
        """The first ``count`` rows of a block."""
        points = np.empty((count, self.k), np.float32)
        rows = slice(which * self.block, which * self.block + count)
        compiled(decode)(
            self.stream,
            int(self._begins[which]),
            count,
            self.model.classes,
            self.model.shifts,
            self.model.most,
            self.model.starts,
            self.model.label_starts,
            trellis(self.model.states),
            self.model.pulls,
            self.means.astype(np.float32),
            self.relatives.before[rows],
            self.relatives.gains[rows],
            points,
        )
        points *= np.float32(self.step / 2)
        return points


@dataclass(frozen=True, eq=False)
class _Scaled:
    """What is to be coded, in half steps, with all that is known about its rows."""

    matrix: Coords
    labels: Rows
    means: npt.NDArray[np.int8]
    relatives: Relatives

    def some(self, block: int, most: int) -> "_Scaled":
        """Whole blocks, evenly taken, of at most about ``most`` rows."""
        blocks = -(-len(self.matrix) // block)
        every = max(1, blocks // max(1, most // block))
        taken = np.flatnonzero(np.arange(len(self.matrix)) // block % every == 0)
        return _Scaled(
            self.matrix[taken], self.labels[taken], self.means, self.relatives.take(taken)
        )

    def residuals(self) -> Coords:
        """What is left to tell, as if rows were predicted from exact ones."""
        return self.matrix - self.relatives.predicted(self.matrix) - self.means[self.labels]

    def quantised(self, model: Model, price: float) -> tuple[Array, Array, Coords]:
        """(n, k) int16 chosen; (n, 2) squared error and bits of rows; (n, k) what was left."""
        values = np.array(self.matrix, np.float32)
        chosen, totals = np.zeros(values.shape, np.int16), np.zeros((len(values), 2))
        compiled(quantise)(
            values,
            self.means.astype(np.float32),
            self.relatives.before,
            self.relatives.gains,
            self.labels,
            model.classes,
            model.shifts,
            model.most,
            model.bits,
            model.pulls,
            sources(model.states),
            float(price),
            chosen,
            totals,
        )
        return chosen, totals, values

    def improved(self, model: Model, price: float) -> Model:
        """The model counted anew."""
        chosen, _, left = self.quantised(model, price)
        return estimate(model, left, chosen, self.labels)


def _encoded(
    model: Model, chosen: Array, labels: Rows, block: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.unsignedinteger[Any]]]:
    most = block * (chosen.shape[1] * 24 + 1) + 8  # pushes of one block, at the worst
    words, pushes = np.zeros(most, np.uint16), np.zeros((2, most), np.int64)
    pieces = []
    for start in range(0, len(chosen), block):
        count = compiled(encode)(
            chosen[start : start + block],
            labels[start : start + block],
            model.classes,
            model.shifts,
            model.most,
            model.starts,
            model.label_starts,
            trellis(model.states),
            words,
            pushes,
        )
        pieces.append(words[len(words) - count :].copy())
    lengths = np.array([len(piece) for piece in pieces])
    return np.concatenate(pieces), lengths.astype(np.min_scalar_type(int(lengths.max())))
