"""Human judgements of words: what the teacher scores, and what a student keeps of it.

wordsim353 and simlex999 ask how alike two words are, questions-words asks for the fourth word of
an analogy. All three come with gensim, and gensim's own scorers give the figures; teacher and
student answer the same questions, those whose words the space holds.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.intervals import Draws, Interval, Values, bootstrap
from core.spaces.linalg import paired_cosines
from core.spaces.space import Space
from core.spaces.words import lines_of
from core.types import Matrix, Progress, silent, tell

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

PAIRS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}
ANALOGIES = "questions-words"
NAMES = (*PAIRS, ANALOGIES)
RESTRICT = 30_000  # most frequent words among which an analogy's answer is sought
QUESTIONS = 1_000  # analogies asked; gensim takes 5 ms for each on 28,594 x 384, twice
FEWEST = 10  # questions; fewer say nothing


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: ``teacher`` and ``student`` as gensim scores them on the same questions.

    ``measure`` is "Spearman" (-1 to 1) or "share right" (0 to 1). ``covered`` of ``total``
    questions have all their words in the space; ``asked`` of those were asked. ``teacher_95``,
    ``student_95`` and ``difference_95`` (student less teacher, on the same resampled questions)
    are bootstrap intervals over questions.
    """

    name: str
    measure: str
    teacher: float
    student: float
    covered: int
    total: int
    asked: int
    teacher_95: Interval
    student_95: Interval
    difference_95: Interval
    note: str = ""

    def report(self) -> dict[str, Any]:
        """As JSON; intervals are [low, high]."""
        said = asdict(self)
        for name in ("teacher_95", "student_95", "difference_95"):
            said[name] = getattr(self, name).report()
        return {**said, "coverage": self.covered / self.total}


def word_benchmarks(
    space: Space,
    student: Matrix,
    *,
    names: Sequence[str] = NAMES,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Benchmark]:
    """Score a teacher's space and a student's vectors (n, d) for the same items.

    Benchmarks of which the space covers fewer than ten questions are left out, so a space of
    sentences gives []. Upper and lower case are the same; of equal texts the first row counts.
    """
    found = []
    for step, name in enumerate(names):
        tell(progress, step, len(names), f"asking {name}")
        one = _analogies if name == ANALOGIES else _pairs
        if (measured := one(name, space, student, seed)) is not None:
            found.append(measured)
    return found


def _pairs(name: str, space: Space, student: Matrix, seed: int) -> Benchmark | None:
    path = _gensim_data(PAIRS[name])
    judged = list(_judgements(path))
    words = {word for a, b, _ in judged for word in (a, b)}
    rows = _first_rows(space.texts, words)
    covered = [(rows[a], rows[b], gold) for a, b, gold in judged if a in rows and b in rows]
    if len(covered) < FEWEST:
        return None
    gold = np.array([it[2] for it in covered])
    ours = [_similar(vectors, covered) for vectors in (space.vectors, student)]

    def score(which: int, drawn: Draws) -> Values:
        return _spearman(gold[drawn], ours[which][drawn])

    points = [
        float(_keyed(space, vectors, rows).evaluate_word_pairs(str(path))[1].statistic)
        for vectors in (space.vectors, student)
    ]
    return Benchmark(
        name, "Spearman", points[0], points[1], len(covered), len(judged), len(covered),
        bootstrap(lambda drawn: score(0, drawn), len(covered), seed=seed),
        bootstrap(lambda drawn: score(1, drawn), len(covered), seed=seed),
        bootstrap(lambda drawn: score(1, drawn) - score(0, drawn), len(covered), seed=seed),
    )  # fmt: skip


def _analogies(name: str, space: Space, student: Matrix, seed: int) -> Benchmark | None:
    """Asked among the first 30,000 items, which are the most frequent words of both tables."""
    known = _first_rows(space.texts[:RESTRICT], None)
    sections = _questions(_gensim_data("questions-words.txt"))
    covered = [section for section in sections if all(word in known for word in section[1])]
    if len(covered) < FEWEST:
        return None
    chosen = np.arange(len(covered))
    if len(covered) > QUESTIONS:
        generator = np.random.default_rng(seed)
        chosen = np.sort(generator.choice(len(covered), QUESTIONS, replace=False))
    asked = [covered[index] for index in chosen]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.txt"
        path.write_text(_as_file(asked), encoding="utf-8")
        right = [_right(_keyed(space, v, known), path, asked) for v in (space.vectors, student)]
    among = f"answers sought among the first {len(known):,} items"
    sampled = f"; {len(asked):,} of {len(covered):,} covered questions asked"
    return Benchmark(
        name, "share right", float(right[0].mean()), float(right[1].mean()),
        len(covered), len(sections), len(asked),
        bootstrap(lambda drawn: right[0][drawn].mean(axis=1), len(asked), seed=seed),
        bootstrap(lambda drawn: right[1][drawn].mean(axis=1), len(asked), seed=seed),
        bootstrap(lambda drawn: (right[1] - right[0])[drawn].mean(axis=1), len(asked), seed=seed),
        among + (sampled if len(asked) < len(covered) else ""),
    )  # fmt: skip


def _right(
    keyed: "KeyedVectors", path: Path, asked: Sequence[tuple[str, tuple[str, ...]]]
) -> Values:
    """(questions,) 1 where gensim finds the fourth word, else 0."""
    _, sections = keyed.evaluate_word_analogies(str(path), restrict_vocab=len(keyed))
    right = {(section["section"], it) for section in sections[:-1] for it in section["correct"]}
    return np.array([float(question in right) for question in asked])


def _keyed(space: Space, vectors: Matrix, rows: dict[str, int]) -> "KeyedVectors":
    """gensim's view of some rows, in the space's order."""
    from gensim.models import KeyedVectors

    chosen = sorted(rows.values())
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors([space.texts[row] for row in chosen], np.ascontiguousarray(vectors[chosen]))
    return keyed


def _first_rows(texts: Sequence[str], wanted: set[str] | None) -> dict[str, int]:
    """The first row of each text in upper case, as gensim reads them."""
    rows: dict[str, int] = {}
    for row, text in enumerate(texts):
        upper = text.upper()
        if wanted is None or upper in wanted:
            rows.setdefault(upper, row)
    return rows


def _spearman(one: Values, other: Values) -> Values:
    """(b,) the rank correlation of each row of (b, n) with the same row of the other."""
    from scipy.stats import rankdata

    a, b = (rankdata(it, axis=1) for it in (one, other))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))


def _similar(vectors: Matrix, pairs: Sequence[tuple[int, int, float]]) -> Values:
    """(pairs,) cosines."""
    one = vectors[[first for first, _, _ in pairs]].astype(np.float64)
    other = vectors[[second for _, second, _ in pairs]].astype(np.float64)
    return np.asarray(paired_cosines(one, other), np.float64)


def _judgements(path: Path) -> Iterator[tuple[str, str, float]]:
    for line in lines_of(path.read_text(encoding="utf-8")):
        parts = line.upper().split("\t")
        if not line.startswith("#") and len(parts) == 3:
            yield parts[0], parts[1], float(parts[2])


def _questions(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """(section, four words in upper case) for each line."""
    found, section = [], ""
    for line in lines_of(path.read_text(encoding="utf-8")):
        if line.startswith(": "):
            section = line[2:].strip()
        elif line.strip():
            found.append((section, tuple(line.upper().split())))
    return found


def _as_file(asked: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    lines, last = [], None
    for section, words in asked:
        if section != last:
            lines.append(f": {section}")
            last = section
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _gensim_data(name: str) -> Path:
    from gensim.test.utils import datapath

    return Path(datapath(name))
