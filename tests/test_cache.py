"""What is dear to make: once, whoever asks, and no more of it than was allowed."""

import threading
import time

import pytest

from core.cache import LruCache


def test_many_who_ask_at_once_get_one_value() -> None:
    kept: LruCache[object] = LruCache(2)
    made, found = [], []

    def make() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    threads = [threading.Thread(target=lambda: found.append(kept.get("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert found == made * 8


def test_nobody_waits_for_another_key() -> None:
    kept: LruCache[int] = LruCache(4)
    gate = threading.Event()
    slow = threading.Thread(target=lambda: kept.get("slow", lambda: (gate.wait(5) and 1) or 0))
    slow.start()
    assert kept.get("quick", lambda: 2) == 2
    gate.set()
    slow.join()
    assert kept.get("slow", lambda: 9) == 1


def test_the_oldest_goes_first_and_the_latest_stays() -> None:
    kept: LruCache[str] = LruCache(5, len)
    for key, value in (("a", "xx"), ("b", "yy"), ("c", "z")):
        kept.put(key, value)
    kept.get("a", lambda: "made again")  # now b is the oldest
    kept.put("d", "ww")
    assert [key in kept for key in "abcd"] == [True, False, True, True]
    kept.put("e", "longer than all that is allowed")
    assert [key in kept for key in "abcde"] == [False, False, False, False, True]


def test_a_failure_is_not_kept() -> None:
    kept: LruCache[int] = LruCache(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 3) == 3


def test_what_goes_while_it_is_asked_for_is_given_all_the_same() -> None:
    """Two keys fight for one place; whoever makes a value gets it, not an error."""
    kept: LruCache[int] = LruCache(1)
    faults: list[BaseException] = []

    def ask(key: int) -> None:
        try:
            for _ in range(300):
                assert kept.get(key, lambda: key) == key
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=ask, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
