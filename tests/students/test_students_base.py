"""What every student rests on: the folder, the checkpoints of a training, and the training loop."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_students import FAMILIES, FlatSpec, ToySpec, registered

from core.errors import Cancelled, InvalidSpecification, InvalidStudent, StoreError, TrainingFailed
from core.students import registry, storage
from core.students import training as training_room
from core.students.checkpoint import CHECKPOINT, HISTORY, Checkpoints
from core.students.storage import parts, size_bytes
from core.students.training import Schedule


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def flat(tiny_space) -> Any:
    return registry.fit(tiny_space, FlatSpec())


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


class TestSpecification:
    def test_is_found_again_from_json(self):
        spec = ToySpec(bytes_per_item=12.5, seed=7, steps=9)
        stored = json.loads(json.dumps(spec.to_dict()))
        assert ToySpec.from_dict(stored) == spec
        assert stored["family"] == "toy"

    @given(st.floats(0.1, 1e6), st.integers(0, 2**32 - 1))
    def test_its_digest_depends_on_every_field(self, amount, seed):
        spec = ToySpec(bytes_per_item=amount, seed=seed)
        assert spec.digest == ToySpec(bytes_per_item=amount, seed=seed).digest
        assert spec.digest != ToySpec(bytes_per_item=amount, seed=seed, steps=41).digest
        assert spec.digest != FlatSpec(bytes_per_item=amount, seed=seed).digest

    @pytest.mark.parametrize(
        "values", [{"bytes_per_item": 0}, {"bytes_per_item": float("nan")}, {"seed": -1}]
    )
    def test_values_outside_their_range(self, values):
        with pytest.raises(InvalidSpecification, match="expected"):
            ToySpec(**values)

    def test_unknown_names_are_listed(self):
        with pytest.raises(InvalidSpecification, match="found rate for the family flat"):
            FlatSpec.from_dict({"rate": 1})

    def test_an_unknown_family(self):
        with pytest.raises(InvalidSpecification, match="expected one of transform, codes, vae"):
            registry.family("gan")


class TestFolder:
    def test_a_student_comes_back_as_it_was(self, flat, tiny_space, tmp_path):
        storage.save(flat, tmp_path / "s")
        back = registry.load(tmp_path / "s")
        np.testing.assert_array_equal(
            back.generate(tiny_space.texts), flat.generate(tiny_space.texts)
        )
        assert (back.spec, back.origin, back.notes) == (flat.spec, flat.origin, flat.notes)
        held = sum(it.stat().st_size for it in (tmp_path / "s").iterdir())
        assert held == size_bytes(back) == size_bytes(flat) == sum(parts(flat).values())

    def test_saving_twice_replaces_it(self, flat, tmp_path):
        storage.save(flat, tmp_path / "s")
        before = storage.digest(tmp_path / "s")
        storage.save(flat, tmp_path / "s")
        assert storage.digest(tmp_path / "s") == before
        assert [it.name for it in tmp_path.iterdir()] == ["s"]

    def test_a_foreign_folder_is_not_overwritten(self, flat, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("years of work")
        with pytest.raises(StoreError, match="with other things in it"):
            storage.save(flat, tmp_path / "mine")
        assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
        (tmp_path / "file").write_text("mine too")
        with pytest.raises(StoreError, match="with other things in it"):
            storage.save(flat, tmp_path / "file")

    @pytest.mark.parametrize("call", ["write_bytes", "mkdir"])
    def test_a_full_disk_leaves_nothing_half_written(self, flat, tmp_path, monkeypatch, call):
        storage.save(flat, tmp_path / "old")
        before = storage.digest(tmp_path / "old")
        with monkeypatch.context() as patch:
            patch.setattr(Path, call, full)
            for name in ("old", "new"):
                with pytest.raises(StoreError, match="No space left on device"):
                    storage.save(flat, tmp_path / name)
        assert storage.digest(tmp_path / "old") == before
        assert {it.name for it in tmp_path.iterdir()} == {"old"}

    def test_the_old_one_comes_back_when_the_new_one_cannot_take_its_place(
        self, flat, tmp_path, monkeypatch
    ):
        storage.save(flat, tmp_path / "s")
        before = storage.digest(tmp_path / "s")
        rename = Path.rename

        def failing(self: Path, target: Path) -> Path:
            if self.name.startswith(".s.") and not self.name.endswith("-old"):
                full()
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", failing)
            with pytest.raises(StoreError, match="No space left on device"):
                storage.save(flat, tmp_path / "s")
        assert storage.digest(tmp_path / "s") == before
        assert {it.name for it in tmp_path.iterdir()} == {"s"}

    def test_a_newer_version_says_to_update(self, flat, tmp_path):
        storage.save(flat, tmp_path / "s")
        file = tmp_path / "s" / storage.DESCRIPTION
        said = json.loads(file.read_text())
        file.write_text(json.dumps({**said, "format": 99}))
        with pytest.raises(InvalidStudent, match=r"format 99.*newer version, so update"):
            registry.load(tmp_path / "s")

    def test_changed_arrays_are_noticed(self, flat, tmp_path):
        storage.save(flat, tmp_path / "s")
        file = tmp_path / "s" / storage.ARRAYS
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        with pytest.raises(InvalidStudent, match="another digest"):
            registry.load(tmp_path / "s")

    @pytest.mark.parametrize("name", [storage.DESCRIPTION, storage.ARRAYS])
    @pytest.mark.parametrize("kept", [0.0, 0.5, None])
    def test_cut_and_missing_files(self, flat, tmp_path, name, kept):
        storage.save(flat, tmp_path / "s")
        file = tmp_path / "s" / name
        if kept is None:
            file.unlink()
        else:
            content = file.read_bytes()
            file.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(InvalidStudent, match="expected"):
            registry.load(tmp_path / "s")

    @pytest.mark.parametrize(
        "change",
        [
            {"family": "gan"},
            {"family": 3},
            {"spec": {"rate": 1}},
            {"spec": None},
            {"origin": {}},
            {"payload": {}},
            {"format": "one"},
        ],
    )
    def test_a_description_of_something_else(self, flat, tmp_path, change):
        storage.save(flat, tmp_path / "s")
        file = tmp_path / "s" / storage.DESCRIPTION
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
        with pytest.raises(InvalidStudent, match="found"):
            registry.load(tmp_path / "s")


class TestKeeper:
    def test_what_is_kept_comes_back(self, tmp_path):
        checkpoints = Checkpoints(tmp_path / "t")
        tensors = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(5)}
        checkpoints.save(tensors, {"step": 4})
        arrays, payload = Checkpoints(tmp_path / "t").restore() or ({}, {})
        assert payload == {"step": 4}
        np.testing.assert_array_equal(arrays["a"], tensors["a"])
        np.testing.assert_array_equal(arrays["b"], tensors["b"])

    @given(st.floats(0, 0.999))
    def test_a_checkpoint_cut_anywhere_is_none(self, tmp_path_factory, share):
        checkpoints = Checkpoints(tmp_path_factory.mktemp("cut"))
        checkpoints.save({"a": np.arange(100.0)}, {"step": 1})
        assert not checkpoints.cut_short()
        assert checkpoints.folder is not None
        file = checkpoints.folder / CHECKPOINT
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])
        assert checkpoints.restore() is None
        assert checkpoints.cut_short()
        checkpoints.begin_anew()
        assert not checkpoints.cut_short()

    def test_a_full_disk_keeps_the_last_checkpoint(self, tmp_path, monkeypatch):
        checkpoints = Checkpoints(tmp_path / "t")
        checkpoints.save({"a": np.zeros(3)}, {"step": 1})
        checkpoints.record({"step": 1, "loss": 0.5})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            patch.setattr(Path, "open", full)
            patch.setattr("builtins.open", full)
            with pytest.raises(StoreError, match=r"No space left.*free some space, then resume"):
                checkpoints.save({"a": np.ones(3)}, {"step": 2})
            with pytest.raises(StoreError, match="No space left"):
                checkpoints.record({"step": 2, "loss": 0.4})
        _, payload = checkpoints.restore() or ({}, {})
        assert payload == {"step": 1}
        assert {it.name for it in (tmp_path / "t").iterdir()} == {CHECKPOINT, HISTORY}

    def test_history_goes_on_after_a_return_to_a_checkpoint(self, tmp_path):
        checkpoints = Checkpoints(tmp_path)
        for step, loss in ((1, 0.9), (2, 0.8), (3, 0.7), (2, 0.81)):
            checkpoints.record({"step": step, "loss": loss})
        with (tmp_path / HISTORY).open("a") as file:
            file.write('{"step": 4, "lo')
        assert [(it["step"], it["loss"]) for it in checkpoints.history()] == [
            (1, 0.9),
            (2, 0.81),
            (3, 0.7),
        ]

    def test_without_a_folder_nothing_is_kept(self):
        checkpoints = Checkpoints()
        checkpoints.save({"a": np.zeros(1)}, {})
        checkpoints.record({"step": 1})
        assert checkpoints.restore() is None
        assert checkpoints.history() == []
        assert not checkpoints.cut_short()


class TestTraining:
    SPEC = ToySpec(steps=24)

    def made(self, tiny_space, spec=SPEC, folder=None, until=None) -> Any:
        def progress(done: int, total: int, message: str) -> bool:
            return until is None or done < until

        return registry.fit(tiny_space, spec, progress, Checkpoints(folder)).stored().arrays

    def table(self, *arguments, **named) -> Any:
        return self.made(*arguments, **named)["weights.table"]

    @pytest.mark.parametrize("stop", [1, 2, 13, 23])
    def test_a_resumed_training_ends_bit_for_bit_the_same(self, tiny_space, tmp_path, stop):
        whole = self.table(tiny_space)
        with pytest.raises(Cancelled, match=f"stopped at step {stop} of 24; it can be resumed"):
            self.made(tiny_space, folder=tmp_path, until=stop)
        np.testing.assert_array_equal(self.table(tiny_space, folder=tmp_path), whole)
        assert Checkpoints(tmp_path).history()[-1]["step"] == 24

    def test_many_stops_change_nothing(self, tiny_space, tmp_path):
        for stop in range(3, 24, 4):
            with pytest.raises(Cancelled):
                self.made(tiny_space, folder=tmp_path, until=stop)
        np.testing.assert_array_equal(
            self.table(tiny_space, folder=tmp_path), self.table(tiny_space)
        )

    def test_a_stop_in_the_last_step_finishes(self, tiny_space, tmp_path):
        stopped = self.table(tiny_space, folder=tmp_path, until=24)
        np.testing.assert_array_equal(stopped, self.table(tiny_space))

    def test_another_seed_learns_otherwise(self, tiny_space):
        other = self.table(tiny_space, spec=ToySpec(steps=24, seed=1))
        assert not np.array_equal(other, self.table(tiny_space))

    def test_a_cut_checkpoint_begins_anew(self, tiny_space, tmp_path):
        with pytest.raises(Cancelled):
            self.made(tiny_space, folder=tmp_path, until=10)
        file = tmp_path / CHECKPOINT
        file.write_bytes(file.read_bytes()[:100])
        np.testing.assert_array_equal(
            self.table(tiny_space, folder=tmp_path), self.table(tiny_space)
        )

    def test_a_checkpoint_of_another_model_is_not_taken(self, tiny_space, tmp_path):
        Checkpoints(tmp_path).save({"module.weight": np.zeros((2, 2), np.float32)}, {"step": 20})
        np.testing.assert_array_equal(
            self.table(tiny_space, folder=tmp_path), self.table(tiny_space)
        )

    def test_nan_stops_it_and_keeps_the_last_good_checkpoint(
        self, tiny_space, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(training_room, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)  # every step
        spoilt = ToySpec(steps=24, spoil_at=11)
        with pytest.raises(TrainingFailed, match=r"loss of nan at step 11.*of step 11 is kept"):
            self.made(tiny_space, spec=spoilt, folder=tmp_path)
        found = Checkpoints(tmp_path).restore()
        assert found is not None
        assert found[1]["step"] == 11
        assert all(np.isfinite(array).all() for array in found[0].values())

    def test_it_shows_what_it_has_learnt(self, tiny_space, tmp_path):
        self.made(tiny_space, folder=tmp_path)
        rows, vectors, step = Checkpoints(tmp_path).previewed() or (None, None, None)
        assert step == 24
        assert vectors is not None
        assert rows is not None
        assert vectors.shape == (len(rows), tiny_space.dim)
        assert np.isfinite(vectors).all()

    def test_the_rate_rises_and_falls(self):
        rates = [Schedule(100, rate=2.0, warm_up=10).at(step) for step in range(101)]
        assert max(rates) <= 2.0
        assert np.argmax(rates) in range(8, 12)
        assert rates[100] == 0


def test_the_toys_are_registered():
    assert {it.name for it in FAMILIES} <= set(registry.NAMES)
