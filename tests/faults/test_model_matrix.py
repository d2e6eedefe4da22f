"""A slice of docs/models.md tried anew, and the page itself."""

import json

import pytest

from benchmarks.common import RESULTS
from benchmarks.model_matrix import PAGE, page, tried_all
from core.decode.language_model import USUAL

RECORDED = json.loads((RESULTS / "model_matrix.json").read_text(encoding="utf-8"))
CELLS = RECORDED["results"]["cells"]
SLICE = ("BERT", "XLNet", "T5 encoder", "CLIP", "OPT, projected", "Gemma 3, multimodal", "Mamba")


@pytest.mark.parametrize("name", SLICE)
def test_what_works_is_what_the_page_says(name, tmp_path):
    made = tried_all(name, tmp_path)
    kinds = {column: entry["kind"] for column, entry in CELLS[name].items()}
    assert {column: cell.kind for column, cell in made.items()} == kinds, made
    for cell in made.values():
        assert "\n" not in cell.why
        assert cell.kind == "works" or ("; expected " in cell.why and str(tmp_path) not in cell.why)
    for column, cell in made.items():
        assert USUAL not in cell.why or cell.why == CELLS[name][column]["why"]


def test_the_page_is_made_of_the_results_and_has_no_faults():
    assert PAGE.read_text(encoding="utf-8") == page(CELLS, RECORDED["versions"])
    assert {entry["kind"] for row in CELLS.values() for entry in row.values()} == {
        "works",
        "refused",
    }
