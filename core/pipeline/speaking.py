"""Causal models that are read, written into and let write: one of each loaded a process."""

from core.cache import Kept
from core.decode.language_model import LanguageModel
from core.teachers.causal import causal_source, load_causal, require_head
from core.teachers.model_folder.device import device
from core.teachers.smollm2 import SMOLLM2, installed, packaged_file

__all__ = ["SMOLLM2", "installed", "speaker", "speaker_identity", "speaker_or_missing"]

_speakers: Kept[LanguageModel] = Kept(2)


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
