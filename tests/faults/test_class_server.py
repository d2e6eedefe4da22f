"""A server that is open to others: by its link, its files closed, everybody held to limits."""

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, served
from test_server import asked, opened

from core.errors import JobFailed, MeaningSpaceError, UnreadableFile
from core.jobs.runner import MOST_EACH, Runner
from core.pipeline import Workspace
from core.pipeline.models import identity
from core.reach import close_paths, require_open
from core.teachers.causal import causal_source
from core.teachers.registry import resolve
from core.ui.serving import entry
from core.ui.serving.entry import MOST_TABS, MOST_UPLOADED, Entry, cookie_name, invite, person_of


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """host:port, the token, and the folder that is allowed."""
    folder = tmp_path_factory.mktemp("class")
    allowed = folder / "allowed"
    allowed.mkdir()
    given = ("--host", "0.0.0.0", "--allow-paths", str(allowed), "--name", "class.example")
    with served(folder, *given) as _:
        said = (folder / "server.log").read_text()
        address = re.search(r"http://([\d.]+):(\d+)/\?token=([\w-]+)", said)
        assert address is not None
        yield f"127.0.0.1:{address[2]}", address[3], allowed


def head(server: str, path: str, **headers: str) -> str:
    """The whole answer to a GET."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    address, port = server.split(":")
    with socket.create_connection((address, int(port)), 10) as line:
        request = f"GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{lines}\r\n"
        line.sendall(request.encode())
        return b"".join(iter(lambda: line.recv(65536), b"")).decode("utf-8", "replace")


class TestTheLink:
    def test_without_it_nobody_comes_in(self, link):
        server, token, _ = link
        for path in ("/", "/map?token=", f"/?token={token[:-1]}", "/meaning-space/plotly.js"):
            status, said = asked(server, path)
            assert status == 403
            assert said.startswith("found no entry for this browser")
        assert opened(server) == 0  # refused, and not for its Host
        assert asked(server, "/_stcore/health") == (200, "ok")

    def test_opened_once_it_leaves_a_cookie_and_no_token_in_the_address(self, link):
        server, token, _ = link
        answer = head(server, f"/map?token={token}&teacher=glove")
        assert answer.startswith("HTTP/1.1 303 ")
        assert "location: /map?teacher=glove\r\n" in answer
        [cookie] = re.findall(r"set-cookie: (.*)\r", answer)
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert token not in answer
        own = cookie.partition(";")[0]
        assert head(server, "/map", Cookie=own).startswith("HTTP/1.1 200 ")
        assert head(server, "/", Cookie=f'a="{{x; {own}').startswith("HTTP/1.1 200 ")
        name, _, value = own.partition("=")
        person, _, signature = value.partition(".")
        for forged in (f"{person[::-1]}.{signature}", f"{person}.", f"{person}.{'0' * 64}", "é"):
            assert head(server, "/", Cookie=f"{name}={forged}").startswith("HTTP/1.1 403 ")

    def test_metrics_of_everybody_are_for_nobody(self, link):
        server, token, _ = link
        [cookie] = re.findall(r"set-cookie: ([^;]*)", head(server, f"/?token={token}"))
        for path in ("/_stcore/metrics", "/_stcore/m%65trics", "/_stcore/metrics?families=x"):
            answer = head(server, path, Cookie=cookie)
            assert answer.startswith("HTTP/1.1 403 ")
            assert answer.endswith("is started without --host\n")
        assert head(server, "/_stcore/host-config", Cookie=cookie).startswith("HTTP/1.1 200 ")

    def test_it_leads_nowhere_else(self, link):
        server, token, _ = link
        for path in ("//evil.example/", "/\\evil.example/", "//evil.example/%0d%0aX: y"):
            place = re.search(r"location: (.*)\r", head(server, f"{path}?token={token}"))
            assert place is None or re.match(r"/[^/\\]", place[1])

    def test_a_link_on_another_site_is_followed_by_asking_again(self, link):
        """The browser holds a strict cookie back, so the page asks once more by itself."""
        server, _, _ = link
        answer = head(server, "/map", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
        assert answer.startswith("HTTP/1.1 200 ")
        assert 'http-equiv="refresh"' in answer
        assert asked(server, "/map", Sec_Fetch_Site="same-origin")[0] == 403

    def test_strangers_names_stay_closed_and_the_proxys_is_open(self, link):
        server, token, _ = link
        assert asked(server, f"/?token={token}", Host="evil.example")[0] == 403
        assert asked(server, f"/?token={token}", Host="class.example")[0] == 303


class TestPersons:
    """The middleware by itself, around an application that answers all."""

    @pytest.fixture
    def door(self, monkeypatch) -> tuple[Entry, dict[str, str]]:
        monkeypatch.setattr(entry, "_secret", None)
        assert person_of({}) == ""
        token = invite()

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(scope.get("lasts", 0))

        name = cookie_name(token)
        return Entry(inner, token), {name: f"ann.{entry._sign('ann', token)}"}

    def statuses(self, door: Entry, scopes: list[dict[str, Any]]) -> list[int]:
        said: list[int] = []

        async def send(message: Any) -> None:
            if "status" in message:
                said.append(message["status"])

        async def all_of_them() -> None:
            usual = {"path": "/", "query_string": b"", "raw_path": b"/", "scheme": "http"}
            await asyncio.gather(*(door({**usual, **it}, None, send) for it in scopes))

        asyncio.run(all_of_them())
        return said

    def test_uploads_are_counted_by_person(self, door):
        door, cookies = door
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        assert person_of(cookies) == "ann"

        def upload(*size: str) -> dict[str, Any]:
            headers = [(b"cookie", cookie), *((b"content-length", it.encode()) for it in size)]
            path = "/_stcore/upload_file/session/file"
            return {"type": "http", "method": "PUT", "path": path, "headers": headers}

        half = str(MOST_UPLOADED // 2)
        assert self.statuses(door, [upload(half), upload(half), upload("1")]) == [200, 200, 403]
        assert self.statuses(door, [upload(), upload("-5"), upload("1", "2")]) == [403] * 3

    def test_tabs_are_counted_by_person(self, door):
        door, cookies = door
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        tab = {"type": "websocket", "headers": [(b"cookie", cookie)], "lasts": 0.2}
        said = self.statuses(door, [tab] * (MOST_TABS + 3))
        assert sorted(said) == [200] * MOST_TABS + [403] * 3
        assert self.statuses(door, [tab]) == [200]  # they are closed by now


class TestClosedPaths:
    """One message for what is closed and for what is not there."""

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch) -> Path:
        (tmp_path / "allowed").mkdir()
        (tmp_path / "secret.txt").write_text("hunter2 1 2\n")
        (tmp_path / "allowed" / "own.txt").write_text("dog 1 2\ncat 2 1\n")
        (tmp_path / "allowed" / "out").symlink_to(tmp_path)
        monkeypatch.setenv("MEANING_SPACE_PATHS", "")  # so that it is unset again
        monkeypatch.delenv("MEANING_SPACE_PATHS")
        return tmp_path

    @pytest.mark.parametrize(
        "name",
        ["secret.txt", "nothing.txt", "allowed/../secret.txt", "allowed/out/secret.txt", "",
         "allowed2", "allowed/\0", "allowed/out/../FOLDER/secret.txt", "allowed/out/../nothing"],
    )  # fmt: skip
    def test_every_way_to_name_a_file_is_closed_alike(self, folder, name):
        close_paths([folder / "allowed"])
        said = set()
        typed = f"{folder}/{name}".replace("FOLDER", folder.name)
        ways = (
            lambda: resolve(f"vectors:{typed}"),
            lambda: resolve(f"path:{typed}"),
            lambda: resolve(f"path:{typed}:words"),
            lambda: resolve(f"path:{typed}:layer2"),
            lambda: causal_source(f"path:{typed}"),
            lambda: identity(f"path:{typed}"),
            lambda: identity(f"student:{typed}"),
            lambda: Workspace(folder / "workspace").teacher(f"student:{typed}"),
            lambda: resolve("vectors:~root/x"),
            lambda: resolve("vectors:~nobody-of-this-name/x"),
            lambda: resolve("vectors:/etc/passwd"),
            lambda: resolve("vectors:relative.txt"),
        )
        for way in ways:
            with pytest.raises(MeaningSpaceError) as refusal:
                way()
            said.add(str(refusal.value))
        assert len(said) == 1
        assert str(folder) not in said.pop()

    def test_a_home_is_not_taken_for_a_folder_below_the_allowed_one(self, folder, monkeypatch):
        monkeypatch.chdir(folder / "allowed")
        monkeypatch.setenv("HOME", str(folder))
        close_paths([Path()])
        assert resolve("vectors:own.txt").space().texts == ("dog", "cat")
        with pytest.raises(UnreadableFile, match="found a path that this server does not open"):
            resolve("vectors:~/secret.txt")

    def test_what_is_allowed_is_read(self, folder):
        close_paths([folder / "allowed"])
        assert resolve(f"vectors:{folder}/allowed/own.txt").space().texts == ("dog", "cat")
        close_paths([])
        with pytest.raises(UnreadableFile):
            require_open(f"{folder}/allowed/own.txt")

    def test_on_ones_own_machine_all_is_open(self, folder):
        assert "MEANING_SPACE_PATHS" not in os.environ
        require_open(f"{folder}/secret.txt")


class TestJobsOfPersons:
    def test_turns_go_round_and_nobody_has_too_many(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))  # for the worker
        runner = Runner(tmp_path, recipes="job_recipes:RECIPES")
        try:
            own = [runner.submit("sleepy", {"steps": 50 + n}, "ann") for n in range(MOST_EACH)]
            other = runner.submit("sleepy", {"steps": 99}, "bob")
            assert runner.submit("sleepy", {"steps": 50}, "eve") == own[0]  # the same work
            with pytest.raises(JobFailed, match=f"found {MOST_EACH} jobs of yours"):
                runner.submit("sleepy", {"steps": 98}, "ann")
            assert runner.job(own[0]).owner == "ann"
            assert [job.id for job in runner._in_turn()] == [other, *own[1:]]
        finally:
            runner.close()
