"""A crowd: many people ask one server at once, each in a session of their own.

    python -m benchmarks.load                                      this checkout, about 6 minutes
    python -m benchmarks.load --rival ../before                    by turns with another checkout
    python -m benchmarks.load --people 30 --seconds 40 --writers 0

A real server process is started for every turn (``meaning-space app``, on 127.0.0.1, with a
workspace in which the map is computed already), and so many people visit it, each over Streamlit's
own websocket as a browser would (benchmarks/visitor.py), nothing drawn. A person chooses a word on
the map, follows a neighbour, writes a way between two new words, or an axis of new words, at
random by ``--mix``; waits for the answer, pauses ``--pause`` seconds on the mean, and asks again. A
question of another page comes with the link that opens it. Timed is the moment from asking to the
end of the page's script; the arrays that came with it are fetched, too.

With ``--writers`` so many people at once let a language model write on Trajectories, each another
text, while a bystander chooses words on the map.

All turns are bounded: in people (200), in seconds, and in how long an answer may take. Only Linux
tells what a process has used, so only there this runs. The server and all these people share the
machine's cores; what the people take is measured as well.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import record, this_command
from benchmarks.processes import (
    ROOT,
    Served,
    environment,
    free_port,
    holdings,
    processor_seconds,
    server,
    table,
)
from benchmarks.visitor import Refused, Visitor

MOST_PEOPLE = 200
LONGEST_ANSWER = 60.0  # seconds, then it counts as an error
READY_SECONDS = 300  # for what is computed once, before anything is measured
STAGE, LIST = "meaning_space_stage", "meaning_space_neighbor_list"
KINDS = ("map", "neighbours", "path", "axes")
OPENINGS = ("The old", "My new", "A small", "Every", "That last")
MODEL_WRITES = "trajectories"


@dataclass
class Crowd:
    """What the people of a turn saw: seconds of each answer by kind, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    counting: bool = False

    def note(self, kind: str, seconds: float) -> None:
        if self.counting:
            self.seconds.setdefault(kind, []).append(seconds)

    @property
    def answers(self) -> int:
        return sum(map(len, self.seconds.values()))


# ------------------------------------------------------------------------------------ one person


def word(person: Visitor, draw: random.Random) -> str:
    """Any whole word of the items that this person's stage has."""
    while True:
        text = draw.choice(person.texts)
        if text.isascii() and text.isalpha() and text.islower() and len(text) > 3:
            return text


async def ask(person: Visitor, kind: str, draw: random.Random) -> tuple[str, float]:
    """One question; what it was in the end, and the seconds until its answer. Raises Refused."""
    one, other = word(person, draw), word(person, draw)
    on_map = STAGE in person.page.components and "Way or sum" not in person.page.boxes
    if kind == "path":
        if "Way or sum" in person.page.boxes:
            return kind, await person.type({"Way or sum": f"{one} > {other}"}, LONGEST_ANSWER)
        return kind, await person.open("paths", LONGEST_ANSWER, waypoints=f"{one},{other}")
    if kind == "axes":
        if "Across, from" in person.page.boxes:
            words = {"Across, from": one, "to": other}
            return kind, await person.type(words, LONGEST_ANSWER)
        link = {"x_from": one, "x_to": other, "y_from": "small", "y_to": "large"}
        return kind, await person.open("axes", LONGEST_ANSWER, **link)
    if not on_map or "Across, from" in person.page.boxes:
        return "map", await person.open("map", LONGEST_ANSWER, selected=one)
    if kind == "neighbours" and LIST in person.page.components:
        rows = person.page.components[LIST][1]["rows"]
        picked = {"row": draw.choice(rows)["row"]}
        return kind, await person.click(LIST, "chosen", picked, LONGEST_ANSWER)
    row = draw.randrange(len(person.texts))
    return "map", await person.click(STAGE, "chosen", {"row": row}, LONGEST_ANSWER)


async def visit(
    port: int, crowd: Crowd, draw: random.Random, mix: dict[str, float], pause: float, end: float
) -> None:
    """One person from the first page to the end of the turn."""
    await asyncio.sleep(draw.uniform(0, 2 * pause))
    try:
        async with Visitor(port) as person:
            await person.open("map", LONGEST_ANSWER)
            await person.fetch()
            while time.perf_counter() < end:
                await asyncio.sleep(pause * draw.uniform(0.5, 1.5))
                kind = draw.choices(list(mix), list(mix.values()))[0]
                try:
                    crowd.note(*await ask(person, kind, draw))
                    await person.fetch()
                except Refused as error:
                    crowd.errors.append(f"{kind}: {error}")
    except (OSError, Refused, ConnectionError) as error:
        crowd.errors.append(f"left: {error}")


# -------------------------------------------------------------------------------------- one turn


async def crowd_turn(
    port: int, pid: int, people: int, options: argparse.Namespace
) -> dict[str, Any]:
    """So many people for so many seconds; what they saw and what it cost the server."""
    crowd = Crowd()
    begin = time.perf_counter() + 2 * options.pause + 4  # once all are in and have asked once
    end = begin + options.seconds
    visits = [
        visit(port, crowd, random.Random(number), options.mix, options.pause, end)
        for number in range(people)
    ]
    gathered = asyncio.gather(*visits)
    await asyncio.sleep(begin - time.perf_counter())
    crowd.counting, before, own = True, processor_seconds(pid), time.process_time()
    start = time.perf_counter()
    await asyncio.sleep(max(0.0, end - time.perf_counter()))
    used, wall = processor_seconds(pid) - before, time.perf_counter() - start
    theirs, answers = time.process_time() - own, crowd.answers
    held = holdings(pid)
    await gathered
    return {
        "people": people,
        "answers": answers,
        "errors": len(crowd.errors),
        "first_errors": crowd.errors[:3],
        "seconds": {
            "all": spread([it for each in crowd.seconds.values() for it in each]),
            **{kind: spread(crowd.seconds[kind]) for kind in KINDS if kind in crowd.seconds},
        },
        "processor_seconds_per_answer": round(used / max(1, answers), 3),
        "cores_of_server": round(used / wall, 2),
        "cores_of_people": round(theirs / wall, 2),
        "server": held,
    }


async def writers_turn(
    port: int, pid: int, writers: int, options: argparse.Namespace
) -> dict[str, Any]:
    """So many people let the model write at once; who was served when, and a bystander's map."""
    crowd, over = Crowd(counting=True), asyncio.Event()
    draw = random.Random(0)
    most = {"threads": 0, "descriptors": 0, "megabytes": 0}

    async def write(number: int) -> float | None:
        prompt = f"{OPENINGS[number % len(OPENINGS)]} friend number {number + 1} said that"
        start = time.perf_counter()
        try:
            async with Visitor(port) as person:
                await person.open(MODEL_WRITES, options.writing_limit, prompt=prompt)
                left = options.writing_limit - (time.perf_counter() - start)
                await person.until_quiet(left)
        except (OSError, Refused) as error:
            crowd.errors.append(str(error))
            return None
        return time.perf_counter() - start

    async def stand_by() -> None:
        async with Visitor(port) as person:
            await person.open("map", LONGEST_ANSWER)
            await person.fetch()
            while not over.is_set():
                try:
                    crowd.note(*await ask(person, "map", draw))
                except Refused as error:
                    crowd.errors.append(f"bystander: {error}")
                for name, value in holdings(pid).items():
                    most[name] = max(most.get(name, 0), value)
                await asyncio.sleep(options.pause / 2)

    bystander = asyncio.create_task(stand_by())
    await asyncio.sleep(options.pause)
    done = await asyncio.gather(*map(write, range(writers)))
    over.set()
    await bystander
    served = sorted(seconds for seconds in done if seconds is not None)
    return {
        "writers": writers,
        "served": len(served),
        "within_seconds": options.writing_limit,
        "first_errors": crowd.errors[:3],
        "seconds": spread(served),
        "bystander_seconds": spread(crowd.seconds.get("map", [])),
        "server_at_most": most,
    }


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """How many, the median, the 95th percentile and the longest, to the millisecond."""
    if not values:
        return {"count": 0}
    median, late = np.percentile(values, [50, 95])
    return {
        "count": len(values),
        "median": round(float(median), 3),
        "p95": round(float(late), 3),
        "longest": round(max(values), 3),
    }


# ------------------------------------------------------------------------------------ both sides


def serving(root: Path, workspace: Path, port: int) -> AbstractContextManager[Served]:
    """The server of a checkout, on a workspace of its own."""
    command = [sys.executable, "-m", "core.cli", "app", "--no-browser", "--port", str(port)]
    return server(
        [*command, "--workspace", str(workspace)],
        workspace / "server.log",
        environment(PYTHONPATH=str(root)),
        root,
    )


Turn = Callable[[int, int, int, argparse.Namespace], Awaitable[dict[str, Any]]]


def take_turn(
    root: Path,
    workspace: Path,
    turn: Turn,
    people: int,
    pages: Sequence[str],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """One turn at a fresh server, once the pages have all that is computed once."""

    async def ready(port: int) -> None:
        for page in pages:
            async with Visitor(port) as person:
                await person.open(page, READY_SECONDS)
                await person.until_quiet(READY_SECONDS)

    async def both(port: int, pid: int) -> dict[str, Any]:
        await ready(port)
        return await turn(port, pid, people, options)

    port = free_port()
    with serving(root, workspace, port) as served:
        served.until_answers(f"http://127.0.0.1:{port}/_stcore/health")
        return asyncio.run(both(port, served.process.pid))


def by_turns(sides: dict[str, Path], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every size of crowd, then the writers, each on all sides before the next."""
    crowds: list[dict[str, Any]] = []
    writers: list[dict[str, Any]] = []
    for side in sides:
        (folder / side).mkdir(parents=True, exist_ok=True)
    for people in options.people:
        for side, root in sides.items():
            took = take_turn(root, folder / side, crowd_turn, people, ("map",), options)
            crowds.append({"side": side, **took})
            _tell(crowds[-1])
    for side, root in sides.items() if options.writers else ():
        pages = ("map", MODEL_WRITES)
        took = take_turn(root, folder / side, writers_turn, options.writers, pages, options)
        writers.append({"side": side, **took})
        _tell(writers[-1])
    return {"crowds": crowds, "writers": writers}


def _tell(turn: dict[str, Any]) -> None:
    print(f"{turn['side']}: {turn}", flush=True)


def _mix(typed: str) -> dict[str, float]:
    """``map=2,path=1`` as shares of the questions."""
    shares = {
        kind: float(share) for kind, _, share in (it.partition("=") for it in typed.split(","))
    }
    if not set(shares) <= set(KINDS) or sum(shares.values()) <= 0:
        raise argparse.ArgumentTypeError(
            f"expected shares of {', '.join(KINDS)}, such as map=2,path=1"
        )
    return shares


def main() -> None:
    """Measure and write benchmarks/results/load.json."""
    parser = argparse.ArgumentParser(description="a crowd asks one server")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout that is measured")
    parser.add_argument("--rival", type=Path, help="another checkout, measured by turns with it")
    parser.add_argument("--people", type=int, nargs="*", default=[15, 30])
    parser.add_argument("--seconds", type=float, default=60, help="of each crowd, once all are in")
    parser.add_argument("--pause", type=float, default=3, help="seconds from answer to question")
    parser.add_argument("--mix", type=_mix, default=dict.fromkeys(KINDS, 1.0))
    parser.add_argument(
        "--writers", type=int, default=30, help="who write at once; 0 leaves it out"
    )
    parser.add_argument("--writing-limit", type=float, default=150, help="seconds for all of them")
    parser.add_argument("--workspace", type=Path, help="kept from run to run; else a new one")
    parser.add_argument("--dry", action="store_true", help="print the figures, keep the results")
    options = parser.parse_args()
    if max([*options.people, options.writers]) > MOST_PEOPLE:
        parser.error(f"expected at most {MOST_PEOPLE} people")
    sides = {"now": options.root.resolve()}
    if options.rival:
        sides = {"before": options.rival.resolve(), **sides}
    with tempfile.TemporaryDirectory() as folder:
        found = by_turns(sides, options.workspace or Path(folder), options)
    results = {
        "seconds_of_each_crowd": options.seconds,
        "pause_seconds": options.pause,
        "mix": options.mix,
        **found,
    }
    if not options.dry:
        record("load", this_command(), results)
    rows = [
        (it["side"], it["people"], it["answers"], it["errors"], it["seconds"]["all"].get("median"),
         it["seconds"]["all"].get("p95"), it["seconds"].get("path", {}).get("p95"),
         it["processor_seconds_per_answer"], it["server"]["megabytes"])
        for it in found["crowds"]
    ]  # fmt: skip
    table(
        ("side", "people", "answers", "errors", "p50", "p95", "path p95", "cpu/answer", "MB"), rows
    )


if __name__ == "__main__":
    main()
