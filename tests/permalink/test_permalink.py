"""Links: what goes in comes out, and nothing that a stranger writes can break the page."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.permalink import (
    VIEWS,
    AxesView,
    CompareView,
    LayersView,
    MapView,
    PathView,
    StudentView,
    TextsView,
    TrajectoriesView,
    decode,
    encode,
    join_words,
    split_words,
)
from core.students.registry import NAMES as FAMILIES

TEXT = st.text(max_size=30)
WORDS = st.lists(TEXT, max_size=6).map(tuple)
NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True)
NUMBER = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
PARAMETERS = st.dictionaries(NAME, NUMBER, max_size=5).map(lambda d: tuple(d.items()))
LAYER = st.none() | st.integers(0, 999)
SEED = st.none() | st.integers(0, 2**32 - 1)


def made(kind, **values):
    """The kind and its values: built in the test, for the shape checker draws at random itself."""
    return st.tuples(st.just(kind), st.fixed_dictionaries(values))


MAPS = made(
    MapView,
    teacher=TEXT,
    revision=TEXT,
    projector=TEXT,
    parameters=PARAMETERS,
    seed=SEED,
    dims=st.sampled_from([2, 3]),
    colour=TEXT,
    selected=st.none() | TEXT,
    spot=TEXT,
)
PATHS = made(
    PathView,
    teacher=TEXT,
    revision=TEXT,
    waypoints=WORDS,
    kinds=st.lists(
        st.sampled_from(["lerp", "slerp", "graph"]), min_size=1, max_size=3, unique=True
    ).map(tuple),
    steps=st.integers(2, 10_000),
    centred=st.booleans(),
    csls=st.booleans(),
    own_words=st.booleans(),
    projector=TEXT,
    parameters=PARAMETERS,
    seed=SEED,
    show=st.sampled_from(["way", "between", "islands"]),
    model=TEXT,
    layer=LAYER,
    beside=LAYER,
    ends=WORDS,
    corners=WORDS,
    blend=st.sampled_from(["lerp", "slerp", "centred"]),
    samples=st.integers(3, 101),
    grid=st.integers(5, 61),
    spot=TEXT,
)
AXES = made(
    AxesView,
    teacher=TEXT,
    revision=TEXT,
    x_from=WORDS,
    x_to=WORDS,
    y_from=WORDS,
    y_to=WORDS,
    highlight=WORDS,
    centred=st.booleans(),
)
STUDENTS = made(
    StudentView,
    teacher=TEXT,
    revision=TEXT,
    family=st.sampled_from(FAMILIES),
    bytes_per_item=st.floats(0, 1e6),
    measure=st.sampled_from(["relative_error", "cosine", "recall10"]),
    student=TEXT,
    text=TEXT,
)
COMPARISONS = made(
    CompareView,
    a=TEXT,
    b=TEXT,
    item=TEXT,
    picture=st.sampled_from(["umap", "pca"]),
    layout=st.sampled_from(["side", "morph"]),
    colour=TEXT,
    waypoints=WORDS,
    spot=TEXT,
)
LAYERS = made(
    LayersView,
    model=TEXT,
    second=TEXT,
    show=st.sampled_from(["sentence", "senses", "measures", "probes"]),
    sentences=WORDS,
    token=st.none() | st.integers(0, 99_999),
    fit=st.sampled_from(["joint", "aligned", "each"]),
    picture=st.sampled_from(["umap", "pca"]),
    word=TEXT,
    layer=LAYER,
    task=TEXT,
)
TEXTS = made(
    TextsView,
    model=TEXT,
    show=st.sampled_from(["documents", "sentences"]),
    query=TEXT,
    document=TEXT,
    part=st.none() | st.integers(0, 999_999),
    own=TEXT,
    colour=st.sampled_from(["source", "region", "plain"]),
    spot=TEXT,
)
TRAJECTORIES = made(
    TrajectoriesView,
    model=TEXT,
    second=TEXT,
    show=st.sampled_from(["path", "lens", "laws", "steer", "shapes"]),
    prompt=TEXT,
    steps=st.integers(1, 500),
    temperature=st.floats(0, 100),
    top_p=st.floats(0.01, 1),
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 12),
    layer=LAYER,
    picture=st.sampled_from(["umap", "pca"]),
    dims=st.sampled_from([2, 3]),
    step=st.none() | st.integers(0, 9_999),
    k=st.integers(1, 200),
    heat=st.floats(0, 100),
    fans=st.sampled_from(["step", "along", "off"]),
    lens=st.sampled_from(["logit", "fitted"]),
    shade=st.sampled_from(["probability", "entropy", "answer"]),
    shuffled=st.booleans(),
    plus=WORDS,
    minus=WORDS,
    made=st.sampled_from(["prompts", "axis"]),
    strength=st.floats(-2, 2).map(lambda drawn: drawn + 0.0),  # no -0.0: it is written 0
    shape=st.sampled_from(["days", "months", "numbers", "cities", "own"]),
    words=WORDS,
    form=st.sampled_from(["circle", "line"]),
    unseen=st.sampled_from(["cities", "continents"]),
)
PAGES = {kind: page for page, kind in VIEWS.items()}
EVERY = (MAPS, PATHS, AXES, STUDENTS, COMPARISONS, LAYERS, TEXTS, TRAJECTORIES)
OLD = json.loads((Path(__file__).parent / "links.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("old", OLD, ids=lambda old: f"{old['page']}?{old['link']:.60}")
def test_a_link_that_people_have_opens_as_it_did(old):
    """links.json: every page and tab, as written when a module held all views, and some damaged."""
    query = dict(parse_qsl(old["link"], keep_blank_values=True))
    view, warnings = decode(old["page"], query)
    assert json.loads(json.dumps(asdict(view))) == old["view"]
    assert warnings == old["warnings"]
    if not warnings:
        assert decode(old["page"], encode(view)) == (view, [])


def test_every_page_has_old_links():
    assert {old["page"] for old in OLD} >= set(VIEWS)


def test_round_trips_draw_every_field_of_every_view():
    @given(st.tuples(*EVERY))
    @settings(max_examples=1)
    def drawn(pairs):
        assert {kind for kind, _ in pairs} == set(VIEWS.values())
        for kind, values in pairs:
            assert set(values) == {each.name for each in fields(kind)}

    drawn()


@given(st.one_of(EVERY))
def test_a_view_survives_the_address_bar(kind_and_values):
    kind, values = kind_and_values
    view = kind(**values)
    query = urlencode(encode(view))
    back, warnings = decode(PAGES[kind], dict(parse_qsl(query, keep_blank_values=True)))
    assert back == view
    assert warnings == []
    # Equal is not enough where 1 == 1.0 == True.
    assert repr(back) == repr(view)


@given(WORDS)
def test_words_are_joined_without_loss(words):
    assert split_words(join_words(words)) == words


@given(st.text(alphabet="ab,\\e", max_size=12))
def test_lists_that_nobody_joined_are_read_or_refused(value):
    try:
        split_words(value)
    except ValueError as error:
        assert "commas" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((), ""),
        (("",), "\\e"),
        (("dog", "table"), "dog,table"),
        (("3,5", "a\\b", "c++"), "3\\,5,a\\\\b,c++"),
    ],
)
def test_lists_can_be_read_by_people(words, value):
    assert join_words(words) == value
    assert split_words(value) == words


def test_an_empty_link_is_the_first_view():
    for page, kind in VIEWS.items():
        assert decode(page, {}) == (kind(), [])


def test_a_link_says_what_is_the_default_today():
    assert encode(MapView())["projector"] == "umap"
    assert "selected" not in encode(MapView())
    assert encode(MapView(selected=""))["selected"] == ""


HOSTILE = (
    st.text()
    | st.text(alphabet="0123456789-+.e_,:\\ \x00", max_size=30)
    | st.binary()
    | st.none()
    | st.integers()
    | st.lists(st.text())
)


@given(st.sampled_from(sorted(VIEWS)) | st.text(max_size=50), st.data())
def test_nothing_that_is_written_into_a_link_raises(page, data):
    kind = VIEWS.get(page, MapView)
    names = st.sampled_from([each.name for each in fields(kind)]) | st.text(max_size=5)
    mapping = data.draw(st.dictionaries(names, HOSTILE, max_size=12))
    view, warnings = decode(page, mapping)
    assert type(view) is kind
    assert all("expected" in warning and len(warning) < 400 for warning in warnings)
    # What was understood can be written again.
    assert decode(PAGES[kind], encode(view)) == (view, [])


@pytest.mark.parametrize(
    ("page", "mapping", "warning"),
    [
        ("paths", {"steps": "1"}, "found steps = '1' in the link; expected a whole number from 2"),
        ("paths", {"steps": "9" * 5000}, "expected a whole number from 2 to 10000: using 48"),
        ("paths", {"steps": "１２"}, "expected a whole number"),
        ("paths", {"steps": "1_0"}, "expected a whole number"),
        ("paths", {"centred": "yes"}, "expected 0 or 1: using False"),
        ("paths", {"kinds": "lerp,tunnel"}, "expected some of lerp, slerp and graph"),
        ("paths", {"kinds": ""}, "expected some of lerp, slerp and graph"),
        ("paths", {"waypoints": "dog\\"}, "a comma inside one written"),
        ("paths", {"waypoints": "a," * 500}, "expected at most 200 words"),
        ("map", {"parameters": "min_dist:nan"}, "expected parameters as name:number"),
        ("map", {"parameters": "min_dist:1e999"}, "expected a finite number"),
        ("map", {"parameters": "a:1,a:2"}, "each once: using nothing"),
        ("map", {"parameters": "__import__('os')"}, "expected parameters as name:number"),
        ("map", {"seed": "-1"}, "expected a whole number from 0"),
        ("map", {"dims": "4"}, "expected a whole number from 2 to 3"),
        ("map", {"selected": "x" * 100_000}, "expected at most 20,000 characters"),
        ("map", {"selected": "x" * 3_000}, "expected a text of at most 2,000 characters"),
        ("map", {"teacher": ["a", "b"]}, "found teacher = a list in the link; expected a text"),
        ("student", {"bytes_per_item": "-1"}, "expected a number from 0 to 1e+06: using 0"),
        ("student", {"bytes_per_item": "inf"}, "expected a number from 0 to 1e+06"),
        ("student", {"bytes_per_item": "nan"}, "expected a number from 0 to 1e+06"),
        ("student", {"family": "gan"}, "expected one of transform, codes, vae"),
        ("student", {"measure": "beauty"}, "expected one of relative_error, cosine, recall10"),
        ("compare", {"picture": "tsne"}, "expected one of umap, pca: using 'umap'"),
        ("texts", {"part": "-1"}, "expected a whole number from 0 to 999999: using nothing"),
        ("texts", {"show": "songs"}, "expected one of documents, sentences: using 'documents'"),
        ("compare", {"layout": "stack"}, "expected one of side, morph: using 'side'"),
        ("lost", {}, "found page 'lost'; expected one of home, map, paths, axes, student"),
    ],
)
def test_what_is_not_understood_is_said_and_replaced(page, mapping, warning):
    view, warnings = decode(page, mapping)
    assert len(warnings) == 1
    assert warning in warnings[0]
    assert view == VIEWS.get(page, MapView)()


def test_what_is_understood_is_kept_beside_what_is_not():
    view, warnings = decode("paths", {"steps": "x", "waypoints": "dog,table", "utm_source": "y"})
    assert view == PathView(waypoints=("dog", "table"))
    assert len(warnings) == 1


def test_markup_stays_the_text_that_it_is():
    view, warnings = decode("map", {"selected": "<img src=x onerror=alert(1)>"})
    assert view == MapView(selected="<img src=x onerror=alert(1)>")
    assert warnings == []
