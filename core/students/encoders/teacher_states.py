"""What the teacher says of every token in every layer, kept in one memory-mapped fp16 file."""

import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.atomic import new_file
from core.errors import InvalidSpecification
from core.regular import opened
from core.students.encoders.layered_bert import each_batch, starts_of
from core.types import Progress

if TYPE_CHECKING:
    import torch

SAMPLED = 20_000  # tokens from which a layer's mean and variance are taken
BLOCK = 1 << 16  # bytes read at once for the digest
DIGEST_BYTES = 16
LARGEST = float(np.finfo(np.float16).max)


class TeacherStates:
    """States (tokens, layers, dim) of texts given as ids; ``variance`` (layers,) of each layer
    is the mean squared distance from its ``mean`` (layers, dim)."""

    def __init__(self, ids: Sequence[Sequence[int]], states: npt.NDArray[np.float16]) -> None:
        self.ids = ids
        self._states = states
        self._starts = starts_of(ids)
        some = np.asarray(states[:: max(1, len(states) // SAMPLED)], dtype=np.float32)
        self.mean = some.mean(0)
        self.variance = np.maximum(((some - self.mean) ** 2).sum(2).mean(0), 1e-12)

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, rows: Sequence[int]) -> "torch.Tensor":
        """(b, t, layers, dim) float32 of texts of one length."""
        import torch

        parts = [self._states[self._starts[row] : self._starts[row + 1]] for row in rows]
        return torch.from_numpy(np.stack(parts).astype(np.float32))


def read_states(
    teacher: Any, ids: Sequence[Sequence[int]], folder: Path | None, progress: Progress
) -> TeacherStates:
    """The teacher's states of texts: from ``folder`` where an earlier call left them, else made.

    Without a folder they lie in a temporary one, as long as they are used. Raises
    InvalidSpecification for states that fp16 does not hold, StoreError, Cancelled.
    """
    count, shape = int(starts_of(ids)[-1]), teacher.shape
    size = (count, shape.layers, shape.dim)
    if folder is None:
        lent = tempfile.TemporaryDirectory(prefix="states-", ignore_cleanup_errors=True)
        found = TeacherStates(ids, _made(teacher, ids, Path(lent.name) / "states", size, progress))
        found.__dict__["_lent"] = lent  # goes when nobody needs the states any more
        return found
    named = blake2b(repr([list(row) for row in ids]).encode(), digest_size=8).hexdigest()
    file = folder / f"states-{named}.f16"
    if _is_whole(file, 2 * int(np.prod(size))):
        return TeacherStates(ids, np.memmap(file, np.float16, "r", shape=size))
    return TeacherStates(ids, _made(teacher, ids, file, size, progress))


def _is_whole(file: Path, size: int) -> bool:
    """Whether the states are there as they were written, their digest behind them; those of an
    earlier version have none, and cannot be told from damaged ones."""
    if not file.is_file() or file.stat().st_size not in (size, size + DIGEST_BYTES):
        return False
    with opened(file) as stream:
        digest = _digest(stream, size)
        return stream.read() in (b"", digest)


def _digest(stream: IO[bytes], size: int) -> bytes:
    """Of the first ``size`` bytes; the stream stands behind them afterwards."""
    state = blake2b(digest_size=DIGEST_BYTES)
    stream.seek(0)
    while block := stream.read(min(BLOCK, size - stream.tell())):
        state.update(block)
    return state.digest()


def _made(
    teacher: Any,
    ids: Sequence[Sequence[int]],
    file: Path,
    size: tuple[int, ...],
    progress: Progress,
) -> npt.NDArray[np.float16]:
    import torch

    starts, row_bytes = starts_of(ids), 2 * size[1] * size[2]
    with new_file(file) as stream:

        def keep(batch: "torch.Tensor", rows: list[int]) -> None:
            states = torch.stack(teacher(batch), 2).numpy()
            _require_small(states)
            for row, state in zip(rows, states.astype(np.float16), strict=True):
                stream.seek(int(starts[row]) * row_bytes)
                stream.write(state.tobytes())

        each_batch(ids, keep, progress, f"The teacher reads {len(ids):,} texts")
        stream.write(_digest(stream, row_bytes * size[0]))
    return np.memmap(file, np.float16, "r", shape=size)


def _require_small(states: npt.NDArray[np.float32]) -> None:
    if not np.abs(states).max() <= LARGEST:
        raise InvalidSpecification(
            f"found a state of {np.abs(states).max():.3g} in the teacher; expected finite ones, "
            f"at most {LARGEST:g}: this teacher's layers cannot be learnt; choose another"
        )
