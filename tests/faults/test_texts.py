"""Texts of every script: words, forms that look alike, lines; and cells that would be run."""

import ast
import csv
import io
import unicodedata
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.layers import _lines
from core.errors import UnknownItem
from core.resources import site_root
from core.spaces.keywords import class_keywords
from core.spaces.lemmas import lemma_groups, whole_words
from core.spaces.lexicon import frequency_rank
from core.spaces.space import Provenance, Space
from core.spaces.words import clusters, folded, inside_word, is_word, lines_of, terms, words
from core.students.subwords.ngrams import gram_hashes
from core.teachers.lookup import represent_in_table
from core.teachers.word_vectors import VectorsFile
from core.ui.shared.downloads import safe_csv

NFD = "NFD"
SENTENCES = {
    "Hindi": "नमस्ते दुनिया, हिन्दी!",
    "Tamil": "சென்னை ஒரு பெரிய நகரம்",
    "Arabic with vowel signs": "مُحَمَّدٌ كِتَابٌ جَدِيدٌ",
    "Hebrew with niqqud": "שָׁלוֹם עוֹלָם",
    "Vietnamese, decomposed": unicodedata.normalize(NFD, "Việt được nước"),
    "German, decomposed": unicodedata.normalize(NFD, "über die Brücke"),
    "Korean, decomposed": unicodedata.normalize(NFD, "한국어 사랑"),
    "Persian with a joiner": "می\u200cخواهم بروم",
    "emoji": "cats ❤️ 👨\u200d👩\u200d👧 👍🏽 🇩🇪",
}


def demo(texts: list[str], **more: Any) -> Space:
    vectors = np.eye(len(texts), dtype=np.float32)
    return Space.create(texts, vectors, Provenance("demo", "by hand"), **more)


def test_signs_inside_an_item_do_not_part_it() -> None:
    space = demo(["u.s.", "c++", "བོད་ཡིག", "u", "s", "c", "economy", ",", "dog"])

    def rows(text: str) -> list[int]:
        return np.flatnonzero(represent_in_table(space, text)[0]).tolist()

    assert rows("U.S. economy") == [0, 6]
    assert rows("dog, c++") == [1, 8]
    assert rows("བོད་ཡིག economy") == [2, 6]
    assert rows("dog , u/s") == [3, 4, 8]  # a sign by itself is no word


@pytest.mark.parametrize("text", SENTENCES.values(), ids=SENTENCES)
def test_a_word_of_any_script_is_one_word(text: str) -> None:
    wanted = [part.strip(",!") for part in text.split()]  # these scripts write spaces
    assert words(text) == wanted
    space = demo(wanted)
    vector, how = represent_in_table(space, text)
    assert np.allclose(vector, 1 / len(wanted))
    assert "not known" not in how


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("don't, well-known l’été", ["don't", "well-known", "l’été"]),
        ('צה"ל "x"', ['צה"ל', "x"]),
        ("col·legi -- 'quoted'", ["col·legi", "quoted"]),
        ("a_b 3.14 ©2020", ["a", "b", "3", "14", "2020"]),
        ("हि\u0902दी", ["हि\u0902दी"]),
        ("", []),
    ],
)
def test_what_joins_words_and_what_parts_them(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


@given(st.text(max_size=60))
def test_words_are_parts_of_the_text_in_order(text: str) -> None:
    at = 0
    for word in words(text):
        at = text.index(word, at) + len(word)
    for letter in text:  # no letter is lost, whatever it stands beside
        if unicodedata.category(letter)[0] in "LN":
            assert any(letter in word for word in words(text))


SYLLABLES = "न म क् स्ते हिं क्ष ที่ มา حَ שָׁ a\u0308 ß 한 \u1112\u1161\u11ab क\u200d न\u200c - ' 1 _"


@given(st.lists(st.sampled_from([*SYLLABLES.split(), " "]), max_size=20).map("".join))
def test_no_word_parts_what_a_reader_sees_as_one_character(text: str) -> None:
    edges = {0, *accumulate(map(len, clusters(text)))}  # by another rule: grapheme clusters
    at = 0
    for word in words(text):
        start = text.index(word, at)
        at = start + len(word)
        assert {start, at} <= edges


def test_two_hindi_words_are_the_mean_of_their_rows(tmp_path: Path) -> None:
    file = tmp_path / "hindi.vec"
    rows = {"नमस्ते": "1 0 0", "दुनिया": "0 1 0", "न": "0 0 1", "म": "0 0 1.1", "त": ".1 0 1"}
    file.write_text("5 3\n" + "".join(f"{word} {row}\n" for word, row in rows.items()))
    vector, how = VectorsFile(file).represent("नमस्ते दुनिया")
    assert vector.tolist() == [0.5, 0.5, 0]
    assert how == "mean of 2 words: नमस्ते दुनिया"


def test_a_run_without_spaces_is_cut_by_the_tables_own_words() -> None:
    space = demo(["我", "爱", "北京", "北", "สวัสดี", "ชาว", "โลก", "ส"])
    vector, how = represent_in_table(space, "我爱北京")
    assert np.flatnonzero(vector).tolist() == [0, 1, 2]
    assert how == "mean of 3 words: 我 爱 北京"
    vector, _ = represent_in_table(space, "สวัสดีชาวโลก")
    assert np.flatnonzero(vector).tolist() == [4, 5, 6]
    _, how = represent_in_table(space, "我们爱")
    assert how == "mean of 2 words: 我 爱; not known: 们"
    with pytest.raises(UnknownItem, match="does not hold"):
        represent_in_table(space, "ไทย")


def test_what_looks_alike_is_one_text_and_the_exact_one_goes_first() -> None:
    composed, apart = "café", "cafe\u0301"
    space = demo(["cafe", composed, "nai", "naïve", "Straße", "İstanbul", "ısparta", "❤"])
    for text in (composed, apart, "CAFE\u0301"):
        assert space.find(text) == 1
    assert space.find(unicodedata.normalize(NFD, "naïve")) == 3
    assert space.find("STRASSE") == 4
    assert space.find("istanbul") == space.find("İSTANBUL") == 5
    assert space.find("isparta") is None  # ı is a letter of its own
    assert space.find("❤️") == 7
    both = demo([apart, composed])
    assert (both.find(apart), both.find(composed), both.find("CAFÉ")) == (0, 1, 0)
    assert demo([apart]).find(composed) == 0


@given(st.text(max_size=20))
def test_a_text_is_found_in_every_normal_form(text: str) -> None:
    space = demo([text])
    for form in ("NFC", "NFD"):
        assert space.find(unicodedata.normalize(form, text)) == 0
    assert folded(folded(text)) == folded(text)


def test_keywords_of_scripts_with_marks() -> None:
    texts = ["नमस्ते दुनिया नमस्ते", "हिन्दी भाषा हिन्दी", unicodedata.normalize(NFD, "Brücke"), "사랑"]
    told = class_keywords(texts, np.arange(4))
    assert [{word for word, _ in one} for one in told] == [
        {"नमस्ते", "दुनिया"},
        {"हिन्दी", "भाषा"},
        {"brücke"},
        {"사랑"},
    ]
    assert terms("東京タワー an is x2 the_end") == ["東京", "京タ", "タワ", "ワー"]


def test_families_whole_words_and_spelling_meet_whatever_the_form() -> None:
    one, other = "Brücke", unicodedata.normalize(NFD, "brücke")
    assert len(set(lemma_groups([one, other]))) == 1
    assert whole_words(demo(["हिन्दी", "x", other, "a b", "12"])).tolist() == [0, 2]
    assert [part.tolist() for part in gram_hashes([one])] == [
        part.tolist() for part in gram_hashes([other])
    ]
    assert frequency_rank([unicodedata.normalize(NFD, "café")]) == frequency_rank(["café"]) != [-1]
    assert is_word("สวัสดี")
    assert inside_word("नमस्ते", 4)
    assert not inside_word("न मस्ते", 1)


# ------------------------------------------------------------------------------------- lines


@given(st.text(st.sampled_from("ab\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029 "), max_size=30))
def test_lines_are_cut_at_universal_newlines_only(text: str) -> None:
    oracle = [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]
    assert lines_of(text) == oracle


def test_a_file_of_texts_keeps_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes("one\u2028still one\r\ntwo\x85 \x0c\x1c two\n\nthree".encode())
    assert _lines(file) == ["one\u2028still one", "two\x85 \x0c\x1c two", "three"]


def test_nobody_cuts_lines_by_splitlines() -> None:
    """It cuts at ten further characters, which stand inside lines of real files."""
    root = site_root()
    sources = [*(root / "core").rglob("*.py"), *(root / "pages").glob("*.py")]
    assert len(sources) > 100
    guilty = [
        f"{source.relative_to(root)}:{node.lineno}"
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    ]
    assert not guilty, "use core.spaces.words.lines_of"


# ------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    "cell",
    [" =1+1", "\xa0=1", "\ufeff=1", "\u200b+1", "\u2028@x", "\x0b-1", "＝1+1", "＋1", "－1", "＠x"],
)
def test_a_formula_behind_blanks_or_in_wide_signs_is_text(cell: str) -> None:
    table = pd.DataFrame({"text": ["a", cell]})
    told = list(csv.reader(io.StringIO(safe_csv(table).decode("utf-8-sig"), newline="")))
    assert told[2] == [f"'{cell}"]


def test_blanks_before_a_word_stay() -> None:
    assert "\r\n dog\r\n" in safe_csv(pd.DataFrame({"text": [" dog"]})).decode()
