"""What is kept: killed writers, damage of every kind in every file, disks that take nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidStudent, StoreError
from core.integrity import file_digest
from core.jobs.job import Status
from core.jobs.runner import Runner
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec
from core.signatures.states import MANIFEST, States
from core.spaces.space import Provenance, Space
from core.store.disk import Store
from core.students import registry
from core.students import storage as student_folder
from core.students.checkpoint import CHECKPOINT, HISTORY, PREVIEW, Checkpoints
from core.students.encoders.teacher_states import _digest, _is_whole
from core.students.families.transform import TransformSpec

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORDS = tuple(f"word{row}" for row in range(60))
VECTORS = np.random.default_rng(5).normal(size=(60, 6)).astype(np.float32)


def flip(content: bytearray, draw: np.random.Generator) -> bytes:
    content[draw.integers(len(content))] ^= 1 << int(draw.integers(8))
    return bytes(content)


def zeros(content: bytearray, draw: np.random.Generator) -> bytes:
    start = int(draw.integers(len(content) - 4))
    content[start : start + 64] = bytes(len(content[start : start + 64]))
    return bytes(content)


def cut(content: bytearray, draw: np.random.Generator) -> bytes:
    return bytes(content[: draw.integers(len(content))])


def tail(content: bytearray, draw: np.random.Generator) -> bytes:
    size = int(draw.integers(1, 64))
    return bytes(content[:-size]) + b"\xff" * size


DAMAGES = (flip, zeros, cut, tail)


def damaged(place: Path, times: int = 2) -> Iterator[tuple[Path, str]]:
    """Each file of a folder (or the file), damaged in each way, one after the other."""
    draw = np.random.default_rng(7)
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        whole = file.read_bytes() if file.is_file() else b""
        for damage in DAMAGES if whole else ():
            for _ in range(times):
                changed = damage(bytearray(whole), draw)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(changed)
                if changed != whole:
                    yield file, f"{damage.__name__} in {file.name}"
                if not file.parent.exists():
                    return  # the test put it aside and did not make it again
                file.write_bytes(whole)


# Killed


def test_a_writer_that_is_killed_anywhere_leaves_the_old_or_the_new(tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_writer.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [it["wrong"] for it in told.values()] == [[], [], []]
    assert all(it["killed"] > 10 for it in told.values())
    assert {"old", "new"} <= told["artefact"]["there"].keys()
    assert told["folder"]["there"].keys() == told["checkpoint"]["there"].keys() == {"old", "new"}


# Damaged


@pytest.fixture
def reference(tmp_path: Path) -> str:
    np.savez(tmp_path / "v.npz", words=np.array(WORDS), vectors=VECTORS)
    return f"vectors:{tmp_path / 'v.npz'}"


def asked(workspace_folder: Path, reference: str) -> dict[str, Any]:
    """What a page asks a new process for, by the kind of artefact."""
    workspace, spec = Workspace(workspace_folder), PcaSpec()
    space = workspace.space(reference)
    graph, picture = workspace.graph(space), workspace.projection(space, spec)
    measured, regions = workspace.faithfulness(space, spec), workspace.regions(space, spec)
    return {
        "space": (space.texts, space.digest, space.vectors.tobytes(), space.provenance),
        "graph": (graph.indices.tobytes(), graph.cosines.tobytes(), graph.method, graph.recall),
        "projection": (picture.coords.tobytes(), picture.spec, picture.space_digest),
        "faithfulness": (measured.per_point.tobytes(), measured.trustworthiness),
        "regions": (regions.cluster.tobytes(), regions.labels),
    }


@pytest.mark.parametrize("kind", ["space", "graph", "projection", "faithfulness", "regions"])
def test_damage_of_an_artefact_gives_no_wrong_figure_and_is_mended(tmp_path, reference, kind):
    workspace_folder = tmp_path / "workspace"
    right = asked(workspace_folder, reference)
    (place,) = (workspace_folder / "cache" / kind).iterdir()
    count = 0
    for file, said in damaged(place):
        assert asked(workspace_folder, reference)[kind] == right[kind], said
        assert file.exists(), said
        count += 1
    aside = list((workspace_folder / "damaged").iterdir())
    assert len(aside) == min(count, 20)
    assert count >= 15


def test_an_artefact_under_anothers_name_is_not_taken_for_it(tmp_path):
    store = Store(tmp_path / "cache")
    store.save("thing", "a", {"x": np.zeros(3)})
    shutil.copytree(store.folder("thing", "a"), store.folder("thing", "b"))
    assert store.has("thing", "a")
    assert not store.has("thing", "b")


def test_damage_of_a_student_is_refused_and_a_new_one_takes_its_place(tmp_path):
    space = Space.create(WORDS, VECTORS, Provenance("demo", "by hand"))
    student = registry.fit(space, TransformSpec(bytes_per_item=16.0))
    place = tmp_path / "student"
    student_folder.save(student, place)
    right = student.generate(WORDS[:5]).tobytes()
    for _, said in damaged(place):
        for read in (registry.load, student_folder.describe):
            with pytest.raises(InvalidStudent, match=r"copy it again|update this program"):
                print(said, read(place))
    student_folder.save(student, place)
    assert registry.load(place).generate(WORDS[:5]).tobytes() == right


def test_a_student_of_before_the_description_was_in_the_digest_is_read(tmp_path):
    space = Space.create(WORDS, VECTORS, Provenance("demo", "by hand"))
    student_folder.save(registry.fit(space, TransformSpec(bytes_per_item=16.0)), tmp_path / "s")
    description = tmp_path / "s" / student_folder.DESCRIPTION
    said = json.loads(description.read_text(encoding="utf-8"))
    said["digest"] = file_digest(tmp_path / "s" / student_folder.ARRAYS)
    description.write_text(json.dumps(said), encoding="utf-8")
    assert registry.load(tmp_path / "s").generate(WORDS[:1]).shape == (1, 6)


def test_damage_of_a_training_is_left_out(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"x": np.arange(40.0), "y": np.zeros((2, 3))}, {"step": 7, "seconds": 1.5})
    checkpoints.preview(np.arange(3), VECTORS[:3], 7)
    for step in range(3):
        checkpoints.record({"step": step, "loss": 0.5 - 0.1 * step})
    right = {it["step"]: it["loss"] for it in checkpoints.history()}
    for file, said in damaged(tmp_path, times=8):
        if file.name == CHECKPOINT:
            assert checkpoints.restore() is None, said
        elif file.name == PREVIEW:
            assert checkpoints.previewed() is None, said
        else:
            assert file.name == HISTORY
            assert {it["step"]: it["loss"] for it in checkpoints.history()}.items() <= right.items()
    assert checkpoints.restore()[1] == {"step": 7, "seconds": 1.5}


def test_damage_of_kept_states_is_refused(tmp_path):
    states = tmp_path / "states"
    states.mkdir()
    layers = [VECTORS, VECTORS + 1]
    for number, layer in enumerate(layers):
        np.save(states / f"layer_{number:02d}.npy", layer)
    tokens = pd.DataFrame({"token": WORDS, "text": 0})
    States((), tokens, ("a text",), "tiny", False).keep(states, 2)
    assert States.open(states).layers[1][0, 0] == layers[1][0, 0]
    for _, said in damaged(states):
        with pytest.raises(StoreError, match="does not read as states"):
            print(said, States.open(states))
    assert (states / MANIFEST).exists()


def test_damage_of_the_states_that_a_student_learns_from_is_noticed(tmp_path):
    file = tmp_path / "states.f16"
    with file.open("w+b") as stream:
        stream.write(VECTORS.astype(np.float16).tobytes())
        stream.write(_digest(stream, 2 * VECTORS.size))
    assert _is_whole(file, 2 * VECTORS.size)
    for _, said in damaged(file, times=8):
        sized = file.stat().st_size == 2 * VECTORS.size  # its digest alone is gone
        assert sized or not _is_whole(file, 2 * VECTORS.size), said


# Disks that take nothing


def on_a_small_disk(size: str, command: str) -> "subprocess.CompletedProcess[str]":
    """A shell command beside a real disk of that size, /mnt of a mount namespace of its own."""
    script = f"mount -t tmpfs -o size={size} tmpfs /mnt && cd {ROOT} && {command}"
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def small_disks() -> None:
    try:
        able = on_a_small_disk("64k", "true").returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("no right to mount a disk here")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("head -c 40k /dev/zero > /mnt/full; head -c 40k /dev/zero > /mnt/more", "No space left"),
        ("mount -o remount,ro /mnt", "Read-only file system"),
    ],
    ids=["full", "read-only"],
)
def test_the_result_is_told_where_the_disk_takes_nothing(small_disks, reference, prepare, said):
    command = f"{prepare}; {sys.executable} -m core.cli"
    asked_for = f"map {reference} --projector pca --workspace /mnt/w"
    done = on_a_small_disk("64k", f"{command} {asked_for}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["faithfulness"]
    lines = [line for line in done.stderr.split("\n") if "meaning-space:" in line]
    assert len(lines) == 1
    assert said in lines[0]
    assert "is shown, and gone when this program ends" in lines[0]


def test_the_page_gets_what_the_worker_could_not_write(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "workspace").write_text("in the way")
    runner = Runner(tmp_path / "workspace", recipes="held_recipes:RECIPES")
    try:
        job = runner.wait(runner.submit("make", {"count": 100_000}), 60.0)
    finally:
        runner.close()
    assert (job.status, job.result) == (Status.DONE, {"kept": False})
    shown = Store(tmp_path / "workspace" / "cache")
    np.testing.assert_array_equal(shown.load("thing", "a").arrays["x"], np.arange(100_000))
    assert shown.load("thing", "a").payload == {"why": "é"}
    assert shown.unkept == "Not a directory"


def test_a_picture_is_made_in_a_folder_that_is_a_file(tmp_path, reference):
    (tmp_path / "workspace").write_text("in the way")
    right = asked(tmp_path / "other", reference)
    assert asked(tmp_path / "workspace", reference) == right
    workspace = Workspace(tmp_path / "workspace")
    assert workspace.has_projection(workspace.space(reference), PcaSpec())
    assert workspace.store.unkept == "Not a directory"
