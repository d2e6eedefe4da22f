"""The students that come with the program: `make students` makes them anew, the same every time.

Each is trained and measured by the recipes that everybody uses, and put under assets/students;
their reports stand beside them in reports.json. Fails where they weigh more than 12 MB together.

    python -m benchmarks.shipped [--only NAME] [--quick]
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import MeaningSpaceError
from core.pipeline import Workspace, distill, evaluate_kept, specification
from core.pipeline.students.baselines import pareto
from core.pipeline.students.pareto import SHIPPED as RIVALS
from core.resources import site_root
from core.store.disk import default_workspace

FOLDER = site_root() / "assets" / "students"
REPORTS = FOLDER / "reports.json"
COMPARED = ("minilm:tokens", "glove:30000")  # whose classical rivals ship, measured
MOST_BYTES = 12_000_000


@dataclass(frozen=True)
class Shipped:
    """One that ships: its name, its teacher, and what it is asked to be."""

    name: str
    teacher: str
    family: str
    bytes_per_item: float
    values: dict[str, Any] = field(default_factory=dict)


SHIPPED = (
    Shipped("transform-minilm-tokens", "minilm:tokens", "transform", 56),
    Shipped("vae-minilm-tokens", "minilm:tokens", "vae", 30),
    Shipped("codes-glove-30000", "glove:30000", "codes", 12),
    Shipped("hybrid-glove-30000", "glove:30000", "hybrid", 26),
    Shipped("speller-minilm-tokens", "minilm:tokens", "speller", 18),
    Shipped("encoder-minilm-words", "minilm:words", "encoder", 50),
    Shipped("contextual-minilm", "minilm", "contextual", 322.4),
)


def make(workspace: Workspace, one: Shipped, quick: bool) -> dict[str, Any]:
    """Train and measure one, and put it into its place; its report. Raises MeaningSpaceError."""
    values = {**one.values, "bytes_per_item": one.bytes_per_item}
    spec = specification(one.family, values, quick=quick)
    made = distill(workspace, one.teacher, spec, f"making-{one.name}", _say, FOLDER / one.name)
    return evaluate_kept(workspace, str(FOLDER / one.name), progress=_say, seconds=made.seconds)


def weigh() -> int:
    """Bytes of all shipped students, and a line for each."""
    total = 0
    for place in sorted(it for it in FOLDER.iterdir() if it.is_dir()):
        size = sum(file.stat().st_size for file in place.iterdir())
        total += size
        print(f"{size:>10,}  {place.name}")
    print(f"{total:>10,}  together, at most {MOST_BYTES:,}")
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.shipped")
    parser.add_argument("--only", action="append", choices=[it.name for it in SHIPPED])
    parser.add_argument("--quick", action="store_true", help="short trainings, to try the script")
    options = parser.parse_args()
    chosen = [it for it in SHIPPED if options.only is None or it.name in options.only]
    if options.only is None:  # what is no longer on the list goes
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    reports = json.loads(REPORTS.read_text(encoding="utf-8")) if REPORTS.exists() else {}
    # A workspace of their own: a training that somebody left half done must not be gone on with.
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.store = Workspace(default_workspace()).store  # but spaces are not encoded again
        for one in chosen:
            try:
                reports[one.name] = make(workspace, one, options.quick)
            except MeaningSpaceError as fault:
                print(f"{one.name}: {fault}", file=sys.stderr)
                return 1
        rivals = {
            workspace.space_key(teacher): pareto(workspace, teacher, _say).to_dict()
            for teacher in COMPARED
        }
    text = json.dumps(reports, ensure_ascii=False, sort_keys=True, indent=1)
    REPORTS.write_text(text + "\n", encoding="utf-8")
    RIVALS.write_text(
        json.dumps(rivals, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
    return 0 if weigh() <= MOST_BYTES else 1


def _say(done: int, total: int, message: str) -> bool:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{100 * done // max(total, 1):3}% {message}", end="", file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main())
