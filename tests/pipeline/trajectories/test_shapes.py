"""Rings, rows and maps: planted ones are found, random ones are not; the ridge against sklearn."""

from dataclasses import replace
from itertools import permutations
from math import pi
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_causal import DEPTH, DIM, near, save_tiny, tiny_model

from core.errors import InvalidSpecification, TeacherUnavailable, UnknownItem
from core.figures.tokens import LIGHT
from core.figures.trajectories.shapes import (
    by_layer_figure,
    cities_figure,
    polygon_figure,
    read_figure,
)
from core.metrics.geography import EARTH_KM, in_degrees, kilometres, mapped, on_globe
from core.metrics.ridge_readout import ridge_held_out
from core.metrics.shapes import (
    best_by_chance,
    chance_in_layers,
    chance_in_order,
    flat,
    kept_by_chance,
    neighbours_kept,
    ring,
    row,
    share_by_chance,
)
from core.pipeline import Workspace
from core.pipeline.trajectories import shapes
from core.pipeline.trajectories.shapes import (
    CIRCLE,
    LINE,
    MAP,
    Shaped,
    ShapeSpec,
    cities,
    has_shape,
    shape,
    shape_key,
    word_states,
)
from core.ui.trajectories.shape_wording import not_proven, verdict


def planted_ring(n: int, dim: int = 20, noise: float = 0.05, seed: int = 0):
    """Points on a circle in a random plane, in order, with some noise."""
    generator = np.random.default_rng(seed)
    turn = 2 * pi * np.arange(n) / n
    plane = np.linalg.qr(generator.normal(size=(dim, 2)))[0]
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) @ plane.T
    return (points + noise * generator.normal(size=(n, dim)) + 3).astype(np.float32)


class TestRing:
    @given(st.integers(5, 9), st.integers(0, 100))
    @settings(max_examples=15)
    def test_a_planted_one_is_found(self, n, seed):
        found = ring(planted_ring(n, seed=seed))
        assert found.in_order
        assert found.p <= (1 / found.orders if found.exact else 1e-3)
        assert found.closing == pytest.approx(1, abs=0.5)
        assert found.share > 0.5
        top = found.coords[0]
        assert top[1] > 0
        assert abs(top[0]) < 1e-5
        assert found.coords[1, 0] > 0  # clockwise

    def test_points_at_random_are_no_ring(self):
        """p is uniform: of a hundred sets about one in twenty falls below .05."""
        generator = np.random.default_rng(0)
        found = [ring(generator.normal(size=(7, 30)).astype(np.float32)).p for _ in range(100)]
        assert 0 <= np.mean(np.array(found) <= 0.05) <= 0.12
        assert 0.35 < np.mean(found) < 0.65

    def test_a_wrong_order_is_told_from_the_right_one(self):
        points = planted_ring(7)
        assert ring(points[[0, 2, 4, 6, 1, 3, 5]]).p > 0.5

    def test_p_is_the_share_of_all_round_trips(self):
        points = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)

        def trip(order):
            return sum(
                float(np.linalg.norm(points[a] - points[b]))
                for a, b in zip(order, [*order[1:], order[0]], strict=True)
            )

        trips = [trip(order) for order in permutations(range(6))]
        own = trip(range(6))
        found = ring(points)
        assert found.orders == 60
        assert found.p == pytest.approx(np.mean([it <= own + 1e-5 for it in trips]))

    def test_the_true_order_is_the_first_that_is_compared(self):
        for n in (6, 12):
            found = ring(np.random.default_rng(n).normal(size=(n, 4)).astype(np.float32))
            assert found.scores.shape == (found.orders,)
            assert found.scores[0] == 1 - found.p

    def test_many_points_are_compared_with_drawn_orders(self):
        found = ring(planted_ring(12))
        assert not found.exact
        assert 0 < found.p < 1e-3

    def test_a_straight_row_does_not_close(self):
        points = np.zeros((7, 9), np.float32)
        points[:, 0] = np.arange(7)
        assert ring(points).closing == pytest.approx(6)

    def test_points_that_are_one(self):
        found = ring(np.ones((6, 3), np.float32))
        assert (found.share, found.p, found.kept) == (0.0, 1.0, 0)
        some = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
        some[:6] = some[0]  # all but one are one: no order
        assert ring(some).kept < 7
        assert np.isfinite(found.coords).all()

    def test_too_few(self):
        with pytest.raises(InvalidSpecification, match="found 4 points"):
            ring(np.ones((4, 3), np.float32))

    def test_chance(self):
        assert 1 / chance_in_order(7) == pytest.approx(360)
        assert kept_by_chance(7) in (4, 5)
        shares = [share_by_chance(7, 576), share_by_chance(12, 576)]
        assert shares == pytest.approx([0.373, 0.221], abs=0.01)
        turn = 2 * pi * np.arange(5) / 5
        around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        kept = [neighbours_kept(around[list(order)]) == 5 for order in permutations(range(5))]
        assert np.mean(kept) == pytest.approx(chance_in_order(5))

    def test_flat_is_pca(self):
        from sklearn.decomposition import PCA

        points = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
        places, share = flat(points)
        oracle = PCA(2).fit(points)
        assert share == pytest.approx(oracle.explained_variance_ratio_.sum(), rel=1e-5)
        np.testing.assert_allclose(np.abs(places), np.abs(oracle.transform(points)), rtol=1e-4)


class TestBestOfMany:
    """The best of many layers, judged by the best that chance finds in as many."""

    def test_a_planted_one_is_found(self):
        noise = np.random.default_rng(0).normal(size=(12, 15, 40)).astype(np.float32)
        noise[7] += np.outer(np.arange(15), noise[0, 0]).astype(np.float32)
        p, chance = best_by_chance(np.stack([row(it).scores for it in noise]))
        assert p == 1 / 201
        assert row(noise[7]).read > chance

    @pytest.mark.parametrize("judge", [ring, row])
    def test_noise_is_found_as_often_as_the_level_says(self, judge):
        """24 layers of noise each: one layer's own level would find something nearly always."""
        generator = np.random.default_rng(1)
        alone, best = [], []
        for _ in range(8):
            found = [judge(generator.normal(size=(7, 9)).astype(np.float32)) for _ in range(24)]
            scores = np.stack([it.scores for it in found])
            alone.append((scores >= scores[:, :1]).mean(axis=1).min())
            best.append(best_by_chance(scores)[0])
        assert np.mean(np.array(alone) <= 0.05) > 0.5
        assert np.mean(np.array(best) <= 0.05) <= 0.25

    def test_layers_that_are_all_alike_count_as_one(self):
        one = ring(np.random.default_rng(2).normal(size=(7, 9)).astype(np.float32))
        assert best_by_chance(np.stack([one.scores] * 31))[0] == pytest.approx(one.p)

    def test_luck_is_the_share_of_orders_that_do_as_well(self):
        generator = np.random.default_rng(3)
        layers = [planted_ring(5, noise=0.3, seed=seed) for seed in range(2)]
        layers += [generator.normal(size=(5, 20)).astype(np.float32) for _ in range(9)]
        layers[0] = layers[0][[0, 2, 4, 1, 3]]
        whole = [
            sum(ring(it[list(order)]).in_order for it in layers) for order in permutations(range(5))
        ]
        assert 0 < whole[0] < max(whole)
        expected = np.mean(np.array(whole) >= whole[0])
        assert chance_in_layers([ring(it) for it in layers]) == pytest.approx(expected)

    def test_an_order_that_no_layer_keeps(self):
        points = planted_ring(7)[[0, 2, 4, 6, 1, 3, 5]]
        assert chance_in_layers([ring(points)]) == 1
        assert chance_in_layers([ring(np.ones((6, 3), np.float32))]) == 1


class TestRow:
    @pytest.mark.parametrize("size", [0.0, 3.0])
    def test_points_that_are_one_have_no_order(self, size):
        found = row(np.full((9, 4), size, np.float32))
        assert (found.share, found.rank, found.rank_chance) == (0, 0, 0)

    def test_level_points_share_their_rank(self):
        from scipy.stats import spearmanr

        heights = np.array([0, 0, 0, 1, 1, 2, 5, 5, 7.0])
        found = row(np.outer(heights, [1.0, 2.0, -1.0]).astype(np.float32))
        assert found.rank == pytest.approx(spearmanr(heights, np.arange(9)).statistic)

    def test_a_planted_one_is_found(self):
        generator = np.random.default_rng(0)
        points = np.outer(np.arange(15), generator.normal(size=40))
        found = row((points + generator.normal(size=points.shape)).astype(np.float32))
        assert found.rank > 0.95 > found.rank_chance
        assert found.read > 0.8 > found.read_chance
        assert np.corrcoef(found.coords[:, 0], np.arange(15))[0, 1] > 0.9

    def test_points_at_random_are_no_row(self):
        generator = np.random.default_rng(1)
        found = [row(generator.normal(size=(15, 40)).astype(np.float32)) for _ in range(20)]
        assert np.mean([it.read > it.read_chance for it in found]) <= 0.25
        assert np.mean([it.rank > it.rank_chance for it in found]) <= 0.25


class TestRidge:
    @given(st.integers(0, 50))
    @settings(max_examples=10)
    def test_it_is_sklearns(self, seed):
        """Folds, scaling, the penalty by leaving one out: RidgeCV of scikit-learn."""
        from sklearn.linear_model import RidgeCV
        from sklearn.preprocessing import StandardScaler

        generator = np.random.default_rng(seed)
        x = generator.normal(size=(24, 7)).astype(np.float32) * generator.uniform(0.1, 9, 7)
        x = x.astype(np.float32)
        targets = np.stack(
            [x[:, :2] + generator.normal(size=(24, 2)), generator.normal(size=(24, 2))]
        )
        folds, penalties = np.arange(24) % 4, (0.01, 0.1, 1.0, 10.0)
        found, usual = ridge_held_out(x, targets, folds, penalties)
        for fold in range(4):
            taught, asked = folds != fold, folds == fold
            scaler = StandardScaler().fit(x[taught])
            for question in range(2):
                oracle = RidgeCV(alphas=[it * 7 for it in penalties])
                oracle.fit(scaler.transform(x[taught]), targets[question, taught])
                said = oracle.predict(scaler.transform(x[asked]))
                near(found[question, asked], said)
            np.testing.assert_allclose(usual[0, asked][0], targets[0, taught].mean(axis=0))

    def test_what_is_asked_was_not_taught(self):
        """An answer does not depend on the truth of its own fold."""
        generator = np.random.default_rng(0)
        x = generator.normal(size=(20, 30)).astype(np.float32)
        y = generator.normal(size=(1, 20, 1))
        changed = y.copy()
        changed[0, :5] += 100
        folds = np.arange(20) // 5
        before, _ = ridge_held_out(x, y, folds, (1.0,))
        after, _ = ridge_held_out(x, changed, folds, (1.0,))
        np.testing.assert_allclose(before[0, :5], after[0, :5])
        assert not np.allclose(before[0, 5:], after[0, 5:])

    def test_one_fold_is_refused(self):
        with pytest.raises(InvalidSpecification, match="found 0 rows to teach"):
            ridge_held_out(np.ones((3, 2), np.float32), np.ones((1, 3, 1)), [0, 0, 0], (1.0,))


class TestGlobe:
    @given(st.floats(-89, 89), st.floats(-180, 180))
    def test_there_and_back(self, latitude, longitude):
        [found] = in_degrees(on_globe([[latitude, longitude]]))
        assert found[0] == pytest.approx(latitude, abs=1e-6)
        assert abs((found[1] - longitude + 180) % 360 - 180) < 1e-6

    def test_known_distances(self):
        quarter = kilometres(on_globe([[0, 0]]), on_globe([[90, 0]]))[0]
        assert quarter == pytest.approx(pi / 2 * EARTH_KM)
        paris_london = kilometres(on_globe([[48.9, 2.4]]), on_globe([[51.5, -0.1]]))[0]
        assert paris_london == pytest.approx(344, abs=15)
        across = kilometres(on_globe([[-18.1, 178.4]]), on_globe([[-13.8, -171.8]]))[0]
        assert across < 1_300  # not the long way round

    def test_planted_places_are_found_and_shuffled_ones_are_not(self):
        generator = np.random.default_rng(0)
        degrees = np.stack([generator.uniform(-60, 60, 60), generator.uniform(-180, 180, 60)], 1)
        carrier = generator.normal(size=(3, 40))
        x = (on_globe(degrees) @ carrier + 0.3 * generator.normal(size=(60, 40))).astype(np.float32)
        found = mapped(x, degrees, np.arange(60) % 10)
        assert found.r2.value > 0.7
        assert found.r2.low < found.r2.value < found.r2.high
        assert found.off.value < 2_500 < found.off_usual
        assert found.r2_chance < 0.2
        assert found.scores[0] == pytest.approx(found.r2.value)
        shuffled = mapped(x[generator.permutation(60)], degrees, np.arange(60) % 10)
        assert shuffled.r2.value < 0.2

    def test_where_a_fold_is_a_group_its_places_are_one_witness(self):
        """Interval over six folds, by the same draws as if each fold were one item."""
        generator = np.random.default_rng(0)
        folds = np.repeat(np.arange(6), 10)
        degrees = np.stack([generator.uniform(-60, 60, 60), 25.0 * folds], axis=1)
        carrier = generator.normal(size=(3, 40))
        x = (on_globe(degrees) @ carrier + generator.normal(size=(60, 40))).astype(np.float32)
        alone, grouped = (mapped(x, degrees, folds, grouped=it) for it in (False, True))
        assert grouped.r2.value == pytest.approx(alone.r2.value)
        assert grouped.off.value == alone.off.value
        assert grouped.r2.high - grouped.r2.low > alone.r2.high - alone.r2.low
        drawn = np.random.default_rng(0).integers(0, 6, (1000, 6))
        medians = [np.median(alone.km.reshape(6, 10)[row]) for row in drawn]
        low, high = np.quantile(medians, [0.025, 0.975])
        assert (grouped.off.low, grouped.off.high) == pytest.approx((low, high))


class TestCities:
    def test_the_table(self):
        table = cities()
        assert len(table) == 111
        assert table["country"].is_unique
        assert table["city"].is_unique
        assert table["latitude"].between(-90, 90).all()
        assert table["longitude"].between(-180, 180).all()
        assert table["continent"].nunique() == 6
        assert not table.isna().any().any()

    def test_neighbours_are_near_each_other(self):
        table = cities().set_index("city")
        places = on_globe(table[["latitude", "longitude"]])
        at = {name: places[[row]] for row, name in enumerate(table.index)}
        for one, other, km in (("Vienna", "Budapest", 215), ("Paris", "Brussels", 264),
                               ("Montevideo", "Buenos Aires", 205), ("Oslo", "Stockholm", 415),
                               ("Cairo", "Jerusalem", 425), ("Lima", "Quito", 1_325),
                               ("Tokyo", "Seoul", 1_155), ("Nairobi", "Kampala", 505)):  # fmt: skip
            assert kilometres(at[one], at[other])[0] == pytest.approx(km, rel=0.1), (one, other)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch) -> Workspace:
    """A workspace with one rival that knows the words and one that does not."""

    def rival(_, reference, words):
        if reference == "glove":
            raise UnknownItem("found 'x'; expected a word")
        generator = np.random.default_rng(0)
        return generator.normal(size=(len(words), 5)).astype(np.float32)

    monkeypatch.setattr(shapes, "rival_vectors", rival)
    return Workspace(tmp_path)


class TestShape:
    def test_states_of_the_last_token_are_averaged(self):
        lm = tiny_model()
        found = word_states(lm, ["red moon", "dog"], ["the {}", "a cat and {}"])
        assert len(found) == DEPTH + 1
        assert found[2].shape == (2, DIM)
        texts = ("the red moon", "a cat and red moon")
        one, other = (lm.states(lm.ids(text))[2, -1] for text in texts)
        np.testing.assert_allclose(found[2][0], (one + other) / 2, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("task", "form"), [("days", CIRCLE), ("numbers", LINE)])
    def test_found_and_kept(self, workspace, model, task, form):
        spec = ShapeSpec(model, task)
        assert not has_shape(workspace, spec)
        found = shape(workspace, spec)
        n = len(found.words)
        assert found.table["reader"].tolist() == [*map(str, range(DEPTH + 1)), "minilm:sentences"]
        assert found.coords.shape == (DEPTH + 2, n, 2)
        assert found.depth == DEPTH
        assert 0 <= found.best <= DEPTH
        assert "GloVe is left out" in found.notes[0]
        again = shape(Workspace(workspace.folder), spec)
        assert again.table.equals(found.table)
        assert np.array_equal(again.coords, found.coords)
        assert np.array_equal(again.said, found.said)
        assert again.notes == found.notes
        assert verdict(found).startswith("**")

    def test_a_map(self, workspace, model, monkeypatch):
        monkeypatch.setattr(shapes, "cities", lambda: cities().iloc[::4].reset_index(drop=True))
        found = shape(workspace, ShapeSpec(model, "cities"))
        assert found.spec.form == MAP
        assert found.coords.shape == found.beyond.shape == (DEPTH + 2, 28, 2)
        assert {"off", "r2", "r2_chance", "beyond_r2"} <= set(found.table)
        assert verdict(found).startswith("**No map")  # the model is random
        assert verdict(found, far=True).startswith("**Nothing is left")
        assert "GloVe" not in not_proven(found)  # which was left out

    def test_ones_own_words(self, workspace, model):
        words = ("red", "blue", "green", "cat", "dog", "moon")
        found = shape(workspace, ShapeSpec(model, "own", words, CIRCLE))
        assert found.words == words
        assert found.table["orders"].tolist() == [60] * (DEPTH + 2)
        other = ShapeSpec(model, "own", words[::-1], CIRCLE)
        assert not has_shape(workspace, other)

    def test_a_rival_that_is_not_there_is_an_error_and_nothing_is_kept(
        self, workspace, model, monkeypatch
    ):
        def gone(*_):
            raise TeacherUnavailable("found no package; expected it installed: install it")

        monkeypatch.setattr(shapes, "rival_vectors", gone)
        spec = ShapeSpec(model, "days")
        with pytest.raises(TeacherUnavailable, match="found no package"):
            shape(workspace, spec)
        assert not has_shape(workspace, spec)

    def test_other_weights_of_a_rival_have_another_key(self, workspace, model, monkeypatch):
        spec = ShapeSpec(model, "days")
        before = shape_key(workspace, spec)
        glove = workspace.teacher("glove")
        monkeypatch.setattr(glove, "fingerprint", lambda: "another")
        assert shape_key(workspace, spec) != before

    @pytest.mark.parametrize("words", [(), ("a", "b"), ("a", "a", "a", "a", "a"), (" ",) * 9])
    def test_too_few_words(self, words):
        with pytest.raises(InvalidSpecification, match="different words"):
            ShapeSpec("m", "own", words, LINE)

    def test_unknown_shapes(self):
        with pytest.raises(InvalidSpecification, match="one of days"):
            ShapeSpec("m", "cube")


def judged(task, words=(), form="", p_best=0.01, luck=1.0, kept=0, **columns):
    """A shape with three layers and GloVe, of which only the given figures matter."""
    spec = ShapeSpec("m", task, words, form)
    names = spec.words or tuple(cities()["city"])
    row = {"p": 0.2, "kept": kept, "read": 0.1, "read_chance": 0.0, "rank": 0.0, "rank_chance": 0.1}
    for prefix in ("", "beyond_"):
        far = {"off": 5e3, "off_low": 4e3, "off_high": 6e3, "off_usual": 5e3, "r2": 0.1}
        far |= {"r2_low": 0.05, "r2_high": 0.2, "r2_chance": 0.02}
        row |= {f"{prefix}{name}": value for name, value in far.items()}
    table = pd.DataFrame([{"reader": it, **row, **columns} for it in ("0", "1", "2", "glove")])
    none = np.zeros((4, len(names), 2), np.float32)
    said = np.zeros((4, len(names)))
    return Shaped(spec, names, table, none, said, none, 0.3, p_best, 0.03, luck)


class TestWords:
    """What is said follows the figures, not the task's fame."""

    @pytest.mark.parametrize(
        ("figures", "head"),
        [
            ({"luck": 0.0028, "kept": 7}, "They lie on a ring."),
            ({"luck": 0.2, "p_best": 0.2, "kept": 7}, "This may be luck."),
            ({"luck": 1.0, "p_best": 0.01}, "Nearly a ring."),
            ({"luck": 1.0, "p_best": 0.2}, "No ring in this order."),
        ],
    )
    def test_a_ring(self, figures, head):
        assert verdict(judged("days", **figures)).startswith(f"**{head}**")

    def test_few_words_may_be_in_order_by_luck_in_every_layer(self):
        five = judged("own", tuple("abcde"), CIRCLE, luck=1 / 12, p_best=1 / 12, kept=5)
        assert verdict(five).startswith("**This may be luck.** In every layer all 5 follow")

    def test_a_row_is_judged_by_the_best_of_its_layers(self):
        assert verdict(judged("numbers", p_best=0.04)).startswith("**Their order can be read.")
        assert verdict(judged("numbers", p_best=0.06)).startswith("**No order can be read.")

    @pytest.mark.parametrize(
        ("r2", "low", "head"),
        [
            (0.5, 0.4, "Cities can be put on a map."),
            (0.1, 0.02, "No map that can be told from chance."),
            (-0.3, -0.4, "No map can be read: always naming the middle is no worse."),
        ],
    )
    def test_a_map(self, r2, low, head):
        assert verdict(judged("cities", r2=r2, r2_low=low)).startswith(f"**{head}**")

    @pytest.mark.parametrize(
        ("r2", "low", "head"),
        [
            (0.2, 0.1, "Little is left."),
            (0.4, 0.1, "Much of the map is left."),
            (0.2, -0.1, "Nothing is left that can be told from chance."),
            (-0.1, -0.2, "Nothing is left: always naming the middle is no worse."),
        ],
    )
    def test_a_continent(self, r2, low, head):
        found = judged("cities", r2=0.5, r2_low=0.4, beyond_r2=r2, beyond_r2_low=low)
        assert verdict(found, far=True).startswith(f"**{head}**")

    def test_counting_is_enough_only_where_it_is(self):
        found = judged("cities", r2=0.5, r2_low=0.4)
        assert "as well or better" in verdict(found)
        table = found.table.copy()
        table.loc[3, "r2"] = 0.1
        assert "as well or better" not in verdict(replace(found, table=table))

    def test_what_is_not_proven_is_about_these_words(self):
        assert "Neighbouring months" in not_proven(judged("months"))
        colours = not_proven(judged("own", tuple("abcdefghi"), CIRCLE))
        assert "9 random ones keep 30%" in colours
        assert "Neighbouring words" in colours
        assert "layer 0" not in colours
        assert "fitted to 19 numbers" in not_proven(judged("numbers"))
        own = not_proven(judged("own", tuple("abcdefghi"), LINE))
        assert "fitted to 8 words" in own
        assert "Small numbers" not in own
        assert "reaches an R² of 0.10, this model 0.10" in not_proven(judged("cities"))


class TestFigures:
    def test_the_polygon_is_closed_for_a_ring_only(self):
        coords = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
        for closed, length in ((True, 8), (False, 7)):
            way = polygon_figure(coords, closed, 0, LIGHT, "x").data[0]
            assert way.meta["role"] == "way"
            assert len(way.x) == length

    def test_lines_take_the_shorter_way_round(self):
        true = np.array([[0, 170]], np.float32)
        said = np.array([[10, -170]], np.float32)
        km = np.ones(1, np.float32)
        figure = cities_figure(true, said, ["x"], ["Oceania"], km, LIGHT, "x")
        [arrows] = [it for it in figure.data if it.meta["role"] == "arrows"]
        assert list(arrows.x)[:2] == [170, 190]
        assert list(arrows.y)[:2] == [0, 10]

    def test_curves_and_answers(self):
        figure = by_layer_figure(
            [1.0, 2.0], [0.0, 0.0], {"GloVe": (1.5, "red")}, 1, "x", (0.0, 3.0), LIGHT, ""
        )
        roles = [trace.meta["role"] for trace in figure.data]
        assert roles == ["chance", "rival", "curve", "chosen"]
        answers = read_figure(["a<b", "c"], np.array([0.0, 1.2]), LIGHT, "x").data[-1]
        assert answers.hovertext[0].startswith("a&lt;b")


@pytest.mark.models
def test_weekdays_lie_on_a_ring_in_smollm2(tmp_path):
    found = shape(Workspace(tmp_path), ShapeSpec("smollm2", "days"))
    assert len(found.ordered) >= 8
    assert 0.4 < found.table["share"].iloc[10] < 0.65
    glove = found.table[found.table["reader"] == "glove"].iloc[0]
    assert glove["kept"] < 7
