"""A transformers model and its tokenizer from a folder: the one place where one is loaded.

fp32, without network, without code or pickle from the folder. The files are judged first, the
weights have to fit the model, and whatever goes wrong says what the folder lacks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import MeaningSpaceError, TeacherUnavailable, Unsupported, reason_of
from core.watching import waiting
from core.weights import (
    DEQUANTISE,
    WRAPPED,
    plain_name,
    promised,
    read_object,
    require_fit,
    require_floats,
    require_numbers,
    weight_files,
)

PROBE = "a text"  # what a tokenizer is tried on
DEEPEST = 1_000  # layers that a configuration may ask for without as many tensors


def load_model(folder: Path, name: str) -> tuple[Any, Any]:
    """(model, tokenizer): what of a model reads texts, as states a token.

    Of a model with an encoder and a decoder that is the encoder, of one for texts and pictures
    its part for texts. Raises TeacherUnavailable, saying what the folder lacks, and Unsupported
    where no part reads texts.
    """
    model, tokenizer = load_whole(folder, name)
    return text_part(model, name), tokenizer


def load_whole(folder: Path, name: str) -> tuple[Any, Any]:
    """(model, tokenizer) without a head, pictures' part and all. Raises TeacherUnavailable."""
    model, tokenizer, missing, leftover = load_as(folder, name, _body)
    require_fit(missing, leftover, stacks(model), name)
    return model, tokenizer


def load_as(
    folder: Path, name: str, kind: Callable[[Any], Any]
) -> tuple[Any, Any, list[str], list[str]]:
    """(model, tokenizer, missing, leftover): ``kind`` gives the class for a configuration.

    The last two are names of tensors that the weights lack, and of those that found no place: see
    :func:`core.weights.require_fit`. Raises TeacherUnavailable, and what ``kind`` raises.
    """
    require_model(folder, name)
    with waiting("Starting transformers"):
        import torch
        from transformers import AutoConfig, AutoTokenizer, logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    own = {"local_files_only": True, "trust_remote_code": False}
    with _told(name, "fetch it again, or save it with save_pretrained"):
        config = AutoConfig.from_pretrained(str(folder), **own)
    with (
        waiting(f"Reading the tokenizer{_size(folder / 'tokenizer.json')}"),
        _told(f"the tokenizer of {name}", "save it again, or update tokenizers"),
    ):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **own)
        tokenizer([PROBE], verbose=False, return_special_tokens_mask=True)  # its limits are read
        tokenizer([PROBE], truncation=True, max_length=len(PROBE))
    require_tokenizer(folder, tokenizer, name)
    with (
        waiting(f"Reading the weights{_size(*weight_files(folder, name))}"),
        _told(name, "fetch it again, or save it with save_pretrained"),
    ):
        model, fit = kind(config).from_pretrained(
            str(folder),
            use_safetensors=True,
            dtype=torch.float32,
            key_mapping={WRAPPED: ""},
            output_loading_info=True,
            **own,
        )
    require_numbers(dict(model.named_parameters()), name)
    missing = [str(key) for key in fit["missing_keys"]]
    leftover = [plain_name(key) for key in fit["unexpected_keys"]]
    if not hasattr(model, model.base_model_prefix):  # saved with a head, loaded without
        leftover = [key.removeprefix(f"{model.base_model_prefix}.") for key in leftover]
    return model.eval(), tokenizer, missing, leftover


def _size(*files: Path) -> str:
    """What files come to, behind their name; "" below a megabyte, which nobody waits for."""
    megabytes = sum(it.stat().st_size for it in files if it.is_file()) / 1e6
    return f" ({megabytes:,.0f} MB)" if megabytes >= 1 else ""


@contextmanager
def _told(what: str, mend: str) -> Iterator[None]:
    """Turn whatever a library raises into TeacherUnavailable, in one line."""
    try:
        yield
    except MeaningSpaceError:
        raise
    except BaseException as fault:
        # tokenizers raises the bare Exception, and its Rust a panic that is not even one
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        reason = reason_of(fault)
        if "ignore_mismatched_sizes" in str(fault):  # advises an argument that nobody here can give
            reason = "its weights have other shapes than its config.json says"
        raise TeacherUnavailable(
            f"found {what}, which does not load ({reason}); expected what this version "
            f"of transformers reads: {mend}"
        ) from None


def _body(config: Any) -> Any:
    """The class without a head. T5's kin are saved as encoders alone too, so only these load."""
    from transformers import AutoModel, AutoModelForTextEncoding

    encoder = AutoModelForTextEncoding._model_mapping.get(type(config), None)
    alone = getattr(encoder, "__name__", "").endswith("EncoderModel")
    return AutoModelForTextEncoding if alone else AutoModel


def text_part(model: Any, name: str) -> Any:
    """What of a whole model reads texts. Raises Unsupported."""
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    try:
        config = model.config.get_text_config()
    except ValueError:
        config = None
    if config is model.config:
        return model
    parts = [part for part in model.modules() if getattr(part, "config", None) is config]
    if config is None or not parts:
        raise Unsupported(
            f"found {name}, a {type(model).__name__} without one part for texts; expected a model "
            "that reads texts: choose another"
        )
    return parts[0]


def stacks(model: Any) -> list[str]:
    """The names of a model's lists of layers, such as ``encoder.layer``."""
    import torch

    return [name for name, part in model.named_modules() if type(part) is torch.nn.ModuleList]


def require_model(folder: Path, name: str) -> None:
    """Raise TeacherUnavailable unless the folder holds a model's configuration and whole weights,
    in floating point.

    No tensor is read, and nothing is believed that the files' sizes do not bear out.
    """
    if not folder.is_dir():
        raise TeacherUnavailable(f"found no folder {name}; expected a model's: check the path")
    if not (folder / "config.json").is_file():
        raise TeacherUnavailable(
            f"found no config.json in {name}; expected a transformers model's folder: "
            "save one with save_pretrained"
        )
    if (folder / "adapter_config.json").is_file():
        raise TeacherUnavailable(
            f"found an adapter (adapter_config.json) in {name}; expected whole weights: merge it "
            "with peft's merge_and_unload and save_pretrained"
        )
    config = read_object(folder / "config.json", name)
    if quantised := config.get("quantization_config"):
        kind = quantised.get("quant_method") if isinstance(quantised, dict) else None
        by = f" by {kind:.40}" if isinstance(kind, str) else ""
        raise TeacherUnavailable(
            f"found weights quantised{by} (quantization_config in config.json) in {name}; "
            f"{DEQUANTISE}"
        )
    tensors = 0
    for file in weight_files(folder, name):
        held = promised(file, name)
        require_floats(held, name)
        tensors += len(held)
    if too_deep := [key for key in config if _asks_for_layers(key, config[key], tensors)]:
        raise TeacherUnavailable(
            f"found {too_deep[0]} {config[too_deep[0]]:,} in config.json of {name}, whose weights "
            f"are {tensors:,} tensors; expected as many layers as they hold: fetch it again"
        )


def _asks_for_layers(key: str, value: Any, tensors: int) -> bool:
    """Whether a configuration asks for layers that the weights cannot hold: hours of building."""
    return "layer" in key and type(value) is int and value > max(tensors, DEEPEST)


def require_tokenizer(folder: Path, tokenizer: Any, name: str) -> None:
    """Raise TeacherUnavailable where transformers made up a tokenizer for want of its files."""
    wanted = {
        key: file
        for key, file in getattr(tokenizer, "vocab_files_names", {}).items()
        if key in ("vocab_file", "merges_file", "tokenizer_file")
    }
    whole = wanted.pop("tokenizer_file", "tokenizer.json")
    if wanted and not (folder / whole).is_file():
        gone = [file for file in wanted.values() if not (folder / file).is_file()]
        if gone:
            raise TeacherUnavailable(
                f"found no {whole} and no {' or '.join(gone)} in {name}; expected the tokenizer "
                "beside the model: save it there with tokenizer.save_pretrained"
            )
