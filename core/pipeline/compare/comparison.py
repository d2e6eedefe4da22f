"""Two spaces over the items that they share: laid on each other, and how far each item moved.

Everything is measured in the space. b is brought onto a by one turn, scale and shift
(Procrustes), so that a difference that only names directions otherwise is none; what is left of
an item's way is its drift. Beside it stands the drift between two students that differ in their
seed only: a drift no larger than that says nothing.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidSpecification
from core.metrics.fidelity import overlap
from core.metrics.similarity import padded, procrustes, similarity
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.students.seed_drift import drift_of, null_drift, twin_of
from core.progress import reach, scaled
from core.spaces.join import Join, join
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Provenance, Space
from core.store.keys import store_key
from core.students import storage
from core.types import Matrix, Progress, Rows, Scores, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

FEWEST = 3  # shared items
JOINED = "joined-2"  # how items are joined: another way, other rows
NEAR = 10
MOVED = 60  # items named
NAMED = 5  # neighbours in a sentence


@dataclass(frozen=True, eq=False)
class Comparison:
    """``a`` and ``b`` hold the n shared items in a's order, b laid on a, with zeros appended
    where one has fewer dimensions; ``join`` says which they are and what is left out.

    ``drift`` (n,) is 1 - cosine between an item's two vectors, a's mean taken from both: 0 not
    moved, 1 nothing in common, 2 opposite. ``null_drift`` (n,) the same between two seeds of the
    student, None where there are none (``null_note`` says why). ``overlap`` (n,) is the share of
    the ten nearest that both have, each in its own space. ``moved`` names what moved most: row,
    text, drift, overlap, lost, gained, and a sentence. In a :func:`sketch` nothing is known of
    neighbours or seeds yet: ``overlap`` is None, ``moved`` empty, ``summary`` the drift's alone.
    Of fewer than twelve items each has no more than ten others, and keeps all ten for certain: what
    is said of neighbours kept is NaN then.
    """

    a: Space
    b: Space
    join: Join
    drift: Scores
    null_drift: Scores | None
    overlap: Scores | None
    summary: dict[str, float]
    moved: list[dict[str, Any]]
    null_note: str = ""
    names: tuple[str, str] = field(default=("", ""))

    @property
    def kept(self) -> Scores | None:
        """``overlap`` where it is known and could be bad."""
        return None if self.overlap is None or np.isnan(self.overlap).any() else self.overlap

    @property
    def shared(self) -> int:
        """n, how many items both spaces have."""
        return len(self.a)

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON, without the vectors."""
        only_a, only_b = self.join.left_out
        return {
            "a": self.names[0],
            "b": self.names[1],
            "joined_by": self.join.by,
            "shared": self.shared,
            "only_a": only_a,
            "only_b": only_b,
            "other_text": self.join.renamed,
            "summary": self.summary,
            "null": self.null_note,
            "moved": self.moved,
        }


def reference_to(typed: str) -> str:
    """The reference string of a teacher, or of a student's folder.

    >>> reference_to("glove:1000")
    'glove:1000'
    """
    try:
        if (Path(typed).expanduser() / storage.DESCRIPTION).is_file():
            return PREFIX + typed
    except (OSError, RuntimeError, ValueError):
        pass
    return typed


def compare(
    workspace: "Workspace", a_ref: str, b_ref: str, progress: Progress = silent
) -> Comparison:
    """Compare two spaces by reference string; what was compared before is read back.

    Raises UnknownTeacher, InvalidSpecification where fewer than three items are shared, Cancelled.
    """
    twin = twin_of(workspace, b_ref) or twin_of(workspace, a_ref)
    key = _key(workspace, a_ref, b_ref, twin)
    whole_a = workspace.space(a_ref, partial(scaled, progress, 0, 15))
    whole_b = workspace.space(b_ref, partial(scaled, progress, 15, 30))
    names, spaces = (a_ref, b_ref), (whole_a, whole_b)
    return workspace.kept(
        "comparison",
        key,
        read=lambda: _read(workspace, key, names, whole_a, _enough(*spaces)),
        make=lambda: _compared(workspace, names, *spaces, _enough(*spaces), twin, progress),
        write=lambda made: _write(workspace, key, made),
    )


def sketch(workspace: "Workspace", a_ref: str, b_ref: str) -> Comparison:
    """What takes no search for neighbours: both laid on each other, and each item's drift.

    Raises UnknownTeacher, InvalidSpecification where fewer than three items are shared.
    """
    a, b = workspace.space(a_ref), workspace.space(b_ref)
    return _laid((a_ref, b_ref), a, b, _enough(a, b))


def _enough(a: Space, b: Space) -> Join:
    joined = join(a, b)
    if len(joined.a) < FEWEST:
        raise InvalidSpecification(
            f"found {len(joined.a)} items that {a.name} and {b.name} share by {joined.by}; "
            f"expected at least {FEWEST}: {joined.advice[0].lower()}{joined.advice[1:]}"
        )
    return joined


def has_comparison(workspace: "Workspace", a_ref: str, b_ref: str) -> bool:
    """Whether these two were compared before, so that :func:`compare` only reads."""
    twin = twin_of(workspace, b_ref) or twin_of(workspace, a_ref)
    return workspace.store.has("comparison", _key(workspace, a_ref, b_ref, twin))


def _key(workspace: "Workspace", a_ref: str, b_ref: str, twin: tuple[str, str, str] | None) -> str:
    parts = [
        workspace.space_key(a_ref),
        workspace.space_key(b_ref),
        twin[1] if twin else "",
        JOINED,
    ]
    return store_key(*parts)


def part(space: Space, rows: Rows) -> Space:
    """The chosen rows; the space itself where those are all, so that its pictures are found."""
    if len(rows) == len(space) and np.array_equal(rows, np.arange(len(space))):
        return space
    return space.take(rows, space.name)


def _laid(names: tuple[str, str], whole_a: Space, whole_b: Space, joined: Join) -> Comparison:
    a, b = part(whole_a, joined.a), part(whole_b, joined.b)
    laid = procrustes(a.vectors, b.vectors)
    aligned = laid.apply(b.vectors)
    drift = drift_of(padded(a.vectors, len(laid.rotation)), aligned)
    return Comparison(
        a=a,
        b=_laid_space(a, names[1], aligned),
        join=joined,
        drift=drift,
        null_drift=None,
        overlap=None,
        summary={"drift_mean": float(drift.mean()), "drift_median": float(np.median(drift))},
        moved=[],
        names=names,
    )


def _compared(
    workspace: "Workspace",
    names: tuple[str, str],
    whole_a: Space,
    whole_b: Space,
    joined: Join,
    twin: tuple[str, str, str] | None,
    progress: Progress,
) -> Comparison:
    a, b = part(whole_a, joined.a), part(whole_b, joined.b)
    graph_a = workspace.graph(a, partial(scaled, progress, 30, 50))
    graph_b = workspace.graph(b, partial(scaled, progress, 50, 70))
    reach(progress, 70, "laying one space on the other")
    laid = _laid(names, whole_a, whole_b, joined)
    kept = overlap(
        np.ascontiguousarray(graph_a.indices[:, :NEAR]),
        np.ascontiguousarray(graph_b.indices[:, :NEAR]),
    )
    if len(a) <= NEAR + 1:
        kept = np.full(len(a), np.nan, np.float32)
    null, note = null_drift(workspace, b.texts, twin, partial(scaled, progress, 80, 90))
    reach(progress, 90, "comparing the shapes of the two spaces")
    alike = similarity(a.vectors, b.vectors)
    summary = {
        "cka": alike.cka,
        "cka_debiased": alike.cka_debiased,
        "rsa": alike.rsa,
        "procrustes_residual": alike.procrustes,
        "recall10": float(kept.mean()),
        **laid.summary,
        **{f"{name}_null": value for name, value in alike.null.items()},
        **({} if null is None else {"null_drift_mean": float(null.mean())}),
        **_unaligned(a, b),
    }
    return replace(
        laid,
        null_drift=null,
        overlap=kept,
        summary=summary,
        moved=_moved(a, laid.drift, kept, graph_a, graph_b),
        null_note=note,
    )


def _laid_space(a: Space, reference: str, vectors: Matrix) -> Space:
    provenance = Provenance(teacher=reference, model=f"laid on {a.name}", layer="aligned")
    return Space.create(a.texts, vectors, provenance, ids=a.ids, metadata=a.metadata)


def _unaligned(a: Space, b: Space) -> dict[str, float]:
    """Cosine and relative error as the vectors stand, where the dimensions are the same."""
    if a.dim != b.dim:
        return {}
    lost = float(np.square(a.vectors - b.vectors, dtype=np.float64).sum())
    there = float(np.square(a.vectors - a.mean, dtype=np.float64).sum())
    cosines = np.einsum("nd,nd->n", a.unit, b.unit, dtype=np.float64)
    return {
        "cosine_unaligned": float(cosines.mean()),
        "relative_error_unaligned": lost / there if there else float(lost > 0),
    }


def _moved(
    a: Space, drift: Scores, kept: Scores, before: NeighborGraph, after: NeighborGraph
) -> list[dict[str, Any]]:
    rows = np.argsort(-drift, kind="stable")[:MOVED]
    found: list[dict[str, Any]] = []
    for row in rows.tolist():
        then = before.indices[row, :NEAR].tolist()
        now = after.indices[row, :NEAR].tolist()
        lost = [it for it in then if it not in now]
        gained = [it for it in now if it not in then]
        found.append(
            {
                "row": row,
                "id": a.ids[row],
                "text": a.texts[row],
                "drift": float(drift[row]),
                "overlap": float(kept[row]),
                "lost": [a.texts[it] for it in lost],
                "gained": [a.texts[it] for it in gained],
                "says": _sentence(a.label(row), [*map(a.label, lost)], [*map(a.label, gained)]),
            }
        )
    return found


def _sentence(text: str, lost: list[str], gained: list[str]) -> str:
    """What a move means.

    >>> _sentence("bank", ["river", "shore"], ["loan"])
    'bank went from river, shore to loan'
    """
    if not lost and not gained:
        return f"{text} kept its ten nearest"
    return f"{text} went from {', '.join(lost[:NAMED])} to {', '.join(gained[:NAMED])}"


# --------------------------------------------------------------------------------- kept on disk


def _write(workspace: "Workspace", key: str, comparison: Comparison) -> None:
    found = {
        "drift": comparison.drift,
        "overlap": comparison.overlap,
        "null_drift": comparison.null_drift,
    }
    arrays = {name: scores for name, scores in found.items() if scores is not None}
    payload = {
        "summary": comparison.summary,
        "moved": comparison.moved,
        "null_note": comparison.null_note,
    }
    workspace.store.save("comparison", key, {"b": comparison.b.vectors, **arrays}, None, payload)


def _read(
    workspace: "Workspace", key: str, names: tuple[str, str], whole_a: Space, joined: Join
) -> Comparison:
    a = part(whole_a, joined.a)
    stored = workspace.store.load("comparison", key)
    said, arrays = stored.payload, stored.arrays
    return Comparison(
        a=a,
        b=_laid_space(a, names[1], arrays["b"]),
        join=joined,
        drift=arrays["drift"],
        null_drift=arrays.get("null_drift"),
        overlap=arrays["overlap"],
        summary=said["summary"],
        moved=said["moved"],
        null_note=said["null_note"],
        names=names,
    )
