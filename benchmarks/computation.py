"""Less computation? Multiply-adds, bytes moved and processor time, teacher and students.

    python -m benchmarks.computation [STUDENT_FOLDER ...] [--many 256]

Joules cannot be read on most machines, so three stand-ins are given. "Bytes moved" are the
numbers that one text alone makes the processor read, at 4 bytes, as they lie in memory once the
student is unpacked; of a table only the rows of the text's pieces. Times are processor time on one
thread, the best of rounds, for words of the student's own teacher.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import record, this_command
from core.resources import site_root
from core.spaces.lexicon import frequent_words
from core.students.base import Student
from core.students.encoders.bert import read_shape
from core.students.encoders.quantisation import linear_layers
from core.students.registry import load
from core.students.storage import size_bytes
from core.teachers.encoder import load_encoder
from core.teachers.minilm import MODEL, minilm_folder

ROUNDS = 3
TEXTS = 10  # pieces of a typical text with its frame: the same for the teacher and the encoders


def main() -> None:
    """Measure and write benchmarks/results/computation.json."""
    parser = argparse.ArgumentParser(description="operations, bytes moved and time of a vector")
    parser.add_argument("students", type=Path, nargs="*")
    parser.add_argument("--many", type=int, default=256)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    words = [word for word in frequent_words()[2_000:6_000] if word.isalpha()][: arguments.many]
    encoder = load_encoder(minilm_folder(), MODEL, "float32")
    shape = read_shape(minilm_folder(), encoder.pooling.name)
    layers = sum(it.weight.numel() for it in linear_layers(encoder.model).values())
    found: list[dict[str, Any]] = [
        {
            "name": "teacher, all-MiniLM-L6-v2 in float32",
            "bytes_total": sum(it.stat().st_size for it in minilm_folder().glob("*.safetensors")),
            "operations": shape.operations(TEXTS),
            "bytes_moved": 4 * (layers + TEXTS * shape.width),
            **times(encoder.encode, words),
        }
    ]
    folders = arguments.students or sorted((site_root() / "assets" / "students").glob("*/"))
    for folder in folders:
        student = load(folder)
        known = [word for word in student.vocabulary[:20_000] if word.isalpha()]
        asked = (known or words)[: arguments.many]
        found.append(
            {
                "name": f"{student.family}, {student.origin.teacher}",
                "bytes_total": size_bytes(student),
                "operations": student.operations(),
                "bytes_moved": moved(student),
                **times(student.generate, asked),
            }
        )
    record("computation", this_command(), {"texts": len(words), "rows": found})


def moved(student: Student) -> int:
    """Bytes that one text alone reads: an encoder's layers, any other's numbers per operation."""
    module = getattr(student, "module", None)
    if module is None:
        return 4 * student.operations()
    layers = sum(it.weight.numel() for it in linear_layers(module).values())
    return int(4 * (layers + TEXTS * module.table.embedding_dim))


def times(encode: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> dict[str, float]:
    """Microseconds of processor time a text: alone, and many at once."""
    encode(texts[:2])
    alone, many = [], []
    for start in range(0, ROUNDS * 10, 10):
        begin = time.process_time()
        for text in texts[start : start + 10]:
            encode([text])
        alone.append((time.process_time() - begin) / max(1, len(texts[start : start + 10])))
        begin = time.process_time()
        encode(texts)
        many.append((time.process_time() - begin) / len(texts))
    return {
        "microseconds_alone": round(1e6 * min(alone), 1),
        "microseconds_in_batches": round(1e6 * min(many), 1),
    }


if __name__ == "__main__":
    main()
