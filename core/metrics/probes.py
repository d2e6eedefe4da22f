"""What can be read off a layer by a linear probe, and how much of that is the probe's own doing.

Beside every accuracy stand what the commonest class gives and what the same probe reaches with
labels drawn at random for each word: a probe that learns those as well has learnt the words.
What a probe reads is there to be read; that the model uses it does not follow.

Sources: Alain & Bengio 2017, arXiv:1610.01644; Hewitt & Liang 2019, arXiv:1909.03368 (control
tasks and selectivity); Belinkov 2022 (what probes cannot show).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.metrics.intervals import Interval, interval
from core.types import Matrix, Progress, Vector, silent, tell

FOLDS = 5
FEWEST_A_CLASS = 2
PENALTY = 100.0  # of the ridge, on features of variance 1

Said = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Probed:
    """One layer: accuracy on items of groups that were not learnt from, with its interval over
    groups. ``known`` and ``control`` are asked about words that may have been learnt from, with the
    true labels and with random ones; NaN where every word occurs once. ``scores`` (n, c) are what
    probes that were not taught an item's group say of it, class by class in the order of
    ``directions``: +1 is "this one", -1 "not this one"."""

    layer: str
    accuracy: Interval
    majority: float
    known: float
    control: float
    directions: dict[str, Vector]
    scores: Said

    @property
    def selectivity(self) -> float:
        """Accuracy above the control's, asked in the same way."""
        return self.known - self.control


def probe(
    layers: dict[str, Matrix],
    labels: Sequence[str],
    groups: Sequence[str],
    words: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Probed]:
    """A ridge classifier for each layer's states (n, d), cross-validated by group.

    Closed form, so that a hundred fits take seconds; a logistic regression takes minutes.

    ``groups`` (n) never lie on both sides of a fold: the word, or the document. They are also
    what the intervals draw, since items of one group are right or wrong together. ``words`` (n)
    are what the control draws a random label for; without them, or where every word occurs once
    (so that no label could be learnt by heart), the control is NaN. Raises InvalidSpecification
    with one class, fewer groups than folds, or a class within a single group; Cancelled.
    """
    classes = sorted(set(labels))
    codes = np.searchsorted(classes, np.asarray(labels, dtype=str)).astype(np.int64)
    _require_items(len(codes), layers, groups, words)
    _require_classes(classes, codes, groups)
    folds = list(_folds(codes, groups, seed))
    controls = _control(codes, words, seed)
    majority = float(
        np.mean([(codes[asked] == _commonest(codes[taught])).mean() for taught, asked in folds])
    )
    found = []
    for done, (name, states) in enumerate(layers.items()):
        tell(progress, done, len(layers), f"Probing layer {name}")
        scores = _said(states, codes, folds)
        right = scores.argmax(axis=1) == codes
        known, control = np.nan, np.nan
        if controls is not None:
            mixed = list(_mixed(len(codes), seed))
            known, control = (
                float((_said(states, asked, mixed).argmax(axis=1) == asked).mean())
                for asked in (codes, controls)
            )
        found.append(
            Probed(
                layer=name,
                accuracy=_by_group(right, groups, seed),
                majority=majority,
                known=known,
                control=control,
                directions=_directions(states, codes, classes),
                scores=scores,
            )
        )
    tell(progress, len(layers), len(layers), "Probing")
    return found


def _require_items(
    n: int, layers: dict[str, Matrix], groups: Sequence[str], words: Sequence[str] | None
) -> None:
    for name, found in {**layers, "the groups": groups, "the words": words}.items():
        if found is not None and len(found) != n:
            raise InvalidSpecification(
                f"found {n} labels and {len(found)} items in {name}; expected one label an item"
            )


def _require_classes(
    classes: Sequence[str], codes: npt.NDArray[np.int64], groups: Sequence[str]
) -> None:
    if len(classes) < 2:
        raise InvalidSpecification(
            f"found {len(classes)} class{'es' * (len(classes) != 1)}; expected two or more: "
            "bring items with other labels"
        )
    if (count := len(set(groups))) < FOLDS:
        raise InvalidSpecification(
            f"found {count} groups; expected at least {FOLDS}, so that each fold asks about "
            "groups that were not learnt from: bring more"
        )
    for code, name in enumerate(classes):
        if len({groups[row] for row in np.flatnonzero(codes == code).tolist()}) < FEWEST_A_CLASS:
            raise InvalidSpecification(
                f"found all items labelled {name!r} in one group; expected two groups or more for "
                "each label: leave it out, or bring more"
            )
    if (most := int(np.bincount(codes).max())) < FOLDS:
        raise InvalidSpecification(
            f"found at most {most} items of a label; expected {FOLDS} or more of one at least: "
            "bring more items"
        )


Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _folds(codes: npt.NDArray[np.int64], groups: Sequence[str], seed: int) -> Iterator[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a rare label may be missing from a fold
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(splitter.split(np.zeros(len(codes)), codes, np.asarray(groups, dtype=str)))
    for taught, asked in parts:
        if len(asked) and len(taught):
            yield taught.astype(np.int64), asked.astype(np.int64)


def _mixed(n: int, seed: int) -> Iterator[Fold]:
    """Folds that part a word's items, so that random labels of words can be learnt at all."""
    order = np.random.default_rng(seed).permutation(n)
    for part in np.array_split(order, FOLDS):
        yield np.setdiff1d(order, part), np.sort(part)


def _control(
    codes: npt.NDArray[np.int64], words: Sequence[str] | None, seed: int
) -> npt.NDArray[np.int64] | None:
    """(n,) a label for each word, drawn with the labels' own shares."""
    if words is None:
        return None
    types, places = np.unique(np.asarray(words, dtype=str), return_inverse=True)
    if len(types) == len(codes) or len(types) < 2:
        return None
    drawn = np.random.default_rng(seed).choice(codes, len(types))[places]
    return drawn if len(np.unique(drawn)) > 1 else None


def _said(states: Matrix, codes: npt.NDArray[np.int64], folds: Sequence[Fold]) -> Said:
    """(n, c) what the probe that was not taught the item's group says of each class."""
    found = np.full((len(codes), int(codes.max()) + 1), -1, np.float32)
    for taught, asked in folds:
        present = np.unique(codes[taught])
        if len(present) == 1:  # all groups of the others are on the side that is asked
            found[np.ix_(asked, present)] = 1
            continue
        said = _fitted(states[taught], codes[taught]).decision_function(states[asked])
        both = np.stack([-said, said], axis=1) if said.ndim == 1 else said
        found[np.ix_(asked, present)] = both
    return found


def _by_group(right: npt.NDArray[np.bool_], groups: Sequence[str], seed: int) -> Interval:
    """The share that is right, its interval by a bootstrap over groups."""
    _, places = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return interval(np.bincount(places, right), seed=seed, over=np.bincount(places))


def _fitted(states: Matrix, codes: npt.NDArray[np.int64]):  # type: ignore[no-untyped-def]
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeClassifier(PENALTY)).fit(states, codes)


def _commonest(codes: npt.NDArray[np.int64]) -> int:
    return int(np.bincount(codes).argmax())


def _directions(
    states: Matrix, codes: npt.NDArray[np.int64], classes: Sequence[str]
) -> dict[str, Vector]:
    """For each class the unit direction (d,) along which the probe says so, to draw as an axis."""
    scaler, regression = (step for _, step in _fitted(states, codes).steps)
    weights = np.atleast_2d(regression.coef_) / scaler.scale_
    if len(classes) == 2:
        weights = np.concatenate([-weights, weights])
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    unit = (weights / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return dict(zip(classes, unit, strict=True))
