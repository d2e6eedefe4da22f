"""What can be taken away of a path: its tokens as a table, the picture as a page."""

import pandas as pd
import streamlit as st

from core.pipeline.trajectories.trajectory import FIRST
from core.ui.shared.downloads import as_page, save_page_and_table
from core.ui.shared.projection_form import TITLES
from core.ui.trajectories.generation import Wish
from core.ui.trajectories.scene import Drawn, scene_of


def take_away(drawn: Drawn, wish: Wish) -> None:
    """The tokens in figures, and what can be saved."""
    table = tokens_table(drawn)
    with st.expander("Every token in figures"):
        st.dataframe(table, hide_index=True, height=320)
    save_page_and_table(
        "trajectory",
        lambda: _page(drawn, wish),
        table,
        "token",
        "One HTML file that plays offline, to show in a class or to send.",
    )


def tokens_table(drawn: Drawn) -> pd.DataFrame:
    """One row a token of each sample, the first tokens without a place."""
    found = []
    for number, (walk, track) in enumerate(zip(drawn.walks, drawn.tracks, strict=True)):
        table = pd.DataFrame({"sample": number + 1, "token": walk.pieces, "id": walk.ids})
        table["written"] = [at >= walk.begun for at in range(len(walk))]
        table["probability"] = walk.probability
        table["entropy, nats"] = walk.entropy
        table["rank"] = walk.rank
        if drawn.percentile is not None and number == 0:
            table["distance percentile"] = drawn.percentile
        for axis, name in enumerate("xyz"[: track.places.shape[1]]):
            table[name] = [None] * FIRST + track.places[:, axis].tolist()
        found.append(table)
    return pd.concat(found, ignore_index=True)


def _page(drawn: Drawn, wish: Wish) -> bytes:
    behind, sampling = drawn.backdrop, wish.sampling
    made = behind.space.provenance
    caption = (
        f"{made.model} goes on from “{wish.prompt}”: {sampling.steps} tokens at most, temperature "
        f"{sampling.temperature:g}, top-p {sampling.top_p:g}, seed {sampling.seed}; layer "
        f"{drawn.layer}, {len(behind.space):,} tokens of the corpus behind, drawn by "
        f"{TITLES[behind.picture.spec.kind]} (space {behind.space.digest[:12]}). Made with "
        "Meaning Space."
    )
    return as_page(scene_of(drawn), drawn.trunk.text[:200], caption)
