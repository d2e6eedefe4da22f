"""Memory that runs out: one error for its many ways, and smaller batches before that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from core.errors import NotEnoughMemory, reason_of

T = TypeVar("T")


@contextmanager
def memory() -> Iterator[None]:
    """Raise NotEnoughMemory for whatever torch and Python say when memory runs out."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_much(error) from None
    except RuntimeError as error:
        if "allocate memory" in str(error):
            raise _too_much(error) from None
        raise


def _too_much(error: BaseException) -> NotEnoughMemory:
    return NotEnoughMemory(
        f"found too little memory for this pass ({reason_of(error, 100)}); expected room for it: "
        "shorten the text, ask for fewer samples or a coarser grid, or close other programs"
    )


def in_batches(count: int, batch: int, run: Callable[[slice], T]) -> Iterator[T]:
    """``run`` over 0 to ``count`` in slices of at most ``batch``; where memory runs out, in smaller
    ones. Raises NotEnoughMemory where one row is too much.

    >>> list(in_batches(5, 2, lambda rows: (rows.start, rows.stop)))
    [(0, 2), (2, 4), (4, 5)]
    """
    start = 0
    while start < count:
        rows = slice(start, min(start + batch, count))
        try:
            found = run(rows)
        except NotEnoughMemory:
            if batch == 1:
                raise
            batch = max(1, batch // 2)
            continue
        yield found
        start = rows.stop
