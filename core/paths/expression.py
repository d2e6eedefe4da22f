"""Vector arithmetic as people write it: ``king - man + woman``.

    expression = [sign] term { sign term }
    sign       = "+" | "-" | "−" | "–"
    term       = [ weight ("*" | "×") ] ( word | quoted phrase )

A word runs to the next space or operator; a hyphen inside it belongs to it (``ice-cream``), so a
minus between words wants a space before it. Whatever holds spaces or operators goes in quotes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InvalidExpression
from core.types import Queries, Vector

MAX_LENGTH = 2_000  # characters

_SPACE = re.compile(r"\s*")
_SIGN = re.compile(r"[+\-−–]")
_WEIGHT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*[*×]\s*", re.ASCII)
_WORD = re.compile(r"(?:[^\s+*×−–\-]|-(?=[^\s+*×−–\-]))+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_APOSTROPHES = "'’"


@dataclass(frozen=True)
class Term:
    """A text and the weight with which it enters the sum."""

    weight: float
    text: str


def parse(text: str) -> tuple[Term, ...]:
    """Read an expression. Raises InvalidExpression, which names the place.

    >>> parse("king - 0.5*'New York'")
    (Term(weight=1.0, text='king'), Term(weight=-0.5, text='New York'))
    """
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(
            f"found a text of {len(text):,} characters; expected at most {MAX_LENGTH:,}: shorten it"
        )
    terms: list[Term] = []
    position = _skip_space(text, 0)
    if position == len(text):
        raise InvalidExpression("found nothing; expected words such as king - man + woman")
    while position < len(text):
        sign = _SIGN.match(text, position)
        if sign:
            position = _skip_space(text, sign.end())
        elif terms:
            raise _at(text, position, "expected + or - before it: put a phrase in quotes")
        weight, position = _weight(text, position)
        word, position = _operand(text, position)
        terms.append(Term(-weight if sign and sign[0] != "+" else weight, word))
        position = _skip_space(text, position)
    return tuple(terms)


def combine(terms: Sequence[Term], vectors: Queries) -> Vector:
    """The weighted sum (d,) of the terms' vectors (m, d), each scaled to length 1 first.

    Unit vectors are what analogies are solved with (Mikolov et al. 2013; Levy & Goldberg 2014):
    a frequent word's length then does not decide. Only the direction of the sum says something.
    Raises InvalidExpression where a term has no direction or the terms cancel.
    """
    doubles = vectors.astype(np.float64)
    norms = np.linalg.norm(doubles, axis=1)
    if not norms.all():
        empty = terms[int(np.flatnonzero(norms == 0)[0])].text
        raise InvalidExpression(
            f"found a zero vector for {empty!r:.60}, which has no direction; "
            "expected one of positive length: leave it out"
        )
    weights = np.array([term.weight for term in terms])
    total = weights @ (doubles / norms[:, None])
    if np.linalg.norm(total) <= 1e-6 * np.abs(weights).sum():
        raise InvalidExpression(
            "found terms that cancel each other; expected a sum with a direction: change a weight"
        )
    return np.asarray(total, dtype=np.float32)


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _weight(text: str, position: int) -> tuple[float, int]:
    match = _WEIGHT.match(text, position)
    if not match:
        return 1.0, position
    weight = float(match[1])
    if not np.isfinite(weight) or not 0 < weight <= 1e6:
        raise _at(text, position, "expected a weight above 0 and at most 1,000,000")
    return weight, match.end()


def _operand(text: str, position: int) -> tuple[str, int]:
    """The word or quoted phrase at ``position``, and where it ends."""
    if position < len(text) and text[position] in _QUOTES:
        return _quoted(text, position)
    match = _WORD.match(text, position)
    if not match:
        raise _at(text, position, "expected a word: write it there, or quote a sign that is meant")
    return match[0], match.end()


def _quoted(text: str, start: int) -> tuple[str, int]:
    closing = _QUOTES[text[start]]
    end = text.find(closing, start + 1)
    # An apostrophe with a letter after it is one (don't); a closing quote has none.
    while closing in _APOSTROPHES and end != -1 and text[end + 1 : end + 2].isalnum():
        end = text.find(closing, end + 1)
    if end == -1:
        raise _at(
            text, start, f"expected a closing {closing} after it: add one at the phrase's end"
        )
    phrase = text[start + 1 : end].strip()
    if not phrase:
        raise _at(text, start, "expected a phrase between the quotes: write one")
    return phrase, end + 1


def _at(text: str, position: int, advice: str) -> InvalidExpression:
    """The error for what stands at ``position``, with a little of the text on either side."""
    before = " ".join(text[max(0, position - 20) : position].split("\n"))
    after = " ".join(text[position : position + 20].split("\n"))
    found = f"found {text[position]!r}" if position < len(text) else "found the end"
    return InvalidExpression(f"{found} at character {position + 1} ({before}»{after}); {advice}")
