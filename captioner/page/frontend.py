"""The page as a browser sees it: plain HTML, CSS and modules of JavaScript in `web/`."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from captioner.caption import Caption
from captioner.images.inline import data_url
from captioner.overlay import INFERNO, STRENGTH
from captioner.page.answers import maps_as_json
from captioner.page.options import LIMITS
from captioner.page.uploads import MAX_PHOTOS, MAX_UPLOAD
from captioner.page.worker import ModelWorker
from captioner.scripts import classic

HERE = Path(__file__).parent
WEB, EXAMPLES = HERE / "web", HERE / "examples"
_KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_SIDE = 1024  # longest side of the photo in a page of its own, pixels


def routes(worker: ModelWorker, teachable: bool = False) -> list[BaseRoute]:
    """The page and the files that belong to it, each by its name; with `teachable` a model can be
    taught on it."""
    page = _index(worker, teachable)
    files = {path.name: path for folder in (WEB, EXAMPLES) for path in folder.iterdir()}

    async def file(request: Request) -> Response:
        path = files.get(request.path_params["name"])
        if path is None or path.suffix not in _KINDS:
            return PlainTextResponse("There is nothing here.", 404)
        return FileResponse(path, media_type=_KINDS[path.suffix], headers=_HEADERS)

    robots = "User-agent: *\nDisallow: /gradio_api/\n"
    return [
        Route("/", lambda request: HTMLResponse(page, headers=_HEADERS)),
        Route("/page/{name}", file),
        Route(
            "/favicon.ico",
            lambda request: FileResponse(WEB / "icon.svg", media_type=_KINDS[".svg"]),
        ),
        Route("/robots.txt", lambda request: PlainTextResponse(robots)),
    ]


def _index(worker: ModelWorker, teachable: bool) -> str:
    """The page's HTML, with what its scripts have to know of this program in it."""
    settings = {
        "colours": INFERNO.hex(),
        "strength": STRENGTH,
        "styles": list(worker.first.styles),
        "models": list(worker.names),
        "teachable": teachable,
        "examples": json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8")),
        "limits": {"photos": MAX_PHOTOS, "upload": MAX_UPLOAD, "beam": LIMITS["beam"]},
    }
    text = (WEB / "index.html").read_text(encoding="utf-8")
    return text.replace("{{settings}}", _json(settings))


def standalone(photo: Image.Image, caption: Caption, strength: float) -> str:
    """A page of its own, in one file that works without a network: the photo, the sentence, and
    where the model looked for each word, with the page's own scripts."""
    answer: dict[str, Any] = {
        "photo": data_url(photo, _SIDE, quality=85),
        "colours": INFERNO.hex(),
        "strength": strength,
        "caption": caption.text,
        "words": list(caption.words),
        "attention": maps_as_json(caption),
    }
    parts = {
        "title": escape(caption.text),
        "style": (WEB / "page.css").read_text(encoding="utf-8"),
        "script": "".join(
            classic(WEB / f"{name}.js") for name in ("dom", "heat", "look", "standalone")
        ),
        "settings": _json(answer),
    }
    text = (WEB / "standalone.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text)


def _json(value: Any) -> str:
    """For a script element of HTML: nothing in it ends the element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
