"""Meaning Space: the entry point that Streamlit runs."""

import streamlit as st

from core.resources import site_root
from core.ui.serving.offline import ask_nobody
from core.ui.shared.sidebar import chrome, kept_or_not, sidebar

ask_nobody()
st.set_page_config(
    page_title="Meaning Space",
    page_icon=str(site_root() / "assets" / "icon.svg"),  # an icon by name would come from the web
    layout="wide",
    initial_sidebar_state="expanded",
)
page = st.navigation(
    [
        st.Page("pages/home.py", title="Start", icon=":material/explore:", default=True),
        st.Page("pages/map.py", title="Map", icon=":material/bubble_chart:", url_path="map"),
        st.Page("pages/paths.py", title="Paths", icon=":material/route:", url_path="paths"),
        st.Page("pages/axes.py", title="Axes", icon=":material/straighten:", url_path="axes"),
        st.Page("pages/layers.py", title="Layers", icon=":material/layers:", url_path="layers"),
        st.Page(
            "pages/trajectories.py",
            title="Trajectories",
            icon=":material/timeline:",
            url_path="trajectories",
        ),
        st.Page("pages/texts.py", title="Texts", icon=":material/article:", url_path="texts"),
        st.Page("pages/student.py", title="Students", icon=":material/school:", url_path="student"),
        st.Page(
            "pages/compare.py",
            title="Compare",
            icon=":material/compare_arrows:",
            url_path="compare",
        ),
    ]
)
chrome()
sidebar(page.url_path)
try:
    page.run()
finally:  # pages stop where they wait
    kept_or_not()
