"""A student on disk: student.json and student.safetensors, nothing else, and never a pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from core.atomic import new_folder
from core.errors import InvalidStudent, StoreError
from core.integrity import digest_of, file_digest
from core.regular import MOST_BYTES, read_bytes
from core.students.base import VERSION, Student

DESCRIPTION = "student.json"
ARRAYS = "student.safetensors"
LARGEST = 1 << 34  # bytes of arrays


def serialise(student: Student) -> dict[str, bytes]:
    """File names and contents: all that a student stores."""
    from safetensors.numpy import save

    stored = student.stored()
    arrays = save({name: np.ascontiguousarray(array) for name, array in stored.arrays.items()})
    description = {
        "format": VERSION,
        "family": student.family,
        "spec": student.spec.to_dict(),
        "origin": vars(student.origin),
        "notes": student.notes,
        "payload": stored.payload,
    }
    plain = json.loads(json.dumps(description))
    description["digest"] = _digest(plain, digest_of(arrays))
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    return {DESCRIPTION: text.encode(), ARRAYS: arrays}


def size_bytes(student: Student) -> int:
    """Bytes of a student's folder on disk, header and names included."""
    return sum(len(content) for content in serialise(student).values())


def parts(student: Student) -> dict[str, int]:
    """Bytes by part: vocabulary, codes, weights, ... and what the format itself costs."""
    counted: dict[str, int] = {}
    for name, array in student.stored().arrays.items():
        part = name.partition(".")[0]
        counted[part] = counted.get(part, 0) + array.nbytes
    counted["format"] = size_bytes(student) - sum(counted.values())
    return counted


def save(student: Student, folder: Path) -> None:
    """Write a student, in place of one that is there. Raises StoreError, leaving nothing half."""
    folder = Path(folder)
    if folder.exists() and not _is_ours(folder):
        raise StoreError(
            f"found {folder} with other things in it; expected no such folder, or one that holds "
            "a student: choose another name"
        )
    with new_folder(folder) as beside:
        for name, content in serialise(student).items():
            (beside / name).write_bytes(content)


def describe(folder: Path) -> dict[str, Any]:
    """What student.json says, once both files are what was written.

    Raises InvalidStudent: absent, damaged, newer.
    """
    folder = Path(folder)
    try:
        said: dict[str, Any] = json.loads(content_of(folder, DESCRIPTION))
        version = said["format"]
        if not isinstance(version, int):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidStudent(
            f"found {folder / DESCRIPTION} damaged; expected the description of a student: copy "
            "it again, or train it again"
        ) from None
    if version > VERSION:
        raise InvalidStudent(
            f"found a student of format {version} in {folder}; expected at most {VERSION}: it "
            "was made by a newer version, so update this program"
        )
    _require_unchanged(folder, said)
    return said


def _require_unchanged(folder: Path, said: dict[str, Any]) -> None:
    try:
        arrays = file_digest(folder / ARRAYS)
    except OSError as fault:
        raise _absent(folder, ARRAYS, fault) from None
    rest = {name: value for name, value in said.items() if name != "digest"}
    if said.get("digest") not in (_digest(rest, arrays), arrays):  # of the arrays alone: once
        raise InvalidStudent(
            f"found the student in {folder} changed since it was written (another digest); "
            f"expected its own {DESCRIPTION} and {ARRAYS}: copy it again, or train it again"
        )


def _digest(description: dict[str, Any], arrays: str) -> str:
    """Of a description without its digest, and of the arrays that lie beside it."""
    return digest_of(f"{json.dumps(description, sort_keys=True)} {arrays}".encode())


def digest(folder: Path) -> str:
    """What tells this student from every other, without reading it whole."""
    return digest_of(content_of(Path(folder), DESCRIPTION))


def content_of(folder: Path, name: str) -> bytes:
    """The bytes of one of the two files. Raises InvalidStudent."""
    try:
        return read_bytes(folder / name, MOST_BYTES if name == DESCRIPTION else LARGEST)
    except OSError as fault:
        raise _absent(folder, name, fault) from None


def _absent(folder: Path, name: str, fault: OSError) -> InvalidStudent:
    return InvalidStudent(
        f"found no {name} to read in {folder} ({fault.strerror or fault}); expected the folder "
        "of a student: check the path"
    )


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {DESCRIPTION, ARRAYS}
