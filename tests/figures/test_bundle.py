"""core.figures.bundle: several ES modules as one, and that those of assets/ can be joined."""

import re
from collections import Counter
from graphlib import CycleError
from pathlib import Path

import pytest

from core.figures.bundle import bundle
from core.resources import site_root

ASSETS = site_root() / "assets"
ENTRIES = [*sorted(ASSETS.glob("*.js")), ASSETS / "stage" / "index.js"]
DECLARED = re.compile(
    r"^(?:export )?(?:default )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE
)


@pytest.fixture
def written(tmp_path: Path):
    def write(**modules: str) -> Path:
        for name, text in modules.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return tmp_path / "entry.js"

    return write


def test_what_is_imported_comes_first_and_once(written):
    entry = written(
        entry='import { b } from "./b.js";\nimport {\n  a,\n  A,\n} from "./a.js";\nb(a, A);\n',
        b='import { a } from "./a.js";\n\nexport function b() {}\n',
        a="export const a = 1;\nexport class A {}\n",
    )
    lines = [line for line in bundle(entry).split("\n") if line]
    assert lines == ["const a = 1;", "class A {}", "function b() {}", "b(a, A);"]


def test_only_the_entry_exports(written):
    text = bundle(
        written(
            entry='import { f } from "./f.js";\nexport const h = 1;\nexport default class G {}\n',
            f='export async function f() {}\n// export is a word\nconst s = "import";\n',
        )
    )
    assert re.findall("^export.*", text, re.MULTILINE) == [
        "export const h = 1;",
        "export default class G {}",
    ]
    assert "\nasync function f() {}" in f"\n{text}"
    assert "// export is a word" in text


@pytest.mark.parametrize(
    "line",
    [
        'import a from "./a.js";',
        'import * as a from "./a.js";',
        'import { a as b } from "./a.js";',
        'import { a } from "a";',
        'import "./a.js";',
        "export { a };",
        'export * from "./a.js";',
        "export default 3;",
    ],
)
def test_other_imports_and_exports_are_errors(written, line):
    with pytest.raises(ValueError, match=r"entry\.js: found .*; expected import"):
        bundle(written(entry=f"const a = 1;\n{line}\n", a="export const a = 1;\n"))


def test_a_circle_is_an_error(written):
    with pytest.raises(CycleError):
        bundle(
            written(entry='import { a } from "./a.js";\n', a='import { e } from "./entry.js";\n')
        )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: str(path.relative_to(ASSETS)))
def test_no_two_modules_declare_one_name(entry):
    counted = Counter(DECLARED.findall(bundle(entry)))
    assert [name for name, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: str(path.relative_to(ASSETS)))
def test_the_text_can_stand_in_a_page(entry):
    assert "</script" not in bundle(entry).lower()
    assert "<!--" not in bundle(entry)


def test_the_names_are_read_at_all():
    assert {"Stage", "folded", "mountStage"} <= {
        *DECLARED.findall(bundle(ASSETS / "stage" / "index.js"))
    }


def test_every_module_of_the_stage_is_used():
    text = bundle(ASSETS / "stage" / "index.js")
    for path in (ASSETS / "stage").rglob("*.js"):
        assert path.read_text(encoding="utf-8").partition("\n")[0] in text, path


def test_it_is_joined_once():
    entry = ASSETS / "stage" / "index.js"
    assert bundle(entry) is bundle(entry)
