"""Equal texts in a real browser: the one that is chosen answers, and a lasso's file has its ids."""

import csv
import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from core.spaces.words import folded

pytestmark = pytest.mark.browser
SOON, LATER = 20_000, 60_000
ROWS = 1_000  # of which 844 have "the" in them
EQUAL = 12
TEXTS = ["the"] * EQUAL + [f"the{k}" for k in range(844 - EQUAL)]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with items of one text, with ids and a column called like one of ours."""
    generator = np.random.default_rng(0)
    others = ["Straße", "cafe\u0301", "नमस्ते", "İstanbul", *(f"x{k}" for k in range(152))]
    texts = np.array([*TEXTS, *others], dtype=object)[generator.permutation(ROWS)]
    table = {
        "text": texts,
        "vector": list(generator.normal(size=(ROWS, 6))),
        "id": [f"t{k}" for k in range(ROWS)],
        "frequency_rank": ["high", "low"] * (ROWS // 2),
    }
    file = tmp_path_factory.mktemp("equal") / "equal.parquet"
    pd.DataFrame(table).to_parquet(file)
    return f"vectors:{file}"


def test_one_of_equal_texts_is_chosen_and_kept_in_the_link(
    page: Page, app_server: str, shown: str
) -> None:
    texts = pd.read_parquet(Path(shown.partition(":")[2]))["text"]
    third = np.flatnonzero(texts == "the")[2]
    query = {"teacher": shown, "projector": "pca", "colour": "own:frequency_rank"}
    page.goto(f"{app_server}/map?{urlencode(query)}")
    page.wait_for_selector(".ms-stage[data-ready='map pca']", timeout=LATER)
    expect(page.locator(".ms-legend")).to_contain_text("high")
    search = page.locator(".ms-search")
    search.fill("the")
    options = page.locator(".ms-list [role=option]")
    expect(options.nth(2)).to_have_text(f"the 3 of 12, id t{third}")
    expect(page.locator(".ms-list")).to_contain_text("844 matches, the first 400 marked")
    options.nth(2).dispatch_event("mousedown")
    page.wait_for_url(re.compile("selected="), timeout=SOON)
    assert parse_qs(urlsplit(page.url).query)["selected"] == [f"the#t{third}"]
    expect(page.locator("p", has_text=re.compile(rf"^3 of 12, id t{third}\b"))).to_be_visible()
    for typed, wanted in (("STRASSE", "Straße"), ("CAFÉ", "cafe\u0301"), ("istanbul", "İstanbul")):
        search.fill(typed)
        expect(options).to_have_text([wanted])
        assert folded(typed) == folded(wanted)
    search.fill("")


def test_the_file_of_a_lasso_is_whole_and_has_ids(page: Page, app_server: str, shown: str) -> None:
    page.goto(f"{app_server}/map?{urlencode({'teacher': shown, 'projector': 'pca'})}")
    page.wait_for_selector(".ms-stage[data-ready='map pca']", timeout=LATER)
    page.wait_for_timeout(500)
    page.locator(".ms-plot").hover()
    page.get_by_role("button", name="Lasso Select").click()
    frame = page.locator(".ms-plot").bounding_box()
    assert frame is not None
    left, top = frame["x"] + 3, frame["y"] + 70
    right, bottom = frame["x"] + frame["width"] - 4, frame["y"] + frame["height"] - 4
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    heading = page.get_by_text(re.compile("in the lasso"))
    expect(heading).to_be_visible(timeout=SOON)
    count = int(heading.inner_text().split()[0].replace(",", ""))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    told = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(told, newline="")))
    assert len(rows) == count > 500
    kept = pd.read_parquet(Path(shown.partition(":")[2])).set_index("id")
    for row in rows:
        own = kept.loc[row["id"]]
        assert (row["text"], row["frequency_rank"]) == (own["text"], own["frequency_rank"])
