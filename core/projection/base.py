"""What is asked for (a specification) and what came of it (a projection), kept apart.

A specification is a frozen dataclass that checks itself. Each field carries in its metadata one
plain sentence of help and the range a person may choose from, so that a page can draw its controls
from the specification alone. Its digest keys every cache.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from core.errors import InvalidSpecification
from core.types import Coords


def _dims() -> Any:
    return field(
        default=2,
        metadata={
            "help": "A flat picture (2) or one that can be turned (3).",
            "min": 2,
            "max": 3,
            "step": 1,
        },
    )


def _seed() -> Any:
    return field(
        default=None,
        metadata={
            "help": "A number makes the picture come out the same every time, but slower, on one "
            "core; empty uses all cores.",
            "min": 0,
            "max": 2**31 - 1,
            "step": 1,
        },
    )


@dataclass(frozen=True)
class _Spec:
    """What all specifications share: checks, digest, dictionary."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for each in fields(self):
            _require_in_range(self.kind, each.name, getattr(self, each.name), each.metadata)

    @property
    def digest(self) -> str:
        """32 hex digits: the kind and every field."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Kind and fields, for JSON; :func:`spec_from_dict` reads it back."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class PcaSpec(_Spec):
    """The flat shadow with the most variance: a straight line in the space stays straight."""

    kind: ClassVar[str] = "pca"
    dims: int = _dims()


@dataclass(frozen=True)
class UmapSpec(_Spec):
    """Neighbours are pulled together and random pairs pushed apart (McInnes and others 2018).

    The defaults are 100 epochs with 10 pushes, not umap-learn's 200 with 5: in the same time or
    less, trustworthiness rises from 0.81 to 0.84 on 29,523 token vectors, and a fifth more of
    the true neighbours stay near (benchmarks/projection.py).
    """

    kind: ClassVar[str] = "umap"
    n_neighbors: int = field(
        default=15,
        metadata={
            "help": "How many neighbours, the item itself among them, hold each item in place: "
            "few show fine detail, many show the broad shape.",
            "min": 2,
            "max": 32,
            "step": 1,
        },
    )
    min_dist: float = field(
        default=0.1,
        metadata={
            "help": "How tightly neighbours may be packed: 0 makes clumps, 1 spreads them evenly.",
            "min": 0.0,
            "max": 1.0,
            "step": 0.05,
        },
    )
    n_epochs: int = field(
        default=100,
        metadata={
            "help": "How many rounds of pulling and pushing: more is truer and takes longer.",
            "min": 10,
            "max": 1000,
            "step": 10,
        },
    )
    negative_sample_rate: int = field(
        default=10,
        metadata={
            "help": "How many random items push for each neighbour that pulls.",
            "min": 1,
            "max": 40,
            "step": 1,
        },
    )
    dims: int = _dims()
    seed: int | None = _seed()


@dataclass(frozen=True)
class TsneSpec(_Spec):
    """Each item keeps its neighbours with a likelihood that matches the space's (openTSNE)."""

    kind: ClassVar[str] = "tsne"
    perplexity: int = field(
        default=10,
        metadata={
            "help": "How many neighbours each item tries to keep; three times as many are looked "
            "at, and a space's graph has 31.",
            "min": 2,
            "max": 10,
            "step": 1,
        },
    )
    exaggeration: float = field(
        default=12.0,
        metadata={
            "help": "How much harder neighbours pull in the first rounds: more makes wider gaps.",
            "min": 1.0,
            "max": 32.0,
            "step": 1.0,
        },
    )
    early_iterations: int = field(
        default=100,
        metadata={
            "help": "Rounds of the harder pull, in which the broad shape forms.",
            "min": 0,
            "max": 500,
            "step": 10,
        },
    )
    iterations: int = field(
        default=150,
        metadata={
            "help": "Rounds after that, in which the detail forms.",
            "min": 10,
            "max": 1000,
            "step": 10,
        },
    )
    dims: int = _dims()
    seed: int | None = _seed()


Spec = PcaSpec | UmapSpec | TsneSpec
SPECS: dict[str, type[PcaSpec] | type[UmapSpec] | type[TsneSpec]] = {
    spec.kind: spec for spec in (UmapSpec, TsneSpec, PcaSpec)
}


def spec_from_dict(values: Mapping[str, Any]) -> Spec:
    """The specification that :meth:`to_dict` wrote; fields left out take their defaults.

    Raises InvalidSpecification for an unknown kind or field, or a value out of range.

    >>> spec_from_dict({"kind": "umap", "min_dist": 0.5}).min_dist
    0.5
    """
    given = dict(values)
    kind = given.pop("kind", None)
    if kind not in SPECS:
        raise InvalidSpecification(
            f"found projection kind {kind!r}; expected one of {', '.join(SPECS)}: name one of them"
        )
    known = {each.name for each in fields(SPECS[kind])}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidSpecification(
            f"found {', '.join(unknown)} in a specification for {kind}; expected only "
            f"{', '.join(sorted(known))}: leave the others out"
        )
    for each in fields(SPECS[kind]):
        if each.name in given:
            _require_in_range(kind, each.name, given[each.name], each.metadata)
            if isinstance(each.default, float):  # JSON and pages may say 1 for 1.0
                given[each.name] = float(given[each.name])
    return SPECS[kind](**given)


def _require_in_range(kind: str, name: str, value: Any, limits: Mapping[str, Any]) -> None:
    if value is None and name == "seed":
        return
    whole = all(isinstance(limits[key], int) for key in ("min", "max", "step"))
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not limits["min"] <= value <= limits["max"]:
        raise InvalidSpecification(
            f"found {name} = {value!r} for {kind}; expected "
            f"{'a whole number' if whole else 'a number'} from {limits['min']} to "
            f"{limits['max']}: choose one in that range"
        )


@dataclass(frozen=True, eq=False)
class Projection:
    """A fitted picture. ``coords`` is (n, p) float32, finite and read-only, in picture units.

    ``seconds`` says how long each stage took; ``notes`` what the method has to say about itself,
    such as PCA's ``explained_variance``, a share of 1.
    """

    coords: Coords
    spec: Spec
    space_digest: str
    seconds: dict[str, float]
    notes: dict[str, float] = field(default_factory=dict)
