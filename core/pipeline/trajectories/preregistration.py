"""Guesses about the laws of motion: written down and locked first, then scored on documents held
out, of which nothing is shown but these scores.

A guess is a sentence of a small fixed language. It says that a quantity is higher, lower or alike
in texts of one kind against another, or that two quantities rise together, or against each other,
within texts of a kind.
"""

import json
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.metrics.intervals import Interval, seeds_interval
from core.pipeline.trajectories.samples import KINDS, TEXTS
from core.pipeline.trajectories.significance import SIGNIFICANT
from core.pipeline.trajectories.statistics import LOCAL, QUANTITIES, SAME_BY_MAKING, Laws
from core.store.keys import store_key

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

COMPARED = {"higher": "higher than", "lower": "lower than", "alike": "about the same as"}
TOGETHER = {"together": "rises with", "against": "falls as the other rises:"}
OUTCOMES = ("supported", "not supported", "undecided")
ALIKE = 0.5  # of the standard deviation between documents: a difference that small counts as none
KIND, KEY = "guesses", store_key("guesses-1")
TWIN = store_key("guesses-1 again")  # kept twice: nobody could make them again

_lock = threading.Lock()


@dataclass(frozen=True)
class Prediction:
    """``quantity`` of ``kind`` is ``claim`` (higher, lower, alike) than that of ``other``, a kind;
    or, with the claims together and against, goes with ``other``, a second local quantity.

    Raises InvalidSpecification for what is no sentence of this language.
    """

    quantity: str
    claim: str
    kind: str
    other: str

    def __post_init__(self) -> None:
        if self.claim in COMPARED:
            fine = self.quantity in QUANTITIES and {self.kind, self.other} <= set(KINDS)
        else:
            fine = self.claim in TOGETHER and {self.quantity, self.other} <= set(LOCAL)
            fine = fine and self.kind in KINDS
        made_up = not {self.kind, self.other} & set(KINDS) <= set(TEXTS)
        no_words = "entropy" in (self.quantity, self.other) and made_up
        same = {self.kind, self.other} & set(SAME_BY_MAKING.get(self.quantity, ()))
        if not fine or self.other in (self.quantity, self.kind) or no_words or same:
            raise InvalidSpecification(
                f"found a guess that {self.quantity} of {self.kind} is {self.claim} {self.other}; "
                "expected two different kinds, or two different quantities that have a value at "
                "every word, of which none is set when the paths are made up: choose others"
            )

    @property
    def sentence(self) -> str:
        """In words."""
        name, kind = QUANTITIES[self.quantity].name, KINDS[self.kind]
        if self.claim in COMPARED:
            return f"{name} of “{kind}” is {COMPARED[self.claim]} that of “{KINDS[self.other]}”"
        other = QUANTITIES[self.other].name.casefold()
        how = "rises with" if self.claim == "together" else "falls with rising"
        return f"Within “{kind}”, {name.casefold()} {how} {other}"


@dataclass(frozen=True)
class Locked:
    """A guess as it was written down: when (UTC), as the how-manieth of the workspace, and a digest
    of all that, which tells whether anything was changed since."""

    guess: Prediction
    model: str
    layer: int
    written: str
    order: int

    @property
    def digest(self) -> str:
        """16 hex digits."""
        said = json.dumps(asdict(self), sort_keys=True)
        return blake2b(said.encode(), digest_size=8).hexdigest()

    @property
    def level(self) -> float:
        """How sure its interval has to be. The k-th guess may err with 0.05 / (k (k + 1)), so that
        all that will ever be made err with 0.05 together. All layers and models are counted, since
        they are scored on the same documents."""
        return 1 - SIGNIFICANT / (self.order * (self.order + 1))


@dataclass(frozen=True)
class Score:
    """What became of a guess: one of :data:`OUTCOMES`, by the interval of what it is about (a
    difference of means, or a mean correlation) over n documents. ``margin``, of a guess that two
    kinds are alike: the difference that counts as none, in the quantity's own unit."""

    outcome: str
    interval: Interval
    documents: int
    margin: float | None = None


def lock(workspace: "Workspace", guess: Prediction, model: str, layer: int) -> Locked:
    """Write a guess down for good. The same one again is the one that is there already."""
    with _lock:
        known = every(workspace)
        for one in known:
            if (one.guess, one.model, one.layer) == (guess, model, layer):
                return one
        now = datetime.now(UTC).isoformat(timespec="seconds")
        made = Locked(guess, model, layer, now, len(known) + 1)
        rows = [{**asdict(one), "digest": one.digest} for one in (*known, made)]
        for key in (KEY, TWIN):
            workspace.store.save(KIND, key, None, None, {"guesses": rows})
        return made


def locked(workspace: "Workspace", model: str, layer: int) -> list[Locked]:
    """The guesses about a layer, in the order in which they were made. Raises what :func:`every`
    raises."""
    return [one for one in every(workspace) if (one.model, one.layer) == (model, layer)]


def every(workspace: "Workspace") -> list[Locked]:
    """All guesses of the workspace, in the order in which they were made.

    Raises InvalidSpecification where one was changed after it was written down.
    """
    key = next((it for it in (KEY, TWIN) if workspace.store.has(KIND, it)), None)
    if key is None:
        return []
    found = []
    for row in workspace.store.load(KIND, key).payload["guesses"]:
        said = dict(row)
        digest = said.pop("digest")
        one = Locked(Prediction(**said.pop("guess")), **said)
        if one.digest != digest:
            raise InvalidSpecification(
                f"found a guess of {one.written} that was changed after it was locked; expected "
                f"the one with digest {digest}: delete {workspace.store.folder(KIND, key)}"
            )
        found.append(one)
    return found


def score(one: Locked, laws: Laws) -> Score:
    """Judge a guess by documents that were held out.

    A difference, or a correlation, counts only where its interval leaves out 0. Two kinds are
    alike where the whole interval of their difference lies within a margin, :data:`ALIKE` standard
    deviations of the quantity between people's texts, and not where all of it lies outside. So a
    stricter level makes every answer harder to come by. Raises InvalidSpecification for
    measurements of explored documents, or of another layer.
    """
    if laws.part != "held out" or (laws.model, laws.layer) != (one.model, one.layer):
        raise InvalidSpecification(
            f"found the {laws.part} documents of {laws.model}, layer {laws.layer}; expected "
            f"those held out of {one.model}, layer {one.layer}: measure them first"
        )
    values = _values(one.guess, laws)
    values = values[np.isfinite(values)]
    told = seeds_interval(values.tolist(), one.level)
    margin = None
    if one.guess.claim == "alike":
        margin = ALIKE * float(np.std(laws.values(one.guess.quantity, "people"), ddof=1))
    return Score(_outcome(one.guess.claim, told, margin), told, len(values), margin)


def _values(guess: Prediction, laws: Laws) -> npt.NDArray[np.float64]:
    """(n,) by document: what the guess is about."""
    if guess.claim in COMPARED:
        return laws.values(guess.quantity, guess.kind) - laws.values(guess.quantity, guess.other)
    a, b = sorted((guess.quantity, guess.other), key=LOCAL.index)
    return laws.values(f"{a}~{b}", guess.kind)


def _outcome(claim: str, interval: Interval, margin: float | None) -> str:
    supported, not_supported, undecided = OUTCOMES
    if np.isnan([interval.low, interval.high]).any():
        return undecided
    if margin is not None:
        if -margin < interval.low and interval.high < margin:
            return supported
        return not_supported if interval.low > margin or interval.high < -margin else undecided
    if interval.low <= 0 <= interval.high:
        return undecided
    above = claim in ("higher", "together")
    return supported if (interval.low > 0) == above else not_supported
