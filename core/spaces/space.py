"""A space: n named items, an n x d matrix, a table about the items, and where it all came from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidVectors
from core.spaces.identity import MARK, address, addressed
from core.spaces.linalg import BLOCK_ROWS, row_lengths, unit_rows
from core.spaces.text_index import SEPARATOR, TextIndex, behind_lengths, parted
from core.types import Matrix, Rows, Scores, Vector

ArrayT = TypeVar("ArrayT", bound=npt.NDArray[np.generic])


@dataclass(frozen=True)
class Provenance:
    """Where the vectors of a space came from, in full: enough to make them again."""

    teacher: str  # the reference string, "minilm:tokens"
    model: str  # the model's own name, "sentence-transformers/all-MiniLM-L6-v2"
    revision: str = ""  # package version, commit or file digest
    layer: str = "embedding table"
    pooling: str = "none"
    seed: int | None = None
    corpus: str = ""  # digest of the word list or texts that were encoded
    licence: str = ""


@dataclass(frozen=True, eq=False)
class Space:
    """Items with vectors. Build one with :meth:`create`, which checks everything.

    ``vectors`` is (n, d) float32, C-contiguous and read-only; ``ids`` are unique; ``metadata``
    has n rows in the items' order. Two spaces are the same when their digests are.

    >>> space = Space.create(["cat", "dog"], [[1, 0], [0, 2]], Provenance("demo", "by hand"))
    >>> len(space), space.dim, space.find("Dog")
    (2, 2, 1)
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: Matrix
    metadata: pd.DataFrame
    provenance: Provenance
    digest: str = field(repr=False)

    @classmethod
    def create(
        cls,
        texts: Sequence[str],
        vectors: npt.ArrayLike,
        provenance: Provenance,
        *,
        ids: Sequence[str] | None = None,
        metadata: pd.DataFrame | None = None,
    ) -> "Space":
        """Check, freeze and digest. Raises InvalidVectors, naming the offending rows."""
        ids = texts if ids is None else ids
        matrix = _as_matrix(vectors)
        metadata = pd.DataFrame(index=range(len(texts))) if metadata is None else metadata
        if not len(texts) == len(ids) == len(matrix) == len(metadata):
            raise InvalidVectors(
                f"found {len(texts)} texts, {len(ids)} ids, {len(matrix)} vectors and "
                f"{len(metadata)} rows of metadata; expected the same number of each"
            )
        _require_finite(matrix, texts)
        _require_unique(ids)
        metadata = metadata.reset_index(drop=True)
        digest = _digest(matrix, texts, ids, metadata, provenance)
        return cls(tuple(ids), tuple(texts), matrix, metadata, provenance, digest)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def dim(self) -> int:
        """d, the number of dimensions."""
        return int(self.vectors.shape[1])

    @property
    def name(self) -> str:
        """The reference string that makes this space."""
        return self.provenance.teacher

    @cached_property
    def norms(self) -> Scores:
        """(n,) Euclidean lengths of the vectors."""
        return frozen(row_lengths(self.vectors).astype(np.float32))

    @cached_property
    def unit(self) -> Matrix:
        """(n, d) the vectors scaled to length 1; a zero vector stays zero (its cosines are 0)."""
        return frozen(unit_rows(self.vectors))

    @cached_property
    def unit_mean(self) -> npt.NDArray[np.float64]:
        """(d,) the mean of ``unit``, in float64."""
        return frozen(self.unit.mean(axis=0, dtype=np.float64))

    @cached_property
    def unit_spread(self) -> npt.NDArray[np.float64]:
        """(n,) square distance of each row of ``unit`` from their mean, in float64."""
        squares = np.empty(len(self))
        for first in range(0, len(self), BLOCK_ROWS):
            offsets = self.unit[first : first + BLOCK_ROWS] - self.unit_mean
            squares[first : first + BLOCK_ROWS] = np.einsum("nd,nd->n", offsets, offsets)
        return frozen(squares)

    @cached_property
    def mean(self) -> Vector:
        """(d,) the mean vector; accumulated in float64."""
        return frozen(self.vectors.mean(axis=0, dtype=np.float64).astype(np.float32))

    @cached_property
    def centred(self) -> "Space":
        """The same items with the mean vector taken away.

        Most spaces sit in a narrow cone, so that every cosine is high and a few hub words are
        near everything; taking the mean away opens the cone (Mu & Viswanath 2018).
        """
        vectors = frozen(np.ascontiguousarray(self.vectors - self.mean))
        provenance = replace(self.provenance, pooling=f"{self.provenance.pooling}, centred")
        digest = hashlib.blake2b(f"{self.digest} centred".encode(), digest_size=16).hexdigest()
        return replace(self, vectors=vectors, provenance=provenance, digest=digest)

    @cached_property
    def index(self) -> TextIndex:
        """Rows by text."""
        return TextIndex(self.texts)

    @cached_property
    def rows_by_id(self) -> dict[str, int]:
        """The row of each id."""
        return {own: row for row, own in enumerate(self.ids)}

    def find(self, text: str) -> int | None:
        """The row of an item by its text, its address, or its text without regard to case.

        Of equal texts the first row answers. None where there is no such item.
        """
        row = self.index.exact.get(text)
        if row is None and MARK in text:
            row = addressed(text, self.texts, self.rows_by_id)
        return self.index.find(text) if row is None else row

    def address(self, row: int) -> str:
        """What leads back to this very item by :meth:`find`: ``dog``, or ``the#412``."""
        return address(self.texts[row], self.ids[row], row, self.index.exact)

    def label(self, row: int) -> str:
        """An item's text where that is its alone, else its address."""
        text = self.texts[row]
        return self.address(row) if text in self.index.repeated else text

    def take(self, rows: Rows, teacher: str) -> "Space":
        """A smaller space of the chosen rows, under a reference string of its own."""
        return Space.create(
            [self.texts[row] for row in rows],
            self.vectors[rows],
            replace(self.provenance, teacher=teacher),
            ids=[self.ids[row] for row in rows],
            metadata=self.metadata.iloc[rows],
        )


def frozen(array: ArrayT) -> ArrayT:
    """The same array, made read-only."""
    array.flags.writeable = False
    return array


def _as_matrix(vectors: npt.ArrayLike) -> Matrix:
    try:
        matrix = np.asarray(vectors)
        if matrix.dtype == object or matrix.dtype.kind not in "fiu":
            raise ValueError
        with np.errstate(over="ignore"):  # an overflow becomes inf, and is named below
            matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    except ValueError:
        raise InvalidVectors(
            "found rows of different lengths or entries that are not numbers; "
            "expected n rows of d numbers each"
        ) from None
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InvalidVectors(
            f"found an array of shape {matrix.shape}; expected (n, d) with n and d at least 1"
        )
    return frozen(matrix.view())


def _require_finite(matrix: Matrix, texts: Sequence[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        named = ", ".join(f"{row} ({texts[row]!r:.40})" for row in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise InvalidVectors(
            f"found NaN or infinity in row {named}{more}; expected finite numbers: "
            "remove those rows or compute them again"
        )


def _require_unique(ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice = [name for name in ids if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    named = ", ".join(repr(name) for name in dict.fromkeys(twice[:5]))
    raise InvalidVectors(
        f"found {len(twice)} ids more than once, such as {named}; expected unique ids: "
        "remove the duplicates or give an id column"
    )


def _are_told_apart(texts: Sequence[str], ids: Sequence[str]) -> bool:
    """Whether texts and ids, parted by U+001F and the ids right behind the texts, can be no others.

    None may hold U+001F, and where the first id begins must follow from the rest: it is the first
    text, or else as long as the second id. So it is in all but odd spaces, whose digests stay as
    they were before there was another form.
    """
    if any(SEPARATOR in it for it in (*texts, *ids)):
        return False
    if len(texts) == 1:
        return ids[0] == texts[0]
    if f"{texts[-1]}{ids[0]}".endswith(texts[0]):
        return ids[0] == texts[0]
    return len(ids[0]) == len(ids[1])


def _digest(
    matrix: Matrix,
    texts: Sequence[str],
    ids: Sequence[str],
    metadata: pd.DataFrame,
    provenance: Provenance,
) -> str:
    """Content digest: vectors, texts, ids, metadata and provenance; 32 hex digits."""
    state = hashlib.blake2b(digest_size=16)
    state.update(np.asarray(matrix.shape, dtype=np.int64).tobytes())
    state.update(matrix.data)
    written = parted if _are_told_apart(texts, ids) else behind_lengths
    for strings in (texts, ids):
        state.update(written(strings))
    state.update(json.dumps(list(metadata.columns)).encode())
    state.update(pd.util.hash_pandas_object(metadata, index=False).to_numpy().tobytes())
    state.update(json.dumps(asdict(provenance), sort_keys=True).encode())
    return state.hexdigest()
