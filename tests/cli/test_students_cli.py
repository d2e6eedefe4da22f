"""distill, evaluate, generate, compare, pareto and update at the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_words import small_words
from toy_students import FlatStudent, ToySpec, registered

from core.cli import EXIT_INTERRUPTED, main
from core.pipeline import Workspace, distill
from core.students import registry, storage

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
STABLE = {
    *("bytes_total", "bytes_per_item", "parameters", "relative_error", "cosine"),
    *("cosine_centred", "recall", "held_out", "seconds"),
}


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(autouse=True)
def _own_workspace(workspace_folder: Path) -> None:
    """Every command finds what an earlier one computed."""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; its stdout as JSON."""

    def run(*arguments: str) -> Any:
        assert main([*map(str, arguments)]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return json.loads(captured.out)

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command that cannot work; the one line that it says."""

    def run(*arguments: str) -> str:
        assert main([*map(str, arguments)]) == 2
        said = capsys.readouterr().err
        assert said.startswith("meaning-space: found ")
        assert said.count("\n") == 1
        return said

    return run


@pytest.fixture(scope="module")
def students(tmp_path_factory, words_reference, workspace_folder) -> Path:
    """A toy, its second seed and a flat one."""
    place = tmp_path_factory.mktemp("students")
    for name, family, seed in (("toy", "toy", 0), ("other", "toy", 1), ("flat", "flat", 0)):
        arguments = ["distill", words_reference, "--student", family, "--seed", str(seed)]
        assert main([*arguments, "--out", str(place / name), "--report", str(place / "r")]) == 0
    return place


class TestDistill:
    def test_its_report(self, capsys, words_reference, tmp_path):
        out, file = tmp_path / "s", tmp_path / "r.json"
        command = ["distill", words_reference, "--student", "flat", "--bytes-per-item", "120"]
        assert main([*command, "--seed", "3", "--out", str(out), "--report", str(file)]) == 0
        said = capsys.readouterr().out
        assert said.startswith("flat of ")
        assert said.count("\n") < 12
        report = json.loads(file.read_text(encoding="utf-8"))
        assert set(report) >= STABLE
        assert set(report["recall"]) == {"1", "10", "100"}
        assert (report["seed"], report["spec"]["bytes_per_item"]) == (3, 120)
        assert report["bytes_total"] == sum(it.stat().st_size for it in out.iterdir())
        assert report["bytes_per_item"] == report["bytes_total"] / len(small_words()[0])
        assert report["seconds"] > 0

    def test_to_standard_output(self, told, words_reference, tmp_path):
        arguments = ("--student", "toy", "--quick", "--set", "steps=3", "--out", tmp_path / "s")
        report = told("distill", words_reference, *arguments, "--json")
        assert report["spec"]["steps"] == 3
        assert report["held_out"]["items"] > 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--student", "gan"], "found the student family 'gan'"),
            (["--student", "flat", "--bytes-per-item", "0"], "found 0 bytes per item"),
            (["--student", "flat", "--bytes-per-item", "nan"], "found nan bytes per item"),
            (["--student", "flat", "--seed", "-1"], "found seed -1"),
            (["--student", "toy", "--set", "pace=2"], "found pace for the family toy"),
            (["--student", "toy", "--set", "steps"], "found --set 'steps'"),
        ],
    )
    def test_bad_input(self, refused, words_reference, tmp_path, arguments, said):
        assert said in refused("distill", words_reference, *arguments, "--out", tmp_path / "s")
        assert not (tmp_path / "s").exists()

    def test_a_folder_of_other_things_is_left_alone(self, refused, words_reference, tmp_path):
        (tmp_path / "thesis.txt").write_text("years of work")
        said = refused("distill", words_reference, "--student", "flat", "--out", tmp_path)
        assert "with other things in it" in said

    def test_nowhere_to_write_is_said_before_the_work(self, refused, words_reference, tmp_path):
        out = tmp_path / "absent" / "s"
        said = refused("distill", words_reference, "--student", "flat", "--out", out)
        assert "found no folder" in said

    def test_ctrl_c_keeps_what_was_learnt(self, words_reference, tmp_path, monkeypatch):
        """Interrupted, then the same command again: the same student as without."""
        settings = ["--set", "pause_between=0.05", "--set", "steps=40"]
        command = ["distill", words_reference, "--student", "toy", *settings]
        command += ["--out", str(tmp_path / "s"), "--workspace", str(tmp_path / "w")]
        code = "import toy_recipes, sys; from core.cli import main; sys.exit(main(sys.argv[1:]))"
        first = subprocess.Popen(
            [sys.executable, "-c", code, *command],
            env={**os.environ, "PYTHONPATH": f"{HELPERS.parents[1]}{os.pathsep}{HELPERS}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        catalogue = Workspace(tmp_path / "w").catalogue
        end = time.monotonic() + 120
        while not any(it.history for it in catalogue.trainings()) and time.monotonic() < end:
            time.sleep(0.02)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=60)
        assert first.returncode == EXIT_INTERRUPTED, said
        assert b"run the same command again to go on" in said
        assert len(catalogue.trainings()) == 1
        assert not (tmp_path / "s").exists()
        monkeypatch.setenv("MEANING_SPACE_WORKSPACE", "put back afterwards")
        assert main([*command, "--report", str(tmp_path / "r.json")]) == 0
        assert catalogue.trainings() == []
        spec = ToySpec(pause_between=0.05, steps=40)
        whole = distill(Workspace(tmp_path / "x"), words_reference, spec, "whole")
        assert storage.digest(tmp_path / "s") == storage.digest(whole.folder)


class TestEvaluate:
    def test_json(self, told, students):
        report = told("evaluate", students / "toy", "--json")
        assert set(report) >= STABLE
        assert report["timing"]["training"] > 0  # as distill measured it

    def test_text(self, students, capsys):
        assert main(["evaluate", str(students / "toy")]) == 0
        text = capsys.readouterr().out
        assert "relative error" in text
        assert "not taught" in text

    def test_bad_input(self, refused, tmp_path, students):
        assert "expected the folder of one" in refused("evaluate", tmp_path / "absent")
        said = refused("evaluate", students / "flat", "--teacher", "minilm:tokens")
        assert "expected its own teacher" in said

    def test_a_folder_comes_before_a_key(self, students, monkeypatch, told):
        monkeypatch.chdir(students)
        assert told("evaluate", "flat", "--json")["family"] == "flat"


class TestGenerate:
    def test_items_and_vectors(self, told, students, tmp_path):
        file = tmp_path / "v.npy"
        answer = told(
            "generate", students / "toy", "dog", "gribble", "-k", "4", "--json", "--vectors", file
        )
        assert [item["text"] for item in answer["items"]] == ["dog", "gribble"]
        for item in answer["items"]:
            assert set(item) == {"text", "known", "nearest"}
            assert len(item["nearest"]) == 4
            assert set(item["nearest"][0]) == {"text", "cosine"}
        written = np.load(file, allow_pickle=False)
        assert written.shape == (2, 50)
        assert written.dtype == np.float32
        expected = registry.load(students / "toy").generate(["dog", "gribble"])
        np.testing.assert_array_equal(written, expected)

    def test_known_is_what_is_stored(self, told, students, refused):
        (item,) = told("generate", students / "flat", "dog", "--json")["items"]
        assert item["known"]
        assert "dog" not in [near["text"] for near in item["nearest"]]
        assert "expected one of its" in refused("generate", students / "flat", "gribble")

    def test_text(self, students, capsys):
        assert main(["generate", str(students / "toy"), "dog"]) == 0
        assert capsys.readouterr().out.startswith("dog (not stored): ")


class TestCompare:
    def test_teacher_and_student(self, told, students, words_reference):
        found = told("compare", words_reference, students / "toy", "--json")
        assert found["shared"] == len(small_words()[0])
        assert {"cka", "rsa", "procrustes_residual", "recall10"} <= set(found["summary"])
        assert {"row", "text", "drift", "lost", "gained", "says"} <= set(found["moved"][0])
        # Its second seed lies in no workspace, so nobody knows of it.
        assert "train it again with another seed" in found["null"]

    def test_two_students_as_text(self, students, capsys):
        assert main(["compare", str(students / "toy"), str(students / "other")]) == 0
        assert "items that both have. None is left out." in capsys.readouterr().out


def test_every_other_command_takes_a_student_for_a_teacher(told, students):
    reference = f"student:{students / 'toy'}"
    assert len(told("neighbors", reference, "dog", "--json")["neighbors"]) == 10
    assert told("path", reference, "dog", "sea", "--steps", "4", "--json")["steps"]
    assert told("map", reference, "--projector", "pca")["teacher"] == reference


class TestPareto:
    def test_points_to_a_file(self, words_reference, tmp_path, told):
        out = tmp_path / "p.json"
        assert main(["pareto", words_reference, "--out", str(out)]) == 0
        found = json.loads(out.read_text())
        assert found["complete"]
        kinds = {point["kind"] for point in found["points"]}
        assert {"rival", "limit"} <= kinds
        assert told("pareto", words_reference)["items"] == len(small_words()[0])


class TestUpdate:
    def test_new_words_are_known_at_once(self, told, capsys, words_reference, tmp_path):
        """A hybrid, which takes new words without learning; some are the teacher's own anew."""
        command = ["distill", words_reference, "--student", "hybrid", "--quick"]
        command += ["--bytes-per-item", "150", "--report", str(tmp_path / "r.json")]
        assert main([*command, "--out", str(tmp_path / "s")]) == 0
        capsys.readouterr()
        words, vectors = small_words()
        named = ["gribble", "frobnicate", words[3]]
        np.savez(tmp_path / "new.npz", words=np.array(named), vectors=vectors[:3][::-1])
        arguments = ("--add", tmp_path / "new.npz", "--out", tmp_path / "s2")
        done = told("update", tmp_path / "s", *arguments, "--json")
        assert (done["added"], done["replaced"]) == (2, 1)
        assert done["seconds"] < 5
        held = sum(it.stat().st_size for it in (tmp_path / "s2").iterdir())
        assert done["bytes_total"] == held
        before = told("generate", tmp_path / "s", "gribble", words[9], "--json")["items"]
        after = told("generate", tmp_path / "s2", "gribble", words[9], "--json")["items"]
        assert [item["known"] for item in before] == [False, True]
        assert [item["known"] for item in after] == [True, True]
        found = registry.load(tmp_path / "s2").generate(named).astype(np.float64)
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b)
                   for a, b in zip(found, vectors[:3][::-1], strict=True)]  # fmt: skip
        assert min(cosines) > 0.8
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["held_out"]["items"] > 0
        assert (
            report["held_out"]["cosine"] < report["cosine"]
        )  # guessed, though their rows are kept

    def test_other_dimensions(self, refused, words_reference, tmp_path, monkeypatch):
        monkeypatch.setattr(FlatStudent, "add", lambda *_: 1 / 0, raising=False)
        assert main(["distill", words_reference, "--student", "flat", "--out", f"{tmp_path}/s",
                     "--report", f"{tmp_path}/r"]) == 0  # fmt: skip
        np.savez(tmp_path / "new.npz", words=np.array(["x"]), vectors=np.ones((1, 3)))
        arguments = ("--add", tmp_path / "new.npz", "--out", tmp_path / "s2")
        assert "found vectors of 3 dimensions" in refused("update", tmp_path / "s", *arguments)

    def test_families_that_cannot_say_which_can(self, refused, students, words_file, tmp_path):
        said = refused("update", students / "flat", "--add", words_file, "--out", tmp_path / "s")
        assert "expected a hybrid" in said
        assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "command", ["distill", "evaluate", "generate", "compare", "pareto", "update"]
)
def test_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert command in capsys.readouterr().out
