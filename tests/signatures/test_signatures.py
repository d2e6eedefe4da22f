"""States, pooling, isotropy and documents against the models' own answers and plain oracles."""

import json
import tracemalloc
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_states import KINDS, LONG, TEXTS, WINDOW, stop_at, tiny

from core.errors import (
    Cancelled,
    InvalidSpecification,
    InvalidVectors,
    StoreError,
    UnknownItem,
    Unsupported,
)
from core.signatures.contextuality import (
    by_layer,
    explainable_variance,
    intra_sentence_similarity,
    self_similarity,
)
from core.signatures.documents import document_signatures, document_states, windows
from core.signatures.hidden import Reader, ReadSpec, hidden_states
from core.signatures.isotropy import (
    all_but_the_top,
    anisotropy,
    centring,
    whitening,
    without_outliers,
)
from core.signatures.pooling import Pooling, pool
from core.signatures.states import States
from core.signatures.tokens import words_of


@pytest.fixture(scope="module")
def readers():
    return {kind: tiny(kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def reader(request, readers):
    return readers[request.param]


def alone(reader: Reader, ids: list[int]) -> np.ndarray:
    """The oracle (layers, t, d): one text, no padding, no mask, asked of the model in float64."""
    import copy

    import torch

    with torch.no_grad():
        out = copy.deepcopy(reader.model).double()(
            input_ids=torch.tensor([ids]), output_hidden_states=True
        )
    return torch.stack(out.hidden_states)[:, 0].numpy()


def stacked(states: States, text: int) -> np.ndarray:
    rows = np.flatnonzero(states.tokens["text"] == text)
    return np.stack([layer[rows] for layer in states.layers])


# --- states


def test_states_are_the_models_own(reader):
    states = hidden_states(TEXTS, reader, ReadSpec(special=True))
    assert states.texts == tuple(TEXTS)
    assert states.notes == (() if reader.tokenizer.unk_token is None else states.notes)
    for row, text in enumerate(TEXTS):
        ids = reader.tokenizer(text)["input_ids"]
        np.testing.assert_allclose(stacked(states, row), alone(reader, ids), atol=2e-5)
        part = states.tokens[states.tokens["text"] == row]
        assert list(part["token"]) == reader.tokenizer.convert_ids_to_tokens(ids)
        assert list(part["position"]) == list(range(len(ids)))
    assert all(layer.dtype == np.float32 and not layer.flags.writeable for layer in states.layers)


def test_tokens_say_where_they_stand(reader):
    states = hidden_states(TEXTS, reader)
    tokens = states.tokens
    assert not tokens["special"].any()
    assert (tokens["end"] > tokens["start"]).all()
    for row, text in enumerate(TEXTS):
        part = tokens[tokens["text"] == row]
        assert part["start"].is_monotonic_increasing
        held = set().union(*(range(a, b) for a, b in zip(part["start"], part["end"], strict=True)))
        assert {at for at, letter in enumerate(text) if not letter.isspace()} <= held
    kept = hidden_states(TEXTS, reader, ReadSpec(special=True)).tokens
    added = {"bert": 2, "gpt2": 0, "llama": 1}[reader.name.split()[1]]
    assert kept["special"].sum() == added * len(TEXTS)
    assert (kept.loc[kept["special"], "word"] == -1).all()
    pd.testing.assert_frame_equal(kept[~kept["special"]].reset_index(drop=True), tokens)


@pytest.mark.parametrize("budget", [1, 17, 10_000])
def test_batches_change_nothing(budget, reader):
    other = Reader(reader.model, reader.tokenizer, "cpu", reader.name, budget)
    one, two = hidden_states(TEXTS, reader), hidden_states(TEXTS, other)
    for left, right in zip(one.layers, two.layers, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_order_of_texts_changes_nothing(reader):
    states = hidden_states(TEXTS, reader)
    back = hidden_states(TEXTS[::-1], reader)
    for row in range(len(TEXTS)):
        np.testing.assert_allclose(
            stacked(states, row), stacked(back, len(TEXTS) - 1 - row), atol=1e-5
        )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_on_either_side(kind):
    import torch

    reader = tiny(kind)
    reader.tokenizer.pad_token = reader.tokenizer.convert_ids_to_tokens(0)
    found = []
    for side in ("left", "right"):
        reader.tokenizer.padding_side = side
        found.append(hidden_states(TEXTS, reader, ReadSpec(special=True)))
        given = reader.tokenizer(TEXTS, padding=True, return_tensors="pt")
        real = given["attention_mask"].bool()
        places = (given["attention_mask"].cumsum(1) - 1).clamp(min=0)
        with torch.no_grad():
            out = reader.model(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                position_ids=places,
                output_hidden_states=True,
            )
        for ours, theirs in zip(found[-1].layers, out.hidden_states, strict=True):
            np.testing.assert_allclose(ours, theirs[real].numpy(), atol=2e-5)
    for left, right in zip(found[0].layers, found[1].layers, strict=True):
        np.testing.assert_array_equal(left, right)


def test_which_models_are_causal_and_how_much_they_read(readers):
    assert {kind: it.causal for kind, it in readers.items()} == {
        "bert": False,
        "gpt2": True,
        "llama": True,
    }
    assert {it.window for it in readers.values()} == {WINDOW}
    roberta = tiny("roberta", places=20)  # its positions begin at 2
    assert roberta.window == 18
    longest = hidden_states(["a " * 16], roberta, ReadSpec(special=True))
    assert len(longest.tokens) == 18


# --- in a folder


@pytest.mark.parametrize("store", ["float32", "float16"])
def test_a_folder_holds_the_same(store, reader, tmp_path):
    spec = ReadSpec(store=store, special=True)
    memory = hidden_states(TEXTS, reader, spec)
    disk = hidden_states(TEXTS, reader, spec, folder=tmp_path / "a" / "states")
    again = States.open(tmp_path / "a" / "states")
    for one, two, three in zip(memory.layers, disk.layers, again.layers, strict=True):
        assert one.dtype == two.dtype == np.dtype(store)
        assert isinstance(two, np.memmap)
        assert not two.flags.writeable
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    pd.testing.assert_frame_equal(memory.tokens, again.tokens)
    assert (again.texts, again.name, again.causal, again.notes) == (
        memory.texts,
        memory.name,
        memory.causal,
        memory.notes,
    )
    assert [it.name for it in (tmp_path / "a").iterdir()] == ["states"]


def test_what_is_written_is_not_held(readers, tmp_path):
    texts = [f"{TEXTS[0]} {row}" for row in range(200)]
    reader = Reader(readers["bert"].model, readers["bert"].tokenizer, "cpu", "it", budget=64)
    hidden_states(texts[:2], reader, folder=tmp_path / "first")  # which loads libraries
    peaks = []
    for folder in (None, tmp_path / "it"):
        tracemalloc.start()
        states = hidden_states(texts, reader, folder=folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] - peaks[1] > 0.8 * sum(layer.nbytes for layer in states.layers)


def test_stop_leaves_nothing(readers, tmp_path):
    reader = Reader(readers["bert"].model, readers["bert"].tokenizer, "cpu", "it", budget=16)
    seen = []
    hidden_states(
        TEXTS, reader, progress=lambda done, total, _: bool(seen.append((done, total))) or True
    )
    assert seen[0] == (0, 6)
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)
    for step in range(1, len(seen) + 1):
        for folder in (None, tmp_path / "it"):
            with pytest.raises(Cancelled, match=r"stopped at . of 6"):
                hidden_states(TEXTS, reader, folder=folder, progress=stop_at(step))
        assert list(tmp_path.iterdir()) == []
    hidden_states(TEXTS, reader, folder=tmp_path / "it", progress=stop_at(len(seen) + 1))


def test_folders_that_do_not_serve(readers, tmp_path):
    folder = tmp_path / "it"
    hidden_states(TEXTS, readers["bert"], folder=folder)
    with pytest.raises(StoreError, match=r"found .*it; expected nothing there yet"):
        hidden_states(TEXTS, readers["bert"], folder=folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        hidden_states(TEXTS, readers["bert"], folder=tmp_path / "file" / "it")
    with pytest.raises(StoreError, match="does not read as states"):
        States.open(tmp_path / "nowhere")
    manifest = json.loads((folder / "manifest.json").read_text())
    for change in ({"version": 2}, {"format": "x"}, {"layers": 4}, {"layers": 0}, {"layers": "3"}):
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(StoreError, match=r"delete it and compute them again") as caught:
            States.open(folder)
        assert "\n" not in str(caught.value)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    np.save(folder / "layer_01.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(StoreError, match="does not read as states"):
        States.open(folder)
    (folder / "layer_01.npy").write_bytes((folder / "layer_00.npy").read_bytes()[:-8])
    with pytest.raises(StoreError, match="does not read as states"):
        States.open(folder)


# --- precision


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_stays_near(precision, reader):
    exact = hidden_states(TEXTS, reader)
    rough = hidden_states(TEXTS, reader, ReadSpec(precision=precision))
    assert rough.notes == exact.notes
    assert not np.array_equal(exact.layers[-1], rough.layers[-1])
    for one, two in zip(exact.layers, rough.layers, strict=True):
        cosines = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
        assert cosines.min() > 0.995


def test_what_overflows_is_computed_again(readers):
    import torch

    reader = tiny("bert")
    exact = hidden_states(TEXTS, reader, ReadSpec(precision="float16"))
    with torch.no_grad():
        reader.model.encoder.layer[1].intermediate.dense.weight.mul_(1e6)
    states = hidden_states(TEXTS, reader, ReadSpec(precision="float16"))
    assert f"{len(TEXTS)} passes computed again in float32" in states.notes[0]
    np.testing.assert_array_equal(
        states.layers[-1], hidden_states(TEXTS, reader, ReadSpec()).layers[-1]
    )
    assert len(exact.notes) == len(states.notes) - 1


def test_states_that_cannot_be_kept(tmp_path):
    import torch

    reader = tiny("gpt2")
    with torch.no_grad():
        reader.model.h[0].mlp.c_proj.bias[3] = 1e5
    assert np.abs(hidden_states(TEXTS, reader).layers[1]).max() > 9e4
    for folder in (None, tmp_path / "it"):
        with pytest.raises(InvalidVectors, match=r"found a state of 1e\+05 in layer 1 .* float16"):
            hidden_states(TEXTS, reader, ReadSpec(store="float16"), folder=folder)
    with torch.no_grad():
        reader.model.h[0].mlp.c_proj.bias[3] = float("nan")
    for precision in ("float32", "bfloat16"):
        with pytest.raises(InvalidVectors, match=r"found a state of nan in layer 1 of text . "):
            hidden_states(TEXTS, reader, ReadSpec(precision=precision), folder=tmp_path / "it")
    assert list(tmp_path.iterdir()) == []


# --- texts and models that do not serve


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([], InvalidSpecification, "found no texts; expected a list of one text or more"),
        ("one", InvalidSpecification, "found a text; expected a list"),
        (["a", "", "b"], UnknownItem, r"found nothing to read.*in 1 texts \(counted from 0: 1\)"),
        ([" \n\t", "a", " "], UnknownItem, r"in 2 texts \(counted from 0: 0, 2\)"),
        (["a", "b\ud800"], UnknownItem, "half a surrogate pair, in 1 texts"),
        ([""] * 9, UnknownItem, r"in 9 texts \(counted from 0: 0, 1, 2, 3, 4, \.\.\.\)"),
    ],
)
def test_texts_without_words(texts, error, message, reader):
    with pytest.raises(error, match=message) as caught:
        hidden_states(texts, reader)
    assert "\n" not in str(caught.value)


def test_a_text_that_the_tokenizer_empties(readers):
    with pytest.raises(UnknownItem, match=r"found nothing to read.*counted from 0: 1\)"):
        hidden_states(["the cat", "\u200b\x00"], readers["bert"])


def test_unknown_tokens_are_marked_and_noted(readers):
    states = hidden_states(["the 猫", "猫 犬", "the cat"], readers["bert"])
    assert list(states.tokens["unknown"]) == [False, True, True, True, False, False]
    assert states.notes == ("no token known in 1 texts (counted from 0: 1)",)
    assert hidden_states(["猫"], readers["gpt2"]).notes == ()


def test_texts_that_are_too_long(reader):
    with pytest.raises(InvalidSpecification, match=r"found \d+ tokens in text 1 .*at most 3\d"):
        hidden_states(["a", LONG], reader)
    states = hidden_states(["a", LONG], reader, ReadSpec(special=True), truncate=True)
    assert "1 of 2 texts cut after 3" in states.notes[0]
    ids = reader.tokenizer(LONG, truncation=True, max_length=WINDOW)["input_ids"]
    np.testing.assert_allclose(stacked(states, 1), alone(reader, ids), atol=2e-5)


def test_models_that_do_not_serve(readers):
    bert = readers["bert"]
    with pytest.raises(Unsupported, match="does not tell where its tokens stand"):
        Reader(bert.model, SimpleNamespace(is_fast=False), "cpu", "it")
    both = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=True), decoder=None)
    with pytest.raises(Unsupported, match=r"found an encoder-decoder in it; .*get_encoder\(\)"):
        Reader(both, bert.tokenizer, "cpu", "it")

    class Mute:
        config = SimpleNamespace()
        eval = get_input_embeddings = None

        def __call__(self, **_):
            return SimpleNamespace(last_hidden_state=0)

    mute = Mute()
    mute.device = "cpu"
    mute.eval = lambda: mute
    mute.named_modules = lambda: []
    mute.get_input_embeddings = lambda: SimpleNamespace(num_embeddings=9)
    said = "does not give a state of one width for each token in each layer"
    with pytest.raises(Unsupported, match=said):
        hidden_states(TEXTS, Reader(mute, bert.tokenizer, "cpu", "it"))
    for change in ({"precision": "int8"}, {"store": "bfloat16"}):
        with pytest.raises(InvalidSpecification, match="expected one of float32"):
            ReadSpec(**change)


# --- words


def test_words_are_the_same_for_all_tokenizers(readers):
    texts = ["the cat, sleeping", "naïve  Café\n(two) spaces"]
    found = [pool(hidden_states(texts, it), Pooling("word")).table for it in readers.values()]
    surfaces = ["the", "cat", ",", "sleeping", "naïve", "Café", "(", "two", ")", "spaces"]
    for table in found:
        assert list(table["surface"]) == surfaces
        assert list(table["text"]) == [0] * 4 + [1] * 6


def test_a_token_over_two_runs_makes_one_word():
    words, starts = words_of("It's ok", np.array([[0, 2], [2, 4], [4, 5], [5, 7]]))
    assert words.tolist() == [0, 1, -1, 2]
    assert starts.tolist() == [0, 2, 4, 5]
    assert words_of("नमस्ते दुनिया", np.array([[0, 3], [3, 6], [6, 13]]))[0].tolist() == [0, 0, 1]
    assert words_of("🙂🙂", np.array([[0, 1], [0, 1], [1, 2]]))[0].tolist() == [0, 0, 0]


@given(st.text("ab é.,'\n_9", min_size=1, max_size=30), st.data())
def test_words_follow_the_tokens(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    spans = np.stack([cuts[:-1], cuts[1:]], axis=1)
    words, starts = words_of(text, spans)
    for (start, end), word, begin in zip(spans, words, starts, strict=True):
        blank = not text[start:end].strip()
        assert (word == -1) == blank
        assert blank or (not text[begin].isspace() and not text[start:begin].strip())
    real = words[words >= 0]
    assert (np.diff(real) >= 0).all()
    for left, right in zip(range(len(words)), range(1, len(words)), strict=False):
        if words[left] >= 0 and words[right] >= 0:  # neighbours are apart only between kinds
            before, after = text[spans[left, 1] - 1], text[starts[right]]
            if words[left] != words[right]:
                same = before.isalnum() == after.isalnum()
                assert not same or before.isspace() or starts[right] > spans[left, 1]


# --- pooling


def random_states(sizes: list[int], layers: int = 3, dim: int = 4, seed: int = 0) -> States:
    """States as a tokenizer with one special token at each end would give them."""
    generator = np.random.default_rng(seed)
    text = np.repeat(np.arange(len(sizes)), sizes)
    position = np.concatenate([np.arange(size) for size in sizes])
    last = position == np.repeat(sizes, sizes) - 1
    special = (position == 0) | last
    table = pd.DataFrame({"text": text, "window": position // 4, "position": position})
    table["token"] = [f"t{row}" for row in range(len(table))]
    table["start"], table["end"] = position, position + 1
    table["word"] = np.where(special, -1, position // 2)
    table["special"], table["unknown"] = special, False
    made = tuple(generator.normal(size=(len(table), dim)).astype(np.float32) for _ in range(layers))
    return States(made, table, tuple("x" * size for size in sizes), "random", False)


REDUCE = {
    "mean": lambda x, w: x.mean(0),
    "max": lambda x, w: x.max(0),
    "first": lambda x, w: x[0],
    "last": lambda x, w: x[-1],
    "weighted": lambda x, w: (w[:, None] * x).sum(0) / w.sum(),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(4, 12), min_size=1, max_size=6),
    unit=st.sampled_from(["token", "word", "window", "text"]),
    how=st.sampled_from(list(REDUCE)),
    layers=st.lists(st.integers(-3, 2), min_size=1, max_size=4),
    combine=st.sampled_from(["sum", "concatenate"]),
    special=st.booleans(),
    skip=st.booleans(),
    block=st.sampled_from([1, 5, 10_000]),
)
def test_pooling_is_what_a_loop_does(
    sizes, unit, how, layers, combine, special, skip, block, monkeypatch
):
    monkeypatch.setattr("core.signatures.pooling.BLOCK_ROWS", block)
    states = random_states(sizes)
    weights = np.random.default_rng(1).uniform(0.1, 1, len(states.tokens)).astype(np.float32)
    spec = Pooling(unit, how, tuple(layers), combine, special, skip)
    found = pool(states, spec, weights if how == "weighted" else None)
    kept = states.tokens.assign(row=np.arange(len(states.tokens)))
    kept = kept if special else kept[~kept["special"]]
    kept = kept[kept["position"] > 0] if skip else kept
    kept = kept[kept["word"] >= 0] if unit == "word" else kept
    keys = {"token": ["text", "position"], "text": ["text"]}.get(unit, ["text", unit])
    chosen = [states.layers[number].astype(np.float64) for number in layers]
    x = sum(chosen) if combine == "sum" else np.hstack(chosen)
    groups = [part.to_numpy() for _, part in kept.groupby(keys)["row"]]
    expected = [REDUCE[how](x[rows], weights[rows]) for rows in groups]
    np.testing.assert_allclose(found.vectors, np.stack(expected), atol=1e-5)
    assert list(found.table["tokens"]) == [len(rows) for rows in groups]
    assert list(found.table["text"]) == [kept["text"][rows[0]] for rows in groups]
    assert list(found.table["start"]) == [kept["start"][rows].min() for rows in groups]
    assert list(found.table["end"]) == [kept["end"][rows].max() for rows in groups]


def test_first_is_cls_where_special_tokens_are_kept(readers):
    states = hidden_states(TEXTS, readers["bert"], ReadSpec(special=True))
    found = pool(states, Pooling(how="first", special=True))
    for row, text in enumerate(TEXTS):
        ids = readers["bert"].tokenizer(text)["input_ids"]
        np.testing.assert_allclose(
            found.vectors[row], alone(readers["bert"], ids)[-1, 0], atol=2e-5
        )
    assert list(found.table["surface"]) == TEXTS
    tokens = pool(states, Pooling("token", special=True)).table
    assert list(tokens["surface"])[:5] == ["[CLS]", "the", "cat", "sleep", "s"]


def test_pooling_that_cannot_be(readers):
    states = hidden_states(["salt", "the cat"], readers["gpt2"])
    one = hidden_states(["a", "the cat"], readers["gpt2"])
    for spec in (Pooling(skip_first=True), Pooling("window", skip_first=True)):
        with pytest.raises(UnknownItem, match=r"found no tokens left in text 0 .*skip_first=False"):
            pool(one, spec)
    assert list(pool(one, Pooling("word", skip_first=True)).table["surface"]) == ["cat"]
    with pytest.raises(UnknownItem, match="found no tokens left"):
        pool(hidden_states(["a"], readers["gpt2"]), Pooling("word", skip_first=True))
    for layer in (3, -4):
        with pytest.raises(InvalidSpecification, match=rf"found layer {layer}; expected 0 .*to 2"):
            pool(states, Pooling(layers=(layer,)))
    weights = np.ones(len(states.tokens), np.float32)
    with pytest.raises(InvalidSpecification, match="found 'mean' with weights"):
        pool(states, Pooling(), weights)
    with pytest.raises(InvalidSpecification, match="found 'weighted' without weights"):
        pool(states, Pooling(how="weighted"))
    for wrong in (-weights, weights * np.nan, weights * np.inf, weights[:-1]):
        with pytest.raises(InvalidSpecification, match=r"found \d weights from .* of 0 or more"):
            pool(states, Pooling(how="weighted"), wrong)
    with pytest.raises(InvalidSpecification, match="found weights that are 0"):
        pool(states, Pooling("token", "weighted"), 0 * weights)
    for change in ({"unit": "page"}, {"how": "min"}, {"combine": "mean"}, {"layers": ()}):
        with pytest.raises(InvalidSpecification, match="expected one"):
            Pooling(**change)


# --- isotropy


@pytest.fixture
def cone():
    """Vectors with a common mean, a few strong directions and one huge dimension."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(500, 12)) * np.geomspace(3, 0.3, 12)
    vectors[:, 5] += 20
    return (vectors + 1).astype(np.float32)


def test_maps_against_scikit_learn(cone):
    from sklearn.decomposition import PCA

    pca = PCA(svd_solver="full").fit(cone.astype(np.float64))
    scores = pca.transform(cone.astype(np.float64))
    np.testing.assert_allclose(centring(cone)(cone), cone - cone.mean(0), atol=1e-5)
    rest = scores[:, 3:] @ pca.components_[3:]
    np.testing.assert_allclose(all_but_the_top(cone, 3)(cone), rest, atol=1e-5)
    variances = pca.explained_variance_ * (len(cone) - 1) / len(cone)
    scaled = scores / np.sqrt(variances + 0.05 * variances.mean()) @ pca.components_
    np.testing.assert_allclose(whitening(cone, 0.05)(cone), scaled, atol=1e-5)
    np.testing.assert_array_equal(without_outliers(cone, 1)(cone), np.delete(cone, 5, axis=1))


def test_maps_keep_what_they_promise(cone):
    white = whitening(cone, 1e-9)(cone)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(12), atol=1e-4)
    np.testing.assert_array_equal(whitening(cone)(cone[:7]), whitening(cone)(cone)[:7])
    assert np.linalg.matrix_rank(all_but_the_top(cone, 4)(cone), tol=1e-3) == 8
    np.testing.assert_array_equal(all_but_the_top(cone, 0)(cone), centring(cone)(cone))
    with pytest.raises(InvalidSpecification, match="found vectors that are all the same"):
        whitening(np.ones((4, 3), np.float32))
    names = [centring(cone).name, all_but_the_top(cone, 2).name, without_outliers(cone, 1).name]
    assert names == ["centred", "all but the top 2", "without 1 outlier dimensions"]
    for wrong in (lambda: all_but_the_top(cone, 13), lambda: without_outliers(cone, 12)):
        with pytest.raises(InvalidSpecification, match=r"found 1\d to take away; expected 0 to"):
            wrong()
    with pytest.raises(InvalidSpecification, match="found ridge 0"):
        whitening(cone, 0.0)


def test_anisotropy(cone):
    from sklearn.metrics.pairwise import cosine_similarity

    few = cone[:60]
    exact = cosine_similarity(few.astype(np.float64))[~np.eye(60, dtype=bool)].mean()
    assert abs(anisotropy(few, 200_000) - exact) < 0.002
    assert anisotropy(few) == anisotropy(few)
    assert anisotropy(few) != anisotropy(few, seed=1)
    assert anisotropy(cone) > 0.9
    for opening in (centring(cone), all_but_the_top(cone, 1), whitening(cone)):
        assert abs(anisotropy(opening(cone))) < 0.03
    assert anisotropy(without_outliers(cone, 1)(cone)) < 0.6
    assert anisotropy(np.eye(2, dtype=np.float32)) == 0
    with pytest.raises(InvalidSpecification, match="found one vector"):
        anisotropy(cone[:1])


# --- context


def test_measures_of_context_against_scikit_learn(cone):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.metrics.pairwise import cosine_similarity

    few = cone[:20].astype(np.float64)
    cosines = cosine_similarity(few)
    pairs = cosines[np.triu_indices(20, 1)].mean()
    assert self_similarity(cone[:20]) == pytest.approx(pairs, abs=1e-6)
    to_mean = cosine_similarity(few, few.mean(0, keepdims=True)).mean()
    assert intra_sentence_similarity(cone[:20]) == pytest.approx(to_mean, abs=1e-6)
    svd = TruncatedSVD(1, algorithm="arpack").fit(few)
    share = svd.singular_values_[0] ** 2 / (few**2).sum()
    assert explainable_variance(cone[:20]) == pytest.approx(share, abs=1e-6)


@given(st.integers(2, 9), st.integers(0, 99))
def test_a_static_vector_is_fully_explained(count, seed):
    vector = np.random.default_rng(seed).normal(size=(1, 6)).astype(np.float32)
    scales = np.random.default_rng(seed + 1).uniform(0.5, 2, (count, 1)).astype(np.float32)
    for measure in (self_similarity, intra_sentence_similarity, explainable_variance):
        assert measure(vector * scales) == pytest.approx(1, abs=1e-5)


def test_context_grows_from_the_embeddings_on(readers):
    texts = [f" {text}" for text in TEXTS[:4]]  # what stands before a word is in its first token
    states = hidden_states(texts, readers["llama"])
    table = by_layer(states, contexts=2)
    assert list(table.index) == [0, 1, 2]
    assert table["self_similarity"][0] == pytest.approx(1, abs=1e-5)  # no positions there
    assert table["explainable"][0] == pytest.approx(1, abs=1e-5)
    assert (table["self_similarity"][1:] < 0.99).all()
    assert (table["explainable"] > table["explainable_by_chance"]).all()
    made = pool(states, Pooling("word", layers=(2,), skip_first=True))
    words = made.table["surface"].str.casefold()
    often = [word for word in set(words) if made.table["text"][words == word].nunique() >= 2]
    assert {"the", "a", "cat", "and", "moon"} >= set(often) >= {"the", "and"}
    means = [self_similarity(made.vectors[np.flatnonzero(words == word)]) for word in often]
    assert table["self_similarity"][2] == pytest.approx(np.mean(means), abs=1e-6)
    pd.testing.assert_frame_equal(table, by_layer(states, contexts=2))
    with pytest.raises(InvalidSpecification, match="found no word in 50 texts or more"):
        by_layer(states, contexts=50)
    with pytest.raises(Cancelled):
        by_layer(states, contexts=2, progress=stop_at(2))


# --- documents


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_windows_take_each_token_where_most_is_seen(length, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    for causal in (False, True):
        found = windows(length, room, overlap, causal)
        taken = [at for part in found for at in range(part.first, part.last)]
        assert taken == list(range(length))
        for left, right in pairwise(found):
            assert left.stop - right.start >= overlap
        for part in found:
            assert 0 <= part.start <= part.first < part.last <= part.stop <= length
            assert part.stop - part.start == min(room, length)
            for at in range(part.first, part.last):
                sides = [
                    at - it.start if causal else min(at - it.start, it.stop - 1 - at)
                    for it in found
                    if it.start <= at < it.stop
                ]
                own = at - part.start if causal else min(at - part.start, part.stop - 1 - at)
                assert own == max(sides)


def test_documents_that_fit_are_read_plainly(reader, tmp_path):
    for spec in (ReadSpec(), ReadSpec(special=True)):
        plain = hidden_states(TEXTS, reader, spec)
        whole = document_states(TEXTS, reader, spec)
        pd.testing.assert_frame_equal(plain.tokens, whole.tokens)
        for one, two in zip(plain.layers, whole.layers, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("overlap", [None, 0, 7, 15])
def test_each_token_comes_from_its_window(overlap, reader, tmp_path):
    texts = ["the cat", LONG, TEXTS[4] + " " + LONG]
    spec = ReadSpec(special=True)
    states = document_states(texts, reader, spec, size=20, overlap=overlap, folder=tmp_path / "d")
    tokens = states.tokens
    ids = reader.tokenizer(LONG)["input_ids"]
    own = tokens[tokens["text"] == 1]
    assert list(own["token"]) == reader.tokenizer.convert_ids_to_tokens(ids)
    assert own["special"].sum() == (reader.name == "tiny bert") * 2 + (reader.name == "tiny llama")
    lead, tail = {"bert": (1, 1), "gpt2": (0, 0), "llama": (1, 0)}[reader.name.split()[1]]
    inner = ids[lead : len(ids) - tail]
    room = 20 - lead - tail
    shared = room // 4 if overlap is None else overlap
    for number, part in enumerate(windows(len(inner), room, shared, reader.causal)):
        read = [*ids[:lead], *inner[part.start : part.stop], *ids[len(ids) - tail :]]
        rows = own.index[own["window"] == number]
        expected = alone(reader, read)[:, own["position"][rows]]
        found = np.stack([layer[rows] for layer in states.layers])
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert states.notes == hidden_states(["the cat"], reader).notes


def test_a_causal_model_sees_the_first_window_whole():
    reader = tiny("llama", places=200)
    plain = hidden_states([LONG], reader)
    parts = document_states([LONG], reader, size=40, overlap=20)
    for one, two in zip(plain.layers, parts.layers, strict=True):
        np.testing.assert_allclose(one[:39], two[:39], atol=2e-5)
    assert not np.allclose(plain.layers[-1][60:], parts.layers[-1][60:], atol=1e-2)


def test_signatures_of_documents(reader):
    texts = [LONG, "the cat", LONG[:200]]
    states = document_states(texts, reader)
    for spec in (Pooling(), Pooling(layers=(0, -1), combine="concatenate")):
        whole, parts = document_signatures(states, spec)
        np.testing.assert_allclose(whole, pool(states, spec).vectors, atol=1e-5)
        assert list(parts.table["text"]) == sorted(parts.table["text"])
        assert parts.table.groupby("text")["tokens"].sum().sum() == len(states.tokens)
        assert (parts.table.groupby("text")["window"].max() > 0).tolist() == [True, False, True]
    whole, parts = document_signatures(states, Pooling(how="max"))
    rows = np.flatnonzero(parts.table["text"] == 0)
    mean = np.average(parts.vectors[rows], axis=0, weights=parts.table["tokens"][rows])
    np.testing.assert_allclose(whole[0], mean, atol=1e-5)


def test_windows_out_of_range(readers):
    with pytest.raises(InvalidSpecification, match="found windows of 37 tokens; expected at most"):
        document_states(TEXTS, readers["bert"], size=37)
    with pytest.raises(InvalidSpecification, match="found windows of 2 tokens; expected 3 or more"):
        document_states(TEXTS, readers["bert"], size=2)
    with pytest.raises(InvalidSpecification, match="found an overlap of 8 tokens; expected 0 to 7"):
        document_states([LONG], readers["bert"], size=10, overlap=8)


# --- the packaged model


@pytest.mark.models
def test_minilm_states_are_its_own(tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    from core.teachers.minilm import MODEL, minilm_folder

    model = AutoModel.from_pretrained(str(minilm_folder())).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
    reader = Reader(model, tokenizer, "cpu", MODEL, budget=64)
    texts = [*TEXTS, "Paris is the capital of France.", "😀 שלום", "x", "!", "word " * 200]
    states = hidden_states(texts, reader, ReadSpec(special=True), folder=tmp_path / "minilm")
    assert (len(states.layers), states.layers[0].shape[1], reader.window) == (7, 384, 512)
    assert not states.causal
    for row, text in enumerate(texts):
        with torch.no_grad():
            own = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        expected = torch.stack(own.hidden_states)[:, 0].numpy()
        np.testing.assert_allclose(stacked(states, row), expected, atol=1e-4)
    mean = pool(states, Pooling(special=True)).vectors
    unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    rival = SentenceTransformer(str(minilm_folder()), device="cpu").encode(texts)
    np.testing.assert_allclose(unit, rival, atol=1e-5)
