"""The variational student: what its prior gains, and the promises every student keeps."""

import numpy as np
import pytest

from core.errors import Cancelled, InvalidSpecification
from core.spaces.space import Provenance, Space
from core.students.coding.gaussian_mixture import Mixture
from core.students.families.transform import TransformSpec
from core.students.families.vae import VaeSpec
from core.students.registry import family, fit, load
from core.students.storage import parts, save, size_bytes


@pytest.fixture(scope="module")
def clumps() -> Space:
    """Rows of very different sizes around eight centres: nothing like one Gaussian."""
    generator = np.random.default_rng(11)
    centres = generator.normal(size=(8, 16)) * 6
    which = generator.integers(0, 8, 2_000)
    sizes = np.where(which % 2, 0.5, 2.0)[:, None]
    vectors = centres[which] + generator.normal(size=(2_000, 16)) * sizes
    words = sorted({f"{generator.integers(1e12):x}" for _ in range(2_100)})[:2_000]
    return Space.create(words, vectors, Provenance("clumps", "made"))


@pytest.fixture(scope="module")
def student(clumps):
    return fit(clumps, VaeSpec(bytes_per_item=16.0, components=8, states=8))


def true_error(student, space) -> float:
    told = student.generate(space.texts)
    return float(np.square(told - space.vectors).sum() / np.square(space.centred.vectors).sum())


def test_the_mixture_is_learnt_as_a_library_learns_it():
    from sklearn.mixture import GaussianMixture

    generator = np.random.default_rng(0)
    values = np.concatenate(
        [generator.normal(-3, 1, size=(600, 3)), generator.normal(3, 0.5, size=(1_400, 3))]
    ).astype(np.float32)
    ours = Mixture.fit(values, 1e-6, 2, seed=1)
    theirs = GaussianMixture(2, covariance_type="diag", random_state=0).fit(values)
    order, other = np.argsort(ours.weights), np.argsort(theirs.weights_)
    assert ours.weights[order] == pytest.approx(theirs.weights_[other], abs=1e-3)
    assert ours.means[order] == pytest.approx(theirs.means_[other], abs=1e-2)
    assert ours.variances[order] == pytest.approx(theirs.covariances_[other], abs=1e-2)
    shares = np.exp(ours.logs(values).max(axis=1)[:, None] - ours.logs(values))
    assert (shares >= 1).all()


def test_a_component_never_gets_tighter_than_the_noise():
    values = np.repeat(np.eye(3, dtype=np.float32), 50, axis=0)
    found = Mixture.fit(values, 0.25, 3, seed=0)
    assert (found.variances >= 0.25).all()
    assert len(found.labels(values)) == 150


def test_the_prior_pays_where_rows_are_no_gaussian(student, clumps):
    plain = fit(clumps, TransformSpec(bytes_per_item=16.0))
    assert true_error(student, clumps) < 0.7 * true_error(plain, clumps)
    assert size_bytes(student) <= 16 * 2_000


def test_spelling_pays_where_relatives_are_alike():
    generator = np.random.default_rng(3)
    words = sorted({f"{generator.integers(1e7):07d}" for _ in range(500)})
    texts = [word + tail for word in words for tail in ("", "ed", "s")]
    vectors = np.repeat(generator.normal(size=(len(words), 12)), 3, axis=0) * 4
    vectors += generator.normal(size=vectors.shape)
    space = Space.create(texts, vectors, Provenance("relatives", "made"))
    sizes = [
        parts(fit(space, VaeSpec(relative_error=0.05, components=1, states=8, spelling=it)))[
            "codes"
        ]
        for it in (True, False)
    ]
    assert sizes[0] < 0.95 * sizes[1]


def test_random_access_equals_the_batch(student, clumps):
    whole = student.coefficients(np.arange(2_000))
    for row in (0, 130, 1_999):
        assert (student.coefficients(np.array([row]))[0] == whole[row]).all()


def test_it_comes_back_from_disk_bit_for_bit(student, clumps, tmp_path):
    save(student, tmp_path / "it")
    again = load(tmp_path / "it")
    assert (again.generate(clumps.texts) == student.generate(clumps.texts)).all()
    assert sum(f.stat().st_size for f in (tmp_path / "it").iterdir()) == size_bytes(student)


@pytest.mark.parametrize("n", [1, 30])
def test_a_constant_space_comes_back_exactly(n):
    vector = np.array([0.1, -2.7, 1e-3], np.float32)
    space = Space.create([f"w{i}" for i in range(n)], [vector] * n, Provenance("one", "made"))
    made = fit(space, VaeSpec(bytes_per_item=2_000.0))
    assert (made.generate(space.texts) == vector).all()


def test_a_small_space_works(tiny_space):
    made = fit(tiny_space, VaeSpec(bytes_per_item=64.0))
    assert size_bytes(made) <= 64 * 60
    assert true_error(made, tiny_space) < 0.1


def test_an_error_that_is_asked_for_is_reached(clumps):
    made = fit(clumps, VaeSpec(relative_error=0.02, components=8, states=4))
    assert 0.0185 < true_error(made, clumps) <= 0.02


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"components": 0}, "components"),
        ({"components": 300}, "components"),
        ({"states": 5}, "states"),
        ({"relative_error": 2.0}, "relative error"),
        ({"bytes_per_item": 0.0}, "bytes per item"),
    ],
)
def test_a_specification_checks_itself(given, said):
    with pytest.raises(InvalidSpecification, match=said):
        VaeSpec(**given)


def test_it_stops_when_asked_and_says_what_it_is(clumps):
    with pytest.raises(Cancelled):
        fit(clumps, VaeSpec(bytes_per_item=16.0), lambda done, total, message: False)
    assert not family("vae").learns
    assert not family("vae").reads
