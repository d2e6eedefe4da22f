"""Texts that people typed, as Streamlit's Markdown shows them: as they are."""


def plain(text: object, limit: int = 600) -> str:
    """Text in which no Markdown is left, so that a word can be no heading, link or picture.

    A picture most of all: `![](http://...)` in a link, repeated by an error, would be fetched.

    >>> plain("![x](y)", 5)
    '\\\\!\\\\[x\\\\]…'
    """
    said = str(text)
    short = said if len(said) <= limit else said[: limit - 1] + "…"
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|~$:<>" else letter for letter in short
    )
