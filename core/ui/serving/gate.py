"""The gate before every page and route: a request that a stranger's page could send is refused.

A page from elsewhere reaches a server on this machine by its address, or by a name of its own that
it lets point here (DNS rebinding). What its browser cannot change are the names it was asked for
and asked from: the Host and the Origin. Only a server's own ones are answered.
"""

import html
import ipaddress
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SHOWN = 60  # characters of a stranger's header that a refusal repeats
FORBIDDEN = 403
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),  # no page of others lays itself over the buttons
    (b"referrer-policy", b"same-origin"),  # a link to elsewhere does not carry the view along
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Meaning Space</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  background: light-dark(#F8FAFC, #0B1018); color: light-dark(#1B2430, #E4E9F1); }}
main {{ max-width: 34rem; padding: 2rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.375rem; font-weight: 600; margin: 0 0 .5rem; }}
p {{ margin: 0; }}
</style></head><body><main><h1>{title}</h1><p>{said}</p></main></body></html>
"""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: a title for a page, and the one line."""

    title: str
    line: str


def own_names(host: str) -> frozenset[str]:
    """The names by which a server bound to ``host`` is called; asks nobody for them.

    A server of this machine alone has those of the loopback. One that others reach is also called
    by this machine's name; its addresses are known by the connection itself, see `refused`.
    """
    if ipaddress.ip_address(host).is_loopback:
        return LOOPBACK | {host}
    own = socket.gethostname().lower()
    short = own.partition(".")[0]
    return LOOPBACK | {host, own, short, f"{short}.local"}


def name_of(host: str) -> str | None:
    """The name in a Host header, in small letters; None for what is none.

    >>> name_of("LocalHost:8501"), name_of("[::1]:80"), name_of("a@b"), name_of("a:x")
    ('localhost', '::1', None, None)
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for what is no port
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or parts.hostname is None:
        return None
    return parts.hostname.rstrip(".")


def refused(scope: Scope, names: Iterable[str]) -> Refusal | None:
    """Why a request is refused; None for one that is not a stranger's.

    Called by must be one of ``names``, or the very address that the connection came in at. Its
    Origin, where it has one, must be the same server; what a page elsewhere embeds says so in
    Sec-Fetch-Site. Following a link from elsewhere stays possible.
    """
    hosts = values(scope, b"host")
    if len(hosts) != 1 or not _is_own(name_of(hosts[0]), scope, names):
        asked = _shown(hosts[0]) if hosts else "no host at all"
        return Refusal(
            "Not this server",
            f"found a request for {asked}; expected this server's own address: open the one that "
            "it printed when it started",
        )
    origins = values(scope, b"origin")
    if any(_server_in(origin) != hosts[0].lower() for origin in origins):
        return Refusal(
            "Not from another page",
            f"found a request from {_shown(origins[0])}; expected one of this server's own pages: "
            "open its address in a tab of its own",
        )
    followed = values(scope, b"sec-fetch-mode") == ["navigate"] and scope.get("method") == "GET"
    if {"cross-site", "same-site"} & {*values(scope, b"sec-fetch-site")} and not followed:
        return Refusal(
            "Not from another page",
            "found a request that a page from elsewhere sent; expected one of this server's own "
            "pages: open its address in a tab of its own",
        )
    return None


class Gate:
    """ASGI middleware: refuses strangers, over HTTP and for websockets, and adds `HEADERS`.

    With ``log`` each request is a line on stderr: who, what, the answer's status, milliseconds.
    Queries are left out of it, as they hold what people typed.
    """

    def __init__(self, app: Asgi, names: frozenset[str], log: bool = False) -> None:
        self._app = app
        self._names = names
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = self._telling(scope, send)
        refusal = refused(scope, self._names)
        if refusal is not None:
            await refuse(scope, send, refusal)
        else:
            await self._app(scope, receive, send)

    def _telling(self, scope: Scope, send: Send) -> Send:
        """``send`` that adds the headers, and the line of the log."""
        began = time.monotonic()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)
            status = _status(message)
            if self._log and status is not None:
                spent = 1000 * (time.monotonic() - began)
                print(f"{_request(scope)} {status} {spent:.0f} ms", file=sys.stderr, flush=True)

        return told


async def refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Answer with the one line: as a page where a browser shows it, else as text."""
    page = "text/html" in ",".join(values(scope, b"accept"))
    kind = "text/html" if page else "text/plain"
    said = refusal.line[:1].upper() + refusal.line[1:] + "."
    body = f"{refusal.line}\n"
    if page:
        body = PAGE.format(title=html.escape(refusal.title), said=html.escape(said))
    start = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body.encode())).encode()),
    ]
    await send({"type": f"{start}.start", "status": FORBIDDEN, "headers": headers})
    await send({"type": f"{start}.body", "body": body.encode()})


def values(scope: Scope, name: bytes) -> list[str]:
    """All of a request's headers of that name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _is_own(name: str | None, scope: Scope, names: Iterable[str]) -> bool:
    if name is None:
        return False
    arrived = (scope.get("server") or ("",))[0]
    return name in names or (_address(name) is not None and _address(name) == _address(arrived))


def _server_in(origin: str) -> str | None:
    """The server and port that an Origin header names; None for what is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # http://[
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as a number, an IPv4 one within IPv6 as itself."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _shown(header: str) -> str:
    cut = header if len(header) <= SHOWN else header[: SHOWN - 1] + "…"
    return repr(cut)


def _status(message: Message) -> object:
    """What the log says of an answer as it begins; None for its later parts."""
    if message["type"] in ("http.response.start", "websocket.http.response.start"):
        return message["status"]
    return "open" if message["type"] == "websocket.accept" else None


def _request(scope: Scope) -> str:
    who = (scope.get("client") or ("-",))[0]
    path = (scope.get("raw_path") or b"").decode("ascii", "backslashreplace")
    return f"{who} {scope.get('method', 'WEBSOCKET')} {path}"
