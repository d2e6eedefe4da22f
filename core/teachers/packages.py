"""Where the packages that carry models lie, found without importing them.

Importing them would pull in sentence-transformers and with it torch, and the first picture
has to be painted before torch is loaded.
"""

import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path

from core.errors import TeacherUnavailable


def package_folder(module: str) -> Path:
    """The folder of an installed package. Raises TeacherUnavailable with the pip command."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise TeacherUnavailable(
            f"found no package {module}; expected it installed: "
            f"run `pip install {module.replace('_', '-')}`"
        )
    return Path(found.origin).parent


@cache
def package_version(module: str) -> str:
    """The version of an installed package, read once. Raises TeacherUnavailable."""
    try:
        return metadata.version(module.replace("_", "-"))
    except metadata.PackageNotFoundError:
        package_folder(module)
        return "unknown"


def file_in(folder: Path, name: str) -> Path:
    """A file that the package must hold. Raises TeacherUnavailable when it is gone."""
    path = folder / name
    if not path.is_file():
        raise TeacherUnavailable(
            f"found no {name} in {folder}; expected the package whole: install it again"
        )
    return path
