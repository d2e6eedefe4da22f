"""Having laws of motion measured. It takes the one worker for minutes, so somebody has to ask."""

import streamlit as st

from core.pipeline.trajectories.statistics import DOCUMENTS, WRITTEN, has_laws, laws_key
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.state import runner, workspace

TIME = (
    f"{DOCUMENTS} documents are measured in each kind of text, once; the model writes two texts of "
    f"{WRITTEN} tokens for each. That takes two to four minutes on a small machine, longer with a "
    "larger model, and then it is kept."
)


def ask(model: str, layer: int, part: str) -> None:
    """Have a part measured as soon as this page draws :func:`offer`; of each part a person wants
    one layer at a time."""
    st.session_state[f"asked laws {part}"] = laws_key(model, layer, part)


def offer(model: str, layer: int, part: str, button: str, about: str) -> None:
    """Say what will be measured and how long it takes, with a button that begins it; a run that
    goes on is followed, whoever began it. Raises what :func:`laws_key` raises."""
    key = laws_key(model, layer, part)
    arguments = {"model": model, "layer": layer, "part": part}
    st.caption(f"{about} {TIME}")
    running = (job for job in runner().jobs() if not job.over and not job.stopping)
    same = (job.id for job in running if (job.recipe, job.arguments) == ("laws", arguments))
    job_id = next(same, None)
    if job_id is None and st.session_state.get(f"asked laws {part}") != key:
        if not st.button(button, type="primary"):
            return
        ask(model, layer, part)
    if st.session_state.get(f"asked laws {part}") == key:
        job_id = submitted("laws", arguments, f"laws {key}", f"laws {part}")
    if job_id is not None:
        watch(job_id, button, lambda: has_laws(workspace(), model, layer, part))
