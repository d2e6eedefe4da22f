"""A linear decoder and coded coefficients: what the transform and the variational student share.

    vector = mean + basis @ coefficients

The basis is coded like the coefficients are. A column whose coefficients vary much has to be
told exactly, one near the water level hardly: each is scaled by the deviation of its coefficients
before it is quantised. The step is the one at which the last bit spent on the basis saves a bit
of codes: a squared error of d / n water levels in a coefficient (minimum description length). The
coefficients are then the least squares ones on the basis as it is decoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from core.errors import InvalidStudent, UnknownItem
from core.spaces.linalg import covariance
from core.spaces.space import Space
from core.students.base import Origin, Stored, Student, StudentSpec
from core.students.coding.coded_matrix import CodedMatrix
from core.students.coding.vocabulary import Vocabulary
from core.types import Coords, Matrix, Queries, Rows, Vector

Array = npt.NDArray[Any]
Double: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Principal:
    """Principal components of n rows: axes (d, d) by column and variances (d,), largest first."""

    mean: Vector
    axes: Double
    variances: Double
    n: int

    @classmethod
    def of(cls, vectors: Matrix) -> "Principal":
        """Exact, in float64. The total of a constant table is 0, whatever rounding says."""
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        variances, axes = np.linalg.eigh(covariance(vectors, mean))
        floor = 1e-12 * float(np.square(mean, dtype=np.float64).sum()) + 1e-300
        return cls(
            mean, axes[:, ::-1], np.where(variances > floor, variances, 0)[::-1], len(vectors)
        )


@dataclass(frozen=True, eq=False)
class Basis:
    """The mean (d,), and k columns as they are decoded; none where every vector is the mean."""

    mean: Vector
    scales: npt.NDArray[np.float16]  # (k,) by which decoded columns are multiplied
    coded: CodedMatrix | None  # (d, k)

    @classmethod
    def fit(cls, principal: Principal, step: float) -> "Basis":
        """The columns whose coefficients vary by more than the water level of a step."""
        level = step**2 / 12
        k = int((principal.variances > level).sum())
        if k == 0:
            return cls(principal.mean, np.zeros(0, np.float16), None)
        shares = np.sqrt(level / principal.variances[:k])
        scales = np.maximum(shares, 1e-7).astype(np.float16)  # 1 at the level, less above
        columns = (principal.axes[:, :k] / scales.astype(np.float64)).astype(np.float32)
        coded = CodedMatrix.fit(columns, float(np.sqrt(12 / principal.n)), price=0.3)
        return cls(principal.mean, scales, coded)

    @property
    def k(self) -> int:
        """Columns."""
        return len(self.scales)

    @cached_property
    def matrix(self) -> Matrix:
        """(d, k) float32."""
        if self.coded is None:
            return np.zeros((len(self.mean), 0), np.float32)
        columns: Matrix = self.coded.rows(np.arange(len(self.mean)))
        columns *= self.scales.astype(np.float32)
        return columns

    def analysed(self, vectors: Matrix) -> Coords:
        """(n, k) float32: the least squares coefficients of vectors (n, d)."""
        inverse = np.linalg.pinv(self.matrix.astype(np.float64)).T.astype(np.float32)  # (d, k)
        return np.asarray((vectors - self.mean) @ inverse, np.float32)

    def arrays(self) -> dict[str, Array]:
        """What has to be kept."""
        kept: dict[str, Array] = {"weights.mean": self.mean}
        if self.coded is not None:
            kept |= {"weights.scales": self.scales, **self.coded.arrays("weights")}
        return kept


class LinearStudent(Student):
    """A basis and coded coefficients; the coefficients come with the largest variance first."""

    def __init__(
        self,
        spec: StudentSpec,
        origin: Origin,
        notes: Sequence[str],
        words: Vocabulary,
        basis: Basis,
        codes: CodedMatrix | None,
    ) -> None:
        super().__init__(spec, origin, notes)
        self.words, self.basis, self.codes = words, basis, codes

    @property
    def vocabulary(self) -> Sequence[str]:
        """The texts, sorted."""
        return self.words.texts

    def generate(self, texts: Sequence[str], dims: int | None = None) -> Queries:
        """(m, d) float32. With ``dims`` only the first coefficients are used: a smaller student.

        Raises UnknownItem for a text that was not among the teacher's.
        """
        rows = [self.words.find(text) for text in texts]
        if None in rows:
            raise UnknownItem(
                f"found {texts[rows.index(None)]!r:.40}, which this {self.family} student never "
                "saw; expected one of its texts: a speller or a hybrid can read others"
            )
        return self.vectors(np.array(rows, dtype=np.int64), dims)

    def vectors(self, rows: Rows, dims: int | None = None) -> Queries:
        """(m, d) float32 of places in the vocabulary."""
        coefficients = self.coefficients(rows)[:, :dims]
        matrix = self.basis.matrix[:, :dims]
        found: Queries = coefficients @ matrix.T + self.basis.mean
        return found

    def coefficients(self, rows: Rows) -> Coords:
        """(m, k) float32: what is decoded."""
        return np.zeros((len(rows), 0), np.float32) if self.codes is None else self.codes.rows(rows)

    def error_on(self, vectors: Matrix) -> float:
        """Relative error of the first rows of the codes against their vectors (n, d)."""
        wrong = spread = 0.0
        for start in range(0, len(vectors), 16_384):
            part = vectors[start : start + 16_384]
            told = self.vectors(np.arange(start, start + len(part)))
            wrong += float(np.square(part - told, dtype=np.float64).sum())
            spread += float(np.square(part - self.basis.mean, dtype=np.float64).sum())
        return wrong / spread

    def stored(self) -> Stored:
        """Vocabulary, basis, codes."""
        arrays = {"vocabulary.words": self.words.packed(), **self.basis.arrays()}
        payload: dict[str, Any] = {}
        if self.codes is not None and self.basis.coded is not None:
            arrays |= self.codes.arrays("codes")
            payload = {"codes": self.codes.payload, "weights": self.basis.coded.payload}
        return Stored(arrays, payload)

    def operations(self) -> int:
        """The product with the basis."""
        return self.dim * self.basis.k

    def parameters(self) -> int:
        """Entries of the basis and the mean; they are stored packed."""
        return self.dim * (self.basis.k + 1)


def restored(stored: Stored) -> tuple[Vocabulary, Basis, CodedMatrix | None]:
    """What :meth:`LinearStudent.stored` stored."""
    arrays: Mapping[str, Any] = stored.arrays
    words = Vocabulary.unpacked(arrays["vocabulary.words"])
    if "codes" not in stored.payload:
        return words, Basis(arrays["weights.mean"], np.zeros(0, np.float16), None), None
    columns = CodedMatrix.restore(arrays, stored.payload["weights"], "weights")
    basis = Basis(arrays["weights.mean"], arrays["weights.scales"], columns)
    codes = CodedMatrix.restore(arrays, stored.payload["codes"], "codes", words.texts)
    rows = (len(columns.relatives.before), len(codes.relatives.before))
    if rows != (len(basis.mean), len(words)) or not columns.k == codes.k == basis.k:
        raise InvalidStudent(
            f"found {rows[1]:,} rows of {codes.k} numbers for {len(words):,} texts; expected one "
            "of the basis's width for each: copy the student again"
        )
    return words, basis, codes


def duplicates(space: Space, words: Vocabulary) -> list[str]:
    """A note on texts that occur more than once, where there are any."""
    more = len(space) - len(words)
    said = f"{more:,} rows repeat a text that came before; the first row of each text is kept"
    return [said] if more else []
