"""The view of the compare page."""

from dataclasses import dataclass

from core.permalink.base import PICTURE, TEACHER, TEXT, WORDS, Codec, in_link, one_of

LAYOUT: Codec[str] = one_of("side", "morph")


@dataclass(frozen=True, kw_only=True)
class CompareView:
    """What the compare page shows: two spaces by their reference strings, the item that is
    selected in both, the picture that they are drawn in, side by side or one morphing into the
    other, their colour, the two texts between which a way is walked in both, and a place of one of
    the maps where no item is, as "x,y@picture"."""

    a: str = in_link(TEXT, TEACHER)
    b: str = in_link(TEXT, "")
    item: str = in_link(TEXT, "")
    picture: str = in_link(PICTURE, "umap")
    layout: str = in_link(LAYOUT, "side")
    colour: str = in_link(TEXT, "drift")
    waypoints: tuple[str, ...] = in_link(WORDS, ())
    spot: str = in_link(TEXT, "")
