"""The quiet line under every projected picture: how true it is, in words and in figures."""

import streamlit as st

from core.projection.base import PcaSpec, Spec
from core.projection.faithfulness import Faithfulness
from core.spaces.space import Space
from core.ui.shared.state import workspace

NOUNS = {"word": "word", "piece": "word", "sentence": "sentence", "token": "token"}
HELP = """
- **Trustworthiness**: are those near in the picture near in the space too? 1 is perfect, 0.5
  is chance.
- **Continuity**: are the near ones in the space near in the picture? 1 is perfect.
- **Overlap**: the share of an item's 15 true neighbours among its 15 nearest in the picture.
- **Triplets**: of two random items, is the nearer one nearer in the picture? 0.5 is chance. Far
  distances in such a picture say little.

Fewer than three items, or items that are all alike, fit into any picture: they get no figures.
"""


def noun(space: Space) -> str:
    """What one item of the space is called."""
    if "kind" in space.metadata and len(space):
        return NOUNS.get(str(space.metadata["kind"].iloc[0]), "item")
    return "item"


def truth_line(space: Space, spec: Spec) -> None:
    """The line; while the figures are being computed it says so."""
    if not workspace().has_faithfulness(space, spec):
        st.caption("How true this picture is, is being measured.")
        return
    measured = workspace().faithfulness(space, spec)
    if not measured.judged:
        st.caption(_sentence(measured, noun(space)), help=HELP)
        return
    flat = PcaSpec(dims=spec.dims)
    reference = ""
    if spec != flat and workspace().has_faithfulness(space, flat):
        reference = f" PCA, for reference: {_figures(workspace().faithfulness(space, flat))}."
    graph = workspace().graph(space)
    found = (
        f" Neighbours are approximate here, {graph.recall:.1%} of the true ones."
        if graph.recall < 1
        else ""
    )
    sample = "" if measured.sample >= len(space) else f" Measured on {measured.sample:,} items."
    st.caption(
        f"{_sentence(measured, noun(space))} {_figures(measured)}.{reference}{found}{sample}",
        help=HELP,
    )


def _sentence(measured: Faithfulness, name: str) -> str:
    said = measured.sentence(name)
    return f"{said[:1].upper()}{said[1:].rstrip('.')}."


def _figures(measured: Faithfulness) -> str:
    return (
        f"trustworthiness {measured.trustworthiness:.2f}, continuity {measured.continuity:.2f}, "
        f"overlap {measured.overlap:.2f}, triplets {measured.triplets:.2f}"
    )
