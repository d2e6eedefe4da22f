"""Attention against the model's own, rollout against plain loops, and what tokens receive."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_states import KINDS, LONG, TEXTS, tiny

from core.errors import Cancelled, InvalidSpecification, UnknownItem, Unsupported
from core.signatures.attention import attention, received, rollout
from core.signatures.documents import document_states
from core.signatures.hidden import Reader, ReadSpec
from core.signatures.pooling import Pooling, pool


@pytest.fixture(scope="module")
def readers():
    return {kind: tiny(kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def reader(request, readers):
    return readers[request.param]


def own(reader, ids):
    """The oracle (layers, heads, t, t): a whole second model in float64, one text, no mask."""
    import torch

    second = copy.deepcopy(reader.model).double()
    second.set_attn_implementation("eager")
    with torch.no_grad():
        out = second(input_ids=torch.tensor([ids]), output_attentions=True)
    return torch.stack(out.attentions)[:, 0].numpy()


def rolled(weights):
    """The oracle of rollout: element by element, from the paper's equation."""
    layers, count, _ = weights.shape
    found = []
    for layer in range(layers):
        mixed = np.zeros((count, count))
        for row in range(count):
            for column in range(count):
                mixed[row, column] = 0.5 * weights[layer, row, column] + 0.5 * (row == column)
            mixed[row] /= sum(mixed[row])
        if found:
            product = np.zeros((count, count))
            for row in range(count):
                for through in range(count):
                    product[row] += mixed[row, through] * found[-1][through]
            mixed = product
        found.append(mixed)
    return np.array(found)


def random_attention(seed, layers, count):
    raw = np.random.default_rng(seed).exponential(size=(layers, count, count))
    return (raw / raw.sum(axis=-1, keepdims=True)).astype(np.float32)


class TestAttention:
    @pytest.mark.parametrize("text", TEXTS)
    def test_it_is_the_models_own_averaged_over_heads(self, reader, text):
        ids = reader.tokenizer(text)["input_ids"]
        found = attention(text, reader)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, own(reader, ids).mean(axis=1), atol=1e-5)
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
        if reader.causal:
            assert not np.triu(found, 1).any()

    def test_the_model_stays_as_it_was(self, reader):
        before = reader.model.config._attn_implementation
        addresses = [it.data_ptr() for it in reader.model.parameters()]
        attention(TEXTS[0], reader)
        assert reader.model.config._attn_implementation == before
        assert all(
            module.config._attn_implementation == before
            for module in reader.model.modules()
            if hasattr(module, "config")
        )
        assert [it.data_ptr() for it in reader.model.parameters()] == addresses

    def test_a_text_that_is_too_long_and_one_without_tokens(self, reader):
        with pytest.raises(InvalidSpecification, match="reads at once: take a shorter text"):
            attention(LONG, reader)
        with pytest.raises(UnknownItem):
            attention("  ", reader)

    def test_a_model_that_gives_no_attention(self, readers):
        import torch
        import transformers as tf

        with torch.random.fork_rng():
            config = tf.MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=2)
            model = tf.AutoModel.from_config(config)
        mute = Reader(model, readers["bert"].tokenizer, "cpu", "tiny mamba")
        with pytest.raises(Unsupported, match="does not tell where its tokens look"):
            attention("the cat", mute)


class TestRollout:
    @given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6))
    def test_it_is_the_papers_equation(self, seed, layers, count):
        weights = random_attention(seed, layers, count)
        found = rollout(weights)
        np.testing.assert_allclose(found, rolled(weights.astype(np.float64)), atol=1e-6)
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)

    def test_what_a_causal_token_cannot_see_has_no_share(self, readers):
        found = rollout(attention(TEXTS[1], readers["llama"]))
        assert not np.triu(found, 1).any()
        assert (np.diagonal(found, axis1=1, axis2=2) >= 0.5 ** np.arange(1, 3)[:, None]).all()

    def test_a_token_that_looks_only_at_itself_keeps_all(self):
        own = np.broadcast_to(np.eye(3, dtype=np.float32), (4, 3, 3))
        np.testing.assert_allclose(rollout(own), own)


class TestReceived:
    @pytest.mark.parametrize("special", [False, True])
    def test_it_is_the_mean_over_layers_heads_and_who_can_see(self, reader, special):
        found = received(TEXTS, reader, special=special)
        states = document_states(TEXTS, reader, ReadSpec(special=special))
        assert len(found) == len(states.tokens)
        for row, text in enumerate(TEXTS):
            whole = own(reader, reader.tokenizer(text)["input_ids"])
            count = whole.shape[-1]
            seen = np.tri(count) if reader.causal else np.ones((count, count))
            mean = whole.mean(axis=(0, 1)).sum(axis=0) / seen.sum(axis=0)
            mine = states.tokens[states.tokens["text"] == row]
            np.testing.assert_allclose(found[mine.index], mean[mine["position"]], atol=1e-5)

    def test_documents_in_windows_have_a_weight_a_token(self, reader):
        told = {"size": 12, "overlap": 4}
        found = received([LONG, TEXTS[0]], reader, **told)
        states = document_states([LONG, TEXTS[0]], reader, **told)
        assert states.tokens["window"].max() > 1
        assert found.shape == (len(states.tokens),)
        assert (found > 0).all()

    def test_it_pools(self, reader):
        weights = received(TEXTS, reader)
        states = document_states(TEXTS, reader)
        pooled = pool(states, Pooling(how="weighted"), weights).vectors
        mine = states.tokens["text"].to_numpy() == 1
        mean = np.average(states.layers[-1][mine], axis=0, weights=weights[mine])
        np.testing.assert_allclose(pooled[1], mean, atol=1e-5)

    def test_it_can_be_stopped(self, reader):
        with pytest.raises(Cancelled):
            received(TEXTS, reader, progress=lambda done, total, message: False)
