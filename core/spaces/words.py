"""What a word, a letter and a line of a text are, by Unicode's rules and in every script.

Python's ``\\w`` and ``str.isalpha`` leave combining marks out, so that they cut *हिन्दी*, *สวัสดี*,
Arabic with vowel signs and German typed as letter and dots (NFD) into pieces; ``str.splitlines``
cuts at U+2028, U+0085, form feeds and separators that stand inside lines of real files.
"""

import unicodedata

import regex

_JOINERS = r"\u200c\u200d"  # between letters they shape them: Persian, Hindi, Malayalam
_INSIDE = rf"[\p{{L}}\p{{N}}\p{{M}}{_JOINERS}]"
_RUN = rf"[\p{{L}}\p{{N}}]{_INSIDE}*+"
_WORD = regex.compile(
    rf"{_RUN}(?:(?:['’\-‐‑·׳״]|(?<=\p{{Hebrew}})\"(?=\p{{Hebrew}})){_RUN})*+"  # don't, צה"ל
    r"|(?=\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|\p{Regional_Indicator})\X"
)
_TERM = regex.compile(rf"(?<![\p{{N}}_])\p{{L}}[\p{{L}}\p{{M}}{_JOINERS}]*+(?![\p{{N}}_])")
_LETTERS = regex.compile(rf"\p{{L}}[\p{{L}}\p{{M}}{_JOINERS}]*")
_IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
_DOTTED = regex.compile("i\u0307+")
_CLUSTER = regex.compile(r"\X")
_EAST = r"\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}"
_UNSPACED = regex.compile(rf"[\p{{Line_Break=Complex_Context}}{_EAST}]")
_PAIRED = regex.compile(rf"[{_EAST}]{{2,}}")
_ALPHABETIC = regex.compile(
    r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}\p{Georgian}\p{Hebrew}\p{Arabic}]"
)
_PART_OF_WORD = regex.compile(_INSIDE)
_RUNS = regex.compile(_RUN)
_BREAKS = regex.compile(r"\r\n?|\n")


def normal(text: str) -> str:
    """The same text with letters and marks composed (NFC): one spelling of what looks alike."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """The form in which texts are looked up: composed, without case, without what has no look.

    That is Unicode's canonical caseless matching (The Unicode Standard, D145), with the default
    ignorable code points left out (joiners, soft hyphens, directions, variation selectors) and the
    dot of a small *i* written once, so that *İstanbul* and *istanbul* meet. The Turkish *ı* and *i*
    stay two letters, as without a language they must.

    >>> folded("STRASSE") == folded("Straße"), folded("Cafe\\u0301") == folded("CAFÉ")
    (True, True)
    """
    if text.isascii():
        return text.lower()
    told = _IGNORED.sub("", text) or text
    told = unicodedata.normalize("NFD", told).casefold()
    return unicodedata.normalize("NFC", _DOTTED.sub("i", told))


def words(text: str) -> list[str]:
    """The words of a text in order; an apostrophe or a hyphen inside a word belongs to it.

    Numbers count as words, and so does an emoji. A script that writes no spaces (Chinese,
    Japanese, Thai, Khmer, ...) gives whole runs: see :func:`unspaced`.

    >>> words("हिन्दी, don't! ❤️")
    ['हिन्दी', "don't", '❤️']
    """
    told: list[str] = _WORD.findall(text)
    return told


def terms(text: str) -> list[str]:
    """What a text may be about: its words in small letters, those too short to say much left out.

    Three letters or more of an alphabet, two of a script whose letters are syllables; nothing with
    a digit. Chinese and Japanese, which write no spaces, give every two neighbouring characters, as
    search engines do; Thai and its kin whole runs, since only a dictionary could cut them.

    >>> terms("Die Brücke, न and 2nd नया 北京人")
    ['die', 'brücke', 'and', 'नया', '北京', '京人']
    """
    told: list[str] = []
    for run in _TERM.findall(normal(text).lower()):
        if _PAIRED.fullmatch(run):
            told += [run[at : at + 2] for at in range(len(run) - 1)]
        elif len(run) >= (3 if _ALPHABETIC.search(run) else 2):
            told.append(run)
    return told


def is_word(text: str) -> bool:
    """Whether a text is one word and of letters alone.

    >>> is_word("हिन्दी"), is_word("don't"), is_word("")
    (True, False, False)
    """
    return bool(_LETTERS.fullmatch(text))


def unspaced(word: str) -> bool:
    """Whether a run of letters is of a script that writes no spaces, and so may be many words."""
    return bool(_UNSPACED.search(word))


def clusters(text: str) -> list[str]:
    """What a reader sees as characters: a letter with its marks, an emoji with its parts."""
    told: list[str] = _CLUSTER.findall(text)
    return told


def inside_word(text: str, at: int) -> bool:
    """Whether a cut before the character ``at`` would part a word."""
    around = (text[at - 1 : at], text[at : at + 1]) if at > 0 else ("", "")
    return all(_PART_OF_WORD.match(one) for one in around)


def standing_alone(word: str) -> "regex.Pattern[str]":
    """A pattern for a word that is no part of a longer one, whatever its case."""
    return regex.compile(rf"(?<!{_INSIDE}|_){regex.escape(word)}(?!{_INSIDE}|_)", regex.IGNORECASE)


def lines_of(text: str) -> list[str]:
    r"""The lines of a text, cut at ``\n``, ``\r\n`` and ``\r`` alone; the last may lack its end.

    >>> lines_of("one\u2028still one\r\ntwo\n")
    ['one\u2028still one', 'two']
    """
    told: list[str] = _BREAKS.split(text)
    return told if told[-1] else told[:-1]


def letters_of(text: str) -> str:
    """What is left of a text without spaces and signs.

    >>> letters_of("a/b नमस्ते 1")
    'abनमस्ते1'
    """
    return "".join(_RUNS.findall(text))


def counted(number: int, noun: str) -> str:
    """How many of what, in English.

    >>> counted(1, "word"), counted(2000, "word")
    ('1 word', '2,000 words')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
