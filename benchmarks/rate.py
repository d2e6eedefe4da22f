"""Bytes a row at a given error: what each part of the coder gains, and what did not earn its keep.

    python -m benchmarks.rate students minilm:tokens 0.1
    python -m benchmarks.rate ablation glove 0.1
    python -m benchmarks.rate decoders minilm:tokens 0.1

Each run adds its figures to benchmarks/results/rate.json. Students are made whole, and everything
that they store is counted. The ablation codes some 5,000 rows in whole blocks and counts, beside
their stream, the model's bytes shared out over all rows of the table; the basis, the vocabulary and
the table of blocks are the same for every line and left out.
"""

import argparse
import json
import math
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, Stopwatch, record, this_command
from core.metrics.rate_distortion import gaussian_limit
from core.pipeline.workspace import Workspace
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.coding.coded_matrix import BLOCK, CodedMatrix
from core.students.coding.gaussian_mixture import Mixture
from core.students.coding.prefix_prediction import Relatives
from core.students.coding.vocabulary import Vocabulary
from core.students.families import transform, vae
from core.students.families.linear import LinearStudent, Principal
from core.students.registry import fit
from core.students.storage import parts, size_bytes
from core.types import Coords, Rows

ROWS = 5_000
LINES: dict[str, dict[str, Any]] = {
    "scalar quantiser, one Gaussian": {"states": 1},
    "trellis of 4 states": {"states": 4},
    "trellis of 8 states": {"states": 8},
    "trellis of 32 states": {"states": 32},
    "8 states, spelling": {"states": 8, "spelling": True},
    "8 states, mixture of 2": {"states": 8, "components": 2},
    "8 states, mixture of 8": {"states": 8, "components": 8},
    "8 states, mixture of 32": {"states": 8, "components": 32},
    "8 states, mixture of 128": {"states": 8, "components": 128},
    "8 states, spelling, mixture as shipped": {"states": 8, "spelling": True, "components": 0},
    "32 states, spelling, mixture as shipped": {"states": 32, "spelling": True, "components": 0},
}


class Table:
    """Principal coefficients above the water level, and what is needed to code some of them."""

    def __init__(self, space: Space, error: float) -> None:
        self.words, rows = Vocabulary.of(space.texts)
        vectors = space.vectors[rows]
        found = Principal.of(vectors)
        self.error, self.total = error, float(found.variances.sum())
        self.level = transform._level(found.variances, error, 0)
        kept = found.variances > self.level
        self.rest = float(found.variances[~kept].sum())
        axes = found.axes[:, kept].astype(np.float32)
        self.coefficients: Coords = np.asarray((vectors - found.mean) @ axes, np.float32)
        self.some: Rows = transform._blocks(len(rows), ROWS)
        part = np.square(self.coefficients[self.some], dtype=np.float64).sum(axis=1).mean()
        self.scale = float(found.variances[kept].sum() / part)
        self.limit = gaussian_limit(found.variances, error) / 8

    def error_of(self, told: Coords) -> float:
        """Relative error of the table, were all rows like these."""
        wrong = np.square(told - self.coefficients[self.some], dtype=np.float64).sum(axis=1).mean()
        return (float(wrong) * self.scale + self.rest) / self.total


def line(
    table: Table, states: int, spelling: bool = False, components: int = 1
) -> dict[str, float]:
    """Bytes a row at the table's error, by a secant through two steps near it."""
    values = table.coefficients
    n, k = values.shape
    relatives = Relatives.of(table.words.texts, BLOCK).fitted(values)
    relatives = relatives if spelling else Relatives.none(n)
    left = values - relatives.predicted(values)
    most = components or max(1, min(vae.MOST, n // (vae.NUMBERS_PER_ROW * k)))
    labels = np.zeros(n, np.int64)
    if most > 1:
        labels = Mixture.fit(left, table.level, most, 0).labels(left)
    step, points = math.sqrt(12 * table.level), []
    for _ in range(3):
        means = vae._means(left, labels, int(labels.max()) + 1, step)
        coded = CodedMatrix.fit(
            np.ascontiguousarray(values[table.some]), step, labels=labels[table.some],
            means=means, relatives=relatives.take(table.some), states=states,
        )  # fmt: skip
        error = table.error_of(coded.rows(np.arange(len(table.some))))
        points.append((math.log(error / table.error), coded.stream.nbytes / len(table.some)))
        if abs(points[-1][0]) < 0.002 and len(points) > 1:
            break
        step *= math.exp(-points[-1][0] / 1.6) * (1.003 if not points[-1][0] else 1)
    (one, first), (two, second) = sorted(points, key=lambda point: abs(point[0]))[:2]
    stream = first - one * (second - first) / (two - one) if two != one else first
    model = coded.model.packed(coded.means).nbytes / n
    return {"bytes_a_row": round(stream + model, 3), "of_which_model": round(model, 3)}


def ablation(space: Space, error: float) -> dict[str, Any]:
    """Every line of LINES."""
    table = Table(space, error)
    found: dict[str, Any] = {"gaussian_limit": round(table.limit, 3)}
    for name, settings in LINES.items():
        found[name] = line(table, **settings)
        print(name, found[name], flush=True)
    return found


def students(space: Space, error: float) -> dict[str, Any]:
    """Whole students of both families: every byte of their folder."""
    found: dict[str, Any] = {}
    for spec in (transform.TransformSpec(relative_error=error), vae.VaeSpec(relative_error=error)):
        with Stopwatch() as watch:
            made = fit(space, spec)
        assert isinstance(made, LinearStudent)
        rows = Vocabulary.of(space.texts)[1]
        found[spec.family] = {
            "bytes_total": size_bytes(made),
            "bytes_without_vocabulary": size_bytes(made) - parts(made)["vocabulary"],
            "bytes_per_item": round(size_bytes(made) / len(space), 3),
            "relative_error": round(made.error_on(space.vectors[rows]), 5),
            "parts": parts(made),
            "seconds": round(watch.seconds, 1),
        }
        print(found, flush=True)
    return found


def decoders(space: Space, error: float) -> dict[str, Any]:
    """A residual network after the decoder, by squared error alone and with an adversary."""
    import torch

    table = Table(space, error)
    values = np.ascontiguousarray(table.coefficients[table.some])
    coded = CodedMatrix.fit(values, math.sqrt(12 * table.level))
    scale = 1 / math.sqrt(table.level)
    told = torch.from_numpy(coded.rows(np.arange(len(values))) * scale)
    true = torch.from_numpy(values * scale)
    k, hidden = values.shape[1], 128
    held = torch.arange(len(values)) % 5 == 0
    base = float((told - true)[held].square().mean())
    found: dict[str, Any] = {"bytes_of_network_a_row": round(4 * k * hidden / len(space), 3)}
    for name, weight in (("residual network", 0.0), ("with an adversary", 0.02)):
        torch.manual_seed(0)
        closing = torch.nn.Linear(hidden, k)
        torch.nn.init.zeros_(closing.weight)
        net = torch.nn.Sequential(torch.nn.Linear(k, hidden), torch.nn.GELU(), closing)
        critic = torch.nn.Sequential(
            torch.nn.Linear(k, hidden), torch.nn.GELU(), torch.nn.Linear(hidden, 1)
        )
        ours = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-2)
        theirs = torch.optim.AdamW(critic.parameters(), 1e-3)
        best = 1.0
        for step in range(600):
            rows = torch.from_numpy(np.random.default_rng(step).integers(0, len(values), 512))
            rows = rows[~held[rows]]
            made = told[rows] + net(told[rows])
            loss = (made - true[rows]).square().mean()
            if weight:
                judged = critic(torch.cat([true[rows], made.detach()]))
                labels = torch.cat([torch.ones(len(rows), 1), torch.zeros(len(rows), 1)])
                wrong = torch.nn.functional.binary_cross_entropy_with_logits(judged, labels)
                theirs.zero_grad()
                wrong.backward()  # type: ignore[no-untyped-call]
                theirs.step()
                loss = loss - weight * critic(made).mean()
            ours.zero_grad()
            loss.backward()
            ours.step()
            if step % 20 == 19:
                with torch.no_grad():
                    after = (told + net(told) - true)[held].square().mean()
                best = min(best, float(after) / base)
        last = float(after) / base
        found[name] = {"error_kept_at_its_best": round(best, 4), "at_the_end": round(last, 4)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["students", "ablation", "decoders"])
    parser.add_argument("teacher")
    parser.add_argument("error", type=float)
    given = parser.parse_args()
    space = Workspace(default_workspace()).space(given.teacher)
    figures = globals()[given.what](space, given.error)
    file = RESULTS / "rate.json"
    known = json.loads(file.read_text(encoding="utf-8"))["results"] if file.exists() else {}
    known.setdefault(given.what, {})[f"{given.teacher} at {given.error:g}"] = figures
    record("rate", this_command(), known)


if __name__ == "__main__":
    main()
