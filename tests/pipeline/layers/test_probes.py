"""Senses and probes: against independent computations, planted truths, and labels at random."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tiny_states import stop_at

from core.cli import main
from core.errors import Cancelled, InvalidSpecification, UnreadableFile
from core.figures.layers.probes import label_layer, probe_lines, probes_figure
from core.figures.tokens import LIGHT
from core.metrics.probes import PENALTY, _folds, probe
from core.metrics.silhouette import sense_separation
from core.pipeline import Workspace
from core.pipeline.layers.labelled_texts import (
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_ROWS,
    Labelled,
    keep_labelled,
    kept_labelled,
    labelled,
    read_table,
)
from core.pipeline.layers.probing.probes import _aside, has_probing, kept_probing, probing
from core.pipeline.models import reader
from core.signatures.attention import received
from core.signatures.documents import document_states
from core.signatures.pooling import Pooling, pool
from core.store.disk import Store

N, WORDS = 240, 40


def planted(strength: float, seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    """States of 40 words, six each; the first direction tells the label, the rest tell the word."""
    generator = np.random.default_rng(seed)
    words = np.repeat(np.arange(WORDS), N // WORDS)
    labels = words % 2
    states = generator.normal(size=(WORDS, 20))[words] + 0.3 * generator.normal(size=(N, 20))
    states[:, 0] += strength * (2 * labels - 1)
    names = [f"w{word}" for word in words]
    return states.astype(np.float32), [("even", "odd")[it] for it in labels], names


class TestProbe:
    def test_what_is_there_is_read_and_what_is_not_is_not(self):
        states, labels, words = planted(6.0)
        absent, _, _ = planted(0.0, seed=1)
        there, nothing = probe({"there": states, "absent": absent}, labels, words, words)
        assert there.accuracy.value > 0.97
        assert abs(nothing.accuracy.value - 0.5) < 0.2
        assert there.majority == pytest.approx(0.5, abs=0.1)
        assert there.accuracy.low <= there.accuracy.value <= there.accuracy.high

    def test_a_probe_that_knows_words_by_heart_is_found_out(self):
        """Words with nothing in common: grouped by word nothing can be known beforehand."""
        generator = np.random.default_rng(2)
        words = np.repeat(np.arange(WORDS), 6)
        states = np.eye(WORDS, dtype=np.float32)[words]
        labels = [str(it) for it in generator.integers(0, 2, WORDS)[words]]
        names = [f"w{word}" for word in words]
        (found,) = probe({"layer": states}, labels, names, names)
        assert found.known == found.control == 1
        assert found.selectivity == 0
        assert found.accuracy.value <= 0.75

    def test_words_that_occur_once_have_no_control(self):
        states, labels, _ = planted(6.0)
        once = [f"w{row}" for row in range(N)]
        (found,) = probe({"layer": states}, labels, once, once)
        assert np.isnan(found.control)
        assert np.isnan(found.known)

    def test_its_directions_are_axes(self):
        states, labels, words = planted(6.0)
        (found,) = probe({"layer": states}, labels, words)
        assert set(found.directions) == {"even", "odd"}
        along = states @ found.directions["odd"]
        odd = np.array(labels) == "odd"
        assert along[odd].mean() > along[~odd].mean() + 3
        assert np.linalg.norm(found.directions["odd"]) == pytest.approx(1, abs=1e-5)

    def test_the_same_seed_gives_the_same(self):
        states, labels, words = planted(1.0)
        one, two = (probe({"layer": states}, labels, words, words, seed=4)[0] for _ in range(2))
        assert (one.accuracy, one.control) == (two.accuracy, two.control)

    @pytest.mark.parametrize(
        ("labels", "groups", "said"),
        [
            (["a"] * N, None, "found 1 class; expected two"),
            (["a", "b"] * (N // 2), ["g", "h"] * (N // 2), "found 2 groups"),
            (["a"] + ["b"] * (N - 1), None, "labelled 'a' in one group"),
            (["a", "b"], None, "found 2 labels and 240 items"),
        ],
    )
    def test_what_cannot_be_asked(self, labels, groups, said):
        states, _, words = planted(1.0)
        with pytest.raises(InvalidSpecification, match=said):
            probe({"layer": states}, labels, groups or words)

    def test_too_few_items_of_every_label(self):
        states = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
        with pytest.raises(InvalidSpecification, match="at most 4 items of a label"):
            probe({"layer": states}, ["a", "b"] * 4, [str(row) for row in range(8)])

    def test_it_can_be_stopped(self):
        states, labels, words = planted(1.0)
        with pytest.raises(Cancelled):
            probe({"a": states, "b": states}, labels, words, progress=lambda d, t, m: d < 1)


class TestWhatItSays:
    @pytest.mark.parametrize("classes", [2, 3])
    def test_scores_are_those_of_a_ridge_that_was_not_taught_the_group(self, classes):
        """The closed form, written out: standardised features, targets of -1 and +1, an intercept
        that is not punished."""
        generator = np.random.default_rng(5)
        groups = [f"g{row % 12}" for row in range(96)]
        labels = [f"c{row}" for row in generator.integers(0, classes, 96)]
        states = generator.normal(size=(96, 7)).astype(np.float32)
        states[:, 0] += 2 * np.array([it == "c1" for it in labels])
        (found,) = probe({"layer": states}, labels, groups, seed=3)
        assert found.scores.shape == (96, classes)
        folds = list(_folds(np.searchsorted(sorted(set(labels)), labels), groups, 3))
        assert sorted(np.concatenate([asked for _, asked in folds])) == list(range(96))
        for taught, asked in folds:
            assert not {groups[it] for it in taught} & {groups[it] for it in asked}
            x = states.astype(np.float64)
            mean, spread = x[taught].mean(axis=0), x[taught].std(axis=0)
            x = (x - mean) / spread
            for place, name in enumerate(sorted(set(labels))):
                target = np.array([1.0 if it == name else -1.0 for it in labels])
                middle = target[taught].mean()
                gram = x[taught].T @ x[taught] + PENALTY * np.eye(7)
                weights = np.linalg.solve(gram, x[taught].T @ (target[taught] - middle))
                exact = x[asked] @ weights + middle
                np.testing.assert_allclose(found.scores[asked, place], exact, atol=1e-4)
        told = np.array(sorted(set(labels)))[found.scores.argmax(axis=1)]
        assert found.accuracy.value == pytest.approx(np.mean(told == np.array(labels)))

    def test_a_label_that_was_never_taught_is_never_said(self):
        """Both groups of "rare" are in one fold or two; where in one, nothing else is known."""
        states, _, words = planted(1.0)
        labels = ["rare" if word in ("w0", "w1") else "usual" for word in words]
        (found,) = probe({"layer": states}, labels, words)
        assert np.isfinite(found.scores).all()
        assert found.majority == pytest.approx(1 - 12 / N, abs=1e-6)

    def test_items_that_are_right_together_make_the_interval_wider(self):
        states, labels, words = planted(0.7, seed=6)
        (alone,) = probe({"layer": states}, labels, [str(row) for row in range(N)])
        (together,) = probe({"layer": states}, labels, words)
        width = [it.accuracy.high - it.accuracy.low for it in (alone, together)]
        assert width[1] > 1.4 * width[0]


TABLE = "text;label;who\nthe cat;a;x\nthe dog;b;y\nthe sea;a;x\n the moon ;b;z\n;a;x\nsalt;;y\n"


class TestTables:
    @pytest.mark.parametrize("separator", [";", ",", "\t"])
    def test_any_usual_separator(self, separator):
        data = ("\ufeff" + TABLE.replace(";", separator)).encode()
        table = read_table(data, "f.csv")
        assert list(table.columns) == ["text", "label", "who"]
        assert table["text"].tolist()[:2] == ["the cat", "the dog"]

    def test_what_is_left_out_is_said(self):
        found = labelled(read_table(TABLE.encode(), "f.csv"), "text", "label")
        assert found.texts == ("the cat", "the dog", "the sea", "the moon")
        assert found.labels == ("a", "b", "a", "b")
        assert found.notes == ("left out 2 rows without text or label",)

    def test_labels_in_one_group_cannot_be_asked_about(self):
        table = read_table(TABLE.encode(), "f.csv")
        with pytest.raises(InvalidSpecification, match="found 1 label that can be asked about"):
            labelled(table, "text", "label", group="who")

    def test_nan_is_a_word_as_any_other(self):
        table = read_table(b"text,label\nnan,NA\nnull,yes\nnone,NA\n,yes\n", "f.csv")
        assert table["text"].tolist() == ["nan", "null", "none", ""]

    def test_of_100_000_rows_some_are_drawn(self):
        rows = "\n".join(f"text {row},{'ab'[row % 2]}" for row in range(100_000))
        found = labelled(read_table(f"text,label\n{rows}".encode(), "f.csv"), "text", "label")
        assert len(found.texts) == MOST_ROWS
        assert found.notes == ("drew 4,000 of 100,000 rows",)
        assert (
            labelled(read_table(f"text,label\n{rows}".encode(), "f.csv"), "text", "label") == found
        )

    def test_long_texts_count_by_their_characters(self):
        rows = "\n".join(f"{row} {'x' * 10_000},{'ab'[row % 2]}" for row in range(400))
        found = labelled(read_table(f"text,label\n{rows}".encode(), "f.csv"), "text", "label")
        assert 0 < sum(map(len, found.texts)) <= MOST_CHARACTERS
        assert len(found.texts) > 100

    def test_a_column_of_names_is_none_of_labels(self):
        rows = "\n".join(f"text {row},name {row}" for row in range(50))
        table = read_table(f"text,label\n{rows}".encode(), "f.csv")
        with pytest.raises(InvalidSpecification, match=r"found 0 labels.*left out 50 rows"):
            labelled(table, "text", "label")

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "found no text in f.csv"),
            (b"\n \n", "found no text"),
            (b"text,label\n", "found no rows"),
            ("text,label\né,a".encode("latin-1"), r"is not UTF-8 \(byte 11\)"),
            ("text,label\né,a".encode("utf-16"), "is not UTF-8"),
            (b"text,label\na\x00,b", "found zero bytes"),
            (b"text,label\na,b\nc,d,e,f\n", "does not read as a table"),
            (b'text,label\n"a,b\n', "does not read as a table"),
            (b"text,label\nhello, world,good\nbye, all,bad\n", "more cells in the first row"),
            (b"text,label\nhello,good,\nbye,bad,\n", "more cells in the first row"),
            (b"x" * (MOST_BYTES + 1), "found 50 MB"),
        ],
    )
    def test_what_is_no_table(self, data, said):
        with pytest.raises(UnreadableFile, match=said):
            read_table(data, "f.csv")

    def test_a_text_of_which_nothing_can_be_seen_is_left_out(self):
        rows = "\n".join(f"text {row},{'ab'[row % 2]}" for row in range(12))
        table = read_table(f"text,label\n\u200b,a\n\ufeff \ufffd,b\n{rows}".encode(), "f.csv")
        assert len(labelled(table, "text", "label").texts) == 12

    def test_a_column_that_is_missing(self):
        with pytest.raises(InvalidSpecification, match="no column 'nix'; expected one of text"):
            labelled(read_table(TABLE.encode(), "f.csv"), "text", "nix")

    def test_they_are_kept_for_the_worker(self, tmp_path):
        store = Store(tmp_path)
        items = Labelled(("a", "b"), ("=1", "<b>"), ("x", "y"), (), ("left out 1 row",))
        key = keep_labelled(store, items)
        assert kept_labelled(store, key) == items
        assert keep_labelled(store, replace(items, words=())) != key
        with pytest.raises(InvalidSpecification, match="bring it again"):
            kept_labelled(store, "0" * 32)


@pytest.fixture(scope="module")
def moods():
    """Forty texts in two moods, each about its own thing."""
    good, bad = "I love the {}, it is wonderful", "I hate the {}, it is awful"
    things = ["film", "book", "meal", "song", "walk", "hotel", "game", "talk", "play", "trip"]
    rows = [
        (text.format(it), label, it) for it in things for text, label in ((good, "="), (bad, "-"))
    ]
    texts, labels, words = zip(*rows * 2, strict=True)
    return Labelled(
        tuple(f"{text} {row}" for row, text in enumerate(texts)), labels, words, (), ("said",)
    )


class TestProbing:
    def test_own_labels_of_texts(self, moods):
        found = probing("minilm", "own", own=replace(moods, words=()))
        assert (found.items, found.classes, found.groups, found.apart) == (40, 2, 40, "text")
        assert found.names == ("-", "=")
        assert found.layers[found.best].accuracy.value > 0.9
        assert found.static is not None
        assert found.static.accuracy.value > 0.9  # love and hate stand in the table
        assert np.isnan(found.layers[0].control)
        assert found.notes == ("said",)
        assert json.loads(json.dumps(found.to_dict()))["static"]["layer"] == "table"

    def test_own_labels_of_words(self, moods):
        found = probing("minilm", "own", own=moods)
        assert (found.items, found.groups, found.apart) == (40, 10, "word")
        assert found.asked.names[:2] == ("film", "film")
        assert found.static is not None
        assert found.static.accuracy.value <= 0.5  # the same row whatever is said of it
        assert found.layers[found.best].accuracy.value > 0.8  # what is said of it is in its state

    def test_senses_of_many_words_are_asked_sentence_by_sentence(self):
        """No label is shared by two words: words cannot be held out, texts can."""
        things = ["film", "book", "meal", "song", "walk", "hotel", "game", "talk", "play", "trip"]
        rows = [(it, mood, row) for it in things for mood in ("good", "bad") for row in range(5)]
        texts = tuple(f"a {mood} {it} no. {row}" for it, mood, row in rows)
        words = tuple(it for it, _, _ in rows)
        labels = tuple(f"{it}, {mood}" for it, mood, _ in rows)
        found = probing("minilm", "own", own=Labelled(texts, labels, words, (), ()))
        assert (found.classes, found.groups, found.apart) == (20, 100, "text")

    def test_words_that_no_text_has(self, moods):
        with pytest.raises(
            InvalidSpecification, match="found none of the words, such as 'New York'"
        ):
            probing("minilm", "own", own=replace(moods, words=("New York",) * 40))

    def test_texts_without_their_word_are_left_out_and_said(self, moods):
        words = ("absent", *moods.words[1:])
        found = probing("minilm", "own", own=replace(moods, words=words))
        assert found.items == 39
        assert found.notes == ("said", "left out 1 text without its word")

    def test_the_table_knows_nothing_of_order(self):
        found = probing("minilm", "sense:bank")
        assert found.static is not None
        assert found.static.accuracy.value <= 0.7
        assert found.layers[-1].accuracy.low > found.static.accuracy.value

    def test_what_was_asked_is_kept(self, tmp_path, moods, monkeypatch):
        workspace = Workspace(tmp_path)
        task = f"own:{keep_labelled(workspace.store, moods)}"
        assert not has_probing(workspace, "minilm", task)
        found = kept_probing(workspace, "minilm", task)
        monkeypatch.setattr(
            "core.pipeline.layers.probing.probes.probe", None
        )  # it must not be asked again
        again = kept_probing(Workspace(tmp_path), "minilm", task)
        assert again is not found
        assert again.to_dict() == found.to_dict()
        assert again.asked.labels == found.asked.labels
        np.testing.assert_array_equal(again.asked.aside, found.asked.aside)
        for one, two in zip(again.layers, found.layers, strict=True):
            np.testing.assert_array_equal(one.scores, two.scores)
            np.testing.assert_array_equal(one.directions["="], two.directions["="])

    def test_the_direction_aside_is_at_right_angles(self, moods):
        """Taking the probe's direction out of the states first changes nothing aside from it."""
        generator = np.random.default_rng(0)
        states = generator.normal(size=(30, 5)).astype(np.float32)
        labels = ["a", "b"] * 15
        (found,) = probe({"0": states}, labels, [str(row) for row in range(30)])
        along = found.directions["b"]
        flat = states - np.outer(states @ along, along)
        one, two = _aside(states, found), _aside(flat, found)
        np.testing.assert_allclose(np.abs(one), np.abs(two), atol=1e-4)
        assert np.var(one) <= np.linalg.eigvalsh(np.cov(states.T))[-1] + 1e-5

    def test_it_can_be_stopped_at_every_stage(self, moods):
        for step in (1, 4, 9):
            with pytest.raises(Cancelled):
                probing("minilm", "own", own=moods, progress=stop_at(step))

    def test_progress_goes_forward(self, moods):
        seen = []
        probing("minilm", "own", own=moods, progress=lambda d, t, m: seen.append(d / t) or True)
        assert seen == sorted(seen)
        assert seen[-1] <= 1


class TestCommands:
    def test_a_table_of_ones_own(self, tmp_path, capsys, moods):
        file = tmp_path / "moods.tsv"
        rows = zip(moods.texts, moods.labels, moods.words, strict=True)
        lines = ["said\tmood\tthing", *("\t".join(row) for row in rows), "lost\t\tx"]
        file.write_text("\n".join(lines), encoding="utf-8")
        told = ["--text-column", "said", "--label-column", "mood", "--group-column", "thing"]
        assert main(["probe", "minilm", "--file", str(file), *told, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["items"], said["classes"], said["groups"]) == (40, 2, 10)
        assert len(said["layers"]) == 7
        assert said["notes"] == ["left out 1 row without text or label"]

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            ([], "one of the arguments --task --file is required"),
            (["--file", "{}/none.csv"], "found no text in"),
            (["--file", "{}/f.csv", "--label-column", "nix"], "found no column 'nix'"),
            (["--file", "{}/f.csv"], "found 3 groups; expected at least 5"),
        ],
    )
    def test_bad_input(self, tmp_path, capsys, told, said):
        (tmp_path / "f.csv").write_text("text,label\na,x\nb,x\nb,y\nc,y\n", encoding="utf-8")
        try:
            code = main(["probe", "minilm", *(it.format(tmp_path) for it in told)])
        except SystemExit as ended:  # argparse's own way out
            code = ended.code
        assert code == 2
        assert said in capsys.readouterr().err

    def test_pooled_by_the_attention_they_receive(self, tmp_path):
        texts = ["The bank raised its rates.", "We sat on the bank."]
        out = tmp_path / "s.safetensors"
        told = ["--text", *texts, "--pool", "attention", "--layers", "3", "--out", str(out)]
        assert main(["hidden", "minilm", *told]) == 0
        model = reader("minilm")
        states = document_states(texts, model)
        wanted = pool(states, Pooling(how="weighted", layers=(3,)), received(texts, model)).vectors
        np.testing.assert_allclose(load_file(out)["layer_03"], wanted, atol=1e-5)
        file = tmp_path / "t.txt"
        file.write_text(texts[0] * 80, encoding="utf-8")
        for how in ("mean", "weighted"):
            told = ["--file", str(file), "--how", how, "--out", str(tmp_path / how)]
            assert main(["signature", "minilm", *told]) == 0
        made = [load_file(tmp_path / how)["documents"] for how in ("mean", "weighted")]
        assert not np.allclose(*made, atol=1e-3)


class TestFigures:
    def test_lines_are_what_was_found(self, moods):
        found = probing("minilm", "own", own=moods)
        lines = {it.role: it for it in probe_lines(found.layers, found.static, LIGHT)}
        assert set(lines) == {"accuracy", "known", "control", "static", "majority"}
        assert lines["accuracy"].values == tuple(it.accuracy.value for it in found.layers)
        assert set(lines["static"].values) == {found.static.accuracy.value}
        figure = probes_figure(found.layers, found.static, 2, LIGHT, "r")
        roles = {trace.meta["role"]: trace for trace in figure.data}
        assert {*lines, "band", "chosen"} <= set(roles)
        assert roles["chosen"].x == [2.0]
        band = np.array(roles["band"].y, float)
        assert band.max() == pytest.approx(max(it.accuracy.high for it in found.layers), abs=1e-6)
        low, high = figure.layout.yaxis.range
        assert low <= band.min()
        assert high >= band.max()

    def test_each_label_has_a_colour_until_they_run_out(self):
        labels = [f"l{row % 9}" for row in range(90)] + ["l0"]
        layer = label_layer(labels, ["l8"], "", LIGHT)
        names = [entry["label"] for entry in layer.legend["entries"]]
        assert names[0] == "l8"
        assert names[-1] == "other labels"
        assert len({entry["color"] for entry in layer.legend["entries"]}) == len(names)
        assert layer.values[8] == 0
        assert len({layer.values[row] for row, it in enumerate(labels) if it == "l0"}) == 1


class TestParting:
    @given(st.integers(0, 10_000), st.integers(2, 4))
    def test_it_is_scikit_learns(self, seed, senses):
        from sklearn.metrics import silhouette_samples

        generator = np.random.default_rng(seed)
        states = generator.normal(size=(24, 5)).astype(np.float32)
        labels = [f"s{it}" for it in np.arange(24) % senses]
        found = sense_separation(states, labels)
        theirs = silhouette_samples(states.astype(np.float64), labels, metric="cosine")
        np.testing.assert_allclose(found.by_item, theirs, atol=1e-5)

    def test_two_clouds_part_and_shuffled_labels_do_not(self):
        generator = np.random.default_rng(0)
        centres = np.repeat(np.eye(6)[:2] * 5, 15, axis=0)
        states = (centres + generator.normal(size=(30, 6))).astype(np.float32)
        found = sense_separation(states, ["river"] * 15 + ["money"] * 15)
        assert found.silhouette > 0.5
        assert abs(found.null_mean) < 0.05
        assert found.null_high < 0.15

    def test_a_sense_of_one_sentence_scores_nothing(self):
        states = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
        found = sense_separation(states, ["a"] * 4 + ["b"] * 4 + ["c"])
        assert found.by_item[-1] == 0

    @pytest.mark.parametrize(
        ("states", "senses", "said"),
        [
            (np.ones((3, 2), np.float32), ["a", "a", "a"], "found 1 sense among 3"),
            (np.ones((2, 2), np.float32), ["a", "b"], "more states than senses"),
            (np.ones((3, 2), np.float32), ["a", "b"], "one sense a state"),
            (np.zeros((3, 2), np.float32), ["a", "b", "b"], "length 0"),
        ],
    )
    def test_what_cannot_be_asked(self, states, senses, said):
        with pytest.raises(InvalidSpecification, match=said):
            sense_separation(states, senses)
