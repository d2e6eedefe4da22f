"""Adding items with known vectors to a student that can take them without learning."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from core.errors import InvalidVectors, Unsupported
from core.pipeline.students.answers import student_of
from core.spaces.io import read_vectors
from core.students import storage
from core.students.storage import size_bytes

if TYPE_CHECKING:
    from core.pipeline.workspace import Bench

ADDS = "add"  # the method of families that can


def update(bench: "Bench", key: str, file: Path, out: Path) -> dict[str, Any]:
    """Add the items of a file of vectors to a student, and save it in ``out``; the figures.

    "seconds" is for adding alone, reading and writing aside. Raises Unsupported for a family that
    cannot, InvalidVectors for other dimensions, UnreadableFile, InvalidStudent, StoreError.
    """
    student = student_of(bench, key)
    add = getattr(student, ADDS, None)
    if add is None:
        raise Unsupported(
            f"found a {student.family} student, which learns its items together; expected a "
            "hybrid, which takes new items without learning: train one, or train this one again"
        )
    given = read_vectors(file)
    if given.repeated:
        raise InvalidVectors(
            f"found {given.repeated:,} texts more than once in {file.name}; expected each once, "
            "since a student knows an item by its text: remove the others"
        )
    vectors = given.vectors
    if vectors.shape[1] != student.dim:
        raise InvalidVectors(
            f"found vectors of {vectors.shape[-1]} dimensions in {file}; expected {student.dim}, "
            f"as {student.origin.teacher} has: take them from the same teacher"
        )
    before, began = size_bytes(student), perf_counter()
    made = add(given.texts, vectors)
    seconds = perf_counter() - began
    storage.save(made, out)
    return {
        "added": len(set(given.texts) - student.known),
        "replaced": len(set(given.texts) & student.known),
        "bytes_before": before,
        "bytes_total": size_bytes(made),
        "bytes_per_added": (size_bytes(made) - before) / max(len(given.texts), 1),
        "seconds": seconds,
        "out": str(out),
    }
