"""core.store: what goes in comes out, mapped and whole, or an error says why not."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from safetensors.numpy import load_file

from core.errors import StoreError
from core.integrity import sealed, unsealed
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Provenance, Space
from core.store.disk import ARRAYS, Store, default_workspace
from core.store.files import DTYPES


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def space_of(texts: list[str], metadata: pd.DataFrame | None = None) -> Space:
    vectors = np.random.default_rng(3).normal(size=(len(texts), 4))
    return Space.create(
        texts,
        vectors,
        Provenance("test", "random", seed=3),
        ids=[f"id{row}" for row in range(len(texts))],
        metadata=metadata,
    )


def edit_manifest(store: Store, key: str, **changes: Any) -> None:
    """Change it as a program would that knows the format: the seal fits."""
    path = store.folder("thing", key) / "manifest.json"
    path.write_text(sealed({**unsealed(path.read_text()), **changes}))


def left_behind(store: Store) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.name.startswith(".")]


# Round trips


def test_a_space_comes_back_the_same(store: Store, tiny_space: Space) -> None:
    assert not store.has("space", "tiny")
    store.save_space("tiny", tiny_space)
    assert store.has("space", "tiny")
    loaded = store.load_space("tiny")
    np.testing.assert_array_equal(loaded.vectors, tiny_space.vectors)
    assert (loaded.texts, loaded.ids) == (tiny_space.texts, tiny_space.ids)
    assert (loaded.provenance, loaded.digest) == (tiny_space.provenance, tiny_space.digest)
    assert len(loaded.metadata) == len(tiny_space)


def test_the_digest_of_a_loaded_space_is_the_digest_of_its_content(store: Store) -> None:
    metadata = pd.DataFrame({"rank": [0, 1, 2], "kind": ["word", "piece", None]})
    store.save_space("s", space_of(["a", "b", "c"], metadata))
    loaded = store.load_space("s")
    again = Space.create(
        loaded.texts, loaded.vectors, loaded.provenance, ids=loaded.ids, metadata=loaded.metadata
    )
    assert again.digest == loaded.digest
    assert list(loaded.metadata["rank"]) == [0, 1, 2]


def test_vectors_are_mapped_and_read_only(store: Store, tiny_space: Space) -> None:
    store.save_space("tiny", tiny_space)
    vectors = store.load_space("tiny").vectors
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert not vectors.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        vectors[0, 0] = 1
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        vectors.flags.writeable = True


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=6)


@given(TEXTS)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    store = Store(tmp_path_factory.mktemp("texts"))
    store.save_space("s", space_of(texts))
    assert store.load_space("s").texts == tuple(texts)


def test_hard_texts_survive(store: Store) -> None:
    texts = [
        "a\x00b",
        "two\nlines\r\n",
        "",
        " ",
        "<img onerror=x>",
        "👩‍👩‍👧",
        "שלום",
        "x" * 100_000,
    ]
    store.save_space("hard", space_of(texts))
    assert store.load_space("hard").texts == tuple(texts)


def test_half_a_surrogate_pair_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"surrogate pair in the text of row 1 \('b\\ud800'\)"):
        store.save_space("s", space_of(["a", "b\ud800"]))
    assert not store.has("space", "s")


ANY_ARRAY = st_np.arrays(
    st.sampled_from([np.dtype(dtype) for dtype in DTYPES.values()]),
    st_np.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), ANY_ARRAY, max_size=3))
def test_any_array_survives_and_safetensors_agrees(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    store = Store(tmp_path_factory.mktemp("arrays"))
    store.save("thing", "a", {name: array.T for name, array in arrays.items()})
    loaded = store.load("thing", "a").arrays
    oracle = load_file(store.folder("thing", "a") / ARRAYS) if arrays else {}
    assert loaded.keys() == arrays.keys() == oracle.keys()
    for name, array in arrays.items():
        for found in (loaded[name], oracle[name]):
            assert (found.dtype, found.shape) == (array.dtype, array.T.shape)
            np.testing.assert_array_equal(found, array.T)
        assert not loaded[name].flags.writeable


def test_tables_and_payload_survive(store: Store) -> None:
    table = pd.DataFrame({"x": [1.5, None], "word": ["a", None], "when": pd.to_datetime([0, 1])})
    store.save("thing", "t", None, {"steps": table}, {"kind": "slerp", "steps": [1, 2]})
    loaded = store.load("thing", "t")
    pd.testing.assert_frame_equal(loaded.tables["steps"], table)
    assert loaded.payload == {"kind": "slerp", "steps": [1, 2]}
    assert loaded.arrays == {}


def test_a_graph_comes_back_the_same(store: Store) -> None:
    graph = NeighborGraph(
        indices=np.array([[1], [0]], dtype=np.int32),
        cosines=np.array([[0.5], [0.5]], dtype=np.float32),
        method="hnsw",
        recall=0.97,
    )
    store.save_graph("g", graph)
    loaded = store.load_graph("g")
    np.testing.assert_array_equal(loaded.indices, graph.indices)
    np.testing.assert_array_equal(loaded.cosines, graph.cosines)
    assert (loaded.method, loaded.recall) == ("hnsw", 0.97)


# Keys and folders


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_key_has_a_folder_of_its_own(one: str, other: str) -> None:
    store = Store(Path("/store"))
    folder = store.folder("space", one)
    assert folder.parent == Path("/store/space")
    assert folder.name not in ("", ".", "..")
    assert (folder == store.folder("space", other)) == (one == other)


def test_case_does_not_mix_keys_up(store: Store) -> None:
    assert store.folder("space", "GloVe").name.lower() != store.folder("space", "glove").name
    assert store.folder("space", "glove").name == "glove"


def test_saving_again_replaces(store: Store) -> None:
    store.save("thing", "a", {"x": np.zeros(3)}, None, {"turn": 1})
    first = store.load("thing", "a")
    store.save("thing", "a", {"x": np.ones(5)}, None, {"turn": 2})
    assert store.load("thing", "a").payload == {"turn": 2}
    np.testing.assert_array_equal(first.arrays["x"], np.zeros(3))  # still mapped, still whole
    assert left_behind(store) == []


def test_size_and_remove(store: Store) -> None:
    assert store.size() == 0
    store.save("thing", "a", {"x": np.zeros(1000)})
    assert 8000 < store.size() < 10_000
    store.remove("thing", "a")
    store.remove("thing", "a")
    assert not store.has("thing", "a")
    assert store.size() == 0


def test_the_workspace_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path))
    assert default_workspace() == tmp_path
    monkeypatch.delenv("MEANING_SPACE_WORKSPACE")
    assert default_workspace().name == "meaning-space"


# Several writers


def test_concurrent_writers_leave_one_whole_artefact(store: Store) -> None:
    faults: list[Exception] = []
    store.save("thing", "a", {"x": np.full(500, -1)}, None, {"turn": -1})

    def write(turn: int) -> None:
        try:
            for _ in range(5):
                store.save("thing", "a", {"x": np.full(500, turn)}, None, {"turn": turn})
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not faults:
        found = store.load("thing", "a")
        assert set(found.arrays["x"]) == {found.payload["turn"]}
    assert faults == []


def test_a_killed_writer_leaves_nothing_to_load(store: Store) -> None:
    code = (
        "import os, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from core import atomic\n"
        "from core.store import disk\n"
        "atomic._take_its_place = lambda *_: os._exit(9)\n"
        "disk.Store(Path(sys.argv[1])).save('thing', 'a', {'x': np.zeros(3)})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    assert done.returncode == 9
    assert not store.has("thing", "a")
    (left,) = (store.root / "thing").iterdir()
    for path in (left, *left.iterdir()):
        os.utime(path, (time.time() - 7200,) * 2)
    store.save("thing", "b", {"x": np.zeros(3)})  # clears away what is long dead
    assert not left.exists()


# Damage


@pytest.fixture
def saved(store: Store) -> Path:
    table = pd.DataFrame({"word": ["a", "b"]})
    store.save("thing", "a", {"x": np.arange(100.0)}, {"items": table}, {"n": 2})
    return store.folder("thing", "a")


@pytest.mark.parametrize("name", [ARRAYS, "items.parquet", "manifest.json"])
def test_a_cut_file_is_named_with_how_to_mend_it(store: Store, saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[: len(whole) // 2])
    mend = "is damaged, compute it again"
    with pytest.raises(StoreError, match=rf"found .*{name}.* in {saved}; expected .*{mend}"):
        store.load("thing", "a")


@pytest.mark.parametrize("name", [ARRAYS, "items.parquet", "manifest.json"])
def test_an_absent_file_is_named(store: Store, saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(StoreError, match=f"found no {name} in {saved}; expected a whole artefact"):
        store.load("thing", "a")


def test_a_changed_byte_is_found(store: Store, saved: Path) -> None:
    content = bytearray((saved / ARRAYS).read_bytes())
    content[-1] ^= 1
    (saved / ARRAYS).write_bytes(content)
    with pytest.raises(StoreError, match=f"found {ARRAYS} with other content"):
        store.load("thing", "a")


def test_what_is_damaged_is_put_aside_once_and_for_all(
    store: Store, saved: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (saved / ARRAYS).write_bytes(b"")
    assert not store.has("thing", "a")
    assert not saved.exists()
    (aside,) = store.aside.iterdir()
    assert {it.name for it in aside.iterdir()} == {ARRAYS, "items.parquet", "manifest.json"}
    assert f"a damaged thing: {ARRAYS} with 0 bytes in {saved}; put aside" in caplog.text
    store.save("thing", "a", {"x": np.arange(3)})
    assert store.has("thing", "a")


def test_damage_is_mended_by_saving_again(store: Store, saved: Path) -> None:
    (saved / ARRAYS).write_bytes(b"")
    store.save("thing", "a", {"x": np.arange(3)})
    np.testing.assert_array_equal(store.load("thing", "a").arrays["x"], [0, 1, 2])


def test_a_newer_version_says_to_update(store: Store, saved: Path) -> None:
    edit_manifest(store, "a", version=2)
    with pytest.raises(StoreError, match=r"found version 2 .*; expected at most 1: .* update"):
        store.load("thing", "a")


@pytest.mark.parametrize("changes", [{"format": "other"}, {"files": 3}, {"version": "new"}])
def test_a_manifest_of_something_else_is_refused(
    store: Store, saved: Path, changes: dict[str, Any]
) -> None:
    edit_manifest(store, "a", **changes)
    with pytest.raises(StoreError, match=r"found a manifest\.json .*compute it again"):
        store.load("thing", "a")


def test_an_artefact_of_another_kind_is_no_space(store: Store) -> None:
    store.save("space", "a", {"x": np.zeros(3)})
    with pytest.raises(StoreError, match="found no complete space"):
        store.load_space("a")
    store.save("graph", "a", {"x": np.zeros(3)})
    with pytest.raises(StoreError, match="found no complete graph"):
        store.load_graph("a")


def test_what_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(StoreError, match=r"found no space under 'x' .*compute it first"):
        store.load_space("x")


# What cannot be saved


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"arrays": {"x": np.array(["a"])}}, "found array 'x' of type <U1; expected numbers"),
        ({"arrays": {"x": np.array([None])}}, "found array 'x' of type object"),
        ({"tables": {"t": pd.DataFrame({"x": [1, "a"]})}}, "found a table 't' that Parquet"),
        ({"payload": {"x": object()}}, "found a payload that JSON cannot hold"),
    ],
)
def test_what_cannot_be_kept_is_refused(store: Store, arguments: Any, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        store.save("thing", "a", **arguments)
    assert not store.has("thing", "a")
    assert left_behind(store) == []


def test_what_the_disk_does_not_take_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file")
    table = pd.DataFrame({"word": ["a", None], "n": [1.5, 2.5]})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert not store.save("thing", "a", {"x": array}, {"items": table}, {"pair": (1, 2)})
    assert store.unkept == "Not a directory"
    kept = Store(tmp_path / "file").load("thing", "a")  # all stores of a folder share it
    np.testing.assert_array_equal(kept.arrays["x"], array)
    assert not kept.arrays["x"].flags.writeable
    pd.testing.assert_frame_equal(kept.tables["items"], table)
    assert kept.payload == {"pair": [1, 2]}
    store.remove("thing", "a")
    assert not store.has("thing", "a")


def test_a_file_in_the_place_of_an_artefact_is_none_and_gives_way(store: Store) -> None:
    place = store.folder("space", "demo")
    place.parent.mkdir(parents=True)
    place.write_text("notes", encoding="utf-8")
    assert not store.has("space", "demo")
    with pytest.raises(StoreError, match="found no space under 'demo'"):
        store.load("space", "demo")
    assert store.save("space", "demo", payload={"a": 1})
    assert store.load("space", "demo").payload == {"a": 1}
    assert [it.name for it in place.parent.iterdir()] == [place.name]


def test_what_was_held_is_forgotten_once_it_is_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store").write_text("in the way")
    assert not store.save("thing", "a", None, None, {"turn": 1})
    (tmp_path / "store").unlink()
    assert store.load("thing", "a").payload == {"turn": 1}
    assert store.save("thing", "b", None, None, {"turn": 2})
    assert store.unkept == ""
    manifests = sorted((tmp_path / "store").rglob("manifest.json"))
    assert [it.parent.name for it in manifests] == ["a", "b"]
