"""Which encoding a file that is not UTF-8 may be in, so that an error can name it."""

BOM = b"\xef\xbb\xbf"
MARKS = (  # what begins a file that says its encoding; the longer first
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
LEGACY = "cp1252"  # Windows' own for western Europe, of which Latin-1 is nearly a part


def guessed(raw: bytes) -> str:
    """The encoding that bytes which are not UTF-8 may have; "" where nothing speaks for any.

    >>> guessed("naïve".encode("cp1252")), guessed("cat".encode("utf-16"))
    ('Windows-1252 or Latin-1', 'UTF-16')
    """
    for start, name in MARKS:
        if raw.startswith(start):
            return name
    if raw[:4000].count(0) > len(raw[:4000]) // 4:
        return "UTF-16"
    try:
        raw.decode(LEGACY)
    except UnicodeDecodeError:
        return ""
    return "Windows-1252 or Latin-1"


def hint(raw: bytes) -> str:
    """The same for the midst of an error's line: " (it may be in UTF-16)", or ""."""
    guess = guessed(raw)
    return f" (it may be in {guess})" if guess else ""
