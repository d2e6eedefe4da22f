"""What a contextual student is asked to be, every ingredient with a switch of its own."""

from dataclasses import dataclass
from typing import ClassVar

from core.errors import InvalidSpecification
from core.students.base import StudentSpec, require_choice, require_share

SHAPES = ("thin", "half")
MOST_STEPS = 100_000


@dataclass(frozen=True, kw_only=True)
class ContextualSpec(StudentSpec):
    """``shape``: "thin" is as wide as the teacher, "half" half as wide, faster and less true.

    ``dropped`` layers are left out, by an affine map in their place or, without ``mapped``, by
    nothing. ``inner`` neurons stay in each layer (0: all), with the matrix behind them refitted
    unless ``refit`` is off. ``factorised``: the table is coded in the directions that the states
    notice, not in its own. ``felt``: everything is rounded where the states notice it least, not
    all alike. ``tuned``: what stays real learns after the rounding, with ``nudged`` the whole
    numbers too. The loss is each layer's squared error by its variance, with ``cosine`` that of
    directions and with ``relations`` that of the tokens' likeness among each other. ``steps`` of
    tuning, 0 for the usual number. ``held_out``: share of documents never trained on.
    ``quick``: a try of about half a minute.
    """

    family: ClassVar[str] = "contextual"

    bytes_per_item: float = 400.0
    shape: str = "thin"
    dropped: int = 0
    mapped: bool = True
    inner: int = 0
    refit: bool = True
    factorised: bool = True
    felt: bool = True
    tuned: bool = True
    nudged: bool = False
    cosine: bool = True
    relations: bool = True
    steps: int = 0
    held_out: float = 0.05
    quick: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(self.held_out)
        require_choice("shape", self.shape, SHAPES)
        for name, least, most in (
            ("dropped", 0, 1_000),
            ("inner", 0, 1_000_000),
            ("steps", 0, MOST_STEPS),
        ):
            if not least <= getattr(self, name) <= most:
                raise InvalidSpecification(
                    f"found {name} {getattr(self, name)}; expected {least} to {most:,}"
                )
        if self.shape == "half" and self.dropped:
            raise InvalidSpecification(
                f"found {self.dropped} dropped layers in a student of half the width; expected "
                "the shape thin, or 0 of them"
            )
