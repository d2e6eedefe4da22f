"""Large arrays travel by content address, once: a rerun of the page sends a short URL instead.

The routes exist when the app was started by ``meaning-space app``. Under a plain
``streamlit run app.py`` the same URLs are ``data:`` URLs, so everything works, only heavier.
"""

import base64
import hashlib
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

BUDGET_BYTES = 384 * 2**20
"""What the server keeps at most; the least recently used blobs go first."""
ROUTE = "meaning-space/blob/"

_blobs: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()
_served = False


def serve_by_route() -> None:
    """From now on, hand out route URLs: the server answers them."""
    global _served
    _served = True


def served() -> bool:
    """Whether blob URLs are routes of the running server."""
    return _served


def publish(payload: bytes, media: str = "application/octet-stream") -> str:
    """The URL at which a browser finds these bytes."""
    if not _served:
        return f"data:{media};base64,{base64.b64encode(payload).decode()}"
    key = hashlib.blake2b(payload, digest_size=16).hexdigest()
    with _lock:
        _blobs[key] = payload
        _blobs.move_to_end(key)
        while sum(map(len, _blobs.values())) > BUDGET_BYTES and len(_blobs) > 1:
            _blobs.popitem(last=False)
    return f"{ROUTE}{key}"


def holds(url: str) -> bool:
    """Whether these bytes are still there; asking for them keeps them longer."""
    return not url.startswith(ROUTE) or fetch(url.removeprefix(ROUTE)) is not None


def fetch(key: str) -> bytes | None:
    """The bytes under a key, or None when they are gone."""
    with _lock:
        payload = _blobs.get(key)
        if payload is not None:
            _blobs.move_to_end(key)
        return payload


def reference(array: npt.NDArray[Any]) -> dict[str, Any]:
    """An array as the stage reads it: where the bytes are, and of which kind."""
    array = np.ascontiguousarray(array)
    return {"$blob": publish(array.tobytes()), "dtype": array.dtype.str[1:], "n": array.size}


def strings(texts: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Texts as one blob, separated by the unit separator (U+001F)."""
    clean = [text.replace("\x1f", " ") for text in texts]
    payload = "\x1f".join(clean).encode("utf-8", "replace")
    return {"$blob": publish(payload), "dtype": "str", "n": len(clean)}
