"""A segmented control that always has one segment chosen."""

import streamlit as st

from core.ui.shared.state import widget


def segments(
    page: str,
    key: str,
    label: str,
    names: dict[str, str],
    current: str,
    *,
    help_text: str | None = None,
    labelled: bool = True,
) -> str:
    """The key of ``names`` that is chosen; ``current`` at first, or the first where it is none.

    Without ``labelled`` the label is for those who can't see the segments only.
    """
    chosen = st.segmented_control(
        label,
        list(names),
        default=current if current in names else next(iter(names)),
        format_func=names.__getitem__,
        key=widget(page, key),
        help=help_text,
        label_visibility="visible" if labelled else "collapsed",
        required=True,
    )
    return str(chosen or current)
