"""Mutations of a file: some know nothing of its format, some keep it well-formed and lie inside.

Everything is drawn from one generator, so a case's number makes the same file again.
"""

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable

import numpy as np

Generator = np.random.Generator
Mutation = Callable[[bytearray, Generator], bytes]

NUMBERS = (0, 1, -1, 2, 127, 255, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1)
TEXTS = (  # what stands where something else was expected
    *(
        b"0",
        b"-1",
        b"1e999",
        b"nan",
        b"-inf",
        b"4294967296",
        b"99999999999999999999",
        b"1_0",
        b"0x1",
    ),
    *(b"null", b"true", b"[]", b"{}", b'""', b'"a"', b"[[[[", b'{"a":' * 9, b"\\ud800", b"../../x"),
    *(
        b" ",
        b"\t",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\xff\xfe",
    ),
)
MOST_BYTES = 1 << 20  # of a mutated file


def mutated(raw: bytes, other: bytes, generator: Generator) -> bytes:
    """One to four mutations of ``raw``; ``other`` is what a splice takes its part from."""
    inside = _inside(raw)
    if inside is not None and generator.random() < 0.5:
        return inside(bytearray(raw), generator)
    for _ in range(generator.integers(1, 5)):
        if generator.random() < 0.1:
            raw = _splice(raw, other, generator)
        else:
            raw = PLAIN[generator.integers(len(PLAIN))](bytearray(raw), generator)
    return raw[:MOST_BYTES]


def _at(raw: bytes | bytearray, generator: Generator) -> int:
    """A place; half of all are among the first bytes, where headers are."""
    near = min(len(raw), 128) if generator.random() < 0.5 else len(raw)
    return int(generator.integers(near + 1))


def _span(raw: bytearray, generator: Generator) -> slice:
    start = _at(raw, generator)
    return slice(start, start + int(2 ** generator.uniform(0, 10)))


def _flip(raw: bytearray, generator: Generator) -> bytes:
    for _ in range(generator.integers(1, 9)):
        if raw:
            raw[_at(raw, generator) % len(raw)] ^= 1 << int(generator.integers(8))
    return bytes(raw)


def _fill(raw: bytearray, generator: Generator) -> bytes:
    """A run of zeros, of 0xff, or of noise."""
    span = _span(raw, generator)
    length = len(raw[span])
    runs = (bytes(length), b"\xff" * length, generator.bytes(length))
    raw[span] = runs[generator.integers(len(runs))]
    return bytes(raw)


def _cut(raw: bytearray, generator: Generator) -> bytes:
    return bytes(raw[: _at(raw, generator)])


def _remove(raw: bytearray, generator: Generator) -> bytes:
    del raw[_span(raw, generator)]
    return bytes(raw)


def _repeat(raw: bytearray, generator: Generator) -> bytes:
    span = _span(raw, generator)
    raw[span] = raw[span] * int(generator.integers(2, 5))
    return bytes(raw)


def _number(raw: bytearray, generator: Generator) -> bytes:
    """A number at a boundary, in 1 to 8 bytes, either end first."""
    width = int(2 ** generator.integers(4))
    value = NUMBERS[generator.integers(len(NUMBERS))] % 2 ** (8 * width)
    start = _at(raw, generator)
    raw[start : start + width] = value.to_bytes(
        width, "big" if generator.random() < 0.3 else "little"
    )
    return bytes(raw)


def _text(raw: bytearray, generator: Generator) -> bytes:
    """A word of the format, or nothing, is taken out and another text put there."""
    words = list(re.finditer(rb"-?[0-9.]+|\"[^\"]{0,40}\"|\w{1,40}|\s", raw[:65536]))
    new = TEXTS[generator.integers(len(TEXTS))]
    if words and generator.random() < 0.8:
        word = words[generator.integers(len(words))]
        raw[word.start() : word.end()] = new
    else:
        start = _at(raw, generator)
        raw[start:start] = new
    return bytes(raw)


def _lines(raw: bytearray, generator: Generator) -> bytes:
    """One line twice, or two lines in each other's place."""
    lines = bytes(raw).split(b"\n")
    one, other = generator.integers(len(lines), size=2)
    if generator.random() < 0.5:
        lines.insert(other, lines[one])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _splice(raw: bytes, other: bytes, generator: Generator) -> bytes:
    return raw[: _at(raw, generator)] + other[_at(other, generator) :]


PLAIN: tuple[Mutation, ...] = (_flip, _fill, _cut, _remove, _repeat, _number, _text, _lines)


def _inside(raw: bytes) -> Mutation | None:
    """The mutation that knows the format, where one does."""
    if raw.startswith(b"PK\x03\x04"):
        return _in_zip
    if len(raw) > 10 and raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") <= len(raw) - 8:
        return _in_safetensors
    return _in_json if raw.lstrip()[:1] in (b"{", b"[") else None


def _in_zip(raw: bytearray, generator: Generator) -> bytes:
    """One member mutated, its checksum true again."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # a kept input may be a damaged archive
        return _flip(raw, generator)
    chosen = int(generator.integers(len(members) or 1))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(members):
            change = PLAIN[generator.integers(len(PLAIN))] if number == chosen else None
            archive.writestr(name, change(bytearray(content), generator) if change else content)
    return made.getvalue()


def _in_safetensors(raw: bytearray, generator: Generator) -> bytes:
    """The header mutated, its length true again."""
    end = 8 + int.from_bytes(raw[:8], "little")
    header = _in_json(raw[8:end], generator)
    return struct.pack("<Q", len(header)) + header + bytes(raw[end:])


def _in_json(raw: bytearray, generator: Generator) -> bytes:
    """One value, at any depth, is another, is left out or stands under another key."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return _text(raw, generator)
    places: list[tuple[dict[str, object] | list[object], str | int]] = []
    waiting: list[object] = [document]
    while waiting:
        level = waiting.pop()
        if isinstance(level, dict):
            places += [(level, key) for key in level]
            waiting += level.values()
        elif isinstance(level, list):
            places += [(level, key) for key in range(min(len(level), 50))]
            waiting += level[:50]
    if not places:
        return _text(raw, generator)
    holder, key = places[generator.integers(len(places))]
    values: tuple[object, ...] = (
        None,
        True,
        -1,
        0,
        1e308,
        2**70,
        float("nan"),
        "",
        "x" * 300,
        "\ud800",
        [],
        {},
        [[]],
    )
    if generator.random() < 0.25:
        del holder[key]  # type: ignore[arg-type]
    else:
        holder[key] = values[generator.integers(len(values))]  # type: ignore[index]
    return json.dumps(document).encode()
