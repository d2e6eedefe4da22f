"""The verdict of probes: each layer's figures, which says it best, and the items asked about."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import StoreError
from core.metrics.intervals import Interval
from core.metrics.probes import Probed
from core.spaces.linalg import Floats
from core.store.disk import Store

KIND = "probing"


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbedItems:
    """What was asked about, n of each. ``aside`` (layers, n) is where an item stands along the
    direction in which items differ most besides the probe's own; only for two classes."""

    names: tuple[str, ...]
    details: tuple[str, ...]
    labels: tuple[str, ...]
    aside: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Probing:
    """What a probe reads off every layer of a model, and off its table (``static``)."""

    model: str
    task: str
    items: int
    classes: int
    layers: tuple[Probed, ...]
    static: Probed | None
    groups: int
    apart: str
    asked: ProbedItems
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return tuple(self.layers[0].directions)

    @property
    def best(self) -> int:
        """The layer that says it best; the first of equals."""
        return int(np.argmax([layer.accuracy.value for layer in self.layers]))

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON; what could not be asked is None."""
        return {
            "model": self.model,
            "task": self.task,
            "items": self.items,
            "classes": self.classes,
            "groups": self.groups,
            "apart": self.apart,
            "static": None if self.static is None else _figures(self.static),
            "layers": [_figures(layer) for layer in self.layers],
            "notes": list(self.notes),
        }


def _figures(it: Probed) -> dict[str, Any]:
    return {
        "layer": it.layer,
        "accuracy": it.accuracy.value,
        "accuracy_95": it.accuracy.report(),
        "majority": it.majority,
        "known_words": _or_none(it.known),
        "control": _or_none(it.control),
        "selectivity": _or_none(it.selectivity),
    }


def write_probing(store: Store, key: str, probing: Probing) -> None:
    """Keep a probing under its key."""
    every = [*([probing.static] if probing.static else []), *probing.layers]
    arrays: dict[str, Any] = {"aside": probing.asked.aside}
    layers = []
    for number, it in enumerate(every):
        arrays[f"scores_{number:03d}"] = it.scores
        arrays[f"along_{number:03d}"] = np.stack(list(it.directions.values()))
        figures = {"layer": it.layer, "accuracy": asdict(it.accuracy), "majority": it.majority}
        layers.append(figures | {"known": _or_none(it.known), "control": _or_none(it.control)})
    items = {
        "name": probing.asked.names,
        "detail": probing.asked.details,
        "label": probing.asked.labels,
    }
    payload = {
        "told": layers,
        "static": probing.static is not None,
        "names": list(probing.names),
        "model": probing.model,
        "task": probing.task,
        "groups": probing.groups,
        "apart": probing.apart,
        "notes": list(probing.notes),
    }
    store.save(KIND, key, arrays, {"items": pd.DataFrame(items)}, payload)


def read_probing(store: Store, key: str) -> Probing:
    """The probing kept under a key. Raises StoreError where it does not read."""
    kept = store.load(KIND, key)
    payload, table = kept.payload, kept.tables["items"]
    try:
        every = [
            Probed(
                layer=it["layer"],
                accuracy=Interval(**it["accuracy"]),
                majority=it["majority"],
                known=_or_nan(it["known"]),
                control=_or_nan(it["control"]),
                directions=dict(
                    zip(payload["names"], kept.arrays[f"along_{number:03d}"], strict=True)
                ),
                scores=kept.arrays[f"scores_{number:03d}"],
            )
            for number, it in enumerate(payload["told"])
        ]
        names, details, labels = (tuple(table[it]) for it in ("name", "detail", "label"))
        return Probing(
            model=payload["model"],
            task=payload["task"],
            items=len(labels),
            classes=len(payload["names"]),
            layers=tuple(every[payload["static"] :]),
            static=every[0] if payload["static"] else None,
            groups=payload["groups"],
            apart=payload["apart"],
            asked=ProbedItems(
                names=names, details=details, labels=labels, aside=kept.arrays["aside"]
            ),
            notes=tuple(payload["notes"]),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise StoreError(
            f"found a probing that does not read ({fault!r:.80}); expected one of this version: "
            "ask again"
        ) from None


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
