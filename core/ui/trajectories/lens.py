"""The lens view of the trajectories page: what each layer would say, and a token's way up."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.cache import LruCache
from core.decode.language_model import LanguageModel
from core.decode.lens import LensGrid
from core.errors import MeaningSpaceError
from core.figures.layers.states import LayerCurve, curve_legend, layer_curves, layer_name
from core.figures.scene import Items, Picture, Scene
from core.figures.trajectories.lens import Shade, grid_height, lens_figure, visible
from core.permalink import MAX_TEXT, TrajectoriesView
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.trajectories.lenses import (
    Gaps,
    Lens,
    fitted_lens,
    grid_table,
    has_lens,
    lens_gaps,
    lens_key,
    read_layers,
)
from core.ui.shared.downloads import safe_csv
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.segments import segments
from core.ui.shared.state import remember, widget, workspace
from core.ui.shared.turns import kept_or_made
from core.ui.stage import dark, mount, tokens
from core.ui.trajectories.token_layers import rise

DEFAULT = "The Eiffel Tower stands in the city of"
MOST = 48  # tokens in the grid: more have no room for words
STAGE = "lens stage"
LENSES = {"logit": "Logit lens", "fitted": "Fitted lens"}
SHADES = {"probability": "Probability", "entropy": "Entropy", "answer": "Final answer"}
HELP_LENS = """
A lens turns a state in the middle of the model into words.

**Logit lens** (nostalgebraist 2020): read it as if it were the last layer's.

**Fitted lens** (after the tuned lens of Belrose and others 2023): first guess from it what the last
layer will make of it, by a linear map that was fitted on other texts, then read that. Ours is
fitted by least squares, theirs is trained on the words.
"""
HELP_SHADE = """
**Probability** of the word in the cell. **Entropy**: how undecided the layer is, in nats; 0 is
quite sure. **Final answer**: the place that the model's last word has here, 1 is the first.
"""
NOT_PROVEN = """
- A lens is a probe. That a word can be read off a layer does not show that the model uses it there.
- The logit lens takes for granted that every layer speaks the last one's language. Early layers do
  not, so what it shows there is mostly noise.
- The fitted lens was fitted to foresee the end. Where it names the answer early, part of that is
  its own guess from what such texts usually end in.
- The line where an answer appears is about the likeliest word only. The word can be second for many
  layers before.
"""

_grids: LruCache[LensGrid] = LruCache(12)
_gaps: LruCache[Gaps] = LruCache(48)


def lens_view(view: TrajectoriesView) -> TrajectoriesView:
    """A text, the grid of what each layer would say, and one token's way through the layers."""
    view = _box(view)
    text = view.prompt or DEFAULT
    stage, controls, line = st.container(), st.container(), st.container()
    with controls:
        view = _controls(view)
    remember("trajectories", view)
    kind = view.lens
    if kind == "fitted" and not has_lens(workspace(), view.model):
        with line:
            st.caption(
                "The fitted lens of this model is made once and then kept: some 16,000 tokens are "
                "read, which takes a few minutes. Until then the logit lens is shown."
            )
            _fit(view.model)
        kind = "logit"
    try:
        with st.spinner("Loading the model"):
            lm = speaker(view.model)
        grid = _read(view.model, _stamp(view.model, kind), text, kind)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    chosen = _chosen(view, grid)
    with stage:
        _grid(view, lm, grid, chosen, kind)
    left, right = st.columns([0.62, 0.38], gap="medium")
    with left:
        rise(view.model, lm, grid, chosen, LENSES[kind].casefold())
    with right:
        _answer(lm, grid, chosen)
        _apart(view.model, lm, grid, chosen)
        _how_good(view.model)
    _below(lm, grid)
    return view


def _box(view: TrajectoriesView) -> TrajectoriesView:
    typed = st.text_input(
        "Text",
        view.prompt or DEFAULT,
        key=widget("trajectories", "lens text"),
        max_chars=MAX_TEXT,
        help="After each of its tokens, every layer is asked what comes next.",
    )
    if not typed.strip():
        st.info("Write some words, and every layer says what comes next.", icon=":material/edit:")
        st.stop()
    prompt = "" if typed == DEFAULT else typed
    return view if prompt == view.prompt else replace(view, prompt=prompt, step=None)


def _controls(view: TrajectoriesView) -> TrajectoriesView:
    one, two = st.columns([1, 1.4], vertical_alignment="bottom")
    with one:
        lens = segments("trajectories", "lens", "Lens", LENSES, view.lens, help_text=HELP_LENS)
    with two:
        shade = segments(
            "trajectories", "shade", "Colour", SHADES, view.shade, help_text=HELP_SHADE
        )
    return replace(view, lens=lens, shade=shade)


def _fit(model: str) -> None:
    job_id = submitted("lens", {"model": model}, f"lens {model}")
    if job_id is not None:
        watch(job_id, "Fit the lens", lambda: has_lens(workspace(), model))


def _read(model: str, stamp: str, text: str, kind: str) -> LensGrid:
    def made() -> LensGrid:
        with st.spinner("Reading every layer"):
            lm = speaker(model)
            cut = lm.own_text(lm.ids(text)[:MOST]) if len(lm.ids(text)) > MOST else text
            return read_layers(workspace(), model, cut, kind)

    return kept_or_made(_grids, (model, stamp, text, kind), made, "read")


def _stamp(model: str, kind: str) -> str:
    """What a reading depends on: the model, and the lens where one was fitted."""
    return lens_key(model) if kind == "fitted" else speaker_identity(model)


def _chosen(view: TrajectoriesView, grid: LensGrid) -> int:
    """The token that is looked at: the last where none was clicked."""
    last = len(grid.ids) - 1
    return last if view.step is None or view.step > last else view.step


def _grid(
    view: TrajectoriesView, lm: LanguageModel, grid: LensGrid, chosen: int, kind: str
) -> None:
    layers, count, k = grid.top.shape
    pieces = lm.pieces(grid.top.ravel().tolist())
    likeliest = [
        [[visible(pieces[(layer * count + at) * k + place]) for place in range(k)]
         for at in range(count)]
        for layer in range(layers)
    ]  # fmt: skip
    own = lm.pieces(grid.ids.tolist())
    words = [[cell[0] for cell in row] for row in likeliest]
    shade = _shade(view.shade, grid)
    figure = lens_figure(
        words, own, shade, grid.appears, chosen, tokens(), dark(), f"lens {own} {view.shade}"
    )
    answer = words[-1][chosen]
    more = len(lm.ids(view.prompt or DEFAULT)) - count
    title = f"What each of {layers - 1} layers would say next: {LENSES[kind].casefold()}"
    picture = Picture(
        figure,
        title=title,
        tag="read by a lens",
        alt=f"{title}. After “{visible(own[chosen])}” the model says “{answer}”, which is the "
        f"likeliest word from {layer_name(int(grid.appears[chosen]))} on.",
        height=grid_height(layers, count),
        hint="Click a column to follow that token through the layers.",
        near=np.zeros((0, 3), np.int32),
    )
    details = [
        _detail(grid, likeliest[layer][at], own[at], layer, at)
        for layer in range(layers)
        for at in range(count)
    ]
    items = Items([f"“{cell}”" for row in words for cell in row], details)
    scene = Scene("lens", [picture], items=items, legend=shade.legend(dark()))
    mount(scene, STAGE, _choose)
    only = f" The first {count} of {count + more} tokens are read." if more > 0 else ""
    st.caption(
        "Each column is a token of the text, each row a layer, the first below. A cell holds the "
        "word that the layer would put next; above the amber line the model's own answer stays "
        f"the likeliest. Click a column to follow it.{only}"
    )


def _shade(name: str, grid: LensGrid) -> Shade:
    if name == "entropy":
        usual = grid.entropy[:, 1:] if len(grid.ids) > 1 else grid.entropy  # not the outlier
        high = max(float(usual.max()), 1.0)
        ends = ("0, sure", f"{high:.1f} nats, undecided")
        return Shade("Entropy", grid.entropy, 0.0, high, ends, cividis=True)
    if name == "answer":
        values = -np.log10(grid.rank)
        low = float(min(values.min(), -1))
        return Shade("Place of the final answer", values, low, 0.0, (f"{10**-low:,.0f}th", "first"))
    return Shade("Probability of the word", grid.probabilities[..., 0], 0.0, 1.0, ("0", "1"))


def _detail(grid: LensGrid, words: list[str], after: str, layer: int, at: int) -> str:
    shares = grid.probabilities[layer, at]
    said = ", ".join(f"{word} {share:.2f}" for word, share in zip(words, shares, strict=True))
    rank = int(grid.rank[layer, at])
    place = "is the first" if rank == 1 else f"is no. {rank:,}"
    return (
        f"{layer_name(layer)}, after “{visible(after)}” · {said} · entropy "
        f"{grid.entropy[layer, at]:.1f} nats · the final answer {place}"
    )


def _choose() -> None:
    """A cell was clicked: its token is the one to follow."""
    picked = st.session_state[STAGE]["chosen"]
    current = st.session_state.get("trajectories view")
    if isinstance(current, TrajectoriesView) and picked and "row" in picked:
        count = st.session_state.get("lens columns")
        if count:
            remember("trajectories", replace(current, step=int(picked["row"]) % int(count)))


def _answer(lm: LanguageModel, grid: LensGrid, chosen: int) -> None:
    """How the final answer comes up, layer by layer, at the chosen token."""
    answer = visible(lm.text([int(grid.top[-1, chosen, 0])]))
    first = int(grid.appears[chosen])
    st.markdown(f"##### How “{plain(answer, 30)}” comes up")
    shares = grid.share[:, chosen].tolist()
    curve = LayerCurve("its probability", shares, tokens().accent)
    best = LayerCurve(
        "of the likeliest", grid.probabilities[:, chosen, 0].tolist(), tokens().quiet, "dot"
    )
    alt = ", ".join(f"{layer_name(k)} {share:.2f}" for k, share in enumerate(shares))
    _mount("answer", [curve, best], "Probability by layer", alt, chosen, first)
    rank = int(grid.rank[len(grid.rank) // 2, chosen])
    st.caption(
        f"It is the likeliest word from {layer_name(first)} on. Half-way up it stands "
        f"{'first' if rank == 1 else f'no. {rank:,}'} of {lm.vocabulary:,}."
    )


def _mount(
    name: str, curves: list[LayerCurve], title: str, alt: str, chosen: int, first: int | None = None
) -> None:
    """Curves over the layers, of shares or of bits: both end at 1."""
    unit = {"answer": "probability", "apart": "bits apart"}[name]
    figure = layer_curves(curves, unit, tokens(), f"{name} {chosen}", first, (0.0, 1.0))
    picture = Picture(figure, title=title, tag="read by a lens", alt=alt, height=200)
    mount(Scene(name, [picture], legend=curve_legend(curves)), f"lens {name}")


def _apart(model: str, lm: LanguageModel, grid: LensGrid, chosen: int) -> None:
    """The two lenses beside each other and beside the model's own answer, at the chosen token."""
    if not has_lens(workspace(), model):
        return
    try:
        states = np.ascontiguousarray(grid.states[:, chosen])
        key = (model, lens_key(model), tuple(grid.ids), chosen)
        found = kept_or_made(
            _gaps,
            key,
            lambda: lens_gaps(lm, states, fitted_lens(workspace(), model).fitted),
            "read",
        )
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.markdown("##### How far the lenses are apart")
    theme = tokens()
    curves = [
        LayerCurve("fitted lens from the answer", found.fitted.tolist(), theme.accent),
        LayerCurve("logit lens from the answer", found.logit.tolist(), theme.second),
        LayerCurve("one lens from the other", found.between.tolist(), theme.third, "dot"),
    ]
    told = "; ".join(
        f"{curve.name} " + ", ".join(f"{v:.2f}" for v in curve.values) for curve in curves
    )
    _mount("apart", curves, "Divergence by layer", f"Bits, by layer. {told}.", chosen)
    half = len(found.between) // 2
    st.caption(
        f"Jensen-Shannon divergence: 0 is the same, 1 nothing in common. In layer {half} the "
        f"lenses are {found.between[half]:.2f} apart; from the model's own answer the fitted one "
        f"is {found.fitted[half]:.2f}, the logit lens {found.logit[half]:.2f}."
    )


def _how_good(model: str) -> None:
    """Both lenses on texts that the fitted one has not met."""
    st.markdown("##### How good the lenses are")
    if not has_lens(workspace(), model):
        st.caption("This is measured when the fitted lens is made: choose it above.")
        return
    lens = fitted_lens(workspace(), model)
    curves = [
        _judged(lens, "fitted", tokens().accent),
        _judged(lens, "logit", tokens().second),
    ]
    figure = layer_curves(curves, "same word as the model", tokens(), "lenses", None, (0.0, 1.0))
    told = "; ".join(
        f"{curve.name} " + ", ".join(f"{v:.2f}" for v in curve.values) for curve in curves
    )
    picture = Picture(
        figure,
        title=f"{lens.judged_tokens:,} tokens of {lens.judged_documents} other documents",
        tag="measured",
        alt=f"Share of tokens, by layer. {told}.",
        height=200,
    )
    mount(Scene("lenses", [picture], legend=curve_legend(curves)), "lens judged")
    half = len(curves[0].values) // 2
    st.caption(
        f"In layer {half} the fitted lens names the model's own word for "
        f"{curves[0].values[half]:.0%} of the tokens, the logit lens for "
        f"{curves[1].values[half]:.0%}. Fitted on {lens.tokens:,} tokens of {lens.documents} "
        "documents; the bands hold the true share 19 times out of 20."
    )


def _judged(lens: Lens, kind: str, color: str) -> LayerCurve:
    own = lens.figures[lens.figures.kind == kind].sort_values("layer")
    values, low, high = (
        own[name].tolist() for name in ("agreement", "agreement_low", "agreement_high")
    )
    return LayerCurve(LENSES[kind].casefold(), values, color, low=low, high=high)


def _below(lm: LanguageModel, grid: LensGrid) -> None:
    st.session_state["lens columns"] = len(grid.ids)
    with st.expander("What this does not prove"):
        st.markdown(NOT_PROVEN)
    st.download_button(
        "Save the grid as CSV", lambda: safe_csv(grid_table(lm, grid)), "lens.csv", "text/csv"
    )
