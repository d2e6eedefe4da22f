"""between and islands at the command line."""

import argparse
from pathlib import Path
from typing import Any

from core.cli.shared import open_workspace, require_folder, say, show_progress


def between_command(options: argparse.Namespace) -> None:
    """What a model says at each step between two concepts."""
    from core.pipeline.paths.interpolation import kept_between

    between = kept_between(
        open_workspace(),
        options.model,
        options.a,
        options.b,
        options.layer,
        options.steps,
        options.kind,
        show_progress,
    )

    def text() -> str:
        lines = [f"layer {between.layer}, {between.kind}"]
        for step, t in enumerate(between.t):
            word, share = between.likeliest(step, 1)[0]
            said = f"{word} (echo)" if between.echo(word) else word
            doubt = between.entropy[step]
            lines.append(
                f"{t:.2f}  {share:.2f}  {said:<16} {doubt:5.2f} nats  {between.descriptions[step]}"
            )
        said = ", ".join(between.noise.words)
        lines.append(f"random vectors: {between.noise.entropy:.2f} nats, answered with {said}")
        return "\n".join(lines)

    say(options, between.to_dict(), text)


def islands_command(options: argparse.Namespace) -> None:
    """The plane through three concepts, read in words on a grid."""
    from core.pipeline.paths.concept_plane import kept_islands

    require_folder(options.out)
    three = (options.a, options.b, options.c)
    workspace = open_workspace()
    islands = kept_islands(
        workspace, options.model, three, options.layer, options.grid, show_progress
    )
    if options.out is not None:
        islands.cells.to_parquet(options.out)
    said = islands.to_dict()

    def text() -> str:
        lines = [f"{said['cells']:,} places of layer {islands.layer}"]
        lines += [f"{entry['cells']:5} {entry['text']}" for entry in said["concepts"]]
        return "\n".join(
            [*lines, f"{said['between']:5} other words", f"{said['echoes']:5} echoes of the prompt"]
        )

    say(options, said, text)


def add_to(command: Any, json_flag: Any) -> None:
    """The commands and their options."""
    model = {"metavar": "MODEL", "help": "smollm2, path:DIR or hub:ORG/NAME"}
    layer = {"type": int, "metavar": "L", "help": "an eighth of the way up (4 of smollm2)"}

    asked = command("between", between_command, "what a language model says between two concepts")
    asked.add_argument("model", **model)
    asked.add_argument("a", metavar="A", help="a concept, such as ocean")
    asked.add_argument("b", metavar="B", help="another, such as justice")
    asked.add_argument("--layer", **layer)
    asked.add_argument("--steps", type=int, default=21, help="21")
    asked.add_argument("--kind", default="lerp", help="lerp (default), slerp or centred")
    json_flag(asked)

    drawn = command("islands", islands_command, "the plane through three concepts, read in words")
    drawn.add_argument("model", **model)
    for name in ("a", "b", "c"):
        drawn.add_argument(name, metavar=name.upper(), help="a concept")
    drawn.add_argument("--grid", type=int, default=21, help="cells on a side (21)")
    drawn.add_argument("--layer", **layer)
    drawn.add_argument("--out", type=Path, metavar="F.parquet", help="a row for each cell")
    json_flag(drawn)
