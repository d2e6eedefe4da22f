"""Causal language models: which there are, and one loaded with its head.

smollm2           the packaged model
path:DIR          a model that ``save_pretrained`` wrote
hub:ORG/NAME      a model on the hub, @REVISION for a certain one
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.cache import LruCache
from core.errors import UnknownTeacher, Unsupported
from core.teachers.base import shown
from core.teachers.hub import source_of
from core.teachers.model_folder.loading import load_as, stacks
from core.teachers.model_folder.sources import DEPTHS, Source, number_in
from core.teachers.smollm2 import SMOLLM2, SmolSource
from core.weights import require_fit

WITHOUT_HEAD = (
    "its layers can be seen on the Layers page, and its sentences on the map; to write, choose "
    f"{SMOLLM2} or another causal model"
)


def causal_source(reference: str) -> Source:
    """Where a causal model's files come from. Raises UnknownTeacher, TeacherUnavailable."""
    kind, _, rest = reference.strip().partition(":")
    if reference.strip() == SMOLLM2:
        return SmolSource()
    if kind in ("path", "hub") and rest:
        return source_of(kind, rest)
    if kind in ("minilm", "glove", "vectors", "student"):
        raise Unsupported(
            f"found {shown(reference)}, which has no language head, so it can't write; expected "
            f"a causal model: {WITHOUT_HEAD}"
        )
    raise UnknownTeacher(
        f"found the model {shown(reference)}; expected {SMOLLM2}, path:DIR or hub:ORG/NAME of a "
        f"causal model: try {SMOLLM2}"
    )


def depth_of(reference: str) -> int:
    """The number of a causal model's last layer, without loading it; a model of the hub that was
    not fetched yet is fetched.

    Raises UnknownTeacher, TeacherUnavailable, Unsupported where it is not told.
    """
    source = causal_source(reference)
    if not source.config():
        source.folder()
    depth = number_in(source.config(), DEPTHS)
    if depth < 1:
        raise Unsupported(
            f"found no number of layers in the configuration of {shown(reference)}; expected one "
            f"of {', '.join(DEPTHS)}: choose another causal model, such as {SMOLLM2}"
        )
    return depth


_loaded: LruCache[tuple[Any, Any]] = LruCache(2)


def load_causal(folder: Path, name: str, revision: str) -> tuple[Any, Any]:
    """(model, tokenizer) from a folder, fp32, without network, code or pickle from it; the last
    two stay in memory. ``revision`` tells files apart that change in the folder.

    Raises TeacherUnavailable, saying what the folder lacks; Unsupported for a model without a
    language head, or one that sees what comes after.
    """
    return _loaded.get((folder, name, revision), lambda: _load(folder, name))


def _load(folder: Path, name: str) -> tuple[Any, Any]:
    def kind(config: Any) -> Any:
        from transformers import AutoModelForCausalLM

        require_head(config.to_dict(), name)
        return AutoModelForCausalLM

    model, tokenizer, missing, leftover = load_as(folder, name, kind)
    body = f"{model.base_model_prefix}."
    if missing and not any(key.startswith(body) for key in missing):
        raise Unsupported(
            f"found no {', '.join(sorted(missing)[:3])} in the weights of {name}; expected those "
            f"of a language model with its head: {WITHOUT_HEAD}"
        )
    require_fit(missing, leftover, stacks(model), name)
    return model, tokenizer


def require_head(config: Mapping[str, Any], name: str) -> None:
    """Raise Unsupported where a configuration is of a model that was not made to write from left
    to right."""
    said = config.get("architectures")
    made_as = [str(entry) for entry in said] if isinstance(said, list | tuple) else []
    writes: tuple[str, ...] = ("ForCausalLM", "LMHeadModel")
    if isinstance(config.get("text_config"), Mapping):  # pictures and texts in, texts out
        writes += ("ForConditionalGeneration",)
    heads = [it for it in made_as if it.endswith(writes)]
    if config.get("is_encoder_decoder") or (made_as and not heads):
        kind = " ".join(made_as) or config.get("model_type", "model")
        raise Unsupported(
            f"found {name}, a {kind:.60} without a language head; expected a causal model: "
            f"{WITHOUT_HEAD}"
        )
