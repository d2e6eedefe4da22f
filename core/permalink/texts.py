"""The view of the texts page."""

from dataclasses import dataclass

from core.permalink.base import TEXT, in_link, one_of, whole


@dataclass(frozen=True, kw_only=True)
class TextsView:
    """What the texts page shows: the model that reads, documents or single sentences, what is
    searched for, the title of the document whose way is drawn, the part of it that is looked at
    (from 0), the key of a document of one's own in its place, the colour, and a place of the map of
    sentences where none is, as on the map."""

    model: str = in_link(TEXT, "minilm")
    show: str = in_link(one_of("documents", "sentences"), "documents")
    query: str = in_link(TEXT, "")
    document: str = in_link(TEXT, "")
    part: int | None = in_link(whole(0, 999_999), None)
    own: str = in_link(TEXT, "")
    colour: str = in_link(one_of("source", "region", "plain"), "source")
    spot: str = in_link(TEXT, "")
