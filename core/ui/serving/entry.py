"""Coming in where a server is open to others: by its link, once, and from then on by a cookie.

The link carries a token. Whoever opens it gets a cookie that no script can read and no other site
sends, and is sent on to the same address without the token. The cookie names a person, drawn at
random, and is signed; by it are known who started a job and how much somebody uploads.
"""

import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from starlette.requests import cookie_parser

from core.ui.serving.gate import Asgi, Receive, Refusal, Scope, Send, refuse, values

HEALTH = "/_stcore/health"  # tells nothing but that the server is there
UPLOADS = "/_stcore/upload_file/"
METRICS = "/_stcore/metrics"  # Streamlit has no option that leaves it out
TOKEN = "token"
MOST_TABS = 12  # that a person has open
MOST_MEGABYTES = 12  # of a file
MOST_UPLOADED = 100 * 2**20  # bytes that a person uploads within the hour
HOUR = 3_600.0
AGAIN = b'<!doctype html><meta http-equiv="refresh" content="0"><title>Meaning Space</title>'
NO_LINK = Refusal(
    "By invitation",
    "found no entry for this browser; expected the link that the server printed when it started: "
    "ask whoever runs it, and open it once",
)
NO_METRICS = Refusal(
    "Not for visitors",
    f"found a request for {METRICS}, which counts everybody's sessions; expected one for a page: "
    "whoever runs the server reads it where the app is started without --host",
)
TOO_MANY_TABS = Refusal(
    "Too many tabs", f"found {MOST_TABS} tabs of yours open here; expected fewer: close one"
)
TOO_MUCH = Refusal(
    "Too much",
    f"found more than {MOST_UPLOADED // 2**20} MB of uploads of yours within the hour, or one of "
    "unknown size; expected less: wait, or bring a smaller file",
)
_secret: str | None = None  # of this process; None where only this machine is served


def invite() -> str:
    """Serve others from now on, by this new token."""
    global _secret
    _secret = secrets.token_urlsafe(24)
    return _secret


def person_of(cookies: Mapping[str, str]) -> str:
    """Who sends these cookies: a person let in by the link, else ""; "" on one's own machine."""
    if _secret is None:
        return ""
    name, _, signature = cookies.get(cookie_name(_secret), "").partition(".")
    known = hmac.compare_digest(signature.encode(), _sign(name, _secret).encode())
    return name if known else ""


def cookie_name(token: str) -> str:
    """Cookies know no ports: servers beside each other must not take each other's."""
    return f"meaning-space-{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def _sign(name: str, token: str) -> str:
    return hmac.new(token.encode(), name.encode(), hashlib.sha256).hexdigest()


class Entry:
    """ASGI middleware: lets in who has the link or the cookie, and holds each person to limits.

    Streamlit's metrics, which tell of others, are for nobody here.
    """

    def __init__(self, app: Asgi, token: str) -> None:
        self._app = app
        self._token = token
        self._tabs: dict[str, int] = defaultdict(int)
        self._uploads: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
            return
        person = person_of(_cookies(scope))
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get(TOKEN, "")
        if scope["type"] == "http" and hmac.compare_digest(given.encode(), self._token.encode()):
            await self._let_in(scope, send, person or secrets.token_hex(8))
        elif not person and _followed_from_elsewhere(scope):
            await _answer(send, 200, AGAIN, [(b"content-type", b"text/html; charset=utf-8")])
        elif not person:
            await refuse(scope, send, NO_LINK)
        elif scope["path"] == METRICS:
            await refuse(scope, send, NO_METRICS)
        elif scope["type"] == "websocket":
            await self._tab(scope, receive, send, person)
        elif scope["path"].startswith(UPLOADS) and not self._may_upload(scope, person):
            await refuse(scope, send, TOO_MUCH)
        else:
            await self._app(scope, receive, send)

    async def _let_in(self, scope: Scope, send: Send, person: str) -> None:
        """The cookie, and the way on to the same page without the token in its address."""
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        kept = urlencode([(name, value) for name, value in given if name != TOKEN])
        path = "/" + scope["raw_path"].decode("latin-1").lstrip("/\\")  # never another server
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = (
            f"{cookie_name(self._token)}={person}.{_sign(person, self._token)}; Path=/; HttpOnly; "
            f"SameSite=Strict{secure}"
        )
        place = f"{path}?{kept}" if kept else path
        headers = [(b"location", place.encode("latin-1")), (b"set-cookie", cookie.encode())]
        await _answer(send, 303, b"", headers)

    async def _tab(self, scope: Scope, receive: Receive, send: Send, person: str) -> None:
        if self._tabs[person] >= MOST_TABS:
            await refuse(scope, send, TOO_MANY_TABS)
            return
        self._tabs[person] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._tabs[person] -= 1
            if not self._tabs[person]:
                del self._tabs[person]

    def _may_upload(self, scope: Scope, person: str) -> bool:
        if scope["method"] not in ("PUT", "POST"):
            return True
        length = "".join(values(scope, b"content-length"))
        made = self._uploads[person]
        while made and made[0][0] < time.monotonic() - HOUR:
            made.popleft()
        if not length.isascii() or not length.isdigit():
            return False
        if sum(size for _, size in made) + int(length) > MOST_UPLOADED:
            return False
        made.append((time.monotonic(), int(length)))
        return True


def _followed_from_elsewhere(scope: Scope) -> bool:
    """A link on another site: its browser holds the cookie back, until the page asks by itself."""
    site, mode = values(scope, b"sec-fetch-site"), values(scope, b"sec-fetch-mode")
    return mode == ["navigate"] and site in (["cross-site"], ["same-site"])


def _cookies(scope: Scope) -> dict[str, str]:
    return dict(cookie_parser("; ".join(values(scope, b"cookie"))))


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    headers = [*headers, length, (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
