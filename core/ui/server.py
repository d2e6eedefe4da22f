"""The server: Streamlit's ASGI app with three routes of ours beside it."""

import argparse
import logging
import socket
import sys
import threading
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App
from uvicorn import Config, Server

from core.errors import InvalidSpecification, MeaningSpaceError
from core.site import site_root
from core.ui import blobs

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def plotly_path() -> Path:
    """plotly.min.js as the plotly package carries it: offline, and of the same version."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


async def _blob(request: Request) -> Response:
    payload = blobs.fetch(request.path_params["key"])
    if payload is None:
        return Response("this data is no longer held; reload the page", status_code=404)
    return Response(payload, media_type="application/octet-stream", headers=FOREVER)


async def _plotly(_: Request) -> Response:
    return FileResponse(plotly_path(), media_type="text/javascript", headers=FOREVER)


def create_app() -> App:
    """The whole application, ready for any ASGI server."""
    blobs.serve_by_route()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Streamlit takes a folder named pages for its older kind of app until st.navigation has run
    # once in the process: the first visitor of /map would get that page without its frame.
    PagesManager.uses_pages_directory = False
    return App(
        site_root() / "app.py",
        routes=[
            Route("/meaning-space/blob/{key}", _blob),
            Route("/meaning-space/plotly.js", _plotly),
        ],
    )


def free_port(wanted: int | None) -> int:
    """The port asked for, or one that is free. Raises InvalidSpecification when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise InvalidSpecification(
                f"found port {wanted} not usable ({error.strerror}); expected a free port: "
                "leave --port out and a free one is chosen"
            ) from None
        return int(probe.getsockname()[1])


def _announce(url: str, open_browser: bool, started: float) -> None:
    """Wait until the server answers, say so, and open the browser."""
    while True:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=1):
                break
        except OSError:
            time.sleep(0.05)
    print(f"Meaning Space is at {url} after {time.perf_counter() - started:.1f} s", flush=True)
    print("Press Ctrl+C to stop it.", flush=True)
    if open_browser:
        webbrowser.open(url)


def _prepare() -> None:
    """Get the first picture ready while the browser still opens: the space and PCA, then the
    worker, which would take a core away from them."""
    from core.permalink import TEACHER
    from core.projection.base import PcaSpec
    from core.ui import atlas, state  # noqa: F401 - atlas is what the first page needs

    with suppress(MeaningSpaceError):  # whoever opens the page is told why
        space = state.bench().space(TEACHER)
        state.bench().projection(space, PcaSpec())
    state.runner()


def main() -> int:
    """Serve on 127.0.0.1 until interrupted; ``meaning-space app`` becomes this process."""
    parser = argparse.ArgumentParser(prog="meaning-space app")
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    try:
        port = free_port(options.port)
    except InvalidSpecification as error:
        print(f"meaning-space: {error}", file=sys.stderr)
        return 2
    url = f"http://127.0.0.1:{port}"
    announcement = (url, not options.no_browser, started)
    threading.Thread(target=_announce, args=announcement, daemon=True).start()
    threading.Thread(target=_prepare, daemon=True).start()
    server = Config(create_app(), host="127.0.0.1", port=port, log_config=None, access_log=False)
    with suppress(KeyboardInterrupt):
        Server(server).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
