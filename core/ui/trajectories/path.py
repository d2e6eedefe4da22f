"""The path view: a text grows through the picture, with fans of what it might have said."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

import streamlit as st

from core.decode.sampling import Sampling
from core.errors import MeaningSpaceError
from core.permalink import TrajectoriesView
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.trajectories.corpus_picture import Backdrop, backdrop, layer_of, space_name
from core.pipeline.trajectories.divergence import divergence, same_vocabulary, surprise, token_ends
from core.pipeline.trajectories.trajectory import FIRST, far_from_corpus, mean_step
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, submitted, to_show, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, visitor, widget, workspace
from core.ui.shared.turns import turn
from core.ui.stage import mount
from core.ui.trajectories.controls import PROMPT, picture_row, prompt_box, second_of
from core.ui.trajectories.downloads import take_away
from core.ui.trajectories.generation import (
    Generation,
    Wish,
    fans_along,
    fans_known,
    paths_in,
    preload,
    reading_of,
    run_of,
    said_of,
    shuffle_of,
    texts_of,
)
from core.ui.trajectories.next_tokens import fan_panel, fan_row, nearest_heat
from core.ui.trajectories.scene import Drawn, OtherReading, scene_of, tracks_of

T = TypeVar("T")
POLL_SECONDS = 0.5
STAGE = "trajectory stage"
HELP_FIRST = (
    "The first token is not drawn: whatever stands there, its state is an outlier in every layer, "
    "which the model uses as a resting place for its attention."
)


def path_view(view: TrajectoriesView) -> TrajectoriesView:
    """The prompt, the picture that grows, the fan beside it, and how true all that is."""
    try:
        layer = layer_of(view.model, view.layer)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        view, layer = replace(view, layer=None), layer_of(view.model, None)
    view, pressed = prompt_box(replace(view, heat=nearest_heat(view.heat)))
    remember("trajectories", view)
    wide = bool(view.second)
    picture, panel = (
        (st.container(), st.container()) if wide else st.columns([0.815, 0.185], gap="small")
    )
    with picture:
        stage, controls = st.container(), st.container()
        line, progress = st.container(), st.container()
    with controls:
        view = picture_row(view, layer)
    remember("trajectories", view)
    if layer_of(view.model, view.layer) != layer or bool(view.second) != wide:
        st.rerun()
    preload(view.model)
    with stage:
        space = space_or_wait(space_name(view.model, layer))
    spec: Spec = PcaSpec(dims=view.dims) if view.picture == "pca" else UmapSpec(dims=view.dims)
    shown = to_show(space, spec)
    with stage, st.spinner("Drawing what the corpus looks like in this layer"):
        behind = backdrop(workspace(), view.model, layer, shown)
    run = run_of(visitor(), _wish(view), layer, afresh=pressed)
    with controls:
        second_of(view, layer)  # what cannot be laid beside is said once, here
    drawn = None
    with stage:
        if run.over and run.error is None and run.walks:
            drawn = _drawn(view, run, layer, behind)
            if drawn is None:
                return view
        _stage(view, run, layer, behind, drawn)
    if run.over and drawn is None:
        return view
    if drawn is not None:
        with panel:
            fan_panel(drawn, run.wish)
        with picture:
            fan_row(drawn, run.wish)
            take_away(drawn, run.wish)
    else:
        with panel:
            _while_writing()
    with line:
        _truth(behind, shown, drawn)
    with progress:
        _follow_second(view, layer)
        follow(space, space.name, spec, graph_too=True)
    return view


def _wish(view: TrajectoriesView) -> Wish:
    sampling = Sampling(view.temperature, view.top_p, view.seed, view.steps)
    return Wish(
        view.model, speaker_identity(view.model), view.prompt or PROMPT, sampling, view.samples
    )


# ---------------------------------------------------------------------------------- the picture


def _stage(
    view: TrajectoriesView, run: Generation, layer: int, behind: Backdrop, whole: Drawn | None
) -> None:
    """The line of what happens, and the picture; anew every moment while the text grows. While it
    stands in line, only its place is."""
    live = whole is None and not run.over
    standing = live and bool(run.waiting)

    @st.fragment(run_every=POLL_SECONDS if standing else None)
    def in_line() -> None:
        if not run.waiting:
            st.rerun()
        run_of(visitor(), run.wish, layer)  # somebody is watching
        _status(run)

    @st.fragment(run_every=POLL_SECONDS if live and not standing else None)
    def stage() -> None:
        turned = live and not standing and (run.over or bool(run.waiting))
        if st.session_state.pop("trajectory stepped", False) or turned:
            st.rerun()
        if not standing:
            run_of(visitor(), run.wish, layer)
            _status(run)
        mount(scene_of(whole or _growing(view, run, layer, behind)), STAGE, on_step=_step)

    if standing:
        in_line()
    stage()


def _growing(view: TrajectoriesView, run: Generation, layer: int, behind: Backdrop) -> Drawn:
    walks = run.walks if run.layer == layer else ()
    return Drawn(view, layer, behind, walks, growing=True, tracks=tracks_of(walks, behind))


def _status(run: Generation) -> None:
    """What happens now with a way to stop it, or what came of it."""
    words, button = st.columns([6, 1], vertical_alignment="center")
    if run.error is not None:
        words.error(plain(run.error), icon=":material/error:")
        return
    wanted = run.wish.sampling.steps
    if not run.over:
        waiting, doing = run.waiting, run.doing
        said = f"{doing}, {run.written} of {wanted} tokens" if run.walks else doing
        if waiting:
            said = f"In line for the model: {waiting}"
            said += f". {run.written} tokens are written" if run.walks else ""
        words.progress(min(1.0, run.written / wanted), text=said)
        pressed = button.button(
            "Leave" if waiting and run.can_stop else "Stop",
            key=widget("trajectories", "stop"),
            help="Leave the line" if waiting else "Stop writing; what is written is kept",
            width="stretch",
            disabled=not run.can_stop,
        )
        if pressed:
            run.stop()
        return
    ended = ""
    if not run.walks:
        words.caption("You left the line. Press Write to stand in it again.")
        return
    if run.stopped:
        ended = "Stopped. Press Write to begin again. "
    elif run.written < wanted:
        ended = "The text came to its end by itself. "
    words.caption(
        f"{ended}{run.written} tokens written. Play it again, or click a word to see what else "
        "might have come there.",
        help=HELP_FIRST,
    )


def _step() -> None:
    """Somebody went to a word: the view follows, and the page with it."""
    step = st.session_state[STAGE].get("step")
    current = st.session_state.get("trajectories view")
    if isinstance(current, TrajectoriesView) and step is not None:
        remember("trajectories", replace(current, step=max(0, min(int(step), 9_999))))
        st.session_state["trajectory stepped"] = True


def _while_writing() -> None:
    st.markdown("##### A sentence is born")
    st.caption(
        "The grey points are tokens of texts from an encyclopedia, each where this model's layer "
        "puts it. The prompt is the green line. What the model adds, one token at a time, is the "
        "amber one."
    )


# ------------------------------------------------------------------------------ what is computed


def _drawn(view: TrajectoriesView, run: Generation, layer: int, behind: Backdrop) -> Drawn | None:
    """All that is known of a finished text in a layer. What there is no memory for is said and left
    out; None where that is the text itself."""
    wish = run.wish
    known = run.layer == layer and fans_known(wish, run.walks[0], layer)
    waiting = "Reading the text in this layer, with the words it did not choose"
    with ExitStack() as made:
        if not known:
            made.enter_context(turn("read"))
            made.enter_context(st.spinner(waiting))
        walks = _or_said(lambda: paths_in(run, layer))
        if walks is None:
            return None
        trunk, texts = walks[0], texts_of(walks)
        spreads = _or_said(lambda: fans_along(wish, trunk, layer)) or []
        said = _or_said(lambda: said_of(wish.model, texts[0]))
        control = None
        if view.shuffled and len(trunk) > 3:
            control = _or_said(lambda: shuffle_of(wish, trunk, layer))
    percentile = None
    if workspace().has_graph(behind.space):
        percentile = far_from_corpus(workspace(), behind, trunk.states)
    drawn = Drawn(
        view,
        layer,
        behind,
        walks,
        spreads=spreads,
        said=said,
        percentile=percentile,
        control=control,
        tracks=tracks_of(walks, behind),
    )
    return replace(drawn, beside=_beside(drawn, wish))


def _or_said(make: Callable[[], T]) -> T | None:
    """What is made; where it cannot be, the reason stands on the page."""
    try:
        return make()
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return None


def _beside(drawn: Drawn, wish: Wish) -> OtherReading | None:
    """The second reading where one is asked for and there; else what is missing is made or said."""
    seen, walk = drawn.seen, drawn.trunk
    other = second_of(seen, drawn.layer, quiet=True)
    if other is None or drawn.steps < 1:
        return None
    model, layer = other
    try:
        if not workspace().has_space(space_name(model, layer)):
            return None  # the worker makes it
        with st.spinner("Reading the same text there"):
            behind = backdrop(workspace(), model, layer, PcaSpec(dims=seen.dims))
            first, second = speaker(wish.model), speaker(model)
            ids = tuple(walk.ids.tolist())
            same = model == wish.model
            theirs = ids if same else tuple(second.ids(first.own_text(ids)))
            reading = reading_of(model, theirs, layer)
            means = (drawn.backdrop.space.mean, behind.space.mean)
            ends = (token_ends(first, ids), token_ends(second, theirs))
            found = divergence(walk, reading, means, ends)
            if not same and same_vocabulary(first, second) and ids == theirs:
                found = replace(
                    found, surprise=surprise(said_of(wish.model, ids), said_of(model, theirs))
                )
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return None
    name = f"layer {layer}" if same else f"{model}, layer {layer}"
    at_ours = replace(
        reading, states=reading.states[found.at], pieces=walk.pieces, begun=walk.begun
    )
    return OtherReading(name, behind, at_ours, found)


def _follow_second(view: TrajectoriesView, layer: int) -> None:
    """Have the worker make the space of what is laid beside, where there is none yet."""
    other = second_of(view, layer, quiet=True)
    if other is None:
        return
    reference = space_name(*other)
    try:
        if workspace().has_space(reference):
            return
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    job_id = submitted("space", {"reference": reference}, f"space {reference}")
    if job_id is not None:
        watch(job_id, "Make this space", lambda: workspace().has_space(reference))


# --------------------------------------------------------------------------------------- the truth


def _truth(behind: Backdrop, shown: Spec, drawn: Drawn | None) -> None:
    """What the picture keeps, what a step is, and what it would be by chance."""
    lines = []
    if behind.share is not None:
        count = {2: "two", 3: "three"}[shown.dims]
        lines.append(
            f"These {count} directions keep {behind.share:.0%} of the variance of the corpus' "
            "states; the rest of every step is not seen here."
        )
    else:
        lines.append("UMAP keeps neighbours, not distances: how far a step looks says little here.")
    if shown.dims == 3:
        lines.append("Turn it by dragging; in space only the longest words are named.")
    if drawn is not None and drawn.steps > 1:
        own = mean_step(drawn.trunk, behind)
        said = (
            f"Measured in all {behind.space.dim} dimensions, a step is {own:.2f} long on the mean"
        )
        if drawn.control is not None:
            chance = mean_step(drawn.control, behind)
            said += f", of the same words shuffled {chance:.2f}"
        lines.append(f"{said} (1 - cosine, seen from the corpus' mean).")
    if drawn is not None and drawn.beside is not None and drawn.beside.parting.surprise is not None:
        apart = float(drawn.beside.parting.surprise[FIRST:].mean())
        lines.append(
            f"What {plain(drawn.beside.name)} expects next is {apart:.2f} nats away on the mean "
            "(KL divergence)."
        )
    st.caption(" ".join(lines), help=HELP_FIRST)
    truth_line(behind.space, shown)
