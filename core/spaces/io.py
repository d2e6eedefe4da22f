"""Reading the files in which people have vectors.

| format | words | vectors |
|---|---|---|
| word2vec text and binary, GloVe text, fastText .vec | in the file | in the file |
| .npz | key ``words`` | key ``vectors`` |
| .npy | NAME.txt, NAME.tsv or metadata.tsv beside it, one a line | the array |
| TensorBoard's tensors, numbers in text | the same | in the file |
| Parquet | a text column (``id`` and other columns are kept) | a column of lists |

The content says what a file is, and its name must not say otherwise. What a file promises is held
against its size and the memory there is before it is believed. Nothing is unpickled.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidVectors, UnreadableFile
from core.regular import opened, what_is
from core.spaces.formats.arrays import as_table, read_npy, read_npz, require_npy, require_npz
from core.spaces.formats.binary_vectors import read_binary
from core.spaces.formats.bounds import as_float32, readable
from core.spaces.formats.keyed_vectors import EXPECTED, first_numbers, layout_of, read_text
from core.spaces.formats.parquet import read_parquet, require_parquet
from core.spaces.formats.sidefile import SHARED, beside, read_words
from core.spaces.text_index import told_apart

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PAR1", "parquet"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive, to be unpacked first"),
    (b"BZh", "a bzip2 archive, to be unpacked first"),
    (b"\xba\x16\x4f\x2f", "a fastText .bin model (its .vec file can be read)"),
    (b"\x80\x02", "a Python pickle, which could run code"),
    (b"\x80\x03", "a Python pickle, which could run code"),
    (b"\x80\x04", "a Python pickle, which could run code"),
    (b"\x80\x05", "a Python pickle, which could run code"),
)
NAMED = {".npy": "npy", ".npz": "npz", ".parquet": "parquet"}


@dataclass(frozen=True)
class NamedVectors:
    """What a file held: n texts, (n, d) float32 vectors that may not be finite, and n unique ids,
    unless the file's own are not; further columns.

    Without ids of their own equal texts are told apart by number: ``the``, ``the#2``. ``repeated``
    says how many texts come more than once.
    """

    texts: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    format: str
    ids: tuple[str, ...]
    metadata: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def repeated(self) -> int:
        """How many different texts come more than once."""
        return int((pd.Series(self.texts, dtype=object).value_counts() > 1).sum())


def read_vectors(path: Path) -> NamedVectors:
    """Read a file of vectors, whatever its format.

    Raises UnreadableFile when the file is not what was expected or promises too much,
    InvalidVectors when its rows are ragged, not numbers, or too large or small for float32.
    """
    with readable(str(path), EXPECTED):
        return _read(path)


def _read(path: Path) -> NamedVectors:
    kind = _kind(path)
    ids: tuple[str, ...] | None = None
    columns = pd.DataFrame()
    if kind == "npy":
        vectors = as_table(read_npy(path), path.name)
        texts, columns = read_words(_words_of(path), len(vectors))
    elif kind == "npz":
        texts, vectors = read_npz(path)
    elif kind == "parquet":
        kind = "Parquet"
        texts, vectors, ids, columns = read_parquet(path)
    else:
        kind, texts, vectors, columns = _read_keyed(path)
    vectors = as_table(vectors, path.name)
    if len(texts) != len(vectors):
        raise InvalidVectors(
            f"found {len(texts):,} words and an array of shape {vectors.shape} in {path.name}; "
            "expected (n, d) vectors with one word each"
        )
    ids = told_apart(texts) if ids is None else ids
    return NamedVectors(texts, as_float32(vectors, path.name), kind, ids, columns)


def require_readable(path: Path) -> None:
    """Raise what the first bytes and the promises of a file already tell, reading hardly any of it.

    A file of gigabytes need not be read or digested to learn that it holds no vectors.
    """
    with readable(str(path), EXPECTED):
        kind = _kind(path)
        if kind == "npy":
            _words_of(path)
            require_npy(path)
        elif kind == "npz":
            require_npz(path)
        elif kind == "parquet":
            require_parquet(path)
        else:
            layout_of(path)


def needs_words(path: Path) -> bool:
    """Whether :func:`read_vectors` reads the file of words beside this one too.

    Raises UnreadableFile as :func:`require_readable` does.
    """
    with readable(str(path), EXPECTED):
        kind = _kind(path)
        return kind == "npy" or (kind == "keyed" and layout_of(path).wordless)


def _read_keyed(path: Path) -> tuple[str, tuple[str, ...], npt.NDArray[np.float32], pd.DataFrame]:
    layout = layout_of(path)
    texts, vectors = read_binary(path, layout) if layout.binary else read_text(path, layout)
    first = first_numbers(texts) if layout.wordless else None
    if first is None:
        return layout.format, texts, vectors, pd.DataFrame()
    vectors = np.concatenate([first, vectors], axis=1)
    texts, columns = read_words(_words_of(path), len(vectors))
    return "numbers in text", texts, vectors, columns


def _words_of(path: Path) -> Path:
    words = beside(path)
    if words is None:
        raise UnreadableFile(
            f"found {path.name} without words; expected {path.with_suffix('.txt').name} or "
            f"{SHARED} beside it, one word a line: add it"
        )
    return words


def _kind(path: Path) -> str:
    """ "npy", "npz", "parquet" or "keyed", by content. Raises UnreadableFile."""
    if not path.is_file():
        raise UnreadableFile(f"found {what_is(path)} {path}; expected {EXPECTED}: check the path")
    with opened(path) as file:
        head = file.read(8)
    if not head:
        raise UnreadableFile(f"found an empty file {path.name}; expected {EXPECTED}")
    kind = next((name for start, name in SIGNATURES if head.startswith(start)), "keyed")
    said = NAMED.get(path.suffix.lower())
    if kind in NAMED.values() and path.suffix.lower() in (*NAMED, ".txt", ".vec", ".bin"):
        if said != kind:
            raise UnreadableFile(
                f"found {kind} content in {path.name}; expected what its name says: "
                f"rename it to {path.stem}.{kind}"
            )
        return kind
    if kind not in ("keyed", *NAMED.values()):
        raise UnreadableFile(f"found {kind} in {path.name}; expected {EXPECTED}")
    if kind == "keyed" and said is not None:
        raise UnreadableFile(
            f"found something else in {path.name}; expected the {said} format that its name says: "
            "save it again"
        )
    return kind
