"""Every target of `make fuzz`, in the order in which they run."""

from benchmarks.fuzz import kept, models, vectors
from benchmarks.fuzz.harness import Target

TARGETS: tuple[Target, ...] = (
    vectors.TARGET,
    models.TARGET,
    kept.ARTEFACTS,
    kept.STUDENTS,
    kept.CHECKPOINTS,
    kept.LINKS,
)
