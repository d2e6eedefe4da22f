"""The compare page's maps: two side by side, or one on its way into the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.figures.colors import Layer
from core.figures.compare import (
    Pick,
    Side,
    drift_layer,
    kept_layer,
    morph_map,
    most_moved,
    other_end,
    pair_labels,
    side_color,
    side_map,
)
from core.figures.scene import Items, Label, Picture, Scene
from core.permalink import CompareView
from core.pipeline import Comparison
from core.pipeline.compare.comparison import NEAR, part
from core.projection.base import PcaSpec
from core.projection.inverse import InvertedPoint
from core.spaces.space import Space
from core.types import Coords, Rows
from core.ui.compare.pair import ComparedPair
from core.ui.compare.panel import choose_from, neighbors_in
from core.ui.shared.colouring import details, layer, layer_name, offered
from core.ui.shared.faithfulness_line import noun
from core.ui.shared.picked_point import (
    Lost,
    PickablePicture,
    mark_point,
    pickable_picture,
    point_from,
)
from core.ui.shared.projection_form import TITLES
from core.ui.shared.segments import segments
from core.ui.shared.state import widget, workspace
from core.ui.stage import dark, mount, tokens

COLOURS = {"drift": "How far it moved", "kept": "Neighbours kept"}
LAYOUTS = {"side": "Side by side", "morph": "Morph"}
PICTURES = {"umap": "UMAP", "pca": "PCA"}
WORTH_SEEING = 0.1  # of the picture's width: the least that is shown around what is chosen
REGIONS = 14
MOST_NAMED = 12  # of what moved most, where nothing is chosen


def compare_controls(view: CompareView, comparison: Comparison) -> CompareView:
    """The row under the maps; the view as the person has set it."""
    words = [name for name in offered(comparison.a) if name not in ("cluster", "faithfulness")]
    options = ["drift", *(["kept"] if comparison.kept is not None else []), *words]
    colour, layout, picture = st.columns([2.2, 2, 1.6], vertical_alignment="bottom")
    with colour:
        chosen = st.selectbox(
            "Colour by",
            options,
            index=options.index(view.colour) if view.colour in options else 0,
            format_func=lambda name: COLOURS.get(name) or layer_name(name),
            key=widget("compare", "colour"),
        )
    with layout:
        laid = segments("compare", "layout", "Two maps, or one that moves", LAYOUTS, view.layout)
    with picture:
        drawn = segments("compare", "picture", "Picture", PICTURES, view.picture)
    return replace(view, colour=chosen, layout=laid, picture=drawn)


def sheets_of(view: CompareView, pair: ComparedPair) -> list[PickablePicture]:
    """Both maps as pictures whose ground can be clicked. The first is that of the whole first
    space; in the second, a place is judged by the second space's items that are drawn there."""
    shown = pair.shown
    join, space = pair.comparison.join, workspace().space(view.a)
    named = _named_by(space, pair.comparison.a, join.a)
    first = replace(pickable_picture(view.a, space, shown.spec), address=named)
    origin = blake2b(pair.digest.encode(), digest_size=16).hexdigest()
    drawn = _drawn(pair.digest, pair)
    whole = workspace().space(view.b)
    named = _named_by(whole, pair.comparison.a, join.b)
    second = PickablePicture(view.b, whole, shown.spec, shown.b, drawn, origin, False, 1, named)
    return [first, second]


def _named_by(whole: Space, shared: Space, rows: Rows) -> Callable[[int], str]:
    """From a row of a whole space, of which ``rows`` are shared, to the shared item's address."""

    def address(row: int) -> str:
        at = np.flatnonzero(rows == row)
        return shared.address(int(at[0])) if len(at) else f"{whole.address(row)} of {whole.name}"

    return address


@st.cache_resource(max_entries=4, show_spinner=False)
def _drawn(key: str, _pair: ComparedPair) -> Space:  # noqa: ARG001 - the key
    return part(_pair.theirs, _pair.shown.rows)


def maps(
    view: CompareView,
    pair: ComparedPair,
    sheets: Sequence[PickablePicture],
    spot: InvertedPoint | Lost | None,
    on: int,
) -> tuple[Scene, Rows]:
    """Draw both; the scene, for whoever saves it, and the shared items in the lasso. ``spot`` is
    marked on the map of that number."""
    scene = maps_scene(view, pair, spot, on)
    ground = point_from("compare stage", "compare", *sheets)
    rows = mount(scene, "compare stage", choose_from("compare stage"), on_ground=ground)
    drawn = pair.shown.rows
    inside = np.array([row for row in rows if 0 <= row < len(drawn)], np.int64)
    return scene, drawn[inside]


def maps_scene(
    view: CompareView, pair: ComparedPair, spot: InvertedPoint | Lost | None = None, on: int = 0
) -> Scene:
    """Both maps as data, ``spot`` marked on the one of that number."""
    comparison, shown = pair.comparison, pair.shown
    rows = shown.rows
    texts = [comparison.a.texts[row] for row in rows]
    pick = pick_of(view, pair)
    colours = _colours(view.colour, pair)
    revision = f"{pair.digest} {view.layout}"
    common = {"height": 380, "fill": 352, "space": f"{pair.digest[:65]} compare"}
    focus = _focus(shown.a, shown.b, pick)
    moved = most_moved(comparison.drift, MOST_NAMED)
    named = _places(pair, moved if len(moved) else np.arange(min(MOST_NAMED, comparison.shared)))
    regions = _regions(pair)
    kind = TITLES[shown.spec.kind]
    chosen = f" Chosen: {pick.text}." if pick else ""
    alt = f"{len(texts):,} shared items of {pair.names[0]} and {pair.names[1]} ({kind}).{chosen}"
    if view.layout == "morph":
        trails = _places(pair, most_moved(comparison.drift))
        ends = [pair_labels(texts, at, pick, ("a", "b"), named) for at in (shown.a, shown.b)]
        morph = other_end(pair.names, shown.b, [*ends[1], *regions], tokens())
        figure = morph_map(shown.a, shown.b, colours, tokens(), revision, trails, pick)
        pictures = [
            Picture(
                figure,
                title=f"{pair.names[0]}, on its way into {pair.names[1]} ({kind})",
                tag="projected",
                alt=f"One map, moving. {alt}",
                labels=[*ends[0], *regions],
                hint=f"Teal trails follow the {len(trails)} items that moved most in the space.",
                focus=focus,
                near=_near(pair, "a"),
                morph=morph,
                **common,  # type: ignore[arg-type]
            )
        ]
    else:
        pictures = []
        for number, (one, other, side, title, hint) in enumerate(_sides(pair, kind)):
            figure = side_map(one, other, colours, tokens(), f"{revision} {side}", side, pick)
            labels = [*pair_labels(texts, one, pick, (side,), named), *regions]
            mark_point(figure, labels, spot if number == on else None)
            pictures.append(
                Picture(
                    figure,
                    title=title,
                    tag="projected",
                    alt=f"{title}. {alt}",
                    labels=labels,
                    hint=hint,
                    focus=focus,
                    color=side_color(side, tokens()),
                    near=_near(pair, side),
                    ground=True,
                    **common,  # type: ignore[arg-type]
                )
            )
    return Scene(
        name=f"compare {view.layout} {shown.spec.kind}",
        pictures=pictures,
        items=Items(texts, _details(f"{pair.digest} {comparison.overlap is None}", pair)),
        legend=None if colours is None else colours.legend,
        search=f"Find a {noun(comparison.a)}",
    )


def _sides(pair: ComparedPair, kind: str) -> list[tuple[Coords, Coords, Side, str, str]]:
    shown, names = pair.shown, pair.names
    return [
        (shown.a, shown.b, "a", f"{names[0]} ({kind})", "The first space's own picture."),
        (
            shown.b,
            shown.a,
            "b",
            f"{names[1]}, same picture",
            "The second space is not drawn anew: it is laid on the first in all dimensions, and "
            "each item is put where its vector falls in the first one's picture.",
        ),
    ]


def pick_of(view: CompareView, pair: ComparedPair) -> Pick | None:
    """What is chosen, among the drawn items; None where nothing is or it is not drawn."""
    row = pair.comparison.a.find(view.item) if view.item else None
    if row is None:
        return None
    place = _places(pair, np.array([row]))
    if not len(place):
        return None
    near = [_places(pair, neighbors_in(pair, side, row)[0]) for side in ("a", "b")]
    return Pick(pair.comparison.a.texts[row], int(place[0]), *near)


def _places(pair: ComparedPair, rows: Rows) -> Rows:
    """Where among the drawn items these shared items are; what is not drawn is left out."""
    drawn = pair.shown.rows
    places = np.searchsorted(drawn, rows)
    here = places < len(drawn)
    here[here] = drawn[places[here]] == rows[here]
    return places[here].astype(np.int64)


def _near(pair: ComparedPair, side: Side) -> npt.NDArray[np.int32] | None:
    """(r, 3) true neighbours of the drawn items in one space, -1 for one that is not drawn."""
    space = pair.comparison.a if side == "a" else pair.theirs
    if not workspace().has_graph(space):
        return None
    graph = workspace().graph(space)
    if graph.k < 3:
        return None
    drawn = pair.shown.rows
    place = np.full(len(space), -1, np.int32)
    place[drawn] = np.arange(len(drawn), dtype=np.int32)
    return place[graph.indices[drawn, :3]]


def _colours(name: str, pair: ComparedPair) -> Layer | None:
    comparison, rows = pair.comparison, pair.shown.rows
    if name == "kept" and comparison.kept is not None:
        return kept_layer(comparison.kept[rows], dark())
    if name != "drift":
        found = layer(name, comparison.a, PcaSpec())
        return None if found is None else replace(found, values=found.values[rows])
    return drift_layer(comparison.drift[rows], dark())


@st.cache_resource(max_entries=6, show_spinner=False)
def _details(key: str, _pair: ComparedPair) -> list[str]:  # noqa: ARG001 - the key
    comparison = _pair.comparison
    quiet = details(comparison.a)
    said = [f"moved {drift:.2f}" for drift in comparison.drift.tolist()]
    if comparison.kept is not None:
        kept = np.rint(NEAR * comparison.kept).astype(int).tolist()
        said = [f"{moved}, keeps {k} of {NEAR}" for moved, k in zip(said, kept, strict=True)]
    return [" · ".join(filter(None, (said[row], quiet[row]))) for row in _pair.shown.rows.tolist()]


def _regions(pair: ComparedPair) -> list[Label]:
    """Names of the first picture's regions; the second space is seen in that picture too."""
    space, spec = workspace().space(pair.comparison.names[0]), pair.shown.spec
    if spec.kind == "pca" or not workspace().has_regions(space, spec):  # PCA has no islands to name
        return []
    found = sorted(workspace().regions(space, spec).labels, key=lambda it: (it.level, -it.size))
    return [Label(it.text[:32], it.x, it.y, px=12) for it in found[:REGIONS]]


def _focus(a: Coords, b: Coords, pick: Pick | None) -> list[float] | None:
    """A window around both places of what is chosen, and the neighbours that are near them."""
    if pick is None:
        return None
    span = float(max(np.ptp(a, axis=0).max(), np.ptp(b, axis=0).max()))
    own = np.stack([a[pick.row], b[pick.row]])
    middle = own.mean(axis=0)
    near = np.concatenate([a[pick.near_a], b[pick.near_b]])
    away = np.abs(near - middle).max(axis=1, initial=0)
    reach = max(
        WORTH_SEEING * span,
        1.25 * float(np.abs(own - middle).max()),
        1.15 * float(away[away < 0.25 * span].max(initial=0)),
    )
    x, y = (float(value) for value in middle)
    return [x - reach, x + reach, y - reach, y + reach]
