"""What a text is steered by: two groups of prompts, a layer, strengths."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.decode.sampling import Sampling
from core.decode.steering import require_prompts
from core.errors import InvalidSpecification

SWEEP = (-0.6, -0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45, 0.6)
STRONGEST = 2.0
USUAL = Sampling(temperature=0.6, steps=24)
PROMPTS, AXIS = "prompts", "axis"


@dataclass(frozen=True)
class SteerSpec:
    """What is steered, and how it is measured.

    ``plus`` and ``minus`` are prompts to steer towards and away from. ``made`` says how the
    direction is made of them: "prompts", the difference of their mean states; "axis", as the Axes
    page makes it of two lists of words in the space of that layer. ``strengths`` are in units of
    the layer's usual length. ``samples`` texts are written at each (one at temperature 0, where
    all would be the same), along the direction and along each of ``controls`` random ones.
    """

    model: str
    prompt: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]
    layer: int
    strengths: tuple[float, ...] = SWEEP
    sampling: Sampling = USUAL
    samples: int = 4
    controls: int = 8
    made: str = PROMPTS

    def __post_init__(self) -> None:
        object.__setattr__(self, "plus", require_prompts("what to steer towards", self.plus))
        object.__setattr__(self, "minus", require_prompts("what to steer away from", self.minus))
        strengths = tuple(
            sorted({0.0, *(round(float(strength), 4) for strength in self.strengths)})
        )
        object.__setattr__(self, "strengths", strengths)
        if self.sampling.temperature == 0:
            object.__setattr__(self, "samples", min(self.samples, 1))
        if not np.isfinite(strengths).all() or max(map(abs, strengths)) > STRONGEST:
            raise InvalidSpecification(
                f"found strengths {strengths}; expected -{STRONGEST:g} to {STRONGEST:g}: 0.3 "
                "works, and beyond 0.6 texts drift"
            )
        if self.made not in (PROMPTS, AXIS) or not 1 <= self.samples <= 64 or self.controls < 0:
            raise InvalidSpecification(
                f"found a direction made of {self.made!r:.40}, {self.samples} samples and "
                f"{self.controls} controls; expected prompts or axis, 1 to 64, and 0 or more"
            )

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "SteerSpec":
        """Undo :func:`dataclasses.asdict`, also through JSON."""
        sampling = Sampling(**said["sampling"])
        lists = {name: tuple(said[name]) for name in ("plus", "minus", "strengths")}
        return cls(**{**said, **lists, "sampling": sampling})
