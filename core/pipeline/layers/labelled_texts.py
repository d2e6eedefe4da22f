"""Labelled texts that a person brings: a table with a column of texts and a column of labels."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from unicodedata import category

import numpy as np
import pandas as pd

from core.errors import InvalidSpecification, UnreadableFile
from core.spaces.words import folded, lines_of
from core.store.disk import Store

MOST_BYTES = 50_000_000
MOST_ROWS = 4_000  # read by the model; of more, so many are drawn
MOST_CHARACTERS = 1_500_000  # of all texts together: some minutes' reading on a small machine
MOST_CLASSES = 30
FEWEST_GROUPS = 2  # of a label, so that it can be on both sides of a fold
KIND = "labelled"


@dataclass(frozen=True)
class Labelled:
    """n texts with their labels. Where there are ``words`` the question is about the word's state
    in its text, else about the whole text. ``groups`` stay on one side; "" where none is given.
    ``notes`` say what was left out."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    words: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What tells these from any others."""
        state = blake2b(digest_size=16)
        for column in (self.texts, self.labels, self.words, self.groups):
            for value in column:
                state.update(value.encode("utf-8", "surrogatepass") + b"\x00")
            state.update(b"\x01")
        return state.hexdigest()


def read_table(data: bytes, name: str) -> pd.DataFrame:
    """A CSV or TSV file with a line of names, every cell as it is written.

    Columns are parted by tabs, semicolons or commas, whichever the first line has most of. Raises
    UnreadableFile for what is empty, too large, not UTF-8 or not a table.
    """
    if len(data) > MOST_BYTES:
        raise UnreadableFile(
            f"found {len(data) / 1e6:.0f} MB in {name:.60}; expected at most "
            f"{MOST_BYTES // 1_000_000}: bring fewer rows"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise UnreadableFile(
            f"found {name:.60}, which is not UTF-8 (byte {fault.start}); expected text in UTF-8: "
            "save it so"
        ) from None
    first = next((line for line in lines_of(text) if line.strip()), "")
    if not first or "\x00" in text:
        raise UnreadableFile(
            f"found {'no text' if not first else 'zero bytes'} in {name:.60}; expected a line of "
            "column names and a row an item: save it as CSV"
        )
    separator = max("\t;,", key=first.count)
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, on_bad_lines="error"
        )
    except (ValueError, OverflowError) as fault:  # pandas' own errors are ValueErrors
        raise UnreadableFile(
            f"found {name:.60}, which does not read as a table "
            f"({' '.join(str(fault).split())[:120]}); expected as many cells in each row as names "
            "in the first: mend that row, or quote texts that hold the separator"
        ) from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first column for row names
        raise UnreadableFile(
            f"found more cells in the first row of {name:.60} than names above it; expected as "
            "many: quote texts that hold the separator, or name every column"
        )
    if table.empty:
        raise UnreadableFile(f"found no rows in {name:.60}; expected a row an item: add some")
    return table


def labelled(
    table: pd.DataFrame, text: str, label: str, word: str = "", group: str = "", seed: int = 0
) -> Labelled:
    """The columns of that name, without rows that cannot be asked about; the notes say which.

    Left out are rows without text or label, labels in a single group, all but the 30 commonest
    labels, and of more than 4,000 rows all but so many, drawn. Raises InvalidSpecification for a
    column that is not there, and where fewer than two labels are left.
    """
    for name in filter(None, (text, label, word, group)):
        if name not in table.columns:
            raise InvalidSpecification(
                f"found no column {name!r:.60}; expected one of "
                f"{', '.join(map(str, table.columns[:12]))}"
            )
    columns = {"text": text, "label": label, "word": word, "group": group}
    rows = pd.DataFrame(
        {
            name: table[column].astype(str).str.strip() if column else ""
            for name, column in columns.items()
        },
        index=range(len(table)),
    )
    notes: list[str] = []
    needed = ["text", "label", *(["word"] if word else [])]
    whole = (rows[needed] != "").all(axis=1) & rows["text"].map(_has_signs)
    rows = _kept(rows, whole, notes, "without text or label")
    rows = _drawn(rows, seed, notes)
    groups = rows["group"].where(rows["group"] != "", rows["text"].map(folded))
    many = groups.groupby(rows["label"]).nunique()
    alone = many.index[many < FEWEST_GROUPS]
    rows = _kept(rows, ~rows["label"].isin(alone), notes, "with a label in one group only")
    common = rows["label"].value_counts().index[:MOST_CLASSES]
    what = f"with labels beyond the {MOST_CLASSES} commonest"
    rows = _kept(rows, rows["label"].isin(common), notes, what)
    if (count := rows["label"].nunique()) < 2:
        raise InvalidSpecification(
            f"found {count} label{'s' * (count != 1)} that can be asked about in column "
            f"{label!r:.40} ({'; '.join(notes) or 'no row was left out'}); expected two or more, "
            "each in two rows or more: choose another column"
        )
    return Labelled(
        tuple(rows["text"]),
        tuple(rows["label"]),
        tuple(rows["word"]) if word else (),
        tuple(rows["group"]) if group else (),
        tuple(notes),
    )


def _has_signs(text: str) -> bool:
    """Whether there is anything to see: not only spaces, marks without width and broken letters."""
    return any(category(sign)[0] not in "CZ" and sign != "\ufffd" for sign in text)


def keep_labelled(store: Store, items: Labelled) -> str:
    """Keep them for the worker; the key under which they are found. Raises StoreError."""
    columns: dict[str, Sequence[str]] = {"text": items.texts, "label": items.labels}
    if items.words:
        columns["word"] = items.words
    if items.groups:
        columns["group"] = items.groups
    tables = {"items": pd.DataFrame(columns)}
    store.save(KIND, items.digest, tables=tables, payload={"notes": list(items.notes)})
    return items.digest


def kept_labelled(store: Store, key: str) -> Labelled:
    """Those that were kept. Raises InvalidSpecification where they are not there (any more)."""
    if not store.has(KIND, key):
        raise InvalidSpecification(
            f"found no labelled texts under {key!r:.40}; expected a table that was brought to this "
            "workspace: bring it again"
        )
    stored = store.load(KIND, key)
    table = stored.tables["items"]
    words, groups = (tuple(table[name]) if name in table else () for name in ("word", "group"))
    return Labelled(
        tuple(table["text"]), tuple(table["label"]), words, groups, tuple(stored.payload["notes"])
    )


def _kept(
    rows: pd.DataFrame, wanted: "pd.Series[bool]", notes: list[str], what: str
) -> pd.DataFrame:
    if lost := int((~wanted).sum()):
        notes.append(f"left out {lost:,} row{'s' * (lost != 1)} {what}")
    return rows[wanted]


def _drawn(rows: pd.DataFrame, seed: int, notes: list[str]) -> pd.DataFrame:
    """At most so many rows and characters, drawn, in their own order."""
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    sizes = rows["text"].str.len().to_numpy()[order].cumsum()
    order = np.sort(order[: max(1, int(np.searchsorted(sizes, MOST_CHARACTERS)))])
    if len(order) < len(rows):
        notes.append(f"drew {len(order):,} of {len(rows):,} rows")
    return rows.iloc[order]
