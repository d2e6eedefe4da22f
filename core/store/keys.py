"""Under which name the store keeps what was derived."""

from hashlib import blake2b


def store_key(*parts: object) -> str:
    """32 hex digits that tell what was derived from these from anything else.

    >>> store_key("a", 1) == store_key("a", 1) != store_key("a", 2)
    True
    """
    said = " ".join(map(str, parts))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
