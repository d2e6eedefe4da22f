"""Items are told apart by row and id: in links, on the map, on ways, in comparisons, in files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import main
from core.errors import InvalidSpecification
from core.figures.colors import own_column
from core.figures.tokens import LIGHT
from core.paths.notation import box_text, waypoints_of
from core.permalink import MapView, PathView, decode, encode
from core.pipeline import Workspace, neighbors, path
from core.pipeline.compare.comparison import compare, sketch
from core.spaces.columns import own_columns, to_take_away, with_own
from core.spaces.join import has_own_ids, in_both, join
from core.spaces.space import Provenance, Space
from core.teachers.word_vectors import VectorsFile

GENERATOR = np.random.default_rng(7)
WORDS = ["the", "dog", "the", "cat", "the", "sea", "ship", "tree", "house"]


def demo(texts: list[str], ids: list[str] | None = None) -> Space:
    vectors = np.random.default_rng(0).normal(size=(len(texts), 4))
    return Space.create(texts, vectors, Provenance("demo", "by hand"), ids=ids)


def table(file: Path, texts: list[str], vectors: Any, **more: Any) -> str:
    """A Parquet file of vectors and what else is given; its reference string."""
    pd.DataFrame({"text": texts, "vector": list(vectors), **more}).to_parquet(file)
    return f"vectors:{file}"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


# ----------------------------------------------------------------------------------- addresses


@given(
    st.lists(st.text("aA# …", max_size=6), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_an_address_leads_to_its_own_item(texts: list[str], random: Any) -> None:
    ids = [f"{'#' * random.randrange(3)}{row}" for row in range(len(texts))]
    space = demo(texts, ids)
    for row in range(len(texts)):
        name = space.address(row)
        assert space.find(name) == row
        assert space.find(name.strip()) == row or not texts[row].strip()


def test_a_text_is_its_own_address_where_it_is_enough() -> None:
    space = demo(["dog", "the", "the", " dog", "x" * 3000], list("abcde"))
    assert [space.address(row) for row in range(4)] == ["dog", "the", "the#c", " dog#d"]
    assert len(space.address(4)) < 510
    assert space.find(space.address(4)) == 4
    assert demo(["the", "the"], ["the", "the#2"]).address(1) == "the#2"
    assert space.find("the#zzz") is None
    assert space.find("cat#c") is None  # the id of another text


def test_links_and_boxes_carry_addresses() -> None:
    space = demo(["the", "a, b", "the", "a > b"], list("wxyz"))
    names = tuple(space.address(row) for row in range(4))
    link = encode(PathView(waypoints=names))
    seen, warnings = decode("paths", link)
    assert isinstance(seen, PathView)
    assert not warnings
    for way in (seen.waypoints, waypoints_of(box_text(seen.waypoints))):
        assert [space.find(name) for name in way] == [0, 1, 2, 3]
    old, _ = decode("map", {"selected": "the"})  # links from before have texts
    assert isinstance(old, MapView)
    assert space.find(old.selected or "") == 0


def test_the_third_of_equal_texts_answers_for_itself(workspace: Workspace, tmp_path: Path) -> None:
    vectors = GENERATOR.normal(size=(len(WORDS), 5))
    reference = table(tmp_path / "a.parquet", WORDS, vectors, id=[f"t{k}" for k in range(9)])
    space = workspace.space(reference)
    third = neighbors(workspace, reference, space.address(4), 3)
    assert (third.query.row, third.query.text) == (4, "the")
    assert 4 not in third.rows
    cosines = space.unit.astype(np.float64) @ space.unit[4].astype(np.float64)
    assert third.rows.tolist() == [row for row in np.argsort(-cosines) if row != 4][:3]
    way = path(workspace, reference, ("the#t2", "the#t4"), steps=5)
    assert [point.row for point in way.waypoints] == [2, 4]
    np.testing.assert_array_equal(way.curve.points[[0, -1]], space.vectors[[2, 4]])


# --------------------------------------------------------------------------------- comparisons


def test_spaces_with_ids_are_joined_by_id(workspace: Workspace, tmp_path: Path) -> None:
    texts = [f"item {k}" for k in range(12)]
    ids = [f"n{k}" for k in range(12)]
    vectors = GENERATOR.normal(size=(12, 5))
    order = GENERATOR.permutation(12)
    one = table(tmp_path / "one.parquet", texts, vectors, id=ids)
    other = table(
        tmp_path / "other.parquet",
        ["another text" if k == 3 else texts[k] for k in order],
        2 * vectors[order],
        id=[ids[k] for k in order],
    )
    found = compare(workspace, one, other)
    assert found.shared == 12
    assert np.abs(found.drift).max() < 1e-5  # joined by text or by row, they would have moved
    said = found.to_dict()
    assert (said["joined_by"], said["other_text"], said["only_a"], said["only_b"]) == (
        "id",
        1,
        0,
        0,
    )
    again = compare(Workspace(workspace.folder), one, other)  # read back
    assert again.to_dict() == said
    np.testing.assert_array_equal(again.join.b, found.join.b)


def test_equal_texts_of_other_items_are_no_agreement(workspace: Workspace, tmp_path: Path) -> None:
    vectors = GENERATOR.normal(size=(9, 5))
    one = table(tmp_path / "1.parquet", WORDS, vectors, id=[f"a{k}" for k in range(9)])
    other = table(tmp_path / "2.parquet", WORDS, vectors, id=[f"b{k}" for k in range(9)])
    with pytest.raises(InvalidSpecification, match=r"found 0 items that .* share by id; expected"):
        compare(workspace, one, other)


def test_without_ids_the_second_of_equal_texts_is_the_second() -> None:
    a = demo(WORDS, [str(row) for row in range(9)])  # numbers of rows say nothing of items
    b = demo(["cat", "the", "the", "cafe\u0301"], ["0", "1", "2", "3"])
    assert not has_own_ids(a)
    joined = join(a, b)
    assert (joined.by, joined.a.tolist(), joined.b.tolist()) == ("text", [0, 2, 3], [1, 2, 0])
    assert joined.left_out == (6, 1)
    assert joined.much
    assert joined.sentence(("A", "B")) == (
        "Compared by text: 3 items that both have. Left out: 6 of 9 of A (67%), 1 of 4 of B (25%)."
    )
    assert len(join(b, demo(["café", "x"])).a) == 1
    assert join(a, a).left_out == (0, 0)


def test_tables_of_tokens_are_joined_by_what_the_tokens_say() -> None:
    kinds = pd.DataFrame({"kind": ["word", "word", "piece"]})
    one, other = (
        Space.create(
            ["dog", "sea", "##s"],
            np.eye(3),
            Provenance("demo", "by hand"),
            ids=[f"{mark}dog", f"{mark}sea", "s"],
            metadata=kinds,
        )
        for mark in "Ġ▁"
    )
    assert join(one, other).by == "text"
    assert join(one, other).left_out == (0, 0)


def test_tokens_of_documents_are_joined_in_their_document() -> None:
    """One model reads more of each text than the other: its further *the* shift no other one."""
    places = [(["the", "sea", "the", "the", "cat"], "aabbb"), (["the", "the", "cat"], "abb")]
    more, less = (
        Space.create(
            texts,
            np.eye(len(texts)),
            Provenance("demo", "by hand"),
            ids=[str(row) for row in range(len(texts))],
            metadata=pd.DataFrame({"document": list(documents)}),
        )
        for texts, documents in places
    )
    joined = join(more, less)
    assert (joined.a.tolist(), joined.b.tolist()) == ([0, 2, 4], [0, 1, 2])


def test_a_way_is_walked_between_the_same_items_in_both(
    workspace: Workspace, tmp_path: Path
) -> None:
    texts = ["the", "the", "sea", "the", "cat"]
    vectors = GENERATOR.normal(size=(5, 4))
    one = table(tmp_path / "1.parquet", texts, vectors, id=[f"a{k}" for k in range(5)])
    other = table(tmp_path / "2.parquet", texts[1:], vectors[1:], id=list("0123"))
    a, b = workspace.space(one), workspace.space(other)
    found = sketch(workspace, one, other)
    assert found.join.by == "text"
    names = [found.a.address(row) for row in range(found.shared)] + ["no item"]
    led = in_both(found.join, found.a, (a, b), names)
    for row in range(found.shared):
        assert a.find(led[0][row]) == found.join.a[row]
        assert b.find(led[1][row]) == found.join.b[row]
    assert led[0][-1] == led[1][-1] == "no item"


def test_compare_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "workspace"))
    vectors = GENERATOR.normal(size=(9, 5))
    one = table(tmp_path / "1.parquet", WORDS, vectors, id=[f"a{k}" for k in range(9)])
    other = table(tmp_path / "2.parquet", WORDS[:5], vectors[:5], id=[f"a{k}" for k in range(5)])
    main(["compare", one, other])
    assert capsys.readouterr().out.startswith("Compared by id: 5 items that both have. Left out: 4")
    main(["compare", one, other, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (said["shared"], said["only_a"], said["only_b"]) == (5, 4, 0)
    main(["neighbors", one, "the#a4", "-k", "9", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["item"] == "the#a4"
    assert sorted(near["id"] for near in said["neighbors"]) == [f"a{k}" for k in range(9) if k != 4]


# ------------------------------------------------------------------------------------- columns


NAMED_LIKE_OURS: dict[str, list[Any]] = {
    "category": ["pets", "pets", None, "b", "c", "d", "e"],
    "kind": [1, 2, 3, 4, 5, 6, None],
    "frequency_rank": ["high", "low", "high", "low", "high", "low", None],
    "part_of_speech": [1, 2, 3, 4, 5, 6, 7],
}


@pytest.mark.parametrize("name", NAMED_LIKE_OURS)
def test_a_column_named_like_ours_is_kept_apart(tmp_path: Path, name: str) -> None:
    texts = ["cat", "dog", "car", "bus", "tea", "jam", "sky"]
    brought = NAMED_LIKE_OURS[name]
    reference = table(tmp_path / "m.parquet", texts, np.eye(7), **{name: brought})
    space = VectorsFile(Path(reference.partition(":")[2])).space()
    assert own_columns(space.metadata) == [f"own:{name}"]
    assert (space.metadata["kind"] == "word").all()
    assert space.metadata["category"].iloc[0] == "noun.animal"
    assert (space.metadata["frequency_rank"] >= 0).all()
    told = to_take_away(space.metadata)
    assert len(set(told.columns)) == 5
    assert told[name].notna().tolist() == [value is not None for value in brought]
    drawn = own_column(space.metadata[f"own:{name}"], name, LIGHT, False)
    assert drawn is not None
    assert np.isfinite(drawn.values).all()


def test_a_category_of_ones_own_has_its_own_colours_and_legend() -> None:
    drawn = own_column(pd.Series(["pets", "pets", None, "b"]), "category", LIGHT, False)
    assert drawn is not None
    assert drawn.values.tolist() == [0, 0, 2, 1]
    assert [entry["label"] for entry in drawn.legend["entries"]] == ["pets", "b", "no value"]
    many = pd.Series([f"v{k // 2}" for k in range(40)])
    drawn = own_column(many, "x", LIGHT, False)
    assert drawn is not None
    assert drawn.legend["entries"][-1]["label"] == "14 other values"


def test_numbers_and_times_are_a_scale_and_missing_ones_grey() -> None:
    times = pd.Series(pd.to_datetime(["2020-01-01", "2021-06-01", None, "2022-01-01"] * 3))
    times = times + pd.to_timedelta(range(12), unit="h")
    drawn = own_column(times, "when", LIGHT, False)
    assert drawn is not None
    assert drawn.legend["low"].startswith("2020-01-01")
    assert drawn.scale[0][1] == LIGHT.faint
    assert drawn.values[2] == drawn.values.min() < drawn.values[0] < drawn.values[1]
    numbers = own_column(pd.Series(np.arange(20.0)), "n", LIGHT, False)
    assert numbers is not None
    assert np.all(np.diff(numbers.values) > 0)
    wide = own_column(pd.Series([-1e308, np.inf, 1e308, *range(9)]), "n", LIGHT, False)
    assert wide is not None
    assert np.isfinite(wide.values).all()
    assert (wide.legend["low"], wide.legend["high"]) == ("-1e+308", "1e+308")


UNTOLD = [["r"] * 7, list("abcdefg"), [None] * 7, [b"a", b"b"] * 3, [np.inf, 1.0], [1j, 1j, 0j]]


@pytest.mark.parametrize("values", UNTOLD)
def test_what_tells_nothing_apart_is_no_colour(values: list[Any]) -> None:
    assert own_column(pd.Series(values, dtype=object), "x", LIGHT, False) is None


def test_own_columns_survive_the_store(workspace: Workspace, tmp_path: Path) -> None:
    reference = table(tmp_path / "m.parquet", list("abc"), np.eye(3), category=["x", "x", "y"])
    made = workspace.space(reference)
    read = Workspace(workspace.folder).space(reference)
    assert read.digest == made.digest
    assert read.metadata["own:category"].tolist() == ["x", "x", "y"]
    assert list(with_own(pd.DataFrame(index=range(2)), pd.DataFrame()).columns) == []
