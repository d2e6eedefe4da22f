"""The frozen picture behind texts: what one layer of a causal model makes of the corpus."""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.errors import InvalidSpecification
from core.pipeline.workspace import Workspace
from core.progress import scaled
from core.projection.base import PcaSpec, Projection, Spec
from core.projection.pca import PrincipalPlane, principal_plane
from core.projection.placement import place
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.teachers.causal import depth_of
from core.types import Coords, Progress, Queries, QueryCoords, silent


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A layer as a space with its picture. The picture stays as it is: other states are placed on
    it, exactly where it is a plane (PCA), else among the places of their nearest."""

    space: Space
    picture: Projection
    plane: PrincipalPlane | None

    @property
    def coords(self) -> Coords:
        """(n, p) where the corpus' states are."""
        return self.picture.coords

    @property
    def share(self) -> float | None:
        """The share of the variance that a plane keeps, 0 to 1."""
        return self.picture.notes.get("explained_variance")

    def place(self, states: Queries) -> QueryCoords:
        """(m, p) where states (m, d) of this layer belong."""
        if self.plane is not None:
            return self.plane(unit_rows(states))
        return place(self.space, self.coords, states)[0]


def backdrop(
    workspace: Workspace, model: str, layer: int, spec: Spec, progress: Progress = silent
) -> Backdrop:
    """The picture of a layer; what is not there yet is made. Raises Cancelled."""
    space = workspace.space(space_name(model, layer), partial(scaled, progress, 0, 50))
    picture = workspace.projection(space, spec, partial(scaled, progress, 50, 100))
    plane = _plane(space, spec.dims) if isinstance(spec, PcaSpec) else None
    return Backdrop(space, picture, plane)


@lru_cache(maxsize=4)
def _plane(space: Space, dims: int) -> PrincipalPlane:
    return principal_plane(space.unit, dims)


def space_name(model: str, layer: int) -> str:
    """The reference of a layer as a space.

    >>> space_name("smollm2", 30)
    'smollm2:layer30'
    """
    return f"{model}:layer{layer}"


def layer_of(model: str, layer: int | None) -> int:
    """The layer, the last where None. Raises InvalidSpecification where there is none of it."""
    depth = depth_of(model)
    if layer is None:
        return depth
    if not 0 <= layer <= depth:
        raise InvalidSpecification(
            f"found layer {layer}; expected 0 (the embeddings) to {depth}, the last of {model}"
        )
    return layer


def in_space(lm: LanguageModel, layer: int, stream: npt.NDArray[np.float32]) -> Queries:
    """(m, d) states of the residual stream as the layer's space has them: the last layer's go
    through the final norm, all others stay as they are."""
    if layer != lm.depth:
        return stream
    import torch

    with torch.inference_mode():
        normed = lm.norm(torch.from_numpy(stream).to(lm.device))
    return np.ascontiguousarray(normed.float().cpu().numpy())
