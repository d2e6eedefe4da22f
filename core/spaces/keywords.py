"""What a group of texts is about: the words that are frequent in it and rare in the others."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.words import terms

COUNT = 5
NONE = -1  # the class of a text in no group

Classes = npt.NDArray[np.integer]


def class_keywords(
    texts: Sequence[str], classes: Classes, count: int = COUNT
) -> list[tuple[tuple[str, float], ...]]:
    """For each class 0, 1, ... its words of most weight, best first, with the weights.

    ``classes`` (n,) has a number for each text, -1 for none; those texts do not take part. The
    weight of term t in class c is

        W(t, c) = tf(t, c) log(1 + A / f(t))

    with tf(t, c) the share of t among the class's words, f(t) how often t occurs in all classes,
    and A the mean number of words in a class. What a term is, says :func:`core.spaces.words.terms`;
    English stop words are left out. Equal weights
    stand in the order of the alphabet. A class without words has none.

    Raises InvalidSpecification where the two do not have the same length.

    Source: Grootendorst 2022 (arXiv:2203.05794), class-based TF-IDF.
    """
    if len(texts) != len(classes):
        raise InvalidSpecification(
            f"found {len(texts)} texts and {len(classes)} classes; expected one class a text"
        )
    groups = int(classes.max(initial=NONE)) + 1
    held, counts = _counts(texts, classes, groups)
    if not len(held):
        return [() for _ in range(groups)]
    words = counts.sum(axis=1)  # (c,) in each class
    shares = counts / np.maximum(words, 1)[:, None]
    weights = shares * np.log1p(words.mean() / counts.sum(axis=0))
    best = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    return [
        tuple((str(held[t]), float(row[t])) for t in order if row[t] > 0)
        for order, row in zip(best, weights, strict=True)
    ]


def _counts(
    texts: Sequence[str], classes: Classes, groups: int
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    """The terms (t,) of all classes, and how often each class has them (c, t)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    inside = np.flatnonzero(np.asarray(classes) >= 0)
    nothing = np.empty(0, object), np.zeros((groups, 0))
    if not len(inside):
        return nothing
    counter = CountVectorizer(
        stop_words="english", lowercase=False, tokenizer=terms, token_pattern=None
    )
    try:
        per_text = counter.fit_transform([texts[row] for row in inside.tolist()])
    except ValueError:  # what is left are stop words and numbers
        return nothing
    ones = np.ones(len(inside))
    member = csr_matrix((ones, (classes[inside], np.arange(len(inside)))), (groups, len(inside)))
    return counter.get_feature_names_out(), (member @ per_text).toarray()
