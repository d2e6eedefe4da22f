"""The prompt, how tokens are chosen, and how the path is drawn."""

from dataclasses import replace

import streamlit as st

from core.decode.sampling import MOST_STEPS
from core.errors import MeaningSpaceError
from core.permalink import MAX_TEXT, TrajectoriesView
from core.teachers.causal import depth_of
from core.ui.shared.markdown import plain
from core.ui.shared.model_choice import speaker_box
from core.ui.shared.projection_form import TITLES
from core.ui.shared.segments import segments
from core.ui.shared.state import widget

PROMPT = "The best thing about AI is its ability to"  # Wolfram's, February 2023
FANS = {"step": "Here", "along": "All", "off": "None"}
NOTHING = "nothing"
VIEWS = {
    "path": "Path",
    "lens": "Lens",
    "laws": "Laws",
    "steer": "Steer",
    "shapes": "Shapes",
}


def prompt_box(view: TrajectoriesView) -> tuple[TrajectoriesView, bool]:
    """The prompt with its settings, and whether Write was pressed. An empty prompt is said, and
    the page ends."""
    with st.form(widget("trajectories", "wish"), border=False):
        box, write, more = st.columns([6, 1, 1], vertical_alignment="bottom")
        with box:
            typed = st.text_input(
                "Prompt",
                view.prompt or PROMPT,
                key=widget("trajectories", "prompt"),
                max_chars=MAX_TEXT,
                placeholder="Some words to go on from",
                help="The model goes on from here, one token at a time.",
            )
        with write:
            pressed = st.form_submit_button("Write", type="primary", width="stretch")
        with more, st.popover("More", width="stretch"):
            view = _settings(view)
    if not typed.strip():
        st.info("Write some words, and the model goes on from them.", icon=":material/edit:")
        st.stop()
    prompt = "" if typed == PROMPT else typed
    if prompt != view.prompt:
        view = replace(view, prompt=prompt, step=None)
    return view, bool(pressed)


def _settings(view: TrajectoriesView) -> TrajectoriesView:
    """How tokens are chosen; taken over when Write is pressed."""
    steps = st.number_input(
        "Tokens to write", 1, MOST_STEPS, view.steps, key=widget("trajectories", "steps")
    )
    temperature = st.number_input(
        "Temperature",
        0.0,
        100.0,
        view.temperature,
        0.1,
        key=widget("trajectories", "temperature"),
        help="0 always takes the likeliest token. 1 draws as the model says, more is bolder; at "
        "100 nearly every token is as likely as any other.",
    )
    top_p = st.slider(
        "Top-p",
        0.01,
        1.0,
        view.top_p,
        0.01,
        key=widget("trajectories", "top_p"),
        help="Only the likeliest tokens that have so much of the probability together are drawn "
        "from. 1 leaves none out.",
    )
    samples = st.slider(
        "Texts from the same prompt",
        1,
        12,
        view.samples,
        key=widget("trajectories", "samples"),
        help="Drawn as a tree: they share their way as long as they share their words. At "
        "temperature 0 they are all the same.",
    )
    seed = st.number_input(
        "Seed", 0, 2**32 - 1, view.seed, key=widget("trajectories", "seed"),
        help="The same seed draws the same tokens.",
    )  # fmt: skip
    k = st.slider(
        "Words in the table of what might come next",
        5,
        200,
        max(view.k, 5),
        key=widget("trajectories", "k"),
    )
    st.caption("These hold from the next time that Write is pressed.")
    return replace(
        view,
        steps=int(steps),
        temperature=float(temperature),
        top_p=float(top_p),
        samples=int(samples),
        seed=int(seed),
        k=int(k),
    )


def picture_row(view: TrajectoriesView, layer: int) -> TrajectoriesView:
    """The row under the picture, which goes on in a second one where the window is narrow."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        fans = segments(
            "trajectories", "fans", "Fans", FANS, view.fans,
            help_text="Rays to where the likeliest next words would lead, each at its own true "
            "state; the thicker, the likelier. Here: at the word that is looked at. All: at every "
            "word too.",
        )  # fmt: skip
        titles = {name: TITLES[name] for name in ("pca", "umap")}
        picture = segments(
            "trajectories", "picture", "Picture", titles, view.picture,
            help_text="How the layer's many dimensions are flattened. PCA keeps straight ways "
            "straight; UMAP keeps neighbours together, and distances mean little in it.",
        )  # fmt: skip
        dims = segments(
            "trajectories", "dims", "Dimensions", {"2": "2-D", "3": "3-D"}, str(view.dims),
            help_text="A flat picture, or one to turn by dragging, in which fewer words have "
            "room for their names.",
        )  # fmt: skip
        view = replace(view, fans=fans, picture=picture, dims=int(dims))
        depth = depth_of(view.model)
        chosen = st.selectbox(
            "Layer",
            list(range(depth + 1)),
            index=layer,
            format_func=lambda it: f"{it}, the last" if it == depth else layer_words(it),
            key=widget("trajectories", f"path layer {view.model}"),
            help="Which of the model's layers is drawn. The last is what words are read from.",
            width=150,
        )
        view = _second(replace(view, layer=None if chosen == depth else int(chosen)), depth)
        shuffled = st.toggle(
            "Shuffled",
            view.shuffled,
            key=widget("trajectories", "shuffled"),
            help="Draws the same words in a random order as a text of their own, in grey-violet. "
            "What looks like a law must look different there.",
        )
    return replace(view, shuffled=bool(shuffled))


def layer_words(layer: int) -> str:
    """What a layer is called in a list."""
    return "0, embeddings" if layer == 0 else str(layer)


def _second(view: TrajectoriesView, depth: int) -> TrajectoriesView:
    """Another layer, or another model that reads the same text."""
    usual = [f"layer{it}" for it in dict.fromkeys((0, depth // 3, 2 * depth // 3, depth))]
    options = list(dict.fromkeys([NOTHING, *usual, *([view.second] if view.second else [])]))
    chosen = st.selectbox(
        "Beside it",
        options,
        index=options.index(view.second or NOTHING),
        format_func=lambda it: it.replace("layer", "layer ") if it.startswith("layer") else it,
        key=widget("trajectories", "second"),
        accept_new_options=True,
        help="How another layer, or another model, reads the same text. Type `layer12`, or a "
        "model as in the sidebar.",
        width=220,
    )
    second = "" if chosen in (None, NOTHING) else str(chosen).strip()[:MAX_TEXT]
    return replace(view, second=second)


def second_of(view: TrajectoriesView, layer: int, quiet: bool = False) -> tuple[str, int] | None:
    """(model, layer) of what is laid beside; None for nothing, and where it cannot be, which is
    said unless ``quiet``."""
    if not view.second:
        return None
    number = view.second.removeprefix("layer").strip()
    try:
        if not number.isdecimal():
            return view.second, depth_of(view.second)
        own, depth = int(number), depth_of(view.model)
    except MeaningSpaceError as error:
        if not quiet:
            st.error(plain(error), icon=":material/error:")
        return None
    if own == layer or own > depth:
        if not quiet:
            there = f"Layer {own} is the one that is drawn; choose another to lay beside it."
            none = f"Found no layer {own}; {plain(view.model)} has 0 to {depth}."
            st.info(there if own == layer else none)
        return None
    return view.model, own


def choose_view(view: TrajectoriesView) -> TrajectoriesView:
    """The questions of the page; a layer and a step mean something else in each."""
    show = segments("trajectories", "show", "Question", VIEWS, view.show, labelled=False)
    return view if show == view.show else replace(view, show=show, layer=None, step=None)


def choose_speaker(view: TrajectoriesView) -> TrajectoriesView:
    """The model that writes; another one has its own layers."""
    model = speaker_box("trajectories", view.model)
    return view if model == view.model else replace(view, model=model, layer=None, step=None)
