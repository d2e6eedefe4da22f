"""One ES module joined of several: Streamlit takes one text, and so does an exported page.

The modules of ``assets/`` are written apart, and nobody who uses them needs a build step: they
are put one after the other, what is imported first, without the imports. So no two of them may
declare the same name (a test holds it), and they import and export in the plainest forms only.
"""

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

_IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "(\.[\w./]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:default )?(?=(?:async )?function |class |const )", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@cache
def bundle(entry: Path) -> str:
    """The text of one module that exports what ``entry`` does, with all that it imports inside.

    Read are ``import { a, b } from "./c.js";`` and, in front of a declaration, ``export``. The
    text is made once a process.

    Raises ValueError where a module imports or exports otherwise, and CycleError, which is one,
    where modules lead back to themselves.
    """
    entry = entry.resolve()
    sources: dict[Path, str] = {}
    imports: dict[Path, list[Path]] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path] = path.read_text(encoding="utf-8")
            names = _IMPORT.findall(sources[path])
            imports[path] = [(path.parent / name).resolve() for name in names]
            waiting += imports[path]
    order = TopologicalSorter(imports).static_order()
    return "\n".join(_alone(path, sources[path], is_entry=path == entry) for path in order)


def _alone(path: Path, source: str, *, is_entry: bool) -> str:
    """A module without its imports, and without its exports if it is not the entry."""
    public = _IMPORT.sub("", source)
    private = _EXPORT.sub("", public)
    if other := _OTHER.search(private):
        raise ValueError(
            f'{path.name}: found {other[0]!r}; expected import {{ a }} from "./b.js"; or an export '
            "in front of a function, a class or a constant"
        )
    return public if is_entry else private
