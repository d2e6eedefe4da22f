"""The fuzzer counts what it is there to find, and what it found before breaks nothing now."""

import hostile_target
import numpy as np
import pytest

from benchmarks.fuzz import harness
from benchmarks.fuzz.mutate import mutated
from benchmarks.fuzz.targets import TARGETS

KEPT = [
    pytest.param(target, case, id=f"{target.name}-{case.name}")
    for target in TARGETS
    for case in sorted((harness.KEPT / target.name).glob("*"))
]


@pytest.mark.parametrize(("target", "case"), KEPT)
def test_what_once_broke_a_reader_is_read_or_refused(target, case):
    ended = harness.outcome(target, next(case.iterdir()))
    assert ended[0] in ("read", "refused"), ended


def test_every_kind_of_fault_is_counted_and_kept(tmp_path):
    run = harness.run(hostile_target.TARGET, cases=60, seconds=120, kept=tmp_path)
    assert run.cases == 60
    assert set(run.first) == {
        "foreign: KeyError at faults/hostile_target.py, read",
        "foreign: a line break in UnreadableFile at faults/hostile_target.py, read",
        "foreign: MemoryError at faults/hostile_target.py, read",
        "killed: exit code 9",
        "slow: more than 0.2 s at faults/hostile_target.py, read",
    }
    assert run.faults == 60 - run.outcomes["read"] - run.outcomes["refused"]
    kept = [next(case.iterdir()) for case in (tmp_path / "hostile").iterdir()]
    assert len(kept) == len(run.first)
    assert {sum(path.read_bytes()) % 9 for path in kept} == {0, 1, 2, 3, 4}


def test_a_case_is_the_same_file_again_and_most_are_changed():
    raw = b'{"name": "a", "shape": [3, 4]}' * 9
    again = [
        [mutated(raw, b"other", np.random.default_rng(case)) for case in range(200)]
        for _ in range(2)
    ]
    assert again[0] == again[1]
    assert sum(changed != raw for changed in again[0]) > 190
    assert len(set(again[0])) > 150
