"""What people take away: a button that saves a file, and a picture as a page that works offline."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePath
from typing import Literal

import pandas as pd
import regex
import streamlit as st

from core.figures.export import standalone
from core.figures.scene import Scene
from core.projection.base import Spec
from core.resources import plotly_path, site_root
from core.spaces.columns import to_take_away
from core.spaces.space import Space
from core.spaces.words import letters_of
from core.ui.shared.state import workspace
from core.ui.stage import tokens

LARGEST_LASSO = 5000  # rows that the page shows; the file has all
KINDS = {
    ".html": "text/html",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}


def save_button(
    label: str,
    make: Callable[[], bytes],
    file: str,
    help_text: str | None = None,
    width: Literal["stretch", "content"] = "stretch",
) -> None:
    """A button, by default as wide as its column. The file, whose suffix is one of KINDS, is made
    when the button is pressed, and the page stays as it is."""
    st.download_button(
        label,
        make,
        file,
        KINDS[PurePath(file).suffix],
        help=help_text,
        width=width,
        on_click="ignore",
    )


def save_page_and_table(
    name: str, page: Callable[[], bytes], table: pd.DataFrame, row: str, about_page: str
) -> None:
    """A picture as a page and its table as CSV, side by side; ``row`` is what a row stands for."""
    left, right, _ = st.columns([1, 1, 3])
    with left:
        save_button("Save as a page", page, f"{name}.html", about_page)
    with right:
        save_button(
            f"Save the {row}s", lambda: safe_csv(table), f"{name}.csv", f"CSV, one row a {row}"
        )


def as_page(scene: Scene, title: str, caption: str) -> bytes:
    """One HTML file that shows the scene in today's colours and needs no network."""
    page = standalone(
        replace(scene, tokens=tokens().css()),
        title,
        caption,
        site_root() / "assets",
        plotly_path().read_text(encoding="utf-8"),
    )
    return page.encode("utf-8", "replace")


def file_name(kind: str, names: Iterable[str], most: int = 20) -> str:
    """A name that any disk takes, of letters and digits of what is shown.

    >>> file_name("path", ["dog", "a/b c", "?"])
    'path-dog-abc-x'
    """
    plain = (letters_of(name)[:most] or "x" for name in names)
    return "-".join([kind, *plain])


FORMULA = regex.compile(  # a spreadsheet looks past blanks and marks of order, and reads wide signs
    r"[\t\r\n]|[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]*[=+\-@＝＋－＠﹦﹢﹣﹫]"
)


def safe_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 CSV in which no cell starts a spreadsheet formula.

    A text that begins with one of ``= + - @``, a tab or a line break gets an apostrophe in
    front, as OWASP advises against CSV injection; so does one in which only blanks, a byte-order
    mark or other invisible characters come before, and one with a full-width or small form of
    those signs. Numbers stay numbers. Rows end as RFC 4180
    says, so that a lone carriage return inside a text is quoted and cannot begin a row.

    >>> safe_csv(pd.DataFrame({"text": ["=1+1", "dog"], "cosine": [-0.5, 1]})).decode("utf-8-sig")
    "text,cosine\\r\\n'=1+1,-0.5\\r\\ndog,1.0\\r\\n"
    """

    def safe(value: object) -> object:
        risky = isinstance(value, str) and FORMULA.match(value)
        return f"'{value}" if risky else value

    shown = table.rename(columns=lambda name: str(safe(str(name))))
    text: str = shown.map(safe).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def lasso_table(space: Space, shown: Spec, rows: list[int]) -> None:
    """Items inside the lasso, to read and to take away."""
    rows = [row for row in rows if 0 <= row < len(space)]
    if not rows:
        return
    cut = rows[:LARGEST_LASSO]
    st.subheader(f"{len(rows):,} in the lasso", anchor=False)
    st.dataframe(_selection(space, shown, cut), hide_index=True, height=280)
    if len(cut) < len(rows):
        st.caption(f"The table shows the first {len(cut):,}; the file has all {len(rows):,}.")
    save_button(
        "Save as CSV",
        lambda: safe_csv(_selection(space, shown, rows)),
        "selection.csv",
        f"{len(rows):,} rows",
        width="content",
    )


def _selection(space: Space, shown: Spec, rows: list[int]) -> pd.DataFrame:
    """Those items with all that is known about them, a row an item."""
    table = pd.DataFrame(
        {"id": [space.ids[row] for row in rows], "text": [space.texts[row] for row in rows]}
    )
    about = to_take_away(space.metadata.iloc[rows]).reset_index(drop=True)
    table = pd.concat([table, about], axis=1)
    table["vector length"] = space.norms[rows]
    if workspace().has_faithfulness(space, shown) and workspace().faithfulness(space, shown).judged:
        table["neighbours kept"] = workspace().faithfulness(space, shown).per_point[rows]
    return table
