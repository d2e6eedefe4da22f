"""The students page in a real browser: train a student, watch it, ask it; pause and resume."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
SOON = 20_000  # milliseconds, for what the page does at once
LATER = 150_000  # for what the worker does, on a slow machine that is also starting


@pytest.fixture
def address(app_server: str, words_reference: str) -> Any:
    """The students page of the small space."""
    return lambda **view: f"{app_server}/student?{urlencode({'teacher': words_reference, **view})}"


def open_at(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(".ms-stage[data-ready='students']", timeout=LATER)


def learning(page: Page) -> Any:
    return page.get_by_role("heading", name="Learning")


def test_train_watch_and_ask(page, address):
    open_at(page, address(family="speller", bytes_per_item="48"))
    expect(page.get_by_text("No student yet")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Try now").click()
    expect(learning(page)).to_be_visible(timeout=SOON)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_disabled()
    expect(learning(page)).to_be_hidden(timeout=LATER)  # it has learnt, and was measured
    dot = page.locator(".ms-label.ms-chosen", has_text="speller, ")
    expect(dot).to_be_visible(timeout=SOON)
    expect(page.locator(".ms-barname", has_text="neighbours")).to_be_visible(timeout=SOON)
    page.wait_for_url(re.compile("student=speller-"), timeout=SOON)
    box = page.get_by_placeholder("try oceanic")
    box.fill("kittenish")  # nobody taught it that word
    box.press("Enter")
    page.wait_for_selector(".ms-stage[data-ready='asked kittenish']", timeout=LATER)
    answer = page.get_by_role("list", name="The student's answer").locator("li")
    expect(answer).to_have_count(10, timeout=SOON)
    expect(page.get_by_text("the student is alone here")).to_be_visible()
    answer.first.locator("button").click()  # a neighbour is asked for in its turn
    expect(page.get_by_text("Cosine between the two vectors")).to_be_visible(timeout=SOON)
    page.wait_for_url(re.compile(r"text=(?!kittenish)"), timeout=SOON)


def test_pause_resume_and_cancel(page, address):
    # so many words that it still learns when a slow browser comes to press the buttons
    open_at(page, address(teacher="glove:20000", family="codes", bytes_per_item="32"))
    page.get_by_role("button", name="Train", exact=True).click()
    expect(learning(page)).to_be_visible(timeout=SOON)
    expect(page.locator(".ms-title", has_text="Loss")).to_be_visible(timeout=LATER)
    expect(page.locator(".ms-title", has_text="amber the student")).to_be_visible(timeout=LATER)
    page.get_by_role("button", name="Pause").click()
    expect(learning(page)).to_be_hidden(timeout=LATER)
    expect(page.get_by_text(re.compile("waits at step"))).to_be_visible(timeout=SOON)
    page.reload()
    page.get_by_role("button", name="Resume").click(timeout=LATER)
    expect(learning(page)).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Cancel").click(timeout=SOON)
    expect(learning(page)).to_be_hidden(timeout=LATER)
    expect(page.get_by_text(re.compile("waits at step"))).to_be_hidden(timeout=SOON)
