"""How well the bridge names points of MiniLM's sentence space, on documents it has not met.

    python -m benchmarks.bridge [--train] [--sentences 200] [--others 60] [--drawn 40]

Each point becomes a text, and the text is encoded again; the figure is the cosine of the two. The
rivals are the nearest stored sentence (a lookup among those that the bridge was trained on), a
model that reads the three nearest stored sentences instead of the bridge, and the shuffled control:
a point against the text of another point. As MiniLM reads along while the bridge writes, a judge
that does not is asked too: the mean of a text's word vectors in GloVe, against that of the true
sentence. Texts are kept in the workspace, so that a measurement
that was stopped goes on. ``--train`` trains the bridge first and puts it under assets/bridge.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import record, this_command
from core.decode.guided_decoding import drawn
from core.decode.language_model import LanguageModel
from core.errors import MeaningSpaceError
from core.metrics.intervals import interval
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.points.bridge import (
    SENTENCES,
    WORDS,
    bridge,
    encoder,
    shipped_folder,
    trained_bridge,
    write_bridge,
)
from core.pipeline.points.bridge_data import WORD, split
from core.pipeline.points.description import tell_point
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.store.disk import default_workspace

MOST_BYTES = 8_000_000
RETRIEVED = 3  # stored sentences that the rival reads
SAMPLES = 8

Floats = npt.NDArray[np.floating[Any]]


def points_of(
    workspace: Workspace, sentences: int, others: int
) -> dict[str, tuple[Floats, list[str]]]:
    """(m, d) points of three kinds, with what each was made from.

    Words are of the list of 20,000 but not among those that the bridge was taught.
    """
    space, words = workspace.space(SENTENCES), workspace.space(WORDS)
    _, _, held = split([str(it) for it in space.metadata["document"]])
    draw = np.random.default_rng(11)
    rows = draw.permutation(np.flatnonzero(held))
    own = rows[:sentences]
    pairs = draw.permutation(rows)[: 2 * others].reshape(2, -1)
    taught = set(bridge(workspace).bridge.tokens.tolist())
    lm = speaker()
    new = [row for row, text in enumerate(words.texts) if not taught & set(lm.ids(f" {text}"))]
    single = draw.permutation(new)[:others]
    return {
        "sentences": (space.unit[own], [space.texts[row] for row in own]),
        "midpoints": (
            unit_rows(space.unit[pairs[0]] + space.unit[pairs[1]]),
            [f"{space.texts[a]} + {space.texts[b]}" for a, b in pairs.T],
        ),
        "words": (words.unit[single], [words.texts[row] for row in single]),
    }


def measured(
    workspace: Workspace, points: Floats, names: Sequence[str], stored: Space, judge: "Judge"
) -> dict[str, Any]:
    """Figures over all points, and the first eight as examples."""
    lm = speaker()
    told = []
    for at, point in enumerate(points):
        told.append(tell_point(workspace, point))
        print(f"{at + 1} of {len(points)}: {told[-1].best.text}", file=sys.stderr, flush=True)
    near = points @ stored.unit.T
    looked_up = [stored.texts[row] for row in near.argmax(axis=1)]
    texts = {
        "greedy": [it.greedy.text for it in told],
        "sought": [it.best.text for it in told],
        "nearest stored": looked_up,
    }
    cosines = {name: against(points, said) for name, said in texts.items()}
    shuffled = {
        f"{name}, shuffled": against(np.roll(points, 1, axis=0), said)
        for name, said in texts.items()
    }
    return {
        "points": len(points),
        "cosine": {name: _mean(it) for name, it in (cosines | shuffled).items()},
        "above_nearest_stored": {
            name: _mean(it - cosines["nearest stored"])
            for name, it in cosines.items()
            if name != "nearest stored"
        },
        "share_above_nearest_stored": float(np.mean(cosines["sought"] > cosines["nearest stored"])),
        "glove_cosine": judge(names, texts),
        "nats_per_token": {name: _mean(_nats(lm, said)) for name, said in texts.items()},
        "examples": [
            {
                "point": names[at],
                "greedy": texts["greedy"][at],
                "sought": texts["sought"][at],
                "cosine": round(float(cosines["sought"][at]), 3),
                "nearest_stored": looked_up[at],
                "nearest_stored_cosine": round(float(cosines["nearest stored"][at]), 3),
            }
            for at in range(min(8, len(points)))
        ],
    }


class Judge:
    """What somebody says of two texts who had no part in writing them: the cosine of the means of
    their words' vectors in GloVe, seen from the stored sentences' own mean."""

    def __init__(self, workspace: Workspace, stored: Space) -> None:
        space = workspace.space("glove")
        self._row = {text: row for row, text in enumerate(space.texts)}
        self._unit = space.unit
        self._middle = np.zeros(space.dim, np.float32)
        self._middle = np.nanmean(self._of(stored.texts), axis=0)

    def __call__(self, names: Sequence[str], texts: dict[str, list[str]]) -> dict[str, Any]:
        """Means with intervals over the points of which both texts have a known word."""
        true = self._of(names)
        found = {}
        for name, said in texts.items():
            other = self._of(said)
            for label, own in ((name, true), (f"{name}, shuffled", np.roll(true, 1, axis=0))):
                lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
                cosines = (own * other).sum(axis=1) / lengths
                found[label] = _mean(cosines[np.isfinite(cosines)])
        return found

    def _of(self, texts: Sequence[str]) -> Floats:
        """(m, d); NaN where no word is known."""
        made = []
        for text in texts:
            rows = [self._row[it] for it in WORD.findall(text.lower()) if it in self._row]
            own = self._unit[rows].mean(axis=0) if rows else np.full_like(self._middle, np.nan)
            made.append(own - self._middle)
        return np.array(made)


def drawn_from(workspace: Workspace, points: Floats, stored: Space) -> dict[str, Any]:
    """Greedy and the best of some samples, without reading while writing: after the bridge's
    prompt, and after the nearest stored sentences, a line each, which is the rival."""
    lm = speaker()
    table = lm.model.get_input_embeddings().weight.detach()
    over = bridge(workspace).bridge
    found: dict[str, list[tuple[float, float]]] = {"bridge": [], "nearest stored": []}
    for at, point in enumerate(points):
        rows = np.argsort(-(stored.unit @ point))[:RETRIEVED][::-1]
        read = lm.ids("\n".join(stored.texts[row] for row in rows) + "\n")
        for name, prompt in (("bridge", over.prompt(lm, point)), ("nearest stored", table[read])):
            texts = drawn(lm, prompt, partial(against, point), SAMPLES)
            found[name].append((texts[0].cosine, max(it.cosine for it in texts)))
        print(f"drawn {at + 1} of {len(points)}", file=sys.stderr, flush=True)
    return {
        "points": len(points),
        "stored_sentences_read": RETRIEVED,
        "samples": SAMPLES,
        **{
            name: {
                "greedy": _mean(np.array([greedy for greedy, _ in pairs])),
                "best of samples": _mean(np.array([best for _, best in pairs])),
            }
            for name, pairs in found.items()
        },
    }


def against(points: Floats, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(m,) cosines of texts to their points (m, d), or to one (d,)."""
    found = unit_rows(encoder().encode(list(texts)))
    return np.asarray((found * points).sum(axis=1), np.float32)


def _nats(lm: LanguageModel, texts: Sequence[str]) -> Floats:
    """(m,) mean nats a token of each text, at the start of a line."""
    found = []
    for text in texts:
        ids = lm.ids(f"\n{text}")
        said = lm.logits(lm.run([ids]).final[0, :-1]).log_softmax(-1)
        found.append(-float(said[range(len(ids) - 1), ids[1:]].mean()))
    return np.array(found)


def _mean(values: Floats) -> dict[str, float]:
    """The mean with its 95% interval."""
    found = interval(np.asarray(values, np.float64))
    return {"mean": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def _train(workspace: Workspace) -> int:
    made = trained_bridge(workspace, afresh=True, progress=_say)
    size = write_bridge(shipped_folder(), made)
    if size > MOST_BYTES:
        print(
            f"found {size:,} bytes; expected at most {MOST_BYTES:,}: fewer words", file=sys.stderr
        )
        return 1
    print(f"{shipped_folder()}: {size:,} bytes", file=sys.stderr)
    return 0


def _say(done: int, total: int, message: str) -> bool:
    print(f"\r\x1b[K{message}, {100 * done // max(total, 1)}%", end="", file=sys.stderr)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--train", action="store_true", help="train the bridge first, and ship it")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--others", type=int, default=60)
    parser.add_argument("--drawn", type=int, default=40)
    options = parser.parse_args()
    workspace = Workspace(default_workspace())
    try:
        if options.train and (fault := _train(workspace)):
            return fault
        return _measure(workspace, options.sentences, options.others, options.drawn)
    except MeaningSpaceError as error:
        print(f"benchmarks.bridge: {error}", file=sys.stderr)
        return 1


def _measure(workspace: Workspace, sentences: int, others: int, few: int) -> int:
    space = workspace.space(SENTENCES)
    taught, _, _ = split([str(it) for it in space.metadata["document"]])
    rows = np.flatnonzero(taught)
    stored = Space.create([space.texts[row] for row in rows], space.unit[rows], space.provenance)
    kinds = points_of(workspace, sentences, others)
    judge = Judge(workspace, stored)
    results: dict[str, Any] = {"bridge": bridge(workspace).facts, "stored": len(stored)}
    for kind, (points, names) in kinds.items():
        results[kind] = measured(workspace, points, names, stored, judge)
    results["drawn"] = drawn_from(workspace, kinds["sentences"][0][:few], stored)
    record("bridge", this_command(), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
