"""Columns about items: ours, and those that a file brought.

A file's column may be called like one of ours (``category``, ``frequency_rank``), and then each
would be read as the other. Columns of a file therefore stand in a space's table under ``own:NAME``.
"""

from collections.abc import Iterable

import pandas as pd

OWN = "own:"
OURS = ("id", "text", "vector length", "neighbours kept")  # beside a table that people take away


def with_own(table: pd.DataFrame, brought: pd.DataFrame) -> pd.DataFrame:
    """Our columns, and behind them what a file brought, kept apart by name.

    >>> ours = pd.DataFrame({"category": ["noun.animal"]})
    >>> list(with_own(ours, pd.DataFrame({"category": ["pets"]})).columns)
    ['category', 'own:category']
    """
    named = brought.set_axis([f"{OWN}{name}" for name in brought.columns], axis=1)
    return pd.concat([table.reset_index(drop=True), named.reset_index(drop=True)], axis=1)


def own_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a space's table that its file brought, as they stand there."""
    return [name for name in map(str, table.columns) if name.startswith(OWN)]


def own_name(column: str) -> str:
    """What its file calls a column.

    >>> own_name("own:category")
    'category'
    """
    return column.removeprefix(OWN)


def to_take_away(table: pd.DataFrame) -> pd.DataFrame:
    """A space's table under the names that its reader knows, each once; a file's columns first.

    They keep their names; ours, where one is called the same, say whose they are.

    >>> ours = pd.DataFrame({"kind": ["word"], "category": [""]})
    >>> list(to_take_away(with_own(ours, pd.DataFrame({"kind": [1], "id": [2]}))).columns)
    ['kind', 'id (own)', 'kind (Meaning Space)', 'category']
    """
    own = own_columns(table)
    ordered = table[[*own, *(name for name in table.columns if name not in own)]]
    names = {own_name(column) for column in own}
    return ordered.set_axis([_label(str(name), names) for name in ordered.columns], axis=1)


def _label(column: str, own: Iterable[str]) -> str:
    if column.startswith(OWN):
        name = own_name(column)
        return f"{name} (own)" if name in OURS else name
    return f"{column} (Meaning Space)" if column in own else column
