"""Stages of long work: each reports its share of the whole, and stops where somebody says so."""

from core.types import Progress, tell


def scaled(progress: Progress, low: int, high: int, done: int, total: int, message: str) -> bool:
    """Report a stage as its share, low to high of 100, of the whole."""
    return progress(round(low + (high - low) * done / max(total, 1)), 100, message)


def reach(progress: Progress, percent: int, message: str) -> None:
    """Say what begins now, at so many of 100. Raises Cancelled when the answer is stop."""
    tell(progress, percent, 100, message)
