"""The answer to "does a signature carry more than its tokens?", kept in the workspace."""

from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import StoreError
from core.metrics.intervals import Interval
from core.pipeline.models import identity
from core.pipeline.texts.pairs import PREPARED, Signed, Told, more_than_tokens, prepared_pairs
from core.store.disk import Artefact
from core.store.keys import store_key
from core.types import Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Bench

VERSION = 1


def has_pairs(bench: "Bench", model: str) -> bool:
    """Whether the prepared pairs were measured with that model. Raises UnknownTeacher."""
    return bench.store.has("pairs", _key(model))


def kept_pairs(bench: "Bench", model: str, progress: Progress = silent) -> Signed:
    """The prepared pairs in both spaces: measured before, or now, some seconds.

    Raises what :func:`core.pipeline.texts.pairs.more_than_tokens` raises.
    """
    key = _key(model)
    return bench.kept(
        "pairs",
        key,
        read=lambda: _read(bench.store.load("pairs", key)),
        make=lambda: more_than_tokens(model, progress=progress),
        write=lambda found: _write(bench, key, found),
    )


def _key(model: str) -> str:
    return store_key(identity(model), VERSION, PREPARED.read_text(encoding="utf-8"))


def _write(bench: "Bench", key: str, found: Signed) -> None:
    told = (found.contextual, found.rows)
    arrays = {f"distances {number}": it.distances for number, it in enumerate(told)}
    arrays |= {f"centre {number}": it.centre for number, it in enumerate(told)}
    said = [
        {
            "name": it.name,
            "far": it.far,
            "by_kind": {kind: list(vars(one).values()) for kind, one in it.by_kind.items()},
            "nearer": {kind: list(vars(one).values()) for kind, one in it.nearer.items()},
        }
        for it in told
    ]
    bench.store.save("pairs", key, arrays, None, {"told": said, "notes": list(found.notes)})


def _read(kept: Artefact) -> Signed:
    try:
        told = [_told(kept, number, said) for number, said in enumerate(kept.payload["told"])]
        contextual, rows = told
        return Signed(prepared_pairs(), contextual, rows, tuple(kept.payload["notes"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise StoreError(f"found kept pairs without {fault}; expected all: measure anew") from None


def _told(kept: Artefact, number: int, said: dict[str, Any]) -> Told:
    return Told(
        said["name"],
        np.asarray(kept.arrays[f"distances {number}"]),
        np.asarray(kept.arrays[f"centre {number}"]),
        float(said["far"]),
        {kind: Interval(*values) for kind, values in said["by_kind"].items()},
        {kind: Interval(*values) for kind, values in said["nearer"].items()},
    )
