"""The server: Streamlit's ASGI app behind our gate, with two routes of ours beside it."""

import argparse
import logging
import os
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App
from uvicorn import Config, Server

from core.errors import InvalidSpecification, MeaningSpaceError
from core.reach import close_paths
from core.resources import leave_a_core, plotly_path, site_root
from core.ui.serving.binding import HERE, address_of, is_loopback, listen, outward_address, url_of
from core.ui.serving.entry import MOST_MEGABYTES, TOKEN, Entry, invite
from core.ui.serving.gate import Gate, own_names
from core.ui.serving.offline import ask_nobody
from core.ui.serving.sessions import closing_sessions, raise_descriptor_limit
from core.ui.shared import blobs

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


async def _blob(request: Request) -> Response:
    payload = blobs.fetch(request.path_params["key"])
    if payload is None:
        return Response("this data is no longer held; reload the page", status_code=404)
    return Response(payload, media_type="application/octet-stream", headers=FOREVER)


async def _plotly(_: Request) -> Response:
    return FileResponse(plotly_path(), media_type="text/javascript", headers=FOREVER)


def create_app(
    host: str = HERE, names: Sequence[str] = (), token: str | None = None, log: bool = False
) -> Gate:
    """The whole application, ready for any ASGI server that is bound to ``host``; ``names`` are a
    proxy's. With a token it is open to whoever comes by its link."""
    ask_nobody()
    blobs.serve_by_route()
    # Streamlit takes a folder named pages for its older kind of app until st.navigation has run
    # once in the process: the first visitor of /map would get that page without its frame.
    PagesManager.uses_pages_directory = False
    app = App(
        site_root() / "app.py",
        routes=[
            Route("/meaning-space/blob/{key}", _blob),
            Route("/meaning-space/plotly.js", _plotly),
        ],
        lifespan=closing_sessions,
    )
    config.set_option("server.allowedHosts", ["*"])  # the gate judges, and knows its addresses
    if token is not None:
        config.set_option("server.maxUploadSize", MOST_MEGABYTES)
    _quiet()
    inner = app if token is None else Entry(app, token)
    return Gate(inner, own_names(host) | {name.lower() for name in names}, log)


def _quiet() -> None:
    """Only what went wrong is said; Streamlit's configuration has just let uvicorn tell more."""
    for name in ("uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn takes a websocket that was refused with a reason for an application that broke off.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "without completing handshake" not in str(record.msg)
    )


def _announce(server: Server, url: str, open_browser: bool, began: float) -> None:
    """Wait until the server answers, say so, and open the browser."""
    while not server.started:
        time.sleep(0.02)
    print(f"Meaning Space is at {url} after {time.perf_counter() - began:.1f} s", flush=True)
    print("Press Ctrl+C to stop it.", flush=True)
    if open_browser:
        webbrowser.open(url)


def _prepare() -> None:
    """Get the first picture ready while the browser still opens: the space and PCA, then the
    worker, which would take a core away from them.

    Afterwards every answer multiplies on one core: those of other people want the others, and
    threads that wait for each other took as much of the processor again as the products did.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    import core.ui.map.view  # noqa: F401 - what the first page needs
    from core.permalink import TEACHER
    from core.projection.base import PcaSpec
    from core.ui.shared import state

    with suppress(MeaningSpaceError):  # whoever opens the page is told why
        space = state.workspace().space(TEACHER)
        state.workspace().projection(space, PcaSpec())
    threadpool_limits(1, "blas")
    state.runner()


def _open_to_others(host: str, names: Sequence[str], folders: Sequence[Path]) -> str | None:
    """What serving others takes, where the address is not this machine's alone: a token for the
    link, closed paths, and no fetching from the hub. Raises InvalidSpecification."""
    if is_loopback(host):
        if names or folders:
            raise InvalidSpecification(
                f"found --name or --allow-paths at {host}, which this machine alone reaches; "
                "expected them with --host 0.0.0.0, or another address that others reach"
            )
        return None
    for folder in folders:
        if not folder.is_dir():
            raise InvalidSpecification(
                f"found no folder {folder} to allow; expected one that is there: check the path"
            )
    close_paths(folders)
    os.environ["HF_HUB_OFFLINE"] = "1"  # visitors use the models that were fetched before
    return invite()


def main() -> int:
    """Serve until interrupted; ``meaning-space app`` becomes this process."""
    parser = argparse.ArgumentParser(prog="meaning-space app")
    parser.add_argument("--host", default=HERE)
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--name", action="append", default=[])
    parser.add_argument("--allow-paths", action="append", default=[], type=Path)
    options = parser.parse_args()
    began = time.perf_counter()
    raise_descriptor_limit()
    leave_a_core()
    try:
        host = address_of(options.host)
        token = _open_to_others(host, options.name, options.allow_paths)
        listening = listen(host, options.port)
    except InvalidSpecification as error:
        print(f"meaning-space: {error}", file=sys.stderr)
        return 2
    app = create_app(host, options.name, token, options.access_log)
    server = Server(Config(app, log_config=None, access_log=False))
    url = url_of(outward_address(host), listening.getsockname()[1])
    url = url if token is None else f"{url}/?{TOKEN}={token}"
    announcement = (server, url, not options.no_browser, began)
    threading.Thread(target=_announce, args=announcement, daemon=True).start()
    threading.Thread(target=_prepare, daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
