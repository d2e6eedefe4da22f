"""Choosing a picture: which projection, and all its parameters before it runs."""

from dataclasses import fields
from typing import Any

import streamlit as st

from core.errors import InvalidSpecification
from core.permalink import Parameters
from core.projection.base import SPECS, Spec, spec_from_dict
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget

TITLES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
KNOWN_ELSEWHERE = ("dims", "seed")


def spec_of(projector: str, parameters: Parameters, seed: int | None, dims: int) -> Spec:
    """The specification that a link asks for; what is not valid falls back, and is said."""
    values: dict[str, Any] = {"kind": projector, "dims": dims, **dict(parameters)}
    if projector != "pca" and seed is not None:
        values["seed"] = seed
    try:
        return spec_from_dict(values)
    except InvalidSpecification as error:
        st.warning(f"{plain(error)} (using the default picture)")
        return spec_from_dict({"kind": projector if projector in SPECS else "umap", "dims": dims})


def changed_parameters(spec: Spec) -> Parameters:
    """The parameters that differ from the defaults, as a link carries them."""
    plain = type(spec)()
    names = [each.name for each in fields(spec) if each.name not in KNOWN_ELSEWHERE]
    return tuple(
        (name, getattr(spec, name)) for name in names if getattr(spec, name) != getattr(plain, name)
    )


def picture_form(page: str, spec: Spec) -> Spec | None:
    """Every parameter of the chosen projection; a new specification once "Draw" is pressed."""
    st.caption(type(spec).__doc__ or "")
    values: dict[str, Any] = {"kind": spec.kind, "dims": spec.dims}
    with st.form(widget(page, f"parameters {spec.digest}"), border=False):
        for each in fields(spec):
            if each.name not in KNOWN_ELSEWHERE:
                values[each.name] = st.slider(
                    each.name.replace("_", " "),
                    each.metadata["min"],
                    each.metadata["max"],
                    getattr(spec, each.name),
                    each.metadata["step"],
                    help=f"{each.metadata['help']} Default {each.default}.",
                )
        if hasattr(spec, "seed"):
            seed = st.number_input(
                "seed",
                min_value=0,
                max_value=2**31 - 1,
                value=spec.seed,
                placeholder="none: fastest, a little different each time",
                help="With a seed the same picture comes out every time; it takes longer, "
                "because only one core can work.",
            )
            values["seed"] = None if seed is None else int(seed)
        if st.form_submit_button("Draw the picture", type="primary"):
            return spec_from_dict(values)
    return None
