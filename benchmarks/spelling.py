"""What each ingredient brings to guessing a word's vector from its letters.

    python -m benchmarks.spelling [--seeds 3] [--epochs 8]

minilm:tokens, 5% of the whole words held out, by whole families of forms and, for comparison,
drawn singly. Every line is measured in float32, before anything is rounded, so that only the way
of learning differs. The lines: the ridge on grams that the speller ships with; the same with
misspelt copies of its words; with rarer words weighing less; its grams tuned by gradients, on a
contrastive loss beside the squared error; and a transformer over characters, learnt by both losses.

"misspelt" asks for words that were taught, with one letter wrong: how often the word that was
meant is among the ten nearest, and the cosine to its vector.
"""

import argparse
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from benchmarks.zero_shot import scored
from core.pipeline.workspace import Workspace
from core.spaces.lemmas import split, whole_words
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.checkpoint import Checkpoints
from core.students.subwords import conjugate_gradients, subword_embedding
from core.students.subwords.ngrams import Bags, Grams
from core.types import silent

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]
SHARE = 0.05
GRAMS = 100_000
ASKED_MISSPELT = 1_000
TYPO_WEIGHT = 0.3
RARER = 0.25  # a word weighs 1 / rank to this power
TEMPERATURE, PULL = 0.1, 0.1  # of the contrastive loss, and its share
BATCH = 512
WIDTH, HEADS, DEPTH, LONGEST = 128, 4, 2, 20  # of the transformer over characters
LETTERS = "\0^$" + string.ascii_lowercase + string.digits + "#"


def misspelt(word: str, generator: np.random.Generator) -> str:
    """The word with one letter left out, doubled, replaced or changed for its neighbour."""
    at = int(generator.integers(0, len(word)))
    letter = string.ascii_lowercase[int(generator.integers(0, 26))]
    kinds = [
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
    ]
    return kinds[int(generator.integers(0, len(kinds)))] or word


class Question:
    """What is taught and what is asked, for one split and seed."""

    def __init__(self, space: Space, seed: int, by_family: bool) -> None:
        self.space, self.seed = space, seed
        generator = np.random.default_rng(seed)
        whole = whole_words(space)
        if by_family:
            held = split(space, SHARE, seed)
            kept_out, self.asked = held.kept_out, held.asked
        else:
            kept_out = np.sort(generator.permutation(whole)[: int(SHARE * len(whole))])
            self.asked = kept_out
        self.rows = np.setdiff1d(np.arange(len(space)), kept_out)
        self.texts = [space.texts[row] for row in self.rows]
        self.mean = space.vectors[self.rows].mean(axis=0)
        self.basis = subword_embedding._principal(
            space.vectors[self.rows] - self.mean, subword_embedding.RANK
        )
        self.targets = np.ascontiguousarray(
            (space.vectors[self.rows] - self.mean) @ self.basis.T, np.float32
        )
        taught = np.intersect1d(self.rows, [row for row in whole if len(space.texts[row]) >= 5])
        self.meant = generator.permutation(taught)[:ASKED_MISSPELT]
        self.wrong = [misspelt(space.texts[row], generator) for row in self.meant]

    def typos(self) -> tuple[list[str], Array]:
        """A misspelt copy of each whole word taught, and its row among the taught."""
        generator = np.random.default_rng(self.seed + 1)
        found = [
            (misspelt(text, generator), row)
            for row, text in enumerate(self.texts)
            if text.isalpha() and len(text) >= 5
        ]
        return [text for text, _ in found], np.array([row for _, row in found])

    def score(self, guess: Any) -> dict[str, Any]:
        """``guess`` gives (m, p) coordinates along the basis for texts."""
        space, mean = self.space, self.mean
        fair = guess([space.texts[row] for row in self.asked]) @ self.basis
        slips = guess(self.wrong) @ self.basis
        return {
            "held_out": scored(space, self.asked, fair, mean),
            "misspelt": scored(space, self.meant, slips, mean),
        }


class Ridge:
    """The speller's own way, before rounding; optionally with typos and with weights."""

    def __init__(self, asked: Question, typos: bool = False, rarer: bool = False) -> None:
        from scipy.sparse import diags

        texts, targets = list(asked.texts), asked.targets
        weights = np.ones(len(texts), np.float32)
        if rarer:
            weights = (np.arange(1, len(texts) + 1) ** -RARER).astype(np.float32)
            weights /= weights.mean()
        if typos:
            wrong, of = asked.typos()
            texts, targets = texts + wrong, np.concatenate([targets, targets[of]])
            weights = np.concatenate([weights, TYPO_WEIGHT * weights[of]])
        self.grams = Grams.commonest(asked.texts, GRAMS, least=1)
        bags = self.grams.bags(texts)
        counts = np.bincount(self.grams.bags(asked.texts).places, minlength=len(self.grams))
        features, gains = subword_embedding._weighted(bags, np.maximum(counts, 1))
        root = np.sqrt(weights)[:, None]
        course = conjugate_gradients.TrainingStage(
            "learning", 0, subword_embedding.ROUNDS, subword_embedding.ROUNDS, silent, Checkpoints()
        )
        loud = (diags(root[:, 0]) @ features).tocsr()
        found = conjugate_gradients.ridge(
            loud, np.asarray(targets * root, np.float32), subword_embedding.PENALTY, course
        )
        n = len(asked.texts)
        trust = subword_embedding._trust(
            asked.texts, features[:n], asked.targets, asked.seed, course
        )
        self.vectors = np.asarray(found @ trust * gains[:, None], np.float32)

    def guess(self, texts: Sequence[str]) -> Array:
        """(m, p) coordinates."""
        bags = self.grams.bags(texts)
        return np.asarray(subword_embedding.features_of(bags, len(self.grams)) @ self.vectors)


def losses(
    told: "torch.Tensor", true: "torch.Tensor", every: "torch.Tensor", own: "torch.Tensor"
) -> "torch.Tensor":
    """Squared error, and the contrast of each guess with all rows of the table."""
    import torch.nn.functional as f

    cosines = f.normalize(told, dim=1) @ every.T / TEMPERATURE
    error = (told - true).square().sum(1).mean() / true.square().sum(1).mean()
    return error + PULL * f.cross_entropy(cosines, own)


def batches(count: int, epoch: int) -> list[Array]:
    """The rows of an epoch, shuffled."""
    order = np.random.default_rng(epoch).permutation(count)
    return [order[start : start + BATCH] for start in range(0, count, BATCH)]


class Tuned:
    """The ridge's grams, tuned by gradients on both losses."""

    def __init__(self, asked: Question, epochs: int) -> None:
        import torch

        start = Ridge(asked)
        self.grams = start.grams
        torch.manual_seed(asked.seed)
        self.table = torch.nn.EmbeddingBag.from_pretrained(
            torch.from_numpy(start.vectors.copy()), freeze=False, mode="sum"
        )
        true = torch.from_numpy(asked.targets)
        every = torch.nn.functional.normalize(true, dim=1)
        bags = self.grams.bags(asked.texts)
        scale = float(np.sqrt(np.square(start.vectors).mean()))
        ours = torch.optim.Adam(self.table.parameters(), lr=0.02 * scale)
        for epoch in range(epochs):
            for rows in batches(len(asked.texts), epoch):
                told = self._sums(bags.take(rows))
                own = torch.from_numpy(rows)
                loss = losses(told, true[own], every, own)
                ours.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                ours.step()

    def _sums(self, bags: Bags) -> "torch.Tensor":
        import torch

        found: torch.Tensor = self.table(
            torch.from_numpy(bags.places),
            torch.from_numpy(np.ascontiguousarray(bags.starts[:-1])),
            per_sample_weights=torch.from_numpy(bags.weights),
        )
        return found

    def guess(self, texts: Sequence[str]) -> Array:
        """(m, p) coordinates."""
        import torch

        with torch.inference_mode():
            return np.asarray(self._sums(self.grams.bags(texts)).numpy())


class Characters:
    """A transformer over characters, mean-pooled, from nothing; misspelt words in every epoch."""

    def __init__(self, asked: Question, epochs: int) -> None:
        import torch

        torch.manual_seed(asked.seed)
        n_out = asked.targets.shape[1]
        layer = torch.nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.letters = torch.nn.Embedding(len(LETTERS) + 1, WIDTH, padding_idx=0)
        self.places = torch.nn.Embedding(LONGEST, WIDTH)
        self.layers = torch.nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)
        self.head = torch.nn.Linear(WIDTH, n_out)
        self.parts = torch.nn.ModuleList([self.letters, self.places, self.layers, self.head])
        self.size = float(np.sqrt(np.square(asked.targets).sum(1).mean()))
        true = torch.from_numpy(asked.targets / self.size)
        every = torch.nn.functional.normalize(true, dim=1)
        wrong, of = asked.typos()
        slips = dict(zip(of.tolist(), wrong, strict=True))
        steps = epochs * -(-len(asked.texts) // BATCH)
        ours = torch.optim.AdamW(self.parts.parameters(), 2e-3, weight_decay=0.05)
        pace = torch.optim.lr_scheduler.OneCycleLR(ours, 2e-3, total_steps=steps)
        for epoch in range(epochs):
            chance = np.random.default_rng(1_000 + epoch).random(len(asked.texts))
            for rows in batches(len(asked.texts), epoch):
                texts = [
                    slips[row] if chance[row] < 0.2 and row in slips else asked.texts[row]
                    for row in rows.tolist()
                ]
                own = torch.from_numpy(rows)
                loss = losses(self._read(texts), true[own], every, own)
                ours.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.parts.parameters(), 1.0)
                ours.step()
                pace.step()
        self.parts.eval()

    def _read(self, texts: Sequence[str]) -> "torch.Tensor":
        import torch

        other = len(LETTERS)
        ids = np.zeros((len(texts), LONGEST), np.int64)
        for row, text in enumerate(texts):
            marked = f"^{text.casefold()}$"[:LONGEST]
            found = [LETTERS.find(letter) for letter in marked]
            ids[row, : len(marked)] = [it if it >= 0 else other for it in found]
        tensor = torch.from_numpy(ids)
        hidden = self.letters(tensor) + self.places.weight
        hidden = self.layers(hidden, src_key_padding_mask=tensor == 0)
        there = (tensor != 0).unsqueeze(2)
        pooled: torch.Tensor = self.head((hidden * there).sum(1) / there.sum(1))
        return pooled

    def guess(self, texts: Sequence[str]) -> Array:
        """(m, p) coordinates."""
        import torch

        with torch.inference_mode():
            return np.asarray(self._read(list(texts)).numpy() * self.size)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write benchmarks/results/spelling.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8, help="of tuning; the transformer: 3 times")
    chosen = parser.parse_args(arguments)
    space = Workspace(default_workspace()).space("minilm:tokens")
    found: dict[str, Any] = {}
    for name, by_family in (("families", True), ("single_words", False)):
        for seed in range(chosen.seeds):
            asked = Question(space, seed, by_family)
            lines: dict[str, Any] = {
                "ridge": lambda asked=asked: Ridge(asked),
                "ridge, misspelt copies": lambda asked=asked: Ridge(asked, typos=True),
                "ridge, rarer words weigh less": lambda asked=asked: Ridge(asked, rarer=True),
            }
            if seed == 0 and by_family:  # the gradients take minutes
                lines["ridge, tuned by contrast"] = lambda asked=asked: Tuned(asked, chosen.epochs)
                lines["transformer over characters"] = lambda asked=asked: Characters(
                    asked, 3 * chosen.epochs
                )
            for line, make in lines.items():
                with Stopwatch() as watch:
                    made = make()
                measured = {**asked.score(made.guess), "seconds": round(watch.seconds, 1)}
                found.setdefault(name, {}).setdefault(line, []).append({"seed": seed, **measured})
                print(name, seed, line, measured["held_out"]["cosine"]["mean"],
                      measured["held_out"]["true_word_in_top_10"]["mean"],
                      measured["misspelt"]["true_word_in_top_10"]["mean"], flush=True)  # fmt: skip
    record("spelling", this_command(), found)


if __name__ == "__main__":
    main()
