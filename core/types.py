"""Array aliases with their shapes, and the small protocol that rooms share.

The shapes are real while the tests run (jaxtyping with beartype) and plain ``np.ndarray``
where jaxtyping is not installed: this module is the only seam.

    n items, d dimensions of the space, k neighbours, m queries or steps, p dimensions of a picture
"""

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled

if TYPE_CHECKING:
    Matrix: TypeAlias = npt.NDArray[np.float32]
    Vector: TypeAlias = npt.NDArray[np.float32]
    Queries: TypeAlias = npt.NDArray[np.float32]
    Coords: TypeAlias = npt.NDArray[np.float32]
    QueryCoords: TypeAlias = npt.NDArray[np.float32]
    Scores: TypeAlias = npt.NDArray[np.float32]
    QueryScores: TypeAlias = npt.NDArray[np.float32]
    GraphIndices: TypeAlias = npt.NDArray[np.int32]
    GraphCosines: TypeAlias = npt.NDArray[np.float32]
    QueryIndices: TypeAlias = npt.NDArray[np.int32]
    QueryCosines: TypeAlias = npt.NDArray[np.float32]
    Rows: TypeAlias = npt.NDArray[np.int64]
else:
    try:
        from jaxtyping import Float32, Int32, Int64
    except ImportError:  # a user's machine without the test tools

        class _Unchecked:
            def __getitem__(self, _: Any) -> type[np.ndarray]:
                return np.ndarray

        Float32 = Int32 = Int64 = _Unchecked()

    Matrix = Float32[np.ndarray, "n d"]
    Vector = Float32[np.ndarray, "d"]
    Queries = Float32[np.ndarray, "m d"]
    Coords = Float32[np.ndarray, "n p"]
    QueryCoords = Float32[np.ndarray, "m p"]
    Scores = Float32[np.ndarray, "n"]
    QueryScores = Float32[np.ndarray, "m"]
    GraphIndices = Int32[np.ndarray, "n k"]
    GraphCosines = Float32[np.ndarray, "n k"]
    QueryIndices = Int32[np.ndarray, "m k"]
    QueryCosines = Float32[np.ndarray, "m k"]
    Rows = Int64[np.ndarray, "r"]


@runtime_checkable  # the tests check annotations at run time
class Progress(Protocol):
    """Called now and then by long work; an answer of False means stop."""

    def __call__(self, done: int, total: int, message: str) -> bool: ...


def silent(done: int, total: int, message: str) -> bool:
    """The progress callback for when nobody watches."""
    return True


def tell(progress: Progress, done: int, total: int, message: str) -> None:
    """Report, and raise Cancelled if the answer is stop."""
    if not progress(done, total, message):
        raise Cancelled(f"stopped at {done} of {total}: {message}")
