"""The straight line. It cuts through the inside of the space, where the norms are smaller."""

from core.paths.curve import Double


def lerp(start: Double, end: Double, shares: Double) -> Double:
    """Points (s, d) at the given shares of the straight line from start (d,) to end (d,).

    Halfway between two unrelated directions the norm falls to 0.71 of the ends'.
    """
    return (1 - shares)[:, None] * start + shares[:, None] * end
