"""What steering did, in words; and what a push changed in a text."""

from difflib import SequenceMatcher
from math import isfinite

from core.pipeline.trajectories.steering import Steered
from core.ui.shared.markdown import plain

HELP_SCORE = """
**Above**: where the text that was written lies between your two groups of prompts: −1 is the mean
of those to steer away from, +1 of those to steer towards. It is read off sentence vectors of
another model (MiniLM), which knows nothing of the push.

**Below**: the perplexity of the text for the same model without a push: how surprised it is by
what it was made to write. 1 is no surprise. It does not see repetition: a text that goes in
circles is cheap.

The bands are 95% intervals: over texts, and for the pushes of the same length in random
directions (grey) over directions.
"""
READING = """
Above, another model says where the texts lie: −1 is what you push away from, +1 what you push
towards. Below is the price: how surprised this model is, without a push, by what it was made to
write.
"""
HELP_MADE = """
**From prompts**: the mean state of all tokens of the first group less that of the second (after
Rimsky and others 2024). Whole sentences work best.

**From word lists**: the direction that the Axes page makes of two lists of words in this layer's
space. That space is made first where it is not there, in half a minute.
"""
NOT_PROVEN = """
- That a push along a direction moves the text does not show that the model itself goes by that
  direction when nobody pushes.
- The score is a sentence model's opinion. It knows tone and topic, and cannot tell a good text
  from a broken one: that is what the price is for.
- One prompt, a few texts a strength, a small model. Another prompt may steer worse, or not at
  all. By luck alone, one random direction in 18 would beat eight others.
- What the model writes is the model's. Pushed hard it leaves what it was ever taught to say.
"""


def headline(steered: Steered) -> str:
    """Whether the direction steers: its slope against nought and against random directions."""
    if steered.slope.high < 0:
        return "It pushes the other way."
    controls = len(steered.random_slopes)
    beats = controls > 0 and steered.beaten == controls
    steady = steered.slope.low > 0
    heads = ("No surer than a random push.", "The push probably works.", "The push works.")
    return heads[beats + steady]


def verdict(steered: Steered, chosen: float) -> str:
    """What the push did and cost, as Markdown."""
    zero, one = (steered.effect("along", it) for it in (0.0, chosen))
    cost, price = (steered.price("along", it) for it in (0.0, chosen))
    if chosen == 0:
        return (
            f"**No push.** These texts lie at {zero.value:+.2f}, and the model is little surprised "
            f"by its own words: perplexity {cost.value:.1f}."
        )
    sure = f" (95% {one.low:+.2f} to {one.high:+.2f})" if isfinite(one.low) else ""
    said = [
        f"**{headline(steered)}** At {chosen:+.2f} the texts lie at {one.value:+.2f}{sure}; "
        f"without a push at {zero.value:+.2f}."
    ]
    said.append(f"Perplexity goes from {cost.value:.1f} to {price.value:.1f}.")
    controls = len(steered.random_slopes)
    if controls:
        other, dear = steered.effect("random", chosen), steered.price("random", chosen)
        said.append(
            f"Random pushes as long bring them to {other.value:+.2f}, at a perplexity of "
            f"{dear.value:.1f}. Over all strengths the direction raises the score more than "
            f"{steered.beaten} of {controls} random ones move it."
        )
    return " ".join(said)


def marked(before: str, after: str) -> str:
    """``after`` as Markdown in which the words that ``before`` has not in that place are coloured.

    >>> marked("it was good", "it was awful")
    'it was :orange[awful]'
    """
    old, new = before.split(), after.split()
    parts = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    said = []
    for what, _, _, start, stop in parts:
        words = plain(" ".join(new[start:stop]), 2_000)
        if words:
            said.append(words if what == "equal" else f":orange[{words}]")
    return " ".join(said)
