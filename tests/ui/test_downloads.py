"""safe_csv: what a spreadsheet would run is only text, and what was text or number comes back."""

import csv
import io
import unicodedata
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ui.shared.downloads import safe_csv

LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
ANY_TEXT = st.text(LETTERS | st.sampled_from("=+-@＝－ \t\r\n\x1c\xa0\u200b\ufeff"), max_size=12)


def would_run(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula: told letter by letter."""
    if cell[:1] in tuple("\t\r\n"):
        return True
    for letter in cell:
        if unicodedata.normalize("NFKC", letter) in tuple("=+-@"):
            return True
        unseen = letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf")
        if not (unseen or letter in "\u034f\u115f\u1160\u3164\uffa0" or is_selector(letter)):
            return False
    return False


def is_selector(letter: str) -> bool:
    """Variation selectors and others that have no look, though they are no controls."""
    return "VARIATION SELECTOR" in unicodedata.name(letter, "")


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
    words = ["שלום", "😀", "a, b", 'say "hi"', "two\nlines", "<img src=x>", "'quoted'", " 1=1", ""]
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
        assert not would_run(after)
        assert after == (f"'{before}" if would_run(before) else before)
