"""How soon the command line answers: --help against a bare Python, and commands on a warm cache.

    python -m benchmarks.cli [--repeats 15] [--command-repeats 5]

Every run is a process of its own, timed from start to end; help and bare Python by turns.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import record, this_command
from benchmarks.processes import PROGRAM, environment, seconds_of, spread, table

COMMANDS = {
    "neighbors minilm:tokens ocean": ["neighbors", "minilm:tokens", "ocean", "--json"],
    "path minilm:tokens dog table": ["path", "minilm:tokens", "dog", "table", "--json"],
    "solve minilm:tokens": ["solve", "minilm:tokens", "king - man + woman", "--json"],
    "neighbors glove ocean": ["neighbors", "glove", "ocean", "--json"],
    "solve glove": ["solve", "glove", "king - man + woman", "--json"],
    "teachers": ["teachers", "--json"],
}


def help_and_bare(repeats: int) -> dict[str, Any]:
    """Seconds of ``meaning-space --help`` and of ``python -c pass``, by turns."""
    sides = {"help": [str(PROGRAM), "--help"], "python": [sys.executable, "-c", "pass"]}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for command in sides.values():  # once unseen: what Python compiles, it keeps
        seconds_of(command, env=environment())
    for _ in range(repeats):
        for side, command in sides.items():
            seconds[side].append(seconds_of(command, env=environment()))
    found = {side: spread(each) for side, each in seconds.items()}
    ratio = found["help"]["median"] / found["python"]["median"]
    return {**found, "times_a_bare_python": round(ratio, 1)}


def commands(repeats: int) -> dict[str, Any]:
    """Seconds of each command in a workspace where it has run before; the first run beside it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, words in COMMANDS.items():
            command = [str(PROGRAM), *words, "--workspace", str(Path(folder))]
            first = seconds_of(command, env=environment())
            warm = [seconds_of(command, env=environment()) for _ in range(repeats)]
            found[name] = {"first": round(first, 3), **spread(warm)}
    return found


def main() -> None:
    """Measure and write benchmarks/results/cli.json."""
    parser = argparse.ArgumentParser(description="how soon the command line answers")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--command-repeats", type=int, default=5)
    options = parser.parse_args()
    seconds = help_and_bare(options.repeats)
    warm = commands(options.command_repeats)
    record("cli", this_command(), {"help_seconds": seconds, "command_seconds": warm})
    rows = [(name, "", seconds[name]["median"]) for name in ("help", "python")]
    table(
        ("command", "first", "median"),
        [*rows, *((name, each["first"], each["median"]) for name, each in warm.items())],
    )


if __name__ == "__main__":
    main()
