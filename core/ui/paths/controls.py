"""The box in which a way or a sum is written, its settings, and the answer to a sum."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.map import Chosen, map_figure
from core.figures.paths.path import NAMES
from core.figures.scene import Items, Picture, Scene, label_at
from core.paths.notation import box_text, waypoints_of
from core.permalink import PathView
from core.pipeline import KINDS, Solution, path, solve
from core.projection.base import Spec
from core.projection.placement import place
from core.spaces.space import Space
from core.ui.paths.scene import DrawnPath
from core.ui.shared.colouring import details
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES, changed_parameters, picture_form, spec_of
from core.ui.shared.segments import segments
from core.ui.shared.state import widget, workspace
from core.ui.stage import mount, neighbor_list, tokens

WHY_CENTRED = (
    "Most spaces sit in a narrow cone: every cosine is high, and words near the middle of the "
    "cone (hubs) turn up everywhere. Taking the mean away opens the cone, so the way between two "
    "words meets more of what lies between them."
)


def path_controls(view: PathView) -> PathView:
    """The box and its settings; the view as the person has set it."""
    box, kinds, more = st.columns([4, 3.4, 1], vertical_alignment="bottom")
    with box:
        typed = st.text_input(
            "Way or sum",
            box_text(view.waypoints),
            placeholder="dog > table, or king - man + woman",
            key=widget("paths", "box"),
            max_chars=5000,
        )
    with kinds:
        chosen = st.pills(
            "Kind of path",
            KINDS,
            selection_mode="multi",
            default=list(view.kinds),
            format_func=lambda kind: NAMES[kind].capitalize(),
            key=widget("paths", "kinds"),
        )
    view = replace(view, waypoints=waypoints_of(typed), kinds=tuple(chosen) or view.kinds)
    with more, st.popover("More", width="stretch"):
        return _settings(view)


def _settings(view: PathView) -> PathView:
    centred = st.toggle(
        "Centre the space", view.centred, key=widget("paths", "centred"), help=WHY_CENTRED
    )
    csls = st.toggle(
        "Rank against hubs (CSLS)",
        view.csls,
        key=widget("paths", "csls"),
        help="Words that are near everything count less (Conneau and others 2018).",
    )
    own = st.toggle(
        "Let the waypoints answer too",
        view.own_words,
        key=widget("paths", "own"),
        help="Near a waypoint the nearest word is the waypoint itself; off, the strip shows "
        "what else is there.",
    )
    steps = st.slider("Steps", 8, 120, min(max(view.steps, 8), 120), key=widget("paths", "steps"))
    view = replace(view, centred=centred, csls=csls, own_words=own, steps=int(steps))
    projector = segments("paths", "projector", "Picture", TITLES, view.projector)
    if projector != view.projector:
        view = replace(view, projector=projector, parameters=())
    spec = spec_of(view.projector, view.parameters, view.seed, 2)
    drawn = picture_form("paths", spec)
    if drawn is not None:
        seed = getattr(drawn, "seed", None)
        view = replace(view, parameters=changed_parameters(drawn), seed=seed)
    return view


def what_was_asked(view: PathView) -> str:
    """ "path", "sum" or "nothing"."""
    if not view.waypoints:
        st.info("Write where to start and where to go, such as `dog > table`.")
        return "nothing"
    return "sum" if len(view.waypoints) == 1 else "path"


def drawn_path(view: PathView, space: Space, shown: Spec) -> DrawnPath | None:
    """The reports of all chosen kinds; None, after saying why, where there is no way."""
    reports = []
    graph_known = workspace().has_graph(space.centred if view.centred else space)
    waiting = f"Comparing {len(space):,} items with each other, some seconds"
    with st.spinner("Walking the way and reading it" if graph_known else waiting):
        for kind in view.kinds:
            try:
                report = path(
                    workspace(),
                    view.teacher,
                    view.waypoints,
                    kind,
                    view.steps,
                    view.centred,
                    view.csls,
                )
            except MeaningSpaceError as error:
                st.error(
                    f"{NAMES[kind].capitalize()}: {plain(error)}", icon=":material/wrong_location:"
                )
            else:
                reports.append(report)
    return DrawnPath(space, shown, reports, view.own_words) if reports else None


def solution(view: PathView, space: Space, shown: Spec) -> None:
    """The answer to a sum, on the map and as two lists: without and with the words put in."""
    try:
        solution = solve(workspace(), view.teacher, view.waypoints[0])
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/functions:")
        return
    picture, without, with_inputs = st.columns([0.62, 0.19, 0.19], gap="small")
    with picture:
        _sum_on_map(view, space, shown, solution)
    for column, rows, cosines, title, key in (
        (without, solution.rows, solution.cosines, "Without the inputs", "without"),
        (
            with_inputs,
            solution.rows_with_inputs,
            solution.cosines_with_inputs,
            "With the inputs",
            "with",
        ),
    ):
        with column:
            st.markdown(f"##### {title}")
            listed = [
                (space.texts[row], float(cosine), int(row))
                for row, cosine in zip(rows, cosines, strict=True)
            ]
            neighbor_list(listed, title, f"sum {key}", lambda: None)
    best = space.texts[int(solution.rows_with_inputs[0])]
    inputs = {point.row for point in solution.waypoints}
    if int(solution.rows_with_inputs[0]) in inputs:
        st.caption(
            f"Measured: nearest to the sum is one of the words put in, “{plain(best, 60)}”. "
            "Analogies are usually told without them, which makes them look better than they are."
        )


def _sum_on_map(view: PathView, space: Space, shown: Spec, solution: Solution) -> None:
    coords = workspace().projection(space, shown).coords
    spot = place(space, coords, solution.point[None, :])[0][0]
    inputs = np.array(_inputs(solution), dtype=np.int64)
    chosen = Chosen(view.waypoints[0], spot, solution.rows[:6], inputs=inputs)
    labels = [label_at(view.waypoints[0], spot, "chosen", 15)]
    labels += [label_at(space.texts[row], coords[row], "near", 13) for row in solution.rows[:6]]
    labels += [label_at(space.texts[row], coords[row], "second", 13) for row in _inputs(solution)]
    scene = Scene(
        name="sum",
        pictures=[
            Picture(
                map_figure(coords, None, tokens(), f"{space.digest} {shown.digest} sum", chosen),
                title=f"Where the sum falls ({TITLES[shown.kind]})",
                tag="projected",
                alt=f"The sum {view.waypoints[0]} on the map, joined to its nearest items.",
                height=520,
                labels=labels,
            )
        ],
        items=Items(space.texts, details(space)),
    )
    mount(scene, "sum stage")


def _inputs(solution: Solution) -> list[int]:
    return [point.row for point in solution.waypoints if point.row is not None]
