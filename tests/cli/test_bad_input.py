"""Bad input through the command line: exit code 2, one clear line, nothing lost, no traceback."""

import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_words import FORMULA, HOSTILE, IMAGE

from core.cli import main

Refused = Callable[..., str]
pytestmark = [  # a library's warning would be a second line
    pytest.mark.filterwarnings(f"error::{kind}")
    for kind in ("RuntimeWarning", "UserWarning", "FutureWarning")
]


@pytest.fixture(autouse=True)
def _own_workspace(workspace_folder: Path) -> None:
    """Nothing is written into a person's own folders."""


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must be refused; the one line that it says."""

    def run(*arguments: str) -> str:
        try:
            code = main(arguments)
        except SystemExit as end:  # the reader of the command line ends by itself
            code = int(str(end.code))
        captured = capsys.readouterr()
        assert code == 2
        assert captured.out == ""
        assert captured.err.endswith("\n")
        assert captured.err.count("\n") == 1, captured.err
        assert len(captured.err) < 1000
        assert "Traceback" not in captured.err
        line = captured.err.rstrip("\n")
        assert line.startswith("meaning-space: found ")
        assert "expected" in line
        return line

    return run


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


class TestNames:
    @pytest.mark.parametrize(
        ("reference", "said"),
        [
            ("minilm:token", "did you mean minilm:tokens"),
            ("gloves", "did you mean glove"),
            ("minilm", "expected one of minilm:tokens, minilm:words"),
            ("", "found the teacher ''"),
            ("glove:7", "found glove:7; expected a number from 100 to 400000"),
            ("glove:-5", "found the teacher 'glove:-5'"),
            ("glove:99999999999", "expected a number from 100 to 400000"),
            ("vectors:", "found the teacher 'vectors:'"),
            ("vectors:/no/such/file.txt", "found no file '/no/such/file.txt'"),
            ("vectors:/", "found a folder '/'"),
            ("vectors:" + "a" * 5000, "cannot be a path"),
            ("vectors:a\0b", "found"),
            ("vectors:~nobody-of-this-name/x.txt", "cannot be a path"),
            ("path:/no/such/folder", "found no folder /no/such/folder"),
            ("path:" + "a" * 5000, "cannot be a path"),
            ("hub:../../etc", "expected hub:ORG/NAME"),
            (IMAGE, "found the teacher '<img src=x onerror=alert(1)>'"),
            ("x" * 100_000, "(100000 characters)"),
            ("😀\n\r שלום", "expected one of minilm:tokens"),
        ],
    )
    def test_teachers(self, refused, reference, said):
        assert said in refused("neighbors", reference, "dog")

    def test_a_folder_with_pickled_weights(self, refused, tmp_path):
        (tmp_path / "config.json").write_text("{}")
        (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({}))
        line = refused("neighbors", f"path:{tmp_path}", "dog")
        assert "pickled weights, which could run code" in line

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "the following arguments are required: COMMAND"),
            (("paint",), "invalid choice: 'paint'"),
            (("path", "glove:1000", "a", "b", "--steps", "many"), "invalid int value: 'many'"),
            (("neighbors", "glove:1000"), "required: text"),
            (("neighbors", "glove:1000", "the", "-k", "0"), "found -k 0; expected at least 1"),
            (("map", "glove:1000", "--projector", "isomap"), "expected one of umap, tsne, pca"),
            (("map", "glove:1000", "--dims", "4"), "found dims = 4 for umap"),
            (("map", "glove:1000", "--seed", "-1"), "found seed = -1"),
            (("map", "glove:1000", "--set", "n_epochs"), "found --set 'n_epochs'"),
            (("map", "glove:1000", "--set", "n_epochs=x"), "expected NAME=NUMBER"),
            (("map", "glove:1000", "--set", "speed=3"), "found speed in a specification for umap"),
            (("map", "glove:1000", "--set", "min_dist=nan"), "found --set 'min_dist=nan'"),
            (("axis", "glove:1000", "--from", "", "--to", "big", "the"), "found no words"),
            (("axis", "glove:1000", "--from", "a\\", "--to", "big", "the"), "found 'a\\\\'"),
            (("solve", "glove:1000", "king - - man"), "expected a word"),
            (("solve", "glove:1000", "'king"), "expected a closing '"),
            (("path", "glove:1000", "the", "of", "--kind", "bezier"), "found the kind 'bezier'"),
            (("path", "glove:1000", "the", "of", "--steps", "1"), "found 1 steps"),
            (("path", "glove:1000", "the", "of", "--steps", "99999999"), "found 99999999 steps"),
        ],
    )
    def test_options(self, refused, arguments, said):
        assert said in refused(*arguments)


class TestWords:
    def test_a_word_that_a_table_lacks(self, refused):
        line = refused("neighbors", "glove:5000", "oceen")
        assert "found 'oceen', which glove:5000 does not hold" in line
        assert "'ocean'" in line  # the nearest spelling
        assert "minilm:words" in line  # what can encode it

    def test_parts_of_a_phrase_that_the_table_lacks(self, told):
        found = told("neighbors", "glove:5000", "blue qqqqqq sea", "-k", "1")
        assert found["how"] == "mean of 2 words: blue sea; not known: qqqqqq"

    @pytest.mark.parametrize("text", ["", "   ", "\n", "\u200b"])
    def test_nothing(self, refused, words_reference, text):
        refused("neighbors", words_reference, text)

    @pytest.mark.parametrize("text", ["dog" * 33_334, "x " * 50_000, "🦀" * 100_000])
    def test_100_000_characters(self, refused, words_reference, text):
        line = refused("neighbors", words_reference, text)
        assert "characters)" in line
        refused("path", words_reference, "dog", text)
        refused("solve", words_reference, text)

    def test_a_long_text_of_known_words_is_answered(self, told, words_reference):
        found = told("neighbors", words_reference, "dog " * 25_000, "-k", "2")
        assert found["neighbors"][0]["text"] == "dog"

    @pytest.mark.parametrize("word", HOSTILE)
    def test_hostile_words_are_words(self, told, words_reference, word):
        found = told("neighbors", words_reference, word, "-k", "3")
        assert (found["query"], found["how"]) == (word, "an item of this space")
        steps = told("path", words_reference, "dog", word, "--steps", "5")["steps"]
        assert steps[-1]["nearest"][0]["text"] == word
        assert told("solve", words_reference, f'"{word}"')["answers_with_inputs"][0]["text"] == word

    @pytest.mark.parametrize(
        "word", ["<img src=y>", "ﷺ", "\u202e\u202d", "\ud800", "🦜🦜", "%s{0}"]
    )
    def test_unknown_hostile_words(self, refused, words_reference, word):
        refused("neighbors", words_reference, word)


class TestWays:
    def test_one_waypoint(self, refused, words_reference):
        line = refused("path", words_reference, "dog")
        assert line == (
            "meaning-space: found 1 waypoint; expected two or more: say where the path should go"
        )

    def test_no_waypoint(self, refused, words_reference):
        assert "required: TEXT" in refused("path", words_reference)

    @pytest.mark.parametrize("kind", ["lerp", "slerp", "graph"])
    @pytest.mark.parametrize("pair", [("dog", "dog"), ("Dog", "dog"), ("red sea", "sea red")])
    def test_identical_waypoints(self, refused, words_reference, pair, kind):
        line = refused("path", words_reference, *pair, "--kind", kind)
        assert f"found {pair[0]!r} and {pair[1]!r} one after the other" in line


def unreadable(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are not what they should be: what to call it -> file, and what is said."""
    made: dict[str, tuple[Path, str]] = {}

    def put(what: str, name: str, content: bytes, said: str) -> None:
        (folder / what.replace(" ", "-")).mkdir()
        file = folder / what.replace(" ", "-") / name
        file.write_bytes(content)
        made[what] = file, said

    def put_npz(what: str, said: str, **arrays: Any) -> None:
        (folder / what.replace(" ", "-")).mkdir()
        file = folder / what.replace(" ", "-") / "v.npz"
        np.savez(file, **arrays)
        made[what] = file, said

    words = np.array(["dog", "cat"], dtype=str)
    bomb = pickle.dumps(Bomb(folder / "ran"))
    put("a pickle renamed npy", "v.npy", bomb, "found a Python pickle, which could run code")
    put("a PNG renamed txt", "v.txt", PNG, "found a PNG picture in v.txt")
    put("text renamed npz", "v.npz", b"dog 1 2\n", "expected the npz format that its name says")
    put("nothing", "v.txt", b"", "found an empty file v.txt")
    put("NaN", "v.txt", b"dog 1 nan\ncat 1 2\n", "NaN or infinity in row 0 ('dog')")
    put(
        "too large a number",
        "v.txt",
        b"dog 1 1e60\ncat 1 2\n",
        "1e+60 as the largest number of row 0",
    )
    put("ragged", "v.txt", b"dog 1 2\ncat 1 2 3\nbird 1 2\n", "on line 2 of v.txt")
    put("no numbers", "v.txt", b"the quick brown fox\njumps over the dog\n", "found")
    put("bytes that are no text", "v.txt", bytes(range(128, 256)) * 40, "found")
    put_npz("NaN in npz", "row 1 ('cat')", words=words, vectors=np.float32([[1, 2], [np.nan, 0]]))
    put_npz("no words", "expected the keys words and vectors", vectors=np.eye(2))
    put_npz(
        "fewer words", "found 2 words and an array of shape (3, 3)", words=words, vectors=np.eye(3)
    )
    put_npz("objects", "Python objects in v.npz", words=words.astype(object), vectors=np.eye(2))
    put_npz("no dimensions", "shape (2, 0)", words=words, vectors=np.empty((2, 0)))
    (folder / "ragged-parquet").mkdir()
    ragged = folder / "ragged-parquet" / "v.parquet"
    pd.DataFrame({"text": ["dog", "cat"], "vector": [[1.0, 2.0], [1.0]]}).to_parquet(ragged)
    made["ragged Parquet"] = ragged, "rows of another length in v.parquet"
    truncated = folder / "NaN-in-npz" / "cut.npz"
    truncated.write_bytes((folder / "fewer-words" / "v.npz").read_bytes()[:200])
    made["a truncated archive"] = truncated, "found cut.npz damaged"
    return made


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + zlib.compress(b"\0" * 40)


class TestFiles:
    def test_files_that_are_not_what_they_should_be(self, refused, tmp_path):
        for what, (file, said) in unreadable(tmp_path).items():
            before = file.read_bytes()
            line = refused("neighbors", f"vectors:{file}", "dog")
            assert said in line, what
            assert file.read_bytes() == before
        assert not (tmp_path / "ran").exists()  # nothing was unpickled

    def test_the_bomb_is_one(self, tmp_path):
        pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))  # noqa: S301
        assert (tmp_path / "ran").exists()

    def test_a_good_file_is_read_in_the_same_way(self, told, tmp_path):
        (tmp_path / "v.txt").write_text("dog 1 2\ncat 1 3\nbird 2 1\n")
        near = told("neighbors", f"vectors:{tmp_path / 'v.txt'}", "dog")["neighbors"]
        assert [it["text"] for it in near] == ["cat", "bird"]


class TestNothingIsLost:
    def test_a_refusal_leaves_earlier_results_alone(self, refused, words_reference, tmp_path):
        kept = tmp_path / "points.npy"
        kept.write_bytes(b"of an earlier day")
        refused("path", words_reference, "dog", "Dog", "--vectors", str(kept))
        refused("neighbors", words_reference, "qqqqqq", "--vectors", str(kept))
        refused("map", words_reference, "--dims", "9", "--out", str(kept), "--report", str(kept))
        assert kept.read_bytes() == b"of an earlier day"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("neighbors", "dog", "--vectors"),
            ("path", "dog", "cat", "--vectors"),
            ("map", "--projector", "pca", "--out"),
            ("map", "--projector", "pca", "--report"),
        ],
    )
    def test_no_folder_to_write_into_is_said_before_the_work(
        self, refused, words_reference, tmp_path, arguments
    ):
        command, *rest = arguments
        file = tmp_path / "no such folder" / "file"
        line = refused(command, words_reference, *rest, str(file))
        assert f"found no folder {file.parent}" in line
        assert not file.parent.exists()

    def test_a_folder_in_the_place_of_the_file(self, refused, words_reference, tmp_path):
        line = refused("neighbors", words_reference, "dog", "--vectors", str(tmp_path))
        assert "expected files that can be read and written" in line

    def test_a_workspace_that_is_a_file(self, refused, words_reference, tmp_path, monkeypatch):
        monkeypatch.setenv("MEANING_SPACE_WORKSPACE", "")
        (tmp_path / "file").write_text("mine")
        refused("neighbors", words_reference, "dog", "--workspace", str(tmp_path / "file"))
        assert (tmp_path / "file").read_text() == "mine"


def test_the_formula_is_told_as_it_is(told, words_reference):
    """JSON is for programs: only CSV, which spreadsheets run, gets the apostrophe."""
    assert told("neighbors", words_reference, FORMULA)["query"] == FORMULA
