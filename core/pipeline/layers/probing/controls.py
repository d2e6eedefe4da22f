"""The control of a probe that has no context: the same tokens as rows of the model's table.

The other control, labels drawn at random for each word, belongs to the probe itself
(:mod:`core.metrics.probes`).
"""

from core.signatures.hidden import Reader
from core.signatures.states import States

TABLE = "table"  # the layer's name of this control


def without_context(states: States, model: Reader) -> States | None:
    """The same tokens as the rows of the model's table; None where it has none."""
    weight = getattr(model.model.get_input_embeddings(), "weight", None)
    if weight is None:
        return None
    ids = model.tokenizer.convert_tokens_to_ids(states.tokens["token"].tolist())
    rows = weight.detach()[ids].float().cpu().numpy()
    return States((rows,), states.tokens, states.texts, states.name, states.causal)
