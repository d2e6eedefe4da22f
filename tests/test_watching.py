"""What a person is told while a library loads a model: on the command line, and by a callback."""

import sys

import pytest
from tiny_causal import save_tiny

from core.cli import main
from core.errors import Cancelled
from core.teachers.model_folder.loading import load_model
from core.watching import waiting, watching


@pytest.fixture
def said():
    return []


@pytest.fixture
def report(said):
    def told(done: int, total: int, message: str) -> bool:
        said.append((done, total, message))
        return message != "never"

    return told


def large(folder):
    """A model's folder whose tokenizer.json has three megabytes, most of them blank."""
    reference = save_tiny(folder)
    with (folder / "tokenizer.json").open("a") as file:
        file.write(" " * 3_000_000)
    return reference


def test_the_share_of_the_whole_stands_meanwhile(said, report):
    with watching(report, "starting") as progress:
        with waiting("first"):
            pass
        progress(2, 5, "work")
        with waiting("second"):
            pass
    starting, work = (0, 0, "starting"), (2, 5, "work")
    assert said == [(0, 0, "first"), starting, work, (2, 5, "second"), work]


def test_nobody_watches_behind_the_end(said, report):
    with watching(report):
        pass
    with waiting("first"):
        assert said == []


def test_stop(report):
    with watching(report), pytest.raises(Cancelled, match="never"), waiting("never"):
        raise AssertionError


def test_a_model_says_what_of_it_is_read(said, report, tmp_path):
    large(tmp_path)
    with watching(report):
        load_model(tmp_path, "mine")
    told = [message for *_, message in said if message]
    assert told == ["Starting transformers", "Reading the tokenizer (3 MB)", "Reading the weights"]


def test_the_command_line_says_it_to_a_terminal(tmp_path, workspace_folder, capsys, monkeypatch):
    reference = large(tmp_path)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["lens", reference, "the cat", "-k", "2"]) == 0
    told = capsys.readouterr().err.split("\r\x1b[K")
    assert "Reading the tokenizer (3 MB)" in told
    assert told[-1] == ""  # the answer does not stand behind it
