"""Colours by their role, for light and dark; figures and frame take them from here alone."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Tokens:
    """One theme. Text colours keep a contrast of 4.5 to 1 or more on ``canvas`` and ``page``."""

    page: str
    canvas: str
    card: str
    text: str
    quiet: str
    line: str
    hovered: str
    accent: str
    on_accent: str
    second: str
    third: str
    label: str
    point: str
    faint: str

    def css(self) -> dict[str, str]:
        """Names as the style sheet uses them: ``on_accent`` becomes ``on-accent``."""
        return {name.replace("_", "-"): value for name, value in asdict(self).items()}


LIGHT = Tokens(
    page="#f8fafc",
    canvas="#ffffff",
    card="#ffffff",
    text="#1b2430",
    quiet="#5a6675",
    line="#d9dfe7",
    hovered="#eef2f6",
    accent="#b45309",
    on_accent="#ffffff",
    second="#0f766e",
    third="#9c4a86",
    label="#333f4f",
    point="#8394a8",
    faint="#c5ced9",
)
DARK = Tokens(
    page="#0f141c",
    canvas="#131a23",
    card="#1b2430",
    text="#e6eaf0",
    quiet="#9aa7b7",
    line="#2b3644",
    hovered="#253040",
    accent="#f5a524",
    on_accent="#1b1206",
    second="#2dd4bf",
    third="#e58fc8",
    label="#c9d3df",
    point="#7f91a8",
    faint="#3a4757",
)

OKABE_ITO = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#999999")
"""Okabe & Ito 2008: eight colours that people with any colour vision tell apart."""

VIRIDIS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
CIVIDIS = ("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838")
VIRIDIS_DARK = ("#8468cf", "#5c86cf", "#3aa6b0", "#35c18a", "#8fdc6a", "#fde725")
CIVIDIS_DARK = ("#5f74ad", "#7b8296", "#a09a80", "#c8b866", "#fee838")
"""The same orders of colour with their dark ends lifted, to be seen on dark."""


def theme(name: str | None) -> Tokens:
    """The tokens of ``"dark"``, and of ``"light"`` for anything else."""
    return DARK if name == "dark" else LIGHT
