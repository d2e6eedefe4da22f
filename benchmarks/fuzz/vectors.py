"""Files of vectors in every format that core.spaces.io reads, small and varied."""

import struct
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fuzz.harness import Target
from core.spaces.io import read_vectors
from core.spaces.space import Provenance, Space

WORDS = ("cat", "dog", "naïve", "नमस्ते", "日本", "a b", "42", "-1")
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)


def seeds(folder: Path) -> None:
    """Text with and without a header, binary, archives, arrays with their words, tables."""
    _texts(folder)
    _arrays(folder)
    _tables(folder)


def read(path: Path) -> Space:
    """What ``vectors:FILE`` does: the file, then a space of it."""
    file = next(path.glob("*.npy"), path / "none.npy") if path.is_dir() else path
    held = read_vectors(file)
    return Space.create(
        held.texts,
        held.vectors,
        Provenance("fuzz", "fuzz"),
        ids=held.ids,
        metadata=None if held.metadata.empty else held.metadata,
    )


def _texts(folder: Path) -> None:
    lines = "".join(
        f"{word} {' '.join(f'{number:.4f}' for number in row)}\n"
        for word, row in zip(WORDS, VECTORS, strict=True)
    )
    header = f"{len(WORDS)} {VECTORS.shape[1]}\n"
    (folder / "glove.txt").write_text(lines, encoding="utf-8")
    (folder / "fasttext.vec").write_text(header + lines, encoding="utf-8")
    (folder / "marked.txt").write_text(lines, encoding="utf-8-sig")
    (folder / "tabs.tsv").write_text(lines.replace(" ", "\t"), encoding="utf-8", newline="\r\n")
    for name, end in (("breaks.bin", b"\n"), ("none.bin", b"")):
        records = (
            word.replace(" ", "_").encode() + b" " + struct.pack("<5f", *row) + end
            for word, row in zip(WORDS, VECTORS, strict=True)
        )
        (folder / name).write_bytes(header.encode() + b"".join(records))


def _arrays(folder: Path) -> None:
    words = np.array(WORDS)
    np.savez(folder / "plain.npz", words=words, vectors=VECTORS)
    np.savez_compressed(folder / "packed.npz", words=words, vectors=VECTORS.astype(">f8"))
    np.savez(folder / "half.npz", tokens=words, vectors=VECTORS.astype(np.float16)[:, None])
    for name, table in (
        ("words", "\n".join(WORDS)),
        ("columns", "word\tlabel\n" + "\n".join(f"{word}\t{len(word)}" for word in WORDS)),
    ):
        place = folder / f"array-{name}"
        place.mkdir()
        np.save(place / "v.npy", VECTORS)
        (place / "v.txt").write_text(table, encoding="utf-8")


def _tables(folder: Path) -> None:
    frame = pd.DataFrame({"id": range(len(WORDS)), "text": WORDS, "vector": list(VECTORS)})
    frame["kind"] = pd.Categorical(["noun", "verb"] * (len(WORDS) // 2))
    frame["when"] = pd.date_range("2020-01-01", periods=len(WORDS))
    frame.to_parquet(folder / "snappy.parquet", index=False)
    frame.to_parquet(folder / "zstd.parquet", index=False, compression="zstd")
    frame[["text", "vector"]].to_parquet(folder / "plain.parquet", index=False, compression=None)


TARGET = Target("vectors", seeds, read)
