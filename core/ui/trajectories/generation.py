"""Texts that are written while somebody watches: a thread for each, which can be stopped.

A person has one text in the making; another one ends it. They are written in turn (turns.py). What
is finished is kept for everybody, so that the same wish is answered at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass

from core.cache import LruCache
from core.decode.sampling import Sampling
from core.errors import JobFailed, MeaningSpaceError, reason_of
from core.jobs.line import Place, place_words
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.trajectories.next_tokens import Said, Spread, said_next, spreads
from core.pipeline.trajectories.trajectory import (
    FIRST,
    TokenPath,
    Walks,
    read_paths,
    shuffled,
    write_paths,
)
from core.ui.shared.state import person
from core.ui.shared.turns import LINE, LOOK_SECONDS, kept_or_made, taken
from core.watching import watching

LOADING, WRITING, LOOKING = "Loading the model", "Writing", "Looking at the words it did not choose"
ALONG = 10  # words of the fan at every step
MOST_FANS = 120  # steps that have one; of the others the words are listed alone
SAID_BYTES = 400_000_000  # of distributions that are kept; a token has 4 for each word there is
UNWATCHED = 90.0  # seconds without anybody asking, after which a text is given up


@dataclass(frozen=True)
class Wish:
    """What is to be written: the same wish, the same text."""

    model: str
    identity: str
    prompt: str
    sampling: Sampling
    samples: int


class Generation:
    """One person's text in the making. ``walks`` are what is there so far, in ``layer``; ``doing``
    says what happens now; once it is ``over``, ``error`` says why where nothing came of it."""

    def __init__(self, person: str, wish: Wish, layer: int) -> None:
        self.person = person
        self.wish = wish
        self.layer = layer
        self._place: Place | None = None
        self.walks: Walks = ()
        self.doing = LOADING
        self.error: MeaningSpaceError | None = None
        self.over = False
        self.stopped = False
        self.seen = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> "Generation":
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the writing after the token that is being written; what is there is kept."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)

    @property
    def written(self) -> int:
        """Tokens behind the prompt so far, of the longest sample."""
        return max((len(walk) - walk.begun for walk in self.walks), default=0)

    @property
    def can_stop(self) -> bool:
        """Whether there is anything left to stop: not once all is written."""
        return not (self.over or self._stop.is_set() or self.doing == LOOKING)

    @property
    def waiting(self) -> str:
        """Its place in line, in words; "" once it is its turn."""
        return "" if self._place is None or self.over else place_words(self._place)

    def _keep_on(self, walks: Walks) -> bool:
        self.walks = walks
        self.stopped = self._given_up()
        return not self.stopped

    def _given_up(self) -> bool:
        return self._stop.is_set() or time.monotonic() - self.seen > UNWATCHED

    def _work(self) -> None:
        try:
            with LINE.join(self.person, "write") as self._place:
                if self._turn_comes(self._place):
                    self._write()
                else:
                    self.stopped = True
            with LINE.join(self.person, "look") as self._place:
                if self.walks and self._turn_comes(self._place):
                    self._look()
        except MeaningSpaceError as error:
            self.error = error
        except Exception as error:  # a thread has nobody else to tell
            self.error = JobFailed(
                f"found {type(error).__name__} while {self.wish.model} wrote "
                f"({reason_of(error, 200)}); expected a text: write again, or choose another model"
            )
        finally:
            self.over = True

    def _turn_comes(self, place: Place) -> bool:
        """Wait for the turn; False where the text was given up meanwhile."""
        while not place.wait(LOOK_SECONDS):
            if self._given_up():
                return False
        return True

    def _write(self) -> None:
        wish, layer = self.wish, self.layer
        with _lock:
            same = _whole.get(wish)
        if same is not None:  # somebody else's, while this one stood in line
            self.walks, self.layer = same.walks, same.layer
            return
        with taken():
            with watching(self._loading, LOADING):
                lm = speaker(wish.model)
            ids = lm.ids(wish.prompt, room=wish.sampling.steps)
            self.doing = WRITING
            walks = write_paths(lm, ids, wish.sampling, layer, wish.samples, self._keep_on)
            _readings.put(_reading_key(wish, texts_of(walks), len(ids), layer), walks)
            self.walks = walks
            self.doing = LOOKING
        if not self.stopped:
            _keep_whole(self)

    def _loading(self, done: int, total: int, message: str) -> bool:  # noqa: ARG002
        self.doing = message
        return True

    def _look(self) -> None:
        self.doing = LOOKING
        # The text is there; where this fails, the page asks again, and says why.
        with taken(), suppress(MeaningSpaceError):
            fans_along(self.wish, self.walks[0], self.layer)
            said_of(self.wish.model, texts_of(self.walks)[0])


_runs: dict[str, Generation] = {}  # of each person
_whole: OrderedDict[Wish, Generation] = OrderedDict()
_preloaded: set[str] = set()
_lock = threading.Lock()
MOST_WHOLE = 16
_readings: LruCache[Walks] = LruCache(24)
_fans: LruCache[list[Spread]] = LruCache(24)
_said: LruCache[Said] = LruCache(SAID_BYTES, lambda said: said.nbytes)


def preload(model: str) -> None:
    """Have a model loaded while other things are made ready; who wants it waits for that load."""
    identity = speaker_identity(model)
    with _lock:
        if identity in _preloaded:
            return
        _preloaded.add(identity)

    def load() -> None:
        with suppress(MeaningSpaceError):  # whoever wants to write with it is told
            speaker(model)

    threading.Thread(target=load, daemon=True).start()


def run_of(visitor: str, wish: Wish, layer: int, afresh: bool = False) -> Generation:
    """This person's run of a wish: the one that goes on, a finished one, else one that begins.

    ``afresh`` writes again what was stopped. Another wish of the same person is stopped.
    """
    with _lock:
        own = _runs.get(visitor)
        if own is not None and own.wish == wish and not (afresh and (own.stopped or own.error)):
            own.seen = time.monotonic()
            return own
        if own is not None:
            own.stop()
        whole = _whole.get(wish)
        if whole is not None and whole.error is not None:
            whole = None
        run = whole or Generation(person() or visitor, wish, layer).start()
        _runs[visitor] = run
        while len(_runs) > 200:
            _runs.pop(next(iter(_runs)))
        return run


def _keep_whole(run: Generation) -> None:
    """A text that was written to its end is everybody's who wishes the same."""
    with _lock:
        _whole[run.wish] = run
        while len(_whole) > MOST_WHOLE:
            _whole.popitem(last=False)


# ------------------------------------------------------------------------- what is read of a text


def texts_of(walks: Walks) -> tuple[tuple[int, ...], ...]:
    """The tokens of each."""
    return tuple(tuple(walk.ids.tolist()) for walk in walks)


def paths_in(run: Generation, layer: int) -> Walks:
    """A finished run's texts in a layer: those it was written in, else read once more."""
    texts, wish = texts_of(run.walks), run.wish
    begun = run.walks[0].begun
    return kept_or_made(
        _readings,
        _reading_key(wish, texts, begun, layer),
        lambda: read_paths(speaker(wish.model), texts, layer, begun),
        "read",
    )


def reading_of(model: str, ids: tuple[int, ...], layer: int) -> TokenPath:
    """Any text of tokens in a layer of a model."""
    key = (model, speaker_identity(model), ids, layer)
    return kept_or_made(_readings, key, lambda: read_paths(speaker(model), [ids], layer), "read")[0]


def shuffle_of(wish: Wish, walk: TokenPath, layer: int) -> TokenPath:
    """The shuffled control of a text."""
    key = ("shuffled", wish.identity, tuple(walk.ids.tolist()), layer)

    def made() -> Walks:
        return (shuffled(speaker(wish.model), walk, layer),)

    return kept_or_made(_readings, key, made, "read")[0]


def fans_along(wish: Wish, walk: TokenPath, layer: int, k: int = ALONG) -> list[Spread]:
    """A fan at every drawn token of the first 120; none at one that fills the model's window, as
    there is no place behind it."""

    def made() -> list[Spread]:
        lm = speaker(wish.model)
        positions = range(FIRST, min(len(walk), FIRST + MOST_FANS, lm.window - 1))
        return spreads(lm, walk.ids.tolist(), k, layer, positions) if positions else []

    return kept_or_made(_fans, _fan_key(wish, walk, layer, k), made, "look")


def fans_known(wish: Wish, walk: TokenPath, layer: int) -> bool:
    """Whether they are there already."""
    return len(walk) <= FIRST or _fan_key(wish, walk, layer, ALONG) in _fans


def said_of(model: str, ids: tuple[int, ...]) -> Said:
    """(t, v) what a model expects after each token of a text."""
    key = (model, speaker_identity(model), ids)
    return kept_or_made(_said, key, lambda: said_next(speaker(model), ids), "read")


def _reading_key(
    wish: Wish, texts: tuple[tuple[int, ...], ...], begun: int, layer: int
) -> Hashable:
    return ("walks", wish.identity, texts, begun, layer)


def _fan_key(wish: Wish, walk: TokenPath, layer: int, k: int) -> Hashable:
    return (wish.identity, tuple(walk.ids.tolist()), layer, k)
