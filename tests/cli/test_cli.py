"""The command line: stable JSON fields, files written, and answers that agree with the vectors."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import geometric_slerp
from small_words import glove, small_words

from core.cli import main
from core.cli.shared import say

ROOT = Path(__file__).resolve().parents[2]
PAIR = {"text", "cosine"}


@pytest.fixture(autouse=True)
def _own_workspace(workspace_folder: Path) -> None:
    """Every command finds what an earlier one computed."""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; its stdout as JSON."""

    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return json.loads(captured.out)

    return run


def vector(word: str) -> Any:
    words, vectors = small_words()
    return vectors[words.index(word)].astype(np.float64)


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class TestTeachers:
    def test_json(self, told):
        listed = told("teachers")
        for row in listed:
            assert {"reference", "items", "dim", "can", "licence"} <= set(row)
            assert isinstance(row["can"], list)
        assert [row["reference"] for row in listed] == [
            "minilm:tokens",
            "minilm:words",
            "minilm:sentences",
            "glove:30000",
            "glove",
            "smollm2:tokens",
        ]
        last = listed[-2]
        assert (last["items"], last["dim"], last["can"]) == (400_000, 50, ["rows"])
        assert last["licence"].startswith("PDDL")

    def test_text(self, capsys):
        assert main(["teachers"]) == 0
        text = capsys.readouterr().out
        assert "minilm:tokens" in text
        assert "vectors:FILE" in text


class TestNeighbors:
    def test_fields_and_figures(self, told, words_reference):
        answer = told("neighbors", words_reference, "Ocean", "-k", "5")
        assert set(answer) >= {"teacher", "query", "neighbors"}
        assert (answer["teacher"], answer["query"]) == (words_reference, "ocean")
        words, vectors = small_words()
        cosines = unit(vectors.astype(np.float64)) @ unit(vector("ocean"))
        order = [row for row in np.argsort(-cosines) if words[row] != "ocean"][:5]
        assert [near["text"] for near in answer["neighbors"]] == [words[row] for row in order]
        for near, row in zip(answer["neighbors"], order, strict=True):
            assert set(near) == PAIR
            assert near["cosine"] == pytest.approx(cosines[row], abs=2e-6)

    def test_vectors_are_written(self, told, words_reference, tmp_path):
        file = tmp_path / "query.vector"  # the name is the person's: nothing is appended
        told("neighbors", words_reference, "red boat", "--vectors", str(file))
        written = np.load(file, allow_pickle=False)
        assert written.dtype == np.float32
        np.testing.assert_allclose(written, (vector("red") + vector("boat")) / 2, atol=1e-6)

    def test_text(self, capsys, words_reference):
        assert main(["neighbors", words_reference, "ocean", "-k", "3"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 3
        assert all(re.fullmatch(r"-?\d\.\d{3}  \S.*", line) for line in lines)

    def test_k_is_clipped_to_what_there_is(self, told, words_reference):
        answer = told("neighbors", words_reference, "ocean", "-k", "100000")
        assert len(answer["neighbors"]) == len(small_words()[0]) - 1


class TestPath:
    FIELDS = {  # noqa: RUF012
        *("t", "x", "y", "norm", "norm_percentile", "knn_percentile", "cosine_to_start"),
        *("cosine_to_end", "nearest", "nearest_without_waypoints"),
    }

    @pytest.mark.parametrize("kind", ["lerp", "slerp", "graph"])
    def test_fields(self, told, words_reference, kind):
        answer = told("path", words_reference, "dog", "Ocean", "king", "--kind", kind, "-k", "4")
        assert set(answer) >= {"teacher", "kind", "waypoints", "steps"}
        assert (answer["teacher"], answer["kind"]) == (words_reference, kind)
        assert answer["waypoints"] == ["dog", "ocean", "king"]
        assert len(answer["steps"]) == 48
        for step in answer["steps"]:
            assert set(step) >= self.FIELDS
            for near in (*step["nearest"], *step["nearest_without_waypoints"]):
                assert set(near) == PAIR
            assert len(step["nearest"]) == len(step["nearest_without_waypoints"]) == 4
            without = {near["text"] for near in step["nearest_without_waypoints"]}
            assert not without & {"dog", "ocean", "king"}
            assert 0 <= step["norm_percentile"] <= 100
            assert 0 <= step["knn_percentile"] <= 100
        first, last = answer["steps"][0], answer["steps"][-1]
        assert (first["t"], last["t"]) == (0, 1)
        assert (first["nearest"][0]["text"], last["nearest"][0]["text"]) == ("dog", "king")
        assert first["cosine_to_start"] == pytest.approx(1, abs=1e-6)
        assert last["cosine_to_end"] == pytest.approx(1, abs=1e-6)
        assert first["cosine_to_end"] == pytest.approx(
            unit(vector("dog")) @ unit(vector("king")), abs=1e-6
        )
        if kind == "graph":
            assert answer["visited"][0] == "dog"
            assert answer["visited"][-1] == "king"

    def test_the_points_are_those_of_scipy(self, told, words_reference, tmp_path):
        file = tmp_path / "points.npy"
        arguments = ("dog", "king", "--steps", "20", "--vectors", str(file))
        answer = told("path", words_reference, *arguments)
        points = np.load(file, allow_pickle=False)
        t = np.linspace(0, 1, 20)
        start, end = vector("dog"), vector("king")
        norms = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
        expected = norms[:, None] * geometric_slerp(unit(start), unit(end), t)
        np.testing.assert_allclose(points, expected, atol=3e-6)
        assert points.dtype == np.float32
        norms_told = [step["norm"] for step in answer["steps"]]
        np.testing.assert_allclose(norms_told, norms, rtol=1e-6)

    def test_places_are_on_the_map_that_was_asked_for(self, told, words_reference, tmp_path):
        flat = tmp_path / "map.parquet"
        report = str(tmp_path / "report.json")
        drawn = ["map", words_reference, "--projector", "pca", "--out", str(flat)]
        assert main([*drawn, "--report", report]) == 0
        table = pd.read_parquet(flat).set_index("text")
        answer = told("path", words_reference, "dog", "king", "--projector", "pca", "--steps", "9")
        for step, word in ((0, "dog"), (-1, "king")):
            found = answer["steps"][step]
            assert [found["x"], found["y"]] == [table.loc[word, "x"], table.loc[word, "y"]]
        deep = told("path", words_reference, "dog", "king", "--dims", "3", "--steps", "9")
        assert all("z" in step for step in deep["steps"])

    def test_text(self, capsys, words_reference):
        assert main(["path", words_reference, "dog", "king", "--steps", "6"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 6
        assert lines[0].startswith("0.00  dog")
        assert lines[-1].startswith("1.00  king")


class TestSumsAndAxes:
    def test_solve(self, told):
        answer = told("solve", "glove:5000", "king - man + woman")
        assert set(answer) >= {"answers", "answers_with_inputs"}
        assert answer["answers"][0]["text"] == "queen"
        assert answer["answers_with_inputs"][0]["text"] == "king"
        rows, table = glove()
        king, man, woman, queen = (
            unit(table[rows[word]].astype(np.float64)) for word in ("king", "man", "woman", "queen")
        )
        expected = unit(king - man + woman) @ queen
        assert answer["answers"][0]["cosine"] == pytest.approx(expected, abs=2e-6)
        assert all(set(pair) == PAIR for pair in answer["answers"])

    def test_axis(self, told, words_reference):
        words = ["mouse", "elephant", "small", "tiny", "large", "huge"]
        options = ("--from", "small,tiny", "--to", "large, huge")
        answer = told("axis", words_reference, *options, *words)
        assert [row["text"] for row in answer["scores"]] == words
        assert all(set(row) == {"text", "score"} for row in answer["scores"])
        score = {row["text"]: row["score"] for row in answer["scores"]}
        assert (score["small"] + score["tiny"]) / 2 == pytest.approx(-1, abs=1e-4)
        assert (score["large"] + score["huge"]) / 2 == pytest.approx(1, abs=1e-4)
        low = (unit(vector("small")) + unit(vector("tiny"))) / 2
        high = (unit(vector("large")) + unit(vector("huge"))) / 2
        middle, way = (low + high) / 2, high - low
        expected = 2 * (unit(vector("mouse")) - middle) @ way / (way @ way)
        assert score["mouse"] == pytest.approx(expected, abs=1e-4)


class TestMap:
    def run(self, reference: str, folder: Path, *options: str) -> tuple[pd.DataFrame, Any]:
        folder.mkdir(exist_ok=True)
        table, report = folder / "m.parquet", folder / "r.json"
        files = ("--out", str(table), "--report", str(report))
        workspace_folder = ("--workspace", str(folder / "workspace"))
        with pytest.MonkeyPatch.context() as patch:  # the command sets it for its process
            patch.setenv("MEANING_SPACE_WORKSPACE", "")
            assert main(["map", reference, *options, *files, *workspace_folder]) == 0
        return pd.read_parquet(table), json.loads(report.read_text(encoding="utf-8"))

    def test_columns_and_report(self, words_reference, tmp_path, capsys):
        table, report = self.run(words_reference, tmp_path, "--projector", "pca", "--dims", "3")
        words, vectors = small_words()
        assert list(table.columns) == ["id", "text", "x", "y", "z"]
        assert table["text"].tolist() == words
        assert table["id"].is_unique
        centred = unit(vectors.astype(np.float64))
        centred -= centred.mean(axis=0)
        variances = np.linalg.svd(centred, compute_uv=False)[:3] ** 2
        found = table[["x", "y", "z"]].to_numpy(np.float64)
        np.testing.assert_allclose((found**2).sum(axis=0), variances, rtol=1e-4)
        assert (report["n"], report["dim"]) == vectors.shape
        assert set(report["seconds"]) >= {"space", "picture", "faithfulness", "total"}
        assert all(value >= 0 for value in report["seconds"].values())
        for measure in ("trustworthiness", "continuity", "overlap", "triplets"):
            assert 0 <= report["faithfulness"][measure] <= 1
        assert report["faithfulness"]["k"] == 15
        assert "per_point" not in report["faithfulness"]
        assert capsys.readouterr().out == ""

    def test_the_report_goes_to_stdout_when_no_file_is_named(self, told, words_reference, capsys):
        assert main(["map", words_reference, "--projector", "pca"]) == 0
        assert json.loads(capsys.readouterr().out)["teacher"] == words_reference

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_too_few_items_get_no_marks(self, n, tmp_path, workspace_folder, capsys):
        file = tmp_path / "few.vec"
        file.write_text("".join(f"w{row} {row % 2} {row + 1} {row * row}\n" for row in range(n)))
        assert main(["map", f"vectors:{file}", "--projector", "pca"]) == 0
        told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["faithfulness"]
        assert (told["trustworthiness"] is None) == (n < 3)
        assert (told.get("note") == "too few items to judge") == (n < 3)

    def test_the_same_seed_draws_the_same_map(self, words_reference, tmp_path):
        options = ("--projector", "umap", "--seed", "1", "--set", "n_epochs=60")
        one, report = self.run(words_reference, tmp_path / "one", *options)
        two, _ = self.run(words_reference, tmp_path / "two", *options)
        pd.testing.assert_frame_equal(one, two, check_exact=True)
        assert report["spec"]["seed"] == 1
        assert report["faithfulness"]["overlap"] > 0.2  # chance is 15 in 300
        other = self.run(
            words_reference, tmp_path / "two", "--projector", "umap", "--seed", "2", *options[4:]
        )[0]
        assert not np.allclose(one["x"], other["x"], atol=0.01)


def python(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        **more,
    )


def test_help_is_quick():
    python("--help")  # compile the bytecode, fill the disk's cache
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = python("--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
    for command in ("app", "teachers", "map", "neighbors", "path", "solve", "axis"):
        assert command in done.stdout
    assert min(seconds) < 0.3, seconds


def test_what_json_has_no_number_for_is_null(capsys):
    answer = {"a": [1.5, float("nan")], "b": ({"c": -np.inf, "d": np.float64("nan")}, "NaN")}
    say(Namespace(json=True), answer, str)
    found = json.loads(capsys.readouterr().out)
    assert found == {"a": [1.5, None], "b": [{"c": None, "d": None}, "NaN"]}


def test_any_word_can_be_told_to_any_terminal(words_reference, workspace_folder):
    """On a terminal that knows ASCII alone an emoji is escaped, not a traceback."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = python("neighbors", words_reference, "😀", "-k", "400", env=environment)
    assert done.returncode == 0, done.stderr
    assert "\\u05e9" in done.stdout  # the first letter of the Hebrew word


def test_the_app_serves(tmp_path):
    """The command becomes the server, says where it is, answers, and ends when told to."""
    command = [sys.executable, "-m", "core.cli", "app", "--no-browser", "--workspace"]
    with subprocess.Popen(
        [*command, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            found = re.fullmatch(
                r"Meaning Space is at (http://127\.0\.0\.1:\d+) after .* s\n", line
            )
            assert found, line
            with urllib.request.urlopen(f"{found[1]}/map", timeout=30) as page:
                assert page.status == 200
            with urllib.request.urlopen(f"{found[1]}/meaning-space/plotly.js") as script:
                assert "immutable" in script.headers["Cache-Control"]
                assert b"plotly.js" in script.read(4000)
            gone = f"{found[1]}/meaning-space/blob/none"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(gone)
        finally:
            server.terminate()
        assert server.wait(20) is not None


def test_the_apps_threads_sleep_while_they_wait(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("PYTHONPATH", "")
    told = []

    def become(*_):
        told.append(os.environ["OMP_WAIT_POLICY"])
        raise SystemExit

    monkeypatch.setattr(os, "execv", become)
    with pytest.raises(SystemExit):
        main(["app", "--no-browser"])
    assert told == ["PASSIVE"]
