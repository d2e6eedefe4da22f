"""Whole texts as signatures: windows, the library, keywords of regions, a document of one's own."""

from collections.abc import Iterator
from math import log

import numpy as np
import pytest
from few_texts import few_documents
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidSpecification, StoreError, UnknownItem, UnreadableFile
from core.pipeline import Workspace
from core.pipeline.models import reader
from core.pipeline.texts import library as libraries
from core.pipeline.texts import windows as reading_in_windows
from core.pipeline.texts.library import (
    Library,
    draw_library,
    groups,
    has_library,
    library,
    library_topics,
)
from core.pipeline.texts.own_document import (
    dropped,
    forget,
    has_dropped,
    keep_text,
    kept_words,
    near_documents,
    near_windows,
    placed,
    windows_table,
)
from core.pipeline.texts.pairs import apart, has_pairs, kept_pairs
from core.pipeline.texts.topics import has_topics, medoid
from core.pipeline.texts.windows import WINDOW, last_layer, signature, snippet, windowed
from core.projection.base import PcaSpec
from core.signatures.documents import document_states
from core.signatures.hidden import hidden_states
from core.spaces.formats.encodings import guessed
from core.spaces.formats.text_files import MOST, read_plain, require_prose
from core.spaces.keywords import class_keywords
from core.spaces.linalg import unit_rows
from core.teachers.corpus import unmarked

LONG = " ".join(
    f"In year {year} the river froze and the miller lost a wheel." for year in range(60)
)


class TestKeywords:
    def test_by_hand(self):
        """c-TF-IDF written out for two classes of five and three words."""
        found = class_keywords(
            ["river river boat", "stone boat", "stone stone moon", "lost"], np.array([0, 0, 1, -1])
        )
        mean = (5 + 3) / 2
        expected = [
            {
                "river": 2 / 5 * log(1 + mean / 2),
                "boat": 2 / 5 * log(1 + mean / 2),
                "stone": 1 / 5 * log(1 + mean / 3),
            },
            {"moon": 1 / 3 * log(1 + mean / 1), "stone": 2 / 3 * log(1 + mean / 3)},
        ]
        assert [dict(words) for words in found] == [pytest.approx(it) for it in expected]
        assert [word for word, _ in found[0]] == ["boat", "river", "stone"]  # equal ones by name
        assert found[1][0][0] == ("moon" if expected[1]["moon"] > expected[1]["stone"] else "stone")

    def test_stop_words_numbers_and_short_words_are_no_keywords(self):
        [found] = class_keywords(["The of 1984 ox oxen"], np.array([0]))
        assert [word for word, _ in found] == ["oxen"]

    @pytest.mark.parametrize("texts", [["the of", "and"], ["", " "], ["12 3", "4"]])
    def test_a_class_without_words_has_none(self, texts):
        assert class_keywords(texts, np.array([0, 1])) == [(), ()]

    def test_a_number_that_no_text_has(self):
        assert class_keywords(["lamp"], np.array([2]))[:2] == [(), ()]
        assert class_keywords([], np.array([], np.int64)) == []
        assert class_keywords(["lamp"], np.array([-1])) == []

    def test_one_class_a_text(self):
        with pytest.raises(InvalidSpecification, match="found 2 texts and 1 classes"):
            class_keywords(["a", "b"], np.array([0]))

    @given(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(["lamp", "moon", "tree", "road"])), st.integers(-1, 2)
            ),
            min_size=1,
            max_size=12,
        ),
        st.randoms(use_true_random=False),
    )
    def test_the_order_of_the_texts_does_not_matter(self, drawn, random):
        def told(pairs):
            texts = [" ".join(words) for words, _ in pairs]
            return class_keywords(texts, np.array([number for _, number in pairs]))

        found = told(drawn)
        random.shuffle(drawn)
        again = told(drawn)
        assert [dict(words) for words in found] == [pytest.approx(dict(it)) for it in again]
        for words in found:
            assert [weight for _, weight in words] == sorted((w for _, w in words), reverse=True)
            assert all(weight > 0 for _, weight in words)

    def test_against_an_independent_implementation(self):
        """The same by dictionaries, on texts that nobody chose for it."""
        documents = few_documents()
        classes = np.arange(len(documents)) % 5
        texts = [document.text for document in documents]
        found = class_keywords(texts, classes, count=8)
        counts = _counted(texts, classes.tolist())
        total: dict[str, int] = {}
        for own in counts.values():
            for word, count in own.items():
                total[word] = total.get(word, 0) + count
        mean = sum(total.values()) / len(counts)
        for number, words in enumerate(found):
            own = counts[number]
            weights = {
                word: count / sum(own.values()) * log(1 + mean / total[word])
                for word, count in own.items()
            }
            best = sorted(weights.values(), reverse=True)[:8]
            assert [weight for _, weight in words] == pytest.approx(best)
            assert all(weights[word] == pytest.approx(weight) for word, weight in words)


def _counted(texts: list[str], classes: list[int]) -> dict[int, dict[str, int]]:
    import re

    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found: dict[int, dict[str, int]] = {}
    for text, number in zip(texts, classes, strict=True):
        own = found.setdefault(number, {})
        for word in re.findall(r"\w+", text.lower()):
            if word.isalpha() and len(word) > 2 and word not in ENGLISH_STOP_WORDS:
                own[word] = own.get(word, 0) + 1
    return found


class TestPlainText:
    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b"", "found nothing in 'a.txt'"),
            (b" \n\t ", "found only spaces in 'a.txt'"),
            ("Größe und Maß".encode("cp1252"), "(it may be in Windows-1252 or Latin-1)"),
            ("Größe".encode("utf-16"), "(it may be in UTF-16)"),
            ("Plain words, sixteen bits".encode("utf-16-le") + b"\xff", "(it may be in UTF-16)"),
            (b"\x81\x8d\xff\x90 no page has these", "which is not UTF-8 (byte 0); expected"),
            (b"%PDF-1.4 ...", "found a PDF document in 'a.txt'"),
            (b"\x89PNG....", "found a PNG picture in 'a.txt'"),
            (b"a\0b", "found a zero character"),
            (b"x" * (MOST + 1), "expected at most 3,000,000"),
        ],
    )
    def test_what_cannot_be_read(self, raw, said):
        with pytest.raises(UnreadableFile, match="expected") as fault:
            read_plain("a.txt", raw)
        assert said in str(fault.value)
        assert "\n" not in str(fault.value)

    def test_half_a_character(self):
        with pytest.raises(UnreadableFile, match="half a surrogate pair"):
            require_prose("a\ud800b")

    @given(st.text().filter(lambda it: it.strip() and "\0" not in it and it[0] != "\ufeff"))
    def test_utf_8_comes_as_it_is(self, text):
        assert read_plain("a.txt", text.encode()) == text
        assert read_plain("a.txt", text.encode("utf-8-sig")) == text

    @given(st.binary(max_size=60))
    def test_nothing_else_than_an_error_of_ours(self, raw):
        try:
            assert read_plain("a.txt", raw).strip()
        except UnreadableFile as fault:
            assert "expected" in str(fault)  # noqa: PT017
        assert isinstance(guessed(raw), str)

    def test_marks_of_an_article(self):
        assert unmarked("== A ==\n* one\n*# two\n\n\n\nthree  four") == "A\none\ntwo\n\nthree four"


class TestSnippet:
    @given(st.text(min_size=1), st.integers(0, 50), st.integers(5, 60))
    def test_one_short_line(self, text, start, limit):
        said = snippet(text, min(start, len(text) - 1), limit=limit)
        assert len(said) <= limit
        assert "\n" not in said

    def test_the_rest_of_a_word_is_left_out(self):
        assert snippet("unhappiness is", 2) == "is"
        assert snippet("Oslo, Bergen", 5) == "Bergen"
        assert snippet("abcdef", 3) == "def"  # there is nothing else


@pytest.mark.models
class TestWindowed:
    def test_a_text_that_fits_is_the_mean_of_its_states(self):
        text = "The bank of the river was steep."
        states = hidden_states([text], reader("minilm"))
        expected = states.layer(-1).astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(signature(text, reader("minilm")), expected, atol=1e-5)

    def test_windows_of_a_long_text(self):
        model = reader("minilm")
        found = windowed([LONG, "A cat."], model)
        long = found.table[found.table["text"] == 0]
        assert len(long) > 5
        assert (long["tokens"] <= WINDOW - 2).all()
        states = document_states([LONG], model, size=WINDOW)
        assert long["tokens"].sum() == len(states.tokens)
        np.testing.assert_allclose(found.whole[0], states.layer(-1).mean(axis=0), atol=1e-4)
        weighted = np.average(found.windows[:-1], axis=0, weights=long["tokens"])
        np.testing.assert_allclose(found.whole[0], weighted, atol=1e-4)
        assert (np.diff(long["start"]) > 0).all()
        assert found.unknown == 0

    def test_the_last_layer_alone(self):
        whole, last = reader("minilm"), last_layer(reader("minilm"))
        both = [hidden_states(["A cat sat.", "Why"], it) for it in (whole, last)]
        assert (len(both[0].layers), len(both[1].layers)) == (7, 1)
        np.testing.assert_array_equal(both[0].layer(-1), both[1].layer(-1))
        assert last.causal == whole.causal
        assert last.window == whole.window

    def test_a_script_that_the_vocabulary_lacks(self):
        assert windowed(["𐎀𐎁𐎂 𐎃𐎄"], reader("minilm")).unknown == 1

    @pytest.mark.parametrize("text", ["", " \n"])
    def test_nothing_to_read(self, text):
        with pytest.raises(UnknownItem, match="found nothing to read"):
            windowed([text], reader("minilm"))


class TestGroups:
    @given(st.lists(st.integers(1, 30), min_size=1), st.integers(1, 60))
    def test_every_row_once_and_in_order(self, sizes, at_once):
        found = list(groups(sizes, at_once))
        assert [row for group in found for row in group] == list(range(len(sizes)))
        for group in found[:-1]:
            assert sum(sizes[row] for row in group) >= at_once
            assert sum(sizes[row] for row in group[:-1]) < at_once


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def made(workspace: Workspace) -> Iterator[Library]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libraries, "corpus_documents", few_documents)
        patch.setattr(libraries, "AT_ONCE", 4_000)
        assert not has_library(workspace, "minilm")
        draw_library(workspace, "minilm", PcaSpec())
        yield library(workspace, "minilm")


@pytest.mark.models
class TestLibrary:
    def test_documents_come_first_then_their_windows(self, made):
        documents = few_documents()
        table = made.space.metadata
        assert made.documents == documents
        assert made.space.texts[: len(documents)] == tuple(it.title for it in documents)
        assert (table["part"][: len(documents)] == -1).all()
        assert (table["part"][len(documents) :] >= 0).all()
        assert set(table["kind"]) == {"document", "window"}
        assert made.seconds > 0

    def test_windows_hold_the_whole_text_in_order(self, made):
        for row, document in enumerate(made.documents):
            way = made.document_path(row)
            said = "".join("".join(made.text(item).split()) for item in way.tolist())
            assert said == "".join(document.text.split())
        assert made.document_path(made.rows["One line"]).tolist() == [made.rows["One line"]]
        tokens = made.space.metadata["tokens"]
        assert tokens[made.leaves].sum() == tokens[: len(made.documents)].sum()

    def test_a_documents_signature_is_that_of_its_text_alone(self, made):
        row = made.rows["bank, river"]
        alone = windowed([made.documents[row].text], reader("minilm"))
        np.testing.assert_allclose(made.space.vectors[row], alone.whole[0], atol=1e-5)
        np.testing.assert_allclose(
            made.space.vectors[made.document_path(row)], alone.windows, atol=1e-5
        )

    def test_items_by_name(self, made):
        row = made.rows["bank, river"]
        assert made.item("bank, river") == row
        assert made.item("bank, river", 1) == made.document_path(row)[1]
        assert made.item("bank, river", 99) is None
        assert made.item("no such") is None

    def test_it_is_kept_as_it_is(self, workspace, made):
        other = Workspace(workspace.folder)
        assert has_library(other, "minilm")
        again = library(other, "minilm", _never)
        assert again.documents == made.documents
        assert again.space.digest == made.space.digest
        assert again.space.ids == made.space.ids
        np.testing.assert_array_equal(again.space.vectors, made.space.vectors)
        assert other.has_projection(again.space, PcaSpec())
        assert not list((workspace.folder / "cache" / "library-part").glob("*"))

    def test_stopped_in_the_midst_it_goes_on(self, made, tmp_path, monkeypatch):
        monkeypatch.setattr(libraries, "corpus_documents", few_documents)
        monkeypatch.setattr(libraries, "AT_ONCE", 4_000)
        fresh = Workspace(tmp_path)
        with pytest.raises(Cancelled):
            library(fresh, "minilm", lambda done, total, message: done < 40)
        kept = len(list((tmp_path / "cache" / "library-part").iterdir()))
        assert 0 < kept < len(list(groups([len(it.text) for it in few_documents()], 4_000)))
        read = []

        def counted(texts, *rest):
            read.append(len(texts))
            return windowed(texts, *rest)

        monkeypatch.setattr(reading_in_windows, "windowed", counted)
        again = library(fresh, "minilm")
        assert sum(read) < len(few_documents())
        np.testing.assert_array_equal(again.space.vectors, made.space.vectors)
        assert again.seconds == 0

    def test_regions_have_keywords_and_a_middle(self, workspace, made):
        found = library_topics(workspace, made, PcaSpec())
        assert has_topics(workspace, made.space, PcaSpec())
        cluster = workspace.regions(made.space, PcaSpec()).cluster
        assert len(found) == cluster.max() + 1
        for number, topic in enumerate(found):
            assert topic.size == (cluster == number).sum()
            assert topic.medoid in made.leaves
            assert cluster[topic.medoid] == number
            assert topic.name
        assert library_topics(Workspace(workspace.folder), made, PcaSpec()) == found

    @given(st.integers(1, 20), st.integers(0, 1000))
    def test_the_medoid_is_nearest_to_the_mean_direction(self, count, seed):
        unit = unit_rows(np.random.default_rng(seed).normal(size=(30, 5)).astype(np.float32))
        rows = np.random.default_rng(seed + 1).permutation(30)[:count].astype(np.int64)
        found, cosine = medoid(unit, rows)
        mean = unit[rows].astype(np.float64).mean(axis=0)
        cosines = unit[rows].astype(np.float64) @ mean / np.linalg.norm(mean)
        assert cosine == pytest.approx(cosines.max(), abs=1e-5)
        assert cosines[list(rows).index(found)] == pytest.approx(cosines.max(), abs=1e-5)


@pytest.mark.models
class TestDropped:
    def test_a_text_of_the_library_falls_on_itself(self, workspace, made):
        row = made.rows["crane, bird"]
        key = keep_text(workspace, "minilm", "my own", made.documents[row].text)
        assert not has_dropped(workspace, key)
        own = dropped(workspace, "minilm", key)
        assert has_dropped(workspace, key)
        assert kept_words(workspace, key) == len(made.documents[row].text.split())
        coords = workspace.projection(made.space, PcaSpec()).coords
        places = placed(made, coords, own.read.windows)
        np.testing.assert_allclose(places, coords[made.document_path(row)], atol=1e-3)
        near, cosines = near_documents(made, own.read.whole, 3)
        assert near[0, 0] == row
        assert cosines[0, 0] == pytest.approx(1, abs=1e-5)
        windows, _ = near_windows(made, own.read.windows, 1)
        assert windows[:, 0].tolist() == made.document_path(row).tolist()
        table = windows_table(made, own, [""] * len(own.read.windows))
        assert len(table) == len(own.read.windows)
        assert table["document 1"].iloc[0] in made.rows
        again = dropped(Workspace(workspace.folder), "minilm", key)
        np.testing.assert_array_equal(again.read.windows, own.read.windows)
        assert (again.title, again.text) == (own.title, own.text)

    def test_what_was_cut_short_is_read_anew(self, workspace):
        key = keep_text(workspace, "minilm", "b", "The tide came in over the flat sand.")
        own = dropped(workspace, "minilm", key)
        for file in (workspace.folder / "cache").rglob("*"):
            if file.is_file() and key in str(file) and file.suffix == ".safetensors":
                file.write_bytes(file.read_bytes()[:-8])
        again = dropped(Workspace(workspace.folder), "minilm", key)
        np.testing.assert_allclose(again.read.windows, own.read.windows, atol=1e-6)

    def test_forgotten_is_gone(self, workspace):
        key = keep_text(workspace, "minilm", "a", "A short note about nothing.")
        dropped(workspace, "minilm", key)
        folder = workspace.folder / "cache"
        forget(workspace, key)
        assert not has_dropped(workspace, key)
        assert kept_words(workspace, key) is None
        assert "about nothing" not in "".join(
            path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()
        )
        with pytest.raises(StoreError, match="found no own-text"):
            dropped(workspace, "minilm", key)

    @pytest.mark.parametrize("text", ["", " \n\t"])
    def test_nothing_is_not_kept(self, workspace, text):
        with pytest.raises(UnreadableFile, match="expected a text"):
            keep_text(workspace, "minilm", "a", text)


@pytest.mark.models
class TestPairsKept:
    def test_measured_once(self, workspace):
        assert not has_pairs(workspace, "minilm")
        found = kept_pairs(workspace, "minilm")
        assert has_pairs(workspace, "minilm")
        again = kept_pairs(Workspace(workspace.folder), "minilm", _never)
        assert again.to_dict() == found.to_dict()
        np.testing.assert_array_equal(again.contextual.distances, found.contextual.distances)

    def test_ones_own_pair_is_measured_as_the_prepared_are(self, workspace):
        found = kept_pairs(workspace, "minilm")
        for row in (0, len(found.pairs) - 1):
            pair = found.pairs[row]
            own = apart("minilm", found, pair.first, pair.second)
            told = found.contextual.distances[row], found.rows.distances[row]
            assert own == pytest.approx(told, abs=1e-4)
        assert apart("minilm", found, "A cat.", "A cat.") == pytest.approx((0, 0), abs=1e-6)

    def test_nothing_to_read(self, workspace):
        with pytest.raises(UnknownItem):
            apart("minilm", kept_pairs(workspace, "minilm"), "A cat.", " ")


def _never(done: int, total: int, message: str) -> bool:
    raise AssertionError("found work; expected what was kept")
