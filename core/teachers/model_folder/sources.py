"""Where a transformers model's files come from: a folder, or the Hugging Face hub.

Only safetensors and text files are ever fetched or read.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import TeacherUnavailable, UnknownTeacher
from core.regular import read_bytes
from core.teachers.base import shown
from core.teachers.model_folder.loading import require_model
from core.teachers.model_folder.revision import revision_of

FILES = ["*.json", "*.txt", "*.model", "*.bpe", "*.spm", "*.codes", "*.vocab", "*.safetensors"]
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
READ = "read-2"  # counts up when a model's own files come to mean other states or tokens
PATIENCE = 10.0  # seconds for the hub's first answer
# What configurations call the number of layers, and of dimensions.
DEPTHS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers")
WIDTHS = ("hidden_size", "n_embd", "d_model", "dim")


class Source(ABC):
    """A model's files and a name for their version."""

    @property
    @abstractmethod
    def reference(self) -> str:
        """``path:DIR`` or ``hub:ORG/NAME``."""

    @property
    @abstractmethod
    def revision(self) -> str:
        """A digest or a commit; other weights, another one."""

    @property
    def version(self) -> str:
        """What keys of kept results say of the revision: another one also where the same files are
        read otherwise than before."""
        return self.revision

    @abstractmethod
    def folder(self) -> Path:
        """The files' folder, fetched if need be. Raises TeacherUnavailable."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The model's configuration if it is at hand, else {}."""


class FolderSource(Source):
    """A folder that ``save_pretrained`` wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        require_model(self.path, str(path))

    @property
    def reference(self) -> str:
        return f"path:{self.path}"

    @property
    def revision(self) -> str:
        """32 hex digits of every file that is read."""
        return revision_of(self.path)

    def folder(self) -> Path:
        return self.path

    def config(self) -> dict[str, Any]:
        return _read_config(self.path)


class HubSource(Source):
    """A repository on the Hugging Face hub, at a revision; kept in the hub's own cache."""

    def __init__(self, name: str) -> None:
        if not REPOSITORY.fullmatch(name):
            raise UnknownTeacher(
                f"found hub:{shown(name)[1:-1]}; expected hub:ORG/NAME or hub:ORG/NAME@REVISION, "
                "such as hub:BAAI/bge-small-en-v1.5"
            )
        self.name = name
        self.repository, _, self.asked = name.partition("@")

    @property
    def reference(self) -> str:
        return f"hub:{self.name}"

    @property
    def revision(self) -> str:
        """The commit."""
        return self._commit_and_folder[0]

    @property
    def version(self) -> str:
        """The commit, and how its files are read: a commit stays when this program changes."""
        return f"{self.revision} {READ}"

    def folder(self) -> Path:
        return self._commit_and_folder[1]

    def config(self) -> dict[str, Any]:
        kept = self._kept()
        return _read_config(kept) if kept else {}

    @cached_property
    def _commit_and_folder(self) -> tuple[str, Path]:
        kept = self._kept()
        if kept and COMMIT.fullmatch(self.asked):  # a commit never changes: no need to ask
            return self.asked, kept
        try:
            return self._fetched()
        except _offline_errors() as error:
            if kept:
                return kept.name, kept
            raise TeacherUnavailable(
                f"found no connection to the hub for {self.repository} ({type(error).__name__}); "
                "expected a network or a downloaded copy: use path:DIR or minilm:words"
            ) from None

    def _fetched(self) -> tuple[str, Path]:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub import errors as hub

        try:
            info = HfApi().model_info(
                self.repository, revision=self.asked or None, timeout=PATIENCE
            )
        except (
            hub.RepositoryNotFoundError,  # a gated one is a kind of it
            hub.RevisionNotFoundError,
            hub.HFValidationError,
        ) as error:
            raise TeacherUnavailable(
                f"found no open model {self.name} on the hub ({type(error).__name__}); "
                "expected one that you can read: check its name and revision"
            ) from None
        names = [file.rfilename for file in info.siblings or []]
        if not any(name.endswith(".safetensors") and "/" not in name for name in names):
            raise TeacherUnavailable(
                f"found no safetensors weights in {self.name}; expected them, since pickled "
                "weights could run code: choose a revision or a model that has them"
            )
        commit = str(info.sha)
        folder = snapshot_download(self.repository, revision=commit, allow_patterns=FILES)
        return commit, Path(folder)

    def _kept(self) -> Path | None:
        """The copy in the hub's cache, if it is whole enough to try."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = Path(
                snapshot_download(
                    self.repository,
                    revision=self.asked or None,
                    allow_patterns=FILES,
                    local_files_only=True,
                )
            )
        except (LocalEntryNotFoundError, OSError, ValueError):
            return None
        return folder if any(folder.glob("*.safetensors")) else None


def number_in(config: Mapping[str, Any], names: Sequence[str]) -> int:
    """The first positive whole number that a configuration has under one of the names, that of its
    part for texts where it has one; 0 for none.

    >>> number_in({"n_layer": 12}, DEPTHS), number_in({"n_layer": "many"}, DEPTHS)
    (12, 0)
    """
    part = config.get("text_config")
    parts = (part, config) if isinstance(part, Mapping) else (config,)
    found = (one.get(name) for one in parts for name in names)
    return next((it for it in found if type(it) is int and it > 0), 0)


def require_unchanged(name: str, before: str, after: str) -> None:
    """Raise TeacherUnavailable where a model's files changed while it was read: what was made is
    of no one revision."""
    if before != after:
        raise TeacherUnavailable(
            f"found the files of {name} changed while it was read; expected them to stay as they "
            "are: try again when nothing writes there"
        )


def _offline_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises when it cannot reach the hub."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    found: list[type[Exception]] = [OSError, HfHubHTTPError, OfflineModeIsEnabled]
    for module in ("httpx", "httpx2"):  # the client's own, which is no OSError
        try:
            found.append(__import__(module).HTTPError)
        except ImportError:
            continue
    return tuple(found)


def _read_config(folder: Path) -> dict[str, Any]:
    """The configuration; of a model for more than texts, that of its part for texts over it."""
    try:
        config = json.loads(read_bytes(folder / "config.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(config, dict):
        return {}
    text = config.get("text_config")
    return {**config, **(text if isinstance(text, dict) else {})}
