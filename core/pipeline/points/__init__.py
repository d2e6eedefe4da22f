"""Points of a space: the items near them, what they say, and sentences for them."""
