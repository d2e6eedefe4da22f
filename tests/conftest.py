"""What all tests share. The shapes in core's annotations are checked while the tests run."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run side by side, so each one takes one core:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that fight for them are slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import hypothesis
import pytest
from jaxtyping import install_import_hook

# Before any module of core is imported: afterwards it would check nothing.
install_import_hook("core", "beartype.beartype")

import numpy as np  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

    from core.spaces.space import Space

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = ["helpers"]  # toy_recipes.py knows the toy families from its import on
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",  # WebGL without a graphics card
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # only WebGL, not every page, is drawn by an imitated card
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # a test never reaches beyond this machine
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
NO_BROWSER = (
    "BROWSER TESTS SKIPPED: no Chromium was found. Get one with `apt install chromium` or "
    "`.venv/bin/playwright install chromium`, or name one in MEANING_SPACE_CHROMIUM."
)
STARTUP_SECONDS = 60

hypothesis.settings.register_profile("here", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("here"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def browser_required() -> bool:
    """Whether a missing browser is a failure, as it is in continuous integration."""
    return os.environ.get("MEANING_SPACE_REQUIRE_BROWSER", "") not in ("", "0")


def find_chromium() -> str | None:
    """Path of a Chromium: named in the environment, installed, or playwright's own."""
    named = os.environ.get("MEANING_SPACE_CHROMIUM")
    if named:
        return named
    installed = next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if installed:
        return installed
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    return next((str(path) for path in sorted(cache.glob("chromium-*/chrome-*/chrome"))), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if any(NO_BROWSER in str(report.longrepr) for report in terminalreporter.getreports("skipped")):
        terminalreporter.write_line(NO_BROWSER, yellow=True, bold=True)


@pytest.fixture(scope="session")
def workspace_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty workspace for the whole run; what code calls the default workspace is this one."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANING_SPACE_WORKSPACE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def worker(workspace_folder: Path) -> Iterator[None]:
    """The pages' worker process, one for the whole run: it takes seconds to start."""
    yield
    from core.ui.shared import state

    state.runner().close()
    state._runner.cache_clear()


@pytest.fixture(scope="module")
def pages(worker: None) -> Iterator[None]:
    """For the modules that open pages in Streamlit's own test driver: these are then as the app's
    server gives them, and the work that they left to the worker ends with the module."""
    from functools import cache

    from streamlit.components.v2 import manifest_scanner
    from streamlit.runtime.pages_manager import PagesManager

    from core.ui.shared import blobs, state

    make = PagesManager.__init__
    scan = cache(manifest_scanner.scan_component_manifests)

    def made(self: PagesManager, *args: object, **kwargs: object) -> None:
        PagesManager.uses_pages_directory = False
        make(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        # The driver takes a folder named pages for the older kind of app, without app.py.
        patch.setattr(PagesManager, "__init__", made)
        # Arrays and plotly.js go by their URLs, not by the megabyte inside every message.
        patch.setattr(blobs, "_served", True)
        # Each driver reads the metadata of all installed packages, as long as a page takes.
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        # Each run of a page becomes __main__, which a process that is spawned later would import.
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        yield
    left = [job.id for job in state.runner().jobs() if not job.over]
    for job_id in reversed(left):  # those that wait first, so that none of them begins
        state.runner().cancel(job_id)
    for job_id in left:
        state.runner().wait(job_id, 30.0)


@pytest.fixture(autouse=True, scope="session")
def known_to_plotly() -> Iterator[None]:
    """Every figure that a test draws is given to Plotly, which refuses what it does not know."""
    import plotly.graph_objects as go

    from core.figures.parts import Column, Figure

    told = Figure.to_dict

    def checked(self: Figure, column: Column | None = None) -> dict[str, Any]:
        whole = told(self)
        go.Figure({**whole, "frames": whole["frames"][:2]})
        return told(self, column)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "to_dict", checked)
        yield


@pytest.fixture(scope="session")
def tiny_space() -> "Space":
    """60 words in 8 dimensions: six bundles of ten that point in much the same direction."""
    from core.spaces.space import Provenance, Space

    generator = np.random.default_rng(7)
    centres = np.repeat(generator.normal(size=(6, 8)), 10, axis=0)
    vectors = centres + 0.4 * generator.normal(size=(60, 8))
    vectors *= generator.uniform(0.8, 1.2, size=(60, 1)) / np.linalg.norm(
        vectors, axis=1, keepdims=True
    )
    bundles = ("animal", "colour", "number", "city", "tool", "feeling")
    words = [f"{bundle}{index}" for bundle in bundles for index in range(10)]
    return Space.create(words, vectors, Provenance("tiny", "random bundles", seed=7))


@pytest.fixture(scope="session")
def small_space() -> "Space":
    """Some 300 words of GloVe as a space; see small_words.py."""
    from small_words import small_words

    from core.spaces.space import Provenance, Space

    return Space.create(*small_words(), Provenance("small", "GloVe"))


@pytest.fixture(scope="session")
def words_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 300 words of GloVe as a file of vectors; see small_words.py."""
    from small_words import write_words

    return write_words(tmp_path_factory.mktemp("words") / "words.npz")


@pytest.fixture(scope="session")
def words_reference(words_file: Path) -> str:
    """The reference string of that small space."""
    return f"vectors:{words_file}"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium. Without one the test is skipped, or fails where one is required."""
    executable = find_chromium()
    if executable is None:
        if browser_required():
            pytest.fail(NO_BROWSER.replace("SKIPPED", "FAILED"), pytrace=False)
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=BROWSER_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def browser_context(browser: "Browser") -> Iterator["BrowserContext"]:
    """One window, 1440 x 900, for all tests of a module: its cache spares them the libraries.

    Nothing beyond this machine may be asked for, and nothing that is would be found.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    strangers: list[str] = []

    def note(request: "Request") -> None:  # only looks: a route would switch the cache off
        if not re.match(r"(http://127\.0\.0\.1:|data:|blob:|file:)", request.url):
            strangers.append(request.url)

    context.on("request", note)
    yield context
    context.close()
    assert strangers == []


@pytest.fixture
def page(browser_context: "BrowserContext") -> Iterator["Page"]:
    """A tab of its own, to the app a visitor of its own; no error in it, and no dialog."""
    yield from _tab(browser_context)


@pytest.fixture(scope="class")
def shared_page(browser_context: "BrowserContext") -> Iterator["Page"]:
    """The same for all tests of a class that leave the page as it is."""
    yield from _tab(browser_context)


def _tab(context: "BrowserContext") -> Iterator["Page"]:
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    yield tab
    tab.close()
    assert faults == []


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running app on an empty workspace of its own; yields its address."""
    with served(tmp_path_factory.mktemp("served")) as address:
        yield address


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """The app as a process of its own on the workspace ``folder``; gives its address."""
    command = [sys.executable, "-m", "core.cli", "app", "--no-browser", "--port", "0", *options]
    log = folder / "server.log"
    own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*command, "--workspace", str(folder)],
            cwd=ROOT,
            env={**own, "PYTHONUNBUFFERED": "1"},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Read the server's output up to the line with its address, then wait until it answers."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        time.sleep(0.1)
        found = re.search(r"http://[0-9.]+:([0-9]+)", log.read_text(errors="replace"))
        if found is None:
            continue
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", int(found[1])), 5).close()
            return f"http://127.0.0.1:{found[1]}"
    raise RuntimeError(
        f"the app did not answer within {STARTUP_SECONDS} s; it said:\n"
        + log.read_text(errors="replace")
    )


@pytest.fixture(scope="module")
def small(workspace_folder: Path, words_reference: str) -> str:
    """The small space with its PCA picture and all figures, so that no page has to wait."""
    from core.pipeline import make_map
    from core.projection.base import PcaSpec

    make_map(workspace_folder, {"reference": words_reference, "spec": PcaSpec().to_dict()})
    return words_reference


@pytest.fixture(scope="module")
def address(app_server: str, words_reference: str) -> Any:
    """The address of a page with a view of the small space."""

    def at(name: str, **view: str) -> str:
        link = {"teacher": words_reference, "projector": "pca", **view}
        return f"{app_server}/{name}?{urlencode(link)}"

    return at
