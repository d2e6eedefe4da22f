"""The commands that let a model write and show where it goes: trajectory and fan."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.cli.shared import at_least_one, open_workspace, say, settings, show_progress

if TYPE_CHECKING:
    from core.pipeline.trajectories.trajectory import Trajectory
    from core.projection.base import Spec

AXES = "xyz"
LISTED = 20  # words of the text form


def add_to(
    command: Callable[..., Any], json_flag: Callable[[argparse.ArgumentParser], None]
) -> None:
    """The commands of this file."""
    model = {"help": "smollm2, path:DIR or hub:ORG/NAME"}
    way = command("trajectory", trajectory_command, "let a model write, as a path through a layer")
    way.add_argument("model", **model)
    way.add_argument("prompt")
    way.add_argument("--steps", type=int, default=40, help="tokens to write at most (40)")
    way.add_argument(
        "--temperature", type=float, default=0.0, help="0 (default) takes the likeliest, up to 100"
    )
    way.add_argument("--top-p", type=float, default=1.0, help="1: leave out no token")
    way.add_argument("--seed", type=int, default=0, help="of the draws; sample i has seed + i (0)")
    way.add_argument("--samples", type=int, default=1, help="texts from the same prompt (1)")
    _picture(way, dims=3)
    json_flag(way)

    rays = command("fan", fan_command, "the likeliest next words, and where each would lead")
    rays.add_argument("model", **model)
    rays.add_argument("prompt")
    rays.add_argument("-k", type=int, default=20, help="words (20)")
    _picture(rays, dims=2)
    json_flag(rays)


def _picture(parser: argparse.ArgumentParser, dims: int) -> None:
    parser.add_argument("--layer", type=int, help="default: the last")
    parser.add_argument("--projector", default="pca", help="pca (default), umap or tsne")
    parser.add_argument("--dims", type=int, default=dims, help=f"2 or 3 ({dims})")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=NUMBER", help="a projector's parameter"
    )


def trajectory_command(options: argparse.Namespace) -> None:
    from core.decode.sampling import Sampling
    from core.errors import InvalidSpecification
    from core.pipeline.trajectories.trajectory import MOST_SAMPLES, trajectory

    if not 1 <= options.samples <= MOST_SAMPLES:
        raise InvalidSpecification(
            f"found --samples {options.samples}; expected 1 to {MOST_SAMPLES}"
        )
    written = trajectory(
        open_workspace(),
        options.model,
        options.prompt,
        Sampling(options.temperature, options.top_p, options.seed, options.steps),
        options.samples,
        options.layer,
        _spec(options),
        progress=show_progress,
    )
    texts = [
        {"tokens": _tokens(written, at), "text": walk.text} for at, walk in enumerate(written.walks)
    ]
    answer = {
        "model": written.model,
        "layer": written.layer,
        **texts[0],
        "variance_kept": written.backdrop.share,
        "samples": texts[1:],
    }
    say(options, answer, lambda: "\n\n".join(walk.text for walk in written.walks))


def fan_command(options: argparse.Namespace) -> None:
    from core.pipeline.trajectories.next_tokens import fan

    next_tokens = fan(
        open_workspace(),
        options.model,
        options.prompt,
        at_least_one(options.k),
        options.layer,
        _spec(options),
        show_progress,
    )
    spread = next_tokens.spread
    words = [
        {
            "text": piece,
            "id": int(token),
            "probability": float(share),
            **dict(zip(AXES, map(float, place), strict=False)),
        }
        for piece, token, share, place in zip(
            spread.pieces, spread.ids, spread.probability, next_tokens.places, strict=True
        )
    ]
    answer = {
        "model": next_tokens.model,
        "layer": next_tokens.layer,
        "words": words,
        "start": dict(zip(AXES, map(float, next_tokens.start), strict=False)),
        "variance_kept": next_tokens.backdrop.share,
    }

    def text() -> str:
        more = f"\n... {len(words) - LISTED} more with --json" * (len(words) > LISTED)
        return (
            "\n".join(f"{word['probability']:7.2%}  {word['text']!r}" for word in words[:LISTED])
            + more
        )

    say(options, answer, text)


def _spec(options: argparse.Namespace) -> "Spec":
    from core.projection.base import spec_from_dict

    values: dict[str, Any] = {"kind": options.projector, "dims": options.dims}
    return spec_from_dict({**values, **settings(options.set, "n_neighbors=30")})


def _tokens(trajectory: "Trajectory", sample: int) -> list[dict[str, Any]]:
    """One token a row; z is 0 on a flat picture."""
    walk, places = trajectory.walks[sample], trajectory.places[sample]
    return [
        {
            "text": piece,
            "id": int(walk.ids[at]),
            "probability": float(walk.probability[at]),
            "entropy": float(walk.entropy[at]),
            **{axis: float(places[at][k]) if k < places.shape[1] else 0.0
               for k, axis in enumerate(AXES)},
            "rank": int(walk.rank[at]),
            "written": at >= walk.begun,
        }
        for at, piece in enumerate(walk.pieces)
    ]  # fmt: skip
