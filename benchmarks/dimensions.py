"""Fewer dimensions: one nested student read at 16 to 256 dimensions, beside PCA at each.

The coefficients of a transform student come in order, so that its first k are a k-dimensional
student: no other training, nothing else stored. PCA keeps its k numbers exactly, in floats. A
third column is a linear map trained so that all its prefixes keep the neighbours at once
(Matryoshka, Kusupati and others 2022), in floats too: PCA is already the best of all linear maps
for the squared error at every k, so the only thing that it can win is neighbours.

Each is read as mean + what k numbers say, in the teacher's 384 dimensions. The Matryoshka map is
read back by least squares. Neighbours of 1,000 rows among all.

    python -m benchmarks.dimensions
"""

import argparse
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from core.metrics.benchmarks import word_benchmarks
from core.metrics.fidelity import fidelity, sample_rows
from core.pipeline.workspace import Workspace
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.families.transform import TransformSpec, TransformStudent
from core.students.registry import fit
from core.students.storage import size_bytes
from core.types import Matrix

TEACHER = "minilm:tokens"
DIMS = (16, 32, 64, 128, 256)
BYTES = 80.0  # an item, everything in: relative error near .10 when read whole
ASKED = 1_000
STEPS, GROUPS, TOGETHER, RATE, TEMPERATURE = 300, 16, 32, 3e-3, 0.05

Array = npt.NDArray[np.float32]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    space = Workspace(default_workspace()).space(TEACHER)
    with Stopwatch() as fitting:
        student = fit(space, TransformSpec(bytes_per_item=BYTES))
    assert isinstance(student, TransformStudent)
    with Stopwatch() as training:
        nested = matryoshka(space)
    results: dict[str, Any] = {
        "teacher": TEACHER,
        "items": len(space),
        "dimensions_of_the_teacher": space.dim,
        "queries": ASKED,
        "student_bytes_per_item": size_bytes(student) / len(space),
        "student_coefficients": student.basis.k,
        "seconds_to_fit": {"student": fitting.seconds, "matryoshka": training.seconds},
        "readings": [],
    }
    axes = principal_axes(space.vectors)
    for dims in (*DIMS, student.basis.k):
        given = student.generate(space.texts, dims=dims)
        results["readings"].append(
            {
                "dimensions": dims,
                "student": figures(space, given),
                "pca": figures(space, read_back(space, axes[:, :dims])),
                "matryoshka": (
                    figures(space, read_back(space, nested[:, :dims])) if dims in DIMS else None
                ),
            }
        )
    record("dimensions", this_command(), results)


def figures(space: Space, vectors: Matrix) -> dict[str, Any]:
    """Fidelity, and wordsim353 beside the teacher's."""
    found = fidelity(space.vectors, vectors, rows=sample_rows(len(space), 0, ASKED))
    (words,) = word_benchmarks(space, vectors, names=("wordsim353",))
    return {
        "relative_error": found.relative_error,
        "cosine": found.cosine,
        "recall_10": found.recall[10],
        "recall_10_95": found.intervals["recall_10"].report(),
        "wordsim353": words.student,
        "wordsim353_teacher": words.teacher,
    }


def principal_axes(vectors: Matrix) -> Array:
    """(d, d) in columns, the largest variance first."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)


def read_back(space: Space, columns: Array) -> Matrix:
    """(n, d): the numbers that columns (d, k) give, put back by least squares."""
    kept, _ = np.linalg.qr(columns.astype(np.float64))
    moved = (space.vectors - space.mean) @ kept @ kept.T + space.mean
    return np.ascontiguousarray(moved, dtype=np.float32)


def matryoshka(space: Space) -> Array:
    """(d, 256) columns whose prefixes keep who is near whom, begun at the principal axes."""
    import torch

    data = torch.from_numpy(space.vectors - space.mean)
    own = torch.from_numpy(np.array(space.mean))
    axes = principal_axes(space.vectors)[:, : max(DIMS)]
    columns = torch.nn.Parameter(torch.from_numpy(axes.copy()))
    order = bundled(space)
    optimiser = torch.optim.Adam([columns], lr=RATE)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        starts = np.random.default_rng((0, step)).integers(0, len(space), GROUPS)
        rows = order[(starts[:, None] + np.arange(TOGETHER)).ravel() % len(space)]
        x = data[torch.from_numpy(rows)]
        kept, _ = torch.linalg.qr(columns)  # one orthonormal basis whose prefixes nest
        z = x @ kept
        theirs = near(x + own).exp()
        losses = [
            torch.nn.functional.kl_div(
                near(z[:, :dims] @ kept[:, :dims].T + own), theirs, reduction="batchmean"
            )
            for dims in DIMS
        ]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return np.asarray(torch.linalg.qr(columns)[0].detach().numpy())


def near(x: Any) -> Any:
    """(b, b) log shares of nearness in a batch, by cosine; none for oneself."""
    import torch

    unit = torch.nn.functional.normalize(x, dim=1)
    hidden = torch.eye(len(x), dtype=torch.bool)
    return (unit @ unit.T / TEMPERATURE).masked_fill(hidden, -1e4).log_softmax(1)


def bundled(space: Space) -> npt.NDArray[np.int64]:
    """The rows in an order in which those that lie together stand together."""
    import faiss

    learnt = faiss.Kmeans(space.dim, len(space) // (4 * TOGETHER), niter=5, seed=0)
    learnt.cp.min_points_per_centroid = 1
    learnt.train(space.unit)
    _, group = learnt.index.search(space.unit, 1)
    return np.argsort(group[:, 0], kind="stable")


if __name__ == "__main__":
    main()
