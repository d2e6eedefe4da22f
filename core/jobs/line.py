"""A line before something that only so many can use at once: whose turn it is, and when yours is.

Turns go round by person: whoever stands in it twice is served again only after all others who came
meanwhile (start-time fair queueing with turns of equal weight, Goyal, Vin and Cheng 1996).
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType

REMEMBERED = 0.3  # of the mean length of a turn, how much the latest one counts


class TurnQueue:
    """A line of which ``at_once`` are served at a time; for any number of threads.

    >>> line = TurnQueue()
    >>> first, second = line.join("ann", "write"), line.join("bob", "write")
    >>> first.ahead, second.ahead
    (0, 1)
    >>> first.leave()
    >>> second.wait(0.0)
    True
    """

    def __init__(self, at_once: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[Place] = []
        self._served: list[Place] = []
        self._rounds: dict[str, int] = {}  # the latest of each person
        self._round = 0
        self._number = 0
        self._seconds: dict[str, float] = {}  # of a turn, by kind

    def join(self, person: str, kind: str) -> "Place":
        """Stand in line; turns of one ``kind`` are expected to take equally long."""
        with self._changed:
            around = max(self._round, self._rounds.get(person, -1) + 1)
            self._rounds[person] = around
            self._number += 1
            place = Place(self, person, kind, (around, self._number))
            self._waiting.append(place)
            self._serve()
            return place

    def _serve(self) -> None:
        """Whoever is next has the turn; the caller holds the lock."""
        while self._waiting and len(self._served) < self._at_once:
            place = min(self._waiting, key=lambda it: it.order)
            self._waiting.remove(place)
            self._served.append(place)
            place.began = self._clock()
            self._round = place.order[0]
        if not self._waiting and not self._served:
            self._rounds.clear()
        self._changed.notify_all()

    def _before(self, place: "Place") -> "list[Place]":
        return [it for it in self._waiting if it.order < place.order]

    def _expected(self, place: "Place") -> float:
        """Seconds that a turn will still take."""
        mean = self._seconds.get(place.kind)
        if mean is None:
            mean = sum(self._seconds.values()) / len(self._seconds)
        return mean if place.began is None else max(mean - (self._clock() - place.began), 0.0)


class Place:
    """Somebody's place in a line, to be left in the end: by ``with``, or by `leave`."""

    def __init__(self, line: TurnQueue, person: str, kind: str, order: tuple[int, int]) -> None:
        self.person = person
        self.kind = kind
        self.order = order
        self.began: float | None = None  # when its turn came
        self._line = line

    @property
    def ahead(self) -> int:
        """How many turns are before this one, those that go on included; 0 once it is its own."""
        line = self._line
        with line._changed:
            if self not in line._waiting:
                return 0
            return len(line._served) + len(line._before(self))

    @property
    def seconds(self) -> float | None:
        """About how long until its turn; None as long as no turn has ended to judge by."""
        line = self._line
        with line._changed:
            if self not in line._waiting:
                return 0.0
            if not line._seconds:
                return None
            ahead = [*line._served, *line._before(self)]
            return sum(map(line._expected, ahead)) / line._at_once

    def wait(self, seconds: float) -> bool:
        """Whether its turn has come, after so long at most."""
        line = self._line
        with line._changed:
            return line._changed.wait_for(lambda: self.began is not None, seconds)

    def leave(self) -> None:
        """Give the turn on, or the place up."""
        line = self._line
        with line._changed:
            if self in line._waiting:
                line._waiting.remove(self)
            elif self in line._served:
                line._served.remove(self)
                took = line._clock() - (self.began or 0.0)
                mean = line._seconds.get(self.kind, took)
                line._seconds[self.kind] = mean + REMEMBERED * (took - mean)
            line._serve()

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


def place_words(place: Place) -> str:
    """Where somebody stands: "3 ahead of you, about 20 s"; "" once it is their turn."""
    ahead, seconds = place.ahead, place.seconds
    if ahead == 0:
        return ""
    if seconds is None:
        return f"{ahead} ahead of you"
    step = 5 if seconds > 10 else 1
    return f"{ahead} ahead of you, about {max(step, step * round(seconds / step)):,} s"
