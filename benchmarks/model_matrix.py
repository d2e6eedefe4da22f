"""What works with which architecture: every cell tried on a tiny model against transformers.

    python -m benchmarks.model_matrix

writes benchmarks/results/model_matrix.json and, from it, docs/models.md. A cell works where every
number is within WITHIN of plain transformers' (of the largest one), and else says in one line why
not. Anything else, a wrong number or an error of another's, is a fault, and the script fails.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.common import record, this_command
from benchmarks.tiny_models import ARCHITECTURES, build
from core.decode.lens import lens_grid
from core.decode.patchscopes import Patchscope, concepts, identity_prompt
from core.decode.residual_stream import Edit
from core.decode.sampling import Sampling
from core.errors import MeaningSpaceError
from core.pipeline.models import reader, speaker
from core.pipeline.trajectories.trajectory import write_paths
from core.signatures.hidden import hidden_states
from core.teachers.encoder import load_encoder
from core.teachers.registry import resolve

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
WITHIN = 1e-4  # of the largest number
TEXTS = ("the dog sat on the mat", "money", "justice is the moon of the ocean, in a blue river")
PROMPT = TEXTS[0]
STEPS = 6  # tokens written
STEER = 1.5  # what is added to each number of a state
NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "ln_out", "norm_f")

BOTH_WAYS = (  # architectures whose tokens see what stands after them too
    *("BERT", "RoBERTa", "XLM-R", "DistilBERT", "ALBERT", "ELECTRA", "DeBERTa-v2", "MPNet"),
    *("ModernBERT", "XLNet", "Funnel", "CANINE", "T5 encoder", "BART"),
)

Floats = npt.NDArray[Any]
Pairs = Iterable[tuple[Floats, Floats]]  # (found, expected)


class Tried(NamedTuple):
    """A saved model: where it lies, and itself as transformers has it."""

    name: str
    folder: Path
    model: Any
    tokenizer: Any

    @property
    def reference(self) -> str:
        return f"path:{self.folder}"


class Cell(NamedTuple):
    """``kind`` is "works" (``difference`` is the largest one), "refused" or "fault" (``why``)."""

    kind: str
    difference: float = 0.0
    why: str = ""


def cell(check: Callable[[Tried], Pairs], tried: Tried) -> Cell:
    """Try one thing with one model."""
    try:
        difference = max(_apart(found, expected) for found, expected in check(tried))
    except MeaningSpaceError as refusal:
        return Cell("refused", why=str(refusal).replace(tried.reference, tried.name))
    except Exception as fault:
        return Cell("fault", why=f"{type(fault).__name__}: {' '.join(str(fault).split())[:200]}")
    if not difference <= WITHIN:
        return Cell("fault", difference, f"another number than transformers' by {difference:.2g}")
    return Cell("works", difference)


def _apart(found: Floats, expected: Floats) -> float:
    found, expected = (np.asarray(it, np.float64) for it in (found, expected))
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


# ---------------------------------------------------------------------------------- the oracle


def plain(tried: Tried, ids: list[int]) -> Any:
    """What the part that reads texts gives for one text, by transformers alone."""
    import torch

    model = tried.model
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    model = getattr(model, "text_model", model)  # CLIP's
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), output_hidden_states=True)


def plain_states(tried: Tried, ids: list[int]) -> list[Floats]:
    """(t, d) a layer."""
    return [np.asarray(state[0]) for state in plain(tried, ids).hidden_states]


def plain_last(tried: Tried, ids: list[int]) -> Floats:
    """(t, d) what a model gives out, or its head reads."""
    out = plain(tried, ids)
    last = getattr(out, "last_hidden_state", None)
    return np.asarray((out.hidden_states[-1] if last is None else last)[0])


def own_places(tried: Tried, text: str) -> tuple[list[int], list[int]]:
    """The ids of a text, and the places of those that are its own."""
    said = tried.tokenizer(text, return_special_tokens_mask=True)
    places = [place for place, one in enumerate(said["special_tokens_mask"]) if not one]
    return said["input_ids"], places


def plain_logits(tried: Tried, ids: list[int], hook: Any = None) -> Floats:
    """(t, v) by the whole model, with a hook on its first block where one is given."""
    import torch

    handle = plain_blocks(tried)[0].register_forward_hook(hook) if hook else None
    with torch.no_grad():
        out = tried.model(input_ids=torch.tensor([ids]))
    if handle is not None:
        handle.remove()
    return np.asarray(out.logits[0])


def plain_blocks(tried: Tried) -> Any:
    """The layers of the part that reads texts."""
    import torch

    count = tried.model.config.get_text_config().num_hidden_layers
    lists = [
        module
        for name, module in tried.model.named_modules()
        if type(module) is torch.nn.ModuleList and len(module) == count and "vision" not in name
    ]
    return lists[0]


def plain_norm(tried: Tried) -> Any:
    """What stands between the last layer and the head."""
    parts = dict(tried.model.named_modules())
    return next(
        part
        for name, part in parts.items()
        if name.rpartition(".")[2] in NORMS and name.count(".") <= 2 and "vision" not in name
    )


# ---------------------------------------------------------------------------------- the columns


def tokens(tried: Tried) -> Pairs:
    """The rows of the table, and those of words by name."""
    space = resolve(f"{tried.reference}:tokens").space()
    part = tried.model
    part = getattr(part, "text_model", part)
    table = np.asarray(part.get_input_embeddings().weight.detach())
    rows = tried.tokenizer.convert_tokens_to_ids(list(space.ids))
    yield space.vectors, table[rows]
    for word in ("dog", "justice"):
        ids = tried.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        row = space.find(word)
        yield np.array([len(ids), row is not None]), np.array([1, True])
        assert row is not None
        yield space.vectors[row], table[ids[0]]


def words(tried: Tried) -> Pairs:
    """Texts as vectors: the mean over all tokens, of a decoder over those behind a start."""
    made = load_encoder(tried.folder, tried.reference, "float32").encode(TEXTS)
    usual = load_encoder(tried.folder, tried.reference).encode(TEXTS)  # in bf16 where it pays
    yield _cosines(made, usual), np.ones(len(TEXTS))
    yield made, np.stack([_pooled(tried, text) for text in TEXTS])


def _cosines(one: Floats, other: Floats) -> Floats:
    """(n,) rounded to what bf16 leaves of them."""
    products = (one * other).sum(axis=1)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((products / lengths).round(2))


def _pooled(tried: Tried, text: str) -> Floats:
    import torch

    tokenizer, model = tried.tokenizer, tried.model
    if hasattr(model, "get_text_features"):
        with torch.no_grad():
            out = model.get_text_features(torch.tensor([tokenizer(text)["input_ids"]]))
        return np.asarray(getattr(out, "pooler_output", out)[0])
    if tried.name in BOTH_WAYS:
        return np.asarray(plain_last(tried, tokenizer(text)["input_ids"]).mean(axis=0))
    ids, places = own_places(tried, f" {text}")
    start = [] if places[0] else [tokenizer.bos_token_id]
    return np.asarray(plain_last(tried, [*start, *ids])[1:].mean(axis=0))


def hidden(tried: Tried) -> Pairs:
    """Every state of every layer of every token of texts."""
    states = hidden_states(TEXTS, reader(tried.reference))
    for row, text in enumerate(TEXTS):
        ids, places = own_places(tried, text)
        rows = np.flatnonzero(states.tokens["text"] == row)
        expected = plain_states(tried, ids)
        yield np.array([len(states.layers)]), np.array([len(expected)])
        for found, layer in zip(states.layers, expected, strict=True):
            yield found[rows], layer[places]


def layers(tried: Tried) -> Pairs:
    """The state of the last token of texts in the first, second and third layer."""
    for layer in range(3):
        told = resolve(f"{tried.reference}:layer{layer}").encode(TEXTS)
        for text, vector in zip(TEXTS, told, strict=True):
            ids, places = own_places(tried, text)
            if len(ids) == 1:  # a causal model has it behind the token that texts begin with
                ids, places = [tried.tokenizer.bos_token_id, *ids], [1]
            yield vector, plain_states(tried, ids)[layer][places[-1]]


def lens(tried: Tried) -> Pairs:
    """What each layer would say next at each token: norm and head, by hand."""
    import torch

    lm = speaker(tried.reference)
    ids = lm.ids(PROMPT)
    grid = lens_grid(lm, ids)
    states = plain_states(tried, ids)
    norm, head = plain_norm(tried), tried.model.get_output_embeddings()
    for layer in range(lm.depth):
        with torch.no_grad():
            shares = head(norm(torch.from_numpy(np.array(states[layer])))).softmax(-1).numpy()
        yield grid.states[layer], states[layer]
        yield grid.probabilities[layer], np.take_along_axis(shares, grid.top[layer], axis=1)
    last = _shares(plain_logits(tried, ids))
    yield grid.probabilities[-1], np.take_along_axis(last, grid.top[-1], axis=1)


def trajectory(tried: Tried) -> Pairs:
    """What is written greedily, the probability of each token, and the states on the way."""
    import torch

    lm = speaker(tried.reference)
    prompt = lm.ids(PROMPT)
    [walk] = write_paths(lm, prompt, Sampling(steps=STEPS), 1)
    asked = torch.tensor([prompt])
    whole = tried.model.generate(
        asked,
        attention_mask=torch.ones_like(asked),
        max_new_tokens=STEPS,
        do_sample=False,
        pad_token_id=0,
    )[0].tolist()
    ends = [place for place in range(len(prompt), len(whole)) if whole[place] in lm.ends]
    ids = whole[: ends[0]] if ends else whole
    yield walk.ids, np.array(ids)
    shares = _shares(plain_logits(tried, ids))
    yield walk.probability[1:], shares[np.arange(len(ids) - 1), ids[1:]]
    yield walk.states, plain_states(tried, ids)[1]
    for fan in lm.fans(prompt, 3, 1, [2, len(prompt) - 1]):
        begun = prompt[: fan.position + 1]
        said = _shares(plain_logits(tried, begun))[-1]
        yield fan.probabilities, np.sort(said)[::-1][:3]
        ends_of = [plain_states(tried, [*begun, int(token)])[1][-1] for token in fan.ids]
        yield fan.states, np.stack(ends_of)


def steer(tried: Tried) -> Pairs:
    """What is said next where something is added to the states of the first layer."""
    lm = speaker(tried.reference)
    ids = lm.ids(PROMPT)
    push = np.full(lm.dim, STEER, np.float32)
    push[::2] *= -1
    edit = Edit(1, push, 1, None, "add")
    said = lm.logits(lm.run([ids], edits=[edit]).final)[0]

    def added(_: Any, __: Any, out: Any) -> Any:
        states = (out[0] if isinstance(out, tuple) else out).clone()
        states[:, 1:] += states.new_tensor(push)
        return (states, *out[1:]) if isinstance(out, tuple) else states

    yield np.asarray(said.float()), plain_logits(tried, ids, added)


def between(tried: Tried) -> Pairs:
    """The word that is said where a state of the first layer stands in for a word of a prompt."""
    lm = speaker(tried.reference)
    scope = Patchscope(lm, identity_prompt()[0])
    states = np.stack([it.states[0] for it in concepts(lm, ("ocean", "justice"), [1])])
    for state, logits in zip(states, scope.logits(states, 1), strict=True):

        def put(_: Any, __: Any, out: Any, state: Floats = state) -> Any:
            written = (out[0] if isinstance(out, tuple) else out).clone()
            written[:, scope.place] = written.new_tensor(state)
            return (written, *out[1:]) if isinstance(out, tuple) else written

        yield np.asarray(logits), plain_logits(tried, scope.ids, put)[-1]


def _shares(logits: Floats) -> Floats:
    raised = np.exp(np.float64(logits) - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


COLUMNS: Mapping[str, Callable[[Tried], Pairs]] = {
    "tokens": tokens,
    "words": words,
    "hidden": hidden,
    "layers": layers,
    "lens": lens,
    "trajectory": trajectory,
    "steer": steer,
    "between": between,
}


def tried_all(name: str, folder: Path) -> dict[str, Cell]:
    """Every column of one architecture, whose model is saved to the folder."""
    model, tokenizer = build(ARCHITECTURES[name])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tried = Tried(name, folder, model, tokenizer)
    return {column: cell(check, tried) for column, check in COLUMNS.items()}


# ---------------------------------------------------------------------------------- the page


def page(cells: Mapping[str, Mapping[str, Mapping[str, Any]]], versions: Mapping[str, str]) -> str:
    """docs/models.md from the results."""
    reasons: dict[str, int] = {}
    rows = []
    for name, row in cells.items():
        said = []
        for entry in row.values():
            why = _of_any(str(entry["why"]), name)
            number = reasons.setdefault(why, len(reasons) + 1) if why else 0
            said.append(f"no ({number})" if number else "works")
        rows.append(f"| {name} | {' | '.join(said)} |")
    largest = max(entry["difference"] for row in cells.values() for entry in row.values())
    works = sum(entry["kind"] == "works" for row in cells.values() for entry in row.values())
    count = sum(map(len, cells.values()))
    lines = [HEAD.format(count=count, works=works, largest=largest, **versions), ""]
    lines += [f"| architecture | {' | '.join(COLUMNS)} |", f"|{'---|' * (len(COLUMNS) + 1)}"]
    lines += [*rows, "", "Where it does not work, this is what is said:", ""]
    lines += [f"{number}. {why}" for why, number in reasons.items()]
    return "\n".join([*lines, ""])


def _of_any(why: str, name: str) -> str:
    """A reason as it is for other architectures too."""
    kind = ARCHITECTURES[name].model
    return why.replace(f"a {kind} ", "a model ").replace(f"{name},", "it,").replace(name, "it")


HEAD = """# Which models work

A tiny random model of each architecture is built from a config, saved, read by everything below,
and compared with plain transformers {transformers}: {works} of {count} cells work, the largest
difference is {largest:.0e} of the largest number, and the rest say in one line why not.
`python -m benchmarks.model_matrix` makes this page and `benchmarks/results/model_matrix.json`.

| column | what is tried |
|---|---|
| tokens | `path:DIR:tokens`: each row of the table, and words found by name |
| words | `path:DIR:words`: the vectors of three texts; where bf16 pays, at cosines above .99 |
| hidden | `hidden`: all layers of all tokens of three texts |
| layers | `path:DIR:layerN`: the state of a text's last token in three layers |
| lens | `lens`: what each layer would say next, by norm and head |
| trajectory | `trajectory`: what is written greedily, its probabilities and states, and fans |
| steer | `steer`: what is said next with a direction added to a layer's states |
| between | `between`: what is said where a concept's state stands in for a word |"""


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        cells = {
            name: {
                column: made._asdict()
                for column, made in tried_all(name, Path(root) / str(number)).items()
            }
            for number, name in enumerate(ARCHITECTURES)
        }
    path = record("model_matrix", this_command(), {"within": WITHIN, "cells": cells})
    import json

    versions = json.loads(path.read_text(encoding="utf-8"))["versions"]
    PAGE.write_text(page(cells, versions), encoding="utf-8")
    faults = [
        f"{name}, {column}: {entry['why']}"
        for name, row in cells.items()
        for column, entry in row.items()
        if entry["kind"] == "fault"
    ]
    if faults:
        raise SystemExit("\n".join(["faults:", *faults]))


if __name__ == "__main__":
    main()
