"""Compiling the coder of students, once for a machine."""

import numpy as np

from core.spaces.space import Provenance, Space
from core.students.families.vae import VaeSpec
from core.students.registry import fit
from core.students.storage import size_bytes


def warm_up() -> None:
    """Have numba compile the coder's loops, once for a machine: half a minute; then a second."""
    vectors = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    space = Space.create([f"word{row}" for row in range(300)], vectors, Provenance("warm up", ""))
    student = fit(space, VaeSpec(bytes_per_item=16.0))
    student.generate(space.texts[:2])
    size_bytes(student)
