"""The line before a model: who is next, what those who wait are told, and that nobody is lost."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.line import Place, TurnQueue, place_words


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def served(line: TurnQueue, places: list[Place]) -> list[Place]:
    """The places in the order in which their turns come, each left at once."""
    order, left = [], list(places)
    while left:
        [has_turn] = [place for place in left if place.wait(0.0)]
        order.append(has_turn)
        left.remove(has_turn)
        has_turn.leave()
    return order


def test_thirty_people_are_served_in_the_order_in_which_they_came():
    line = TurnQueue()
    places = [line.join(f"person {number}", "write") for number in range(30)]
    assert [place.ahead for place in places] == list(range(30))
    assert served(line, places) == places


def test_who_asks_for_much_waits_for_those_who_ask_for_little():
    line = TurnQueue()
    greedy = [line.join("ann", "write") for _ in range(4)]
    late = [line.join(name, "write") for name in ("bob", "eve")]
    assert [place.ahead for place in late] == [1, 2]  # behind the turn that goes on, not all four
    assert served(line, [*greedy, *late]) == [greedy[0], *late, *greedy[1:]]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20))
def test_of_people_who_wait_nobody_is_more_than_a_turn_ahead(people):
    line = TurnQueue()
    first = line.join("first", "write")
    order = served(line, [first, *(line.join(person, "write") for person in people)])
    said = [place.person for place in order[1:]]
    assert sorted(said) == sorted(people)
    for end in range(len(said)):
        had = [said[:end].count(person) for person in set(said[end:])]
        assert max(had) - min(had) <= 1


def test_the_wait_is_told_once_a_turn_has_ended():
    clock = Clock()
    line = TurnQueue(clock=clock)
    first, second, third = (line.join(name, "write") for name in ("ann", "bob", "eve"))
    assert place_words(first) == ""
    assert place_words(third) == "2 ahead of you"
    clock.now = 20.0
    first.leave()
    assert (second.seconds, third.seconds) == (0.0, 20.0)
    clock.now = 27.0
    assert third.seconds == pytest.approx(13.0)
    assert place_words(third) == "1 ahead of you, about 15 s"
    look = line.join("cat", "look")  # of another kind, which nobody has timed
    assert look.seconds == pytest.approx(33.0)


def test_who_leaves_the_line_is_not_waited_for():
    line = TurnQueue()
    first, second, third = (line.join(name, "write") for name in ("ann", "bob", "eve"))
    second.leave()
    assert third.ahead == 1
    first.leave()
    assert third.wait(0.0)
    assert not second.wait(0.0)
    third.leave()
    third.leave()  # a second time is no harm
    with line.join("bob", "write") as again:
        assert again.wait(0.0)


def test_a_turn_ends_when_the_work_fails():
    line = TurnQueue()
    with pytest.raises(ZeroDivisionError), line.join("ann", "write"):
        _ = 1 / 0
    assert line.join("bob", "write").wait(0.0)


def test_threads_never_have_it_at_once_and_all_have_it():
    line, inside, most, done = TurnQueue(at_once=2), [0], [0], []
    lock = threading.Lock()

    def work(number: int) -> None:
        with line.join(f"person {number % 5}", "write") as place:
            assert place.wait(10.0)
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1
                done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert sorted(done) == list(range(40))
    assert most[0] <= 2
