"""The command doctor: a report to read, or to paste where one asks for help."""

import argparse
from collections.abc import Callable
from typing import Any

from core.cli.shared import say, show_progress, workspace_folder

GIB = 2**30


def add_to(command: Callable[..., Any], json_flag: Callable[[Any], None]) -> None:
    """The command and its options."""
    asked = command(
        "doctor", doctor_command, "versions, machine, models, what is kept, and what is slow here"
    )
    json_flag(asked)


def doctor_command(options: argparse.Namespace) -> None:
    from core.pipeline.doctor import examine

    report = examine(workspace_folder(), show_progress)
    say(options, report, lambda: "\n".join(_lines(report)))


def _lines(report: dict[str, Any]) -> list[str]:
    machine, kept = report["processor"], report["workspace"]
    memory = machine["memory_bytes"]
    libraries = [f"{name} {version}" for name, version in report["packages"].items()]
    return [
        f"Meaning Space {report['version']}, Python {report['python']}, {report['system']}",
        "",
        f"Processor   {machine['name']}, {machine['cores']} cores, {machine['device']}",
        f"            {', '.join(machine['flags']) or 'no flags known'}; "
        f"bfloat16 is {machine['bf16_gain']:g} times as fast as float32",
        f"Memory      {_gib(memory)}, {_gib(machine['memory_free_bytes'])} free",
        *_wrapped("Libraries", libraries),
        *_wrapped("Models", [f"{name} {told}" for name, told in report["models"].items()]),
        "",
        f"Workspace   {kept['path']}: {_gib(kept['bytes'])}, {_gib(kept['free_bytes'])} free",
        *([f"            cannot be written: {kept['writable']}"] if kept["writable"] else []),
        *_wrapped("Kept", [f"{count} {kind}" for kind, count in _counted(kept).items() if count]),
        f"Checked     every file, in {kept['seconds']:g} s: {len(kept['faults'])} damaged",
        *(f"            {fault}" for fault in kept["faults"]),
        *(["            they are put aside and made again when asked for"] * bool(kept["faults"])),
        "",
        *([f"Slow        {it}" for it in report["slow"]] or ["Nothing is slow here."]),
    ]


def _counted(kept: dict[str, Any]) -> dict[str, int]:
    rest = {"students": "students", "trainings": "trainings", "put_aside": "put aside"}
    rest["left_over"] = "half written"
    return {**kept["artefacts"], **{name: kept[key] for key, name in rest.items()}}


def _wrapped(title: str, words: list[str]) -> list[str]:
    """Words in lines of five, behind a title."""
    rows = [", ".join(words[row : row + 5]) for row in range(0, len(words), 5)] or ["nothing yet"]
    return [f"{title if not row else '':12}{line}" for row, line in enumerate(rows)]


def _gib(count: int | None) -> str:
    return "unknown" if count is None else f"{count / GIB:.1f} GiB"
