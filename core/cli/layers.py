"""hidden, signature, senses, probe and cka at the command line."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.shared import require_folder, say, show_progress
from core.errors import InvalidSpecification, UnreadableFile

if TYPE_CHECKING:
    from core.pipeline.layers.labelled_texts import Labelled
    from core.signatures.states import States

POOLS = {
    "token": ("token", "mean", False),
    "word": ("word", "mean", False),
    "mean": ("text", "mean", True),
    "max": ("text", "max", True),
    "cls": ("text", "first", True),
    "last": ("text", "last", False),
    "attention": ("text", "weighted", False),
}


def hidden_command(options: argparse.Namespace) -> None:
    """Every layer's states, one tensor a layer, and what each row is."""
    from tempfile import TemporaryDirectory

    from core.pipeline.models import reader
    from core.signatures.attention import received
    from core.signatures.documents import document_states
    from core.signatures.hidden import ReadSpec
    from core.signatures.pooling import Pooling, pool
    from core.store.files import write_tensors

    require_folder(options.out)
    texts = _texts(options)
    unit, how, special = POOLS[options.pool]
    spec = ReadSpec(
        store="float16" if options.half else "float32", special=options.special or special
    )
    model = reader(options.model)
    with TemporaryDirectory(dir=options.out.parent, prefix=".hidden-") as place:
        states = document_states(
            texts, model, spec, folder=Path(place) / "states", progress=show_progress
        )
        weights = None
        if how == "weighted":
            weights = received(texts, model, special=spec.special, progress=show_progress)
        layers = _layers(options.layers, states)
        if unit == "token":
            tensors = {f"layer_{layer:02d}": states.layers[layer] for layer in layers}
            table = states.tokens
        else:
            made = {
                layer: pool(
                    states,
                    Pooling(unit=unit, how=how, layers=(layer,), special=spec.special),
                    weights,
                )
                for layer in layers
            }
            tensors = {f"layer_{it:02d}": found.vectors for it, found in made.items()}
            table = made[layers[0]].table
        write_tensors(options.out, tensors)
        table.to_parquet(options.out.with_suffix(".parquet"))
    said = {
        "model": options.model,
        "texts": len(texts),
        "rows": len(table),
        "layers": layers,
        "dim": states.layers[0].shape[1],
        "notes": list(states.notes),
    }
    say(
        options,
        said,
        lambda: "\n".join(
            [f"{len(table):,} rows x {said['dim']}, {len(layers)} layers", *states.notes]
        ),
    )


def signature_command(options: argparse.Namespace) -> None:
    """A document's signature and those of its windows."""
    from core.pipeline.models import reader
    from core.signatures.attention import received
    from core.signatures.documents import document_signatures, document_states
    from core.signatures.pooling import Pooling
    from core.spaces.formats.text_files import text_of
    from core.store.files import write_tensors

    require_folder(options.out)
    texts = [text_of(file) for file in options.file]
    model = reader(options.model)
    states = document_states(texts, model, size=options.window, progress=show_progress)
    (layer,) = _layers(str(options.layer), states)
    weights = None
    if options.how == "weighted":
        weights = received(texts, model, size=options.window, progress=show_progress)
    whole, parts = document_signatures(states, Pooling(how=options.how, layers=(layer,)), weights)
    write_tensors(options.out, {"documents": whole, "windows": parts.vectors})
    parts.table.to_parquet(options.out.with_suffix(".parquet"))
    said = {"documents": len(whole), "windows": len(parts.vectors), "dim": whole.shape[1]}
    text = f"{len(whole)} documents, {len(parts.vectors)} windows x {whole.shape[1]}"
    say(options, said, lambda: text)


def senses_command(options: argparse.Namespace) -> None:
    from core.pipeline.layers.senses import SenseSentence, senses
    from core.spaces.formats.text_files import text_of
    from core.spaces.words import lines_of

    sentences = None
    if options.file is not None:
        rows = [line.split("\t") for line in lines_of(text_of(options.file)) if line.strip()]
        if bad := next((row for row in rows if len(row) != 2), None):
            raise InvalidSpecification(
                f"found a line of {len(bad)} columns in {options.file}; expected two, the sense "
                "and the sentence, with a tab between them"
            )
        sentences = [SenseSentence(sentence, sense) for sense, sentence in rows]
    senses_told = senses(options.model, options.word, sentences, show_progress)

    def text() -> str:
        lines = [f"{'layer':>5} {'silhouette':>11} {'shuffled':>9} {'its 95%':>8}"]
        for number, it in enumerate(senses_told.partings):
            mark = "  <- parts them most" * (number == senses_told.best)
            lines.append(
                f"{number:5} {it.silhouette:11.3f} {it.null_mean:9.3f} {it.null_high:8.3f}{mark}"
            )
        return "\n".join(lines)

    say(options, senses_told.to_dict(), text)


def probe_command(options: argparse.Namespace) -> None:
    from core.pipeline.layers.probing.probes import OWN, probing

    own = None if options.file is None else _own_labels(options)
    task = OWN if own else options.task
    probed = probing(options.model, task, options.seed, show_progress, own=own)

    def text() -> str:
        lines = [
            f"{probed.items:,} items, {probed.classes} classes; what can be read is not what is "
            "used"
        ]
        lines.append(
            f"{'layer':>5} {'accuracy':>9} {'95%':>15} {'commonest':>10} {'selectivity':>12}"
        )
        for it in filter(None, [probed.static, *probed.layers]):
            low, high = it.accuracy.report()
            sure = f"{it.accuracy.value:9.3f} {low:7.3f} - {high:.3f}"
            lines.append(f"{it.layer:>5} {sure} {it.majority:10.3f} {it.selectivity:12.3f}")
        return "\n".join([*lines, *probed.notes])

    say(options, probed.to_dict(), text)


def _own_labels(options: argparse.Namespace) -> "Labelled":
    """The labelled texts of a table. Raises UnreadableFile, InvalidSpecification."""
    from core.pipeline.layers.labelled_texts import MOST_BYTES, labelled, read_table
    from core.spaces.formats.text_files import bytes_of

    data = bytes_of(options.file, MOST_BYTES)
    columns = (options.text_column, options.label_column, options.word_column, options.group_column)
    return labelled(read_table(data, options.file.name), *columns, seed=options.seed)


def cka_command(options: argparse.Namespace) -> None:
    from core.pipeline.layers.layer_similarity import layer_likeness

    texts = None if options.file is None else _lines(options.file)
    likeness = layer_likeness(options.a, options.b, texts, show_progress)

    def text() -> str:
        head = "      " + " ".join(f"{at:5}" for at in range(likeness.debiased.shape[1]))
        rows = [
            f"{number:5} " + " ".join(f"{value:5.2f}" for value in row)
            for number, row in enumerate(likeness.debiased)
        ]
        return "\n".join([f"{likeness.words:,} words", head, *rows])

    say(options, likeness.to_dict(), text)


def _texts(options: argparse.Namespace) -> list[str]:
    if options.file is None:
        return list(options.text)
    return _lines(options.file)


def _lines(file: Path) -> list[str]:
    """One text a line, empty lines left out."""
    from core.spaces.formats.text_files import text_of
    from core.spaces.words import lines_of

    filled = [line for line in lines_of(text_of(file)) if line.strip()]
    if not filled:
        raise UnreadableFile(f"found nothing in {file}; expected a text a line")
    return filled


def _layers(asked: str, states: "States") -> list[int]:
    """The layers' numbers. Raises InvalidSpecification for one that is not."""
    count = len(states.layers)
    if asked == "all":
        return list(range(count))
    found: list[int] = []
    for part in asked.split(","):
        try:
            number = int(part)
        except ValueError:
            raise InvalidSpecification(
                f"found the layers {asked!r:.60}; expected all, or numbers such as 0,3,-1"
            ) from None
        states.layer(number)
        found.append(number % count)
    return sorted(set(found))


def add_to(command: Any, json_flag: Any) -> None:
    """The commands and their options."""
    model = {"metavar": "MODEL", "help": "minilm, path:DIR, hub:ORG/NAME or student:KEY"}

    asked = command("hidden", hidden_command, "the hidden states of every layer, for every token")
    asked.add_argument("model", **model)
    source = asked.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", nargs="+", metavar="TEXT")
    source.add_argument("--file", type=Path, metavar="F", help="a text a line")
    asked.add_argument("--layers", default="all", metavar="L,L", help="all, or such as 0,3,-1")
    asked.add_argument("--pool", choices=POOLS, default="token", help="token")
    asked.add_argument("--special", action="store_true", help="keep the tokens that are added")
    asked.add_argument("--half", action="store_true", help="store float16")
    asked.add_argument("--out", type=Path, required=True, metavar="S.safetensors")
    json_flag(asked)

    signed = command("signature", signature_command, "documents of any length as vectors")
    signed.add_argument("model", **model)
    signed.add_argument("--file", type=Path, nargs="+", required=True, metavar="F")
    signed.add_argument("--layer", type=int, default=-1, help="-1, the last")
    signed.add_argument("--window", type=int, default=0, help="tokens; 0: as the model reads")
    signed.add_argument(
        "--how",
        choices=("mean", "weighted"),
        default="mean",
        help="of the tokens: mean, or weighted by the attention they receive",
    )
    signed.add_argument("--out", type=Path, required=True, metavar="S.safetensors")
    json_flag(signed)

    parted = command("senses", senses_command, "how far the senses of a word part, by layer")
    parted.add_argument("model", **model)
    parted.add_argument("word")
    parted.add_argument("--file", type=Path, metavar="F.tsv", help="sense, tab, sentence a line")
    json_flag(parted)

    probed = command("probe", probe_command, "what a linear probe reads off each layer")
    probed.add_argument("model", **model)
    asked_for = probed.add_mutually_exclusive_group(required=True)
    asked_for.add_argument("--task", help="category, position, length, order or sense:WORD")
    asked_for.add_argument("--file", type=Path, metavar="F.csv", help="a table of labelled texts")
    probed.add_argument("--text-column", default="text", metavar="T", help="of the table (text)")
    probed.add_argument("--label-column", default="label", metavar="L", help="label")
    probed.add_argument(
        "--word-column", default="", metavar="W", help="ask about this word's state"
    )
    probed.add_argument("--group-column", default="", metavar="G", help="what stays on one side")
    probed.add_argument("--seed", type=int, default=0, help="0")
    json_flag(probed)

    grid = command("cka", cka_command, "every layer of one model against every layer of another")
    grid.add_argument("a", **model)
    grid.add_argument("b", **model)
    grid.add_argument("--file", type=Path, metavar="F", help="a text a line")
    json_flag(grid)
