"""The report as one HTML file that needs nothing else: no network, no folder beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from captioner.datasets.captions import PhotoId
from captioner.errors import CaptionerError
from captioner.evaluation.report import Report, plain
from captioner.evaluation.results import Candidate
from captioner.images.inline import data_url
from captioner.overlay import INFERNO
from captioner.scripts import classic

SHOWN = 30  # the best and the worst photos that come with their pictures
_SIDE = 360  # longest side of a picture, pixels
_PARTS = Path(__file__).parent / "page"
_HEAT = Path(__file__).parents[1] / "page" / "web" / "heat.js"

Picture = Callable[[PhotoId], "Image.Image | None"]


def page(evaluation: Report, about: str, picture: Picture | None = None) -> str:
    """The page's HTML, `about` its subtitle; `picture` opens a photo by id (None: it has none).

    The 30 photos with the best and the 30 with the worst CIDEr come with their pictures.
    """
    figures = plain(evaluation.figures)
    entries = figures.pop("photos")
    del figures["captions"]
    if picture is not None:
        _add_pictures(entries, evaluation, picture)
    data = {
        "figures": figures,
        "photos": entries,
        "metrics": list(figures["metrics"]),
        "about": about,
        "shown": min(SHOWN, len(entries) // 2) or 1,
    }
    text = (_PARTS / "report.html").read_text(encoding="utf-8")
    for name, part in (
        ("css", (_PARTS / "report.css").read_text(encoding="utf-8")),
        ("inferno", INFERNO.hex()),
        ("heat", classic(_HEAT)),
        ("charts", (_PARTS / "charts.js").read_text(encoding="utf-8")),
        ("script", (_PARTS / "report.js").read_text(encoding="utf-8")),
        ("data", json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")),
    ):
        text = text.replace(f"{{{name}}}", part, 1)
    return text


def _add_pictures(entries: Sequence[dict[str, Any]], evaluation: Report, picture: Picture) -> None:
    ranked = sorted(
        zip(entries, evaluation.photos, strict=True), key=lambda pair: -pair[0]["metrics"]["CIDEr"]
    )
    chosen = ranked if len(ranked) <= 2 * SHOWN else [*ranked[:SHOWN], *ranked[-SHOWN:]]
    for entry, photo in chosen:
        try:
            image = picture(photo.id)
        except CaptionerError:
            continue
        if image is not None:
            entry["picture"] = data_url(image, _SIDE)
            entry |= _attention(evaluation.candidates[photo.id])


def _attention(candidate: Candidate) -> dict[str, Any]:
    """The T maps of a caption's words, each flat and in thousandths of its highest cell."""
    if candidate.attention is None:
        return {}
    words, rows, columns = candidate.attention.shape
    peaks = candidate.attention.max((1, 2), keepdims=True)
    scaled = (1000 * candidate.attention / peaks).round().astype(int)
    return {
        "words": list(candidate.words),
        "grid": [rows, columns],
        "attention": scaled.reshape(words, -1).tolist(),
    }
