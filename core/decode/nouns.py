"""Nouns that a model is asked to name, to tell in which layers it can.

``NOUNS`` are sixty that are one token behind a space for SmolLM2, and for most tokenizers. ``CUT``
are seven that it has in pieces. None is an example of the prompt that asks for a word.
"""

NOUNS = (
    *("river", "mountain", "forest", "ocean", "desert", "island", "storm", "cloud", "tree"),
    *("flower", "dog", "cat", "horse", "bird", "fish", "lion", "elephant", "bread", "apple"),
    *("cheese", "coffee", "house", "door", "window", "bridge", "tower", "road", "garden"),
    *("kitchen", "school", "church", "hospital", "car", "train", "boat", "clock", "mirror"),
    *("camera", "computer", "piano", "letter", "money", "gold", "king", "doctor", "teacher"),
    *("soldier", "justice", "music", "war", "spider", "guitar", "book", "queen", "child"),
    *("bicycle", "lighthouse", "crocodile", "origami", "velvet"),
)
CUT = (
    "avalanche",
    "hedgehog",
    "trampoline",
    "saxophone",
    "rhubarb",
    "windmill",
    "lullaby",
)
