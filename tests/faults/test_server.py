"""A real server and what a stranger, a crowd or a slip of the pen does to it.

One server for the whole module, in a process that notes every look-up and every connection that it
makes, and that the system lets open 256 descriptors.
"""

import re
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ROOT, served
from streamlit.runtime.session_manager import SessionInfo
from streamlit.web.server.starlette.starlette_websocket import _is_origin_allowed
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core.errors import InvalidSpecification
from core.ui.serving.binding import address_of, listen
from core.ui.serving.gate import own_names, refused
from core.ui.serving.offline import ask_nobody
from core.ui.serving.sessions import ClosingStorage

WATCHED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["NOTED"], "a") as file:
            file.write(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}\\n")
sys.addaudithook(note)
"""
STREAM = "/_stcore/stream"


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server's process asked of the network, a line each."""
    return tmp_path_factory.mktemp("noted") / "network.log"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, noted: Path) -> Iterator[str]:
    """host:port of the running app."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(WATCHED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("NOTED", str(noted))
        with served(folder, "--access-log") as address:
            yield address.removeprefix("http://")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("watched*/server.log"))


def asked(server: str, path: str = "/", **headers: str) -> tuple[int, str]:
    """Status and body of a GET with exactly these headers; Host is the server unless given."""
    own = {"Host": server, "Connection": "close"}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in own.items() if value)
    host, port = server.split(":")
    with closing(socket.create_connection((host, int(port)), 10)) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode("utf-8", "replace")


def opened(server: str, host: str = "", origin: str = "") -> int:
    """101 where a websocket opens, else the status of the refusal, which says why."""
    address, port = server.split(":")
    line = socket.create_connection((address, int(port)), 10)
    try:
        with connect(f"ws://{host or server}{STREAM}", sock=line, origin=origin or None):
            return 101
    except InvalidStatus as refusal:
        said = (refusal.response.body or b"").decode()
        return refusal.response.status_code if said.startswith("found a request") else 0


class TestStrangers:
    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "127.0.0.1@evil.example",
         "10.0.0.9", "localhost.evil.example", "0.0.0.0", "a b", "[::1", "127.0.0.1:x", ""],
    )  # fmt: skip
    def test_a_name_that_is_not_the_servers_own_is_refused(self, server, host):
        """DNS rebinding: the stranger's page reaches us, and its browser says under which name."""
        for path in ("/", "/_stcore/health", "/meaning-space/plotly.js", "/static/x", STREAM):
            status, body = asked(server, path, Host=host)
            assert status in (400, 403)  # 400: uvicorn itself refuses what is no header
            assert body.count("\n") <= 1
            if status == 403:
                assert re.fullmatch(r"found a request for .*; expected .*\n", body)

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
    def test_its_own_names_are_answered_at_any_port(self, server, name):
        """Any: the port may be forwarded."""
        port = server.split(":")[1]
        for host in (f"{name}:{port}", name, f"{name}:9999"):
            assert asked(server, "/_stcore/health", Host=host) == (200, "ok")

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "x", "http://["],
    )
    def test_another_origin_is_refused(self, server, origin):
        assert asked(server, Origin=origin)[0] == 403
        assert opened(server, origin=origin) == 403

    def test_its_own_origin_is_answered(self, server):
        assert asked(server, Origin=f"http://{server}")[0] == 200
        assert opened(server, origin=f"http://{server}") == 101
        assert opened(server) == 101  # no browser

    def test_a_websocket_under_a_strangers_name_is_refused(self, server):
        """Host and Origin agree, as they do for a page that was rebound to this machine."""
        port = server.split(":")[1]
        evil = f"evil.example:{port}"
        assert opened(server, host=evil, origin=f"http://{evil}") == 403

    def test_what_a_page_elsewhere_embeds_is_refused_and_its_link_is_followed(self, server):
        said = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
        assert asked(server, "/meaning-space/plotly.js", **said)[0] == 403
        assert asked(server, **{**said, "Sec_Fetch_Mode": "navigate"})[0] == 200

    def test_a_browser_is_given_a_page_in_which_nothing_is_markup(self, server):
        status, body = asked(server, Host="<b>evil", Accept="text/html")
        assert status == 403
        assert body.startswith("<!doctype html>")
        assert "&lt;b&gt;evil" in body
        assert "<b>" not in body

    def test_an_address_is_known_by_the_connection(self):
        """A server on all addresses has no list of them."""
        names = own_names("0.0.0.0")
        arrived = {"type": "http", "method": "GET", "server": ("::ffff:192.168.7.5", 80)}

        def asked_for(host: bytes) -> bool:
            return refused({**arrived, "headers": [(b"host", host)]}, names) is None

        assert asked_for(b"192.168.7.5:8501")
        assert asked_for(b"localhost")
        assert not asked_for(b"192.168.7.6:8501")
        assert not asked_for(b"evil.example")
        assert refused({**arrived, "headers": [(b"host", b"localhost")] * 2}, names) is not None


class TestCrowds:
    def test_two_hundred_page_loads_leave_descriptors_free(self, server):
        """82 were enough to end a server that may have 256 open, for good."""
        for _ in range(200):
            assert opened(server) == 101
        assert asked(server)[0] == 200
        port = int(server.split(":")[1])
        assert open_descriptors(port) < 160

    def test_sessions_are_closed_when_they_wait_too_long_or_are_too_many(self):
        class Session:
            def __init__(self, id: str) -> None:
                self.id, self.closed = id, False

            def shutdown(self) -> None:
                self.closed = True

        storage = ClosingStorage(2, seconds=0.2)
        infos = [SessionInfo(None, Session(name), 0) for name in "abc"]
        for info in infos:
            storage.save(info)
        assert [info.session.closed for info in infos] == [True, False, False]
        assert storage.get("a") is None
        storage.delete("b")  # its tab is back
        time.sleep(0.25)
        storage.sweep()
        assert [info.session.closed for info in infos] == [True, False, True]
        assert storage.list() == []


def open_descriptors(port: int) -> int:
    """Of the process that listens there."""
    inodes = {
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A"
    }
    for process in Path("/proc").glob("[0-9]*/fd"):
        try:
            targets = [str(entry.readlink()) for entry in process.iterdir()]
        except OSError:
            continue
        if any(f"socket:[{inode}]" in targets for inode in inodes):
            return len(targets)
    pytest.skip("no process of /proc listens there")


class TestTheCommand:
    @pytest.mark.parametrize(
        ("host", "port", "said"),
        [
            ("127.0.0.1", 99_999, "found port 99999; expected 1 to 65,535"),
            ("127.0.0.1", -1, "found port -1"),
            ("8.8.8.8", 0, "expected an address of this machine"),
            ("nonsense", 0, "found --host 'nonsense'; expected an address in numbers"),
            ("localhost.", 0, "expected an address in numbers"),
            ("256.1.1.1", 0, "expected an address in numbers"),
        ],
    )
    def test_what_cannot_be_had_is_said(self, host, port, said):
        with pytest.raises(InvalidSpecification, match=re.escape(said)):
            listen(address_of(host), port)

    def test_a_port_in_use_and_a_free_one(self):
        with closing(listen("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            assert port > 0
            with pytest.raises(InvalidSpecification, match=f"port {port} not usable"):
                listen("127.0.0.1", port)

    def test_one_line_and_exit_code_2(self, tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", "core.cli", "app", "--no-browser", "--port", "99999"],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("meaning-space: found port 99999")
        assert done.stderr.count("\n") == 1


class TestWhatIsSaid:
    """After all of the above."""

    def test_the_server_asked_nobody(self, server, noted):
        """Refused origins, page loads and start: no look-up, no connection beyond this machine."""
        lines = noted.read_text().splitlines() if noted.exists() else []
        assert [
            line for line in lines if not re.search(r"'(127\.0\.0\.1|localhost|::1)'", line)
        ] == []

    def test_the_log_names_requests_without_their_queries(self, server, log):
        said = urllib.parse.quote("a private thought")
        assert opened(server) == 101
        assert asked(server, f"/?prompt={said}")[0] == 200
        lines = log.read_text()
        assert re.search(r"^127\.0\.0\.1 GET / 200 \d+ ms$", lines, re.MULTILINE)
        assert re.search(
            r"^127\.0\.0\.1 WEBSOCKET /_stcore/stream open \d+ ms$", lines, re.MULTILINE
        )
        assert said not in lines
        assert "Traceback" not in lines
        assert "handshake" not in lines


class TestStreamlitAlone:
    """A plain ``streamlit run app.py`` has no gate of ours, only Streamlit's own settings."""

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://evil.example:8501", "evil.example:8501"),
            ("http://evil.example", "127.0.0.1:8501"),
            (None, "evil.example"),
        ],
    )
    def test_its_websocket_is_closed_to_strangers_and_asks_nobody(self, origin, host, monkeypatch):
        def looked_up(*_: object) -> None:
            raise AssertionError("the network was asked")

        monkeypatch.setattr(socket.socket, "connect", looked_up)
        ask_nobody()
        assert not _is_origin_allowed(origin, host)
        assert _is_origin_allowed("http://localhost:8501", "localhost:8501")
