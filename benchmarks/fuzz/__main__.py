"""Every reader of foreign files on mutated ones: python -m benchmarks.fuzz [TARGET...]."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.common import RESULTS, record
from benchmarks.fuzz.harness import run
from benchmarks.fuzz.targets import TARGETS

CASES = 10_000
MINUTES = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the targets, two at a time where there are two cores; 1 where one has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all when none is named")
    parser.add_argument("--cases", type=int, default=CASES, help="of each target")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all together")
    asked = parser.parse_args(argv)
    unknown = set(asked.targets) - {target.name for target in TARGETS}
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {_names()}")
    chosen = [each for each in TARGETS if each.name in (asked.targets or _names().split(", "))]
    workers = min(os.cpu_count() or 1, len(chosen))
    seconds = 60 * asked.minutes * workers / len(chosen)
    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(lambda target: run(target, asked.cases, seconds), chosen))
    results = {each.target: each.to_dict() for each in runs}
    if asked.targets:
        print(json.dumps(results, indent=2))
    else:
        command = ["python", "-m", "benchmarks.fuzz", *(sys.argv[1:] if argv is None else argv)]
        record("fuzz", command, {"targets": results})
        print(f"Written to {RESULTS / 'fuzz.json'}")
    return 1 if any(each.faults for each in runs) else 0


def _names() -> str:
    return ", ".join(target.name for target in TARGETS)


if __name__ == "__main__":
    sys.exit(main())
