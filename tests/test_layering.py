"""Who may import whom, read off the source: imports inside functions count like any other.

errors, types, watching, cache, resources, progress, regular, atomic, integrity, weights,
context_length <- spaces <- models <- {teachers, signatures, students, projection, paths, decode,
metrics, store} <- {pipeline, figures, permalink} <- jobs <- {ui, cli} <- pages <- app
"""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEVELS = [
    {
        *(
            "",
            "errors",
            "types",
            "cache",
            "resources",
            "progress",
            "reach",
        ),  # "" is core itself: the version
        *("regular", "atomic", "integrity", "weights", "watching", "context_length"),
    },
    {"spaces"},
    {"models"},
    {
        *("teachers", "signatures", "students", "projection"),
        *("paths", "decode", "metrics", "store"),
    },
    {"pipeline", "figures", "permalink"},
    {"jobs"},
    {"ui", "cli"},
    {"pages"},
    {"app"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
FREE = LEVELS[0]  # the foundation: these may import each other
SLOW = {
    *("torch", "transformers", "sentence_transformers", "umap", "pynndescent", "numba"),
    *("faiss", "openTSNE", "gensim", "sklearn"),
}
WITH_STREAMLIT = {"ui", "pages", "app"}


class Import(NamedTuple):
    """One import: the dotted module, the line, and whether it runs when the file is imported."""

    module: str
    line: int
    at_import: bool


def files() -> list[Path]:
    found = [*ROOT.glob("core/**/*.py"), *ROOT.glob("pages/**/*.py"), *ROOT.glob("app.py")]
    return sorted(path for path in found if "_site" not in path.parts)


def room_of(module: str) -> str | None:
    """The room that a dotted module lies in; None where it is not this project's."""
    first, _, rest = module.partition(".")
    if first == "core":
        return rest.partition(".")[0]
    return first if first in ("pages", "app") else None


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(node: ast.AST, at_import: bool = True) -> Iterator[Import]:
    """Every import below a node, with ``from core import x`` read as core.x."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_import)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: a relative import; write it in full"
            for alias in child.names:
                whole = child.module in ("core", "pages") and alias.name != "__version__"
                module = f"{child.module}.{alias.name}" if whole else str(child.module)
                yield Import(module, child.lineno, at_import)
        elif isinstance(child, ast.Call) and _imports_by_name(child):
            argument = child.args[0]
            assert isinstance(argument, ast.Constant)
            yield Import(str(argument.value), child.lineno, at_import)
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        only_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from imports(child, at_import and not later and not only_typing)


def _imports_by_name(call: ast.Call) -> bool:
    """importlib.import_module("x") and __import__("x"); a computed name cannot be read here."""
    name = ast.unparse(call.func).rpartition(".")[2]
    constant = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return name in ("import_module", "__import__") and constant


def faults(module: str, source: str) -> list[str]:
    """What a file imports that it may not, one line each."""
    room = room_of(module)
    if room not in LEVEL:
        return [f"{module}: found room {room!r}; expected a place in LEVELS"]
    found = []
    for wanted, line, at_import in imports(ast.parse(source)):
        package = wanted.partition(".")[0]
        target = room_of(wanted)
        if package == "streamlit" and room not in WITH_STREAMLIT:
            found.append(f"{module}:{line} imports streamlit, which only ui, pages and app may")
        if package in SLOW and at_import and module.startswith("core"):
            found.append(f"{module}:{line} imports {package} for everybody: do it in a function")
        if target is None or target == room or (target in FREE and room in FREE):
            continue
        if target not in LEVEL:
            found.append(f"{module}:{line} imports {wanted}, which has no place in LEVELS")
        elif LEVEL[target] >= LEVEL[room]:
            found.append(f"{module}:{line} imports {wanted}: {room} may not know {target}")
    return found


def circle(sources: Mapping[str, str]) -> list[str]:
    """Modules that lead back to the first of them, imports inside functions and for types counted;
    [] where no module leads to itself."""
    arrows: dict[str, set[str]] = {module: set() for module in sources}
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            for target in _targets(node):
                named = target if target in sources else target.rpartition(".")[0]
                if named in sources and named != module:
                    arrows[module].add(named)
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as fault:
        return list(fault.args[1])
    return []


def _targets(node: ast.AST) -> list[str]:
    """The dotted names that an import may mean: the module, or what is in it."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def test_no_circle():
    sources = {module_of(path): path.read_text(encoding="utf-8") for path in files()}
    assert circle(sources) == []


def test_the_check_for_circles_itself():
    a = "from core import b"
    late = "def f():\n    from core.c import thing"
    types = "if TYPE_CHECKING:\n    import core.a"
    sources = {"core.a": a, "core.b": late, "core.c": types, "core.d": a}
    assert set(circle(sources)) == {"core.a", "core.b", "core.c"}
    assert circle({**sources, "core.c": ""}) == []


MOST_MODULES = 15  # of a folder, so that it can be read at a glance
MOST_LINES = 350  # of a module
MOST_LINES_OF_SCRIPT, MOST_CHARACTERS = 250, 140  # of a module of JavaScript, and of its lines
ALGEBRA = ("numpy.linalg", "scipy", "sklearn")
LEFT = {  # names of our own where the field has a word: these are not to come back
    *("kept", "bench", "looks", "became", "parting", "wanderings", "guesses", "nudged", "compass"),
    *("spot", "seeking", "ways", "journey", "wayfinding"),
}


def test_no_folder_holds_more_than_a_glance():
    modules = [*(path for path in files() if path.name != "__init__.py"), *scripts()]
    counted = Counter(path.parent for path in modules)
    crowded = [folder for folder, modules in counted.items() if modules > MOST_MODULES]
    assert crowded == []


def test_no_module_is_too_long_to_read():
    long = {path: path.read_text(encoding="utf-8").count("\n") for path in files()}
    assert [path for path, lines in long.items() if lines > MOST_LINES] == []


def scripts() -> list[Path]:
    return sorted([*ROOT.glob("assets/**/*.js"), *ROOT.glob("tests/assets/*.js")])


def test_no_script_is_too_long_to_read():
    read = {path: path.read_text(encoding="utf-8").split("\n") for path in scripts()}
    assert any("stage" in path.parts for path in read)
    assert [path for path, lines in read.items() if len(lines) > MOST_LINES_OF_SCRIPT] == []
    wide = [path for path, lines in read.items() if max(map(len, lines)) > MOST_CHARACTERS]
    assert wide == []


def test_tests_lie_in_the_rooms_that_they_test():
    rooms = {path.relative_to(ROOT / "core") for path in (ROOT / "core").rglob("*")}
    tested = {path.parent.relative_to(ROOT / "tests") for path in ROOT.glob("tests/*/**/test_*.py")}
    assert {room for room in tested if room.parts[0] not in ("browser", "faults")} <= rooms


def test_no_numerics_on_the_pages():
    for path in files():
        if room_of(module_of(path)) in WITH_STREAMLIT:
            source = path.read_text(encoding="utf-8")
            wanted = [each.module for each in imports(ast.parse(source))]
            assert not [module for module in wanted if module.startswith(ALGEBRA)], path
            assert "np.linalg" not in source, path


def test_modules_and_classes_have_the_names_of_the_field():
    assert [path for path in files() if path.stem in LEFT] == []
    classes = (
        node.name.lower()
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert LEFT.intersection(classes) == set()


def test_there_is_something_to_check():
    rooms = {room_of(module_of(path)) for path in files()}
    assert {"errors", "types", "spaces", "paths", "decode"} <= rooms


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_imports_go_one_way(path):
    assert faults(module_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("core.paths.graph", "from core.spaces.neighbors import nearest", ""),
        ("core.paths.graph", "from core.paths.sphere import slerp", ""),
        ("core.paths.graph", "from core import __version__", ""),
        ("core.paths.graph", "from core.decode.nearest import decode", "paths may not know decode"),
        ("core.paths.graph", "from core import pipeline", "paths may not know pipeline"),
        ("core.spaces.io", "def f():\n    import core.paths", "spaces may not know paths"),
        ("core.figures.map", "from core import jobs", "figures may not know jobs"),
        ("core.cli", "from core.ui.shared.state import x", "cli may not know ui"),
        ("core.ui.shared.state", "import pages.map", "ui may not know pages"),
        ("core.errors", "from core.types import Vector", ""),
        ("core.errors", "from core.spaces import space", "errors may not know spaces"),
        ("core.cli", "import streamlit", "which only ui, pages and app may"),
        ("core.ui.shared.state", "import streamlit as st", ""),
        ("core.teachers.hub", "def f():\n    import torch", ""),
        ("core.teachers.hub", "class A:\n    from torch import nn", "imports torch for everybody"),
        ("core.teachers.hub", "try:\n    import umap.umap_\nexcept ImportError: 0", "umap"),
        ("core.teachers.hub", "if TYPE_CHECKING:\n    import torch", ""),
        ("core.paths.x", "importlib.import_module('core.cli')", "paths may not know cli"),
        ("core.attic.x", "import os", "expected a place in LEVELS"),
        ("core.paths.x", "import core.attic.x", "which has no place in LEVELS"),
        ("app", "from core.ui.shared.state import x\nimport pages.map", ""),
    ],
)
def test_the_check_itself(module, source, fault):
    found = faults(module, source)
    assert len(found) == (1 if fault else 0)
    assert fault in "".join(found)


def test_the_command_line_starts_without_anything_heavy():
    heavy = ["numpy", "pandas", "torch", "streamlit", "plotly"]
    code = f"import sys, core.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_no_two_classes_have_one_name():
    named = Counter(
        node.name
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, times in named.items() if times > 1} == set()
