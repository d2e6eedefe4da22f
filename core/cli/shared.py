"""What the commands share: the workspace, settings, progress, and how an answer is printed."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InvalidSpecification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.pipeline import Workspace
    from core.spaces.space import Space


NONE = "no other item"  # where a space has none to list


def workspace_folder() -> Path:
    from core.store.disk import default_workspace

    return default_workspace()


def open_workspace() -> "Workspace":
    from core.pipeline import Workspace

    return Workspace(workspace_folder())


def picture_spec(options: argparse.Namespace) -> Any:
    from core.projection.base import PcaSpec, spec_from_dict

    values: dict[str, Any] = {"kind": options.projector, "dims": options.dims}
    if options.seed is not None and options.projector != PcaSpec.kind:
        values["seed"] = options.seed
    return spec_from_dict({**values, **settings(options.set, "n_neighbors=30")})


def settings(given: list[str], example: str, *, words: bool = False) -> dict[str, Any]:
    """What stands behind --set: numbers, and with ``words`` also true, false and names.

    Raises InvalidSpecification unless each is NAME=VALUE.
    """
    values: dict[str, Any] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        try:
            values[name] = int(value) if value.lstrip("-").isdecimal() else float(value)
            if not math.isfinite(values[name]):
                equals = ""
        except ValueError:
            if not (words and value and equals):
                equals = ""
            values[name] = {"true": True, "false": False}.get(value, value)
        if not (equals and name):
            kind = "VALUE" if words else "NUMBER"
            raise InvalidSpecification(
                f"found --set {setting!r:.60}; expected NAME={kind}, such as --set {example}"
            )
    return values


def show_progress(done: int, total: int, message: str) -> bool:
    """One line that rewrites itself, for a person at a terminal; wiped by an empty message."""
    if sys.stderr.isatty():
        end = "\n" if done >= total > 0 else ""
        share = f" {100 * done // max(total, 1)}%" if total > 1 or done else ""
        print(f"\r\x1b[K{message}{share}", end=end, file=sys.stderr, flush=True)
    return True


def pairs(
    space: "Space", rows: "npt.NDArray[np.integer]", cosines: "npt.NDArray[np.float32]"
) -> list[dict[str, Any]]:
    return [
        {**named(space, int(row)), "cosine": float(cosine)}
        for row, cosine in zip(rows, cosines, strict=True)
    ]


def named(space: "Space", row: int) -> dict[str, str]:
    """An item's text, its id where that is another, and its address where texts are equal."""
    text, own, label = space.texts[row], space.ids[row], space.label(row)
    item = {"item": label} if text in space.index.repeated else {}
    return {"text": text, **({} if own == text else {"id": own}), **item}


def label(item: dict[str, Any]) -> str:
    """How an item of :func:`named` is called in lines of text: no two alike."""
    return str(item.get("item", item["text"]))


def listed(items: list[dict[str, Any]], most: int) -> str:
    """The first items in a line."""
    return ", ".join(map(label, items[:most])) or NONE


def lines(pairs: list[dict[str, Any]]) -> str:
    return "\n".join(f"{pair['cosine']:.3f}  {label(pair)}" for pair in pairs) or NONE


def say(options: argparse.Namespace, answer: Any, text: Callable[[], str]) -> None:
    """Print the answer as JSON, where NaN and infinity become null, or as text."""
    if options.json:
        from core.pipeline.students.evaluation import without_nan

        print(json.dumps(without_nan(answer), ensure_ascii=False, allow_nan=False))
    else:
        print(text())


def at_least_one(k: int) -> int:
    if k < 1:
        raise InvalidSpecification(f"found -k {k}; expected at least 1")
    return k


def require_folder(file: Path | None) -> None:
    """Fail before the work, not after it. Raises InvalidSpecification."""
    if file is not None and not file.absolute().parent.is_dir():
        raise InvalidSpecification(
            f"found no folder {file.absolute().parent}; expected one to write {file.name} into: "
            "make it first"
        )


def write_vectors(file: Path | None, vectors: "npt.NDArray[np.float32]") -> None:
    if file is None:
        return
    import numpy as np

    with file.open("wb") as stream:
        np.save(stream, vectors, allow_pickle=False)
