"""Other scripts: a tiny multilingual teacher end to end, and the rows of other scripts in tables.

    python -m benchmarks.languages

The multilingual teacher is a BERT of two layers with random weights, built here from a config,
with a WordPiece of single characters of seven scripts, saved to disk and read back by ``path:``.
Its vectors mean nothing; what is shown is that every room between the file and the student takes
the scripts, and how true the students are to this teacher. The tables are real: MiniLM's pieces
and GloVe's 30,000 most frequent words, by script.
"""

import argparse
import json
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.workspace import Workspace
from core.spaces.space import Provenance, Space
from core.store.disk import default_workspace
from core.students.encoders.training_texts import held_out
from core.students.families.encoder import EncoderSpec
from core.students.families.speller import SpellerSpec
from core.students.families.transform import TransformSpec
from core.students.registry import fit, load
from core.students.storage import save, size_bytes
from core.teachers.encoder import load_encoder

WORDS = {
    "Latin": "water fire earth moon sun house bread salt river stone eau feu terre lune soleil "
    "maison pain sel rivière pierre agua fuego tierra luna casa sal río piedra Wasser Feuer Erde "
    "Mond Sonne Haus Brot Salz Fluss Stein su ateş toprak ay güneş ev ekmek tuz nehir taş",
    "Cyrillic": "вода огонь земля луна солнце дом хлеб соль река камень вогонь місяць сонце хліб "
    "сіль річка камінь небо море лес дорога окно рука глаз день ночь зима лето",
    "Greek": "νερό φωτιά γη φεγγάρι ήλιος σπίτι ψωμί αλάτι ποτάμι πέτρα ουρανός θάλασσα δάσος "
    "δρόμος παράθυρο χέρι μάτι ημέρα νύχτα χειμώνας",
    "Arabic": "ماء نار أرض قمر شمس بيت خبز ملح نهر حجر سماء بحر غابة طريق نافذة يد عين يوم ليل "
    "شتاء",
    "Devanagari": "पानी आग धरती चाँद सूरज घर रोटी नमक नदी पत्थर आकाश समुद्र जंगल रास्ता खिड़की हाथ आँख दिन "
    "रात सर्दी",
    "Hangul": "물 불 땅 달 해 집 빵 소금 강 돌 하늘 바다 숲 길 창문 손 눈 낮 밤 겨울",
    "Han": "水 火 地 月 日 家 包 盐 河 石 天空 大海 森林 道路 窗户 手 眼睛 白天 夜晚 冬天",
}
SENTENCES = 300
SEED = 0


def main() -> None:
    """Measure and write benchmarks/results/languages.json."""
    parser = argparse.ArgumentParser(description="students and scripts")
    parser.parse_args()
    workspace = Workspace(default_workspace())
    found: dict[str, Any] = {"tables": [], "tiny_teacher": {}}
    for teacher, size in (("minilm:tokens", 64.0), ("glove:30000", 24.0)):
        found["tables"].append(by_script(workspace.space(teacher), size))
    with tempfile.TemporaryDirectory() as folder:
        where = save_teacher(Path(folder) / "multilingual")
        found["tiny_teacher"] = end_to_end(where, Path(folder))
    record("languages", this_command(), found)


def script_of(text: str) -> str:
    """The script of a text by its first letter outside ASCII: LATIN, CYRILLIC, CJK, ...

    >>> script_of("dog"), script_of("##ção"), script_of("мир"), script_of("1980")
    ('ASCII', 'LATIN', 'CYRILLIC', 'ASCII')
    """
    for letter in text:
        if not letter.isascii() and letter.isalpha():
            return unicodedata.name(letter, "OTHER").split()[0].split("-")[0]
    return "ASCII" if text.isascii() else "SIGNS"


def by_script(space: Space, size: float) -> dict[str, Any]:
    """Fidelity of one general table student, and of a speller, for the rows of each script."""
    student = fit(space, TransformSpec(bytes_per_item=size))
    made = student.generate(space.texts)
    scripts = np.array([script_of(text) for text in space.texts])
    rows = []
    for script in sorted(set(scripts), key=lambda it: -(scripts == it).sum()):
        chosen = scripts == script
        if chosen.sum() >= 20:
            rows.append({"script": script, **_fidelity(space.vectors[chosen], made[chosen])})
    return {"teacher": space.name, "bytes_per_item": size, "family": "transform", "scripts": rows}


def save_teacher(where: Path) -> Path:
    """A random BERT over single characters of all the words above, as ``path:`` reads it."""
    import torch
    import transformers as tf
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = sorted({it for words in WORDS.values() for it in words.lower() if it != " "})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*special, *letters, *(f"##{it}" for it in letters)]
    vocabulary = {piece: row for row, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    tf.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, sep_token="[SEP]", **names
    ).save_pretrained(where)
    config = tf.BertConfig(
        vocab_size=len(pieces),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = tf.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        model.save_pretrained(where)
    return where


def end_to_end(where: Path, folder: Path) -> dict[str, Any]:
    """``path:DIR`` as a teacher; students of three families fitted, saved, read and asked."""
    tokens = Workspace(folder / "workspace").space(f"path:{where}")
    encoder = load_encoder(where, "multilingual", "float32")
    texts = _texts()
    texts_space = Space.create(
        texts, encoder.encode(texts), Provenance("texts", "multilingual", pooling="mean")
    )
    out = held_out(texts_space, 0.1, SEED)
    cases = (
        ("transform", tokens, TransformSpec(bytes_per_item=64.0), np.arange(len(tokens))),
        ("speller", texts_space, SpellerSpec(bytes_per_item=300.0, held_out=0.1, quick=True), out),
        ("encoder", texts_space, EncoderSpec(bytes_per_item=150.0, held_out=0.1, quick=True), out),
    )
    found: dict[str, Any] = {"pieces": len(tokens), "texts": len(texts), "scripts": len(WORDS)}
    for name, space, spec, rows in cases:
        with Stopwatch() as watch:
            save(fit(space, spec, model=where), folder / name)
        student = load(folder / name)
        made = student.generate([space.texts[row] for row in rows])
        scripts = [script_of(space.texts[row]) for row in rows]
        kept = np.setdiff1d(np.arange(len(space)), rows) if name != "transform" else rows
        mean = np.broadcast_to(space.vectors[kept].mean(0), made.shape)
        found[name] = {
            "seconds": round(watch.seconds, 1),
            "bytes_total": size_bytes(student),
            "asked": "rows it stores" if name == "transform" else "held-out texts",
            **_fidelity(space.vectors[rows], made),
            "error_of_the_mean": _fidelity(space.vectors[rows], mean)["relative_error"],
            "cosine_by_script": {
                script: _fidelity(
                    space.vectors[rows][[it == script for it in scripts]],
                    made[[it == script for it in scripts]],
                )["cosine"]
                for script in sorted(set(scripts))
            },
        }
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def _texts() -> list[str]:
    """The words, and sentences strung together within one script each."""
    generator = np.random.default_rng(SEED)
    texts = [word for words in WORDS.values() for word in words.split()]
    lists = [words.split() for words in WORDS.values()]
    for number in range(SENTENCES):
        words = lists[number % len(lists)]
        texts.append(" ".join(generator.choice(words, int(generator.integers(3, 8)))))
    return list(dict.fromkeys(texts))


def _fidelity(true: npt.NDArray[Any], made: npt.NDArray[Any]) -> dict[str, Any]:
    error = ((made - true) ** 2).sum() / max(float(((true - true.mean(0)) ** 2).sum()), 1e-12)
    lengths = np.linalg.norm(true, axis=1) * np.linalg.norm(made, axis=1)
    cosine = float(((true * made).sum(1) / np.maximum(lengths, 1e-12)).mean())
    return {
        "items": len(true),
        "relative_error": round(float(error), 4),
        "cosine": round(cosine, 4),
    }


if __name__ == "__main__":
    main()
