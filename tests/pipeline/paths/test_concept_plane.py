"""The map between three concepts, on a tiny random model."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import DEPTH, save_tiny

from core.decode.patchscopes import Patchscope, concepts, entropy, identity_prompt, words_of
from core.errors import Cancelled, InvalidPath, InvalidSpecification
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.paths.concept_plane import (
    Islands,
    concept_plane,
    islands,
    islands_key,
    kept_islands,
    levels,
    stored_islands,
    stored_stride,
)

THREE = ("cat", "dog", "river")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny"), "gpt2")


@pytest.fixture(scope="module")
def stages(model) -> list[Islands]:
    return list(islands(model, THREE, layer=2, grid=9))


def three(seed: int, dim: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, dim)).astype(np.float32)


class TestSheet:
    @given(st.integers(0, 999), st.integers(3, 64))
    def test_it_holds_the_three_points(self, seed, dim):
        states = three(seed, dim)
        flat = concept_plane(states)
        np.testing.assert_allclose(flat.points(flat.corners), states, atol=1e-4)

    @given(st.integers(0, 999))
    def test_it_keeps_distances_in_units_of_the_states_length(self, seed):
        states = three(seed)
        flat = concept_plane(states)
        assert flat.unit == pytest.approx(np.linalg.norm(states, axis=1).mean(), rel=1e-5)
        for one, other in itertools.combinations(range(3), 2):
            there = np.linalg.norm(states[one] - states[other]) / flat.unit
            here = np.linalg.norm(flat.corners[one] - flat.corners[other])
            assert here == pytest.approx(there, rel=1e-4)
        np.testing.assert_allclose(flat.corners.mean(axis=0), 0, atol=1e-5)
        assert flat.corners[0, 1] == pytest.approx(flat.corners[1, 1], abs=1e-5)
        assert flat.corners[0, 0] < flat.corners[1, 0]
        assert flat.corners[2, 1] > flat.corners[0, 1]

    def test_its_middle_is_the_mean_of_the_three(self):
        states = three(3)
        middle = concept_plane(states).points(np.zeros((1, 2), np.float32))
        np.testing.assert_allclose(middle[0], states.mean(axis=0), atol=1e-5)

    def test_three_on_one_line(self):
        states = three(1)
        states[2] = (states[0] + states[1]) / 2
        with pytest.raises(InvalidSpecification, match="on one line"):
            concept_plane(states)

    def test_three_times_one_point(self):
        with pytest.raises(InvalidPath):
            concept_plane(np.ones((3, 8), np.float32))


class TestLevels:
    @pytest.mark.parametrize("grid", [5, 6, 9, 21, 22])
    def test_every_cell_once_and_coarse_first(self, grid):
        found = list(levels(grid))
        assert [stride for stride, _ in found] == [4, 2, 1]
        cells = [cell for _, part in found for cell in part]
        assert sorted(cells) == sorted(itertools.product(range(grid), repeat=2))
        assert len(found[0][1]) == math.ceil(grid / 4) ** 2


class TestStages:
    def test_the_map_grows(self, stages):
        assert [it.stride for it in stages] == [4, 2, 1]
        assert [len(it.cells) for it in stages] == [9, 25, 81]
        assert [it.whole for it in stages] == [False, False, True]
        for earlier, later in itertools.pairwise(stages):
            assert later.cells.iloc[: len(earlier.cells)].equals(earlier.cells)

    def test_no_example_is_a_concepts_first_token(self, model):
        """Else far cells that echo the prompt would count as the concept's island."""
        first = next(islands(model, ("moon cat", "dog", "river"), layer=2, grid=9))
        assert first.names[0] == "moon"
        assert "moon" not in first.examples
        with pytest.raises(InvalidSpecification, match="both begin with the token 'moon'"):
            next(islands(model, ("moon cat", "moon dog", "river"), layer=2, grid=9))

    def test_a_cell_is_what_is_said_at_its_place(self, model, stages):
        lm = speaker(model)
        whole = stages[-1]
        states = np.stack([it.states[0] for it in concepts(lm, THREE, [2])])
        flat, scope = concept_plane(states), Patchscope(lm, identity_prompt(THREE)[0])
        some = whole.cells.sample(6, random_state=0)
        places = some[["x", "y"]].to_numpy(np.float32)
        shares = scope.shares(flat.points(places), 2)
        texts = words_of(lm).texts
        np.testing.assert_allclose(some["entropy"], entropy(shares), atol=1e-3)
        for row, cell in enumerate(some.itertuples()):
            assert cell.probability == pytest.approx(shares[row].max(), abs=1e-4)
            assert shares[row, texts.index(cell.word)] == pytest.approx(cell.probability, abs=1e-4)
        assert (whole.cells["probability"] >= whole.cells["second_probability"]).all()
        assert (whole.cells["second_probability"] >= whole.cells["third_probability"]).all()

    def test_places_are_even_and_about_the_middle(self, stages):
        whole = stages[-1]
        table = whole.cells.sort_values(["row", "column"])
        x = table["x"].to_numpy().reshape(9, 9)
        y = table["y"].to_numpy().reshape(9, 9)
        np.testing.assert_allclose(x, x[:1].repeat(9, axis=0), atol=1e-6)
        np.testing.assert_allclose(np.diff(x, axis=1), whole.side, atol=1e-5)
        np.testing.assert_allclose(np.diff(y, axis=0), whole.side, atol=1e-5)
        assert (x[4, 4], y[4, 4]) == (0, 0)
        np.testing.assert_allclose(table["radius"], np.hypot(table["x"], table["y"]), atol=1e-6)
        assert np.abs(whole.corners).max() < whole.half

    def test_kinds(self, stages):
        whole = stages[-1]
        for cell in whole.cells.itertuples():
            if cell.word in whole.names:
                assert cell.kind == "concept"
            else:
                assert cell.kind in ("between", "echo")
        said = whole.to_dict()
        counted = said["between"] + said["echoes"] + sum(it["cells"] for it in said["concepts"])
        assert counted == 81

    def test_it_goes_on_from_where_it_was_stopped(self, model, stages):
        rest = list(islands(model, THREE, layer=2, grid=9, so_far=stages[1]))
        [last] = rest
        assert last.cells["word"].tolist() == stages[-1].cells["word"].tolist()


class TestKept:
    def test_what_is_read_is_there_before_the_whole(self, model, tmp_path):
        workspace = Workspace(tmp_path)
        key = islands_key(model, THREE, 2, 9)
        seen: list[int] = []

        def stop(done: int, total: int, message: str) -> bool:
            seen.append(stored_stride(workspace, key))
            return stored_stride(workspace, key) != 2

        with pytest.raises(Cancelled):
            kept_islands(workspace, model, THREE, 2, 9, stop)
        assert sorted({*seen}) == [0, 2, 4]
        partial = stored_islands(workspace, key)
        assert partial is not None
        assert not partial.whole
        whole = kept_islands(Workspace(tmp_path), model, THREE, 2, 9)
        assert whole.whole
        assert len(whole.cells) == 81
        read = stored_islands(Workspace(tmp_path), key)
        assert read is not None
        assert read.to_dict() == whole.to_dict()
        assert read.cells["word"].tolist() == whole.cells["word"].tolist()
        assert stored_stride(workspace, key) == 1

    def test_what_is_damaged_is_made_again(self, model, tmp_path):
        workspace = Workspace(tmp_path)
        kept_islands(workspace, model, THREE, 2, 5)
        [manifest] = (tmp_path / "cache" / "islands").glob("*/manifest.json")
        manifest.write_text(manifest.read_text().replace('"half"', '"calf"'))
        assert stored_islands(workspace, islands_key(model, THREE, 2, 5)) is None
        assert len(kept_islands(workspace, model, THREE, 2, 5).cells) == 25


class TestBadInput:
    @pytest.mark.parametrize("words", [("cat", "dog"), ("a", "b", "c", "d"), ()])
    def test_other_than_three(self, model, words):
        with pytest.raises(InvalidSpecification, match="expected three"):
            next(islands(model, words))

    @pytest.mark.parametrize("words", [("cat", "Cat", "dog"), ("cat", "dog", " dog")])
    def test_twice_the_same(self, model, words):
        with pytest.raises(InvalidSpecification, match="twice"):
            next(islands(model, words))

    @pytest.mark.parametrize("grid", [0, 4, 62, -3])
    def test_a_grid_out_of_range(self, model, grid):
        with pytest.raises(InvalidSpecification, match="expected 5 to 61"):
            next(islands(model, THREE, grid=grid))

    def test_a_layer_that_is_not_there(self, model):
        with pytest.raises(InvalidSpecification, match="found layer"):
            next(islands(model, THREE, layer=DEPTH + 1))
