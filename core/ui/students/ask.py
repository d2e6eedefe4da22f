"""The box for any string: where the student puts it, and what the teacher says to that."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError, UnknownItem
from core.figures.map import Chosen, focus_on, map_figure
from core.figures.scene import Items, Label, Picture, Scene, label_at
from core.permalink import StudentView
from core.pipeline import Answer, StudentCard
from core.pipeline.students.answers import answer_of, student_of
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.projection.placement import place
from core.spaces.space import Space
from core.students import registry
from core.students.registry import family
from core.ui.shared.colouring import details
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import remember, widget, workspace
from core.ui.stage import mount, neighbor_list, tokens

NEAR = 10
JOINED = 6


def ask(view: StudentView, card: StudentCard, space: Space) -> StudentView:
    """Draw the box and the answer; the view with what was typed."""
    reads = family(card.family).reads
    st.subheader("Ask it anything" if reads else "Ask it for a word it stores", anchor=False)
    typed = st.text_input(
        "A word, a misspelling, a name, any text",
        view.text,
        key=widget("student", "text"),
        placeholder="try oceanic, tabel, or a name" if reads else "try ocean",
        max_chars=2000,
        label_visibility="collapsed",
    ).strip()
    view = replace(view, text=typed)
    if not typed:
        st.caption(_invitation(card, reads))
        return view
    try:
        known = typed in student_of(workspace(), card.key).known
        if not known and not reads and workspace().space(card.teacher).find(typed) is None:
            raise UnknownItem(
                f"found {typed!r:.60}, which it does not store; a {card.family} student holds "
                f"rows only. These kinds read spelling: {', '.join(_readers())}"
            )
        with st.spinner("Asking the student and its teacher"):
            answer = answer_of(workspace(), card.key, typed)
    except UnknownItem as error:
        st.info(plain(error), icon=":material/abc:")
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
    else:
        _show(answer, space)
    return view


def _readers() -> list[str]:
    """Titles of the families that have a vector for any text."""
    found = []
    for name in registry.NAMES:
        try:
            each = family(name)
        except ImportError:
            continue
        if each.reads:
            found.append(each.name)
    return found


def _invitation(card: StudentCard, reads: bool) -> str:
    if reads:
        return (
            "It reads spelling: a word that nobody ever wrote gets a vector too. The teacher's "
            "answer stands beside it, where there is one."
        )
    return (
        f"A {card.family} student stores rows and reads no spelling: it answers for the words "
        "it was given."
    )


def _show(answer: Answer, space: Space) -> None:
    st.caption(_said(answer))
    picture, mine, theirs = st.columns([0.64, 0.18, 0.18], gap="small")
    with picture:
        _on_the_map(answer, space)
    with mine:
        st.markdown("##### The student")
        st.caption(plain(answer.how, 120))
        neighbor_list(answer.nearest, "The student's answer", "student answer", _from_list)
    with theirs:
        st.markdown("##### The teacher")
        if answer.teacher_vector is None:
            st.caption("It has no vector for this text: the student is alone here.")
        else:
            st.caption(plain(answer.teacher_how, 120))
            neighbor_list(
                answer.teacher_nearest, "The teacher's answer", "teacher answer", _from_list
            )


def _said(answer: Answer) -> str:
    """How close the two answers are, in words and as a cosine."""
    if answer.residual is None:
        return "Only the student has an answer here; there is nothing to measure it against."
    cosine = 1 - answer.residual
    mine = {text for text, _, _ in answer.nearest[:NEAR]}
    theirs = {text for text, _, _ in answer.teacher_nearest[:NEAR]}
    stored = "" if answer.known else " The student does not store it: it read the letters."
    return (
        f"Cosine between the two vectors **{cosine:.3f}**; {len(mine & theirs)} of "
        f"{len(theirs)} neighbours are the same.{stored}"
    )


def _on_the_map(answer: Answer, space: Space) -> None:
    """The teacher's picture, with the student's point in amber and the teacher's in teal."""
    spec = _picture_of(space)
    coords = workspace().projection(space, spec).coords
    spot = place(space, coords, np.ascontiguousarray(answer.vector[None, :]))[0][0]
    rows = np.array([row for _, _, row in answer.nearest[:JOINED]], np.int64)
    rows = rows[rows < len(space)]
    labels: list[Label] = [label_at(f"{answer.text}, student", spot, "chosen", 15)]
    inputs = np.empty(0, np.int64)
    if answer.teacher_vector is not None:
        own = space.find(answer.text)
        if own is not None:
            inputs = np.array([own], np.int64)
            if float(np.abs(coords[own] - spot).max()) > 0:
                labels.append(label_at(f"{answer.text}, teacher", coords[own], "second", 14))
            else:
                labels[0] = label_at(f"{answer.text}, both", spot, "chosen", 15)
    labels += [label_at(space.texts[row], coords[row], "near", 12) for row in rows]
    chosen = Chosen(answer.text, spot, rows, None, inputs)
    scene = Scene(
        name=f"asked {answer.text}",
        pictures=[
            Picture(
                map_figure(coords, None, tokens(), f"{space.digest} {spec.digest} ask", chosen),
                title=f"The teacher's map ({TITLES[spec.kind]}): where the student puts it",
                tag="projected",
                alt=f"Where the student puts {answer.text} on the teacher's map.",
                height=430,
                labels=labels,
                focus=focus_on(coords, chosen),
                hint="A point goes where its nearest items of the teacher's space are.",
            )
        ],
        items=Items(space.texts, details(space)),
    )
    mount(scene, "student ask stage")


def _picture_of(space: Space) -> Spec:
    """UMAP where it was drawn already; it is not worth waiting for here."""
    umap = UmapSpec()
    return umap if workspace().has_projection(space, umap) else PcaSpec()


def _from_list() -> None:
    """A click on a neighbour asks for that one."""
    for key in ("student answer", "teacher answer"):
        picked = (st.session_state.get(key) or {}).get("chosen")
        current = st.session_state.get("student view")
        if not picked or not isinstance(current, StudentView):
            continue
        texts = workspace().space(current.teacher).texts
        row = int(picked["row"])
        if 0 <= row < len(texts):
            st.session_state[widget("student", "text")] = texts[row]
            remember("student", replace(current, text=texts[row]))
