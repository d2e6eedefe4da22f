"""A scene as one HTML file that plays offline: plotly.js, the stage and the data, all inside."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.bundle import bundle
from core.figures.scene import Scene, to_json

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{css}
body {{ margin: 0; padding: 20px 28px; background: {page}; color: {text}; \
font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 20px; margin: 0 0 2px; }}
p {{ margin: 0 0 14px; color: {quiet}; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{caption}</p>
<div id="stage"></div>
<script>{plotly}</script>
<script type="application/json" id="scene">{scene}</script>
<script type="module">
{stage}
const scene = JSON.parse(document.getElementById("scene").textContent);
mountStage(document.getElementById("stage"), scene);
</script>
</body>
</html>
"""


def standalone(scene: Scene, title: str, caption: str, assets: Path, plotly_js: str) -> str:
    """The file's text. ``assets`` holds stage/ and stage.css; texts are escaped throughout."""
    tokens = scene.tokens
    data = to_json(scene, array=_plain_array, strings=_plain_strings)
    return _PAGE.format(
        title=html.escape(title),
        caption=html.escape(caption),
        css=(assets / "stage.css").read_text(encoding="utf-8"),
        stage=bundle(assets / "stage" / "index.js"),
        plotly=plotly_js,
        scene=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        page=tokens["page"],
        text=tokens["text"],
        quiet=tokens["quiet"],
    )


def _plain_array(array: npt.NDArray[Any]) -> list[Any]:
    values: list[Any] = np.asarray(array).tolist()
    return values


def _plain_strings(texts: Sequence[str]) -> list[str]:
    return list(texts)
