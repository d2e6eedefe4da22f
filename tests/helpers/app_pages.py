"""Opening a page in Streamlit's test driver, and reading what it shows."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from core.ui.shared import blobs

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120  # for a job in the worker process, on a slow machine


def open_page(page: str, **link: str) -> AppTest:
    """The app as somebody opens it at a link; ``page`` "" is the start."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in link.items():
        app.query_params[name] = value
    if page:
        app.switch_page(f"pages/{page}.py")
    return app.run()


def until(app: AppTest, happened: Callable[[AppTest], bool]) -> AppTest:
    """Run again, as the page does by itself, until something happened."""
    end = time.monotonic() + SECONDS
    while not happened(app) and time.monotonic() < end:
        time.sleep(0.3)
        app.run()
    assert happened(app), said(app)
    return app


def said(app: AppTest) -> str:
    """All prose on the page and in the sidebar, without the backslashes that keep it plain."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info")
    prose = (str(element.value) for kind in kinds for element in app.get(kind))
    return "\n".join(prose).replace("\\", "")


def scenes(app: AppTest) -> dict[str, Any]:
    """What the components were sent, by the name of their key; not what only fetches plotly.js."""
    protos = [element.proto for element in app.get("bidi_component")]
    sent = {proto.id.split("-", 2)[2]: json.loads(proto.json) for proto in protos}
    return {key: data for key, data in sent.items() if key != "preload"}


def stage(app: AppTest, key: str) -> dict[str, Any]:
    """The scene on the stage of that key."""
    found: dict[str, Any] = scenes(app)[f"{key} stage"]
    return found


def listed(app: AppTest, key: str) -> list[str]:
    """The words of a list of neighbours."""
    return [row["text"] for row in scenes(app)[key]["rows"]]


def read_blob(reference: dict[str, Any]) -> Any:
    """What a blob holds, as the browser reads it."""
    url = reference["$blob"]
    if url.startswith("data:"):
        import base64

        payload = base64.b64decode(url.partition(",")[2])
    else:
        payload = blobs.fetch(url.rpartition("/")[2]) or b""
    if reference["dtype"] == "str":
        return payload.decode().split("\x1f")
    return np.frombuffer(payload, np.dtype(f"<{reference['dtype']}"))


def healthy(app: AppTest) -> AppTest:
    """No page of ours may end in a traceback."""
    assert [error.message for error in app.exception] == []
    return app


def one(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)
