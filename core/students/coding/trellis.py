"""The inner loops of the entropy coder, compiled by numba when they are first called.

A row is coded coefficient by coefficient. Each coefficient has a class, which says how large it
tends to be; a class has one table of frequencies for each of two quantisers; and a trellis says
which quantiser comes next. Everything that the decoder branches on is a whole number, so that a
stream reads the same on every machine.

Quantiser 0 has its points at 2q, quantiser 1 at 2q - sign(q), in units of the step. With one state
only quantiser 0 is used: a plain scalar quantiser whose cells are two steps wide.

Sources: rANS: Duda 2013, arXiv:1311.2540. Trellis-coded quantisation with entropy coding: Fischer
& Wang 1992; in the form with a zero in both quantisers: Schwarz et al. 2019 (dependent
quantisation of VVC, JVET-K0071), with 8 states as in its successors.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PRECISION = 15  # bits of a frequency
WIDTH = 26  # entries of a table: magnitudes with a frequency of their own, then the escape
SKIPPED = 255  # the class of a coefficient that is always zero and costs nothing
POLYNOMIALS = {4: (0o5, 0o2), 8: (0o13, 0o4), 16: (0o23, 0o4), 32: (0o45, 0o10), 64: (0o103, 0o24)}
"""Parity checks of the trellis by its number of states (Ungerboeck 1982, table I)."""


@cache
def trellis(states: int) -> Array:
    """(states, 2) int64: the next state by state and parity of q.

    The last bit of a state is its quantiser.

    >>> trellis(4).tolist()
    [[0, 1], [2, 3], [1, 0], [3, 2]]
    """
    following = np.zeros((states, 2), np.int64)
    for state in range(states if states > 1 else 0):
        for parity in range(2):
            feedback, forward = POLYNOMIALS[states]
            mixed = feedback * (state & 1) ^ forward * parity
            following[state, parity] = (state >> 1) ^ (mixed >> 1)
    return following


@cache
def sources(states: int) -> Array:
    """(states, 4) int64: the two ways into each state: state and parity, state and parity."""
    ways: list[list[int]] = [[] for _ in range(states)]
    for state, then in enumerate(trellis(states).tolist()):
        for parity in range(2):
            ways[then[parity]] += [state, parity]
    return np.array(ways, dtype=np.int64)


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loop below, compiled; what was compiled is kept between runs."""
    from numba import njit

    made: Callable[..., Any] = njit(cache=True, nogil=True)(inspect.unwrap(function))
    return made


def quantise(
    values: Array,  # (n, k) float32, in steps; what is predicted is taken away in place
    means: Array,  # (components, k) float32, in steps
    before: Array,  # (n,) how many rows before it the row is that predicts it; 0 for none
    gains: Array,  # (n,) float32, how much of that row is taken
    labels: Array,  # (n,) which row of ``classes`` a row goes by
    classes: Array,  # (components, k) uint8
    shifts: Array,  # (classes,) low bits that are sent as they are
    most: Array,  # (classes,) magnitudes from this on are sent as an escape and the rest
    bits: Array,  # (classes, 2, WIDTH) float32, cost of a magnitude, sign included
    pulls: Array,  # (classes, 2) float32, how far points of magnitude 1, and above, are drawn in
    ways: Array,  # of sources()
    price: float,  # distortion, in squared steps, that one bit is worth
    chosen: Array,  # (n, k) int16, written
    totals: Array,  # (n, 2) float64, written: squared error in steps, bits
) -> None:
    """For each row the cheapest way through the trellis (Viterbi): distortion + price x bits."""
    n, k = values.shape
    states = len(ways)
    back = np.zeros((k, states), np.int16)  # the state before, and the parity, in one
    best = np.zeros((k, 2, 2), np.int16)  # the cheapest magnitude by quantiser and parity
    cost, fresh, edge = np.zeros(states), np.zeros(states), np.zeros((2, 2))
    told = np.zeros((n, k), np.float32)  # the rows as the decoder will have them
    for row in range(n):
        cost[:] = 1e30
        cost[0] = 0.0
        for j in range(k):
            told[row, j] = means[labels[row], j]
            if before[row] > 0:
                told[row, j] += gains[row] * told[row - before[row], j]
            values[row, j] -= told[row, j]
        for j in range(k):
            t = classes[labels[row], j]
            if t == SKIPPED:
                continue
            x = abs(values[row, j])
            edge[:] = 1e30
            for which in range(2 if states > 1 else 1):
                low = min(int((x + which) // 2), 30000)
                for candidate in range(4):
                    a = low + 1 - candidate if candidate < 3 else 0
                    if a < 0 or (candidate == 3 and low < 2):
                        break
                    point = 0.0 if a == 0 else 2.0 * a - which - pulls[t, 0 if a == 1 else 1]
                    high = a >> shifts[t]
                    spent = bits[t, which, min(high, most[t])] + shifts[t]
                    if high >= most[t]:
                        rest = high - most[t]
                        spent += 4.0
                        while rest >= 8:
                            spent += 4.0
                            rest >>= 3
                    spent = (x - point) ** 2 + price * spent
                    if spent < edge[which, a & 1]:
                        edge[which, a & 1] = spent
                        best[j, which, a & 1] = a
            for state in range(states):
                one, two = ways[state, 0], ways[state, 2]
                first = cost[one] + edge[one & 1, ways[state, 1]]
                second = cost[two] + edge[two & 1, ways[state, 3]]
                if first <= second:
                    fresh[state] = first
                    back[j, state] = 2 * one + ways[state, 1]
                else:
                    fresh[state] = second
                    back[j, state] = 2 * two + ways[state, 3]
            cost[:] = fresh
        state = int(np.argmin(cost))
        whole, error = cost[state], 0.0
        for j in range(k - 1, -1, -1):
            t = classes[labels[row], j]
            chosen[row, j] = 0
            if t == SKIPPED:
                error += values[row, j] ** 2
                whole += values[row, j] ** 2
                continue
            edge_in = back[j, state]
            state = edge_in >> 1
            which = state & 1
            a = best[j, which, edge_in & 1]
            chosen[row, j] = a if values[row, j] >= 0 else -a
            point = 0.0 if a == 0 else 2.0 * a - which - pulls[t, 0 if a == 1 else 1]
            error += (abs(values[row, j]) - point) ** 2
            told[row, j] += point if values[row, j] >= 0 else -point
        totals[row, 0] = error
        totals[row, 1] = (whole - error) / price


def tally(
    values: Array,
    chosen: Array,
    labels: Array,
    classes: Array,
    shifts: Array,
    following: Array,  # of trellis()
    counts: Array,  # (components, k, 2, WIDTH) or (classes, ...) float64: added to
    pulled: Array,  # (classes, 2, 2) float64: added to: number and sum of what points lie too far
    by_class: bool,
) -> None:
    """How often each magnitude occurs, by class or by component and column."""
    n, k = chosen.shape
    for row in range(n):
        state = 0
        c = labels[row]
        for j in range(k):
            t = classes[c, j]
            if t == SKIPPED:
                continue
            a = abs(int(chosen[row, j]))
            which = state & 1
            high = min(a >> shifts[t], WIDTH - 1)
            if by_class:
                counts[t, 0, which, high] += 1
            else:
                counts[c, j, which, high] += 1
            if a > 0:
                kind = 0 if a == 1 else 1
                pulled[t, kind, 0] += 1
                pulled[t, kind, 1] += 2.0 * a - which - abs(values[row, j])
            state = following[state, a & 1]


def encode(
    chosen: Array,  # (n, k) int16, the rows of one block
    labels: Array,  # (n,)
    classes: Array,
    shifts: Array,
    most: Array,
    starts: Array,  # (tables, WIDTH + 1) int64, cumulated frequencies; table 2t + quantiser
    of_labels: Array,  # (components + 1,) the same for the labels
    following: Array,  # of trellis()
    words: Array,  # uint16 scratch, long enough
    pushes: Array,  # (2, ...) int64 scratch: start and frequency of each symbol in order
) -> int:
    """Write the block's words from the end of the scratch backwards; answers how many."""
    n, k = chosen.shape
    half, nibble = 1 << (PRECISION - 1), 1 << (PRECISION - 4)
    count = 0
    for row in range(n):
        c = labels[row]
        if len(of_labels) > 2:
            pushes[0, count] = of_labels[c]
            pushes[1, count] = of_labels[c + 1] - of_labels[c]
            count += 1
        state = 0
        for j in range(k):
            t = classes[c, j]
            if t == SKIPPED:
                continue
            q = int(chosen[row, j])
            a = abs(q)
            table = 2 * t + (state & 1)
            high = a >> shifts[t]
            symbol = min(high, most[t])
            pushes[0, count] = starts[table, symbol]
            pushes[1, count] = starts[table, symbol + 1] - starts[table, symbol]
            count += 1
            if high >= most[t]:
                rest = high - most[t]
                more = True
                while more:
                    more = rest >= 8
                    pushes[0, count] = ((rest & 7) | (8 if more else 0)) * nibble
                    pushes[1, count] = nibble
                    count += 1
                    rest >>= 3
            for place in range(shifts[t]):
                pushes[0, count] = ((a >> place) & 1) * half
                pushes[1, count] = half
                count += 1
            if a > 0:
                pushes[0, count] = half if q < 0 else 0
                pushes[1, count] = half
                count += 1
            state = following[state, a & 1]
    x = 1 << 16
    at = len(words)
    for index in range(count - 1, -1, -1):
        start, frequency = pushes[0, index], pushes[1, index]
        if x >= frequency << (32 - PRECISION):
            at -= 1
            words[at] = x & 0xFFFF
            x >>= 16
        x = ((x // frequency) << PRECISION) + x % frequency + start
    at -= 2
    words[at] = x >> 16
    words[at + 1] = x & 0xFFFF
    return len(words) - at


def decode(
    words: Array,  # uint16, the whole stream
    at: int,  # where the block begins
    n: int,  # rows to read
    classes: Array,
    shifts: Array,
    most: Array,
    starts: Array,
    of_labels: Array,
    following: Array,  # of trellis()
    pulls: Array,
    means: Array,  # (components, k) float32
    before: Array,  # (n,) as for quantise
    gains: Array,  # (n,) float32
    points: Array,  # (n, k) float32, written: in steps
) -> None:
    """The inverse of :func:`encode`, for the first n rows of a block."""
    k = classes.shape[1]
    mask, last = (1 << PRECISION) - 1, len(words)
    x = 0
    for _ in range(2):
        x = (x << 16) | (int(words[at]) if at < last else 0)
        at += 1
    for row in range(n):
        c = 0
        if len(of_labels) > 2:
            slot = x & mask
            while c + 2 < len(of_labels) and of_labels[c + 1] <= slot:
                c += 1
            x = (of_labels[c + 1] - of_labels[c]) * (x >> PRECISION) + slot - of_labels[c]
            if x < 65536:
                x = (x << 16) | (int(words[at]) if at < last else 0)
                at += 1
        state = 0
        for j in range(k):
            t = classes[c, j]
            points[row, j] = means[c, j]
            if before[row] > 0:
                points[row, j] += gains[row] * points[row - before[row], j]
            if t == SKIPPED:
                continue
            which = state & 1
            table = 2 * t + which
            slot = x & mask
            a = 0
            while a < most[t] and starts[table, a + 1] <= slot:
                a += 1
            x = (starts[table, a + 1] - starts[table, a]) * (x >> PRECISION) + slot
            x -= starts[table, a]
            if x < 65536:
                x = (x << 16) | (int(words[at]) if at < last else 0)
                at += 1
            if a == most[t]:
                place = 0
                more = True
                while more and place < 15:
                    slot = (x & mask) >> (PRECISION - 4)
                    x = (x >> PRECISION << (PRECISION - 4)) + (x & (mask >> 4))
                    if x < 65536:
                        x = (x << 16) | (int(words[at]) if at < last else 0)
                        at += 1
                    a += (slot & 7) << place
                    place += 3
                    more = slot >= 8
            flags = 0
            a <<= shifts[t]
            for place in range(shifts[t] + 1):
                if place == shifts[t] and a == 0:
                    break
                bit = (x & mask) >> (PRECISION - 1)
                x = (x >> PRECISION << (PRECISION - 1)) + (x & (mask >> 1))
                if x < 65536:
                    x = (x << 16) | (int(words[at]) if at < last else 0)
                    at += 1
                if place < shifts[t]:
                    a |= bit << place
                else:
                    flags = bit
            if a > 0:
                point = 2.0 * a - which - pulls[t, 0 if a == 1 else 1]
                points[row, j] += -point if flags else point
            state = following[state, a & 1]
