"""The wheel carries everything that the app needs outside of the core package."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("meaning_space-*.whl")
    return zipfile.ZipFile(path)


def files_under(folder: str) -> set[str]:
    """The files that git would track there: no caches, nothing hidden inside."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("folder", ["pages", "assets", ".streamlit"])
def test_the_site_is_inside(wheel: zipfile.ZipFile, folder: str) -> None:
    expected = {f"core/_site/{name}" for name in files_under(folder)}
    assert expected
    assert expected <= set(wheel.namelist())


def test_the_entry_page_is_the_same(wheel: zipfile.ZipFile) -> None:
    assert wheel.read("core/_site/app.py") == (ROOT / "app.py").read_bytes()


def test_all_of_core_is_inside_and_nothing_of_the_tests(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {name for name in files_under("core") if name.endswith(".py")} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_the_command_is_declared(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "meaning-space = core.cli:main" in wheel.read(name).decode()


def test_the_licence_travels_along(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert "MIT License" in wheel.read(name).decode()
