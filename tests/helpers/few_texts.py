"""Some twenty short documents that share a subject each, to stand in for the library's texts."""

from core.pipeline.layers.senses import prepared_senses
from core.teachers.corpus import Document


def few_documents() -> tuple[Document, ...]:
    """The sentences written for each sense of a word, as one document; two of a single line.

    Most have two windows of 128 tokens or three.
    """
    found: dict[str, list[str]] = {}
    for word, sentences in prepared_senses().items():
        for sentence in sentences:
            found.setdefault(f"{word}, {sentence.sense}", []).append(sentence.text)
    long = [
        Document(title, " ".join(lines), "news" if row % 2 else "wikipedia")
        for row, (title, lines) in enumerate(found.items())
    ]
    short = [
        Document("One line", "Nobody knows why the ferry was late.", "news"),
        Document("Markup", "<img src=x onerror=alert(1)> and [a](http://x.y) *b*", "wikipedia"),
    ]
    return (*long, *short)
