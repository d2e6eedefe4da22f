"""Vector files that come through the browser: kept by their content, opened by a reference."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import UnreadableFile
from core.pipeline import Workspace, uploads
from core.pipeline.uploads import forget_upload, keep_upload, upload_name, uploaded
from core.reach import ALLOWED, close_paths

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) + 1
TEXT = "".join(f"word{at} {' '.join(map(str, row))}\n" for at, row in enumerate(ROWS)).encode()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch):
    """As where others are served."""
    monkeypatch.setenv(ALLOWED, "")
    close_paths([])


def npy(rows: np.ndarray = ROWS) -> bytes:
    stream = io.BytesIO()
    np.save(stream, rows)
    return stream.getvalue()


def npz(rows: int, dim: int) -> bytes:
    stream = io.BytesIO()
    words = np.array([f"w{at}" for at in range(rows)])
    np.savez_compressed(stream, words=words, vectors=np.zeros((rows, dim), np.float32))
    return stream.getvalue()


class TestKeeping:
    def test_a_file_is_a_space_under_its_own_name(self, tmp_path):
        reference = keep_upload(tmp_path, [("mine.vec", TEXT)])
        workspace = Workspace(tmp_path)
        space = workspace.space(reference)
        assert space.texts == ("word0", "word1", "word2", "word3")
        assert np.array_equal(space.vectors, ROWS)
        assert space.provenance.teacher == reference
        assert space.provenance.model.startswith("mine.vec (")
        assert str(tmp_path) not in str(vars(space.provenance))
        assert workspace.teacher(reference).info.title == upload_name(tmp_path, reference)
        vector, how = workspace.teacher(reference).represent("word1 word2")
        assert np.allclose(vector, ROWS[1:3].mean(0))
        assert how.startswith("mean of 2 words")

    def test_the_same_file_is_the_same_upload_and_another_name_another(self, tmp_path):
        one = keep_upload(tmp_path, [("mine.vec", TEXT)])
        assert keep_upload(tmp_path, [("mine.vec", TEXT)]) == one
        assert keep_upload(tmp_path, [("other.vec", TEXT)]) != one
        assert keep_upload(tmp_path, [("mine.vec", TEXT + b"more 1 2 3\n")]) != one

    @pytest.mark.parametrize("words", ["mine.txt", "wörter.txt", "LABELS.TSV", "metadata.tsv"])
    def test_an_array_comes_with_its_words_whatever_they_are_called(self, tmp_path, words):
        texts = "eins\nzwei\nतीन\nچهار\n"
        files = [(words, texts.encode()), ("mine.npy", npy())]
        space = Workspace(tmp_path).space(keep_upload(tmp_path, files))
        assert space.texts == tuple(texts.split())
        assert np.array_equal(space.vectors, ROWS)

    def test_tensors_and_metadata_are_a_pair(self, tmp_path):
        tensors = "\n".join("\t".join(map(str, row)) for row in ROWS).encode()
        files = [("tensors.tsv", tensors), ("metadata.tsv", b"a\nb\nc\nd\n")]
        space = Workspace(tmp_path).space(keep_upload(tmp_path, files))
        assert space.texts == ("a", "b", "c", "d")

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("../../etc/passwd.vec", "passwd.vec"),
            ("C:\\Users\\me\\mine.vec", "mine.vec"),
            ("..", "vectors"),
            (".hidden.vec", "hidden.vec"),
            ("a\nb\0c.vec", "a_b_c.vec"),
            ("ж" * 300 + ".vec", "ж" * 80 + ".vec"),
            ("🦉" * 300 + ".vec", "🦉" * 40 + ".vec"),
            ("a\ud800.vec", "a_.vec"),
        ],
    )
    def test_a_name_leads_nowhere(self, tmp_path, given, kept):
        reference = keep_upload(tmp_path, [(given, TEXT)])
        assert upload_name(tmp_path, reference) == kept
        assert [path.name for path in tmp_path.iterdir()] == ["uploads"]

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            ([], "found 0 files"),
            ([("a.vec", TEXT)] * 2, "found 2 files"),
            ([("a.vec", TEXT), ("b.vec", TEXT), ("c.vec", TEXT)], "found 3 files"),
            ([("a.vec", TEXT), ("b.vec", TEXT)], "found a.vec and b.vec"),
            ([("a.txt", b"\x89PNG\r\n")], "found a PNG picture in a.txt"),
            ([("a.txt", b"")], "found an empty file a.txt"),
            ([("a.npy", npy())], "found a.npy without words"),
            ([("a.txt", b"only prose, no numbers\n")], "found a.txt, whose first line"),
        ],
    )
    def test_what_is_no_table_of_vectors_is_refused_and_not_kept(self, tmp_path, files, said):
        with pytest.raises(UnreadableFile) as refusal:
            keep_upload(tmp_path, files)
        assert str(refusal.value).startswith(said)
        assert str(tmp_path) not in str(refusal.value)
        assert not list(tmp_path.glob("uploads/*"))


class TestOpening:
    @pytest.mark.parametrize("key", ["", "x", "../uploads", "0" * 31, "G" * 32, "0" * 33])
    def test_a_name_that_no_upload_has(self, tmp_path, key):
        with pytest.raises(UnreadableFile, match="found a name that no upload has"):
            Workspace(tmp_path).teacher(f"upload:{key}")

    def test_one_that_is_not_here_names_no_path(self, tmp_path):
        with pytest.raises(UnreadableFile, match="found no such upload") as refusal:
            Workspace(tmp_path).space("upload:" + "0" * 32)
        assert str(tmp_path) not in str(refusal.value)

    @pytest.mark.parametrize("change", [lambda old: old[:-9] + b"9 9 9 9 9", lambda old: old[:-9]])
    def test_a_file_that_changed_on_the_disk_is_refused(self, tmp_path, change):
        reference = keep_upload(tmp_path, [("mine.vec", TEXT)])
        file = uploaded(tmp_path, reference).path
        file.write_bytes(change(TEXT))
        with pytest.raises(UnreadableFile, match=r"found mine\.vec with other content"):
            Workspace(tmp_path).space(reference)
        assert keep_upload(tmp_path, [("mine.vec", TEXT)]) == reference  # brought again
        assert len(Workspace(tmp_path).space(reference)) == 4

    def test_forgotten_it_is_gone_from_memory_and_disk(self, tmp_path):
        workspace = Workspace(tmp_path)
        reference = keep_upload(tmp_path, [("mine.vec", TEXT)])
        workspace.space(reference)
        workspace.forget_space(reference)
        forget_upload(tmp_path, reference)
        forget_upload(tmp_path, reference)  # twice does no harm
        assert not list(tmp_path.glob("cache/space/*"))
        with pytest.raises(UnreadableFile, match="found no such upload"):
            workspace.space(reference)


@pytest.mark.usefixtures("shared")
class TestWhereOthersAreServed:
    def test_an_upload_opens_though_paths_are_closed(self, tmp_path):
        reference = keep_upload(tmp_path, [("mine.vec", TEXT)])
        assert len(Workspace(tmp_path).space(reference)) == 4
        with pytest.raises(UnreadableFile, match="does not open"):
            Workspace(tmp_path).teacher(f"vectors:{uploaded(tmp_path, reference).path}")

    def test_one_that_takes_too_much_memory_is_refused(self, tmp_path):
        packed = npz(200_000, 200)  # 600 kB that are 160 MB
        with pytest.raises(UnreadableFile, match="on this server, which others share"):
            keep_upload(tmp_path, [("huge.npz", packed)])
        assert not list(tmp_path.glob("uploads/*"))

    def test_rows_count_too(self, tmp_path, monkeypatch):
        monkeypatch.setattr(uploads, "MOST_MEMORY", 1_000)
        reference = keep_upload(tmp_path, [("mine.vec", TEXT)])
        with pytest.raises(UnreadableFile, match=r"rows of 3 numbers in mine\.vec, which take"):
            Workspace(tmp_path).space(reference)

    def test_the_one_unused_for_longest_makes_room(self, tmp_path, monkeypatch):
        monkeypatch.setattr(uploads, "MOST_KEPT", 2 * len(TEXT) + 10)
        first, second = (keep_upload(tmp_path, [(f"{it}.vec", TEXT)]) for it in "ab")
        for number, reference in enumerate((first, second)):
            os.utime(tmp_path / "uploads" / reference.removeprefix("upload:"), (number, number))
        uploaded(tmp_path, first)  # used just now
        third = keep_upload(tmp_path, [("c.vec", TEXT)])
        assert upload_name(tmp_path, first) == "a.vec"
        assert upload_name(tmp_path, third) == "c.vec"
        with pytest.raises(UnreadableFile, match="found no such upload"):
            uploaded(tmp_path, second)


def test_on_ones_own_machine_nothing_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "MOST_KEPT", 1)
    monkeypatch.delenv(ALLOWED, raising=False)
    kept = [keep_upload(tmp_path, [(f"{it}.vec", TEXT)]) for it in "abc"]
    assert [upload_name(tmp_path, it) for it in kept] == ["a.vec", "b.vec", "c.vec"]
