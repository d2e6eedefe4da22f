"""safe_csv: what a spreadsheet would run is only text, and what was text or number comes back."""

import csv
import io
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ui.tables import FORMULA_STARTS, safe_csv

ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def read_back(table: pd.DataFrame) -> list[list[str]]:
    """The cells as Python's own reader of CSV finds them, header first."""
    return list(csv.reader(io.StringIO(safe_csv(table).decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")', "-"],
)
def test_formulas_get_an_apostrophe(cell):
    assert read_back(pd.DataFrame({"text": ["a", cell]}))[2] == [f"'{cell}"]
    assert read_back(pd.DataFrame({cell: ["a"]}))[0] == [f"'{cell}"]


def test_numbers_stay_numbers():
    table = pd.DataFrame({"cosine": [-0.5, 1.0], "step": [-1, 2], "off": [True, False]})
    assert read_back(table)[1:] == [["-0.5", "-1", "True"], ["1.0", "2", "False"]]


def test_a_column_of_categories_is_text_too():
    table = pd.DataFrame({"kind": pd.Categorical(["=1", "word", "=1"])})
    assert read_back(table)[1:] == [["'=1"], ["word"], ["'=1"]]


def test_nothing_is_mangled():
    words = ["שלום", "😀", "a, b", 'say "hi"', "two\nlines", "<img src=x>", "'quoted'", " =1", ""]
    table = pd.DataFrame({"text": words, "n": range(len(words))})
    assert [row[0] for row in read_back(table)[1:]] == words
    assert safe_csv(table).startswith(b"\xef\xbb\xbf")  # Excel reads UTF-8 only with the mark


def test_an_empty_table_has_its_header():
    assert read_back(pd.DataFrame({"text": [], "cosine": []})) == [["text", "cosine"]]


@given(rows=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=5), name=ANY_TEXT)
def test_no_cell_starts_a_formula_and_the_rest_is_as_it_was(rows, name):
    table = pd.DataFrame(rows, columns=[name, f"{name}2"])
    cells: list[Any] = [name, f"{name}2", *(cell for row in rows for cell in row)]
    found = [cell for row in read_back(table) for cell in row]
    for before, after in zip(cells, found, strict=True):
        assert not after.startswith(FORMULA_STARTS)
        assert after in (before, f"'{before}")
        assert (after == before) == (not before.startswith(FORMULA_STARTS))
