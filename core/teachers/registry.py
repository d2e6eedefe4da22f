"""Reference strings: which there are, and the teacher that each one names.

minilm:tokens  minilm:words  minilm:sentences      the packaged encoder
smollm2:tokens                                     the table of the packaged model that writes
glove  glove:30000                                 the packaged word vectors
vectors:FILE                                       your own table
path:DIR[:tokens|:words]                           a transformers model in a folder
hub:ORG/NAME[@REVISION][:tokens|:words]            a transformers model on the hub
smollm2:layerN  path:DIR:layerN  hub:ORG/NAME:layerN  a layer of a causal model
"""

import difflib
import re
from pathlib import Path

from core.errors import UnknownTeacher, UnreadableFile
from core.reach import require_open
from core.teachers import smollm2
from core.teachers.base import Teacher, TeacherInfo, shown
from core.teachers.causal import causal_source
from core.teachers.hub import ModelTokens, model_teacher
from core.teachers.layer_states import LayerStates
from core.teachers.minilm import MinilmSentences, MinilmTokens, MinilmWords
from core.teachers.word_vectors import GLOVE_WORDS, Glove, VectorsFile

__all__ = ["PATTERNS", "Teacher", "TeacherInfo", "known", "resolve"]

PATTERNS = {
    "vectors:FILE": "a table of vectors: word2vec, GloVe, fastText .vec, .npz, .npy, Parquet",
    "path:DIR": "a transformers model in a folder (:tokens its table, :words its embeddings)",
    "hub:ORG/NAME": "a transformers model on the hub, @REVISION for a certain one",
    "smollm2:layerN": "a layer of the packaged model that writes; path: and hub: have theirs too",
    "glove:N": "the N most frequent words of GloVe",
}
LAYER = re.compile(r"((?:path|hub):.+|smollm2):layer([0-9]{1,3})")


def known() -> list[TeacherInfo]:
    """The teachers that need no argument; the first is the default. Loads no model."""
    own = [smollm2.INFO] if smollm2.installed() else []
    return [
        MinilmTokens.info,
        MinilmWords.info,
        MinilmSentences.info,
        Glove(30_000).info,
        Glove().info,
        *own,
    ]


def resolve(reference: str) -> Teacher:
    """The teacher of a reference string; loads no model yet.

    Raises UnknownTeacher with the nearest names, UnreadableFile for a file that is not there,
    TeacherUnavailable for a folder that holds no model.

    >>> resolve("glove:1000").info.items
    1000
    """
    wanted = reference.strip()
    kind, colon, rest = wanted.partition(":")
    packaged = {it.info.reference: it for it in (MinilmTokens, MinilmWords, MinilmSentences)}
    if wanted in packaged:
        return packaged[wanted]()
    if kind == "glove" and (not colon or rest.isdecimal()):
        return Glove(int(rest[:9]) if colon else GLOVE_WORDS)
    if wanted == smollm2.INFO.reference:
        return ModelTokens(smollm2.SmolSource(), smollm2.INFO)
    if layer := LAYER.fullmatch(wanted):
        return LayerStates(causal_source(layer[1]), int(layer[2]))
    if rest and kind == "vectors":
        return VectorsFile(_path(rest))
    if rest and kind == "path":
        _path(rest)
    if rest and kind in ("path", "hub"):
        return model_teacher(kind, rest)
    raise _unknown(wanted)


def _path(typed: str) -> Path:
    """A path that the system can be asked about. Raises UnreadableFile for any other text, and
    for one that is closed."""
    require_open(typed)
    try:
        path = Path(typed).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a zero byte
        raise UnreadableFile(
            f"found {shown(typed)}, which cannot be a path; expected that of a file or folder: "
            "check it"
        ) from None
    return path


def _unknown(wanted: str) -> UnknownTeacher:
    names = [info.reference for info in known()]
    near = difflib.get_close_matches(wanted[:60], [*names, *PATTERNS], n=2, cutoff=0.5)
    offer = f"did you mean {' or '.join(near)}?" if near else "try minilm:tokens"
    expected = ", ".join([*names, *(name for name in PATTERNS if name != "glove:N")])
    return UnknownTeacher(f"found the teacher {shown(wanted)}; expected one of {expected}: {offer}")
