"""Reading vectors: every format back as it was written, every bad file named plainly."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidVectors, UnreadableFile
from core.spaces.io import read_vectors

WORDS = ("cat", "dog", "<img src=x onerror=alert(1)>".replace(" ", "_"), "😀", "שלום", "Ünïcode")
VECTORS = np.random.default_rng(1).normal(size=(len(WORDS), 5)).astype(np.float32)


def lines(words=WORDS, vectors=VECTORS, end=""):
    return "".join(
        f"{word} {' '.join(repr(float(it)) for it in row)}{end}\n"
        for word, row in zip(words, vectors, strict=True)
    )


def write_word2vec(path: Path, *, binary: bool) -> Path:
    """The format's own definition, not gensim's writer: the oracle."""
    header = f"{len(WORDS)} {VECTORS.shape[1]}\n"
    if not binary:
        path.write_text(header + lines(), encoding="utf-8")
        return path
    with path.open("wb") as file:
        file.write(header.encode())
        for word, row in zip(WORDS, VECTORS, strict=True):
            file.write(word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + b"\n")
    return path


def write(path: Path, kind: str) -> Path:
    if kind in ("word2vec text", "word2vec binary"):
        return write_word2vec(path / "v.bin", binary=kind.endswith("binary"))
    if kind == "GloVe text":
        (path / "v.txt").write_text(lines(), encoding="utf-8")
        return path / "v.txt"
    if kind == "fastText":
        text = f"{len(WORDS)} {VECTORS.shape[1]}\n" + lines(end=" ")
        (path / "v.vec").write_text(text, encoding="utf-8")
        return path / "v.vec"
    if kind == "npz":
        np.savez(path / "v.npz", words=np.array(WORDS), vectors=VECTORS)
        return path / "v.npz"
    if kind == "npy":
        np.save(path / "v.npy", VECTORS)
        (path / "v.words.txt").write_text("\n".join(WORDS), encoding="utf-8")
        return path / "v.npy"
    table = pyarrow.table({"word": list(WORDS), "embedding": VECTORS.tolist(), "count": range(6)})
    pyarrow.parquet.write_table(table, path / "v.parquet")
    return path / "v.parquet"


FORMATS = ["word2vec text", "word2vec binary", "GloVe text", "fastText", "npz", "npy", "Parquet"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_back(kind, tmp_path):
    found = read_vectors(write(tmp_path, kind))
    assert found.texts == WORDS
    np.testing.assert_allclose(found.vectors, VECTORS, rtol=1e-6)


def test_parquet_keeps_ids_and_other_columns(tmp_path):
    path = tmp_path / "v.parquet"
    frame = pd.DataFrame({"id": [7, 8], "text": ["a", "a"], "vector": [[1.0, 2], [3.0, 4]]})
    frame["colour"] = ["red", "blue"]
    frame.to_parquet(path)
    found = read_vectors(path)
    assert found.ids == ("7", "8")
    assert found.texts == ("a", "a")
    assert list(found.metadata["colour"]) == ["red", "blue"]


@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 2**31))
def test_npz_keeps_every_bit(n, d, seed):
    import tempfile

    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.npz"
        np.savez(path, words=np.array([f"w{it}" for it in range(n)]), vectors=vectors)
        np.testing.assert_array_equal(read_vectors(path).vectors, vectors)


def refuse(path: Path, content: bytes, error, message: str):
    path.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        read_vectors(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"", "found an empty file v.txt; expected word2vec"),
        ("v.txt", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "found a PNG picture in v.txt"),
        ("v.npy", pickle.dumps({"a": 1}), "found a Python pickle, which could run code in v.npy"),
        ("v.npy", b"hello 1 2 3\n", "found something else in v.npy; expected the npy format"),
        ("v.npz", b"PK\x03\x04 not an archive", "found v.npz damaged"),
        ("v.parquet", b"PAR1 nothing more", "found v.parquet damaged"),
        ("v.txt", b"\x93NUMPY", "found npy content in v.txt.*rename it to v.npy"),
        (
            "v.txt",
            b"once upon a time\n",
            "found v.txt, whose first line is not a word and numbers; expected word2vec",
        ),
        ("v.bin", b"1000000 300\ncat 1 2 3", "header promises 1,000,000 words of 300 numbers"),
        ("v.txt", b"3 2\ncat 1 2\ndog 1 2\n", "found 2 words in v.txt, whose header says 3"),
        (
            "v.txt",
            b"caf\xe9 1 2\ncat 1 2\n",
            r"not UTF-8 on line 1 in v.txt \(it may be in Windows-1252 or Latin-1\)",
        ),
        ("v.bin", b"\xba\x16\x4f\x2f....", "found a fastText .bin model"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(name, content, message, tmp_path):
    refuse(tmp_path / name, content, UnreadableFile, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat 1 2\ndog 1\n", "found 1 numbers after the word on line 2 of v.txt"),
        (b"2 3\ncat 1 2 3\ndog 1 2 3 4\n", "found 4 numbers after the word on line 3"),
        (b"cat 1 2\n\ndog 3 4\n", "found an empty line on line 2"),
    ],
)
def test_bad_lines_are_named(content, message, tmp_path):
    refuse(tmp_path / "v.txt", content, InvalidVectors, message)


def test_a_word_that_is_no_number(tmp_path):
    message = "found no number in place 1 after the word on line 2 of v.txt"
    refuse(tmp_path / "v.txt", b"cat 1 2\ndog x 4\n", InvalidVectors, message)


def test_object_arrays_are_never_unpickled(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array(["a", None], dtype=object), vectors=VECTORS[:2])
    with pytest.raises(
        UnreadableFile, match=r"found Python objects in v.npz, which could run code"
    ):
        read_vectors(path)


def test_an_array_needs_its_words(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(
        UnreadableFile, match=r"found v.npy without words; expected v.txt or metadata.tsv"
    ):
        read_vectors(tmp_path / "v.npy")
    (tmp_path / "v.txt").write_text("one\ntwo\n")
    with pytest.raises(InvalidVectors, match=r"found 2 words in v.txt for 6 rows"):
        read_vectors(tmp_path / "v.npy")


def test_ragged_parquet_names_the_row(tmp_path):
    table = pyarrow.table({"text": ["a", "b", "c"], "vector": [[1.0, 2.0], [1.0], [3.0, 4.0]]})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    with pytest.raises(InvalidVectors, match="such as row 1 with 1 numbers; expected 2 in each"):
        read_vectors(tmp_path / "v.parquet")


def test_parquet_without_vectors(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "v.parquet")
    with pytest.raises(UnreadableFile, match="found none as columns of lists of numbers"):
        read_vectors(tmp_path / "v.parquet")


def test_equal_texts_are_told_apart_by_their_ids(tmp_path):
    np.savez(tmp_path / "v.npz", words=np.array(["a", "b", "a", "a#2"]), vectors=VECTORS[:4])
    found = read_vectors(tmp_path / "v.npz")
    assert found.texts == ("a", "b", "a", "a#2")
    assert found.ids == ("a", "b", "a#3", "a#2")
    assert found.repeated == 1
