"""core.pipeline: what is computed once is found again, and every answer against an oracle."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial import geometric_slerp
from scipy.stats import percentileofscore
from small_words import CHOSEN, glove, small_words

from core import pipeline
from core.errors import (
    Cancelled,
    InvalidExpression,
    InvalidPath,
    InvalidSpecification,
    InvalidVectors,
    UnknownItem,
    UnknownTeacher,
    UnreadableFile,
)
from core.permalink import TEACHER
from core.pipeline import (
    KINDS,
    Workspace,
    axis,
    axis_scores,
    make_map,
    make_space,
    neighbors,
    path,
    place_path,
    solve,
)
from core.pipeline import workspace as workspace_module
from core.projection.base import PcaSpec, TsneSpec

GLOVE = "glove:5000"
TINY = 2e-6  # float32 cosines against float64 ones


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def table() -> np.ndarray[Any, Any]:
    """GloVe's first 5,000 rows in float64, read without the code under test."""
    return np.array(glove()[1][:5000], dtype=np.float64)


def row_of(word: str) -> int:
    return glove()[0][word]


def unit(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def write(path: Path, words: list[str], vectors: Any) -> str:
    np.savez(path, words=np.array(words, dtype=str), vectors=np.float32(vectors))
    return f"vectors:{path}"


def no_work(*_: Any, **__: Any) -> Any:
    raise AssertionError("this was computed before and should have been found")


class TestWhatIsKept:
    def test_a_second_bench_computes_nothing(self, tmp_path, words_reference, monkeypatch):
        first = Workspace(tmp_path)
        space = first.space(words_reference)
        spec = PcaSpec()
        made = (
            first.graph(space),
            first.projection(space, spec),
            first.faithfulness(space, spec),
            first.regions(space, spec),
        )
        for name in ("knn_graph", "fit", "faithfulness", "regions"):
            monkeypatch.setattr(workspace_module, name, no_work)
        second = Workspace(tmp_path)
        assert second.has_space(words_reference)
        found = second.space(words_reference)
        assert (found.digest, found.texts, found.name) == (
            space.digest,
            space.texts,
            words_reference,
        )
        np.testing.assert_array_equal(found.vectors, space.vectors)
        assert second.has_graph(found)
        assert second.has_projection(found, spec)
        assert second.has_faithfulness(found, spec)
        assert second.has_regions(found, spec)
        np.testing.assert_array_equal(second.graph(found).indices, made[0].indices)
        np.testing.assert_array_equal(second.projection(found, spec).coords, made[1].coords)
        assert second.projection(found, spec).spec == spec
        assert second.projection(found, spec).notes == made[1].notes
        assert second.faithfulness(found, spec).overlap == made[2].overlap
        np.testing.assert_array_equal(second.regions(found, spec).cluster, made[3].cluster)
        assert second.regions(found, spec).labels == made[3].labels

    def test_nothing_is_claimed_before_it_is_there(self, tmp_path, words_reference):
        workspace = Workspace(tmp_path)
        assert not workspace.has_space(words_reference)
        space = workspace.space(words_reference)
        assert not workspace.has_graph(space)
        for has in (workspace.has_projection, workspace.has_faithfulness, workspace.has_regions):
            assert not has(space, PcaSpec())
        workspace.projection(space, PcaSpec())
        assert workspace.has_projection(space, PcaSpec())
        assert not workspace.has_projection(space, PcaSpec(dims=3))

    def test_what_is_damaged_on_disk_is_made_again(self, tmp_path, words_reference):
        first = Workspace(tmp_path)
        space = first.space(words_reference)
        coords = first.projection(space, PcaSpec()).coords
        files = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
        assert files
        for file in files:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        second = Workspace(tmp_path)
        again = second.space(words_reference)
        assert again.digest == space.digest
        np.testing.assert_array_equal(second.projection(again, PcaSpec()).coords, coords)

    def test_another_content_is_another_space(self, tmp_path):
        workspace = Workspace(tmp_path)
        reference = write(tmp_path / "a.npz", ["a", "b"], [[1, 0], [0, 1]])
        before = workspace.space(reference).digest
        write(tmp_path / "a.npz", ["a", "b"], [[1, 0], [1, 1]])
        assert Workspace(tmp_path).space(reference).digest != before

    def test_a_file_moved_elsewhere_is_known_by_its_new_name(self, tmp_path, words_file):
        old, new = tmp_path / "old" / "words.npz", tmp_path / "new" / "words.npz"
        for file in (old, new):
            file.parent.mkdir()
        shutil.copy(words_file, old)
        Workspace(tmp_path).space(f"vectors:{old}")
        old.rename(new)
        space = Workspace(tmp_path).space(f"vectors:{new}")
        assert space.name == f"vectors:{new}"
        with pytest.raises(UnreadableFile, match="found no file"):
            Workspace(tmp_path).space(f"vectors:{old}")


class TestNeighbors:
    @pytest.mark.parametrize("word", ["ocean", "king", "1995"])
    def test_against_brute_force_in_float64(self, workspace, table, word):
        found = neighbors(workspace, GLOVE, word, 12)
        cosines = unit(table) @ unit(table)[row_of(word)]
        cosines[row_of(word)] = -np.inf
        expected = np.argsort(-cosines, kind="stable")[:12]
        assert found.rows.tolist() == expected.tolist()
        np.testing.assert_allclose(found.cosines, cosines[expected], atol=TINY)
        assert found.query.row == row_of(word)

    def test_a_typed_text_is_the_mean_of_its_words(self, workspace, table):
        found = neighbors(workspace, GLOVE, "red ocean")
        mean = table[[row_of("red"), row_of("ocean")]].mean(axis=0)
        np.testing.assert_allclose(found.query.vector, mean, atol=1e-6)
        assert found.query.row is None
        assert found.query.how == "mean of 2 words: red ocean"
        expected = np.argsort(-(unit(table) @ unit(mean)), kind="stable")[:10]
        assert found.rows.tolist() == expected.tolist()  # nothing is left out: it is no item

    def test_case_does_not_matter(self, workspace):
        assert neighbors(workspace, GLOVE, "Ocean").query.text == "ocean"

    def test_unknown_word(self, workspace):
        with pytest.raises(UnknownItem, match=r"found 'oceen'.*try .*'ocean'"):
            neighbors(workspace, GLOVE, "oceen")


class TestPath:
    def test_slerp_against_scipy(self, workspace, table):
        report = path(workspace, GLOVE, ["ocean", "king"], "slerp", 33)
        start, end = table[row_of("ocean")], table[row_of("king")]
        t = np.linspace(0, 1, 33)
        directions = geometric_slerp(unit(start), unit(end), t)
        norms = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
        np.testing.assert_allclose(report.curve.points, norms[:, None] * directions, atol=2e-6)
        np.testing.assert_allclose(report.curve.t, t, atol=1e-7)
        np.testing.assert_allclose(report.norm, norms, rtol=1e-6)

    def test_lerp_against_its_formula(self, workspace, table):
        report = path(workspace, GLOVE, ["ocean", "king"], "lerp", 9)
        t = np.linspace(0, 1, 9)[:, None]
        expected = (1 - t) * table[row_of("ocean")] + t * table[row_of("king")]
        np.testing.assert_allclose(report.curve.points, expected, atol=1e-6)

    def test_every_step_is_decoded_as_float64_does(self, workspace, table):
        report = path(workspace, GLOVE, ["ocean", "king"], "slerp", 16, k=6)
        points = report.curve.points.astype(np.float64)
        cosines = unit(points) @ unit(table).T
        expected = np.argsort(-cosines, axis=1, kind="stable")
        np.testing.assert_array_equal(report.nearest, expected[:, :6])
        np.testing.assert_allclose(
            report.nearest_cosines, np.take_along_axis(cosines, expected[:, :6], 1), atol=TINY
        )
        own = {row_of("ocean"), row_of("king")}
        for step, rows in enumerate(expected):
            without = [row for row in rows if row not in own][:6]
            assert report.nearest_without[step].tolist() == without
        ends = unit(points[[0, -1]])
        np.testing.assert_allclose(report.cosine_to_start, unit(points) @ ends[0], atol=TINY)
        np.testing.assert_allclose(report.cosine_to_end, unit(points) @ ends[1], atol=TINY)

    def test_percentiles_against_scipy(self, workspace, table):
        report = path(workspace, GLOVE, ["ocean", "king"], "lerp", 11)
        norms = np.linalg.norm(table, axis=1).astype(np.float32)
        expected = [percentileofscore(norms, norm, kind="mean") for norm in report.norm]
        np.testing.assert_allclose(report.norm_percentile, expected, atol=0.05)
        cosines = unit(table) @ unit(table).T
        np.fill_diagonal(cosines, -np.inf)
        own = 1 - np.sort(cosines, axis=1)[:, -15:].mean(axis=1)
        steps = unit(report.curve.points.astype(np.float64)) @ unit(table).T
        distances = 1 - np.sort(steps, axis=1)[:, -15:].mean(axis=1)
        expected = [percentileofscore(own, distance, kind="mean") for distance in distances]
        np.testing.assert_allclose(report.knn_percentile, expected, atol=0.1)
        np.testing.assert_array_equal(report.off, report.knn_percentile > 95)

    @pytest.mark.parametrize("centred", [False, True])
    @pytest.mark.parametrize("kind", KINDS)
    def test_waypoints_are_steps_bit_for_bit(self, workspace, words_reference, kind, centred):
        words = ["dog", "ocean", "king"]
        report = path(workspace, words_reference, words, kind, 40, centred)
        space = workspace.space(words_reference)
        rows = [space.find(word) for word in words]
        assert len(report.curve) == 40
        np.testing.assert_array_equal(
            report.curve.points[list(report.curve.stops)], space.vectors[rows]
        )
        assert [point.row for point in report.waypoints] == rows
        assert not np.isin(report.nearest_without, rows).any()
        assert not report.curve.points.flags.writeable

    @pytest.mark.parametrize("centred", [False, True])
    def test_a_walk_goes_from_neighbour_to_neighbour(self, workspace, words_reference, centred):
        report = path(workspace, words_reference, ["dog", "king", "table"], "graph", 48, centred)
        space = workspace.space(words_reference)
        names = [space.texts[row] for row in report.visited]
        assert (names[0], names[-1]) == ("dog", "table")
        assert "king" in names
        vectors = (space.centred if centred else space).vectors.astype(np.float64)
        cosines = unit(vectors) @ unit(vectors).T
        np.fill_diagonal(cosines, -np.inf)
        near = np.argsort(-cosines, axis=1)[:, :15]
        for one, other in pairwise(report.visited):
            assert other in near[one] or one in near[other]
        points = report.curve.points
        for row in report.visited:  # each item that is visited is a step, exactly
            assert (points == space.vectors[row]).all(axis=1).any()

    def test_the_centred_path_is_made_on_the_centred_space(self, workspace, table):
        report = path(
            workspace, GLOVE, ["ocean", "king"], "slerp", 8, centred=True
        )  # no midpoint: ends tie
        moved = table - table.mean(axis=0)
        start, end = moved[row_of("ocean")], moved[row_of("king")]
        t = np.linspace(0, 1, 8)
        norms = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
        points = norms[:, None] * geometric_slerp(unit(start), unit(end), t)
        np.testing.assert_allclose(report.curve.points, points + table.mean(axis=0), atol=5e-6)
        expected = np.argsort(-(unit(points) @ unit(moved).T), axis=1)[:, :3]
        np.testing.assert_array_equal(report.nearest[:, :3], expected)
        assert report.cosine_to_end[0] == pytest.approx(unit(start) @ unit(end), abs=TINY)

    def test_csls_against_its_formula(self, workspace, table):
        report = path(workspace, GLOVE, ["ocean", "king"], "slerp", 8, csls=True, k=4)
        cosines = unit(table) @ unit(table).T
        np.fill_diagonal(cosines, -np.inf)
        hub = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
        steps = unit(report.curve.points.astype(np.float64)) @ unit(table).T
        expected = np.argsort(-(2 * steps - hub), axis=1)[:, :4]
        np.testing.assert_array_equal(report.nearest, expected)
        plain = path(workspace, GLOVE, ["ocean", "king"], "slerp", 8, k=4)
        assert (plain.nearest != report.nearest).any()

    def test_a_typed_text_can_be_a_waypoint(self, workspace, words_reference):
        report = path(workspace, words_reference, ["green boat", "king"], "slerp", 12)
        assert report.waypoints[0].row is None
        np.testing.assert_array_equal(report.curve.points[0], report.waypoints[0].vector)
        walked = path(workspace, words_reference, ["green boat", "king"], "graph", 24)
        space = workspace.space(words_reference)
        assert walked.visited[-1] == space.find("king")

    def test_places_reproduce_the_items(self, workspace, words_reference):
        space = workspace.space(words_reference)
        coords = workspace.projection(space, PcaSpec()).coords
        for kind in KINDS:
            report = path(workspace, words_reference, ["dog", "ocean", "king"], kind, 30, True)
            placed = place_path(workspace, words_reference, PcaSpec(), report)
            rows = [space.find(word) for word in ("dog", "ocean", "king")]
            np.testing.assert_array_equal(placed[list(report.curve.stops)], coords[rows])

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        words=st.lists(st.sampled_from(CHOSEN), min_size=2, max_size=5, unique=True),
        kind=st.sampled_from(["lerp", "slerp"]),
        steps=st.integers(5, 60),
        centred=st.booleans(),
    )
    def test_invariants(self, workspace, words_reference, words, kind, steps, centred):
        report = path(workspace, words_reference, words, kind, steps, centred)
        m = len(report.curve)
        assert m == steps
        assert (np.diff(report.curve.t) > 0).all()
        assert (report.curve.t[0], report.curve.t[-1]) == (0, 1)
        assert len(report.curve.stops) == len(words)
        assert report.cosine_to_start[0] == pytest.approx(1, abs=TINY)
        assert report.cosine_to_end[-1] == pytest.approx(1, abs=TINY)
        assert (np.diff(report.nearest_cosines, axis=1) <= 0).all()
        for percent in (report.norm_percentile, report.knn_percentile):
            assert ((percent >= 0) & (percent <= 100)).all()
        texts = workspace.space(words_reference).texts
        assert [texts[report.nearest[stop, 0]] for stop in report.curve.stops] == words


class TestPathsThatAreNone:
    @pytest.mark.parametrize(("texts", "said"), [([], "0 waypoints"), (["dog"], "1 waypoint;")])
    def test_too_few(self, workspace, words_reference, texts, said):
        with pytest.raises(InvalidPath, match=f"found {said}.*expected two or more: say where"):
            path(workspace, words_reference, texts)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("texts", "said"),
        [
            (["dog", "dog"], "found 'dog' and 'dog' one after the other"),
            (["king", "Dog", "dog"], "found 'Dog' and 'dog' one after the other"),
            (["red sea", "sea red"], "found 'red sea' and 'sea red' one after the other"),
        ],
    )
    def test_twice_the_same(self, workspace, words_reference, texts, said, kind):
        with pytest.raises(InvalidPath, match=f"{said}.*same point.*leave one out"):
            path(workspace, words_reference, texts, kind)

    def test_there_and_back_is_a_path(self, workspace, words_reference):
        report = path(workspace, words_reference, ["dog", "king", "dog"], "slerp", 21)
        np.testing.assert_array_equal(report.curve.points[0], report.curve.points[-1])

    def test_a_walk_between_texts_with_one_nearest_item(self, workspace, tmp_path):
        words = ["a", "b", "c", "d"]
        vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
        reference = write(tmp_path / "w.npz", words, vectors)
        with pytest.raises(InvalidPath, match="'a b c' and 'd' are both nearest to 'd'; expected"):
            path(workspace, reference, ["a b c", "d"], "graph")

    def test_opposite_points_are_named(self, workspace, tmp_path):
        reference = write(tmp_path / "o.npz", ["up", "down", "left"], [[1, 0], [-1, 0], [0, 1]])
        with pytest.raises(InvalidPath, match=r"two opposite points.*on the way left > up > down"):
            path(workspace, reference, ["left", "up", "down"], "slerp", 9)
        straight = path(workspace, reference, ["up", "down"], "lerp", 3)
        np.testing.assert_array_equal(straight.curve.points[1], [0, 0])

    def test_a_zero_vector_has_no_direction(self, workspace, tmp_path):
        reference = write(tmp_path / "z.npz", ["zero", "one", "two"], [[0, 0], [1, 0], [0, 1]])
        with pytest.raises(InvalidPath, match=r"found a zero vector.*way zero > one"):
            path(workspace, reference, ["zero", "one"], "slerp", 9)

    def test_islands(self, workspace, tmp_path):
        generator = np.random.default_rng(3)
        away = np.repeat([[9.0, 0, 0], [0, 9, 0]], 40, axis=0)
        words = [f"{side}{number}" for side in "ab" for number in range(40)]
        reference = write(tmp_path / "i.npz", words, away + generator.normal(size=(80, 3)) / 5)
        with pytest.raises(InvalidPath, match=r"no chain of neighbours.*on the way a1 > b1"):
            path(workspace, reference, ["a1", "b1"], "graph")

    def test_other_refusals(self, workspace, words_reference):
        with pytest.raises(InvalidPath, match="found the kind 'bezier'; expected one of lerp"):
            path(workspace, words_reference, ["dog", "king"], "bezier")
        with pytest.raises(InvalidPath, match="found 2 steps for 3 waypoints; expected at least 3"):
            path(workspace, words_reference, ["dog", "king", "sea"], "lerp", 2)
        with pytest.raises(InvalidPath, match="found 10001 steps; expected 2 to 10000"):
            path(workspace, words_reference, ["dog", "king"], "slerp", 10_001)
        with pytest.raises(UnknownItem, match="found 'qqqq'"):
            path(workspace, words_reference, ["dog", "qqqq"])
        with pytest.raises(InvalidSpecification, match="found k = 0"):
            path(workspace, words_reference, ["dog", "king"], k=0)


@pytest.fixture(scope="module")
def keyed(table: Any) -> Any:
    """gensim's own reading of the same 5,000 rows."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(50)
    vectors.add_vectors(list(glove()[0])[:5000], np.float32(table))
    return vectors


class TestSums:
    @pytest.mark.parametrize(
        ("expression", "positive", "negative"),
        [
            ("king - man + woman", ["king", "woman"], ["man"]),
            ("paris - france + germany", ["paris", "germany"], ["france"]),
            ("ocean", ["ocean"], []),
            ("0.5*ocean + 2 * red", [("ocean", 0.5), ("red", 2.0)], []),
        ],
    )
    def test_against_gensim(self, workspace, keyed, expression, positive, negative):
        found = solve(workspace, GLOVE, expression)
        expected = keyed.most_similar(positive=positive, negative=negative, topn=10)
        texts = workspace.space(GLOVE).texts
        assert [texts[row] for row in found.rows] == [word for word, _ in expected]
        np.testing.assert_allclose(found.cosines, [value for _, value in expected], atol=1e-5)
        everything = keyed.similar_by_vector(found.point, topn=10)
        assert [texts[row] for row in found.rows_with_inputs] == [word for word, _ in everything]

    def test_the_famous_one(self, workspace):
        found = solve(workspace, GLOVE, "king - man + woman")
        texts = workspace.space(GLOVE).texts
        assert texts[found.rows[0]] == "queen"
        assert texts[found.rows_with_inputs[0]] == "king"

    @pytest.mark.parametrize(
        ("expression", "error", "said"),
        [
            ("", InvalidExpression, "found nothing; expected words"),
            ("king man", InvalidExpression, "expected \\+ or - before it"),
            ("king - king", InvalidExpression, "cancel each other"),
            ("king + qqqqq", UnknownItem, "found 'qqqqq'"),
            ("king + " + "a" * 3000, InvalidExpression, "found a text of 3,007 characters"),
        ],
    )
    def test_refusals(self, workspace, expression, error, said):
        with pytest.raises(error, match=said):
            solve(workspace, GLOVE, expression)


class TestAxes:
    def test_against_the_formula(self, workspace, table):
        low, high, asked = ["small", "little"], ["large", "huge"], ["ocean", "king", "house"]
        made = axis(workspace, GLOVE, low, high)
        vectors = unit(table)
        a = vectors[[row_of(word) for word in low]].mean(axis=0)
        b = vectors[[row_of(word) for word in high]].mean(axis=0)
        u = vectors[[row_of(word) for word in asked]]
        expected = 2 * ((u - (a + b) / 2) @ (b - a)) / ((b - a) @ (b - a))
        np.testing.assert_allclose(axis_scores(workspace, GLOVE, made, asked), expected, atol=1e-4)

    def test_the_ends_are_minus_one_and_one(self, workspace):
        low, high = ["small", "little"], ["large", "huge"]
        made = axis(workspace, GLOVE, low, high)
        assert axis_scores(workspace, GLOVE, made, low).mean() == pytest.approx(-1, abs=1e-4)
        assert axis_scores(workspace, GLOVE, made, high).mean() == pytest.approx(1, abs=1e-4)

    def test_refusals(self, workspace):
        with pytest.raises(InvalidSpecification, match="found no words in the 'from' list"):
            axis(workspace, GLOVE, [], ["large"])
        with pytest.raises(InvalidSpecification, match="found 'Large' on both sides"):
            axis(workspace, GLOVE, ["small", "Large"], ["large"])
        with pytest.raises(UnknownItem, match="found 'qqqq'"):
            axis(workspace, GLOVE, ["qqqq"], ["large"])


class TestRecipes:
    def test_the_worker_makes_what_the_page_needs(self, tmp_path, words_reference):
        heard: list[int] = []

        def progress(done: int, total: int, message: str) -> bool:
            assert total == 100
            assert message
            heard.append(done)
            return True

        arguments = {"reference": words_reference, "spec": PcaSpec().to_dict()}
        result = make_map(tmp_path, arguments, progress)
        workspace = Workspace(tmp_path)
        space = workspace.space(words_reference)
        assert result == {"digest": pipeline.picture_key(space, PcaSpec())}
        assert workspace.has_projection(space, PcaSpec())
        assert workspace.has_graph(space)
        assert workspace.has_faithfulness(space, PcaSpec())
        assert workspace.has_regions(space, PcaSpec())
        assert heard == sorted(heard)  # a bar that runs backwards is no progress
        assert 0 <= heard[0] < 90 <= heard[-1] <= 100

    def test_a_space_alone(self, tmp_path, words_reference):
        made = make_space(tmp_path, {"reference": words_reference})
        assert made["items"] == len(small_words()[0])
        assert Workspace(tmp_path).has_space(words_reference)

    def test_stop_leaves_nothing_half_done(self, tmp_path, words_reference):
        spec = TsneSpec()

        def stop(done: int, total: int, message: str) -> bool:
            return done <= 30  # the space is there then, its neighbours are not

        arguments = {"reference": words_reference, "spec": spec.to_dict()}
        with pytest.raises(Cancelled):
            make_map(tmp_path, arguments, stop)
        workspace = Workspace(tmp_path)
        assert workspace.has_space(words_reference)  # what was computed before is kept
        assert not workspace.has_graph(workspace.space(words_reference))
        assert not workspace.has_projection(workspace.space(words_reference), spec)


def test_teachers_and_their_mistakes(workspace):
    assert pipeline.teachers()[0].reference == TEACHER
    with pytest.raises(UnknownTeacher, match="did you mean minilm:tokens"):
        workspace.space("minilm:token")
    with pytest.raises(InvalidVectors):
        workspace.space(write(Path(workspace.store.root).parent / "n.npz", ["a"], [[np.nan, 1]]))


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield
