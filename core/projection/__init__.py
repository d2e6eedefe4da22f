"""Pictures of a space: fitting them, placing new points on them, saying how true they are."""

from core.projection.base import (
    SPECS,
    PcaSpec,
    Projection,
    Spec,
    TsneSpec,
    UmapSpec,
    spec_from_dict,
)
from core.projection.fit import fit

__all__ = [
    "SPECS",
    "PcaSpec",
    "Projection",
    "Spec",
    "TsneSpec",
    "UmapSpec",
    "fit",
    "spec_from_dict",
]
