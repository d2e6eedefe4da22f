"""What this program keeps itself: artefacts of the store, students, checkpoints; and its links."""

import json
import logging
import shutil
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np

from benchmarks.fuzz.harness import Target
from core.integrity import SEAL, file_digest
from core.permalink import VIEWS, decode, encode
from core.pipeline.students.training import specification
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec
from core.resources import site_root
from core.spaces.space import Provenance, Space
from core.store.manifest import NAME
from core.students import registry
from core.students import storage as student_folder
from core.students.checkpoint import Checkpoints
from core.students.training import Schedule, train
from core.types import silent

WORDS = tuple(f"word{row}" for row in range(40))
VECTORS = np.random.default_rng(5).normal(size=(40, 5)).astype(np.float32)
SHIPPED = site_root() / "assets" / "students" / "encoder-minilm-words"
FAMILIES = {"transform": 16.0, "codes": 120.0, "vae": 60.0, "speller": 200.0, "hybrid": 200.0}


def space() -> Space:
    """Forty words in five dimensions."""
    return Space.create(WORDS, VECTORS, Provenance("demo", "by hand"))


# Artefacts


def artefact_seeds(folder: Path) -> None:
    """One of each kind that a first map makes, and each as before manifests were sealed."""
    logging.getLogger("core").setLevel(logging.ERROR)  # what is put aside is no news here
    made = Workspace(folder / "made")
    demo = space()
    made.store.save_space("demo", demo)
    made.graph(demo)
    made.regions(demo, PcaSpec())
    made.faithfulness(demo, PcaSpec())
    for kind in made.store.kinds():
        (place,) = (folder / "made" / "cache" / kind).iterdir()
        for sealed in (True, False):
            copy = folder / f"{kind}-{'sealed' if sealed else 'open'}" / place.name
            shutil.copytree(place, copy)
            if not sealed:
                said = json.loads((copy / NAME).read_text(encoding="utf-8"))
                said.pop(SEAL)
                (copy / NAME).write_text(json.dumps(said), encoding="utf-8")
    shutil.rmtree(folder / "made")


def read_artefact(path: Path) -> None:
    """Ask a bench that finds the artefact in its store; its digests fitted anew, where they are
    open, so that what reads behind them is tried too."""
    kind = path.name.partition("-")[0]
    (place,) = path.iterdir()
    if path.name.endswith("open"):
        _fit(place)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        shutil.copytree(place, Path(name) / "cache" / kind / place.name)
        workspace, demo = Workspace(Path(name)), space()
        if kind == "space":
            workspace.store.recall("space", "demo", lambda: workspace.store.load_space("demo"))
        elif kind == "graph":
            workspace.graph(demo)
        else:
            getattr(workspace, kind)(demo, PcaSpec())


def _fit(place: Path) -> None:
    try:
        said = json.loads((place / NAME).read_bytes())
        for name, entry in said["files"].items():
            entry |= {"bytes": (place / name).stat().st_size, "blake2b": file_digest(place / name)}
        (place / NAME).write_text(json.dumps(said), encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


# Students


def student_seeds(folder: Path) -> None:
    """One of each family that needs no model, and the encoder that ships."""
    import torch

    torch.set_num_threads(1)  # threads that wait for each other on busy cores take minutes
    shutil.copytree(SHIPPED, folder / "encoder")
    shutil.copytree(SHIPPED, folder / "encoder-open")
    for family, budget in FAMILIES.items():
        spec = specification(family, {"bytes_per_item": budget}, quick=True)
        student_folder.save(registry.fit(space(), spec), folder / family)
        shutil.copytree(folder / family, folder / f"{family}-open")


def read_student(path: Path) -> None:
    """Load it and ask it, the digest fitted anew where it is open."""
    if path.name.endswith("-open"):
        try:
            file = path / student_folder.DESCRIPTION
            said = json.loads(file.read_bytes())
            said["digest"] = file_digest(path / student_folder.ARRAYS)
            file.write_text(json.dumps(said), encoding="utf-8")
        except (OSError, ValueError, TypeError, RecursionError):
            pass
    student = registry.load(path)
    student.generate(student.vocabulary[:3] or ["a word", "another"])


# Checkpoints


def _train(checkpoints: Checkpoints, steps: int) -> None:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    train(
        module,
        lambda step, draw: module(torch.ones(4, 3)).square().mean(),  # noqa: ARG005
        Schedule(steps),
        0,
        silent,
        checkpoints,
        preview=lambda: (np.arange(4), VECTORS[:4]),
    )


def checkpoint_seeds(folder: Path) -> None:
    """A training's folder after three steps, and the same before checkpoints were sealed."""
    from safetensors.numpy import load_file, save_file

    _train(Checkpoints(folder / "sealed"), 3)
    shutil.copytree(folder / "sealed", folder / "open")
    for file in (folder / "open").glob("*.safetensors"):
        step = {"step": 3, "seconds": 0.5}
        save_file(load_file(file), file, metadata={"payload": json.dumps(step)})


def read_checkpoint(path: Path) -> None:
    """Look at it as a page does, then go on with the training."""
    checkpoints = Checkpoints(path)
    checkpoints.history()
    checkpoints.previewed()
    checkpoints.cut_short()
    _train(checkpoints, 4)


# Links


def link_seeds(folder: Path) -> None:
    """The query strings of views, one of each page."""
    for page, view in VIEWS.items():
        link = {
            **encode(view()),
            "teacher": "glove",
            "steps": "24",
            "words": "a,b\\,c",
            "seed": "7",
        }
        (folder / page).write_text(urlencode(link), encoding="utf-8")


def read_link(path: Path) -> None:
    """A link never fails: it is read, and written again as it was understood."""
    parameters = dict(parse_qsl(path.read_bytes().decode("utf-8", "replace"), errors="replace"))
    view, warnings = decode(path.name, parameters)
    assert not any("\n" in warning for warning in warnings)
    again, _ = decode(path.name, encode(view))
    assert again == view


ARTEFACTS = Target("artefacts", artefact_seeds, read_artefact)
STUDENTS = Target("students", student_seeds, read_student, seconds=20.0)
CHECKPOINTS = Target("checkpoints", checkpoint_seeds, read_checkpoint)
LINKS = Target("links", link_seeds, read_link)
