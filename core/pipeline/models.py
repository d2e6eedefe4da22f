"""Models that are read layer by layer, and models that write: each loaded once a process."""

from functools import lru_cache
from pathlib import Path

from core.cache import LruCache
from core.decode.language_model import LanguageModel
from core.errors import UnknownTeacher, Unsupported
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.workspace import Workspace
from core.signatures.hidden import Reader
from core.store.disk import default_workspace
from core.students import registry
from core.students import storage as student_folder
from core.students.families.contextual import ContextualStudent
from core.teachers.causal import causal_source, load_causal, require_head
from core.teachers.encoder import BUDGET
from core.teachers.hub import source_of
from core.teachers.minilm import MINILM as PACKAGE
from core.teachers.minilm import minilm_folder
from core.teachers.model_folder.device import device
from core.teachers.model_folder.loading import load_model
from core.teachers.packages import package_version
from core.teachers.smollm2 import SMOLLM2, SmolSource, packaged_file

MINILM = "minilm"
_speakers: LruCache[LanguageModel] = LruCache(2)


def reader(reference: str) -> Reader:
    """The model of ``minilm``, ``smollm2``, ``path:DIR``, ``hub:ORG/NAME`` or ``student:KEY``,
    loaded once.

    A student is one of the default workspace, a shipped one or a folder. Raises UnknownTeacher,
    TeacherUnavailable, Unsupported, InvalidStudent.
    """
    if reference.startswith(PREFIX):
        where = _student(reference)
        return _student_reader(reference, where, student_folder.digest(where))
    return _reader(reference, identity(reference))


def _student(reference: str) -> Path:
    folder = default_workspace()
    return Workspace(folder).catalogue.where(reference.removeprefix(PREFIX))


@lru_cache(maxsize=2)
def _student_reader(reference: str, where: Path, digest: str) -> Reader:  # noqa: ARG001 - a key
    """Another digest, another student: one may be trained anew in the same place."""
    family = student_folder.describe(where).get("family", "")
    student = registry.load(where) if family == ContextualStudent.family else None
    if not isinstance(student, ContextualStudent):
        raise Unsupported(
            f"found {reference!r:.80}, a student of the family {family!r:.40}, which has one "
            "vector a text; expected a contextual one, which is read layer by layer: choose or "
            "train one"
        )
    model, tokenizer = student.as_transformers()
    return Reader(model, tokenizer, "cpu", reference, BUDGET["cpu"])


@lru_cache(maxsize=2)
def _reader(reference: str, stamp: str) -> Reader:  # noqa: ARG001 - a key: other weights, another
    kind, _, rest = reference.partition(":")
    if reference == MINILM:
        folder = minilm_folder()
    elif reference == SMOLLM2:
        source = SmolSource()
        model, tokenizer = load_causal(source.folder(), reference, source.revision)
        return Reader(model.to(device()), tokenizer, device(), reference, BUDGET[device()])
    elif kind in ("path", "hub") and rest:
        folder = source_of(kind, rest).folder()
    else:
        raise _unknown(reference)
    model, tokenizer = load_model(folder, reference)
    where = device()
    return Reader(model.to(where), tokenizer, where, reference, BUDGET[where])


def identity(reference: str) -> str:
    """What tells a model from any other, and from another revision of the same.

    Raises UnknownTeacher, TeacherUnavailable.
    """
    kind, _, rest = reference.partition(":")
    if reference.startswith(PREFIX):
        return f"{reference} {student_folder.digest(_student(reference))}"
    if reference == MINILM:
        return f"{reference} {package_version(PACKAGE)}"
    if reference == SMOLLM2:
        return f"{reference} {SmolSource().revision}"
    if kind in ("path", "hub") and rest:
        return f"{reference} {source_of(kind, rest).version}"
    raise _unknown(reference)


def _unknown(reference: str) -> UnknownTeacher:
    return UnknownTeacher(
        f"found the model {reference!r:.80}; expected {MINILM}, {SMOLLM2}, path:DIR, "
        "hub:ORG/NAME or student:KEY"
    )


def speaker(reference: str = SMOLLM2) -> LanguageModel:
    """The causal model of ``smollm2``, ``path:DIR`` or ``hub:ORG/NAME``, loaded once.

    Raises UnknownTeacher, TeacherUnavailable (with the command that brings the weights),
    Unsupported for a model that cannot write.
    """
    return _speakers.get(speaker_identity(reference), lambda: _load(reference))


def _load(reference: str) -> LanguageModel:
    source = causal_source(reference)
    model, tokenizer = load_causal(source.folder(), reference, source.revision)
    return LanguageModel(model, tokenizer, device(), reference)


def speaker_identity(reference: str) -> str:
    """What tells a model from any other, and from another revision of the same."""
    return f"{reference} {causal_source(reference).version}"


def speaker_or_missing(reference: str) -> None:
    """Raise what loading would raise, where that can be told without loading: weights that are
    missing or cut short, a model without a head. One of the hub is fetched."""
    if reference == SMOLLM2:
        packaged_file()
    else:
        source = causal_source(reference)
        source.folder()
        require_head(source.config(), reference)
