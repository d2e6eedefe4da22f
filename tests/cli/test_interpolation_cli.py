"""between and islands at the command line, on a tiny random model."""

import json
from typing import Any

import pandas as pd
import pytest
from tiny_causal import DEPTH, save_tiny

from core.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def _own_workspace(workspace_folder: Any) -> None:
    """Nothing is written to the user's own."""


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_between(model, capsys):
    found = told(capsys, "between", model, "ocean", "justice", "--layer", "2", "--steps", "5")
    assert [step["t"] for step in found["steps"]] == [0, 0.25, 0.5, 0.75, 1]
    for step in found["steps"]:
        assert {"t", "words", "entropy", "description"} <= set(step)
        assert {"text", "probability"} <= set(step["words"][0])
    assert found["layer"] == 2
    sphere = told(
        capsys, "between", model, "ocean", "justice", "--layer", "2", "--steps", "5",
        "--kind", "slerp",
    )  # fmt: skip
    assert sphere["steps"][2]["norm"] > found["steps"][2]["norm"]


def test_between_as_text(model, capsys):
    assert main(["between", model, "ocean", "justice", "--steps", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines[1:4]] == ["0.00", "0.50", "1.00"]
    assert "nats" in lines[1]


def test_islands(model, capsys, tmp_path):
    out = tmp_path / "i.parquet"
    found = told(
        capsys, "islands", model, "cat", "dog", "river", "--grid", "5", "--layer", "2",
        "--out", str(out),
    )  # fmt: skip
    assert found["cells"] == 25
    table = pd.read_parquet(out)
    assert len(table) == 25
    assert {"x", "y", "radius", "word", "probability", "kind"} <= set(table.columns)
    assert [it["text"] for it in found["concepts"]] == ["cat", "dog", "river"]
    assert main(["islands", model, "cat", "dog", "river", "--grid", "5", "--layer", "2"]) == 0
    assert "25 places" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["between", "MODEL", "cat", "cat"], "twice"),
        (["between", "MODEL", "cat", ""], "empty concept"),
        (["between", "MODEL", "cat", "dog", "--layer", str(DEPTH + 1)], "found layer 5"),
        (["between", "MODEL", "cat", "dog", "--kind", "graph"], "expected one of lerp"),
        (["between", "minilm", "cat", "dog"], "language head"),
        (["between", "path:/nowhere", "cat", "dog"], "expected"),
        (["islands", "MODEL", "cat", "dog", "dog"], "twice"),
        (["islands", "MODEL", "cat", "dog", "river", "--grid", "3"], "grid of 3"),
        (["islands", "MODEL", "a", "b", "c", "--out", "/nowhere/x/i.parquet"], "no folder"),
    ],
)
def test_bad_input_is_one_line(model, capsys, arguments, message):
    assert main([model if it == "MODEL" else it for it in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
