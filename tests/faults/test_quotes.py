"""No error quotes the bytes of a file that is not what a reader takes: its name is enough."""

import json
from pathlib import Path

import pytest

from core.errors import MeaningSpaceError
from core.pipeline.layers.labelled_texts import read_table
from core.spaces.formats.text_files import read_plain
from core.spaces.io import read_vectors
from core.students import registry
from core.teachers.registry import resolve

MARK = b"S3CRETMARK"
FILES = {
    "key.pem": b"-----BEGIN " + MARK + b"-----\n" + MARK * 20 + b"\n",
    "passwd.txt": MARK + b":x:0:0:root:/root:/bin/sh\n" + MARK + b"2:x:1:1\n",
    "environment.txt": b"PASSWORD=" + MARK + b"\nOTHER=" + MARK + b"\n",
    "ragged.txt": b"dog 1 2 3\n" + MARK + b" 1 2\n",
    "number.txt": b"dog 1 2 " + MARK + b"\n",
    "header.vec": b"2 3\n" + MARK + b" 1 x 3\n" + MARK + b" 1 2\n",
    "binary.bin": b"2 3\n" + MARK * 5,
    "noise.bin": bytes(range(256)) + MARK * 9,
    "array.npy": b"\x93NUMPY\x01\x00" + MARK * 9,
    "archive.npz": b"PK\x03\x04" + MARK * 9,
    "table.parquet": b"PAR1" + MARK * 9,
    "settings.json": json.dumps({MARK.decode(): MARK.decode()}).encode(),
    "cells.csv": b"a,b\n" + MARK + b",1\n",
    "latin.txt": MARK + b"\xe9 1 2\n",
    "one.txt": MARK,
}


def said(read, *given: object) -> str:
    """What a reader says against it; "" where it takes it."""
    try:
        read(*given)
    except MeaningSpaceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_table_of_vectors(name, tmp_path):
    file = tmp_path / name
    file.write_bytes(FILES[name])
    line = said(read_vectors, file)
    assert line
    line += said(read_plain, name, FILES[name]) + said(read_table, FILES[name], name)
    assert MARK.decode().casefold() not in line.casefold()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [MARK, b"{" + MARK, (8).to_bytes(8, "little") + b"{" + MARK])
def test_a_folder_that_is_no_model(name, content, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (tmp_path / name).write_bytes(content)
    references = [f"path:{tmp_path}{suffix}" for suffix in ("", ":words", ":layer1")]
    lines = [said(lambda reference: resolve(reference).space(), it) for it in references]
    lines.append(said(registry.load, Path(tmp_path)))
    assert all(lines)
    assert MARK.decode().casefold() not in " ".join(lines).casefold()
