"""What many people at one server rely on: work done once, and a summary that tells the truth."""

import pytest

from benchmarks.load import spread
from benchmarks.visitor import UNIT
from core.ui import stage
from core.ui.shared import blobs


@pytest.fixture
def by_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_served", True)


def body(told: dict[str, str]) -> list[str]:
    payload = blobs.fetch(told["$blob"].removeprefix(blobs.ROUTE))
    assert payload is not None
    return payload.decode().split(UNIT)


def test_texts_are_told_once_and_again_when_they_are_gone(
    by_route: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = tuple(f"word {row}" for row in range(stage.MANY))
    told = stage._strings(texts)
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "strings", lambda _: pytest.fail("joined a second time"))
        assert stage._strings(texts) == told
    blobs._blobs.clear()
    assert body(stage._strings(texts)) == list(texts)


def test_other_texts_in_the_same_place_are_not_taken_for_the_first(by_route: None) -> None:
    for round_ in range(20):  # a list that is let go lends its address to the next
        texts = [f"{round_} {row}" for row in range(stage.MANY)]
        assert body(stage._strings(texts)) == texts
        del texts


def test_spread_of_known_numbers() -> None:
    found = spread([float(value) for value in range(1, 102)])
    assert found == {"count": 101, "median": 51.0, "p95": 96.0, "longest": 101.0}
    assert spread([]) == {"count": 0}
