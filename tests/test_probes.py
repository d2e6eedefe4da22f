"""Senses and probes: against independent computations, planted truths, and labels at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidSpecification
from core.metrics.probes import probe
from core.metrics.senses import parting

N, WORDS = 240, 40


def planted(strength: float, seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    """States of 40 words, six each; the first direction tells the label, the rest tell the word."""
    generator = np.random.default_rng(seed)
    words = np.repeat(np.arange(WORDS), N // WORDS)
    labels = words % 2
    states = generator.normal(size=(WORDS, 20))[words] + 0.3 * generator.normal(size=(N, 20))
    states[:, 0] += strength * (2 * labels - 1)
    names = [f"w{word}" for word in words]
    return states.astype(np.float32), [("even", "odd")[it] for it in labels], names


class TestProbe:
    def test_what_is_there_is_read_and_what_is_not_is_not(self):
        states, labels, words = planted(6.0)
        absent, _, _ = planted(0.0, seed=1)
        there, nothing = probe({"there": states, "absent": absent}, labels, words, words)
        assert there.accuracy.value > 0.97
        assert abs(nothing.accuracy.value - 0.5) < 0.2
        assert there.majority == pytest.approx(0.5, abs=0.1)
        assert there.accuracy.low <= there.accuracy.value <= there.accuracy.high

    def test_a_probe_that_knows_words_by_heart_is_found_out(self):
        """Words with nothing in common: grouped by word nothing can be known beforehand."""
        generator = np.random.default_rng(2)
        words = np.repeat(np.arange(WORDS), 6)
        states = np.eye(WORDS, dtype=np.float32)[words]
        labels = [str(it) for it in generator.integers(0, 2, WORDS)[words]]
        names = [f"w{word}" for word in words]
        (found,) = probe({"layer": states}, labels, names, names)
        assert found.known == found.control == 1
        assert found.selectivity == 0
        assert found.accuracy.value <= 0.75

    def test_words_that_occur_once_have_no_control(self):
        states, labels, _ = planted(6.0)
        once = [f"w{row}" for row in range(N)]
        (found,) = probe({"layer": states}, labels, once, once)
        assert np.isnan(found.control)
        assert np.isnan(found.known)

    def test_its_directions_are_axes(self):
        states, labels, words = planted(6.0)
        (found,) = probe({"layer": states}, labels, words)
        assert set(found.directions) == {"even", "odd"}
        along = states @ found.directions["odd"]
        odd = np.array(labels) == "odd"
        assert along[odd].mean() > along[~odd].mean() + 3
        assert np.linalg.norm(found.directions["odd"]) == pytest.approx(1, abs=1e-5)

    def test_the_same_seed_gives_the_same(self):
        states, labels, words = planted(1.0)
        one, two = (probe({"layer": states}, labels, words, words, seed=4)[0] for _ in range(2))
        assert (one.accuracy, one.control) == (two.accuracy, two.control)

    @pytest.mark.parametrize(
        ("labels", "groups", "said"),
        [
            (["a"] * N, None, "found 1 class; expected two"),
            (["a", "b"] * (N // 2), ["g", "h"] * (N // 2), "found 2 groups"),
            (["a"] + ["b"] * (N - 1), None, "labelled 'a' in one group"),
            (["a", "b"], None, "found 2 labels and 240 items"),
        ],
    )
    def test_what_cannot_be_asked(self, labels, groups, said):
        states, _, words = planted(1.0)
        with pytest.raises(InvalidSpecification, match=said):
            probe({"layer": states}, labels, groups or words)

    def test_it_can_be_stopped(self):
        states, labels, words = planted(1.0)
        with pytest.raises(Cancelled):
            probe({"a": states, "b": states}, labels, words, progress=lambda d, t, m: d < 1)


class TestParting:
    @given(st.integers(0, 10_000), st.integers(2, 4))
    def test_it_is_scikit_learns(self, seed, senses):
        from sklearn.metrics import silhouette_samples

        generator = np.random.default_rng(seed)
        states = generator.normal(size=(24, 5)).astype(np.float32)
        labels = [f"s{it}" for it in np.arange(24) % senses]
        found = parting(states, labels)
        theirs = silhouette_samples(states.astype(np.float64), labels, metric="cosine")
        np.testing.assert_allclose(found.by_item, theirs, atol=1e-5)

    def test_two_clouds_part_and_shuffled_labels_do_not(self):
        generator = np.random.default_rng(0)
        centres = np.repeat(np.eye(6)[:2] * 5, 15, axis=0)
        states = (centres + generator.normal(size=(30, 6))).astype(np.float32)
        found = parting(states, ["river"] * 15 + ["money"] * 15)
        assert found.silhouette > 0.5
        assert abs(found.null_mean) < 0.05
        assert found.null_high < 0.15

    def test_a_sense_of_one_sentence_scores_nothing(self):
        states = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
        found = parting(states, ["a"] * 4 + ["b"] * 4 + ["c"])
        assert found.by_item[-1] == 0

    @pytest.mark.parametrize(
        ("states", "senses", "said"),
        [
            (np.ones((3, 2), np.float32), ["a", "a", "a"], "found 1 sense among 3"),
            (np.ones((2, 2), np.float32), ["a", "b"], "more states than senses"),
            (np.ones((3, 2), np.float32), ["a", "b"], "one sense a state"),
            (np.zeros((3, 2), np.float32), ["a", "b", "b"], "length 0"),
        ],
    )
    def test_what_cannot_be_asked(self, states, senses, said):
        with pytest.raises(InvalidSpecification, match=said):
            parting(states, senses)
