"""The command that steers a causal model while it writes: steer."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.cli.shared import open_workspace, say, show_progress
from core.errors import InvalidSpecification

if TYPE_CHECKING:
    from core.pipeline.trajectories.steering import Steered


def add_to(
    command: Callable[..., Any], json_flag: Callable[[argparse.ArgumentParser], None]
) -> None:
    """The command of this file."""
    asked = command("steer", steer_command, "push a model's states while it writes, and the price")
    asked.add_argument("model", help="smollm2, path:DIR or hub:ORG/NAME")
    asked.add_argument("prompt")
    for name, what in (("--plus", "towards"), ("--minus", "away from")):
        asked.add_argument(
            name, action="append", required=True, metavar="TEXT", help=f"{what} this; may repeat"
        )
    asked.add_argument("--layer", type=int, help="default: 14 of 30 layers, in proportion")
    asked.add_argument("--scale", type=float, default=0.3, help="of a state's usual length (0.3)")
    asked.add_argument("--sweep", action="store_true", help="from -0.6 to 0.6 as well")
    asked.add_argument(
        "--axis", action="store_true", help="as the Axes page makes a direction of two word lists"
    )
    asked.add_argument("--samples", type=int, default=4, help="texts a strength and direction (4)")
    asked.add_argument("--controls", type=int, default=8, help="random directions (8)")
    asked.add_argument("--steps", type=int, default=24, help="tokens a text (24)")
    asked.add_argument(
        "--temperature", type=float, default=0.6, help="0: one text, the likeliest (0.6)"
    )
    asked.add_argument("--seed", type=int, default=0, help="0")
    json_flag(asked)


def steer_command(options: argparse.Namespace) -> None:
    from core.decode.sampling import Sampling
    from core.pipeline.models import speaker
    from core.pipeline.trajectories.steering import default_layer, steer
    from core.pipeline.trajectories.steering_spec import AXIS, PROMPTS, SWEEP, SteerSpec

    if options.scale == 0 and not options.sweep:
        raise InvalidSpecification(
            "found --scale 0, which changes nothing; expected another strength, such as 0.3"
        )
    depth = speaker(options.model).depth
    spec = SteerSpec(
        options.model,
        options.prompt,
        tuple(options.plus),
        tuple(options.minus),
        default_layer(depth) if options.layer is None else options.layer,
        (options.scale, *(SWEEP if options.sweep else ())),
        Sampling(options.temperature, 1.0, options.seed, options.steps),
        options.samples,
        options.controls,
        AXIS if options.axis else PROMPTS,
    )
    steered = steer(open_workspace(), spec, show_progress)
    say(options, steered.to_dict(), lambda: _text(steered))


def _text(steered: "Steered") -> str:
    """The figures, then the first text of each strength."""
    lines = [f"{'pushed':>7} {'strength':>8} {'score':>7} {'perplexity':>11} {'repeated':>9}"]
    for it in steered.to_dict()["strengths"]:
        lines.append(
            f"{it['pushed']:>7} {it['strength']:8.2f} {it['score']:7.2f} {it['perplexity']:11.1f} "
            f"{it['repeated']:9.2f}"
        )
    for strength in steered.spec.strengths:
        text = " ".join(str(steered.one("along", strength, 0)["text"]).split())
        lines.append(f"{strength:+.2f}  {text}")
    return "\n".join([*lines, *steered.notes])
