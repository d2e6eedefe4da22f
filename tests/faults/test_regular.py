"""What stands where a file should: pipes, devices, files that change, other texts with one digest.

Nothing here may wait: a reader that opens a pipe hangs, and the time limit of the test ends it.
"""

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import main
from core.errors import InvalidStudent, StoreError, TeacherUnavailable, UnreadableFile
from core.integrity import file_digest
from core.pipeline.doctor import kept_in
from core.pipeline.workspace import Workspace
from core.regular import read_bytes
from core.signatures.states import States
from core.spaces.io import read_vectors, require_readable
from core.spaces.space import Provenance, Space
from core.spaces.text_index import as_bytes
from core.store.disk import Store
from core.students import storage as student_folder
from core.students.checkpoint import HISTORY, Checkpoints
from core.teachers import word_vectors
from core.teachers.word_vectors import VectorsFile
from core.weights import read_object

LINES = b"cat 1 0.1 0\ndog 0.9 0.2 0.1\ncar 0 1 0.1\nbus 0.1 0.9 0\n"
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A reader that waits for a pipe is interrupted; the workspace is the test's own."""
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path / "workspace"))
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def waited(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@needs_pipes
@pytest.mark.parametrize(
    "command",
    [
        ("hidden", "minilm", "--file", "{}", "--out", "{out}"),
        ("signature", "minilm", "--file", "{}", "--out", "{out}"),
        ("senses", "minilm", "bank", "--file", "{}"),
        ("probe", "minilm", "--file", "{}"),
        ("cka", "minilm", "minilm", "--file", "{}"),
    ],
)
@pytest.mark.parametrize(("kind", "name"), [("a pipe", ""), ("a device", "/dev/zero")])
def test_a_file_of_texts_is_a_regular_one(command, kind, name, tmp_path, capsys):
    name = name or str(pipe(tmp_path / "texts"))
    arguments = [it.format(name, out=tmp_path / "out.safetensors") for it in command]
    assert f"found no text in {name} (it is {kind}); expected" in told(capsys, *arguments)


@needs_pipes
def test_a_file_of_vectors_is_a_regular_one(tmp_path, capsys):
    name = pipe(tmp_path / "v.npy")
    assert "found a pipe '" in told(capsys, "neighbors", f"vectors:{name}", "cat")
    with pytest.raises(UnreadableFile, match="found a device /dev/zero; expected"):
        read_vectors(Path("/dev/zero"))
    assert "it is a pipe" in told(capsys, "describe", "minilm:tokens", str(name))


def test_no_more_is_read_than_asked(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bytes(tmp_path / "a", 4)
    with pytest.raises(OSError, match="it is a folder"):
        read_bytes(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that does not read")
@pytest.mark.parametrize(
    "read", [read_vectors, require_readable, lambda it: VectorsFile(it).digest]
)
def test_a_file_that_does_not_read_is_named_with_the_reason(read):
    with pytest.raises(UnreadableFile, match=r"found /proc/self/mem, .* \(Input/output error\)"):
        read(Path("/proc/self/mem"))


@needs_pipes
@pytest.mark.parametrize("file", ["manifest.json", "arrays.safetensors", "items.parquet"])
def test_a_pipe_in_an_artefact_is_damage_and_is_made_again(file, tmp_path):
    (tmp_path / "v.txt").write_bytes(LINES)
    reference = f"vectors:{tmp_path / 'v.txt'}"
    workspace = Workspace(tmp_path / "workspace")
    vectors = workspace.space(reference).vectors
    place = workspace.store.folder("space", workspace.space_key(reference))
    pipe(place / file)
    assert len(kept_in(workspace.folder).faults) == 1
    other = Workspace(workspace.folder)
    np.testing.assert_array_equal(other.space(reference).vectors, vectors)
    assert (place / file).is_file()
    assert len(list((workspace.folder / "damaged").iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_in_a_circle_is_damage(tmp_path):
    store = Store(tmp_path / "cache")
    store.save("thing", "one", payload={"a": 1})
    manifest = store.folder("thing", "one") / "manifest.json"
    manifest.unlink()
    manifest.symlink_to("manifest.json")
    assert not store.has("thing", "one")
    with pytest.raises(StoreError):
        store.load("thing", "one")
    assert store.save("thing", "one", payload={"a": 2})
    assert store.load("thing", "one").payload == {"a": 2}


@needs_pipes
def test_pipes_in_the_other_folders_that_are_read(tmp_path):
    for name in ("student.json", "manifest.json", "config.json", HISTORY):
        pipe(tmp_path / name)
    with pytest.raises(InvalidStudent, match="it is a pipe"):
        student_folder.describe(tmp_path)
    with pytest.raises(StoreError, match="it is a pipe"):
        States.open(tmp_path)
    with pytest.raises(TeacherUnavailable, match="it is a pipe"):
        read_object(tmp_path / "config.json", "x")
    assert Checkpoints(tmp_path).history() == []


@needs_pipes
def test_a_pipe_is_no_workspace(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(pipe(tmp_path / "w")))
    assert "found a pipe at" in told(capsys, "doctor")


def changed_while_read(monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes) -> None:
    """Another program writes into a file just when it has been read."""

    def read(path: Path) -> object:
        named = read_vectors(path)
        file.write_bytes(content)
        return named

    monkeypatch.setattr(word_vectors, "read_vectors", read)


def test_vectors_that_change_while_they_are_read_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "v.txt"
    file.write_bytes(LINES)
    changed_while_read(monkeypatch, file, LINES.replace(b"0.9", b"0.8"))
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(TeacherUnavailable, match="changed while it was read"):
        workspace.space(f"vectors:{file}")
    space = workspace.space(f"vectors:{file}")
    assert space.vectors[1, 0] == np.float32(0.8)
    assert space.provenance.revision == file_digest(file)


def test_labels_beside_vectors_are_watched_too(tmp_path, monkeypatch):
    np.save(tmp_path / "v.npy", np.eye(2, dtype=np.float32))
    labels = tmp_path / "v.txt"
    labels.write_bytes(b"cat\ndog\n")
    teacher = VectorsFile(tmp_path / "v.npy")
    changed_while_read(monkeypatch, labels, b"cat\ncow\n")
    with pytest.raises(TeacherUnavailable, match="changed while it was read"):
        teacher.space()
    assert teacher.space().texts == ("cat", "cow")


def test_nothing_is_kept_under_the_key_of_other_content(tmp_path, monkeypatch):
    """The key is taken first; the file changes before its teacher begins to read."""
    file = tmp_path / "v.txt"
    file.write_bytes(LINES)
    workspace = Workspace(tmp_path / "workspace")
    before = workspace.space_key(f"vectors:{file}")
    begin = VectorsFile.space

    def space(self: VectorsFile, *rest: object) -> Space:
        file.write_bytes(LINES.replace(b"dog", b"cow"))
        return begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(VectorsFile, "space", space)
        with pytest.raises(TeacherUnavailable, match="changed while it was read"):
            workspace.space(f"vectors:{file}")
    assert not workspace.store.has("space", before)


def test_an_old_time_does_not_hide_new_content(tmp_path):
    file = tmp_path / "v.txt"
    file.write_bytes(LINES)
    os.utime(file, (1e9, 1e9))
    before = file_digest(file)
    file.write_bytes(LINES.replace(b"dog", b"cow"))
    os.utime(file, (1e9, 1e9))
    assert file_digest(file) != before


def test_an_encrypted_archive_says_so(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array(["a", "b"]), vectors=np.eye(2, dtype=np.float32))
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # of each member: its flags
        at = raw.find(mark)
        while at >= 0:
            raw[at + place] |= 1
            at = raw.find(mark, at + 1)
    path.write_bytes(raw)
    assert zipfile.ZipFile(path).infolist()[0].flag_bits & 1
    for read in (read_vectors, require_readable):
        with pytest.raises(UnreadableFile, match=r"^found v.npz encrypted; expected an archive wi"):
            read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 3\n", "found a header of 0 words of 3 numbers in v.vec; expected at least one"),
        (b"0 3", "found a header of 0 words of 3 numbers"),
        (b"0 0\n", "found a header of 0 words of 0 numbers"),
        (b"0 3\r\n\r\n", "found a header of 0 words of 3 numbers"),
        (b"0 3\ncat 1 2 3\n", "found a header of 0 words of 3 numbers"),
        (b"7 3\n", "found 0 words in v.vec, whose header says 7"),
    ],
)
def test_a_header_of_nothing(content, message, tmp_path):
    (tmp_path / "v.vec").write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        read_vectors(tmp_path / "v.vec")


def test_numbers_may_be_words_of_one_number(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"0 3\n1 4\ncat 5\n")
    named = read_vectors(tmp_path / "v.txt")
    assert named.texts == ("0", "1", "cat")
    assert named.vectors.tolist() == [[3], [4], [5]]


def test_a_space_of_one_item_says_that_there_is_no_other(tmp_path, capsys):
    (tmp_path / "v.txt").write_bytes(b"cat 1 0.5\n")
    assert main(["neighbors", f"vectors:{tmp_path / 'v.txt'}", "cat"]) == 0
    assert capsys.readouterr().out == "no other item\n"


def test_equal_texts_are_told_apart_in_lines(tmp_path, capsys):
    (tmp_path / "v.txt").write_bytes(b"cat 1 0.5\nthe 1 0.4\nthe 1 0.3\nbus 0 1\n")
    reference = f"vectors:{tmp_path / 'v.txt'}"
    assert main(["neighbors", reference, "cat"]) == 0
    assert [line[7:] for line in capsys.readouterr().out.split("\n")] == ["the", "the#2", "bus", ""]
    assert main(["neighbors", reference, "cat", "--json"]) == 0
    near = json.loads(capsys.readouterr().out)["neighbors"]
    assert [it.get("item") for it in near] == ["the", "the#2", None]
    assert main(["solve", reference, "cat + bus"]) == 0
    assert "the#2" in capsys.readouterr().out
    assert main(["path", reference, "cat", "bus", "--steps", "3", "--kind", "lerp"]) == 0
    assert "the#2" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="arguments are bytes")
@pytest.mark.parametrize(
    "command",
    [
        ("neighbors", "minilm:tokens"),
        ("lens", "smollm2"),
        ("nothing",),
        ("cka", "a", "b", "--file"),
    ],
)
def test_an_argument_that_is_no_utf8_is_refused(command, tmp_path):
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"core.cli", *map(os.fsencode, command), b"caf\xe9"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"meaning-space: found the argument 'caf\\udce9', which is not ")
    assert done.stderr.count(b"\n") == 1


TEXTS = st.lists(st.text("ab\x1f", max_size=3), min_size=1, max_size=3)


def digest(texts: list[str], ids: list[str] | None = None) -> str:
    vectors = np.zeros((len(texts), 1))
    return Space.create(texts, vectors, Provenance("x", "x"), ids=ids).digest


@given(TEXTS, TEXTS)
def test_two_lists_of_texts_are_never_the_same_bytes(one, other):
    assert (as_bytes(one) == as_bytes(other)) == (one == other)


def _spaces(n: int) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    texts = st.text("ab\x1f", max_size=2)
    return st.tuples(
        st.lists(texts, min_size=n, max_size=n),
        st.lists(texts, min_size=n, max_size=n, unique=True),
    )


@given(st.integers(1, 3).flatmap(lambda n: st.tuples(_spaces(n), _spaces(n))))
def test_two_lists_of_texts_and_ids_never_have_one_digest(pair):
    one, other = pair
    assert (digest(*one) == digest(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((["a\x1fb", "c"], ["1", "2"]), (["a", "b\x1fc"], ["1", "2"])),
        ((["a", "b"], ["c", "d"]), (["a", "bc"], ["", "d"])),
        ((["ab"], ["c"]), (["a"], ["bc"])),
    ],
)
def test_texts_that_once_had_one_digest(one, other):
    assert digest(*one) != digest(*other)


@pytest.mark.parametrize(
    ("texts", "ids", "kept"),
    [
        (["cat", "dog"], None, "ff14e6893fcf5533558449e7e54c30fe"),
        (["a cat", "a dog"], ["Pets/0", "Pets/1"], "ac04c68ac80e67fd5b82dcf561984100"),
        (["the", "the"], ["0", "1"], "defa974c62eed42670165420c6ccf183"),
    ],
)
def test_digests_of_usual_spaces_stay_as_they_were(texts, ids, kept):
    assert digest(texts, ids) == kept
