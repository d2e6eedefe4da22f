"""Curves against scipy and networkx, and what must hold for every pair of waypoints."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import scipy.spatial
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import InvalidPath, InvalidSpecification, InvalidVectors
from core.paths import curve
from core.paths.curve import shared_out
from core.paths.graph import adjacency, nearest_items, walk
from core.paths.off_manifold import knn_percentile, norm_percentile, off_data
from core.paths.plane import plane_of_path
from core.spaces.neighbors import NeighborGraph, knn_graph
from core.spaces.space import Provenance, Space

COORDINATE = st.floats(-10, 10, width=32).map(lambda x: np.float32(x))
KIND = st.sampled_from(["lerp", "slerp"])


@st.composite
def waypoints(draw, fewest=2, most=5):
    """Waypoints of positive length, neighbours neither alike nor opposite."""
    shape = draw(st.integers(fewest, most)), draw(st.integers(2, 6))
    points = draw(hnp.arrays(np.float32, shape, elements=COORDINATE))
    norms = np.linalg.norm(points, axis=1)
    assume((norms > 0.1).all())
    unit = points / norms[:, None]
    for (a, b), (u, v) in zip(pairwise(points), pairwise(unit), strict=True):
        assume((a != b).any())
        assume(np.linalg.norm(u + v) > 0.01)
    return points


def random_space(n=80, dim=6, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dim))
    return Space.create([f"w{i}" for i in range(n)], vectors, Provenance("random", "random"))


class TestCurve:
    @given(waypoints(), KIND, st.integers(5, 60))
    def test_hits_every_waypoint_bit_for_bit(self, points, kind, steps):
        found = curve(points, kind, steps)
        assert len(found) == steps == len(found.points)
        assert found.stops[0] == 0
        assert found.stops[-1] == steps - 1
        np.testing.assert_array_equal(found.points[list(found.stops)], points)
        np.testing.assert_allclose(
            found.t[list(found.stops)], np.linspace(0, 1, len(points)), rtol=1e-6, atol=1e-7
        )

    @given(waypoints(), KIND, st.integers(5, 60))
    def test_t_rises_and_legs_are_shared_out_evenly(self, points, kind, steps):
        found = curve(points, kind, steps)
        assert (np.diff(found.t) > 0).all()
        assert np.ptp(np.diff(found.stops)) <= 1
        np.testing.assert_array_equal(found.leg[list(found.stops[:-1])], np.arange(len(points) - 1))
        assert found.leg[-1] == len(points) - 2
        assert (np.diff(found.leg) >= 0).all()

    @given(waypoints(most=2), KIND, st.integers(2, 40))
    def test_the_way_back_is_the_way_there(self, points, kind, steps):
        there = curve(points, kind, steps).points
        back = curve(np.ascontiguousarray(points[::-1]), kind, steps).points
        np.testing.assert_allclose(there, back[::-1], rtol=1e-5, atol=1e-5)

    def test_is_read_only(self):
        found = curve(np.eye(2, dtype=np.float32))
        assert not found.points.flags.writeable
        assert not found.t.flags.writeable

    @given(waypoints(most=2), st.integers(3, 40))
    def test_straight_and_sphere_stay_in_the_plane_of_their_ends(self, points, steps):
        for kind in ("lerp", "slerp"):
            found = curve(points, kind, steps).points.astype(np.float64)
            basis, _ = np.linalg.qr(points.T.astype(np.float64))
            rest = found - (found @ basis) @ basis.T
            assert np.abs(rest).max() < 1e-4

    def test_lerp_is_the_straight_line(self):
        points = np.float32([[1, 0, 2], [3, 4, 0]])
        expected = np.linspace(points[0].astype(float), points[1].astype(float), 11)
        np.testing.assert_allclose(curve(points, "lerp", 11).points, expected, atol=1e-6)


class TestSlerp:
    @given(waypoints(most=2), st.integers(2, 40))
    def test_directions_agree_with_scipy(self, points, steps):
        doubles = points.astype(np.float64)
        u, v = doubles / np.linalg.norm(doubles, axis=1, keepdims=True)
        # scipy's own singular values refuse ends that are next to the same direction.
        assume(np.linalg.norm(u - v) > 1e-3)
        found = curve(points, "slerp", steps).points.astype(np.float64)
        directions = found / np.linalg.norm(found, axis=1, keepdims=True)
        oracle = scipy.spatial.geometric_slerp(u, v, np.linspace(0, 1, steps))
        np.testing.assert_allclose(directions, oracle, atol=1e-6)

    @given(waypoints(most=2), st.integers(2, 40))
    def test_norms_go_evenly_from_end_to_end(self, points, steps):
        norms = np.linalg.norm(points.astype(np.float64), axis=1)
        found = curve(points, "slerp", steps).points.astype(np.float64)
        expected = np.linspace(norms[0], norms[1], steps)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), expected, rtol=1e-5)

    @given(waypoints(most=2), st.integers(3, 40))
    def test_every_step_turns_by_the_same_angle(self, points, steps):
        found = curve(points, "slerp", steps).points.astype(np.float64)
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        turns = 2 * np.arcsin(np.linalg.norm(np.diff(unit, axis=0), axis=1) / 2)
        np.testing.assert_allclose(turns, turns.mean(), atol=2e-6)

    def test_same_direction_at_two_lengths_keeps_the_direction(self):
        found = curve(np.float32([[3, 4], [6, 8]]), "slerp", 5).points
        np.testing.assert_allclose(found, np.outer(np.linspace(5, 10, 5), [0.6, 0.8]), rtol=1e-6)

    def test_the_straight_midpoint_of_unrelated_words_is_short_and_this_one_is_not(self):
        points = np.eye(2, dtype=np.float32)
        assert np.linalg.norm(curve(points, "lerp", 3).points[1]) == pytest.approx(0.7071, abs=1e-3)
        assert np.linalg.norm(curve(points, "slerp", 3).points[1]) == pytest.approx(1)


class TestBadWaypoints:
    @pytest.mark.parametrize(
        ("points", "kind", "steps", "message"),
        [
            (np.ones((1, 3)), "lerp", 5, "found 1 waypoint; expected two or more"),
            (np.ones((0, 3)), "slerp", 5, "found 0 waypoints; expected two or more"),
            (np.ones((2, 3)), "slerp", 5, "same point twice in a row, waypoints 1 and 2"),
            ([[1, 0], [0, 1], [0, 1]], "lerp", 5, "waypoints 2 and 3"),
            ([[1, 0], [-2, 0]], "slerp", 5, "every great circle is equally short"),
            ([[1, 0], [-2, 0]], "slerp", 5, "put a waypoint between them or choose the straight"),
            ([[0, 0], [1, 0]], "slerp", 5, "found a zero vector, which has no direction"),
            ([[1, 0], [0, 1]], "slerp", 1, "found 1 steps; expected 2 to 10000"),
            ([[1, 0], [0, 1]], "lerp", 10_001, "found 10001 steps"),
            ([[1, 0], [0, 1], [1, 1]], "lerp", 2, "found 2 steps for 3 waypoints"),
            ([[1, 0], [0, 1]], "graph", 5, "found kind 'graph'; expected one of lerp, slerp"),
        ],
    )
    def test_are_refused_with_what_to_do(self, points, kind, steps, message):
        with pytest.raises(InvalidPath, match=message):
            curve(np.asarray(points, dtype=np.float32), kind, steps)

    def test_opposite_points_can_be_joined_straight(self):
        assert curve(np.float32([[1, 0], [-1, 0]]), "lerp", 3).points[1].tolist() == [0, 0]

    def test_numbers_that_are_none(self):
        with pytest.raises(InvalidVectors, match="NaN or infinity in waypoint 2"):
            curve(np.float32([[1, 0], [np.nan, 0]]))


class TestSharedOut:
    @given(
        hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-6, 10)),
        st.integers(0, 200),
    )
    def test_marks_rise_to_the_end_and_follow_the_lengths(self, lengths, extra):
        intervals = len(lengths) + extra
        marks = np.array(shared_out(lengths, intervals))
        assert marks[0] == 0
        assert marks[-1] == intervals
        counts = np.diff(marks)
        assert (counts >= 1).all()
        ideal = lengths / lengths.sum() * intervals
        if (ideal >= 1).all():
            assert np.abs(counts - ideal).max() <= 1


class TestGraph:
    @staticmethod
    def union(graph, k):
        oracle = nx.Graph()
        oracle.add_nodes_from(range(len(graph.indices)))
        for row in range(len(graph.indices)):
            neighbours = zip(graph.indices[row, :k], graph.cosines[row, :k], strict=True)
            for other, cosine in neighbours:
                oracle.add_edge(row, int(other), angle=float(np.arccos(np.clip(cosine, -1, 1))))
        return oracle

    @pytest.mark.parametrize("seed", range(5))
    def test_is_as_short_as_networkx_finds_it(self, seed):
        space = random_space(seed=seed)
        graph = knn_graph(space.unit, 6)
        oracle = self.union(graph, 4)
        generator = np.random.default_rng(seed)
        for start, end in generator.choice(len(space), (10, 2), replace=True):
            if start == end or not nx.has_path(oracle, start, end):
                continue
            rows = walk(space, graph, [int(start), int(end)], k=4).rows
            assert (rows[0], rows[-1]) == (start, end)
            length = sum(oracle.edges[a, b]["angle"] for a, b in pairwise(rows))
            best = nx.dijkstra_path_length(oracle, start, end, weight="angle")
            assert length == pytest.approx(best, abs=1e-5)

    def test_adjacency_is_the_symmetric_union(self):
        graph = knn_graph(random_space(40).unit, 5)
        matrix = adjacency(graph, 3).toarray()
        np.testing.assert_array_equal(matrix, matrix.T)
        assert {tuple(sorted(edge)) for edge in self.union(graph, 3).edges} == {
            (int(a), int(b)) for a, b in np.argwhere(np.triu(matrix) > 0)
        }

    def test_adjacency_leaves_out_neighbours_that_were_not_found(self):
        indices = np.int32([[1, -1], [0, -1]])
        cosines = np.float32([[0.5, -1], [0.5, -1]])
        matrix = adjacency(NeighborGraph(indices, cosines, "hnsw", 0.9)).toarray()
        np.testing.assert_allclose(matrix, [[0, np.pi / 3], [np.pi / 3, 0]], rtol=1e-6)

    @given(st.integers(0, 20), st.integers(8, 60))
    def test_walk_visits_its_items_at_their_steps(self, seed, steps):
        space = random_space(40, seed=seed)
        graph = knn_graph(space.unit, 8)
        assume(nx.is_connected(self.union(graph, 8)))
        ways = [int(row) for row in np.random.default_rng(seed).choice(40, 3, replace=False)]
        try:
            found = walk(space, graph, ways, steps)
        except InvalidPath as error:
            assert "items on the walk" in str(error)  # noqa: PT017
            return
        np.testing.assert_array_equal(
            found.curve.points[list(found.item_steps)], space.vectors[list(found.rows)]
        )
        np.testing.assert_array_equal(
            found.curve.points[list(found.curve.stops)], space.vectors[ways]
        )
        assert len(found.curve) == steps
        assert (np.diff(found.curve.t) > 0).all()
        assert (found.curve.t[0], found.curve.t[-1]) == (0, 1)
        assert found.curve.leg[0] == 0
        assert found.curve.leg[-1] == 1
        allowed = self.union(graph, 8).edges
        assert all(hop in allowed for hop in pairwise(found.rows))

    def test_walk_passes_over_items_that_are_the_same(self):
        space = Space.create(
            ["a", "b", "c"], [[1, 0], [1, 0], [1, 1]], Provenance("twins", "by hand")
        )
        found = walk(space, knn_graph(space.unit, 2), [0, 1], steps=4)
        np.testing.assert_allclose(found.curve.points, np.float32([[1, 0]] * 4))

    def test_two_islands_have_no_path(self):
        space = Space.create(
            ["a", "b", "c", "d"],
            [[1, 0.1], [1, 0], [-1, 0], [-1, 0.1]],
            Provenance("islands", "by hand"),
        )
        graph = knn_graph(space.unit, 1)
        with pytest.raises(InvalidPath, match="no chain of neighbours from item 0 to item 2"):
            walk(space, graph, [0, 2])

    def test_other_refusals(self):
        space = random_space(10)
        graph = knn_graph(space.unit, 4)
        with pytest.raises(InvalidPath, match="same item at both ends, row 3"):
            walk(space, graph, [3, 3])
        with pytest.raises(InvalidPath, match="expected rows from 0 to 9"):
            walk(space, graph, [3, 10])
        with pytest.raises(InvalidPath, match="found 1 items to walk between"):
            walk(space, graph, [3])

    def test_a_typed_text_sets_foot_on_its_nearest_item(self):
        space = random_space(30)
        points = np.ascontiguousarray(space.vectors[[4, 17]] * np.float32(3) + np.float32(0.01))
        assert nearest_items(space, points).tolist() == [4, 17]


class TestManifold:
    @given(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(6)), elements=COORDINATE),
    )
    def test_norm_percentile_against_scipy(self, points):
        space = random_space(30)
        norms = np.linalg.norm(points, axis=1).astype(np.float32)
        oracle = scipy.stats.percentileofscore(space.norms, norms, kind="mean")
        np.testing.assert_allclose(norm_percentile(space, points), oracle, rtol=1e-5)

    def test_norm_percentile_of_items_is_their_rank(self):
        space = random_space(20)
        found = norm_percentile(space, space.vectors)
        assert sorted(found.tolist()) == pytest.approx([2.5 + 5 * i for i in range(20)])

    def test_knn_percentile_in_float64_by_brute_force(self):
        space = random_space(50, 4)
        graph = knn_graph(space.unit, 9)
        points = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)
        unit = space.vectors.astype(float) / np.linalg.norm(space.vectors, axis=1)[:, None]
        queries = points.astype(float) / np.linalg.norm(points, axis=1)[:, None]
        among = np.sort(unit @ unit.T + np.diag([-9.0] * 50), axis=1)[:, -5:].mean(axis=1)
        cosines = np.sort(queries @ unit.T, axis=1)[:, -5:].mean(axis=1)
        oracle = [(among > cosine).mean() * 100 for cosine in cosines]
        np.testing.assert_allclose(knn_percentile(space, graph, points, 5), oracle, atol=1e-3)

    def test_real_items_are_on_the_data_and_the_other_side_of_the_cone_is_not(self):
        vectors = np.random.default_rng(0).normal(size=(60, 8)) * 0.3 + 1
        space = Space.create([str(i) for i in range(60)], vectors, Provenance("cone", "random"))
        graph = knn_graph(space.unit, 20)
        assert off_data(knn_percentile(space, graph, space.vectors)).mean() < 0.05
        assert off_data(knn_percentile(space, graph, -space.vectors)).all()

    def test_graph_of_another_space(self):
        graph = knn_graph(random_space(10).unit, 3)
        with pytest.raises(InvalidSpecification, match="graph of 10 items for a space of 12"):
            knn_percentile(random_space(12), graph, random_space(3).vectors)

    def test_a_single_item_has_nothing_to_compare_with(self):
        space = random_space(1)
        with pytest.raises(InvalidSpecification, match="found 0 neighbours to compare with"):
            knn_percentile(space, knn_graph(space.unit), space.vectors)


class TestPlane:
    @given(waypoints(most=2), st.integers(2, 40))
    def test_a_straight_path_looks_straight(self, points, steps):
        path = curve(points, "lerp", steps).points
        assume(np.linalg.norm(points[0] - points[1]) > 0.1 * np.linalg.norm(points))
        context = np.random.default_rng(0).normal(size=(9, points.shape[1])).astype(np.float32)
        for seen in (plane_of_path(path), plane_of_path(path, context)):
            view = seen.view(path)
            np.testing.assert_allclose(view.x, np.linspace(0, 1, steps), atol=1e-5)
            np.testing.assert_allclose(view.y, 0, atol=1e-5)
            np.testing.assert_allclose(view.residual, 0, atol=2e-5)

    @given(waypoints(), st.integers(6, 40))
    def test_picture_and_residual_make_up_the_distance(self, points, steps):
        assume(np.linalg.norm(points[0] - points[-1]) > 0.1)
        plane = plane_of_path(curve(points, "slerp", steps).points)
        items = np.random.default_rng(0).normal(size=(9, points.shape[1])).astype(np.float32)
        view = plane.view(items)
        distance = np.linalg.norm(items.astype(float) - plane.origin, axis=1) / plane.length
        seen = np.sqrt(view.x**2 + view.y**2 + view.residual**2)
        np.testing.assert_allclose(seen, distance, rtol=1e-3, atol=1e-4)

    def test_an_arc_bends_upwards_and_lies_in_its_plane(self):
        points = curve(np.float32([[1, 0, 0], [0, 1, 0]]), "slerp", 21).points
        view = plane_of_path(points).view(points)
        assert (view.y[1:-1] > 0).all()
        # The sagitta of a quarter circle over its chord: (1 - cos 45) / (2 sin 45).
        assert view.y.max() == pytest.approx((1 - np.cos(np.pi / 4)) / np.sqrt(2), rel=1e-4)
        assert np.abs(view.residual).max() < 1e-6

    def test_second_direction_of_a_straight_path_shows_its_surroundings(self):
        path = curve(np.float32([[0, 0, 0], [2, 0, 0]]), "lerp", 5).points
        items = np.float32([[1, 1, 0], [1, -3, 0], [0, 2, 0.1]])
        assert not plane_of_path(path).away.any()
        np.testing.assert_allclose(
            np.abs(plane_of_path(path, items).view(items).y)[1], 1.5, rtol=0.01
        )

    def test_a_round_trip_runs_to_its_furthest_point(self):
        ways = np.float32([[0, 0], [3, 0], [0, 0]])
        points = curve(ways, "lerp", 9).points
        assert plane_of_path(points).view(points).x.max() == 1

    def test_a_path_that_never_leaves(self):
        with pytest.raises(InvalidPath, match="stays at one point"):
            plane_of_path(np.ones((3, 2), dtype=np.float32))
