"""The command that reads what each layer of a causal model would say: lens."""

import argparse
from collections.abc import Callable
from typing import Any

from core.cli.shared import at_least_one, open_workspace, say, show_progress

SHOWN = 10  # layers of the text form


def add_to(
    command: Callable[..., Any], json_flag: Callable[[argparse.ArgumentParser], None]
) -> None:
    """The command of this file."""
    lens = command("lens", lens_command, "what each layer of a model would say after each token")
    lens.add_argument("model", help="smollm2, path:DIR or hub:ORG/NAME")
    lens.add_argument("text")
    lens.add_argument(
        "--kind", default="logit", help="logit (default), or fitted, which is made once"
    )
    lens.add_argument("-k", type=int, default=5, help="words a cell (5)")
    json_flag(lens)


def lens_command(options: argparse.Namespace) -> None:
    from core.pipeline.models import speaker
    from core.pipeline.trajectories.lenses import read_layers

    grid = read_layers(
        open_workspace(),
        options.model,
        options.text,
        options.kind,
        at_least_one(options.k),
        show_progress,
    )
    lm = speaker(options.model)
    words = {it: lm.text([it]) for it in {*grid.top.ravel().tolist(), *grid.ids.tolist()}}
    layers = len(grid.top)

    def cell(layer: int, at: int) -> dict[str, Any]:
        likeliest = zip(grid.top[layer, at].tolist(), grid.probabilities[layer, at], strict=True)
        return {
            "layer": layer,
            "words": [
                {"text": words[it], "id": it, "probability": float(share)}
                for it, share in likeliest
            ],
            "entropy": float(grid.entropy[layer, at]),
            "rank_of_final": int(grid.rank[layer, at]),
            "probability_of_final": float(grid.share[layer, at]),
        }

    answer = {
        "model": options.model,
        "kind": options.kind,
        "tokens": [
            {
                "text": words[int(it)],
                "id": int(it),
                "answer": words[int(grid.top[-1, at, 0])],
                "appears": int(grid.appears[at]),
                "layers": [cell(layer, at) for layer in range(layers)],
            }
            for at, it in enumerate(grid.ids)
        ],
    }

    def text() -> str:
        shown = sorted({round(at * (layers - 1) / (SHOWN - 1)) for at in range(SHOWN)})
        lines = ["token, what comes next by layer"]
        for at, token in enumerate(grid.ids.tolist()):
            said = [f"{it}: {words[int(grid.top[it, at, 0])]!r}" for it in shown]
            lines.append(f"{words[token]!r:14} {'  '.join(said)}")
        return "\n".join(lines)

    say(options, answer, text)
