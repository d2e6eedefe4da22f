"""A way as people write it: waypoints between arrows."""

import re

ARROW = re.compile(r"""("[^"]*"|“[^”]*”)|\s*(?:->|→|>)\s*""")


def waypoints_of(text: str) -> tuple[str, ...]:
    """Read the box: waypoints between arrows; quotes keep an arrow inside a text.

    >>> waypoints_of('dog > "a > b" -> table')
    ('dog', 'a > b', 'table')
    """
    parts, start = [], 0
    for match in ARROW.finditer(text):
        if match[1] is None:
            parts.append(text[start : match.start()])
            start = match.end()
    parts = [part.strip() for part in [*parts, text[start:]]]
    if len(parts) == 1:
        return (parts[0],) if parts[0] else ()
    return tuple(_unquoted(part) for part in parts if part)


def box_text(waypoints: tuple[str, ...]) -> str:
    """The other way round: what to write into the box for these waypoints."""
    if len(waypoints) < 2:
        return "".join(waypoints)
    return " > ".join(f'"{text}"' if ARROW.search(text) else text for text in waypoints)


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] + text[-1] in ('""', "“”")
    return text[1:-1] if quoted else text
