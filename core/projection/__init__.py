"""Pictures of a space: fitting them, placing new points on them, saying how true they are.

``faithfulness`` and ``regions`` are functions in the modules of the same names.
"""

from core.projection.base import (
    SPECS,
    PcaSpec,
    Projection,
    Spec,
    TsneSpec,
    UmapSpec,
    spec_from_dict,
)
from core.projection.faithfulness import Faithfulness
from core.projection.fit import fit
from core.projection.placement import place
from core.projection.regions import RegionLabel, Regions
from core.projection.umap import start_warm_up, warm_up

__all__ = [
    "SPECS",
    "Faithfulness",
    "PcaSpec",
    "Projection",
    "RegionLabel",
    "Regions",
    "Spec",
    "TsneSpec",
    "UmapSpec",
    "fit",
    "place",
    "spec_from_dict",
    "start_warm_up",
    "warm_up",
]
