"""New tokens arrive at a hybrid: what it costs to know them, and what is forgotten.

Three ways: (a) corrections are added; (b) the spelling is learnt anew with the new words among
the old ones, and only that (replay of all: nothing else is kept of the old ones); (c) everything
is made anew. Run from the repository's root:

    python -m benchmarks.updates --teacher glove:30000 --new 1000
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.workspace import Workspace
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.families.hybrid import HybridSpec, HybridStudent
from core.students.families.speller import SpellerSpec
from core.students.registry import fit
from core.students.storage import size_bytes

Floats = npt.NDArray[np.float32]
TIMES = 5


def relative_error(truth: Floats, found: Floats, mean: Floats) -> float:
    """Squared error by squared distance from the mean."""
    return float(np.square(truth - found).sum() / np.square(truth - mean).sum())


def measured(space: Space, old: Space, new: Space, bytes_per_item: float) -> dict[str, Any]:
    """All three ways."""
    spec = HybridSpec(bytes_per_item=bytes_per_item)
    mean = np.asarray(space.vectors.mean(axis=0), dtype=np.float32)

    def errors(student: Any, spelt: bool = False) -> dict[str, float]:
        give = student.guess if spelt else student.generate
        return {
            "relative_error_old": relative_error(old.vectors, give(old.texts), mean),
            "relative_error_new": relative_error(new.vectors, give(new.texts), mean),
        }

    with Stopwatch() as making:
        student = fit(old, spec)
    assert isinstance(student, HybridStudent)
    before = student.generate(old.texts)
    student.add(new.texts[:8], new.vectors[:8])  # compiles what is compiled once
    seconds = []
    for _ in range(TIMES):
        with Stopwatch() as adding:
            grown = student.add(new.texts, new.vectors)
        seconds.append(adding.seconds)
    added = {
        "seconds": statistics.median(seconds),
        "bytes_more": size_bytes(grown) - size_bytes(student),
        "bytes_total": size_bytes(grown),
        "old_rows_changed": int((grown.generate(old.texts) != before).any(axis=1).sum()),
        **errors(grown),
    }
    room = bytes_per_item * len(old) * spec.spelling / len(space)
    with Stopwatch() as replaying:
        speller = fit(space, SpellerSpec(bytes_per_item=room, held_out=0.0))
    replayed = {
        "seconds": replaying.seconds,
        "bytes_more": 0,
        "relative_error_old": relative_error(old.vectors, speller.generate(old.texts), mean),
        "relative_error_new": relative_error(new.vectors, speller.generate(new.texts), mean),
        "of": "the spelling alone, old rows uncorrected",
    }
    with Stopwatch() as remaking:
        anew = fit(space, spec)
    return {
        "teacher": space.name,
        "old_items": len(old),
        "new_items": len(new),
        "first": {
            "seconds": making.seconds,
            "bytes_total": size_bytes(student),
            **errors(student),
        },
        "guesses": errors(student, spelt=True),
        "a_added": added,
        "b_spelling_with_replay": replayed,
        "c_anew": {"seconds": remaking.seconds, "bytes_total": size_bytes(anew), **errors(anew)},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", default="glove:30000")
    parser.add_argument("--new", type=int, default=1_000)
    parser.add_argument("--bytes-per-item", type=float, default=15.0)
    chosen = parser.parse_args(arguments)
    space = Workspace(default_workspace()).space(chosen.teacher)
    order = np.random.default_rng(0).permutation(len(space)).astype(np.int64)
    old = space.take(np.sort(order[chosen.new :]), f"{space.name} before")
    new = space.take(np.sort(order[: chosen.new]), f"{space.name} new")
    record("updates", this_command(), measured(space, old, new, chosen.bytes_per_item))


if __name__ == "__main__":
    main()
