"""Mounting a scene, and the list beside it, as Streamlit components."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt
import streamlit as st

from core.cache import LruCache
from core.figures.bundle import bundle
from core.figures.parts import packed, readable
from core.figures.scene import Scene, to_json
from core.figures.tokens import DARK, Tokens, theme
from core.resources import plotly_path, site_root
from core.ui.shared import blobs

INLINE_BYTES = 2_200  # an array up to this long travels inside the message itself
MANY = 2_000  # texts of which it pays to remember where they are
_told: LruCache[tuple[dict[str, Any], Sequence[str]]] = LruCache(8)


def tokens() -> Tokens:
    """The colours of the theme that the person has chosen."""
    return theme(st.context.theme.type)


def dark() -> bool:
    """Whether that is the dark one."""
    return tokens() is DARK


def mount(
    scene: Scene,
    key: str,
    on_chosen: Callable[[], None] | None = None,
    on_step: Callable[[], None] | None = None,
    on_ground: Callable[[], None] | None = None,
) -> list[int]:
    """Show a scene; the rows in the person's lasso are returned.

    What was clicked or searched stands in ``st.session_state[key]["chosen"]`` while ``on_chosen``
    runs: ``{"row": 12}`` or ``{"text": "typed"}``; the step of a player that reports it in
    ``["step"]`` while ``on_step`` runs; a click on a picture's ground in ``["ground"]`` while
    ``on_ground`` runs: ``{"x": 0.4, "y": -2.1, "picture": 0}``.
    """
    ready = replace(scene, tokens=tokens().css())
    data = to_json(ready, array=blobs.reference, strings=_strings, column=_column)
    data["plotly"], data["key"] = _plotly_url(), key
    quiet: Callable[[], None] = lambda: None  # noqa: E731 - a callback makes the value come back
    result = component("meaning_space_stage", "stage/index.js")(
        data=data,
        key=key,
        on_chosen_change=on_chosen or quiet,
        on_lasso_change=quiet,
        on_step_change=on_step or quiet,
        on_ground_change=on_ground or quiet,
        default={"lasso": []},
    )
    return [int(row) for row in (result.lasso or [])]


def preload() -> None:
    """Let the browser fetch and read plotly.js while the page is still being computed."""
    if blobs.served():
        component("meaning_space_stage", "stage/index.js")(
            data={"preload": _plotly_url()}, key="preload", height=1
        )


def neighbor_list(
    rows: Sequence[tuple[str, float, int]],
    label: str,
    key: str,
    on_chosen: Callable[[], None],
) -> None:
    """Items with cosines, best first: (text, cosine, row)."""
    shown = [{"text": text, "cosine": cosine, "row": row} for text, cosine, row in rows]
    component("meaning_space_neighbor_list", "neighbor_list.js")(
        data={"rows": shown, "label": label, "tokens": tokens().css()},
        key=key,
        on_chosen_change=on_chosen,
    )


def component(name: str, script: str, style: str = "stage.css") -> Any:
    """The component, registered with this run: ``script`` is the first of its modules in assets/.
    Styles are shared with the page, names are ours."""
    assets = site_root() / "assets"
    return st.components.v2.component(
        name,
        css=_read(assets / style),
        js=bundle(assets / script),
        isolate_styles=False,
    )


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _plotly_url() -> str:
    return "meaning-space/plotly.js" if blobs.served() else _plotly_inside()


@cache
def _plotly_inside() -> str:
    return blobs.publish(plotly_path().read_bytes(), "text/javascript")


def _strings(texts: Sequence[str]) -> dict[str, Any]:
    """Texts as one blob. Those of a space are the same object at every answer, and are joined and
    digested once: kept beside the answer, so that no other texts can get their place in memory."""
    if len(texts) < MANY:
        return blobs.strings(tuple(texts))
    key = id(texts), blobs.served()
    told, _ = _told.get(key, lambda: (blobs.strings(tuple(texts)), texts))
    if not blobs.holds(told["$blob"]):
        told = blobs.strings(tuple(texts))
        _told.put(key, (told, texts))
    return told


def _column(array: npt.NDArray[Any]) -> dict[str, Any]:
    """A short array inside the message; a long one where the browser finds it, if Plotly need not
    read its shape."""
    if array.ndim > 1 or array.nbytes <= INLINE_BYTES:
        return packed(array)
    return blobs.reference(readable(array))
