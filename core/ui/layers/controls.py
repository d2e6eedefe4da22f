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


def choose_view(view: LayersView) -> LayersView:
    """The four questions of the page."""
    show = segments("layers", "show", "Question", VIEWS, view.show, labelled=False)
    if show == view.show:
        return view
    return replace(view, show=show, token=None, layer=None)  # they mean other things there


def choose_model(view: LayersView) -> LayersView:
    """The model that reads; another one chooses its own layer and counts its own tokens."""
    model = model_box("layers", view.model, "Every layer of it is read.")
    return view if model == view.model else replace(view, model=model, layer=None, token=None)
