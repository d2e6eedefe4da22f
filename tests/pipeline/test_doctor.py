"""The report of `meaning-space doctor`: true, complete, and nothing is changed by it."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.cli import main
from core.pipeline import doctor
from core.store.disk import Store


@pytest.fixture
def workspace_folder(tmp_path: Path) -> Path:
    store = Store(tmp_path / "cache")
    for key in ("whole", "damaged"):
        store.save("thing", key, {"x": np.arange(50.0)})
    store.save("other", "a", None, None, {"n": 1})
    arrays = store.folder("thing", "damaged") / "arrays.safetensors"
    content = bytearray(arrays.read_bytes())
    content[-1] ^= 4
    arrays.write_bytes(content)
    (tmp_path / "cache" / "thing" / f".a.{'0' * 32}.half").mkdir()
    (tmp_path / "students" / "odd").mkdir(parents=True)
    (tmp_path / "trainings" / "cut").mkdir(parents=True)
    (tmp_path / "trainings" / "cut" / "checkpoint.safetensors").write_bytes(b"cut")
    return tmp_path


def test_what_is_kept_is_read_and_left_alone(workspace_folder):
    before = sorted((it, it.stat().st_mtime_ns) for it in workspace_folder.rglob("*"))
    kept = doctor.kept_in(workspace_folder)
    assert sorted((it, it.stat().st_mtime_ns) for it in workspace_folder.rglob("*")) == before
    assert kept.artefacts == {"other": 1, "thing": 2}
    assert (kept.students, kept.trainings, kept.left_over, kept.put_aside) == (1, 1, 1, 0)
    assert kept.faults == [
        "thing damaged: found arrays.safetensors with other content",
        f"students odd: found no student.json to read in {workspace_folder}/students/odd "
        "(No such file or directory)",
        "trainings cut: its checkpoint does not read; it begins anew",
    ]
    assert kept.bytes == sum(
        it.stat().st_size for it in workspace_folder.rglob("*") if it.is_file()
    )


def test_the_report_as_json_and_as_text(workspace_folder, capsys, monkeypatch):
    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", "put back afterwards")
    assert main(["doctor", "--json", "--workspace", str(workspace_folder)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["packages"]["numpy"] == np.__version__
    assert report["models"]["MiniLM"] != "missing"
    assert report["processor"]["cores"] >= 1
    assert len(report["workspace"]["faults"]) == 3
    assert main(["doctor", "--workspace", str(workspace_folder)]) == 0
    text = capsys.readouterr().out
    assert "2 thing" in text
    assert "3 damaged" in text


def test_what_is_slow_is_told_with_its_reason():
    machine = {
        **{"cores": 4, "cores_allowed": 1.5, "load": 9.0, "flags": ["sse"], "bf16_gain": 0.4},
        **{"device": "CPU, 4 threads", "memory_free_bytes": 1 << 30},
    }
    told = " ".join(doctor._slow_machine(machine))
    for reason in ("1.5 of 4 cores", "load of 9.0 on 4", "0.4 times", "no AVX2", "1.0 GiB"):
        assert reason in told
    idle = {"cores": 64, "cores_allowed": None, "load": 1.0, "flags": ["avx2"], "bf16_gain": 2.0}
    assert not list(doctor._slow_machine(idle | {"device": "CPU", "memory_free_bytes": 1 << 40}))


def test_a_workspace_that_is_not_there_yet(tmp_path):
    kept = doctor.kept_in(tmp_path / "none")
    assert (kept.bytes, kept.faults, kept.artefacts, kept.writable) == (0, [], {}, "")


def test_the_persons_own_folder_is_not_told(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert doctor.shown(tmp_path / "w") == "~/w"
