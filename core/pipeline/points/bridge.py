"""The bridge from MiniLM's sentences to a language model: shipped, or trained here and kept."""

import json
import shutil
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.atomic import new_file, write_bytes
from core.decode.soft_prompt import NAMES, Bridge
from core.errors import StoreError, Unsupported
from core.pipeline.models import speaker, speaker_identity, speaker_or_missing
from core.pipeline.points.bridge_data import LESSONS, lessons, split
from core.pipeline.points.bridge_training import BEGINNING, PARTS_LEARNT, BridgeSpec, train_bridge
from core.progress import reach, scaled
from core.regular import read_bytes
from core.resources import site_root
from core.spaces.linalg import unit_rows
from core.store.files import map_arrays, write_arrays
from core.store.keys import store_key
from core.students.checkpoint import Checkpoints
from core.teachers.corpus import corpus_identity
from core.teachers.encoder import TextEncoder
from core.teachers.minilm import MODEL, MinilmSentences
from core.teachers.smollm2 import SMOLLM2
from core.types import Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace
    from core.spaces.space import Space

SENTENCES, WORDS = "minilm:sentences", "minilm:words"
FILE, FACTS = "bridge.safetensors", "bridge.json"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Built:
    """A bridge with the facts of its training, plain JSON."""

    bridge: Bridge
    facts: dict[str, Any]


def shipped_folder() -> Path:
    """Where the bridge lies that comes with the program."""
    return site_root() / "assets" / "bridge"


def encoder() -> TextEncoder:
    """The one that points come from: MiniLM, texts to vectors."""
    return MinilmSentences().encoder()


def crosses(space: "Space") -> bool:
    """Whether the bridge can read a space's points: they are MiniLM's vectors of whole texts."""
    made = space.provenance
    return made.model == MODEL and made.layer == "last"


def bridge_key(reference: str = SMOLLM2, spec: BridgeSpec | None = None) -> str:
    """Where the store keeps a bridge that was trained here."""
    made_of = (speaker_identity(reference), MinilmSentences().revision(), corpus_identity())
    asked = json.dumps((spec or BridgeSpec()).to_dict())
    return store_key("bridge", VERSION, *made_of, *LESSONS, *BEGINNING, asked)


def has_bridge(workspace: "Workspace", reference: str = SMOLLM2) -> bool:
    """Whether one is there for this model, shipped or trained here."""
    return _fits(reference) or workspace.store.has("bridge", bridge_key(reference))


def bridge(workspace: "Workspace", reference: str = SMOLLM2) -> Built:
    """The bridge to a model: the shipped one where it is for that model, else that trained here.

    Raises TeacherUnavailable where the model's weights are missing, with what brings them;
    Unsupported where there is no bridge, saying how to train one.
    """
    speaker_or_missing(reference)
    key = bridge_key(reference)

    def shipped() -> Built:
        if _fits(reference):
            return _shipped()
        raise Unsupported(
            f"found no bridge from MiniLM's sentences to {reference}; expected a trained one: "
            "run `make bridge`, which takes about an hour on two cores"
        )

    return workspace.kept("bridge", key, partial(_read, workspace, key), shipped, lambda _: None)


def trained_bridge(
    workspace: "Workspace",
    reference: str = SMOLLM2,
    spec: BridgeSpec | None = None,
    afresh: bool = False,
    progress: Progress = silent,
) -> Built:
    """Train one from the packaged sentences, or go on where it was stopped, and keep it; one that
    is kept is given back, or trained ``afresh``.

    Raises Cancelled, once what was learnt is kept.
    """
    asked = spec or BridgeSpec()
    key = bridge_key(reference, asked)
    kept = None if afresh else workspace.store.recall("bridge", key, lambda: _read(workspace, key))
    if kept is not None:
        return kept
    folder = workspace.folder / "trainings" / f"bridge-{key}"
    made = _made(workspace, reference, asked, folder, progress)
    if workspace.store.save("bridge", key, made.bridge.arrays(), None, made.facts):
        shutil.rmtree(folder, ignore_errors=True)  # else what was learnt stays, to go on from
    return _read(workspace, key)


def write_bridge(folder: Path, built: Built) -> int:
    """Put a bridge into a folder, to be shipped; its bytes."""
    with new_file(folder / FILE) as stream:
        write_arrays(stream, built.bridge.arrays())
    said = json.dumps(built.facts, indent=1, ensure_ascii=False)
    write_bytes(folder / FACTS, f"{said}\n".encode())
    return sum(file.stat().st_size for file in folder.iterdir())


def read_bridge(folder: Path) -> Built:
    """From such a folder. Raises StoreError for one that is damaged."""
    try:
        facts = json.loads(read_bytes(folder / FACTS))
        arrays = map_arrays(folder / FILE)
        if facts["digest"] != store_key(*(arrays[name].tobytes().hex() for name in NAMES)):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(
            f"found no whole {FILE} with its {FACTS} in {folder}; expected a bridge: "
            "run `make bridge`"
        ) from None
    return Built(Bridge.from_arrays(arrays), facts)


def _made(
    workspace: "Workspace", reference: str, spec: BridgeSpec, folder: Path, progress: Progress
) -> Built:
    reach(progress, 0, "Reading sentences and words")
    lm = speaker(reference)
    sentences, words = workspace.space(SENTENCES), workspace.space(WORDS)
    documents = [str(it) for it in sentences.metadata["document"]]
    rows = np.flatnonzero(split(documents)[0])
    texts = [sentences.texts[row] for row in rows]
    points = sentences.unit[rows]
    taught = lessons(lm, texts, points, words.texts, words.unit)
    own = encoder().encode(list(taught.spelled), partial(scaled, progress, 0, 5))
    made = train_bridge(
        lm,
        taught,
        unit_rows(own),
        texts,
        points,
        spec,
        folder,
        partial(scaled, progress, 5, 100),
    )
    facts = {
        "version": VERSION,
        "digest": _digest(made),
        "model": speaker_identity(reference),
        "encoder": MinilmSentences().revision(),
        "corpus": corpus_identity(),
        "sentences": len(texts),
        "documents": len({documents[row] for row in rows}),
        "words": len(taught.tokens),
        "spec": spec.to_dict(),
        "seconds": round(sum(_spent(folder / part) for part in PARTS_LEARNT), 1),
    }
    return Built(made, facts)


def _spent(folder: Path) -> float:
    """Seconds of a training, its earlier tries counted in."""
    found = Checkpoints(folder).restore()
    return 0.0 if found is None else float(found[1]["seconds"])


def _digest(bridge: Bridge) -> str:
    """What tells a bridge from any other."""
    return store_key(*(array.tobytes().hex() for array in bridge.arrays().values()))


def _fits(reference: str) -> bool:
    """Whether the shipped bridge is for this very model and encoder."""
    try:
        facts = _shipped().facts
    except StoreError:
        return False
    own = (speaker_identity(reference), MinilmSentences().revision())
    return (facts.get("model"), facts.get("encoder")) == own


def _shipped() -> Built:
    """The shipped bridge, read once while its files stay. Raises StoreError."""
    folder = shipped_folder()
    stamps = [(folder / name).stat() for name in (FILE, FACTS) if (folder / name).exists()]
    return _unpacked(folder, *(stamp.st_mtime_ns for stamp in stamps))


@lru_cache(maxsize=1)
def _unpacked(folder: Path, *_: int) -> Built:
    return read_bridge(folder)


def _read(workspace: "Workspace", key: str) -> Built:
    stored = workspace.store.load("bridge", key)
    return Built(Bridge.from_arrays(stored.arrays), dict(stored.payload))
