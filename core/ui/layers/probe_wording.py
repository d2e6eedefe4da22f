"""What a probe found, in words that a student knows."""

import re

import pandas as pd
import regex

from core.metrics.probes import Probed
from core.pipeline.layers.probing.verdict import Probing
from core.spaces.words import normal
from core.ui.shared.colouring import in_words
from core.ui.shared.markdown import plain

TASKS = {
    "category": "What kind of thing a word is",
    "position": "Where in the sentence a word stands",
    "length": "How long the sentence is",
    "order": "Whether the words stand in order",
    "sense": "Which sense a word has",
    "own": "Labels of your own",
}
ASKED = {
    "category": "Ten kinds of words by WordNet, such as noun, person or verb, motion. The probe is "
    "asked about words that it has never met.",
    "position": "Words 1 to 4, 5 to 9, 10 to 16 or later, in sentences that it has never met.",
    "length": "Short, middling or long, from the mean of a sentence's states.",
    "order": "Sentences as written, and the same with their words shuffled, from the mean of their "
    "states.",
    "sense": "From the word's state in sentences written for this project, a few dozen a word: the "
    "bands are wide.",
    "own": "From the mean of a text's states, or from the state of one word in it.",
}
NO_CONTROL = (
    "There is no line for random labels here: where hardly a word comes twice, or where whole "
    "texts are asked about, nothing could be learnt by heart."
)
NOT_USED = (
    "**What can be read is not what is used.** A probe finds a direction along which items with a "
    "label lie apart. Whether the model ever goes by that direction, no probe can show: it would "
    "take changing the states along it and watching what the model then does. And a probe may "
    "learn words by heart, which is why it is also given random labels (Hewitt & Liang 2019): "
    "what it reaches there, it owes to itself."
)


def class_name(name: str) -> str:
    """A label as a person reads it; WordNet's files in words."""
    part = name.partition(".")[0]
    return in_words(name) if "." in name and part in ("noun", "verb", "adj", "adv") else name


def around(text: str, word: str, words: int = 2) -> str:
    """A word with its neighbours in a text; the text's beginning where it does not stand in it.

    >>> around("He sat on the bank of the river.", "bank")
    '… on the bank of the …'
    """
    text = normal(text)
    there = regex.search(regex.escape(normal(word)), text, regex.IGNORECASE)
    if there is None or not word:
        return text[:40]
    before, behind = text[: there.start()].split(), text[there.end() :]
    left = "… " * (len(before) > words) + " ".join(before[-words:])
    match = re.match(rf"\S*(?:\s+\S+){{0,{words}}}", behind)
    right = match[0] if match else ""
    cut = " …" * bool(behind[len(right) :].strip())
    return f"{left} {there[0]}{right}{cut}".strip()


def verdict(probed: Probing) -> str:
    """The answer in a few plain sentences, as Markdown."""
    best, last = probed.layers[probed.best], probed.layers[-1]
    chance = best.majority
    if best.accuracy.low <= chance:
        return (
            f"**No layer surely says it.** At best, in layer {best.layer}, the probe is right for "
            f"{_share(best)}; always naming the commonest label is right for {chance:.0%}."
        )
    alike = all(layer.accuracy.value >= best.accuracy.low for layer in probed.layers)
    head = "All layers say it alike:" if alike else f"Layer {best.layer} says it best:"
    where = f"in layer {best.layer} " * alike
    said = [
        f"**{head}** {where}the probe is right for {_share(best)} of {probed.items:,} items, asked "
        f"about {plain(probed.apart)}s that it was not taught; always naming the commonest label "
        f"would be right for {chance:.0%}."
    ]
    if probed.static is not None:
        said.append(_against_table(best, probed.static))
    if last is not best and last.accuracy.high < best.accuracy.low:
        said.append(f"In the last layer it is {last.accuracy.value:.0%}: some of it is lost.")
    if best.selectivity == best.selectivity:  # not NaN
        said.append(
            f"On words that it has met the probe reaches {best.known:.0%}, and {best.control:.0%} "
            f"with random labels: {100 * best.selectivity:.0f} points of that are more than words "
            "learnt by heart."
        )
    return " ".join(said)


def figures_of(probed: Probing) -> pd.DataFrame:
    """A row a layer, the table first; shares of 1."""
    rows = [*([probed.static] if probed.static else []), *probed.layers]
    return pd.DataFrame(
        {
            "layer": [row.layer for row in rows],
            "right": [round(row.accuracy.value, 4) for row in rows],
            "95% from": [round(row.accuracy.low, 4) for row in rows],
            "to": [round(row.accuracy.high, 4) for row in rows],
            "always the commonest": [round(row.majority, 4) for row in rows],
            "right, words it has met": [round(row.known, 4) for row in rows],
            "random labels": [round(row.control, 4) for row in rows],
            "selectivity": [round(row.selectivity, 4) for row in rows],
        }
    )


def _against_table(best: Probed, static: Probed) -> str:
    """What context adds to the rows of the table."""
    alone = f"{static.accuracy.value:.0%}"
    if best.accuracy.low > static.accuracy.high:
        points = 100 * (best.accuracy.value - static.accuracy.value)
        return (
            f"From the table's rows alone, without any context, it is right for {alone}: context "
            f"brings {points:.0f} points."
        )
    return f"The table's rows alone, without any context, say as much: {alone}."


def _share(it: Probed) -> str:
    return f"{it.accuracy.value:.0%} (95% interval {it.accuracy.low:.0%} to {it.accuracy.high:.0%})"
