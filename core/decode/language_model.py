"""A causal language model that writes, and can be read and written into at every layer.

Its layers are those of its residual stream (residual_stream.py): 0 is what enters the first block,
the last is what leaves the last block, before the final norm.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.decode.architecture import TRIED, USUAL, blocks_of, decoder_of, norm_of, same
from core.decode.model_text import ModelText
from core.decode.residual_stream import Edit, hook, hooked
from core.decode.sampling import Sampling, chosen
from core.errors import InvalidSpecification, Unsupported
from core.models.batching import in_batches, memory
from core.models.passes import passing
from core.types import Matrix, Queries

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 512  # tokens of fans in one pass
Places = npt.NDArray[np.int64]
KEEPS = ("keep keys and values of each token that it has read", "a causal model with attention")


@dataclass(frozen=True, eq=False)
class Pass:
    """What b rows of t tokens came to.

    ``stream`` has the recorded layers, (b, t, d) each, by number; ``final`` is (b, t, d) after the
    final norm; ``cache`` holds keys and values of everything read, to go on from.
    """

    stream: dict[int, "Tensor"]
    final: "Tensor"
    cache: Any


@dataclass(frozen=True, eq=False)
class Step:
    """One token of each of b texts as it is written.

    ``ids`` and ``alive`` are (b,): a text that has ended repeats its last token, and is not alive.
    ``log_probabilities`` is (b, v), the model's own at temperature 1 for the token after what was
    read so far, of which ``ids`` were chosen. ``states`` (l, b, d) are those of the position that
    the choice was made at: all layers, or the recorded ones in order.
    """

    ids: npt.NDArray[np.int64]
    alive: npt.NDArray[np.bool_]
    log_probabilities: "Tensor"
    states: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fan:
    """The k likeliest next tokens at a position, likeliest first.

    ``ids`` (k,), ``probabilities`` (k,) of the whole vocabulary at temperature 1, ``states`` (k, d)
    where each of them would bring the text in the layer asked for.
    """

    position: int
    ids: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    states: Queries


class LanguageModel(ModelText):
    """A transformers causal model on ``device`` with its tokenizer, taught to be looked into.

    Raises Unsupported where its blocks, its final norm or a head that reads it plainly cannot be
    found, and where it does not go on from the keys and values of what it has read.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str, name: str) -> None:
        super().__init__(model.eval().to(device), tokenizer, name)
        self.device = device
        self._base = decoder_of(model)
        named = inspect.signature(self._base.forward).parameters
        self._cache_name = "cache" if "cache" in named else "past_key_values"  # by version
        self.blocks = blocks_of(self._base, name)
        self.depth = len(self.blocks)  # the layers are 0 to depth
        self.norm = norm_of(self._base)
        self.head = model.get_output_embeddings()
        if self.norm is None or self.head is None:
            raise Unsupported(f"found no final norm or no language head in {name}; {USUAL}")
        self.dim = int(self.head.weight.shape[1])
        self.vocabulary = int(self.head.weight.shape[0])
        hook(model, self.blocks)
        if model.config.model_type not in TRIED:
            self._require_usual()

    def _require_usual(self) -> None:
        """Try out, on three tokens, all that is relied on: the head reads the last state and no
        more (some families cap or scale what it says), the last state is the norm's of the stream,
        and going on from what was read comes to the same as reading all at once."""
        import torch

        ids = [token % self.vocabulary for token in (11, 23, 5)]
        with torch.inference_mode(), passing(self.name):
            out = self.model(
                input_ids=torch.tensor([ids], device=self.device), output_hidden_states=True
            )
            plain = self.head(out.hidden_states[-1])
        if not same(_array(plain), _array(out.logits)):
            raise Unsupported(
                f"found {self.name}, whose head does more than read the last state (it caps or "
                f"scales); {USUAL}"
            )
        with torch.inference_mode(), passing(self.name, *KEEPS):
            read = self.run([ids[:-1]], cached=True)
            gone_on = self.run([ids[-1:]], layers=[self.depth], cache=read.cache)
            normed = self.norm(gone_on.stream[self.depth])
        last = out.hidden_states[-1][:, -1:]
        if not all(same(_array(own), _array(last)) for own in (gone_on.final, normed)):
            raise Unsupported(
                f"found {self.name}, whose last state is more than the norm of what its blocks "
                f"leave, or which reads on otherwise than at once; {USUAL}"
            )

    def require_layer(self, layer: int) -> int:
        """The layer. Raises InvalidSpecification where the model has none of that number."""
        if not 0 <= layer <= self.depth:
            raise InvalidSpecification(
                f"found layer {layer}; expected 0 (the embeddings) to {self.depth}, the last of "
                f"{self.name}"
            )
        return layer

    # ------------------------------------------------------------------------------ one pass

    def run(
        self,
        ids: "Sequence[Sequence[int]] | None" = None,
        *,
        embeddings: "Tensor | None" = None,
        layers: Sequence[int] = (),
        edits: Sequence[Edit] = (),
        cache: Any = None,
        cached: bool = False,
        mask: "Tensor | None" = None,
        places: "Tensor | None" = None,
    ) -> Pass:
        """Read rows of ``ids`` (or of ``embeddings``, (b, t, d)); record ``layers``.

        Rows of different lengths are padded on the right, where nothing before can see it. Give
        the ``cache`` of a pass to go on from it, or ask with ``cached`` for one to begin with.
        Raises InvalidSpecification for a layer that is not there and for more tokens than the
        model reads at once, NotEnoughMemory.
        """
        import torch

        for layer in (*layers, *(edit.layer for edit in edits)):
            self.require_layer(layer)
        before = 0 if cache is None else int(cache.get_seq_length())
        if embeddings is None:
            kind, text = "input_ids", _padded(ids or [], self.device)
        else:
            kind, text = "inputs_embeds", embeddings.to(self.device)
        given: dict[str, Any] = {kind: text, "attention_mask": mask}
        if places is not None:
            given["position_ids"] = places
        self.require_room(before + text.shape[1] if places is None else int(places.max()) + 1)
        with torch.inference_mode(), hooked(edits, layers, before) as work, memory():
            given |= {self._cache_name: cache, "use_cache": cached or cache is not None}
            out = self._base(**given)
            return Pass(work.stream, out.last_hidden_state, getattr(out, self._cache_name))

    def logits(self, final: "Tensor") -> "Tensor":
        """(..., v) from states after the final norm."""
        import torch

        with torch.inference_mode(), memory():
            return self.head(final)  # type: ignore[no-any-return]

    def lens(self, states: "Tensor") -> "Tensor":
        """(..., v) what states (..., d) of any layer's stream would say if they were the last:
        the logit lens (nostalgebraist 2020)."""
        import torch

        with torch.inference_mode(), memory():
            return self.head(self.norm(states))  # type: ignore[no-any-return]

    def states(self, ids: Sequence[int], edits: Sequence[Edit] = ()) -> npt.NDArray[np.float32]:
        """(depth + 1, t, d) the stream of one text in all layers."""
        import torch

        every = range(self.depth + 1)
        stream = self.run([ids], layers=list(every), edits=edits).stream
        return _array(torch.stack([stream[layer][0] for layer in every]))

    # ------------------------------------------------------------------------------ writing

    def write(
        self,
        prompt: "Sequence[int] | Tensor",
        sampling: Sampling,
        *,
        copies: int = 1,
        edits: Sequence[Edit] = (),
        layers: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[Step]:
        """Go on from ids, or from embeddings (t, d) or (b, t, d), token by token, in ``copies``
        samples side by side. Ends after ``sampling.steps`` or when all texts have ended; whoever
        stops asking stops it.

        ``layers`` (all where None) are recorded. Copy i draws with seed + i, so that it is the
        same however many there are; ``seeds`` (b,) say otherwise, so that texts written under
        different edits can meet the same draws. Raises what :meth:`run` raises.
        """
        import torch

        kept = list(range(self.depth + 1)) if layers is None else list(layers)
        if isinstance(prompt, torch.Tensor):
            whole = prompt if prompt.ndim == 3 else prompt[None].expand(copies, -1, -1)
            self.require_room(whole.shape[1], sampling.steps - 1)
            found = self.run(embeddings=whole, layers=kept, edits=edits, cached=True)
        else:
            self.require_room(len(prompt), sampling.steps - 1)  # the last one is not read
            found = self.run([prompt] * copies, layers=kept, edits=edits, cached=True)
        rows = len(found.final)
        own = range(sampling.seed, sampling.seed + rows) if seeds is None else seeds
        draws = [np.random.default_rng(seed) for seed in own]
        alive = np.ones(rows, dtype=np.bool_)
        ids = np.zeros(rows, dtype=np.int64)
        for step in range(sampling.steps):
            raw = self.logits(found.final[:, -1]).float()
            ids = np.where(alive, chosen(raw, sampling, draws), ids)
            states = [found.stream[it][:, -1] for it in kept]
            recorded = torch.stack(states) if states else raw.new_zeros((0, rows, 0))
            yield Step(ids, alive.copy(), raw.log_softmax(-1), _array(recorded))
            alive &= ~np.isin(ids, list(self.ends))
            if not alive.any() or step == sampling.steps - 1:
                return
            found = self.run(ids[:, None].tolist(), layers=kept, edits=edits, cache=found.cache)

    # ------------------------------------------------------------------------------ fans

    def fans(
        self, ids: Sequence[int], k: int, layer: int, positions: Sequence[int] | None = None
    ) -> list[Fan]:
        """The k likeliest next tokens at each of some positions (the last, where None), each with
        the state in ``layer`` that it truly leads to.

        All next tokens are read in one pass: they stand side by side behind the text, and each
        sees the text up to its own position and itself, nothing else.
        """
        self.require_layer(layer)
        at = [len(ids) - 1] if positions is None else list(positions)
        if not at or min(at) < 0 or max(at) >= len(ids) or not 1 <= k <= self.vocabulary:
            raise InvalidSpecification(
                f"found a fan of {k} at positions {at[:5]}; expected 1 to {self.vocabulary:,} "
                f"words at positions 0 to {len(ids) - 1}"
            )
        read = self.run([ids], cached=True)
        shares = self.logits(read.final[0, at]).float().softmax(-1)
        likeliest, tokens = (it.cpu() for it in shares.topk(k, dim=-1))
        own = np.repeat(np.array(at), k)
        flat = tokens.flatten().tolist()
        branches = self._beside if self._branches_apart else self._one_by_one
        most = CHUNK if self._branches_apart else max(1, CHUNK // len(ids))
        states = np.concatenate(
            list(
                in_batches(
                    len(flat),
                    most,
                    lambda some: branches(ids, read.cache, own[some], flat[some], layer),
                )
            )
        )
        return [
            Fan(position, tokens[row].numpy(), likeliest[row].numpy(), states[row * k :][:k])
            for row, position in enumerate(at)
        ]

    def _beside(
        self, ids: Sequence[int], cache: Any, positions: Places, tokens: list[int], layer: int
    ) -> Matrix:
        """(n, d) the state of each token as if it stood right behind its position of the text:
        all stand side by side, each under a mask of its own."""
        import torch

        length, count = len(ids), len(tokens)
        with memory():
            at = torch.from_numpy(positions).to(self.device)
            seen = torch.zeros((count, length + count), dtype=torch.bool, device=self.device)
            seen[:, :length] = torch.arange(length, device=self.device)[None] <= at[:, None]
            seen[:, length:] = torch.eye(count, dtype=torch.bool, device=self.device)
            mask = torch.zeros(seen.shape, device=self.device).masked_fill(~seen, -torch.inf)
        try:
            found = self.run(
                [tokens], layers=[layer], cache=cache, mask=mask[None, None], places=at[None] + 1
            )
        finally:  # also where a pass failed half-way through the layers
            for kept in cache.layers:
                kept.crop(min(0, length - int(kept.get_seq_length())))
        return _array(found.stream[layer][0])

    def _one_by_one(
        self, ids: Sequence[int], _: Any, positions: Places, tokens: list[int], layer: int
    ) -> Matrix:
        """The same for models that take no such masks: each token behind a copy of the text."""
        import torch

        parts = [[*ids[: at + 1], token] for at, token in zip(positions, tokens, strict=True)]
        stream = self.run(parts, layers=[layer]).stream[layer]
        return _array(stream[torch.arange(len(parts)), torch.from_numpy(positions) + 1])

    @cached_property
    def _branches_apart(self) -> bool:
        """Whether branches side by side come to the same as one by one: tried out, as models may
        treat masks and positions as they like."""
        ids = [it % self.vocabulary for it in (11, 23, 5, 7)]
        read = self.run([ids], cached=True)
        ahead, tokens = np.array([1, 3]), [3, 9]
        try:
            beside = self._beside(ids, read.cache, ahead, tokens, self.depth)
        except (TypeError, ValueError, RuntimeError, AttributeError):
            return False
        return same(beside, self._one_by_one(ids, None, ahead, tokens, self.depth))


# ---------------------------------------------------------------------------------- small things


def _padded(rows: Sequence[Sequence[int]], device: str) -> "Tensor":
    """(b, t) ids; behind a shorter row stands its last token again, which nothing looks at."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in rows], device=device)


def _array(tensor: "Tensor") -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = tensor.float().cpu().numpy()
    return np.ascontiguousarray(found)
