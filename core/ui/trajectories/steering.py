"""The steer view of the trajectories page: a push while the model writes, and what it costs."""

from dataclasses import asdict, replace

import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.scene import Picture, Scene
from core.figures.trajectories.steering import (
    Measured,
    layers_figure,
    steering_figure,
    steering_legend,
)
from core.permalink import MAX_TEXT, MAX_WORDS, TrajectoriesView
from core.pipeline.trajectories.steering import (
    Steered,
    count_texts,
    default_layer,
    has_steered,
    steer,
    steer_key,
)
from core.pipeline.trajectories.steering_layers import has_scan, scan
from core.pipeline.trajectories.steering_spec import AXIS, PROMPTS, SWEEP, USUAL, SteerSpec
from core.spaces.words import lines_of
from core.teachers.causal import depth_of
from core.ui.shared.downloads import safe_csv, save_button
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.segments import segments
from core.ui.shared.state import remember, widget, workspace
from core.ui.stage import mount, tokens
from core.ui.trajectories.steering_wording import (
    HELP_MADE,
    HELP_SCORE,
    NOT_PROVEN,
    READING,
    marked,
    verdict,
)

PROMPT = "The food in the restaurant was"
PLUS = ("I love this, it is wonderful", "What a beautiful and happy day")
MINUS = ("I hate this, it is terrible", "What an ugly and sad day")
MADE = {PROMPTS: "From prompts", AXIS: "From word lists"}
HEIGHT = 430


def steer_view(view: TrajectoriesView) -> TrajectoriesView:
    """The prompts, the figure, the texts side by side, and the layers."""
    try:
        depth = depth_of(view.model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    view, pressed = _wish(view, depth)
    remember("trajectories", view)
    try:
        spec = spec_of(view, depth)
        if not has_steered(workspace(), spec):
            _offer(spec, pressed)
            return view
        steered = steer(workspace(), spec)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    return _shown(view, steered, depth)


def spec_of(view: TrajectoriesView, depth: int) -> SteerSpec:
    """What is asked of the model. Raises InvalidSpecification."""
    return SteerSpec(
        view.model,
        view.prompt or PROMPT,
        view.plus or PLUS,
        view.minus or MINUS,
        _layer(view, depth),
        SWEEP,
        replace(USUAL, seed=view.seed),
        made=view.made,
    )


def _layer(view: TrajectoriesView, depth: int) -> int:
    return default_layer(depth) if view.layer is None else min(view.layer, depth)


def _wish(view: TrajectoriesView, depth: int) -> tuple[TrajectoriesView, bool]:
    """The prompt and the two groups as they were when the button was pressed last, and whether it
    was pressed just now."""
    with st.form(widget("trajectories", "steer wish"), border=False):
        prompt_side, plus_side, minus_side, button_side = st.columns(
            [2.2, 2.2, 2.2, 1.1], vertical_alignment="bottom", gap="small"
        )
        with prompt_side:
            prompt = st.text_area(
                "The model goes on from",
                view.prompt or PROMPT,
                height=94,
                max_chars=MAX_TEXT,
                key=widget("trajectories", "steer prompt"),
            )
        with plus_side:
            plus = _group("Push towards, one a line", view.plus or PLUS, "plus")
        with minus_side:
            minus = _group("Away from, one a line", view.minus or MINUS, "minus")
        with button_side:
            with st.popover("More", width="stretch"):
                layer = st.slider(
                    "Layer that is pushed",
                    0,
                    depth,
                    _layer(view, depth),
                    key=widget("trajectories", f"steer layer {view.model}"),
                    help="The push is added to what leaves this layer, at every token but the "
                    "first. Below you can try every second layer.",
                )
                made = segments(
                    "trajectories", "steer made", "The direction is made", MADE, view.made,
                    help_text=HELP_MADE,
                )  # fmt: skip
                seed = st.number_input(
                    "Seed", 0, 2**32 - 1, view.seed, key=widget("trajectories", "steer seed")
                )
            pressed = st.form_submit_button("Steer", type="primary", width="stretch")
    wished = replace(
        view,
        prompt="" if prompt.strip() in ("", PROMPT) else prompt,
        plus=() if plus in ((), PLUS) else plus,
        minus=() if minus in ((), MINUS) else minus,
        layer=None if layer == default_layer(depth) else layer,
        made=made,
        seed=int(seed),
    )
    return wished, pressed


def _group(label: str, texts: tuple[str, ...], key: str) -> tuple[str, ...]:
    typed = st.text_area(
        label,
        "\n".join(texts),
        height=94,
        max_chars=MAX_TEXT,
        key=widget("trajectories", f"steer {key}"),
    )
    told = (line.strip() for line in lines_of(typed))
    return tuple(dict.fromkeys(filter(None, told)))[:MAX_WORDS]


def _offer(spec: SteerSpec, pressed: bool) -> None:
    """Say what will be done; once it is asked for, have the worker do it and show how far it is."""
    name = f"steer {steer_key(spec)}"
    asked = f"asked {name}"
    if pressed:
        st.session_state[asked] = True
    begin = "" if st.session_state.get(asked) else "Press **Steer**: "
    st.markdown(
        f"{begin}{count_texts(spec)} short texts are written, at {len(spec.strengths)} strengths "
        f"along the direction and along {spec.controls} random ones, then read by two models. That "
        "takes about two minutes on a small machine, once, and is kept."
    )
    if not st.session_state.get(asked):
        return
    job_id = submitted("steer", {"spec": asdict(spec)}, name, "steer")
    if job_id is not None:
        watch(job_id, "Steer the model", lambda: has_steered(workspace(), spec))


def _shown(view: TrajectoriesView, steered: Steered, depth: int) -> TrajectoriesView:
    left, right = st.columns([0.6, 0.4], gap="medium")
    with right:
        strengths = list(steered.spec.strengths)
        at = min(strengths, key=lambda it: (abs(it - view.strength), -it))
        chosen = st.select_slider(
            "Strength of the push",
            strengths,
            at,
            format_func=lambda it: f"{it:+.2f}",
            key=widget("trajectories", "steer strength"),
            help="In lengths of a state: at +0.30 what is added is 0.3 times as long as what "
            "usually leaves this layer.",
        )
        st.markdown(verdict(steered, chosen))
        st.caption(READING)
        number = _sample(steered)
    with left:
        _figure(steered, chosen)
    _texts(steered, chosen, number)
    _layers(steered.spec, depth)
    _take_away(steered)
    return replace(view, strength=float(chosen))


def _sample(steered: Steered) -> int:
    names = {str(at): str(at + 1) for at in range(steered.spec.samples)}
    return int(
        segments(
            "trajectories", "steer sample", "Text", names, "0",
            help_text="Texts with the same number meet the same draws, so they part only where the "
            "push makes them part.",
        )
    )  # fmt: skip


def _figure(steered: Steered, chosen: float) -> None:
    spec = steered.spec
    strengths = spec.strengths

    def measured(pushed: str, name: str) -> Measured:
        bands = [
            tuple((it.value, it.low, it.high) for it in (of(pushed, by) for by in strengths))
            for of in (steered.effect, steered.price)
        ]
        return Measured(name, strengths, *bands)

    along = measured("along", "along the direction")
    random = measured("random", "random pushes") if spec.controls else None
    figure = steering_figure(along, random, chosen, tokens(), f"steer {steer_key(spec)}")
    told = "; ".join(
        f"{strength:+.2f}: score {score[0]:.2f}, perplexity {price[0]:.1f}"
        for strength, score, price in zip(strengths, along.effect, along.price, strict=True)
    )
    picture = Picture(
        figure,
        title=f"What a push in layer {spec.layer} does, and its price",
        tag="measured",
        alt=f"By strength. {told}.",
        height=HEIGHT,
        hint="−1 is what you steer away from, +1 what you steer towards.",
    )
    mount(Scene("steer", [picture], legend=steering_legend(bool(random), tokens())), "steer stage")


def _texts(steered: Steered, chosen: float, number: int) -> None:
    """Three texts of the same draws side by side."""
    columns = st.columns(3, gap="medium")
    before = steered.one("along", 0.0, number)["text"]
    shown = [("Without a push", "along", 0.0)]
    if chosen:
        shown.append((f"Pushed by {chosen:+.2f}", "along", chosen))
        if steered.spec.controls:
            shown.append((f"A random push by {chosen:+.2f}", "random", chosen))
    for column, (title, pushed, strength) in zip(columns, shown, strict=False):
        own = steered.one(pushed, strength, number, number % max(steered.spec.controls, 1))
        with column.container(border=True):
            st.caption(title)
            st.markdown(f":gray[{plain(steered.spec.prompt, 200)}] " + marked(before, own["text"]))
            st.caption(f"score {own['score']:+.2f} · perplexity {own['perplexity']:.1f}")


def _layers(spec: SteerSpec, depth: int) -> None:
    """Every second layer, tried when somebody asks."""
    with st.expander("Which layer is the best to push?", expanded=has_layers(spec)):
        if spec.made == AXIS:
            st.caption("An axis belongs to one layer. Make the direction from prompts to try more.")
            return
        if not has_layers(spec):
            asked = f"steer scan {steer_key(spec)}"
            st.caption(
                f"The same push at −0.30 and +0.30 in {depth // 2} layers; a minute or so on a "
                "small machine."
            )
            if st.button("Try every second layer", key=widget("trajectories", "steer scan")):
                st.session_state[asked] = True
            if st.session_state.get(asked):
                job_id = submitted(
                    "steer layers", {"spec": asdict(spec)}, asked + " job", "steer layers"
                )
                if job_id is not None:
                    watch(job_id, "Try the layers", lambda: has_layers(spec))
            return
        scanned = scan(workspace(), spec)
        rows = scanned.layers
        layers = [int(row) for row in rows["layer"]]
        effect = list(zip(rows["effect"], rows["low"], rows["high"], strict=True))
        figure = layers_figure(
            layers, effect, rows["price"].tolist(), spec.layer, tokens(), f"scan {steer_key(spec)}"
        )
        told = "; ".join(
            f"layer {layer}: effect {it[0]:.2f}, price {price:.1f} times"
            for layer, it, price in zip(layers, effect, rows["price"], strict=True)
        )
        picture = Picture(
            figure,
            title=f"Effect of ±{scanned.strength:.2f} by layer, and its price",
            tag="measured",
            alt=told,
            height=330,
            hint="Effect: the score pushed one way less the score pushed the other.",
        )
        mount(Scene("steer layers", [picture]), "steer layers stage")
        best = rows[rows["layer"] == scanned.best].iloc[0]
        st.caption(
            f"Furthest for at most twice the price: layer {scanned.best}, {best['effect']:.2f} "
            f"apart for {best['price']:.1f} times the perplexity, over {spec.samples} texts a side."
        )


def has_layers(spec: SteerSpec) -> bool:
    """Whether the layers were tried."""
    return spec.made == PROMPTS and has_scan(workspace(), spec)


def _take_away(steered: Steered) -> None:
    with st.expander("All texts and their figures"):
        table = steered.texts.round({"score": 3, "perplexity": 2, "repeated": 3})
        st.dataframe(table, hide_index=True, width="stretch")
        save_button("Save as CSV", lambda: safe_csv(table), "steering.csv", width="content")
    with st.expander("What this does not prove"):
        st.markdown(NOT_PROVEN)
        st.markdown(HELP_SCORE)
