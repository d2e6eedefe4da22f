"""A model's weights on disk: which files they are, judged before they are believed, and the names
of their tensors without what a training put around them.

Every reader of a model's folder asks here: encoders, causal models, the layers of
sentence-transformers and students that copy a teacher.
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import TeacherUnavailable, reason_of
from core.regular import is_file, opened, read_bytes

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PREFIX = 8  # bytes of a safetensors file that give the length of its header
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
LONGEST_TEXT = 1 << 26  # bytes of a configuration or an index
POINTER = b"version https://git-lfs"
_WRAPPER = "_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module"
# What torch.compile, FSDP, activation checkpointing and DeepSpeed put into names anywhere, and
# DataParallel in front. A pattern to replace by nothing; transformers takes it as such too.
WRAPPED = rf"^(?:(?:module|{_WRAPPER})\.)+|(?<![^.])(?:{_WRAPPER})\."
# Masks and angles that older versions of transformers saved beside the weights.
MASKS = re.compile(r"(masked_bias|inv_freq|position_ids|att(ention|n)\.(causal_mask|bias))$")
FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
NUMBERS = ("I64", "BOOL", "C64")  # of rows, places and angles, unless they are called a weight
DEQUANTISE = (
    f"expected weights of {', '.join(FLOATS.values())}: dequantise them with the library that "
    "wrote them (in transformers, model.dequantize()), and save with save_pretrained"
)


class Promise(NamedTuple):
    """What a header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]


def plain_name(name: str) -> str:
    """A tensor's name without the wrappers of a training.

    >>> plain_name("module._orig_mod.encoder.layer.0._checkpoint_wrapped_module.output.bias")
    'encoder.layer.0.output.bias'
    """
    return re.sub(WRAPPED, "", name)


def weight_files(folder: Path, name: str) -> list[Path]:
    """The safetensors files that make a model's weights: one, or the shards that the index names.

    Raises TeacherUnavailable, saying what stands there instead.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        shards = read_object(folder / INDEX, name).get("weight_map")
        names = set(shards.values()) if isinstance(shards, dict) else set()
        if names and all(isinstance(name, str) and Path(name).name == name for name in names):
            return _all_there(folder, sorted(names), name)
        raise TeacherUnavailable(
            f"found {INDEX} of {name} without a list of files; expected a weight_map from "
            "tensors to files in the same folder: fetch it again"
        )
    if others := sorted(path.name for path in folder.glob("*.safetensors")):
        raise TeacherUnavailable(
            f"found {', '.join(others[:3])} in {name}; expected {WEIGHTS}, or shards with "
            f"{INDEX}: save with save_pretrained"
        )
    pickled = any((*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.ckpt")))
    held = "pickled weights, which could run code," if pickled else "no weights"
    raise TeacherUnavailable(
        f"found {held} in {name}; expected *.safetensors: "
        "save with save_pretrained(..., safe_serialization=True)"
    )


def _all_there(folder: Path, names: list[str], name: str) -> list[Path]:
    gone = [name for name in names if not is_file(folder / name)]
    if gone:
        raise TeacherUnavailable(
            f"found no {', '.join(gone[:3])} in {name}, which its {INDEX} names; expected all "
            f"{len(names)} files: fetch the missing {'one' if len(gone) == 1 else 'ones'}"
        )
    return [folder / name for name in names]


def promised(file: Path, name: str) -> dict[str, Promise]:
    """The tensors that a safetensors file's header names, checked against the file's size.

    Nothing but the header is read. Raises TeacherUnavailable for a file that is cut, lies about
    its sizes, is a pointer of Git LFS or something else.
    """
    what = f"{file.name} of {name}"
    try:
        size = file.stat().st_size
        with opened(file) as stream:
            start = stream.read(len(POINTER))
            if start == POINTER:
                raise TeacherUnavailable(
                    f"found {what} to be a pointer of Git LFS; expected the weights themselves: "
                    "run `git lfs pull` in the model's folder"
                )
            length = int.from_bytes(start[:PREFIX], "little")
            if length > min(size - PREFIX, LONGEST_HEADER):
                raise TeacherUnavailable(
                    f"found {what} with {size:,} bytes and a header of {length:,}; expected one "
                    "that fits: the file was cut or is no safetensors file, fetch it again"
                )
            stream.seek(PREFIX)
            header = stream.read(length)
    except OSError as fault:
        raise TeacherUnavailable(
            f"found {what}, which cannot be read ({fault.strerror or fault}); expected a "
            "safetensors file: check its rights"
        ) from None
    return _checked(header, size - PREFIX - length, what)


def _checked(header: bytes, data: int, what: str) -> dict[str, Promise]:
    """The header's tensors; ``data`` bytes follow it."""
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        ends = [int(entry["data_offsets"][1]) for entry in entries.values()]
        tensors = {
            key: Promise(str(entry["dtype"]), tuple(int(n) for n in entry["shape"]))
            for key, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise TeacherUnavailable(
            f"found {what} with a damaged header; expected that of a safetensors file: fetch it "
            "again"
        ) from None
    if (end := max(ends, default=0)) != data:
        raise TeacherUnavailable(
            f"found {data:,} bytes of tensors in {what}; expected the {end:,} that its header "
            "promises: the file was cut or changed, fetch it again"
        )
    return tensors


def require_floats(tensors: Mapping[str, Promise], name: str) -> None:
    """Raise TeacherUnavailable where weights are stored as codes, with the tensors' names.

    Loaded as they stand, int8 is the model's numbers without their scales: states that look like
    any and mean nothing. Masks and numbers of places may be whole.
    """
    codes = {key: it.dtype for key, it in tensors.items() if _is_code(key, it.dtype)}
    if codes:
        held = "/".join(sorted(set(codes.values())))
        raise TeacherUnavailable(f"found {_some(codes)} of {name} stored as {held}; {DEQUANTISE}")


def _is_code(key: str, dtype: str) -> bool:
    """
    >>> _is_code("layer.0.weight", "I8"), _is_code("token_type_ids", "I64")
    (True, False)
    """
    if dtype in FLOATS or MASKS.search(key):
        return False
    return dtype not in NUMBERS or key.endswith((".weight", ".bias"))


def require_fit(
    missing: Collection[str], leftover: Collection[str], layers: Collection[str], name: str
) -> None:
    """Refuse weights that are not the model's: what is missing would be random numbers.

    ``missing`` are the tensors that the model lacks, ``leftover`` those that it has no place for,
    ``layers`` the names of its stacks of layers. A pooler may be missing, as states are read; a
    leftover may be of a head, but one inside the layers means that another model was saved.
    Raises TeacherUnavailable with the names.
    """
    lacking = sorted(key for key in missing if "pooler" not in key.split("."))
    if lacking:
        held = f" and {_some(leftover)} instead" if leftover else ""
        raise TeacherUnavailable(
            f"found no {_some(lacking)} in the weights of {name}{held}; expected a tensor for "
            "every part that its config.json asks for: save model and configuration together "
            "with save_pretrained"
        )
    stacks = tuple(f"{stack}." for stack in layers)
    unread = [key for key in leftover if key.startswith(stacks) and not MASKS.search(key)]
    if unread:
        raise TeacherUnavailable(
            f"found {_some(unread)} in the weights of {name}, for which the model has no place; "
            "expected the parts that its config.json asks for, since it would compute without "
            "them: mend the configuration, or merge an adapter into the weights"
        )


def require_numbers(tensors: Mapping[str, Any], name: str) -> None:
    """Raise TeacherUnavailable where a weight (torch) is NaN or infinity, with the tensors' names.

    A pass does not always show it: scaled_dot_product_attention makes finite states of NaN on a
    CPU, and a head with one row of NaN writes nothing. A sum tells in a twentieth of the time that
    looking at each number takes.
    """
    import torch

    suspects = {key: it for key, it in tensors.items() if not torch.isfinite(it.sum())}
    if bad := [key for key, it in suspects.items() if not torch.isfinite(it).all()]:
        raise TeacherUnavailable(
            f"found NaN or infinity in {_some(bad)} of {name}; expected finite weights: fetch it "
            "again, or go back to a checkpoint from before its training failed"
        )


def _some(keys: Collection[str]) -> str:
    """
    >>> _some(["b", "a", "d", "c"])
    'a, b, c and 1 more'
    """
    named = sorted(keys)
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return ", ".join(named[:3]) + more


def read_tensors(file: Path, name: str) -> dict[str, Any]:
    """Tensors (torch, float32) of a judged file under their plain names.

    Raises TeacherUnavailable.
    """
    from safetensors import SafetensorError, safe_open

    require_floats(promised(file, name), name)
    try:
        with safe_open(file, framework="pt") as opened:
            keys = opened.keys()
            tensors = {plain_name(key): opened.get_tensor(key).float() for key in keys}
    except (SafetensorError, OSError, ValueError, RuntimeError) as fault:
        raise TeacherUnavailable(
            f"found {file.name} of {name}, which does not read ({reason_of(fault)}); expected a "
            "safetensors file: fetch it again"
        ) from None
    require_numbers(tensors, name)
    return tensors


def read_object(file: Path, name: str) -> dict[str, Any]:
    """The JSON object in a model's file. Raises TeacherUnavailable for anything else."""
    content = _read_json(file, name)
    if not isinstance(content, dict):
        raise TeacherUnavailable(
            f"found a {type(content).__name__} in {file.name} of {name}; expected a JSON object: "
            "fetch it again"
        )
    return content


def read_list(file: Path, name: str) -> list[dict[str, Any]]:
    """The JSON list of objects in a model's file. Raises TeacherUnavailable for anything else."""
    content = _read_json(file, name)
    if not isinstance(content, list) or not all(isinstance(it, dict) for it in content):
        raise TeacherUnavailable(
            f"found no list of objects in {file.name} of {name}; expected one: fetch it again"
        )
    return content


def _read_json(file: Path, name: str) -> Any:
    what = f"{file.name} of {name}"
    try:
        if (size := file.stat().st_size) > LONGEST_TEXT:
            raise TeacherUnavailable(
                f"found {size:,} bytes in {what}; expected at most {LONGEST_TEXT:,}: it is no "
                "configuration, check the folder"
            )
        content = read_bytes(file, LONGEST_TEXT)
        return json.loads(content)
    except OSError as fault:
        raise TeacherUnavailable(
            f"found {what}, which cannot be read ({fault.strerror or fault}); expected JSON: check "
            "its rights"
        ) from None
    except (ValueError, RecursionError):
        pointer = content.startswith(POINTER)
        held = "a pointer of Git LFS" if pointer else "no JSON to read"
        mend = "run `git lfs pull`" if pointer else "fetch it again"
        raise TeacherUnavailable(f"found {held} in {what}; expected JSON: {mend}") from None
