"""The page's own style sheet, over what the theme can set."""

import streamlit as st

from core.resources import site_root


def chrome() -> None:
    """Put assets/app.css on the page."""
    st.html(site_root() / "assets" / "app.css")
