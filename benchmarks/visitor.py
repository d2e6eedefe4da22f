"""A person's browser without the drawing: one session of the app over Streamlit's own websocket.

It does what the browser does: opens a page by its link, follows the address that the page writes,
keeps the ids of widgets as they come, sends what was typed or clicked, reruns the parts of a page
that rerun by themselves, and fetches each array once. Messages travel compressed, as to a browser.
"""

# ruff: noqa: TID251 - the browser's side of Streamlit's protocol
import asyncio
import http.client
import json
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

EVENTS = "$$STREAMLIT_INTERNAL_KEY_{}__events"  # where Streamlit expects a component's events
BLOB = re.compile(r"meaning-space/blob/[0-9a-f]{32}")
KEPT_MESSAGES = 60  # as many as two runs of a page send
UNIT = "\x1f"  # between the texts of a blob


class Refused(Exception):
    """The page answered with an error, or not at all."""


@dataclass
class Page:
    """What stands on the page since its last whole run."""

    components: dict[str, tuple[str, Any]] = field(default_factory=dict)  # name: id, data
    boxes: dict[str, str] = field(default_factory=dict)  # label: id
    polls: dict[str, float] = field(default_factory=dict)  # fragment: seconds
    errors: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # running text


class Visitor:
    """One session. ``async with Visitor(port) as person: await person.open("map", selected="dog")``
    answers the seconds until the page's script had ended."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.page = Page()
        self.texts: list[str] = []  # of the items on the stage
        self.received = 0  # bytes
        self._query = ""
        self._hash = ""
        self._hashes: dict[str, str] = {}  # of the pages, by address
        self._states: dict[str, tuple[str, Any]] = {}  # field and value, by widget
        self._kept: OrderedDict[str, ForwardMsg] = OrderedDict()
        self._fetched: set[str] = set()

    async def __aenter__(self) -> "Visitor":
        self._socket: ClientConnection = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            origin=Origin(f"http://127.0.0.1:{self.port}"),
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            open_timeout=60,
        )
        self._http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._http.close()
        await self._socket.close()

    # ------------------------------------------------------------------------------ what one does

    async def open(self, page: str, limit: float = 60, **link: str) -> float:
        """Follow a link to a page. Raises Refused."""
        self._query, self._states = urlencode(link), {}
        self._hash = self._hashes.get(page, "")
        return await self._answered({}, page, limit)

    async def type(self, words: Mapping[str, str], limit: float = 60) -> float:
        """Type into boxes, by their labels. Raises Refused."""
        for label, text in words.items():
            if label not in self.page.boxes:
                raise Refused(f"found no box {label!r}")
            self._states[self.page.boxes[label]] = ("string_value", text)
        return await self._answered({}, "", limit)

    async def click(self, component: str, event: str, value: object, limit: float = 60) -> float:
        """Let a component tell of an event. Raises Refused."""
        if component not in self.page.components:
            raise Refused(f"found no {component} on the page")
        widget, _ = self.page.components[component]
        told = json.dumps([{"event": event, "value": value}])
        return await self._answered({EVENTS.format(widget): told}, "", limit)

    async def until_quiet(self, limit: float) -> float:
        """Let the page rerun its parts until nothing of it reruns by itself any more: all that was
        asked for is there. Raises Refused."""
        start = time.perf_counter()
        while polls := dict(self.page.polls):
            await asyncio.sleep(min(polls.values()))
            if time.perf_counter() - start > limit:
                raise Refused(f"found the page still at work after {limit:.0f} s")
            for fragment in polls.keys() & self.page.polls.keys():
                await self._send({}, "", fragment)
                await self._finished(limit)
                self._judge()
        return time.perf_counter() - start

    async def fetch(self) -> int:
        """Fetch the arrays that this browser has not seen yet; their bytes. The texts of a stage's
        items are kept."""
        size = 0
        for _, data in list(self.page.components.values()):
            items = data.get("items") if isinstance(data, dict) else None
            texts = items["texts"]["$blob"] if items else ""
            for address in dict.fromkeys(BLOB.findall(json.dumps(data))):
                if address not in self._fetched:
                    self._fetched.add(address)
                    body = await asyncio.to_thread(self._get, address)
                    size += len(body)
                    if address == texts:
                        self.texts = body.decode().split(UNIT)
        return size

    # -------------------------------------------------------------------------- how it is carried

    async def _answered(self, events: Mapping[str, str], page: str, limit: float) -> float:
        start = time.perf_counter()
        await self._send(events, page, "")
        await self._finished(limit)
        seconds = time.perf_counter() - start
        self._judge()
        return seconds

    async def _send(self, events: Mapping[str, str], page: str, fragment: str) -> None:
        ask = BackMsg()
        run = ask.rerun_script
        run.query_string, run.page_script_hash = self._query, self._hash
        if not self._hash:
            run.page_name = page
        run.fragment_id, run.is_auto_rerun = fragment, bool(fragment)
        run.cached_message_hashes.extend(self._kept)
        run.context_info.timezone, run.context_info.locale = "UTC", "en-GB"
        run.context_info.url = f"http://127.0.0.1:{self.port}/{page}"
        run.context_info.color_scheme = "light"
        for widget, (kind, value) in self._states.items():
            setattr(run.widget_states.widgets.add(id=widget), kind, value)
        for widget, told in events.items():
            run.widget_states.widgets.add(id=widget).json_trigger_value = told
        await self._socket.send(ask.SerializeToString())

    async def _finished(self, limit: float) -> None:
        """Read until the script has ended. Raises Refused after ``limit`` seconds."""
        try:
            async with asyncio.timeout(limit):
                while not self._take(await self._receive()):
                    pass
        except TimeoutError:
            raise Refused(f"found no answer after {limit:.0f} s") from None
        except OSError as error:
            raise Refused(str(error)) from None

    async def _receive(self) -> ForwardMsg:
        raw = await self._socket.recv(decode=False)
        self.received += len(raw)
        message = ForwardMsg()
        message.ParseFromString(raw)
        if message.WhichOneof("type") == "ref_hash":
            return self._kept[message.ref_hash]
        if message.metadata.cacheable:
            self._kept[message.hash] = message
            while len(self._kept) > KEPT_MESSAGES:
                self._kept.popitem(last=False)
        return message

    def _take(self, message: ForwardMsg) -> bool:
        """Take a message in; whether the script has ended with it."""
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self.page = Page()
        elif kind == "navigation":
            self._hash = message.navigation.page_script_hash
            for page in message.navigation.app_pages:
                self._hashes[page.url_pathname] = page.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.page.polls[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.page.polls.pop(fragment, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_element(message.delta.new_element)
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.page.errors.append("the page did not compile")
            return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    def _take_element(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind == "bidi_component":
            component = element.bidi_component
            data = json.loads(component.json) if component.json else None
            if component.id:
                self.page.components[component.component_name] = component.id, data
        elif kind == "text_input":
            self.page.boxes[element.text_input.label] = element.text_input.id
        elif kind == "exception":
            self.page.errors.append(element.exception.message)
        elif kind == "alert" and element.alert.format == element.alert.ERROR:
            self.page.errors.append(element.alert.body)
        elif kind == "markdown":
            self.page.said.append(element.markdown.body)

    def _judge(self) -> None:
        if self.page.errors:
            raise Refused(self.page.errors[0][:300])

    def _get(self, address: str) -> bytes:
        try:
            self._http.request("GET", f"/{address}")
            answer = self._http.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # kept for long, so the server
            self._http.close()  # has ended it; the next request makes a new one
            self._http.request("GET", f"/{address}")
            answer = self._http.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise Refused(f"found status {answer.status} at /{address}")
        return body
