"""Lenses of causal models: the fitted one, made once and kept, and how good both are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.decode.language_model import LanguageModel
from core.decode.lens import FittedLens, Judged, LensGrid, fit_lens, judge, lens_grid, summed
from core.errors import InvalidSpecification
from core.metrics.intervals import interval
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.trajectories.corpus_split import windows
from core.progress import scaled
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity
from core.types import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

    from core.pipeline.workspace import Workspace

KINDS = ("logit", "fitted")
WINDOW = 64  # tokens of a stretch of text
EACH = 4  # stretches of a document at most: some 16,000 tokens
CHECKED = 6  # of so many documents one chooses the strength
JUDGED = 48  # documents that the lens has not met
TOP = 5  # words a cell


@dataclass(frozen=True, eq=False)
class Lens:
    """A fitted lens, with what it was fitted on and what it comes to on other documents.

    ``figures`` has a row for each layer and kind: agreement (the share of tokens whose likeliest
    word is the model's own) and divergence (nats), with 95% intervals over documents.
    """

    model: str
    fitted: FittedLens
    tokens: int
    documents: int
    judged_tokens: int
    judged_documents: int
    seconds: float
    figures: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Its figures as JSON."""
        return {
            "model": self.model,
            "tokens": self.tokens,
            "documents": self.documents,
            "judged_tokens": self.judged_tokens,
            "judged_documents": self.judged_documents,
            "seconds": round(self.seconds, 1),
            "strengths": list(self.fitted.strengths),
            "layers": self.figures.round(4).to_dict("records"),
        }


def lens_key(reference: str) -> str:
    """Where the store keeps a model's lens."""
    made_of = (WINDOW, EACH, CHECKED, JUDGED)
    return store_key("lens-2", speaker_identity(reference), corpus_identity(), *made_of)


def has_lens(workspace: "Workspace", reference: str) -> bool:
    """Whether it is there."""
    return workspace.store.has("lens", lens_key(reference))


def fitted_lens(workspace: "Workspace", reference: str, progress: Progress = silent) -> Lens:
    """The fitted lens of a model, made once and kept.

    Raises what :func:`core.pipeline.models.speaker` raises, TeacherUnavailable for the texts,
    Cancelled.
    """
    key = lens_key(reference)

    def read() -> Lens:
        stored = workspace.store.load("lens", key)
        own, said = stored.arrays, dict(stored.payload)
        fitted = FittedLens(own["maps"], own["shifts"], tuple(said.pop("strengths")))
        return Lens(reference, fitted, figures=stored.tables["figures"], **said)

    def write(lens: Lens) -> None:
        arrays = {"maps": lens.fitted.maps, "shifts": lens.fitted.shifts}
        said = {
            name: getattr(lens, name)
            for name in ("tokens", "documents", "judged_tokens", "judged_documents", "seconds")
        }
        said["strengths"] = list(lens.fitted.strengths)
        workspace.store.save("lens", key, arrays, {"figures": lens.figures}, said)

    return workspace.kept("lens", key, read, lambda: _made(speaker(reference), progress), write)


def _made(lm: LanguageModel, progress: Progress) -> Lens:
    begun = perf_counter()
    texts = windows(lm, "fitted", WINDOW, EACH)
    names = list(dict.fromkeys(name for name, _ in texts))
    apart = set(names[::CHECKED])  # whole documents choose the strength
    own = [ids for name, ids in texts if name not in apart]
    check = [ids for name, ids in texts if name in apart]
    sums = summed(lm, own, partial(scaled, progress, 0, 40))
    chosen = summed(lm, check, partial(scaled, progress, 40, 48))
    fitted = fit_lens(sums, chosen, partial(scaled, progress, 48, 60))
    others = [ids for _, ids in windows(lm, "held out", WINDOW, most=JUDGED)]
    judged = judge(lm, others, fitted, partial(scaled, progress, 60, 100))
    return Lens(
        lm.name,
        fitted,
        tokens=sums.count + chosen.count,
        documents=len(names),
        judged_tokens=int(judged.tokens.sum()),
        judged_documents=len(others),
        seconds=perf_counter() - begun,
        figures=_figures(judged),
    )


def _figures(judged: Judged) -> pd.DataFrame:
    rows: list[Mapping[str, Any]] = []
    for number, kind in enumerate(KINDS):
        for layer in range(judged.agrees.shape[1]):
            agrees = interval(judged.agrees[number, layer], over=judged.tokens)
            parts = interval(judged.divergence[number, layer], over=judged.tokens)
            rows.append(
                {
                    "layer": layer,
                    "kind": kind,
                    "agreement": agrees.value,
                    "agreement_low": agrees.low,
                    "agreement_high": agrees.high,
                    "divergence": parts.value,
                    "divergence_low": parts.low,
                    "divergence_high": parts.high,
                }
            )
    return pd.DataFrame(rows)


def read_layers(
    workspace: "Workspace",
    reference: str,
    text: str,
    kind: str = "logit",
    k: int = TOP,
    progress: Progress = silent,
) -> LensGrid:
    """Every layer's guess at every position of a text; a fitted lens is made where there is none.

    Raises InvalidSpecification for another kind, and for a text that is empty or too long.
    """
    if kind not in KINDS:
        raise InvalidSpecification(f"found the lens {kind!r:.40}; expected one of logit, fitted")
    lm = speaker(reference)
    ids = lm.ids(text)
    fitted = fitted_lens(workspace, reference, progress).fitted if kind == "fitted" else None
    return lens_grid(lm, ids, fitted, k)


@dataclass(frozen=True, eq=False)
class Gaps:
    """How far readings of one token are apart, layer by layer (l,): the Jensen-Shannon divergence
    of what they expect next, in bits, 0 for the same and 1 for nothing in common. ``logit`` and
    ``fitted`` are a lens' gaps to the model's own answer, ``between`` those of both lenses."""

    logit: npt.NDArray[np.float64]
    fitted: npt.NDArray[np.float64]
    between: npt.NDArray[np.float64]


def lens_gaps(lm: LanguageModel, states: npt.NDArray[np.float32], fitted: FittedLens) -> Gaps:
    """The gaps at a token with ``states`` (l, d) in all layers. Raises NotEnoughMemory."""
    import torch

    stream = torch.from_numpy(states).to(lm.device)
    one = _shares(lm, stream)
    other = _shares(lm, torch.stack([fitted(row, layer) for layer, row in enumerate(stream)]))
    return Gaps(_divergence(one, one[-1]), _divergence(other, one[-1]), _divergence(one, other))


def _shares(lm: LanguageModel, states: "Tensor") -> npt.NDArray[np.float64]:
    """(l, v) probabilities of the next token."""
    return np.asarray(lm.lens(states).double().softmax(-1).cpu().numpy())


def _divergence(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(l,) Jensen-Shannon divergence of (l, v) and (l, v) or (v,), in bits."""
    from scipy.special import rel_entr

    middle = (one + other) / 2
    both = rel_entr(one, middle).sum(-1) + rel_entr(other, middle).sum(-1)
    return np.asarray(np.maximum(both, 0) / (2 * np.log(2)))


def grid_table(lm: LanguageModel, grid: LensGrid) -> pd.DataFrame:
    """A row for each layer and token, as a person takes it away."""
    layers, count, k = grid.top.shape
    words = np.array(lm.pieces(grid.top.ravel().tolist())).reshape(grid.top.shape)
    rows = {
        "layer": np.repeat(np.arange(layers), count),
        "position": np.tile(np.arange(count), layers),
        "token": lm.pieces(grid.ids.tolist()) * layers,
        "entropy": grid.entropy.ravel(),
        "rank_of_final": grid.rank.ravel(),
        "probability_of_final": grid.share.ravel(),
    }
    for place in range(k):
        rows[f"word_{place + 1}"] = words[:, :, place].ravel()
        rows[f"probability_{place + 1}"] = grid.probabilities[:, :, place].ravel()
    return pd.DataFrame(rows)
