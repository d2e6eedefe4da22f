"""What the regions of a picture are about: a box to light one up, and a table of all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.pipeline.texts.topics import Topic
from core.spaces.space import Space
from core.types import Rows
from core.ui.shared.downloads import safe_csv
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget

HELP = (
    "Regions are where points crowd in the picture (HDBSCAN). Their keywords are frequent in the "
    "region and rare in the others (class-based TF-IDF, Grootendorst 2022)."
)
MOST_DOCUMENTS = 4


def region_box(topics: Sequence[Topic], show: str) -> int | None:
    """A box to choose a region of that view, largest first; its number."""
    name = f"texts region {show}"
    known = sorted(range(len(topics)), key=lambda number: -topics[number].size)
    current = st.session_state.get(name)
    current = current if current in known else None
    chosen: int | None = st.selectbox(
        "Region",
        known,
        index=None if current is None else known.index(current),
        format_func=lambda number: f"{topics[number].name} ({topics[number].size:,})",
        placeholder="Light one up" if known else "Not named yet",
        key=widget("texts", f"region {show} {current}"),
        help=HELP,
        disabled=not known,
    )
    st.session_state[name] = chosen
    return chosen


def region_facts(
    number: int, topics: Sequence[Topic], space: Space, cluster: Rows, middle: str
) -> None:
    """The chosen region: its keywords, the text in its ``middle``, the documents most in it."""
    topic = topics[number]
    st.subheader(plain(topic.name, 60), anchor=False)
    st.caption(
        "**What it is about**  \n"
        + plain(", ".join(f"{word} ({weight:.3f})" for word, weight in topic.words), 300),
        help=f"{HELP} In brackets the weight.",
    )
    titles = space.metadata["document"]
    st.caption(
        f"**In its middle** (cosine {topic.cosine:.2f}) {plain(titles.iloc[topic.medoid], 80)}  \n"
        f"{plain(middle, 700)}",
        help="What is nearest by cosine to the mean of the region.",
    )
    counts = titles[cluster == number].value_counts()
    most = ", ".join(f"{plain(name, 50)} ({count})" for name, count in counts[:6].items())
    st.caption(f"**Most of its {topic.size:,} points come from** {most}")


def regions_table(
    topics: Sequence[Topic], space: Space, cluster: Rows, texts: Sequence[str]
) -> None:
    """All regions to read and to take away; ``texts`` are what their medoids say, in order."""
    if not topics:
        return
    documents = space.metadata["document"].to_numpy()
    rows = []
    for number, topic in enumerate(topics):
        names, counts = np.unique(documents[cluster == number].astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_DOCUMENTS]
        rows.append(
            {
                "keywords": ", ".join(word for word, _ in topic.words),
                "items": topic.size,
                "in its middle": texts[number],
                "cosine to the middle": topic.cosine,
                "documents": "; ".join(str(names[k]) for k in order),
            }
        )
    table = pd.DataFrame(rows).sort_values("items", ascending=False, kind="stable")
    with st.expander(f"What the {len(table)} regions are about"):
        st.dataframe(table, hide_index=True, height=320)
        st.download_button(
            "Save the regions",
            lambda: safe_csv(table),
            "regions.csv",
            "text/csv",
            on_click="ignore",
        )
