"""In which layers a model names what a state stands for: sixty nouns, asked in each.

Words that the model has in several tokens are asked too, and counted apart: only the state of the
last one is patched, and it often stands for that piece.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from core.decode.nouns import CUT, NOUNS
from core.decode.patchscopes import Concept, Patchscope, concepts, identity_prompt, shown
from core.errors import StoreError
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.paths.interpolation import usual_layer
from core.resources import site_root
from core.store.keys import store_key
from core.types import Progress, Queries, silent, tell

if TYPE_CHECKING:
    from core.decode.language_model import LanguageModel
    from core.pipeline.workspace import Workspace

SHIPPED = "named_nouns.json"  # what was measured on the packaged model


@dataclass(frozen=True)
class Named:
    """How many of ``nouns`` nouns are named right in each of ``layers``, first token for first.

    ``right`` counts them in each layer, ``right_cut`` those of the words in ``cut``, which this
    model has in several tokens; ``missed`` are the others of both, with what was said.
    """

    model: str
    nouns: int
    layers: tuple[int, ...]
    right: tuple[int, ...]
    right_cut: tuple[int, ...]
    cut: tuple[str, ...]
    missed: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def shares(self) -> list[float]:
        """The share named right, 0 to 1, for each layer."""
        return [count / max(self.nouns, 1) for count in self.right]

    @property
    def good(self) -> tuple[int, int]:
        """First and last of the longest row of layers in which most nouns are named."""
        best = max(self.right)
        asked = zip(self.layers, self.right, strict=True)
        rows = [
            [layer for layer, _ in group]
            for most, group in groupby(asked, lambda pair: pair[1] == best)
            if most
        ]
        longest = max(rows, key=len)
        return longest[0], longest[-1]

    @property
    def suggested(self) -> int:
        """The usual layer, or the nearest to it of the good ones: in lower layers a state is little
        but the word itself, so that naming it is no feat."""
        first, last = self.good
        return min(max(first, usual_layer(self.layers[-1])), last)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "shares": self.shares, "suggested": self.suggested}


def nouns_named(
    reference: str, layers: Sequence[int] | None = None, progress: Progress = silent
) -> Named:
    """Each noun's state in each layer (all, where None) patched into the identity prompt.

    A word of several tokens is patched at its last one and counts as named where its first one is
    said; a noun that this model cuts is counted with those. Raises InvalidSpecification for a
    layer that is not there, Cancelled.
    """
    tell(progress, 0, 1, "loading the model")
    lm = speaker(reference)
    chosen = (
        list(range(lm.depth + 1))
        if layers is None
        else [lm.require_layer(layer) for layer in layers]
    )
    total = len(chosen) + 1
    tell(progress, 0, total, "reading the nouns")
    named = concepts(lm, (*NOUNS, *CUT), chosen)
    scope = Patchscope(lm, identity_prompt()[0])
    said = []
    for at, layer in enumerate(chosen):
        tell(progress, at + 1, total, f"asking layer {layer} to name them")
        said.append(_said(scope, np.stack([it.states[at] for it in named]), layer))
    whole = [len(it.pieces) == 1 for it in named]
    good = [[it.first == token for it, token in zip(named, ids, strict=True)] for ids in said]
    return Named(
        reference,
        sum(whole),
        tuple(chosen),
        tuple(_both(row, whole) for row in good),
        tuple(_both(row, [not it for it in whole]) for row in good),
        tuple(it.text for it in named if len(it.pieces) > 1),
        tuple(_missed(lm, named, ids) for ids in said),
    )


def _both(one: Sequence[bool], other: Sequence[bool]) -> int:
    return sum(a and b for a, b in zip(one, other, strict=True))


def _said(scope: Patchscope, states: Queries, layer: int) -> list[int]:
    found: list[int] = scope.logits(states, layer).argmax(-1).tolist()
    return found


def _missed(
    lm: "LanguageModel", asked: Sequence[Concept], ids: Sequence[int]
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (it.text, shown(lm.text([token])))
        for it, token in zip(asked, ids, strict=True)
        if token != it.first
    )


# ------------------------------------------------------------------------------------- kept


def naming_key(reference: str) -> str:
    """Where the store keeps what a model names."""
    return store_key("named-1", speaker_identity(reference), identity_prompt()[0], *NOUNS, *CUT)


def has_named(workspace: "Workspace", reference: str) -> bool:
    """Whether it is known, here or from what is shipped."""
    key = naming_key(reference)
    return workspace.store.has("named", key) or key in _shipped()


def kept_named(workspace: "Workspace", reference: str, progress: Progress = silent) -> Named:
    """What a model names in all of its layers, measured once."""
    key = naming_key(reference)
    if key in _shipped():
        return _named(_shipped()[key])

    def read() -> Named:
        return _named(workspace.store.load("named", key).payload)

    def write(named: Named) -> None:
        workspace.store.save("named", key, payload=named.to_dict())

    return workspace.kept(
        "named", key, read, lambda: nouns_named(reference, progress=progress), write
    )


def _named(said: dict[str, Any]) -> Named:
    try:
        return Named(
            str(said["model"]),
            int(said["nouns"]),
            tuple(said["layers"]),
            tuple(said["right"]),
            tuple(said["right_cut"]),
            tuple(said["cut"]),
            tuple(tuple((noun, word) for noun, word in layer) for layer in said["missed"]),
        )
    except (KeyError, TypeError, ValueError):
        raise StoreError(
            "found no whole table of named nouns; expected one: measure it again"
        ) from None


def _shipped() -> dict[str, dict[str, Any]]:
    """By key, so that another model, prompt or list of nouns is measured anew."""
    file = site_root() / "assets" / SHIPPED
    found: dict[str, dict[str, Any]] = (
        json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    )
    return found
