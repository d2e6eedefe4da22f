"""Files of vectors as people have them, and as they break: right values, or one clear line.

gensim is the oracle for what it reads too, numpy's own arrays for the rest.
"""

import io
import os
import re
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidVectors, MeaningSpaceError, UnreadableFile
from core.spaces.io import read_vectors, require_readable
from core.spaces.space import Provenance, Space
from core.teachers.word_vectors import VectorsFile

WORDS = ("cat", "dog", "car", "bus")
VECTORS = np.array([[1, 0.1, 0], [0.9, 0.2, 0.1], [0, 1, 0.1], [0.1, 0.9, 0]], np.float32)
LINES = b"cat 1 0.1 0\ndog 0.9 0.2 0.1\ncar 0 1 0.1\nbus 0.1 0.9 0\n"


def binary(words, vectors, count=None, end=b""):
    body = b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end
        for word, row in zip(words, vectors, strict=True)
    )
    return f"{count or len(words)} {len(vectors[0])}\n".encode() + body


def written(path, content):
    path.write_bytes(content)
    return path


def refused(path, message, error=UnreadableFile):
    with pytest.raises(error, match=message) as caught:
        read_vectors(path)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bom.txt", b"\xef\xbb\xbf" + LINES, WORDS),
        ("bom.vec", b"\xef\xbb\xbf4 3\n" + LINES, WORDS),
        ("tabs.tsv", LINES.replace(b" ", b"\t"), WORDS),
        ("tabs.vec", b"4\t3\n" + LINES.replace(b" ", b"\t"), WORDS),
        ("mixed.txt", LINES.replace(b" ", b"\t", 1), WORDS),
        ("crlf.vec", b"4 3\r\n" + LINES.replace(b"\n", b" \r\n"), WORDS),
        ("blank.txt", LINES + b"\n\n", WORDS),
        ("cut.txt", LINES.rstrip(), WORDS),
        ("phrases.txt", LINES.replace(b"car", b". . .").replace(b"bus", b"at me@here.org"), None),
        ("digits.txt", LINES.replace(b"car", b"iPhone 5").replace(b"bus", b"42"), None),
        ("space.vec", b"4 3\n" + LINES.replace(b"car", b" "), ("cat", "dog", " ", "bus")),
        ("nbsp.vec", "4 3\ncat 1 0.1 0\na\u00a0b 0.9 0.2 0.1\n\u2028 0 1 0.1\n\u0085 0.1 0.9 0\n"
         .encode(), ("cat", "a\u00a0b", "\u2028", "\u0085")),
        ("plus.txt", LINES.replace(b" 1", b" +1.0e0"), WORDS),
        ("spaced.bin", binary(("cat", "dog", "car", "bus"), VECTORS, end=b"\n"), WORDS),
        ("dense.bin", binary(("cat", "dog", "car", "bus"), VECTORS), WORDS),
    ],
)  # fmt: skip
def test_what_people_have_is_read(name, content, words, tmp_path):
    words = (
        words
        or {
            "phrases.txt": ("cat", "dog", ". . .", "at me@here.org"),
            "digits.txt": ("cat", "dog", "iPhone 5", "42"),
        }[name]
    )
    found = read_vectors(written(tmp_path / name, content))
    assert found.texts == words
    np.testing.assert_array_equal(found.vectors, VECTORS)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("dim", [3300, 5000])
def test_rows_of_any_length_are_text_as_gensim_reads_it(dim, header, tmp_path):
    """A row longer than 64 KiB was cut there and taken for binary, here right behind a minus."""
    from gensim.models import KeyedVectors

    one = "-0.123456789012345678"
    pad = (65536 - len(f"3 {dim}\n") - 2) % (len(one) + 1)
    numbers = [" ".join(one[(at + n) % 3 == 0 :] for at in range(dim)) for n in range(3)]
    rows = [f"{word} {row}\n" for word, row in zip(("w" * pad, "dog", "car"), numbers, strict=True)]
    text = (f"3 {dim}\n" if header else "") + "".join(rows)
    path = written(tmp_path / "long.vec", text.encode())
    true = KeyedVectors.load_word2vec_format(str(path), no_header=not header)
    found = read_vectors(path)
    assert list(found.texts) == true.index_to_key
    np.testing.assert_array_equal(found.vectors, true.vectors)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters=" \t\n\r"), min_size=1, max_size=9),
        min_size=1, max_size=12, unique=True,
    ),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 2**31),
)  # fmt: skip
def test_text_and_binary_are_read_as_gensim_reads_them(words, dim, is_binary, seed):
    import tempfile
    from pathlib import Path

    from gensim.models import KeyedVectors

    words = [word for word in words if word.strip("\x0b\x0c") and not word.isspace()]
    vectors = np.random.default_rng(seed).normal(size=(len(words), dim)).astype(np.float32)
    keyed = KeyedVectors(dim)
    if not words:
        return
    keyed.add_vectors(words, vectors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.bin"
        keyed.save_word2vec_format(str(path), binary=is_binary)
        try:
            found = read_vectors(path)
        except MeaningSpaceError:
            assert is_binary  # a control character in a word is what misplaced numbers look like
            assert any(re.search("[\x00-\x08\x0e-\x1f]", word) for word in words)
            return
        again = KeyedVectors.load_word2vec_format(str(path), binary=is_binary)
    assert found.format == ("word2vec binary" if is_binary else "word2vec text")
    assert list(found.texts) == words
    np.testing.assert_array_equal(found.vectors, again.vectors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (binary(WORDS, VECTORS, count=2), "found 32 bytes behind the last of 2 words"),
        (binary(WORDS, VECTORS)[:-3], "found the end within word 4 of 4"),
        (
            binary(("hello", "my name", "is Ivan"), [[1.0], [2.0], [3.0]]),
            "12 bytes behind the last",
        ),
        (binary(("a", "my name", "it", "b"), VECTORS), "found bytes"),
        (binary(("a", "b"), VECTORS[:2])[:9] + b"\xff\xfe" * 20, "found"),
    ],
)
def test_binary_that_does_not_come_out_even(content, message, tmp_path):
    said = refused(written(tmp_path / "v.bin", content), message)
    assert "words hold spaces, which text and .npz can tell apart" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9 1 0\ntea 0 1\n", r"not UTF-8 on line 1 .*Windows-1252 or Latin-1"),
        (LINES.decode().encode("utf-16"), "it is in UTF-16"),
        (LINES.decode().encode("utf-16-le"), "it may be in UTF-16"),
        (b"cat 1,5 0,2\ndog 1,4 0,3\n", "a comma stands where a point or a space should"),
        (b"4 3\n" + LINES[:-3], "found 3 words|found 2 numbers"),
        (b"cat 1.0 0.5 0\ndog 0.5 1.0 0.1 0.2\n", "found 4 numbers after the word on line 2"),
        (b"0.1 0.2 0.3\n0.4 0.5 0.6\n", r"found v.txt without words; expected .* or metadata.tsv"),
        (b"cat 1e40 0\n", r"found 1e\+40 as the largest number of row 0 in v.txt"),
        (b"cat 1 0\ndog 1e-50 0\n", "found 1e-50 as the largest number of row 1"),
        (bytes(1 << 20), "whose first line is not a word and numbers"),
    ],
)
def test_text_that_cannot_be_read_says_why(content, message, tmp_path):
    path = written(tmp_path / "v.txt", content)
    said = refused(path, message, MeaningSpaceError)
    assert "caf" not in said  # no line of a file is ever quoted


def test_equal_texts_are_kept_and_told_apart(tmp_path):
    content = LINES.replace(b"car", b"cat").replace(b"bus", b"cat#2")
    teacher = VectorsFile(written(tmp_path / "v.txt", content))
    space = teacher.space()
    assert space.texts == ("cat", "dog", "cat", "cat#2")
    assert space.ids == ("cat", "dog", "cat#3", "cat#2")
    assert space.find("cat") == 0
    assert "1 text more than once, told apart" in space.provenance.model


# ------------------------------------------------------------------------- arrays and their words


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        ("cat\na\u2028b\nx\u0085y\ndog", []),
        ("\ufeffcat\r\na\u2028b\r\nx\u0085y\r\ndog\r\n", []),
        ("word\tlabel\tword\ncat\tA\t1\na\u2028b\tB\t2\nx\u0085y\t\t3\ndog\tD\t4\n",
         ["label", "word"]),
        ("cat\tA\na\u2028b\tB\nx\u0085y\tC\ndog\tD\n", ["column 2"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["v.txt", "v.words.txt", "metadata.tsv"])
def test_words_beside_an_array(words, columns, name, tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    (tmp_path / name).write_text(words, encoding="utf-8", newline="")
    found = read_vectors(tmp_path / "v.npy")
    assert found.texts == ("cat", "a\u2028b", "x\u0085y", "dog")
    assert list(found.metadata.columns) == columns
    if columns:
        assert found.metadata[columns[0]].tolist()[0] == "A"


def test_tensorboards_tensors_and_metadata(tmp_path):
    lines = ["\t".join(f"{number:.7f}" for number in row) for row in VECTORS]
    (tmp_path / "tensors.tsv").write_text("\n".join(lines))
    rows = [f"{word}\t{len(word)}" for word in WORDS]
    (tmp_path / "metadata.tsv").write_text("\n".join(["Word\tLength", *rows]))
    found = read_vectors(tmp_path / "tensors.tsv")
    assert found.texts == WORDS
    np.testing.assert_allclose(found.vectors, VECTORS, atol=1e-7)
    assert found.metadata.to_dict("list") == {"Length": ["3"] * 4}


def test_new_words_beside_an_array_make_a_new_space(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    (tmp_path / "v.txt").write_text("\n".join(WORDS))
    teacher = VectorsFile(tmp_path / "v.npy")
    before = teacher.fingerprint(), teacher.space().texts
    (tmp_path / "v.txt").write_text("\n".join(["Cat", *WORDS[1:]]))
    os.utime(tmp_path / "v.txt", ns=(1, 1))
    assert teacher.fingerprint() != before[0]
    assert teacher.space().texts == ("Cat", *WORDS[1:])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (VECTORS.astype(complex), "found complex numbers in v.npz; expected real numbers"),
        (VECTORS > 0.05, "found true and false in v.npz"),
        (VECTORS[:, None, :], None),
        (VECTORS[None], None),
        (VECTORS.astype(">f8"), None),
        (np.asfortranarray(VECTORS.astype(np.float16)), None),
        (VECTORS[:, :, None], r"found an array of shape \(4, 3, 1\)"),
        (VECTORS[:3], r"found 4 words and an array of shape \(3, 3\)"),
        (VECTORS * np.float64(1e200), "found 1e\\+200 as the largest number of row 0"),
    ],
)
@pytest.mark.parametrize("keys", [("words", "vectors"), ("labels", "embeddings")])
@pytest.mark.parametrize("words", [np.array(WORDS), np.array(WORDS, dtype="S")])
def test_arrays_of_many_kinds(made, message, keys, words, tmp_path):
    np.savez_compressed(tmp_path / "v.npz", **{keys[0]: words, keys[1]: made})
    if message:
        refused(tmp_path / "v.npz", message, InvalidVectors)
    else:
        found = read_vectors(tmp_path / "v.npz")
        assert found.texts == WORDS
        assert found.vectors.dtype == np.float32
        np.testing.assert_allclose(found.vectors, VECTORS, atol=1e-3)


def npy_header(shape, dtype="<f4"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def test_terabytes_that_a_header_promises_are_not_believed(tmp_path):
    (tmp_path / "v.txt").write_text("\n".join(WORDS))
    path = written(tmp_path / "v.npy", npy_header((4, 10**12)) + bytes(100))
    for read in (read_vectors, require_readable):
        with pytest.raises(
            UnreadableFile, match="header that promises 16,000,000,000,000; expecte"
        ):
            read(path)


@pytest.mark.parametrize("cells", [(15_000_000, 4), (4, 18_000_000)])
def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked(cells, tmp_path):
    path = tmp_path / "v.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape, dtype in (("words", cells[:1], "<U1"), ("vectors", cells, "<f4")):
            with archive.open(f"{name}.npy", "w") as member:
                member.write(npy_header(shape, dtype))
                for _ in range(int(np.prod(shape)) * 4 // (1 << 22)):
                    member.write(bytes(1 << 22))
    assert path.stat().st_size < 4e6
    tracemalloc.start()
    refused(path, "bytes in v.npz that unpack to .*; expected at most 100 times as many")
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


def test_a_damaged_stream_inside_an_archive(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(4, 300)).round(1)
    np.savez_compressed(tmp_path / "v.npz", words=np.array(WORDS), vectors=vectors)
    raw = bytearray((tmp_path / "v.npz").read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        start = archive.getinfo("vectors.npy").header_offset + 200
    for at in range(start, start + 15):
        raw[at] ^= 0xFF
    refused(written(tmp_path / "v.npz", raw), "found v.npz damaged .*get it again")


# ----------------------------------------------------------------------------------------- tables


def test_a_table_of_millions_of_rows_in_a_few_bytes(tmp_path):
    rows = 12_000_000
    words = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(np.zeros(rows, np.int8)), pyarrow.array(["a"])
    )
    numbers = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(np.zeros(rows, np.float32)), 1)
    table = pyarrow.table({"word": words, "vector": numbers})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    del table, words, numbers
    assert (tmp_path / "v.parquet").stat().st_size < 2e6
    began = time.process_time()
    refused(
        tmp_path / "v.parquet", "found 12,000,000 rows in v.parquet; expected at most 10,000,00"
    )
    assert time.process_time() - began < 1


def test_one_long_text_a_thousand_times(tmp_path):
    words = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(np.zeros(1000, np.int32)), pyarrow.array(["a" * 10**6])
    )
    table = pyarrow.table({"word": words, "vector": [[1.0]] * 1000})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet", compression="zstd")
    refused(tmp_path / "v.parquet", "that unpack to 1,000,000,000; expected at most 100 times")


@pytest.mark.parametrize("missing", ["id", "word"])
def test_rows_without_an_id_or_a_text_are_named(missing, tmp_path):
    table = {"id": [1, 2, 3, 4], "word": list(WORDS), "vector": VECTORS.tolist()}
    table[missing][2] = None
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "v.parquet")
    what = "id" if missing == "id" else "text"
    message = rf"found no {what} in row 2 of v.parquet \(1 such rows\)"
    refused(tmp_path / "v.parquet", message, InvalidVectors)


def test_own_columns_come_back_as_they_are(tmp_path):
    frame = pd.DataFrame(
        {"word": WORDS, "vector": VECTORS.tolist(), "category": [None, "a", "b", ""]}
    )
    frame["frequency_rank"] = ["high", "low", "high", None]
    frame["count"] = [3, 1, 2, 9]
    frame.to_parquet(tmp_path / "v.parquet")
    found = read_vectors(tmp_path / "v.parquet")
    assert list(found.metadata.columns) == ["category", "frequency_rank", "count"]
    assert found.metadata["count"].tolist() == [3, 1, 2, 9]
    assert found.metadata["frequency_rank"].tolist()[:3] == ["high", "low", "high"]
    assert found.metadata["category"].tolist()[1:] == ["a", "b", ""]


def test_ten_thousand_columns_are_read_in_proportion(tmp_path):
    columns = {f"c{number}": [number, 1] for number in range(10_000)}
    table = {"text": ["cat", "dog"], "vector": [[1.0, 2.0], [2.0, 3.0]]} | columns
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "v.parquet", compression="zstd")
    began = time.process_time()
    found = read_vectors(tmp_path / "v.parquet")
    assert time.process_time() - began < 15  # one by one they took over 25 s
    assert found.metadata["c9999"].tolist() == [9999, 1]


# ------------------------------------------------------------------------------------ any content


def test_five_gigabytes_of_nothing_are_judged_before_they_are_digested(tmp_path):
    path = tmp_path / "v.vec"
    with path.open("wb") as file:
        file.truncate(5 << 30)
    began = time.process_time()
    with pytest.raises(UnreadableFile, match="expected word2vec"):
        VectorsFile(path).fingerprint()
    assert time.process_time() - began < 2


SEEDS = (LINES, b"4 3\n" + LINES, binary(WORDS, VECTORS), npy_header((4, 3)) + VECTORS.tobytes())


@given(st.sampled_from(SEEDS), st.data(), st.sampled_from([".txt", ".vec", ".bin", ".npy", ".npz"]))
def test_any_bytes_are_read_or_refused(seed, data, end):
    import tempfile
    from pathlib import Path

    raw = bytearray(seed)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=12))
        raw = raw or bytearray(b"x")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"v{end}"
        path.write_bytes(raw)
        (Path(folder) / "v.words.txt").write_text("\n".join(WORDS))
        try:
            found = read_vectors(path)
            Space.create(found.texts, found.vectors, Provenance("t", "t"), ids=found.ids)
        except MeaningSpaceError as error:
            said = str(error)
        else:
            said = ""
    assert "\n" not in said
