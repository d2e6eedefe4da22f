"""A student on disk: student.json and student.safetensors, nothing else, and never a pickle."""

import json
import shutil
import uuid
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InvalidStudent, MeaningSpaceError, StoreError, unwritable
from core.students.base import VERSION, Origin, Stored, Student

DESCRIPTION = "student.json"
ARRAYS = "student.safetensors"


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
        "digest": blake2b(arrays, digest_size=16).hexdigest(),
    }
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    return {DESCRIPTION: text.encode(), ARRAYS: arrays}


def save(student: Student, folder: Path) -> None:
    """Write a student, in place of one that is there. Raises StoreError, leaving nothing half."""
    folder = Path(folder)
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        if folder.exists() and not _is_ours(folder):
            raise StoreError(
                f"found {folder} with other things in it; expected no such folder, or one that "
                "holds a student: choose another name"
            )
        beside.mkdir(parents=True)
        for name, content in serialise(student).items():
            (beside / name).write_bytes(content)
        _take_its_place(beside, folder)
    except OSError as fault:
        raise unwritable(folder, fault) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def load(folder: Path) -> Student:
    """Read a student back. Raises InvalidStudent: absent, damaged, newer, of an unknown family."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    from core.students.registry import family

    folder = Path(folder)
    said = describe(folder)
    content = _bytes(folder, ARRAYS)
    if blake2b(content, digest_size=16).hexdigest() != said.get("digest"):
        raise InvalidStudent(
            f"found {ARRAYS} in {folder} changed since it was written (another digest); expected "
            "the student's own arrays: copy it again, or train it again"
        )
    try:
        made = family(said["family"])
        spec = made.spec.from_dict(said["spec"])
        stored = Stored(load_arrays(content), said["payload"])
        return made.restore(spec, Origin(**said["origin"]), stored, said["notes"])
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        SafetensorError,
        MeaningSpaceError,
    ) as fault:
        raise InvalidStudent(
            f"found {folder} with a student that does not read ({' '.join(str(fault).split())}); "
            "expected one that this program wrote: train it again"
        ) from None


def describe(folder: Path) -> dict[str, Any]:
    """What student.json says; reads no arrays. Raises InvalidStudent: absent, damaged, newer."""
    folder = Path(folder)
    try:
        said: dict[str, Any] = json.loads(_bytes(folder, DESCRIPTION))
        version = int(said["format"])
    except (ValueError, KeyError, TypeError):
        raise InvalidStudent(
            f"found {folder / DESCRIPTION} damaged; expected the description of a student: copy "
            "it again, or train it again"
        ) from None
    if version > VERSION:
        raise InvalidStudent(
            f"found a student of format {version} in {folder}; expected at most {VERSION}: it "
            "was made by a newer version, so update this program"
        )
    return said


def digest(folder: Path) -> str:
    """What tells this student from every other, without reading it whole."""
    return blake2b(_bytes(Path(folder), DESCRIPTION), digest_size=16).hexdigest()


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as fault:
        raise InvalidStudent(
            f"found no {name} to read in {folder} ({fault.strerror or fault}); expected the folder "
            "of a student: check the path"
        ) from None


def _take_its_place(beside: Path, folder: Path) -> None:
    """A folder cannot replace a full one in one step: the old one waits until the new one is in."""
    aside = beside.with_name(f"{beside.name}-old")
    if folder.exists():
        folder.rename(aside)
    try:
        beside.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and {it.name for it in folder.iterdir()} <= {DESCRIPTION, ARRAYS}
