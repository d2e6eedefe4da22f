"""The sidebar: which space, what it is, and where it is computed."""

from functools import partial

import streamlit as st

from core.errors import MeaningSpaceError
from core.permalink import TEACHER
from core.pipeline import StudentCard, teachers
from core.pipeline.uploads import PREFIX as UPLOAD
from core.resources import site_root
from core.teachers.base import TeacherInfo
from core.teachers.model_folder.device import description
from core.teachers.registry import PATTERNS
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace
from core.ui.shared.uploads import brought, forget_button, upload_box, upload_title
from core.ui.stage import preload

SHORT = {
    "minilm:tokens": "MiniLM tokens",
    "minilm:words": "MiniLM words",
    "minilm:sentences": "MiniLM sentences",
    "glove:30000": "GloVe 30,000",
    "glove": "GloVe 400,000",
    "smollm2:tokens": "SmolLM2 tokens",
}
MODEL_PAGES = ("layers", "texts", "trajectories")  # they choose a model of their own
ABILITIES = {
    "rows": "a table of vectors",
    "encode": "vectors for any text",
    "states": "hidden states of every layer",
    "generate": "text",
}


def sidebar(page: str) -> str:
    """Draw it; the reference string of the chosen space. Stops the page when there is none."""
    _adopt_link(page)
    current = str(st.session_state.setdefault("teacher", TEACHER))
    if page in MODEL_PAGES or _asks_a_model(page):
        _model_page()
        return current
    students = {f"student:{card.key}": _titled(card) for card in workspace().catalogue.students()}
    known = [*(info.reference for info in teachers()), *students, *brought()]
    options = list(dict.fromkeys([*known, current]))
    names = {**SHORT, **students}
    names |= {name: upload_title(name) for name in options if name.startswith(UPLOAD)}
    st.session_state["space choice"] = current
    with st.sidebar:
        preload()
        st.selectbox(
            "Space",
            options,
            format_func=lambda reference: names.get(reference, reference),
            key="space choice",
            on_change=_choose,
            args=(page,),
            accept_new_options=True,
            help="Choose one, or type a reference:\n\n"
            + "\n".join(f"- `{pattern}`: {what}" for pattern, what in PATTERNS.items()),
        )
        upload_box(partial(_take, page))
    try:
        info = workspace().teacher(current).info
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.caption("Choose another space on the left; everything else goes on as before.")
        st.stop()
    with st.sidebar:
        _about(info)
        forget_button(current, partial(_take, page, TEACHER))
    return current


def kept_or_not() -> None:
    """One quiet line where what was computed could not be written."""
    if why := workspace().store.unkept:
        st.sidebar.caption(
            f":material/save: Not kept: {plain(why[:1].lower() + why[1:])}. What is computed is "
            "shown, and gone when the app ends."
        )


def _asks_a_model(page: str) -> bool:
    """Whether the paths page shows one of the views that have no space."""
    if page != "paths":
        return False
    params = st.query_params.to_dict()
    show = getattr(st.session_state.get("paths view"), "show", "way")
    if params and params != st.session_state.get("paths link"):  # a link wins
        show = params.get("show", "way")
    else:
        show = st.session_state.get("paths:show", show)
    return show in ("between", "islands")


def _model_page() -> None:
    """Where no space is looked at: the page itself says with which model it reads."""
    with st.sidebar:
        preload()
        st.caption(f"Computing on {description()}")


def _adopt_link(page: str) -> None:
    """A link that names a space wins over the one chosen before."""
    params = st.query_params.to_dict()
    named = params.get(_name_in_link(page))
    if named and params != st.session_state.get(f"{page} link"):
        st.session_state["teacher"] = named


def _titled(card: StudentCard) -> str:
    """A student in the list of spaces: what it is, how small, and of whom."""
    taught_by = SHORT.get(card.teacher, card.teacher)
    return f"Student: {card.family}, {card.bytes_per_item:.3g} B, of {taught_by}"


def _name_in_link(page: str) -> str:
    return "a" if page == "compare" else "teacher"


def _choose(page: str) -> None:
    """Take over what was chosen."""
    if chosen := (st.session_state["space choice"] or "").strip():
        _take(page, chosen)


def _take(page: str, reference: str) -> None:
    """Look at another space from now on; also where the link's own was refused, and never drawn."""
    st.session_state["teacher"] = reference
    params = st.query_params.to_dict()
    if _name_in_link(page) in params and params != st.session_state.get(f"{page} link"):
        st.query_params[_name_in_link(page)] = reference


def _about(info: TeacherInfo) -> None:
    st.caption(f"**{plain(info.title)}**")
    shape = f"{info.items:,} × {info.dim}" if info.items else ""
    weight = _weight(info.size_bytes) if info.size_bytes else ""
    lines = [
        ", ".join(filter(None, (shape, weight))) or "Its size is known once it is loaded",
        "Gives " + ", ".join(ABILITIES[ability] for ability in info.can),
        f"Licence: {info.licence}" if info.licence else "Licence: the model's own",
    ]
    st.caption("  \n".join(lines))
    if info.note:
        st.caption(info.note)
    st.caption(f"Computing on {description()}")


def _weight(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):,.0f} kB"


def chrome() -> None:
    """Put assets/app.css on the page."""
    st.html(site_root() / "assets" / "app.css")
