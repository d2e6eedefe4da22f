"""Getting two spaces ready to be compared: choosing the second, waiting, and saying why not."""

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from core.errors import MeaningSpaceError
from core.jobs.job import Status
from core.permalink import CompareView
from core.pipeline import Comparison, student_key, teachers
from core.pipeline.compare.comparison import FEWEST, compare, has_comparison, part, sketch
from core.pipeline.compare.joint_picture import Counterpart, counterpart, has_counterpart
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.students.answers import student_of
from core.pipeline.uploads import PREFIX as UPLOAD
from core.pipeline.uploads import upload_name
from core.projection.base import PcaSpec, Spec
from core.spaces.join import Join, join
from core.spaces.space import Space
from core.spaces.words import counted
from core.ui.shared.faithfulness_line import noun
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.sidebar import SHORT
from core.ui.shared.state import runner, widget, workspace
from core.ui.shared.uploads import brought

FALLBACKS = ("minilm:words", "minilm:tokens")


@dataclass(frozen=True, eq=False)
class ComparedPair:
    """Two spaces laid on each other and in one picture. ``theirs`` are the shared items with the
    second space's own vectors, before they were laid on the first."""

    comparison: Comparison
    shown: Counterpart
    theirs: Space
    names: tuple[str, str]

    @property
    def digest(self) -> str:
        """What tells this picture of these two from any other."""
        comparison = self.comparison
        return f"{comparison.a.digest} {comparison.b.digest} {self.shown.spec.digest}"


def space_name(reference: str) -> str:
    """What a space is called in a title or on a button."""
    if reference in SHORT:
        return SHORT[reference]
    try:
        if reference.startswith(PREFIX):
            return workspace().catalogue.card(reference.removeprefix(PREFIX)).title
        if reference.startswith(UPLOAD):
            return upload_name(workspace().folder, reference)[:40]
        if reference.startswith("vectors:"):
            return Path(reference.partition(":")[2]).name[:40] or reference
    except MeaningSpaceError:  # whoever opens the space is told why
        pass
    return reference if len(reference) <= 40 else f"{reference[:39]}…"


def short_name(reference: str) -> str:
    """The same where there is little room: a student without its teacher."""
    return space_name(reference).partition(", of ")[0]


def choose_second(view: CompareView) -> CompareView:
    """The box of the second space; the view with what was chosen, or the likeliest one."""
    students = workspace().catalogue.students()
    own = [PREFIX + card.key for card in students if card.teacher == view.a]
    others = [PREFIX + card.key for card in students if card.teacher != view.a]
    tables = [info.reference for info in teachers() if info.reference != view.a]
    usual = own[0] if own else next(name for name in FALLBACKS if name != view.a)
    current = view.b or usual
    listed = [*own, *tables, *others, *(name for name in brought() if name != view.a)]
    options = list(dict.fromkeys([*listed, current]))
    chosen = st.selectbox(
        "Compared with",
        options,
        index=options.index(current),
        format_func=space_name,
        key=widget("compare", f"second of {view.a}"),
        accept_new_options=True,
        help="Students of this space come first, then teachers, then other students. You may type "
        "a reference, such as `glove:10000`, `vectors:FILE` or `student:FOLDER`.",
    )
    second = (chosen or current).strip()
    return replace(view, b=second, item=view.item)


def comparison_or_sketch(view: CompareView, a: Space, b: Space) -> Comparison:
    """The comparison where it is kept; until then what can be said without neighbours."""
    try:
        if has_comparison(workspace(), view.a, view.b):
            with st.spinner("Reading the comparison"):
                return compare(workspace(), view.a, view.b)
        joined = join(a, b)
        if len(joined.a) < FEWEST:
            _nothing_shared(a, b, joined)
        return _sketched(f"{a.digest} {b.digest}", view.a, view.b)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()


@st.cache_resource(max_entries=3, show_spinner="Laying one space on the other")
def _sketched(key: str, a: str, b: str) -> Comparison:  # noqa: ARG001 - part of the key
    return sketch(workspace(), a, b)


def follow_comparison(view: CompareView, comparison: Comparison) -> None:
    """Have the worker measure what the sketch leaves out, and say so."""
    st.caption(
        f"The two share {comparison.shared:,} {noun(comparison.a)}s and are laid on each other. "
        "Now their neighbours are found in both, to say what each item lost and gained; that "
        "takes some seconds, and is kept."
    )
    name = f"compare {view.a} {view.b}"
    job_id = submitted("compare", {"a": view.a, "b": view.b}, name)
    if job_id is not None:
        watch(job_id, "Compare these two", lambda: has_comparison(workspace(), view.a, view.b))


def say_what_is_left_out(view: CompareView, joined: Join) -> None:
    """How the items of both were joined; first of all, where more than a tenth is left out."""
    said = plain(joined.sentence((short_name(view.a), short_name(view.b))), 300)
    if joined.much:
        st.warning(f"{said} All below is about the shared ones alone.", icon=":material/rule:")
    elif any(joined.left_out) or joined.renamed:
        st.caption(said)


def _nothing_shared(a: Space, b: Space, joined: Join) -> None:
    """Say what each holds, so that it is clear why there is nothing to compare."""
    shared = len(joined.a)
    few = "no item" if not shared else f"only {shared} item{'s' * (shared != 1)}"
    st.info(
        f"These two share {few} by {joined.by}, and a comparison needs at least {FEWEST}. "
        f"{joined.advice}.",
        icon=":material/join_inner:",
    )
    for side, space in zip(st.columns(2), (a, b), strict=True):
        with side.container(border=True):
            st.markdown(
                f"**{plain(space_name(space.name))}** holds {counted(len(space), noun(space))}"
            )
            st.caption(plain("such as " + "; ".join(text[:60] for text in space.texts[:6])))
    st.stop()


def paired(view: CompareView, comparison: Comparison, b: Space, spec: Spec) -> ComparedPair:
    """Both spaces in the picture ``spec`` where it is there, in PCA until then."""
    shown = spec if has_counterpart(workspace(), comparison, spec) else PcaSpec()
    names = (short_name(view.a), short_name(view.b))
    key = f"{comparison.a.digest} {comparison.b.digest} {shown.digest} {len(comparison.moved)}"
    return ComparedPair(
        comparison, _drawn(key, comparison, shown), _theirs(key, comparison, b), names
    )


@st.cache_resource(max_entries=6, show_spinner="Looking at both from one side")
def _drawn(key: str, _comparison: Comparison, _spec: Spec) -> Counterpart:  # noqa: ARG001 - the key
    return counterpart(workspace(), _comparison, _spec)


@st.cache_resource(max_entries=4, show_spinner=False)
def _theirs(key: str, _comparison: Comparison, _b: Space) -> Space:  # noqa: ARG001 - the key
    return part(_b, _comparison.join.b)


def categories(pair: ComparedPair) -> dict[str, str]:
    """WordNet's category of each shared text, where the space knows any."""
    table = pair.comparison.a.metadata
    if "category" not in table:
        return {}
    return dict(zip(pair.comparison.a.texts, table["category"].fillna("").astype(str), strict=True))


def follow_picture(view: CompareView, pair: ComparedPair, spec: Spec) -> None:
    """Have the worker draw what is missing: the picture, B's places, the graphs for ways."""
    a, b = workspace().space(view.a), workspace().space(view.b)
    drawn = pair.shown.spec == spec
    known = workspace().has_graph(a) and workspace().has_graph(b)
    measured = workspace().has_faithfulness(a, spec) and workspace().has_faithfulness(a, PcaSpec())
    if drawn and known and measured:
        return
    arguments = {"a": view.a, "b": view.b, "spec": spec.to_dict()}
    job_id = submitted("counterpart", arguments, f"counterpart {pair.digest} {spec.digest}")
    if job_id is None:
        return

    def ready() -> bool:
        now_drawn = not drawn and has_counterpart(workspace(), pair.comparison, spec)
        return now_drawn or (not known and workspace().has_graph(a) and workspace().has_graph(b))

    watch(job_id, "Draw both in this picture", ready)


def second_seed(view: CompareView) -> None:
    """Where a side is a student without a twin: a button that trains one, and its progress."""
    reference = next((each for each in (view.b, view.a) if each.startswith(PREFIX)), None)
    if reference is None:
        return
    student = student_of(workspace(), reference.removeprefix(PREFIX))
    spec = replace(student.spec, seed=student.spec.seed + 1)
    teacher = student.origin.teacher
    name = f"second seed of {reference} {student.spec.digest}"
    job_id = st.session_state.get(f"job {name}")
    if job_id is None and not st.button(
        "Train a second seed",
        help="The same student once more, drawn with other random numbers. How far its items "
        "stand from the first one's is what chance alone does.",
    ):
        return
    if job_id is not None and _over(job_id):
        del st.session_state[f"job {name}"]
        st.rerun()
    arguments = {"teacher": teacher, "spec": spec.to_dict(), "key": student_key(teacher, spec)}
    job_id = submitted("distill", arguments, name)
    if job_id is not None:
        watch(job_id, "Train a second seed", lambda: False)


def _over(job_id: str) -> bool:
    try:
        return runner().job(job_id).status is Status.DONE
    except MeaningSpaceError:
        return True
