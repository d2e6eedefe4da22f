"""What the layers page shows, and with which model."""

from dataclasses import replace

from core.permalink import LayersView
from core.ui.shared.model_choice import model_box
from core.ui.shared.segments import segments

VIEWS = {
    "sentence": "Sentences",
    "senses": "Senses",
    "measures": "Measures",
    "probes": "Probes",
}


def choose_view(seen: LayersView) -> LayersView:
    """The four questions of the page."""
    show = segments("layers", "show", "Question", VIEWS, seen.show, labelled=False)
    if show == seen.show:
        return seen
    return replace(seen, show=show, token=None, layer=None)  # they mean other things there


def choose_model(seen: LayersView) -> LayersView:
    """The model that reads; another one chooses its own layer and counts its own tokens."""
    model = model_box("layers", seen.model, "Every layer of it is read.")
    return seen if model == seen.model else replace(seen, model=model, layer=None, token=None)
