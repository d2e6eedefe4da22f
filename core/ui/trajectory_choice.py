"""What the trajectories page shows, and which model writes."""

from dataclasses import replace

from core.permalink import TrajectoriesView
from core.ui.shared.segments import segments
from core.ui.speakers import speaker_box

VIEWS = {
    "path": "Path",
    "lens": "Layers",
    "laws": "Laws",
    "steer": "Steer",
    "shapes": "Shapes",
}


def choose_view(seen: TrajectoriesView) -> TrajectoriesView:
    """The questions of the page; a layer and a step mean something else in each."""
    show = segments("trajectories", "show", "Question", VIEWS, seen.show, labelled=False)
    return seen if show == seen.show else replace(seen, show=show, layer=None, step=None)


def choose_speaker(seen: TrajectoriesView) -> TrajectoriesView:
    """The model that writes; another one has its own layers."""
    model = speaker_box("trajectories", seen.model)
    return seen if model == seen.model else replace(seen, model=model, layer=None, step=None)
