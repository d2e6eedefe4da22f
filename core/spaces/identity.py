"""Which item is meant: by its text where that is enough, by its id where texts are equal.

Ids are unique in a space; texts need not be: *the* stands a hundred times in a layer of a model.
A link, a box and a command therefore name an item by its *address*: its text where the text alone
leads to it, else its text and its id, ``the#412``.
"""

from collections.abc import Mapping, Sequence

MARK = "#"
MOST_MARKS = 40  # of those in an address, tried from the front
LONGEST = 500  # characters of a text in an address


def address(text: str, own: str, row: int, exact: Mapping[str, int]) -> str:
    """What leads to the item of a row, by :meth:`Space.find`: its text, else its text and its id.

    ``own`` is its id; ``exact`` are the rows of all texts, the first of equal ones.
    """
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    plain = text == text.strip() and (short == text or own == text)
    if plain and text and exact[text] == row:
        return text
    if own.startswith(f"{text}{MARK}"):  # made from the text, for a file that has no ids
        return own
    while f"{short}{MARK}{own}" in exact:
        short += MARK
    return f"{short}{MARK}{own}"


def addressed(written: str, texts: Sequence[str], rows_by_id: Mapping[str, int]) -> int | None:
    """The row that an address with an id leads to; None where it names none of these items."""
    marks = [at for at, letter in enumerate(written) if letter == MARK]
    for at in marks[-MOST_MARKS:]:
        row = rows_by_id.get(written[at + 1 :])
        if row is not None and _same(written[:at], texts[row]):
            return row
    row = rows_by_id.get(written)
    return row if row is not None and written.startswith(f"{texts[row]}{MARK}") else None


def _same(head: str, text: str) -> bool:
    head, text = head.rstrip(MARK).strip(), text.rstrip(MARK).strip()
    return head == text or (head.endswith("…") and text.startswith(head[:-1].rstrip()))
