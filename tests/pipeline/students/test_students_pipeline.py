"""The catalogue, the making of students, their evaluation and comparison, with two toy families."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_words import small_words
from toy_students import FlatSpec, ToySpec, registered

from core import pipeline
from core.errors import (
    Cancelled,
    InvalidSpecification,
    InvalidStudent,
    JobFailed,
    StoreError,
    TrainingFailed,
    UnknownItem,
    UnknownTeacher,
    Unsupported,
)
from core.metrics.fidelity import fidelity
from core.metrics.rate_distortion import principal_variances
from core.pipeline import Workspace, distill, evaluate_kept, neighbors, pareto, path, student_key
from core.pipeline.compare.comparison import compare, sketch
from core.pipeline.students import training as distilling_room
from core.pipeline.students.answers import answer_of, measured_pareto, student_of
from core.pipeline.students.baselines import limit as limit_of_space
from core.pipeline.students.baselines import limit_cosine
from core.pipeline.students.evaluation import pair_spearman
from core.projection.base import PcaSpec
from core.spaces.linalg import paired_cosines
from core.spaces.space import Provenance, Space
from core.students import storage
from core.students.baselines import Rival
from core.students.checkpoint import CHECKPOINT

STABLE = {
    *("bytes_total", "bytes_per_item", "parameters", "relative_error", "cosine"),
    *("cosine_centred", "recall", "held_out", "seconds"),
}


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory, words_reference) -> Workspace:
    """A workspace with a toy "t" and its second seed "u", and a flat student "f", all measured."""
    workspace = Workspace(tmp_path_factory.mktemp("catalogue"))
    for key, spec in (("t", ToySpec()), ("u", ToySpec(seed=1)), ("f", FlatSpec())):
        distill(workspace, words_reference, spec, key)
    evaluate_kept(workspace, "f")
    return workspace


@pytest.fixture(scope="module")
def report(made) -> dict[str, Any]:
    """What was measured of the toy "t"."""
    return evaluate_kept(made, "t")


def stop_at(share: float) -> Any:
    def progress(done: int, total: int, message: str) -> bool:
        return done < share * total

    return progress


class TestStudio:
    def test_lists_what_there_is(self, made, words_reference):
        cards = {card.key: card for card in made.catalogue.students(words_reference)}
        assert {"t", "u", "f"} <= set(cards)
        card = cards["t"]
        assert (card.family, card.teacher, card.shipped) == ("toy", words_reference, False)
        assert card.title == f"toy, 96 bytes an item, of {words_reference}"
        held = sum(it.stat().st_size for it in card.folder.iterdir())
        assert card.bytes_total == held
        assert card.bytes_per_item == held / len(small_words()[0])
        assert cards["u"].report == {}
        assert set(cards["f"].report) >= STABLE
        assert made.catalogue.students("glove") == [
            card for card in made.catalogue.students() if card.teacher == "glove"
        ]

    def test_a_damaged_one_is_left_out_and_said_when_asked_for(self, workspace, words_reference):
        distill(workspace, words_reference, FlatSpec(), "f")
        (workspace.catalogue.made / "f" / storage.DESCRIPTION).write_text("{}")
        assert "f" not in [card.key for card in workspace.catalogue.students()]
        with pytest.raises(InvalidStudent, match="damaged"):
            workspace.catalogue.card("f")

    @pytest.mark.parametrize(
        "key", ["nobody", "", "../..", "/etc", "a\0b", "x" * 5000, "shipped-nobody", "..", "A"]
    )
    def test_unknown_keys(self, workspace, key):
        with pytest.raises(UnknownTeacher, match="found the student"):
            workspace.catalogue.where(key)
        with pytest.raises(UnknownTeacher, match="found the student"):
            workspace.space(f"student:{key}")

    @pytest.mark.parametrize("key", ["../escape", "/tmp/x", "", "."])
    def test_a_training_folder_cannot_be_escaped(self, workspace, key):
        with pytest.raises(StoreError, match="expected the key of one"):
            workspace.catalogue.discard(key)

    def test_removal(self, workspace, words_reference):
        distill(workspace, words_reference, FlatSpec(), "f")
        workspace.catalogue.remove("f")
        assert workspace.catalogue.students(words_reference) == []
        with pytest.raises(Unsupported, match="came with the program"):
            workspace.catalogue.remove("shipped-x")

    def test_all_that_the_project_ships_are_listed(self, tmp_path):
        catalogue = Workspace(tmp_path).catalogue
        folders = {path.parent.name for path in catalogue.shipped.glob("*/student.json")}
        assert len(folders) >= 7
        assert {card.key for card in catalogue.students()} == {f"shipped-{it}" for it in folders}

    def test_shipped_students_come_with_their_reports(self, made, tmp_path):
        workspace = Workspace(tmp_path / "w")
        workspace.catalogue.shipped = tmp_path / "shipped"
        shutil.copytree(made.catalogue.where("f"), tmp_path / "shipped" / "small")
        (tmp_path / "shipped" / "reports.json").write_text('{"small": {"cosine": 0.5}}')
        (card,) = workspace.catalogue.students()
        assert (card.key, card.shipped, card.report) == ("shipped-small", True, {"cosine": 0.5})
        assert student_of(workspace, "shipped-small").family == "flat"


class TestAStudentIsATeacher:
    def test_its_space_has_the_teachers_items(self, made, words_reference):
        space = made.space("student:f")
        theirs = made.space(words_reference)
        assert space.texts == theirs.texts
        assert space.name == "student:f"
        assert list(space.metadata.columns) == list(theirs.metadata.columns)
        np.testing.assert_array_equal(space.vectors, theirs.vectors.astype(np.float16))
        assert made.store.has("space", made.space_key("student:f"))

    def test_every_question_works_on_it(self, made):
        near = neighbors(made, "student:f", "dog", 5)
        assert len(near.rows) == 5
        report = path(made, "student:t", ["dog", "ocean"], "lerp", 8)
        assert len(report.curve) == 8
        picture = made.projection(made.space("student:t"), PcaSpec())
        assert len(picture.coords) == len(small_words()[0])

    def test_by_path_and_after_it_changed(self, workspace, words_reference, tmp_path):
        place = tmp_path / "elsewhere" / "mine"
        place.parent.mkdir()
        reference = f"student:{place}"
        distill(workspace, words_reference, ToySpec(steps=3), out=place)
        before = workspace.space(reference)
        distill(workspace, words_reference, ToySpec(steps=9), out=place)
        assert workspace.space(reference).digest != before.digest

    def test_any_text_of_one_that_reads(self, made):
        teacher = made.teacher("student:t")
        assert "encode" in teacher.info.can
        vector, how = teacher.represent("gribblefrobnicate")
        assert how == "read from its letters by the student"
        np.testing.assert_array_equal(vector, teacher.encode(["gribblefrobnicate"])[0])

    def test_one_that_stores_answers_like_a_table(self, made):
        teacher = made.teacher("student:f")
        assert teacher.info.can == ("rows",)
        assert teacher.represent("dog")[1] == "given back from what the student stores"
        assert teacher.represent("dog ocean")[1] == "mean of 2 words: dog ocean"
        with pytest.raises(UnknownItem, match="expected one of its"):
            teacher.represent("gribblefrobnicate")
        with pytest.raises(UnknownItem, match="empty text"):
            teacher.represent(" ")
        with pytest.raises(Unsupported, match="gives back what it stores"):
            teacher.encode(["dog"])

    def test_without_its_teacher(self, workspace, words_file, tmp_path):
        copy = tmp_path / "words.npz"
        shutil.copy(words_file, copy)
        for key, spec in (("t", ToySpec()), ("f", FlatSpec())):
            distill(workspace, f"vectors:{copy}", spec, key)
        copy.unlink()
        alone = Workspace(tmp_path)
        space = alone.space("student:f")
        assert space.texts == tuple(dict.fromkeys(small_words()[0]))
        with pytest.raises(Unsupported, match=r"which is not here, without words of its own"):
            alone.space("student:t")
        assert alone.teacher("student:t").represent("dog")[0].shape == (50,)
        assert answer_of(alone, "f", "dog").teacher_vector is None

    def test_its_answer_beside_the_teachers(self, made, words_reference):
        answer = answer_of(made, "t", "dog")
        theirs = neighbors(made, words_reference, "dog")
        texts = made.space(words_reference).texts
        assert [it[0] for it in answer.teacher_nearest] == [texts[row] for row in theirs.rows]
        assert "dog" not in [it[0] for it in answer.nearest]
        assert not answer.known
        assert answer.teacher_vector is not None
        a, b = answer.vector.astype(float), answer.teacher_vector.astype(float)
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert answer.residual == pytest.approx(1 - cosine, abs=1e-6)
        unknown = answer_of(made, "t", "gribblefrobnicate")
        assert unknown.teacher_vector is None
        assert unknown.residual is None
        assert len(unknown.nearest) == 10
        assert answer_of(made, "f", "dog").known


class TestMaking:
    def test_while_it_lasts_the_folder_says_what_is_made(self, workspace, words_reference):
        with pytest.raises(Cancelled):
            distill(workspace, words_reference, ToySpec(), "t", stop_at(0.5))
        (training,) = workspace.catalogue.trainings(words_reference)
        assert (training.key, training.teacher, training.error) == ("t", words_reference, "")
        assert training.spec == ToySpec().to_dict()
        assert training.title.startswith("toy, 96 bytes an item")
        assert workspace.catalogue.trainings("glove") == []
        assert workspace.catalogue.students(words_reference) == []
        assert workspace.catalogue.preview("t") is None or workspace.catalogue.preview("t")[2] < 40

    def test_resumed_it_is_the_same_student(self, workspace, words_reference):
        whole = distill(workspace, words_reference, ToySpec(), "whole")
        for share in (0.2, 0.5, 0.8):
            with pytest.raises(Cancelled):
                distill(workspace, words_reference, ToySpec(), "t", stop_at(share))
        (training,) = workspace.catalogue.trainings()
        again = {**training.arguments, "spec": pipeline.specification("toy", training.spec)}
        made = distill(workspace, **again)
        assert storage.digest(made.folder) == storage.digest(whole.folder)
        assert workspace.catalogue.trainings() == []

    def test_stopped_before_its_first_step(self, workspace, words_reference):
        with pytest.raises(Cancelled):
            distill(workspace, words_reference, ToySpec(), "t", stop_at(0.0))
        assert [it.key for it in workspace.catalogue.trainings()] == ["t"]
        workspace.catalogue.discard("t")
        assert workspace.catalogue.trainings() == []

    def test_a_stop_in_its_last_step_comes_too_late(self, workspace, words_reference):
        made = distill(workspace, words_reference, ToySpec(), "t", stop_at(0.9))
        assert made.student.family == "toy"
        assert workspace.catalogue.card("t").bytes_total > 0

    def test_nan_is_said_and_the_last_checkpoint_kept(self, workspace, words_reference):
        with pytest.raises(TrainingFailed, match="found a loss of nan at step 7"):
            distill(workspace, words_reference, ToySpec(spoil_at=7), "t")
        (training,) = workspace.catalogue.trainings()
        assert "found a loss of nan at step 7" in training.error
        assert (workspace.catalogue.under_way / "t" / CHECKPOINT).exists()
        assert workspace.catalogue.students(words_reference) == []

    def test_a_cut_checkpoint_is_said(self, workspace, words_reference):
        whole = distill(workspace, words_reference, ToySpec(), "whole")
        with pytest.raises(Cancelled):
            distill(workspace, words_reference, ToySpec(), "t", stop_at(0.5))
        file = workspace.catalogue.under_way / "t" / CHECKPOINT
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        said: list[str] = []
        made = distill(
            workspace,
            words_reference,
            ToySpec(),
            "t",
            lambda d, t, message: not said.append(message),
        )
        assert any("found the checkpoint cut short" in message for message in said)
        assert any("found the checkpoint cut short" in note for note in made.notes)
        assert storage.digest(made.folder) == storage.digest(whole.folder)

    def test_what_cannot_begin_leaves_nothing(self, workspace, words_reference, monkeypatch):
        def fail(*_: Any, **__: Any) -> Any:
            raise InvalidSpecification("found a budget of 1 byte; expected more: give more")

        monkeypatch.setattr(distilling_room.registry, "fit", fail)
        with pytest.raises(InvalidSpecification):
            distill(workspace, words_reference, FlatSpec(), "f")
        assert workspace.catalogue.trainings() == []
        assert list(workspace.catalogue.under_way.iterdir()) == []

    def test_a_full_disk(self, workspace, words_reference, tmp_path, monkeypatch):
        workspace.space(words_reference)
        write = Path.write_bytes

        def full(self: Path, content: bytes) -> int:
            if "student" in self.name:
                raise OSError(28, "No space left on device")
            return write(self, content)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises(StoreError, match="No space left on device"):
                distill(workspace, words_reference, ToySpec(), "t")
        assert workspace.catalogue.students(words_reference) == []
        assert list(workspace.catalogue.made.glob(".*")) == []
        assert "No space left" in workspace.catalogue.trainings()[0].error
        made = distill(workspace, words_reference, ToySpec(), "t")  # nothing is learnt twice
        assert made.folder == workspace.catalogue.where("t")

    def test_two_processes_do_not_train_the_same(self, workspace, words_reference):
        with (
            distilling_room._claimed(workspace.catalogue.under_way / "t"),
            pytest.raises(JobFailed, match="being trained by another process"),
        ):
            distill(workspace, words_reference, ToySpec(), "t")
        assert distill(workspace, words_reference, ToySpec(steps=2), "t").key == "t"

    @pytest.mark.parametrize("key", ["shipped-x", "../x", "", "A"])
    def test_keys_that_are_no_names(self, workspace, words_reference, key):
        with pytest.raises(InvalidSpecification, match="found the key"):
            distill(workspace, words_reference, FlatSpec(), key)

    def test_the_key_of_the_same_work_is_the_same(self):
        key = student_key("path:/some where/Ünïcode", ToySpec(bytes_per_item=12.5))
        assert key == student_key("path:/some where/Ünïcode", ToySpec(bytes_per_item=12.5))
        assert key != student_key("path:/some where/unicode", ToySpec(bytes_per_item=12.5))
        assert distilling_room.KEY.fullmatch(key)

    def test_values_become_a_specification(self):
        assert pipeline.specification("toy", {"steps": 7.0}) == ToySpec(steps=7)
        assert pipeline.specification("toy", {"seed": 2}, quick=True) == ToySpec(seed=2, quick=True)
        assert pipeline.specification("flat", quick=True) == FlatSpec()
        with pytest.raises(InvalidSpecification, match="found pace for the family toy"):
            pipeline.specification("toy", {"pace": 1})


class TestEvaluation:
    def test_the_fields_are_there_and_json(self, report):
        assert set(report) >= STABLE
        assert set(report["recall"]) == {"1", "10", "100"}
        assert set(report["microseconds"]) == {"1", "1024"}
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_the_bytes_are_those_on_disk(self, made, report):
        held = sum(it.stat().st_size for it in made.catalogue.where("t").iterdir())
        assert report["bytes_total"] == held == sum(report["parts"].values())

    def test_the_error_is_that_of_its_definition(self, made, report, words_reference):
        x = made.space(words_reference).vectors.astype(np.float64)
        s = made.space("student:t").vectors.astype(np.float64)
        error = np.square(x - s).sum() / np.square(x - x.mean(axis=0)).sum()
        assert report["relative_error"] == pytest.approx(error, rel=1e-5)

    def test_held_out_words_are_those_not_taught(self, report):
        held = report["held_out"]
        assert held["items"] > 5
        assert STABLE & set(held) >= {"relative_error", "cosine", "cosine_centred", "recall"}
        assert 0 <= held["true_word_in_top_10"] <= 1
        assert -1 <= held["pair_spearman"] <= 1
        assert held["relative_error"] > report["relative_error"]

    def test_one_that_only_stores_has_nothing_held_out(self, made):
        report = made.catalogue.card("f").report
        assert report["held_out"] == {}
        assert report["cosine"] == pytest.approx(1, abs=1e-5)
        assert report["recall"]["10"] > 0.99

    def test_the_worst_come_first(self, report, made):
        worst = report["worst"]
        cosines = [it["cosine_centred"] for it in worst]
        assert cosines == sorted(cosines)
        assert all(made.space("student:t").texts[it["row"]] == it["text"] for it in worst)

    def test_it_is_kept_with_the_student(self, made, report):
        assert Workspace(made.folder).catalogue.card("t").report == report

    def test_another_teacher_is_not_kept(self, made, tmp_path):
        words, vectors = small_words()
        np.savez(tmp_path / "other.npz", words=np.array(words), vectors=vectors[:, ::-1])
        report = evaluate_kept(made, "f", f"vectors:{tmp_path / 'other.npz'}")
        assert report["cosine"] < 0.9
        assert made.catalogue.card("f").report["cosine"] > 0.99
        np.savez(tmp_path / "narrow.npz", words=np.array(words), vectors=vectors[:, :5])
        with pytest.raises(InvalidSpecification, match="expected its own teacher"):
            evaluate_kept(made, "f", f"vectors:{tmp_path / 'narrow.npz'}")

    def test_it_stops_when_told(self, made):
        for share in (0.0, 0.3, 0.6, 0.8):
            with pytest.raises(Cancelled):
                evaluate_kept(made, "t", progress=stop_at(share))

    def test_the_rank_correlation_of_pairs(self):
        vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        assert pair_spearman(vectors, 3 * vectors) == pytest.approx(1)
        assert abs(pair_spearman(vectors, vectors[::-1].copy())) < 0.3
        assert np.isnan(pair_spearman(vectors[:2], vectors[:2]))


class TestComparison:
    def test_a_space_with_itself(self, made, words_reference):
        found = compare(made, words_reference, words_reference)
        assert (found.shared, *found.join.left_out) == (len(small_words()[0]), 0, 0)
        assert np.abs(found.drift).max() < 1e-5
        assert found.overlap.min() == 1
        assert found.summary["cka"] == pytest.approx(1)
        assert found.null_drift is None
        assert "neither side is a student" in found.null_note

    def test_a_turned_moved_and_scaled_copy_is_the_same(self, made, words_reference, tmp_path):
        words, vectors = small_words()
        generator = np.random.default_rng(3)
        turn = np.linalg.qr(generator.normal(size=(50, 50)))[0]
        other = 2 * np.pad(vectors, ((0, 0), (0, 0))) @ turn + 1
        np.savez(tmp_path / "turned.npz", words=np.array(words[::-1]), vectors=other[::-1])
        found = compare(made, words_reference, f"vectors:{tmp_path / 'turned.npz'}")
        assert np.abs(found.drift).max() < 1e-4
        np.testing.assert_allclose(found.b.vectors, found.a.vectors, atol=1e-3)
        assert found.summary["procrustes_residual"] < 1e-5
        assert found.summary["cosine_unaligned"] < 0.9

    def test_one_word_that_moved_is_named(self, made, words_reference, tmp_path):
        words, vectors = small_words()
        vectors = vectors.copy()
        row, to = words.index("dog"), words.index("ocean")
        vectors[row] = vectors[to] * 1.01
        np.savez(tmp_path / "moved.npz", words=np.array(words[:-5]), vectors=vectors[:-5])
        second = f"vectors:{tmp_path / 'moved.npz'}"
        drawn = sketch(made, words_reference, second)
        found = compare(made, words_reference, second)
        assert found.join.left_out == drawn.join.left_out == (5, 0)
        assert (drawn.drift == found.drift).all()  # known before any neighbour is
        assert drawn.overlap is None
        assert drawn.moved == []
        first = found.moved[0]
        assert first["text"] == "dog"
        assert "ocean" in first["gained"]
        assert first["says"].startswith("dog went from ")
        assert found.a.texts[first["row"]] == "dog"

    def test_the_null_is_the_other_seed(self, made, words_reference):
        found = compare(made, words_reference, "student:t")
        assert found.null_drift is not None
        assert found.null_drift.shape == found.drift.shape
        assert found.null_note == "the same student with seed 1"
        assert 0 < found.summary["null_drift_mean"] < found.summary["drift_mean"]

    def test_two_students_and_other_dimensions(self, made, words_reference, tmp_path):
        found = compare(made, "student:t", "student:u")
        assert found.shared == len(small_words()[0])
        words, vectors = small_words()
        wide_vectors = np.concatenate([vectors, vectors[:, :20] ** 2], axis=1)
        np.savez(tmp_path / "wide.npz", words=np.array(words), vectors=wide_vectors)
        wide = compare(made, words_reference, f"vectors:{tmp_path / 'wide.npz'}")
        assert wide.a.dim == 50
        assert wide.b.dim == 70
        assert "cosine_unaligned" not in wide.summary

    def test_without_a_second_seed(self, workspace, words_reference):
        distill(workspace, words_reference, ToySpec(steps=2), "t")
        found = compare(workspace, words_reference, "student:t")
        assert found.null_drift is None
        assert "train it again with another seed" in found.null_note

    def test_a_family_that_does_not_learn_is_made_again(self, made, words_reference):
        found = compare(made, words_reference, "student:f")
        assert found.null_drift is not None
        assert found.null_drift.max() < 1e-6

    def test_it_is_kept(self, made, words_reference, monkeypatch):
        first = compare(made, words_reference, "student:t")
        monkeypatch.setattr("core.pipeline.compare.comparison._compared", lambda *_: 1 / 0)
        again = compare(Workspace(made.folder), words_reference, "student:t")
        np.testing.assert_array_equal(again.drift, first.drift)
        np.testing.assert_array_equal(again.b.vectors, first.b.vectors)
        assert again.to_dict() == first.to_dict()

    def test_nothing_shared(self, made, words_reference, tmp_path):
        np.savez(tmp_path / "x.npz", words=np.array(["x1", "x2"]), vectors=np.eye(2))
        with pytest.raises(InvalidSpecification, match="found 0 items that"):
            compare(made, words_reference, f"vectors:{tmp_path / 'x.npz'}")

    def test_it_stops_when_told(self, workspace, words_reference):
        for share in (0.0, 0.4, 0.7, 0.9):
            with pytest.raises(Cancelled):
                compare(workspace, words_reference, "glove:400", stop_at(share))


class TestPareto:
    def test_stopped_it_goes_on_from_what_it_has(self, made, words_reference, monkeypatch):
        def short(space, vocabulary_bytes, progress, skip):
            for number in range(4):
                if not progress(number, 4, "coding"):
                    raise Cancelled("stopped")
                asked.append(number)
                if str(number) not in skip:
                    noise = np.float32(10.0 ** -(number + 1))
                    moved = (space.vectors + noise).astype(np.float32)
                    yield Rival(str(number), "noise", "", 1000 * (number + 1), moved)

        asked: list[int] = []
        measured: list[int] = []
        monkeypatch.setattr("core.pipeline.students.baselines.rivals", short)
        with pytest.raises(Cancelled):
            pareto(made, words_reference, stop_at(0.6))
        half = measured_pareto(made, words_reference)
        assert half is not None
        assert not half.complete
        assert 0 < len(half.of("rival")) < 4
        monkeypatch.setattr(
            "core.pipeline.students.baselines.fidelity",
            lambda *a, **k: measured.append(1) or fidelity(*a, **k),
        )
        whole = pareto(made, words_reference)
        assert whole.complete
        assert len(measured) == 4 - len(half.of("rival"))
        assert [point.name for point in whole.of("rival")] == ["0", "1", "2", "3"]
        errors = [point.relative_error for point in whole.of("rival")]
        assert errors == sorted(errors, reverse=True)
        asked.clear()
        assert pareto(made, words_reference).points == whole.points
        assert asked == []
        self.check_students_and_limit(made, words_reference)

    def check_students_and_limit(self, made, words_reference):
        found = measured_pareto(made, words_reference)
        assert {"f"} <= {point.key for point in found.of("student")}
        limit = found.of("limit")
        assert [point.bytes_total for point in limit] == sorted(it.bytes_total for it in limit)
        assert all(np.isnan(point.recall10) for point in limit)
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["complete"]
        # The closed form for one variance: half the logarithm of 1 / error, for each dimension.
        generator = np.random.default_rng(0)
        turned = np.linalg.qr(generator.normal(size=(64, 8)) - 0.0)[0]
        even = np.concatenate([turned, -turned]).astype(np.float32)  # mean zero, equal variances
        space = Space.create([f"w{n}" for n in range(128)], even, Provenance("t", "t"))
        quarter = next(it for it in limit_of_space(space) if it.relative_error == 0.25)
        assert quarter.bytes_per_item == pytest.approx(8 * 0.5 * np.log2(1 / 0.25) / 8, rel=1e-3)

    def test_the_limits_cosine_is_that_of_an_ideal_coder(self):
        """The Gaussian test channel: a row drawn to the mean, with its share of noise."""
        generator = np.random.default_rng(0)
        rows, noise = generator.normal(size=(2, 2_000, 300))
        space = Space.create([f"w{i}" for i in range(2_000)], rows + 0.7, Provenance("t", "g"))
        error = 0.3
        told = 0.7 + (1 - error) * rows + np.sqrt(error * (1 - error)) * noise
        cosines = paired_cosines(told, space.vectors.astype(np.float64))
        said = limit_cosine(space, error, float(principal_variances(space.vectors).sum()))
        assert said == pytest.approx(cosines.mean(), abs=2e-3)

    def test_nothing_before_it_was_asked_for(self, workspace, words_reference):
        assert measured_pareto(workspace, words_reference) is None


def test_a_specification_keeps_its_digest_when_replaced():
    assert replace(ToySpec(), seed=0).digest == ToySpec().digest
