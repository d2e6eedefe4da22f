"""Texts that tokenizers end, models that read only so much, and layers of every model."""

import numpy as np
import pytest
import torch

from benchmarks.tiny_models import ARCHITECTURES, Architecture, build
from benchmarks.tiny_tokenizers import byte_level
from core.context_length import context_length
from core.decode.language_model import LanguageModel
from core.decode.patchscopes import DESCRIBING, Patchscope, concepts
from core.decode.sampling import Sampling
from core.decode.steering import mean_states
from core.errors import InvalidSpecification, Unsupported
from core.models.prompt import framed
from core.pipeline.paths.interpolation import between
from core.pipeline.trajectories.next_tokens import spreads
from core.pipeline.trajectories.shapes import word_states
from core.teachers.registry import resolve

PROMPT = "the dog sat on the"
TEMPLATES = {"plain": "", "ended": "$A <end>", "begun": "<end> $A", "framed": "<end> $A <end>"}


def gpt2(template="", window=128):
    """The same weights whatever the tokenizer puts around a text."""
    kind = ARCHITECTURES["GPT-2"]
    config = {**kind.config, "n_positions": window}
    return build(Architecture(kind.model, lambda: byte_level(template=template), config))


@pytest.fixture(scope="module")
def speakers():
    return {
        kind: LanguageModel(*gpt2(template), "cpu", kind) for kind, template in TEMPLATES.items()
    }


@pytest.mark.parametrize(("with_end", "without"), [("ended", "plain"), ("framed", "begun")])
def test_a_prompt_goes_on_before_the_end_that_a_tokenizer_writes(with_end, without, speakers):
    ended, plain = speakers[with_end], speakers[without]
    assert ended.ids(PROMPT) == plain.ids(PROMPT)
    sampling = Sampling(steps=6)
    told = [
        [int(step.ids[0]) for step in lm.write(lm.ids(PROMPT), sampling)] for lm in (ended, plain)
    ]
    ids = torch.tensor([plain.ids(PROMPT)])
    expected = plain.model.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
    assert told[0] == told[1] == expected.tolist()
    with torch.no_grad():
        logits = plain.model(ids).logits[0, -1]
    for lm in (ended, plain):
        [fan] = spreads(lm, lm.ids(PROMPT), 3, 1)
        assert fan.ids.tolist() == logits.topk(3).indices.tolist()
    assert ended.pieces(range(200)) == plain.pieces(range(200))
    for one, other in zip(
        (concepts(ended, ["ocean"], [1])[0].states, mean_states(ended, [PROMPT], [1])[1]),
        (concepts(plain, ["ocean"], [1])[0].states, mean_states(plain, [PROMPT], [1])[1]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        word_states(ended, ["moon"], ["the {}"])[1], word_states(plain, ["moon"], ["the {}"])[1]
    )


def test_what_is_typed_is_the_texts_own_even_a_special_token(speakers):
    assert framed(speakers["framed"].tokenizer, "the<end>").own[-1] == 0
    assert framed(speakers["framed"].tokenizer, "").own == []
    begun = speakers["begun"]
    assert begun.own_text(begun.ids(PROMPT)) == PROMPT
    assert begun.inner_ids(" dog") == speakers["plain"].inner_ids(" dog")


def saved(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"path:{folder}"


HEADLESS = {
    "BERT": ARCHITECTURES["BERT"],
    "RoBERTa": ARCHITECTURES["RoBERTa"],
    "T5 encoder": ARCHITECTURES["T5 encoder"],
    "GPT-2": ARCHITECTURES["GPT-2"]._replace(model="GPT2Model"),
    "GPT-2, ended": ARCHITECTURES["GPT-2"]._replace(
        model="GPT2Model", tokenizer=lambda: byte_level(template="$A <end>")
    ),
}


@pytest.mark.parametrize("kind", HEADLESS)
def test_layers_of_models_without_a_head_are_the_last_real_tokens_states(kind, tmp_path):
    model, tokenizer = build(HEADLESS[kind])
    reference = saved(tmp_path, model, tokenizer)
    texts = ["the dog", "the money in the bank of the river", "ocean sat"]
    for layer in (0, 1, 2):
        told = resolve(f"{reference}:layer{layer}").encode(texts)
        for text, vector in zip(texts, told, strict=True):
            ids = tokenizer(text)["input_ids"]
            with torch.no_grad():
                out = model(torch.tensor([ids]), output_hidden_states=True)
            at = len(ids) - 1 if kind == "GPT-2" else len(ids) - 2
            np.testing.assert_allclose(vector, out.hidden_states[layer][0, at], atol=2e-6)


def test_the_items_of_an_encoders_layer_are_the_texts_own_tokens(tmp_path, monkeypatch):
    passages = (("one", "the dog sat on the mat"), ("two", "money in the bank " * 20))
    monkeypatch.setattr("core.teachers.layer_states.passages", lambda: passages)
    model, tokenizer = build(ARCHITECTURES["BERT"])
    space = resolve(f"{saved(tmp_path, model, tokenizer)}:layer1").space()
    assert list(space.texts[:6]) == ["the", "dog", "sat", "on", "the", "mat"]
    assert len(space) == 6 + 64 - 2  # the second is cut so that both ends fit into 64 places
    with torch.no_grad():
        out = model(**tokenizer(passages[0][1], return_tensors="pt"), output_hidden_states=True)
    np.testing.assert_allclose(space.vectors[:6], out.hidden_states[1][0, 1:-1], atol=2e-6)


@pytest.mark.parametrize(("length", "steps"), [(12, 5), (16, 2)])
def test_nothing_is_read_past_the_places(length, steps):
    lm = LanguageModel(*gpt2(window=16), "cpu", "short")
    ids = [3] * length
    if length + steps - 1 <= 16:  # the last one is written, not read
        assert len(list(lm.write(ids, Sampling(steps=steps)))) == steps
    for prompt in (ids, lm.model.transformer.wte(torch.tensor(ids)).detach()):
        with pytest.raises(InvalidSpecification, match=r"expected at most 16 together"):
            next(lm.write(prompt, Sampling(steps=18 - length)))
    read = lm.run([[3] * 16], cached=True)
    with pytest.raises(InvalidSpecification, match=r"found a prompt of 17 tokens"):
        lm.run([[3]], cache=read.cache)
    with pytest.raises(InvalidSpecification, match=r"found a prompt of 17 tokens"):
        lm.run([[3] * 17])


def test_between_fits_its_descriptions_into_the_places_that_are_left(tmp_path):
    model, words = gpt2()
    needed = len(words(DESCRIBING)["input_ids"])
    for spare in (0, 3):
        model, words = gpt2(window=needed + spare)
        reference = saved(tmp_path / str(spare), model, words)
        way = between(reference, "ocean", "moon", 1, 3)
        lm = LanguageModel(model, words, "cpu", "it")
        scope = Patchscope(lm, DESCRIBING)
        assert len(way.descriptions) == 3
        assert list(way.descriptions) == scope.write(_points(lm, way), 1, 14)
    model, words = gpt2(window=needed - 1)
    with pytest.raises(Unsupported, match="expected room for the prompt"):
        between(saved(tmp_path / "none", model, words), "ocean", "moon", 1, 3)


def _points(lm, way):
    ends = [it.states[0].astype(np.float64) for it in concepts(lm, way.ends, [1])]
    points = np.stack([ends[0] + t * (ends[1] - ends[0]) for t in np.linspace(0, 1, 3)])
    return points.astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("RoBERTa", 62),
        ("MPNet", 62),
        ("XLNet", 1_000_000),
        ("GPT-2", 64),
        ("T5 encoder", 1_000_000),
        ("CLIP", 32),
        ("Gemma 3, multimodal", 64),
        ("RWKV", 64),
    ],
)
def test_how_many_tokens_a_model_reads_at_once(kind, expected):
    assert context_length(*build(ARCHITECTURES[kind])) == expected
