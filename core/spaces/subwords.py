"""Pieces of words among the items of a space: ``##ing`` goes on with a word, ``do##`` goes on into
the next piece. (That is WordPiece's own mark, and here the one of every tokenizer's pieces.)"""

GOES_ON = "##"


def follows(text: str) -> bool:
    """Whether a piece goes on with the word before it.

    >>> [follows(text) for text in ("##ing", "do##", "dog", "##")]
    [True, False, False, False]
    """
    return text.startswith(GOES_ON) and len(text) > len(GOES_ON)


def is_piece(text: str) -> bool:
    """Whether a text is a piece of a word.

    >>> [is_piece(text) for text in ("##ing", "do##", "dog", "##")]
    [True, True, False, False]
    """
    return follows(text) or (text.endswith(GOES_ON) and len(text) > len(GOES_ON))


def bare(text: str) -> str:
    """A text without the marks of a piece.

    >>> [bare(text) for text in ("##ing", "do##", "dog", "##")]
    ['ing', 'do', 'dog', '##']
    """
    if follows(text):
        return text.removeprefix(GOES_ON)
    return text.removesuffix(GOES_ON) if is_piece(text) else text
