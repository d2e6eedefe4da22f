"""Files that people have, as plain text: UTF-8, or an error that says what they may be instead."""

from pathlib import Path

from core.errors import UnreadableFile
from core.regular import read_bytes
from core.spaces.formats.encodings import hint
from core.spaces.io import SIGNATURES

EXPECTED = "plain text in UTF-8"
MOST_BYTES = 1 << 26  # of a file of texts at the command line, some ten million words
MOST = 3_000_000  # characters, some half a million words


def bytes_of(file: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file of text. Raises UnreadableFile for what is no regular file, is larger
    than ``most`` bytes or does not read; nothing that never ends is waited for."""
    try:
        return read_bytes(file, most)
    except OSError as fault:
        raise UnreadableFile(
            f"found no text in {file} ({fault.strerror or fault}); expected a text file of at most "
            f"{most:,} bytes: check the path"
        ) from None


def text_of(file: Path) -> str:
    """The same as text in UTF-8. Raises UnreadableFile."""
    try:
        return bytes_of(file).decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise UnreadableFile(
            f"found {file}, which is not UTF-8 (byte {fault.start:,}){hint(fault.object)}; "
            "expected text in UTF-8: save it so"
        ) from None


def read_plain(name: str, raw: bytes) -> str:
    """The text of a file. Raises UnreadableFile for one that is empty, too long or not UTF-8.

    >>> read_plain("a.txt", b"\\xef\\xbb\\xbfHello")
    'Hello'
    """
    for start, kind in SIGNATURES:
        if raw.startswith(start):
            raise UnreadableFile(f"found {kind} in {name!r:.80}; expected {EXPECTED}: save it so")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise UnreadableFile(
            f"found {name!r:.80}, which is not UTF-8 (byte {fault.start:,}){hint(raw)}; expected "
            f"{EXPECTED}: open it in an editor and save it as UTF-8"
        ) from None
    return require_prose(text, f"{name!r:.80}")


def require_prose(text: str, where: str = "the box") -> str:
    """The same text. Raises UnreadableFile where it is empty, too long or no text at all."""
    if not text.strip():
        what = "only spaces" if text else "nothing"
        raise UnreadableFile(f"found {what} in {where}; expected a text: write or choose one")
    if "\0" in text:
        raise UnreadableFile(
            f"found a zero character in {where}, as files have that are not text; expected "
            f"{EXPECTED}: save it so"
        )
    if len(text) > MOST:
        raise UnreadableFile(
            f"found {len(text):,} characters in {where}; expected at most {MOST:,}: bring a part "
            "of it"
        )
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UnreadableFile(
            f"found half a surrogate pair in {where}; expected {EXPECTED}: remove that character"
        )
    return text
