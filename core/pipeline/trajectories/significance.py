"""Which kinds of text each law of motion tells from texts by people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.intervals import Interval, interval
from core.metrics.permutation_test import holm, sign_flip
from core.pipeline.trajectories.samples import KINDS, TEXTS
from core.pipeline.trajectories.statistics import PAIRS, QUANTITIES, SAME_BY_MAKING, Laws

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Difference:
    """A kind's mean less the people's own over the same documents, with its 95% interval, and the
    p of a sign-flip test: of this question alone, and after all that were asked (Holm)."""

    quantity: str
    kind: str
    interval: Interval
    p: float
    p_of_all: float

    @property
    def apart(self) -> bool:
        """Whether the two can be told apart."""
        return self.p_of_all < SIGNIFICANT


def differences(laws: Laws) -> list[Difference]:
    """Every kind against the people's texts in every quantity, but where they are equal because
    they were made so."""
    asked = []
    for quantity in QUANTITIES:
        people = laws.values(quantity, "people")
        for kind in list(KINDS)[1:]:
            away = laws.values(quantity, kind) - people
            if not np.isnan(away).any() and kind not in SAME_BY_MAKING.get(quantity, ()):
                asked.append((quantity, kind, interval(away), sign_flip(away)))
    raised = holm([p for *_, p in asked])
    return [Difference(*it, of_all) for it, of_all in zip(asked, raised, strict=True)]


@dataclass(frozen=True)
class Verdict:
    """Of one quantity: kinds that lie higher than the people's texts, kinds that lie lower, and
    those that it can't tell from them."""

    quantity: str
    higher: tuple[str, ...]
    lower: tuple[str, ...]
    alike: tuple[str, ...]


def verdicts(asked: Sequence[Difference]) -> list[Verdict]:
    """A plain answer for each quantity."""

    def kinds(quantity: str, sign: int) -> tuple[str, ...]:
        own = [it for it in asked if it.quantity == quantity]
        signs = [int(np.sign(it.interval.value)) if it.apart else 0 for it in own]
        return tuple(it.kind for it, own_sign in zip(own, signs, strict=True) if own_sign == sign)

    return [Verdict(name, kinds(name, 1), kinds(name, -1), kinds(name, 0)) for name in QUANTITIES]


def report(laws: Laws) -> dict[str, Any]:
    """Everything but the paths, as JSON."""
    means = {
        quantity: {
            kind: {"mean": mean.value, "interval": mean.report()}
            for kind in KINDS
            if (mean := laws.mean(quantity, kind)) is not None
        }
        for quantity in QUANTITIES
    }
    return {
        "model": laws.model,
        "layer": laws.layer,
        "part": laws.part,
        "documents": len(laws.documents),
        "left_out": laws.left_out,
        "seconds": round(laws.seconds, 1),
        "variance_in_the_picture": laws.kept,
        "means": means,
        "against_people": [
            {
                "quantity": it.quantity,
                "kind": it.kind,
                "difference": it.interval.value,
                "interval": it.interval.report(),
                "p": it.p,
                "p_of_all": it.p_of_all,
                "apart": it.apart,
            }
            for it in differences(laws)
        ],
        "correlations": {
            kind: {
                f"{a}~{b}": {"mean": mean.value, "interval": mean.report()}
                for a, b in PAIRS
                if (mean := laws.mean(f"{a}~{b}", kind)) is not None
            }
            for kind in TEXTS
        },
        "turn_by_layer": {
            kind: [round(float(it), 2) for it in laws.turns[row].mean(axis=0)]
            for row, kind in enumerate(TEXTS)
        },
    }
