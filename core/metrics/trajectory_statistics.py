"""How a path of states moves: its steps, its turns, how far it comes, and what it remembers.

A path is (m, d), a state a row, in the order of the text. Nothing here knows what the states are,
so that a random walk is measured as a sentence is.
"""

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import paired_cosines

Path = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]

LAG_SHARE = 4  # the longest lag is this part of the path: beyond, too few pairs are left
FEWEST = 8  # states: fewer leave two lags


def steps(path: Path) -> Values:
    """(m - 1, d) from each state to the next."""
    return np.diff(_checked(path, 2), axis=0)


def step_lengths(path: Path) -> Values:
    """(m - 1,) Euclidean."""
    return np.asarray(np.linalg.norm(steps(path), axis=1))


def step_distances(path: Path) -> Values:
    """(m - 1,) cosine distance of each state from the next, 0 to 2; centre the path first.

    >>> step_distances(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -2.0]])).tolist()
    [1.0, 2.0]
    """
    own = _checked(path, 2)
    return np.asarray(1 - paired_cosines(own[:-1], own[1:]))


def turning_angles(path: Path) -> Values:
    """(m - 2,) degrees between one step and the next: 0 goes straight on, 180 back.

    The curvature of Henaff and others 2019, and of Hosseini & Fedorenko 2023, who found that
    models that write straighten sentences. States drawn one by one without any order turn by 120
    on the mean, a random walk in many dimensions by 90.

    >>> turning_angles(np.array([[0.0, 0], [1, 0], [1, 1]])).round(6).tolist()
    [90.0]
    """
    own = steps(_checked(path, 3))
    return np.degrees(np.arccos(np.clip(paired_cosines(own[:-1], own[1:]), -1, 1)))


def straightness(path: Path) -> float:
    """0 to 1: how far the end is from the start, over the length of the way. 0 for no way.

    >>> straightness(np.array([[0.0], [1.0], [3.0]]))
    1.0
    """
    own = _checked(path, 2)
    way = float(step_lengths(own).sum())
    return float(np.linalg.norm(own[-1] - own[0])) / way if way > 0 else 0.0


def squared_displacements(path: Path) -> Values:
    """(lags,) the mean squared distance of states so many steps apart: 1, 2, up to m / 4."""
    own = _checked(path, FEWEST)
    lags = range(1, len(own) // LAG_SHARE + 1)
    return np.array([np.mean(np.sum((own[lag:] - own[:-lag]) ** 2, axis=1)) for lag in lags])


def displacement_exponent(path: Path) -> float:
    """The slope of the mean squared displacement over the lag, both in logarithms.

    2 for a straight line, 1 for a random walk, 0 for states that keep to one place, however wildly
    they move in it. NaN for a path that stands still.
    """
    found = squared_displacements(path)
    if found.min() <= 0:
        return float("nan")
    lags = np.log(np.arange(1, len(found) + 1))
    return float(np.polyfit(lags, np.log(found), 1)[0])


def direction_memory(path: Path, lag: int) -> float:
    """-1 to 1: the mean cosine of steps that lie ``lag`` apart (1 for neighbours).

    A random walk has 0 at every lag. States drawn one by one have -1/2 at lag 1, because what goes
    out must come back, and 0 from there on. Raises InvalidSpecification for too short a path.
    """
    own = steps(_checked(path, lag + 2))
    return float(np.mean(paired_cosines(own[:-lag], own[lag:])))


def random_walk(
    start: Path, lengths: Values, generator: np.random.Generator, root: Path | None = None
) -> Values:
    """(m, d) from ``start`` (d,) in steps of given ``lengths`` (m - 1,) whose directions are drawn
    anew each time: from all directions alike, or, with ``root`` (d, d), with the covariance
    ``root @ root.T``."""
    drawn = generator.normal(size=(len(lengths), len(start)))
    if root is not None:
        drawn = drawn @ np.asarray(root, np.float64).T
    drawn *= (lengths / np.linalg.norm(drawn, axis=1))[:, None]
    return np.concatenate([np.asarray(start, np.float64)[None], start + np.cumsum(drawn, axis=0)])


def covariance_root(states: Path) -> Values:
    """(d, d) a square root of the covariance of states (n, d)."""
    from scipy.linalg import eigh

    own = np.asarray(states, np.float64)
    own = own - own.mean(axis=0)
    values, vectors = eigh(own.T @ own / len(own))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _checked(path: Path, fewest: int) -> Values:
    own = np.asarray(path, np.float64)
    if own.ndim != 2 or len(own) < fewest:
        raise InvalidSpecification(
            f"found a path of shape {own.shape}; expected {fewest} states or more, one a row: "
            "take a longer text"
        )
    return own
