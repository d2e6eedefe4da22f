"""What a sentence-transformers model does to a vector behind the pooling: Dense, norm, length 1."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import TeacherUnavailable, Unsupported
from core.regular import is_file
from core.weights import WEIGHTS, read_object, read_tensors

SHAPE = ("in_features", "out_features", "bias")  # what a Dense layer's config.json says of it
VECTOR = "sentence_embedding"  # sentence-transformers' name for a text's vector


@dataclass(frozen=True)
class AfterPooling:
    """``run`` makes vectors (b, e) of vectors (b, d); ``name`` is as the provenance says it."""

    name: str
    run: Callable[[Any], Any] = field(compare=False)


def read_layer(kind: str, folder: Path, name: str) -> AfterPooling:
    """The layer of a kind in a folder. Raises Unsupported, TeacherUnavailable."""
    config = read_object(folder / "config.json", name) if is_file(folder / "config.json") else {}
    start = config.get("module_input_name") or VECTOR
    end = config.get("module_output_name") or start
    if (start, end) != (VECTOR, VECTOR):
        raise Unsupported(
            f"found a layer {kind} from {start} to {end} in {name}; expected one behind the "
            f"pooling, from and to {VECTOR}: use its token table with :tokens"
        )
    if kind == "Normalize":
        return AfterPooling("normalised", _normalised)
    if kind == "Dense":
        return _dense(config, folder, name)
    if kind == "LayerNorm":
        return _norm(folder, name)
    raise Unsupported(
        f"found the layer {kind} behind the pooling of {name}; expected Dense, LayerNorm, Dropout "
        "or Normalize: use its token table with :tokens"
    )


def _normalised(vectors: Any) -> Any:
    import torch

    return torch.nn.functional.normalize(vectors)


def _dense(config: dict[str, Any], folder: Path, name: str) -> AfterPooling:
    """A linear layer, its activation, and perhaps the input added to it."""
    import torch

    tensors = _tensors(folder, name)
    weight, bias = _taken(tensors, "linear.weight", 2, name), tensors.pop("linear.bias", None)
    residual = bool(config.get("use_residual"))
    around = tensors.pop("residual.weight", None) if residual else None
    known = (weight.shape[1], weight.shape[0], bias is not None)
    said = tuple(config.get(key, kept) for key, kept in zip(SHAPE, known, strict=True))
    square = not residual or around is not None or known[0] == known[1]
    if tensors or said != known or not square:
        raise TeacherUnavailable(
            f"found {WEIGHTS} of {name}, {folder.name}, with a layer of {known[0]} to {known[1]}"
            f"{' and ' + ', '.join(tensors) if tensors else ''}; expected what its config.json "
            "says: save the model again"
        )
    activation = _activation(config.get("activation_function"), name)

    def run(vectors: Any) -> Any:
        where = vectors.device
        plus = None if bias is None else bias.to(where)
        made = activation(torch.nn.functional.linear(vectors, weight.to(where), plus))
        if not residual:
            return made
        return made + (vectors if around is None else vectors @ around.to(where).T)

    return AfterPooling(f"dense {known[0]} to {known[1]}", run)


def _norm(folder: Path, name: str) -> AfterPooling:
    import torch

    tensors = _tensors(folder, name)
    weight, bias = (_taken(tensors, f"norm.{part}", 1, name) for part in ("weight", "bias"))

    def run(vectors: Any) -> Any:
        where = vectors.device
        return torch.nn.functional.layer_norm(
            vectors, weight.shape, weight.to(where), bias.to(where)
        )

    return AfterPooling("layer norm", run)


def _activation(said: Any, name: str) -> Callable[[Any], Any]:
    """One of torch's own by its path, tanh where nothing is said, as the library does it."""
    import torch
    from torch.nn.modules import activation

    if said is None:
        return torch.tanh
    path, _, kind = str(said).rpartition(".")
    if path.startswith("torch.nn") and kind == "Identity":
        return torch.nn.Identity()
    made = getattr(activation, kind, None) if path.startswith("torch.nn") else None
    if isinstance(made, type) and issubclass(made, torch.nn.Module) and kind in activation.__all__:
        try:
            return made()
        except TypeError:  # one that has weights or sizes of its own
            pass
    raise Unsupported(
        f"found the activation {said!r:.80} in {name}; expected one of torch.nn without settings, "
        "such as torch.nn.modules.activation.Tanh: use its token table with :tokens"
    )


def _tensors(folder: Path, name: str) -> dict[str, Any]:
    if not is_file(folder / WEIGHTS):
        held = "pickled weights, which could run code," if any(folder.glob("*.bin")) else "nothing"
        raise TeacherUnavailable(
            f"found {held} in {folder.name} of {name}; expected {WEIGHTS}: save the model anew "
            "with sentence-transformers"
        )
    return read_tensors(folder / WEIGHTS, f"{name}, {folder.name}")


def _taken(tensors: dict[str, Any], key: str, ndim: int, name: str) -> Any:
    """A tensor of so many dimensions, taken out. Raises TeacherUnavailable with its name."""
    tensor = tensors.pop(key, None)
    if tensor is None or tensor.ndim != ndim:
        raise TeacherUnavailable(
            f"found no {key} of {ndim} dimensions in a layer of {name}; expected one: save the "
            "model anew with sentence-transformers"
        )
    return tensor
