"""The view of the layers page."""

from dataclasses import dataclass

from core.permalink.base import LAYER, PICTURE, TEXT, WORDS, in_link, one_of, whole


@dataclass(frozen=True, kw_only=True)
class LayersView:
    """What the layers page shows: the model that is read and a second one beside it, the question
    (one of its four views), the sentences as typed, the chosen token counted over all of them, how
    the layers are laid into one picture, the word whose senses part, the chosen layer (the page's
    own choice where there is none), and the task of the probes."""

    model: str = in_link(TEXT, "minilm")
    second: str = in_link(TEXT, "")
    show: str = in_link(one_of("sentence", "senses", "measures", "probes"), "sentence")
    sentences: tuple[str, ...] = in_link(WORDS, ())
    token: int | None = in_link(whole(0, 99_999), None)
    fit: str = in_link(one_of("joint", "aligned", "each"), "joint")
    picture: str = in_link(PICTURE, "pca")
    word: str = in_link(TEXT, "bank")
    layer: int | None = in_link(LAYER, None)
    task: str = in_link(TEXT, "category")
