"""Every target of `make fuzz`, in the order in which they run."""

from benchmarks.fuzz import vectors
from benchmarks.fuzz.harness import Target

TARGETS: tuple[Target, ...] = (vectors.TARGET,)
