"""What is dear to make is made once, however many ask for it at the same time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class LruCache(Generic[T]):
    """The values asked for last, as many as weigh ``most`` together, and the latest one always.

    Who wants what somebody else is making waits for it; nobody waits for another key. ``weigh``
    gives a value's weight, 1 each by default.
    """

    def __init__(self, most: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._turns: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made where there is none. What ``make`` raises is kept by nobody."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._found:
                    return self._found[key]
            try:
                value = make()
                self.put(key, value)
                return value
            finally:
                with self._lock:
                    self._turns.pop(key, None)

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value that was made elsewhere."""
        with self._lock:
            self._found[key] = value
            self._found.move_to_end(key)
            while len(self._found) > 1 and sum(map(self._weigh, self._found.values())) > self._most:
                self._found.popitem(last=False)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._found
