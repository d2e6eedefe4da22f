"""Sorted words as few bytes: each bit is predicted from many contexts, and the predictions mixed.

Every word is told as the length that it shares with the one before, its further bytes, and an end.
The contexts of a byte are the one to six bytes before it in the word, the byte at its place in the
word before, and lengths. All is integer arithmetic, so that every machine decodes the same words.

Source: Mahoney, Adaptive weighing of context models for lossless data compression, 2005 (PAQ);
the numbers of the squashing table are those of lpaq1.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from core.students.coding.trellis import compiled

Array = npt.NDArray[Any]

MOST_SHARED = 255
CONTEXTS = 9
KNOTS = (
    *(1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047),
    *(2549, 2994, 3348, 3607, 3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093),
    4094,
)


def packed(content: bytes, shared: Array, lengths: Array) -> bytes:
    """``content`` is all that the words do not share, one after the other; (n,) of each int64.

    ``shared`` (n,) is how many bytes each has from the one before, ``lengths`` (n,) how many of
    its own.
    """
    most = len(content) + 2 * len(shared)
    out = np.zeros(most * 2 + 64, np.uint8)
    source = np.frombuffer(content or b"\0", np.uint8).copy()
    size = _run(True, source, shared.copy(), lengths.copy(), out, most)
    return out[:size].tobytes()


def unpacked(stream: bytes, n: int, total: int) -> tuple[bytes, Array, Array]:
    """The inverse of :func:`packed`: n words, ``total`` bytes of their own in all."""
    content = np.zeros(total + 1, np.uint8)
    shared, lengths = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _run(False, content, shared, lengths, np.frombuffer(stream, np.uint8).copy(), total + 2 * n)
    return content[:total].tobytes(), shared, lengths


def _run(
    writing: bool, content: Array, shared: Array, lengths: Array, stream: Array, most: int
) -> int:
    slots = 1 << min(22, max(10, (8 * most).bit_length()))
    squash, stretch = _curves()
    return int(
        compiled(_code)(
            writing, content, shared, lengths, stream, squash, stretch,
            np.full((CONTEXTS, slots), 32768, np.uint16), np.zeros((CONTEXTS, slots), np.uint8),
        )
    )  # fmt: skip


@cache
def _curves() -> tuple[Array, Array]:
    """The logistic function of -2047..2047 in 1/256 to 12 bits, and its inverse."""
    squash = np.zeros(4096, np.int64)
    for value in range(-2047, 2048):
        place, part = (value >> 7) + 16, value & 127
        squash[value + 2048] = (KNOTS[place] * (128 - part) + KNOTS[place + 1] * part + 64) >> 7
    squash[0] = squash[1]
    stretch, at = np.zeros(4096, np.int64), 0
    for value in range(-2047, 2048):
        reached = int(squash[value + 2048])
        stretch[at : reached + 1] = value
        at = max(at, reached + 1)
    stretch[at:] = 2047
    return squash, stretch


def _code(
    writing: bool,
    content: Array,  # (total,) uint8, read or written
    shared: Array,  # (n,) int64, read or written
    lengths: Array,  # (n,) int64, read or written
    stream: Array,  # uint8, written or read
    squash: Array,
    stretch: Array,
    chances: Array,  # (contexts, slots) uint16: of a one, in 1/65536
    seen: Array,  # (contexts, slots) uint8: how often, at most 250
) -> int:
    contexts, slots = chances.shape
    total = len(content)
    weights = np.full((2 * 256 * (contexts + 1), contexts + 1), 22000, np.int64)
    inputs, places = np.zeros(contexts + 1, np.int64), np.zeros(contexts, np.int64)
    hashes, bases = np.zeros(contexts, np.int64), np.zeros(contexts, np.int64)
    inputs[contexts] = 256
    refined = np.zeros((2 * 65536, 33), np.int64)
    for value in range(33):
        refined[:, value] = squash[min(max((value - 16) * 128, -2047), 2047) + 2048] * 16
    word, last = np.zeros(70000, np.int64), np.zeros(70000, np.int64)
    low, high, x, at = 0, 0xFFFFFFFF, 0, 0
    if not writing:
        for _ in range(4):
            x = (x << 8) | (int(stream[at]) if at < len(stream) else 0)
            at += 1
    own, last_shared, last_length, length = 0, 0, 0, 0
    for index in range(len(shared)):
        kind, begun, told = 0, own, 0
        while True:
            # The contexts of the next symbol: how much is shared, or the next byte of the word.
            if kind == 0:
                tail = last[last_length - 1] if last_length > 0 else 0
                before = last[last_length - 2] if last_length > 1 else 0
                hashes[0] = 0
                hashes[1] = last_length
                hashes[2] = last_shared * 300 + last_length
                hashes[3] = last_shared
                hashes[4] = tail * 256 + before
                hashes[5] = (tail * 256 + before) * 300 + last_length
                hashes[6] = tail * 300 + last_length - last_shared
                hashes[7] = (last[0] * 256 + last[1]) * 300 + last_shared
                hashes[8] = last_length - last_shared
            else:
                grown = 0
                for order in range(6):
                    grown = grown * 257 + (word[length - 1 - order] + 1 if order < length else 0)
                    grown = (grown * 0x2545F491 + order) & 0x3FFFFFFFFFFF
                    hashes[order + 1] = grown
                first = 1 if length == shared[index] else 0
                above = last[length] if length < last_length else 256
                tail = word[length - 1] if length > 0 else 256
                hashes[0] = min(length, 20) * 2 + first
                hashes[7] = (above * 257 + tail) * 2 + first
                hashes[8] = (above * 2 + first) * 64 + min(last_length - length + 20, 63)
            for c in range(contexts):
                mixed = (hashes[c] * 2 + kind + 1) * 0x9E3779B1 & 0xFFFFFFFFFFFF
                hashes[c] = (mixed ^ (mixed >> 15)) * 0x85EBCA6B & 0xFFFFFFFFFFFF
            symbol = 0
            if writing:
                if kind == 0:
                    symbol = shared[index]
                else:
                    symbol = int(content[own]) if told < lengths[index] else 255
            partial = 1
            half = 1  # the bits of this half of the byte, after a one
            for place in range(8):
                known = 0
                half = 1 if place == 4 else half
                for c in range(contexts):
                    if place & 3 == 0:  # the slots of half a byte lie side by side in memory
                        slot = (hashes[c] + partial * 0x1F35B) & 0xFFFFFFFFFFFF
                        slot = ((slot ^ (slot >> 22)) * 0x2C1B3C6D >> 12) & (slots - 1)
                        bases[c] = slot & ~15
                    slot = bases[c] + half
                    places[c] = slot
                    inputs[c] = stretch[int(chances[c, slot]) >> 4]
                    known += 1 if seen[c, slot] > 0 else 0
                chosen = (kind * 256 + partial) * (contexts + 1) + known
                dot = 0
                for c in range(contexts + 1):
                    dot += weights[chosen, c] * inputs[c]
                dot = min(max(dot >> 16, -2047), 2047)
                chance = squash[dot + 2048]
                # A second look: what chances like this one came to after this byte.
                near = kind * 65536 + (partial * 256 + (word[length - 1] if length > 0 else 0))
                step, part = (dot + 2048) >> 7, (dot + 2048) & 127
                fine = (refined[near, step] * (128 - part) + refined[near, step + 1] * part) >> 11
                final = min(max((chance + fine + 1) >> 1, 1), 4095)
                middle = low + ((high - low) >> 12) * final
                bit = 1 if x <= middle else 0
                if writing:
                    bit = (symbol >> (7 - place)) & 1
                if bit:
                    high = middle
                else:
                    low = middle + 1
                while (low ^ high) & 0xFF000000 == 0:
                    if writing:
                        stream[at] = high >> 24
                    low = (low << 8) & 0xFFFFFFFF
                    high = ((high << 8) & 0xFFFFFFFF) | 255
                    if not writing:
                        x = ((x << 8) & 0xFFFFFFFF) | (int(stream[at]) if at < len(stream) else 0)
                    at += 1
                wrong = ((bit << 12) - chance) * 6
                for c in range(contexts + 1):
                    weights[chosen, c] += (inputs[c] * wrong + 0x8000) >> 16
                for c in range(contexts):
                    slot = places[c]
                    often = int(seen[c, slot])
                    target = 65535 if bit else 0
                    now = int(chances[c, slot])
                    chances[c, slot] = now + (target - now) * 2 // (2 * often + 3)
                    if often < 250:
                        seen[c, slot] += 1
                nearest = step + (1 if part >= 64 else 0)
                refined[near, nearest] += ((65535 if bit else 0) - refined[near, nearest]) // 50
                partial, half = partial * 2 + bit, half * 2 + bit
            symbol = partial & 255
            if kind == 0:
                shared[index] = min(symbol, last_length)
                length = shared[index]
                for j in range(length):
                    word[j] = last[j]
                kind = 1
                continue
            if symbol == 255 or length >= 69999 or (not writing and own >= total):
                break
            word[length] = symbol
            if not writing:
                content[own] = symbol
            own, length, told = own + 1, length + 1, told + 1
        lengths[index] = own - begun
        for j in range(shared[index], length):
            last[j] = word[j]
        last_shared, last_length = shared[index], length
    if writing:
        for _ in range(4):
            stream[at] = (high >> 24) & 255
            high = (high << 8) & 0xFFFFFFFF
            at += 1
    return at
