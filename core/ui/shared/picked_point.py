"""A place where no item is: marked on the map, and put into words beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.base import marks
from core.figures.parts import Figure
from core.figures.scene import Label, label_at
from core.paths.notation import box_text, waypoints_of
from core.permalink import CompareView, MapView, PathView, TextsView, clicked
from core.pipeline import path
from core.pipeline.points.bridge import crosses, has_bridge
from core.pipeline.points.description import (
    ONLY_SENTENCES,
    Description,
    PointDescription,
    descriptions,
    has_told,
    tell_point,
)
from core.projection.base import Spec
from core.projection.inverse import InvertedPoint, ground
from core.projection.placement import place
from core.spaces.space import Space
from core.teachers.smollm2 import COMMAND, SMOLLM2, installed
from core.types import Coords, Vector
from core.ui.shared.jobs import asked_for, follow_job, submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, widget, workspace
from core.ui.stage import neighbor_list, tokens

NEAR = 10
REACH = 8  # pixels from an item within which a click means the item, where the ground answers too
HALF_WAY = 3  # steps of a way whose second is its middle
CHOSEN = {MapView: "selected", TextsView: "query", CompareView: "item"}  # an item, on each page
ANEW = (
    "The picture was drawn anew since this place was clicked, and its items stand elsewhere now. "
    "Click the place that you mean."
)
COMING = "This place belongs to the picture that is being drawn now, and is told once it is there."
ELSEWHERE = "This place was clicked in another space than the one shown. Click one of this picture."
FLAT = "A place is read off the flat picture. Choose 2-D to see it again."
UNREAD = "The link names a place that can't be read. Click a place of the picture."
UNKNOWN_YET = "What lies here follows as soon as it is known who is near whom."


@dataclass(frozen=True, eq=False)
class PickablePicture:
    """A picture whose ground can be asked about: ``coords`` (n, p) are the places of the items of
    ``drawn``, a part of ``space`` or all of it, in the picture ``shown``. ``linear`` says that it
    is PCA of that very space, ``origin`` is the digest of what it was drawn from, and ``picture``
    its number on the stage. ``address`` leads from a row of ``space`` to the item on its page."""

    reference: str
    space: Space
    shown: Spec
    coords: Coords
    drawn: Space
    origin: str
    linear: bool
    picture: int = 0
    address: Callable[[int], str] | None = None

    def token(self, spec: Spec) -> str:
        """What a place of the picture ``spec`` is marked with in a link: 16 hexadecimal digits."""
        return self.origin[:8] + spec.digest[:8]


@dataclass(frozen=True)
class Lost:
    """A place that a link names and that can't be shown, and why."""

    why: str


def pickable_picture(reference: str, space: Space, shown: Spec) -> PickablePicture:
    """The picture of a whole space, as the map shows it."""
    coords = workspace().projection(space, shown).coords
    return PickablePicture(
        reference, space, shown, coords, space, space.digest, shown.kind == "pca"
    )


def sheet_asked(written: str, sheets: Sequence[PickablePicture]) -> PickablePicture:
    """The one that a place was clicked on; the first where it is none of them."""
    place_ = clicked(written)
    own = (
        sheet for sheet in sheets if place_ is not None and place_[2].startswith(sheet.origin[:8])
    )
    return next(own, sheets[0])


def point_of(written: str, sheet: PickablePicture, spec: Spec) -> InvertedPoint | Lost | None:
    """The place of a view: clicked on this very picture, or the middle of a way that was typed.

    ``spec`` is the picture that is wanted, and drawn now where it is not the one that is shown.
    """
    if not written:
        return None
    if sheet.shown.dims != 2:
        return Lost(FLAT)
    place_ = clicked(written)
    try:
        if place_ is None:
            return _middle(written, sheet)
        *spot, picture = place_
        if picture != sheet.token(sheet.shown):
            return Lost(_why_lost(picture, sheet, spec))
        at = np.array(spot, np.float32)
        return ground(sheet.drawn, sheet.coords, at, linear=sheet.linear)
    except MeaningSpaceError as error:
        return Lost(str(error))


def _why_lost(picture: str, sheet: PickablePicture, spec: Spec) -> str:
    if picture == sheet.token(spec):
        return COMING
    return ANEW if picture.startswith(sheet.origin[:8]) else ELSEWHERE


def _middle(written: str, sheet: PickablePicture) -> InvertedPoint | Lost:
    """The point half-way on the sphere, where a new item would be drawn."""
    if "@" in written and len(waypoints_of(written)) < 2:
        return Lost(UNREAD)
    if missing := _missing(written):
        return Lost(missing)
    space, coords = sheet.space, sheet.coords
    if not workspace().has_graph(space):
        return Lost(UNKNOWN_YET)
    report = path(workspace(), sheet.reference, waypoints_of(written), "slerp", HALF_WAY)
    point = report.curve.points[[1]]
    spot = place(space, coords, point)[0][0]
    around = ground(space, coords, spot, linear=False)
    return replace(around, vector=point[0], how="given")


def _missing(typed: str) -> str:
    """What is wrong with two items as they were typed; "" where nothing is.

    >>> _missing("dog > table"), _missing("dog")
    ('', 'Found 1 item; write two with an arrow between them, such as dog > table.')
    """
    count = len(waypoints_of(typed))
    if count == 2:
        return ""
    return (
        f"Found {count} item{'s' * (count != 1)}; write two with an arrow between them, such as "
        "dog > table."
    )


def mark_point(figure: Figure, labels: list[Label], spot: InvertedPoint | Lost | None) -> None:
    """Let the figure's ground be clicked; mark the place, and name it before everything else."""
    figure.update_layout(hoverdistance=REACH)
    if not isinstance(spot, InvertedPoint):
        return
    theme = tokens()
    marker = {
        "size": 15,
        "symbol": "cross-thin",
        "color": theme.second,
        "line": {"width": 3, "color": theme.second},
    }
    mark = marks(spot.spot[None], marker=marker, meta={"role": "spot"})
    figure.add_trace(mark.merge(hoverinfo="skip"))  # what lies below can still be clicked
    labels.insert(0, label_at("here", spot.spot, "second", 15))


def point_from(key: str, page: str, *sheets: PickablePicture) -> Callable[[], None]:
    """What a click on the ground of one of these pictures does: the view keeps the place, and
    nothing else is chosen."""

    def choose() -> None:
        picked = st.session_state[key]["ground"]
        for sheet in sheets:
            if picked and int(picked.get("picture", 0)) == sheet.picture:
                x, y = float(picked["x"]), float(picked["y"])
                _keep(page, f"{x:.5g},{y:.5g}@{sheet.token(sheet.shown)}")

    return choose


def _keep(page: str, written: str) -> None:
    """The view looks at this place from now on, or at none where it is ""."""
    current = st.session_state.get(f"{page} view")
    if not isinstance(current, MapView | PathView | TextsView | CompareView):
        return
    changed: dict[str, Any] = {"spot": written}
    if written and (name := CHOSEN.get(type(current))):
        changed[name] = None if name == "selected" else ""
    box = widget(page, "middle")
    if box in st.session_state and st.session_state[box] != written:
        st.session_state[box] = ""
    remember(page, replace(current, **changed))


def middle_box(page: str, written: str) -> None:
    """The same without a mouse: the middle of a way, typed."""
    with st.expander("What lies between?", expanded=False):
        typed = st.text_input(
            "Two items",
            "" if clicked(written) else written,
            placeholder="dog > table",
            key=widget(page, "middle"),
            max_chars=500,
            help="The point half-way between them, put into words.",
            on_change=_typed,
            args=(page,),
        )
        if typed and (missing := _missing(typed)):
            st.caption(plain(missing))


def _typed(page: str) -> None:
    """Two items are looked at, an empty box forgets them; anything else changes nothing."""
    typed = str(st.session_state[widget(page, "middle")]).strip()
    if not typed or not _missing(typed):
        _keep(page, typed)


def picked_point_panel(spot: InvertedPoint | Lost, sheet: PickablePicture, page: str) -> None:
    """What the place says, or why it says nothing; and a way to be rid of it."""
    st.subheader("A place between", anchor=False)
    if isinstance(spot, Lost):
        st.info(plain(spot.why), icon=":material/wrong_location:")
    elif not workspace().has_graph(sheet.space):
        st.caption(UNKNOWN_YET)
    else:
        _told(spot, sheet, page)
    st.button("Forget this place", key=widget(page, "forget"), on_click=_keep, args=(page, ""))


def _told(spot: InvertedPoint, sheet: PickablePicture, page: str) -> None:
    """A sentence, the nearest items, and how sure all this is."""
    space = sheet.space
    try:
        points = spot.vector[None]
        found = descriptions(workspace(), sheet.reference, points, NEAR, sentences=False)[0]
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    sentence_of(spot.vector, sheet.reference, space)
    onto = " Click one to add it to the way." if page == "paths" else ""
    st.caption("Nearest, by cosine", help=f"Measured in all dimensions, not in the picture.{onto}")
    listed = [
        (text, cosine, int(row)) for (text, cosine), row in zip(found.near, found.rows, strict=True)
    ]
    key = f"{page} spot list"
    neighbor_list(listed, "Nearest to this place", key, _chosen_from(key, page, sheet))
    st.caption(_how_sure(spot, found))


def _chosen_from(key: str, page: str, sheet: PickablePicture) -> Callable[[], None]:
    """A click on a neighbour chooses it; on the paths page the way goes on to it."""

    def choose() -> None:
        picked = st.session_state[key]["chosen"]
        current = st.session_state.get(f"{page} view")
        if not picked or "row" not in picked:
            return
        row = int(np.clip(int(picked["row"]), 0, len(sheet.space) - 1))
        text = (sheet.address or sheet.space.address)(row)
        if isinstance(current, PathView):
            if current.waypoints[-1:] != (text,):
                way = (*current.waypoints, text)
                st.session_state[widget(page, "box")] = box_text(way)
                remember(page, replace(current, waypoints=way))
        elif isinstance(current, MapView | TextsView | CompareView):
            chosen: dict[str, Any] = {CHOSEN[type(current)]: text, "spot": ""}
            remember(page, replace(current, **chosen))

    return choose


def _how_sure(spot: InvertedPoint, description: Description) -> str:
    """Which vector was taken, and how far off the data it is."""
    if spot.how == "plane":
        made = (
            "This is the one vector that lies in the picture's plane and is drawn here. "
            f"The plane keeps {spot.kept or 0:.0%} of what the items differ in; the rest is lost."
        )
    elif spot.how == "given":
        made = "This is the point half-way between the two, on the sphere."
    else:
        made = (
            f"Such a picture can't be undone, so this is the mean of the {len(spot.rows)} items "
            f"drawn around the place, the nearer the weightier. Their cosine to it is "
            f"{spot.agreement:.2f} on average: 1 if they meant one thing."
        )
    where = "off the data" if description.off_data else "among the data"
    far = description.distance_percentile
    return f"{made} It is further from its neighbours than {far:.0f}% of the items are: {where}."


def sentence_of(point: Vector, reference: str, space: Space) -> None:
    """The point as a sentence; a job of the worker where it was not written before."""
    if not may_write(space):
        return
    if not has_told(workspace(), point[None]):
        arguments = {"teacher": reference, "points": [[float(it) for it in point]]}
        name = f"describe {reference} {hash(point.tobytes())}"
        job_id = submitted("describe", arguments, name, slot="describe a place")
        if job_id is not None:
            written = lambda: has_told(workspace(), point[None])  # noqa: E731 - a name for what is awaited
            watch(job_id, "Write it as a sentence", written, stacked=True)
        return
    show_told(tell_point(workspace(), point))


def may_write(space: Space) -> bool:
    """Whether points of this space can be written as sentences; if not, the reason is said."""
    if not crosses(space):
        st.caption(plain(ONLY_SENTENCES))
    elif not installed():
        st.info(f"Run `{COMMAND}` to read such places as sentences.")
    elif not has_bridge(workspace()):
        _offer_bridge()
    else:
        return True
    return False


def _offer_bridge() -> None:
    """Let the worker learn one, where the shipped one is for other models than those here."""
    st.info(
        "No bridge from these points to the language model is there. It can be learnt here from "
        "the packaged sentences, in about an hour on two cores. Stopped, it goes on later."
    )
    arguments = {"model": SMOLLM2}
    if asked_for("bridge", arguments, "Learn the bridge", "secondary"):
        follow_job("bridge", arguments, "Learn the bridge", lambda: has_bridge(workspace()))


def show_told(words: PointDescription) -> None:
    """A point in a new sentence, with what it was made of."""
    st.markdown(f"**“{plain(words.best.text, 400)}”**")
    st.caption(
        f"Written by SmolLM2, read again by MiniLM: cosine {words.best.cosine:.2f} to this place.",
        help="The bridge turns the place into words and a few learnt vectors that the language "
        "model reads; while it writes, MiniLM reads along, and what comes nearest goes on. The "
        f"model's first thought, unread: “{plain(words.greedy.text, 200)}” "
        f"({words.greedy.cosine:.2f}). Words of the prompt: {plain(', '.join(words.prompt), 200)}.",
    )
