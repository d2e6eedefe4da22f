"""Texts in gensim's test data, news and encyclopedia: whole, and as ``minilm:sentences`` has them.

350 short news documents (Lee, Pincombe & Welsh 2005) and 106 whole Wikipedia articles. What
is kept reads as a sentence: whole, of 5 to 60 words, without markup, and without the holes
that a removed formula or template leaves.
"""

import bz2
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.errors import TeacherUnavailable
from core.spaces.words import lines_of
from core.teachers.packages import package_folder, package_version

NEWS = ("lee_background.cor", "lee.cor")
WIKIPEDIA = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
FEWEST_WORDS, MOST_WORDS = 5, 60
HOLE = "\ue000"  # stands where something was taken out of a sentence

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
REFERENCE = re.compile(r"<ref\b[^>/]*/>|<ref\b[^>]*>.*?</ref\s*>", re.DOTALL | re.IGNORECASE)
BLOCK = re.compile(
    r"<(gallery|timeline|pre|source|syntaxhighlight|score|imagemap|table)\b.*?</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
FORMULA = re.compile(
    r"<(math|chem|hiero|nowiki|code|sup|sub|blockquote|poem)\b.*?</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
NOTE_TEMPLATE = re.compile(
    r"\{\{\s*(?:citation needed|cn|fact|sfn\w*|efn\w*|refn|rp|harv\w*|r\||who|when|clarify\w*|page "
    r"needed|dubious|by whom|verify\w*|cite\b|citation\b|anchor|small|as of|dead link|vague|"
    r"weasel\w*|or\b|failed verification|specify|which|#tag:ref|note\w*|ref\w*|better source)"
    r"[^{}]*\}\}",
    re.IGNORECASE,
)
TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
TABLE = re.compile(r"\{\|(?:(?!\{\|).)*?\|\}", re.DOTALL)
PICTURE = re.compile(
    r"\[\[\s*(?:file|image)\s*:(?:[^\[\]]|\[\[[^\[\]]*\]\]|\[[^\[\]]*\])*\]\]", re.IGNORECASE
)
HEADING = re.compile(r"^=+[ \t]*(.*?)[ \t]*=+[ \t]*$", re.MULTILINE)
EMPTIED = re.compile(r" ?\([ ,;]*\)")  # brackets in which all was taken out
NOT_PROSE = re.compile(r"^\s*[=*#:;|!{}<\-]")
ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|Gen|Col|Lt|Sgt|Capt|Rev|Sen|Gov|Rep|Hon|Jr|Sr|vs|cf|ca|etc|"
    r"No|Nos|vol|Vol|pp|p|ed|eds|fl|Fig|op|al|approx|Inc|Ltd|Co|Corp|Jan|Feb|Aug|Sept|Oct|Nov|Dec|"
    r"e\.g|i\.e|c|b|d|r|v|lit|trans|Op)|\b[A-Z]|\.[A-Za-z])\.$"
)
END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(]*[A-Z0-9])")
WHOLE = re.compile(r"^[\"“‘']?[A-Z0-9].*[.!?][\"”’')]*$", re.DOTALL)
MARKUP = re.compile(
    r"[{}<>|=\[\]\\^_~•→\ue000]|''|https?:|www\.|&\w+;|\(\s*[,;)]|\s[,;:)](?:\s|$)|\s\.|,,|\.\.$"
    r"|\(\s|\b(?:thumb|px|ISBN|UTC)\b|[–—-]\s*[,.)]|^\d+\.|\*"
)


@dataclass(frozen=True)
class Sentence:
    """A sentence and the title of the document that it stands in."""

    text: str
    document: str
    source: str  # "news" or "wikipedia"


@dataclass(frozen=True)
class Document:
    """A whole text; no two have the same title."""

    title: str
    text: str
    source: str  # "news" or "wikipedia"


def corpus_documents() -> tuple[Document, ...]:
    """All documents, news first, as plain text, each once. Raises TeacherUnavailable.

    What stood in a removed formula or template is left out; headings and lists lose their marks.
    """
    texts: dict[str, Document] = {}
    titles: dict[str, int] = {}
    for source, title, marked in (*_news(), *_wikipedia()):
        text = unmarked(marked)
        if text not in texts:
            titles[title] = titles.get(title, 0) + 1
            own = title if titles[title] == 1 else f"{title} ({titles[title]})"
            texts[text] = Document(own, text, source)
    return tuple(texts.values())


def unmarked(text: str) -> str:
    r"""Text without the marks of headings and lists, and without holes.

    >>> unmarked("== Uses ==\n\n\n* as \ue000 food (\ue000; )")
    'Uses\n\nas food'
    """
    text = HEADING.sub(r"\1", text.replace(HOLE, " "))
    text = re.sub(r"^[*#:; \t]+", "", text, flags=re.MULTILINE)
    text = re.sub(r"\([ ,;]+", "(", EMPTIED.sub("", text))
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r"\n\s*\n\s*", "\n\n", text).strip()


@lru_cache(maxsize=1)
def corpus_sentences() -> tuple[Sentence, ...]:
    """All sentences in the order of the texts, each once. Raises TeacherUnavailable."""
    found: dict[str, Sentence] = {}
    for source, title, text in (*_news(), *_wikipedia()):
        for sentence in sentences_of(text):
            found.setdefault(sentence.casefold(), Sentence(sentence, title, source))
    return tuple(found.values())


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of plain text that are whole and read as such.

    >>> list(sentences_of("Dr. Smith went to the U.S. Senate on Monday. He spoke. (And , left"))
    ['Dr. Smith went to the U.S. Senate on Monday.']
    """
    for line in lines_of(text):
        if NOT_PROSE.match(line):
            continue
        for sentence in _split(line):
            if reads_as_sentence(sentence):
                yield sentence


def reads_as_sentence(text: str) -> bool:
    """Whole, of a usual length, mostly letters, brackets and quotes closed, no markup left."""
    if not WHOLE.match(text) or MARKUP.search(text):
        return False
    if not FEWEST_WORDS <= len(text.split()) <= MOST_WORDS:
        return False
    if text.count("(") != text.count(")") or text.count('"') % 2:
        return False
    if text.count("“") != text.count("”"):
        return False
    letters = sum(character.isalpha() or character == " " for character in text)
    return letters >= 0.85 * len(text)


def plain(wikitext: str) -> str:
    """The prose of an article's wikitext; a hole marks what a sentence lost."""
    from gensim.corpora import wikicorpus

    text = html.unescape(wikitext)
    for pattern in (COMMENT, REFERENCE, BLOCK):
        text = pattern.sub("", text)
    text = FORMULA.sub(HOLE, text)
    text = _nested(NOTE_TEMPLATE, "", text)
    text = _nested(TEMPLATE, HOLE, text)
    text = _nested(TABLE, "\n", text)
    text = _nested(PICTURE, "", text)
    text = wikicorpus.filter_wiki(text)
    text = re.sub(r"'{2,}", "", text).replace("\xa0", " ")
    text = re.sub(rf"^(?:\s*{HOLE})+", "", text, flags=re.MULTILINE)
    return re.sub(r"[ \t]+", " ", text)


def _nested(pattern: re.Pattern[str], instead: str, text: str) -> str:
    """Replace from the inside out until nothing is left."""
    for _ in range(20):
        text, count = pattern.subn(instead, text)
        if not count:
            break
    return text


def _split(line: str) -> Iterator[str]:
    start = 0
    for match in END.finditer(line):
        if line[match.start()] == "." and ABBREVIATION.search(line[start : match.start() + 1]):
            continue
        yield line[start : match.end()].strip()
        start = match.end()
    if line[start:].strip():
        yield line[start:].strip()


def _data(name: str) -> Path:
    path = package_folder("gensim") / "test" / "test_data" / name
    if not path.is_file():
        raise TeacherUnavailable(
            f"found no {name} in gensim's test data; expected the texts of minilm:sentences: "
            "run `pip install --force-reinstall gensim`"
        )
    return path


def _news() -> Iterator[tuple[str, str, str]]:
    for name in NEWS:
        for document in lines_of(_data(name).read_text(encoding="utf-8", errors="replace")):
            title = " ".join(document.split()[:7])
            yield "news", f"News: {title}…", document.replace("--", " – ").replace("\ufffd", HOLE)


def _wikipedia() -> Iterator[tuple[str, str, str]]:
    from gensim.corpora import wikicorpus

    with bz2.open(_data(WIKIPEDIA)) as file:
        for title, text, _ in wikicorpus.extract_pages(file, filter_namespaces=("0",)):
            if text and not text.lstrip().casefold().startswith("#redirect"):
                yield "wikipedia", title, plain(text)


def corpus_identity() -> str:
    """What tells the packaged texts from those of another version."""
    return f"gensim {package_version('gensim')}"


def some_sentences(count: int, seed: int = 0) -> list[Sentence]:
    """Sentences of the packaged corpus, drawn with a seed. Raises TeacherUnavailable."""
    corpus = corpus_sentences()
    rows = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return [corpus[row] for row in rows]
