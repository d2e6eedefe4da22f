"""Vector arithmetic: what reads as what, what is refused and where, and the sum itself."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import InvalidExpression
from core.paths.expression import MAX_LENGTH, Term, combine, parse


def read(text):
    return [(term.weight, term.text) for term in parse(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("king", [(1, "king")]),
        ("king - man + woman", [(1, "king"), (-1, "man"), (1, "woman")]),
        ("king -man +woman", [(1, "king"), (-1, "man"), (1, "woman")]),
        ("king+woman", [(1, "king"), (1, "woman")]),
        ("  king\n\t- man ", [(1, "king"), (-1, "man")]),
        ("-man + king", [(-1, "man"), (1, "king")]),
        ("+ king", [(1, "king")]),
        ("king − man – woman", [(1, "king"), (-1, "man"), (-1, "woman")]),
        ("king−man–woman", [(1, "king"), (-1, "man"), (-1, "woman")]),
        ("ice-cream - milk", [(1, "ice-cream"), (-1, "milk")]),
        ("king- man", [(1, "king"), (-1, "man")]),
        ("don't + ##ing", [(1, "don't"), (1, "##ing")]),
        ("o'clock", [(1, "o'clock")]),
        ("0.5*ocean", [(0.5, "ocean")]),
        ("- 2 * ocean + .25×sea", [(-2, "ocean"), (0.25, "sea")]),
        ("1984 - 3.14", [(1, "1984"), (-1, "3.14")]),
        ("'New York' - \"United States\"", [(1, "New York"), (-1, "United States")]),
        ("“New York” + ‘Los Angeles’", [(1, "New York"), (1, "Los Angeles")]),
        ("'don't stop' - music", [(1, "don't stop"), (-1, "music")]),
        ("0.5*'a + b' + 'c++'", [(0.5, "a + b"), (1, "c++")]),
        ('2*"\'tis"', [(2, "'tis")]),
        ("🐈 + 👩‍🚀", [(1, "🐈"), (1, "👩‍🚀")]),
        ("ملك - رجل + امرأة", [(1, "ملك"), (-1, "رجل"), (1, "امرأة")]),
        ("מלך - גבר", [(1, "מלך"), (-1, "גבר")]),
        ("<img", [(1, "<img")]),
    ],
)
def test_reads(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing; expected words such as king - man"),
        (" \n ", "found nothing"),
        ("king -", r"found the end at character 7 \(king -»\); expected a word"),
        ("king - + woman", r"found '\+' at character 8 \(king - »\+ woman\); expected a word"),
        ("king - *man", r"found '\*' at character 8"),
        ("king * 2", r"found '\*' at character 6 .* expected \+ or - before it"),
        ("New York", r"found 'Y' at character 5 \(New »York\); .* put a phrase in quotes"),
        ("king - 'New York", "found \"'\" at character 8 .* expected a closing '"),
        ('"New York', 'expected a closing "'),
        ("king + ''", "expected a phrase between the quotes"),
        ("king + '  '", "expected a phrase between the quotes"),
        ("0*king", "expected a weight above 0"),
        ("9" * 400 + "*king", "expected a weight above 0 and at most 1,000,000"),
        ("2*", "found the end at character 3"),
        ("a" * 100_000, "found a text of 100,000 characters; expected at most 2,000: shorten it"),
    ],
)
def test_refuses_and_points_at_the_place(text, message):
    with pytest.raises(InvalidExpression, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        terms = parse(text)
    except InvalidExpression as error:
        assert "expected" in str(error)  # noqa: PT017
    else:
        assert terms
        assert all(term.text.strip() and np.isfinite(term.weight) for term in terms)


PHRASE = st.text(min_size=1, max_size=20).map(str.strip).filter(lambda t: t and '"' not in t)


@given(st.lists(st.tuples(st.floats(0.001, 1000), st.sampled_from("+-"), PHRASE), min_size=1))
def test_quoted_phrases_come_back_as_they_were(terms):
    assume(sum(len(phrase) + 40 for _, _, phrase in terms) < MAX_LENGTH)
    written = " ".join(f'{sign} {weight:.6f} * "{phrase}"' for weight, sign, phrase in terms)
    expected = [(float(f"{sign}{weight:.6f}"), phrase) for weight, sign, phrase in terms]
    assert read(written) == expected


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(2, 5)),
        elements=st.floats(-5, 5, width=32),
    ),
    st.floats(0.5, 20),
)
def test_the_sum_is_of_unit_vectors(vectors, scale):
    assume((np.linalg.norm(vectors, axis=1) > 0.1).all())
    terms = [Term((-1.0) ** i * (i + 1), f"w{i}") for i in range(len(vectors))]
    oracle = sum(
        term.weight * v.astype(float) / np.linalg.norm(v.astype(float))
        for term, v in zip(terms, vectors, strict=True)
    )
    assume(np.linalg.norm(oracle) > 1e-3)
    np.testing.assert_allclose(combine(terms, vectors), oracle, atol=1e-5)
    # However long the vectors are, the answer is the same.
    scaled = combine(terms, (vectors * scale).astype(np.float32))
    np.testing.assert_allclose(scaled, oracle, atol=1e-4)


def test_no_direction_is_refused():
    with pytest.raises(InvalidExpression, match="terms that cancel each other"):
        combine(parse("king - king"), np.float32([[1, 2], [2, 4]]))
    with pytest.raises(InvalidExpression, match="zero vector for 'man'"):
        combine(parse("king - man"), np.float32([[1, 2], [0, 0]]))
