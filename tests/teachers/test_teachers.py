"""Teachers: references, tables, texts, and what is said when something is not there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import WORDS, save_model

from core.errors import (
    InvalidVectors,
    TeacherUnavailable,
    UnknownItem,
    UnknownTeacher,
    UnreadableFile,
    Unsupported,
)
from core.models.word_marks import readings
from core.pipeline.models import identity, speaker_identity
from core.spaces.lexicon import category_of, frequency_rank, word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import Teacher
from core.teachers.corpus import HOLE, corpus_sentences, plain, sentences_of
from core.teachers.encoded_texts import common_words
from core.teachers.hub import source_of
from core.teachers.lookup import represent_in_table, similar
from core.teachers.registry import known, resolve

LONG = "a" * 100_000


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("teachers")
    return {kind: save_model(root / kind, kind) for kind in ("bert", "gpt2", "llama")}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("minilm:token", "did you mean minilm:tokens"),
        ("Glove", "found the teacher 'Glove'; expected one of minilm:tokens.*did you mean glove"),
        ("", "found the teacher ''; .*try minilm:tokens"),
        ("glove:7", "found glove:7; expected a number from 100 to 400000"),
        ("glove:99999999999999", "expected a number from 100 to 400000"),
        ("hub:nothing", "found hub:nothing; expected hub:ORG/NAME"),
        ("hub:../x", "expected hub:ORG/NAME"),
        ("hub:../../etc/passwd@x y", "expected hub:ORG/NAME"),
        (LONG, r"found the teacher 'aaa.*\(100000 characters\); expected"),
    ],
)
def test_unknown_teachers(reference, message):
    with pytest.raises(UnknownTeacher, match=message) as caught:
        resolve(reference)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_known_teachers_resolve_and_load_nothing():
    for info in known():
        teacher = resolve(info.reference)
        assert isinstance(teacher, Teacher)
        assert teacher.info == info
        assert teacher.fingerprint() == resolve(info.reference).fingerprint()
        assert info.size_bytes == info.items * info.dim * 4
    assert len({resolve(info.reference).fingerprint() for info in known()}) == len(known())


def test_tokens_need_no_torch():
    """The first picture is painted before torch is there, so nothing here may import it."""
    code = (
        "import sys; from core.teachers.registry import resolve; t = resolve('minilm:tokens');"
        "t.space(); t.represent('embeddings'); resolve('glove:1000').space();"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'gensim')))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_minilm_tokens():
    teacher = resolve("minilm:tokens")
    space = teacher.space()
    assert (len(space), space.dim) == (teacher.info.items, teacher.info.dim) == (28_594, 384)
    assert not {"[CLS]", "[PAD]", "[unused5]", "##中"} & set(space.texts)
    assert {"dog", "##ing", "中", "!", "["} <= set(space.texts)
    kinds = dict(zip(space.texts, space.metadata["kind"], strict=True))
    assert (kinds["dog"], kinds["##ing"], kinds["##s"]) == ("word", "piece", "piece")
    row = space.metadata.iloc[space.find("dog")]
    assert (row["category"], row["part_of_speech"]) == ("noun.animal", "noun")
    assert space.metadata["frequency_rank"][space.find("the")] == 0
    assert space.metadata["frequency_rank"][space.find("##ing")] == -1


def test_minilm_tokens_is_the_models_table():
    from safetensors.numpy import load_file

    from core.teachers.minilm import TABLE, minilm_folder

    table = load_file(minilm_folder() / "model.safetensors")[TABLE]
    names = (minilm_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n")
    space = resolve("minilm:tokens").space()
    for text in ("dog", "##ing", "~"):
        np.testing.assert_array_equal(space.vectors[space.find(text)], table[names.index(text)])


def test_typed_text_in_minilm_tokens():
    teacher = resolve("minilm:tokens")
    space = teacher.space()
    vector, how = teacher.represent("embedding")
    assert how == "mean of 3 pieces: em ##bed ##ding"
    rows = [space.find(piece) for piece in ("em", "##bed", "##ding")]
    np.testing.assert_allclose(vector, space.vectors[rows].mean(0, dtype=np.float64), rtol=1e-6)
    assert teacher.represent("Dog")[1] == "the row of 'dog'"
    assert teacher.represent("dog")[1] == "its own row"
    assert teacher.represent("<img onerror>")[1].startswith("mean of 7 pieces: < im")
    assert teacher.represent("שלום")[1].startswith("mean of 4 pieces")
    assert "and 992 more" in teacher.represent("hello " * 20_000)[1]
    assert teacher.represent("moon 😀")[1] == "mean of 1 piece: moon; 1 not readable"
    for text in ("😀", LONG):
        with pytest.raises(UnknownItem, match="which minilm:tokens does not hold"):
            teacher.represent(text)
    with pytest.raises(UnknownItem, match="found an empty text"):
        teacher.represent("  ")
    with pytest.raises(Unsupported, match="found minilm:tokens, a table of vectors"):
        teacher.encode(["dog"])


def test_glove_words():
    teacher = resolve("glove:2000")
    space = teacher.space()
    assert (len(space), space.dim, space.texts[0]) == (2000, 50, "the")
    assert list(space.metadata["frequency_rank"]) == list(range(2000))
    vector, how = teacher.represent("New York qqqx")
    assert how == "mean of 2 words: New York; not known: qqqx"
    rows = [space.find("new"), space.find("york")]
    np.testing.assert_allclose(vector, space.vectors[rows].mean(0, dtype=np.float64), rtol=1e-6)
    with pytest.raises(UnknownItem, match=r"found 'presidnt', which glove:2000.*try 'president'"):
        teacher.represent("presidnt")
    for text in ("😀", "שלום", "<img onerror>", LONG):
        with pytest.raises(UnknownItem, match=r"does not hold; expected one of its 2,000 items"):
            teacher.represent(text)


def test_similar_spellings_are_quick_and_near():
    words = [f"word{row}" for row in range(20_000)]
    space = Space.create(words, np.ones((20_000, 1)), Provenance("t", "t"))
    assert "word77" in similar(space, "wrd77")
    assert similar(space, LONG) == []
    vector, how = represent_in_table(space, "Word5 word7")
    assert how == "mean of 2 words: Word5 word7"
    assert vector.shape == (1,)


def test_vectors_file(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("cat 1 0\n<img 0 1\n😀 1 1\n", encoding="utf-8")
    teacher = resolve(f"vectors:{path}")
    space = teacher.space()
    assert space.texts == ("cat", "<img", "😀")
    assert space.provenance.revision == teacher.digest
    assert list(space.metadata["category"]) == ["noun.animal", "", ""]
    assert teacher.represent("Cat")[1] == "the row of 'cat'"
    before = teacher.fingerprint()
    path.write_text("cat 1 2\n", encoding="utf-8")
    assert resolve(f"vectors:{path}").fingerprint() != before
    path.write_text("cat 1 nan\ndog 1 2\n", encoding="utf-8")
    with pytest.raises(InvalidVectors, match=r"found NaN or infinity in row 0 \('cat'\)"):
        resolve(f"vectors:{path}").space()
    with pytest.raises(UnreadableFile, match="found no file"):
        resolve("vectors:/no/such/file.txt")


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_a_models_table(kind, tiny):
    import torch
    from transformers import AutoModel

    teacher = resolve(f"path:{tiny[kind]}")
    space = teacher.space()
    assert teacher.info.reference == f"path:{tiny[kind]}:tokens"
    assert (teacher.info.dim, teacher.info.can) == (16, ("rows",))
    assert set(WORDS) <= set(space.texts)
    assert not {"[UNK]", "[unused0]"} & set(space.texts)
    table = AutoModel.from_pretrained(tiny[kind]).get_input_embeddings().weight
    with torch.no_grad():
        np.testing.assert_array_equal(
            space.vectors[space.find("cat")], table[4 + WORDS.index("cat")].numpy()
        )
    vector, how = teacher.represent("cat dogs")
    assert how == "mean of 3 pieces: cat dog ##s"
    assert vector.shape == (16,)
    with pytest.raises(UnknownItem, match="does not hold"):
        teacher.represent("😀")


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_models_words(kind, tiny, monkeypatch):
    monkeypatch.setattr("core.teachers.encoded_texts.WORDS", 50)
    teacher = resolve(f"path:{tiny[kind]}:words")
    seen = []
    space = teacher.space(lambda done, total, message: bool(seen.append(done)) or True)
    assert (len(space), space.dim) == (50, 16)
    assert seen[-1] == 50
    assert space.provenance.corpus == common_words().digest
    vector, how = teacher.represent(space.texts[7])
    np.testing.assert_allclose(vector, space.vectors[7], atol=1e-5)
    assert how == "encoded"
    assert "of 3,000 tokens" in teacher.represent("cat sea " * 1500)[1] or kind == "bert"
    with pytest.raises(UnknownItem, match="found an empty text"):
        teacher.represent(" ")


def test_other_weights_other_fingerprint(tiny, tmp_path):
    import shutil

    copy = shutil.copytree(tiny["bert"], tmp_path / "bert")
    before = resolve(f"path:{copy}").fingerprint()
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert resolve(f"path:{copy}").fingerprint() != before


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(TeacherUnavailable, match="found no folder /no/such; expected a model's"):
        resolve("path:/no/such")
    with pytest.raises(TeacherUnavailable, match=r"found no config.json"):
        resolve(f"path:{tmp_path}:words")


def test_the_hub_without_network(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    teacher = resolve("hub:nobody/no-such-model@main")
    assert teacher.info.items == 0
    with pytest.raises(TeacherUnavailable, match="found no connection to the hub for nobody/no-s"):
        teacher.space()


def test_what_was_kept_of_a_commit_that_was_read_otherwise_is_left(monkeypatch, tmp_path):
    commit = "0123456789abcdef" * 2 + "01234567"
    copy = tmp_path / "models--nobody--tiny" / "snapshots" / commit
    copy.mkdir(parents=True)
    (copy / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}', encoding="utf-8")
    (copy / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    reference = f"hub:nobody/tiny@{commit}"
    source = source_of("hub", reference.removeprefix("hub:"))
    assert source.revision == commit
    assert source.version != commit
    kinds = (reference, f"{reference}:words", f"{reference}:layer1")
    spaces = [resolve(kind).fingerprint() for kind in kinds]
    for said in (identity(reference), speaker_identity(reference), *spaces):
        assert source.version in said


def test_byte_pairs_are_shown_as_words_and_pieces():
    from tiny_causal import tokenizer

    tokens = ["Ġdog", "ing", "Ã", "Ġ"]
    assert readings(tokens, tokenizer()) == [
        ("dog", "word"),
        ("##ing", "piece"),
        ("Ã", "piece"),
        ("Ġ", "piece"),
    ]


def test_lexicon():
    assert category_of(["Dog", "walk", "zzzz", ""]) == ["noun.animal", "verb.motion", "", ""]
    parts = word_table(["beautiful", "quickly", "the"])["part_of_speech"]
    assert list(parts) == ["adjective", "adverb", ""]
    assert frequency_rank(["the", ",", "zzzzzzzzz"]) == [0, 1, -1]


def test_common_words():
    words = common_words()
    assert len(words.texts) == 20_000 == len(set(words.texts))
    assert {"the", "dog", "king", "ocean", "justice", "table"} <= set(words.texts)
    assert all(word.isalpha() and len(word) > 1 for word in words.texts)


def test_wikitext_becomes_prose():
    text = (
        "{{Infobox|a={{b}}}}\n'''Cats''' are [[animal|animals]] that ''purr'' loudly.<ref>x</ref> "
        "They weigh {{convert|4|kg}} when they are grown up.\n* a list item that is no sentence.\n"
        "[[File:cat.jpg|thumb|A [[cat]] sits here on the mat.]]\n== Heading ==\n"
        "The number <math>x^2</math> is here for a test. "
        "Dr. Smith met J. R. Jones in the U.S. Army."
    )
    assert HOLE in plain(text)
    assert list(sentences_of(plain(text))) == [
        "Cats are animals that purr loudly.",
        "Dr. Smith met J. R. Jones in the U.S. Army.",
    ]


@pytest.mark.models
def test_the_corpus_reads_as_sentences():
    sentences = corpus_sentences()
    assert len(sentences) == resolve("minilm:sentences").info.items >= 10_000
    assert len({sentence.text.casefold() for sentence in sentences}) == len(sentences)
    assert {"Albert Einstein", "Abraham Lincoln"} <= {it.document for it in sentences}
    assert {it.source for it in sentences} == {"news", "wikipedia"}
    joined = "".join(it.text for it in sentences)
    assert not any(mark in joined for mark in ("[[", "{{", "<ref", "''", "http", "|", HOLE))
