"""Whether the senses of a word part: the silhouette of its states, beside what chance gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import row_lengths
from core.types import Queries

Doubles = npt.NDArray[np.float64]

SHUFFLES = 200
CLOUDS = 40  # of a grouping's null
SAME = 1e-7  # directions that differ less are one, and there is nothing to cut


@dataclass(frozen=True)
class SenseSeparation:
    """How far the senses part: ``silhouette`` -1 to 1, ``by_item`` (m,); the null is what shuffled
    labels give, its mean and 95th percentile."""

    silhouette: float
    by_item: npt.NDArray[np.float32]
    null_mean: float
    null_high: float


def sense_separation(states: Queries, senses: Sequence[str], seed: int = 0) -> SenseSeparation:
    """The mean silhouette by cosine distance of states (m, d) labelled with senses (m).

    An item's silhouette is (b - a) / max(a, b), with a its mean distance to its own sense and b
    to the nearest other; a sense of one item scores 0. Source: Rousseeuw 1987. Raises
    InvalidSpecification where there are not two senses or a state has no length.
    """
    names, labels = np.unique(np.asarray(senses, dtype=str), return_inverse=True)
    if len(senses) != len(states):
        raise InvalidSpecification(
            f"found {len(states)} states and {len(senses)} senses; expected one sense a state"
        )
    if not 2 <= len(names) < len(states):
        raise InvalidSpecification(
            f"found {len(names)} sense{'s' * (len(names) != 1)} among {len(states)} states; "
            "expected two or more, and more states than senses: add sentences"
        )
    lengths = row_lengths(states)[:, None]
    if not lengths.all():
        raise InvalidSpecification("found a state of length 0; expected a direction: leave it out")
    unit = states.astype(np.float64) / lengths
    apart = np.clip(1 - unit @ unit.T, 0, None)
    np.fill_diagonal(apart, 0)
    found = _silhouettes(apart, labels)
    generator = np.random.default_rng(seed)
    null = [_silhouettes(apart, generator.permutation(labels)).mean() for _ in range(SHUFFLES)]
    return SenseSeparation(
        float(found.mean()),
        found.astype(np.float32),
        float(np.mean(null)),
        float(np.quantile(null, 0.95)),
    )


def grouping(states: Queries, count: int = 2, seed: int = 0) -> tuple[list[int], SenseSeparation]:
    """Groups of states (m, d) for which nobody gave labels: (m,) numbers, and how far they part.

    Spherical k-means. Any cloud can be cut in two, so the null is what the same cut gives in
    normal clouds of the same mean and covariance. Raises InvalidSpecification for fewer than
    three states a group.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(states) < 3 * count:
        raise InvalidSpecification(
            f"found {len(states)} states; expected {3 * count} or more to look for {count} groups: "
            "choose a word that stands in more sentences"
        )

    def cut(
        cloud: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        unit = cloud / np.maximum(np.linalg.norm(cloud, axis=1, keepdims=True), 1e-12)
        if np.ptp(unit, axis=0).max() < SAME:
            return np.zeros(len(unit), np.int64), np.zeros(len(unit))
        labels = KMeans(count, n_init=4, random_state=seed).fit_predict(unit).astype(np.int64)
        return labels, _silhouettes(np.clip(1 - unit @ unit.T, 0, None), labels)

    x = states.astype(np.float64)
    mean, spread = x.mean(axis=0), (x - x.mean(axis=0)) / np.sqrt(max(len(x) - 1, 1))
    generator = np.random.default_rng(seed)
    with threadpool_limits(1):  # threads wait for each other longer than such a fit takes
        labels, found = cut(x)
        clouds = (mean + generator.normal(size=(len(x), len(x))) @ spread for _ in range(CLOUDS))
        null = [cut(cloud)[1].mean() for cloud in clouds]
    return labels.tolist(), SenseSeparation(
        float(found.mean()),
        found.astype(np.float32),
        float(np.mean(null)),
        float(np.quantile(null, 0.95)),
    )


def _silhouettes(
    apart: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """(m,) from distances (m, m)."""
    own = np.arange(len(labels))
    member = np.eye(labels.max() + 1)[labels]  # (m, s)
    sizes = member.sum(axis=0)
    sums = apart @ member
    within = sums[own, labels] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[own, labels] = np.inf
    nearest = means.min(axis=1)
    found = (nearest - within) / np.maximum(np.maximum(nearest, within), 1e-300)
    return np.where(sizes[labels] > 1, found, 0.0)
