"""How a model's token states become one vector a text: read from its folder, then done.

A sentence-transformers model says it in ``modules.json`` and the files that this names; any other
model gets the mean over its tokens. What is said and cannot be done is refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.context_length import UNLIMITED
from core.errors import Unsupported
from core.regular import is_file, is_within
from core.teachers.model_folder.sentence_layers import AfterPooling, read_layer
from core.weights import read_list, read_object

# sentence-transformers' names, in the order in which it joins them, and what they are called here
MODES = {
    "cls": "first",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "sum by root of length",
    "weightedmean": "mean weighted by position",
    "lasttoken": "last",
}
OLDER = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
FEATURES = "features"  # the model makes one vector a text itself, as CLIP does
TEXT_FILES = [
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
]
# Settings of the transformer that change its vectors, and the value at which they don't
PLAIN: dict[str, Any] = {
    "transformer_task": "feature-extraction",
    "module_output_name": "token_embeddings",
    "processing_kwargs": {},
    "config_kwargs": {},
    "config_args": {},
    "query_expansion": None,
}
PLAIN_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
TOKENIZER_KEYS = {"model_max_length", "padding_side", "use_fast"}  # known, or without effect here
HELP = "use its token table with :tokens"


@dataclass(frozen=True)
class PoolingConfig:
    """``modes`` are joined end to end; ``after`` is what the vector then goes through.

    ``start``: a token in front of each text whose place is left out, as decoders need.
    """

    modes: tuple[str, ...] = ("mean",)
    after: tuple[AfterPooling, ...] = ()
    max_tokens: int = 0  # UNLIMITED: as the tokenizer and the model say; 0: nothing is said
    lower: bool = False
    prompt: str = ""  # put before each text
    include_prompt: bool = True  # whether its tokens are pooled
    dims: int = 0  # the first so many numbers of a vector; 0: all
    start: bool = False

    @property
    def name(self) -> str:
        """As the provenance says it: all that makes one model's vectors another's."""
        said = [" + ".join(self.modes), *(layer.name for layer in self.after)]
        said += [f"the first {self.dims}"] * bool(self.dims)
        said += ["without the start"] * self.start
        prompted = f"prompt {self.prompt!r}" + " left out" * (not self.include_prompt)
        return ", ".join([*said, *[prompted] * bool(self.prompt)])

    def __call__(self, states: Any, mask: Any, lead: int = 0) -> Any:
        """(b, d) from states (b, t, d) and a mask (b, t) of 1 and 0, padding on the right.

        The first ``lead`` tokens are not pooled, unless a text has no others.
        """
        import torch

        own = mask.clone()
        own[:, :lead] = 0
        own = torch.where(own.sum(1, keepdim=True) > 0, own, mask)
        pooled = torch.cat([_pooled(mode, states.float(), own) for mode in self.modes], dim=-1)
        return self.finished(pooled)

    def finished(self, vectors: Any) -> Any:
        """(b, d) what stands behind the pooling, done to (b, e)."""
        for layer in self.after:
            vectors = layer.run(vectors)
        return vectors[:, : self.dims] if self.dims else vectors


def _pooled(mode: str, states: Any, mask: Any) -> Any:
    """(b, d) from states (b, t, d) float32 and a mask (b, t) with a 1 in every row."""
    import torch

    rows = torch.arange(len(states), device=states.device)
    weights = mask.to(states.dtype)[:, :, None]  # (b, t, 1)
    if mode == "first":
        return states[rows, mask.argmax(1)]
    if mode == "last":
        return states[rows, mask.shape[1] - 1 - mask.flip(1).argmax(1)]
    if mode == "max":
        return states.masked_fill(weights == 0, float("-inf")).amax(1)
    if mode == "mean weighted by position":
        weights = weights * torch.arange(1, states.shape[1] + 1, device=states.device)[:, None]
    total = weights.sum(1)
    return (states * weights).sum(1) / (total.sqrt() if mode.startswith("sum") else total)


def read_pooling(folder: Path) -> PoolingConfig:
    """The pooling that a model's folder asks for.

    Raises Unsupported for what we lack, by name, and TeacherUnavailable for damaged files.
    """
    name = folder.name
    if not (folder / "modules.json").is_file():
        return PoolingConfig()
    kinds, places = _modules(folder)
    at = next((row for row, kind in enumerate(kinds) if kind == "Pooling"), 0)
    if kinds[:1] != ["Transformer"] or at != 1:
        raise Unsupported(
            f"found the layers {', '.join(kinds)} in {name}; expected Transformer, Pooling "
            f"and what stands behind them: {HELP}"
        )
    if places[0] != folder:
        raise Unsupported(
            f"found the transformer of {name} in a folder of its own, {places[0].name}; expected "
            "it beside modules.json: save the model anew with sentence-transformers"
        )
    if not is_file(places[1] / "config.json"):
        raise Unsupported(
            f"found no {places[1].name}/config.json in {name}, which says how states are pooled; "
            "expected the whole folder: fetch it again with its folders, or use its token table "
            "with :tokens"
        )
    config = read_object(places[1] / "config.json", name)
    text = next(
        (_optional(folder / file, name) for file in TEXT_FILES if (folder / file).is_file()),
        {},
    )
    whole = _optional(folder / "config_sentence_transformers.json", name)
    layers = zip(kinds[2:], places[2:], strict=True)
    return PoolingConfig(
        modes=_modes(config, name),
        after=tuple(read_layer(kind, place, name) for kind, place in layers if kind != "Dropout"),
        max_tokens=_max_tokens(text, name),
        lower=bool(text.get("do_lower_case")),
        prompt=_prompt(whole, name),
        include_prompt=bool(config.get("include_prompt", True)),
        dims=_number(whole, "truncate_dim", name),
    )


def _modules(folder: Path) -> tuple[list[str], list[Path]]:
    """The layers' kinds and folders, in order. Raises Unsupported for a folder elsewhere."""
    modules = read_list(folder / "modules.json", folder.name)
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    places = [folder / str(module.get("path", "")) for module in modules]
    if not all(is_within(place, folder) for place in places):
        raise Unsupported(
            f"found a layer of {folder.name} outside its folder; expected all within: {HELP}"
        )
    return kinds, places


def _modes(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """What is joined to one vector, in order."""
    if "pooling_mode" in config:
        said = config["pooling_mode"]
        asked = [str(entry) for entry in said] if isinstance(said, list) else [str(said)]
    else:
        on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        asked = [OLDER[key] for key in OLDER if key in on] + [key for key in on if key not in OLDER]
        asked = asked or ["mean"]
    if unknown := [mode for mode in asked if mode not in MODES]:
        raise Unsupported(
            f"found the pooling {' + '.join(unknown)} in {name}; expected some of "
            f"{', '.join(MODES)}: {HELP}"
        )
    return tuple(MODES[mode] for mode in asked)


def _max_tokens(text: Mapping[str, Any], name: str) -> int:
    """The longest text, UNLIMITED where nothing is said; the other settings are plain ones."""
    odd = [key for key, plain in PLAIN.items() if text.get(key, plain) != plain]
    modalities = text.get("modality_config", {"text": PLAIN_TEXT})
    if modalities != {"text": PLAIN_TEXT}:
        odd.append("modality_config")
    tokenizer = text.get("processor_kwargs") or text.get("tokenizer_args") or {}
    odd += [f"tokenizer's {key}" for key in tokenizer if key not in TOKENIZER_KEYS]
    if odd:
        raise Unsupported(
            f"found the settings {', '.join(map(str, odd))} of sentence-transformers in {name}; "
            f"expected none that changes how plain texts are read: {HELP}"
        )
    own = _number(tokenizer, "model_max_length", name) or _number(text, "max_seq_length", name)
    return own or UNLIMITED


def _prompt(whole: Mapping[str, Any], name: str) -> str:
    """The prompt that stands before every text unless another is asked for."""
    chosen, prompts = whole.get("default_prompt_name"), whole.get("prompts") or {}
    if chosen is None:
        return ""
    said = prompts.get(chosen) if isinstance(prompts, dict) and isinstance(chosen, str) else None
    halves = isinstance(said, str) and any("\ud800" <= sign <= "\udfff" for sign in said)
    if not isinstance(said, str) or halves:
        raise Unsupported(
            f"found the default prompt {chosen!r:.60} in {name} and no whole text for it; expected "
            "one of its prompts: mend config_sentence_transformers.json"
        )
    return said


def _number(said: Mapping[str, Any], key: str, name: str) -> int:
    """A positive whole number, 0 where there is none. Raises Unsupported for anything else."""
    value = said.get(key)
    if value is None:
        return 0
    if type(value) is not int or value < 1:
        raise Unsupported(
            f"found {key} {value!r:.40} in {name}; expected a whole number from 1 on: mend the "
            "file of sentence-transformers that says so"
        )
    return value


def _optional(file: Path, name: str) -> dict[str, Any]:
    return read_object(file, name) if file.is_file() else {}
