"""Small horizontal bars with names and figures, as a Streamlit component."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.ui.stage import component, tokens


@dataclass(frozen=True)
class Bar:
    """A row: ``share`` is the bar's length, 0 to 1, None for none; ``mark`` a tick on it.

    With a ``key`` the row is a button.
    """

    name: str
    value: str
    share: float | None = None
    detail: str = ""
    mark: float | None = None
    key: int | None = None


def bars(
    rows: Sequence[Bar], label: str, key: str, on_chosen: Callable[[], None] | None = None
) -> None:
    """Draw the rows; a click leaves ``{"row": key}`` in ``st.session_state[key]["chosen"]``."""
    quiet: Callable[[], None] = lambda: None  # noqa: E731 - a component wants a callback
    component("meaning_space_bars", "bars.js", "bars.css")(
        data={"rows": [_sent(row) for row in rows], "label": label, "tokens": tokens().css()},
        key=key,
        on_chosen_change=on_chosen or quiet,
    )


def _sent(row: Bar) -> dict[str, Any]:
    """What the browser gets; what is None is left out."""
    return {name: value for name, value in asdict(row).items() if value is not None}
