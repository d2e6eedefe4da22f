"""The words of an array, in a file of text beside it: one a line, or a table parted by tabs.

TensorBoard's projector has the same pair, tensors and metadata. Of a table the first column is the
text, the others are kept; a first line above as many lines as there are rows names the columns.
"""

from pathlib import Path

import pandas as pd

from core.errors import InvalidVectors, UnreadableFile
from core.regular import read_bytes
from core.spaces.formats.bounds import readable, require_room
from core.spaces.formats.encodings import hint
from core.spaces.words import lines_of

ENDS = (".words.txt", ".txt", ".tsv", ".metadata.tsv")
SHARED = "metadata.tsv"  # TensorBoard's usual name
MOST_BYTES = 1 << 30


def beside(path: Path) -> Path | None:
    """The file of words beside an array, None where there is none."""
    own = [path.with_suffix(end) for end in ENDS]
    return next((it for it in [*own, path.with_name(SHARED)] if it != path and it.is_file()), None)


def read_words(file: Path, rows: int) -> tuple[tuple[str, ...], pd.DataFrame]:
    """A text for each of so many rows, and the other columns.

    Raises UnreadableFile for what is no UTF-8 or does not read, InvalidVectors where lines and
    rows do not match.
    """
    require_room(rows, 0, file.name)
    try:
        with readable(file.name, "a word a line"):
            lines = lines_of(read_bytes(file, MOST_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"found text that is not UTF-8 in {file.name}{hint(error.object)}; expected UTF-8: "
            "open it in an editor and save it as UTF-8"
        ) from None
    cells = [line.split("\t") for line in lines]
    wide = max(map(len, cells), default=1)
    named = wide > 1 and len(cells) == rows + 1
    if len(cells) != rows + named:
        advice = ": remove its first line" if len(cells) == rows + 1 else ""
        raise InvalidVectors(
            f"found {len(cells):,} words in {file.name} for {rows:,} rows; expected one line for "
            f"each{advice}"
        )
    odd = next((at for at, row in enumerate(cells) if len(row) != wide), None)
    if odd is not None:
        raise InvalidVectors(
            f"found {len(cells[odd])} columns on line {odd + 1:,} of {file.name}; expected {wide}, "
            "parted by tabs, on each: mend that line"
        )
    names = cells.pop(0) if named else ["text", *(f"column {at}" for at in range(2, wide + 1))]
    table = pd.DataFrame({at: [row[at] for row in cells] for at in range(1, wide)})
    return tuple(row[0] for row in cells), table.set_axis(_each_once(names[1:]), axis=1)


def _each_once(names: list[str]) -> list[str]:
    """Names of columns, those that are empty or come again told by their place."""
    return [
        name if name and name not in names[:at] else f"{name} ({at + 2})".strip()
        for at, name in enumerate(names)
    ]
