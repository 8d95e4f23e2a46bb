"""What gradio leaves open and this page keeps shut."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from anyio import fail_after
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captioner.errors import shown
from captioner.page.storage import UploadFolder

MAX_JSON = 512 * 2**10  # of a request that is not an upload, bytes
MAX_VALUES = 50_000  # in such a request: its commas
MAX_CONTAINERS = 10_000  # lists and objects in it
MAX_DEPTH = 16
SILENCE = 30.0  # seconds within which more of a request has to come
REMOTE = ("http:", "https:")

# All that the page and gradio's own client ask for. gradio offers more, to builders of pages.
_ROUTES = re.compile(
    r"(HEAD|GET) /(page/[\w./-]+|favicon\.ico|robots\.txt|config)?"
    r"|GET /gradio_api/(info/?|openapi\.json|startup-events|app_id/?|heartbeat/\w{1,64}"
    r"|queue/data|call/\w{1,64}/\w{1,64})"
    r"|POST /gradio_api/(upload|queue/join|call/\w+|cancel|reset/?)"
    r"|POST /page/ask/\w+"
)

_SILENT = 408, f"Nothing more came of this for {SILENCE:.0f} seconds."
_FULL = 507, "The page holds as many photos as it may. Try again in a minute."
_CUT_OFF = 400, "This upload was cut off."
_log = logging.getLogger(__name__)

Refusal = tuple[int, str]


class Guard:
    """Answers who may ask, and only what the page is made of; the rest goes no further.

    `hosts` are the names that the page may have besides those of this machine ("*": any). Without
    that check a stranger's page could read this one under a name of its own (DNS rebinding), and
    without the one of Origin it could send files here from its visitors' browsers.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], folder: UploadFolder) -> None:
        self.app = app
        self.hosts = hosts
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._who(scope["method"], headers) or _what(scope, headers)
        if refusal is None and scope["method"] == "POST":
            if scope["path"].endswith("/upload"):
                await self._upload(scope, receive, send)
                return
            try:
                body = await _body(receive)
                refusal = _json_refusal(body)
                receive = _again(body, receive)
            except TimeoutError:
                refusal = _SILENT
        if refusal is not None:
            await refuse(*refusal)(scope, receive, send)
            return
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the page and to gradio; a request that gradio trips over is a line in the log."""
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if scope["path"].startswith("/page/"):
                raise  # a fault of ours, to be found
            _log.warning("%s %s: %.200r", scope["method"], shown(scope["path"]), error)
            if not begun:
                await refuse(400, "This cannot be answered.")(scope, receive, send)

    def _who(self, method: str, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        name = _name(host)
        if not (name in self.hosts or "*" in self.hosts or is_local(name)):
            return 421, (
                f"This page does not go by the name {name[:80]!r}. "
                "Start it with that name in CAPTIONER_HOSTS to open it there."
            )
        origin = headers.get("origin")
        if method in ("GET", "HEAD") or origin is None:
            foreign = method == "POST" and headers.get("sec-fetch-site") == "cross-site"
        else:
            place = _place(origin)
            foreign = place != host and _name(place) not in self.hosts
        return (403, "Another site's page may not send anything here.") if foreign else None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What comes counts as it comes. gradio's parser is told of an end before the end by its
        own exception: then it removes what it has written."""
        refusal: Refusal | None = None

        async def coming() -> Message:
            nonlocal refusal
            try:
                with fail_after(SILENCE):
                    message = await receive()
            except TimeoutError:
                refusal = _SILENT
            else:
                size = len(message.get("body", b""))
                if message["type"] == "http.disconnect":
                    refusal = _CUT_OFF
                elif not await run_in_threadpool(self.folder.reserve, size):
                    refusal = _FULL
            if refusal is not None:
                raise MultiPartException(refusal[1])
            return message

        async def answer(message: Message) -> None:
            if refusal is None:
                await send(message)

        await self._pass_on(scope, coming, answer)
        if refusal is not None:
            await refuse(*refusal)(scope, receive, send)


def is_local(name: str) -> bool:
    """Whether a host of that name is this machine."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def hosts_allowed() -> frozenset[str]:
    """What CAPTIONER_HOSTS lists. In a Space of Hugging Face, whose proxy alone can reach the page,
    any name; pages under the Space's own may send something."""
    listed = os.environ.get("CAPTIONER_HOSTS", "").split(",")
    if space := os.environ.get("SPACE_HOST"):
        listed += [space, "*"]
    return frozenset(_name(name.strip()) for name in listed if name.strip())


def _name(host: str) -> str:
    """The name in a Host header, lower case, without the port and the brackets of IPv6."""
    found = re.fullmatch(r"\[(.*)\](:\d*)?|([^:]*)(:\d*)?", host.strip())
    return (found[1] or found[3] or "").lower().rstrip(".") if found else host


def _place(origin: str) -> str:
    """The host, with its port, in an Origin header; "" for none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _what(scope: Scope, headers: Headers) -> Refusal | None:
    path: str = scope["path"]
    if not _ROUTES.fullmatch(f"{scope['method']} {path}"):
        return 404, "There is nothing here."
    if scope["method"] != "POST":
        return None
    called = path.partition("/call/")[2]
    functions = scope["app"].blocks.fns.values()
    if called and called not in {str(function.api_name) for function in functions}:
        return 404, f"There is no function {called[:80]!r} here."
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not re.fullmatch("[0-9]{1,15}", length):
        return 411, "Say how large this is: a Content-Length is missing."
    limit = scope["app"].blocks.max_file_size if path.endswith("/upload") else MAX_JSON
    if int(length) > limit + MAX_JSON * path.endswith("/upload"):
        return 413, f"This is larger than the {limit // 1024:,} kB allowed."
    return None


def _json_refusal(body: bytes) -> Refusal | None:
    """Whether gradio, which walks through all of a request several times, is to be spared it."""
    if body.count(b",") > MAX_VALUES or body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        return 413, "This holds more values than any request to this page needs."
    try:
        tree = json.loads(body or b"{}")
        json.dumps(tree, ensure_ascii=False).encode()  # half a character can nowhere be written
        shallow = _shallow(tree, MAX_DEPTH)
    except (ValueError, RecursionError):
        return 400, "This is not JSON that can be read."
    if isinstance(tree, dict) and tree.get("session_hash") == "":  # gradio would lose its answer
        return 400, "A session_hash must not be empty."
    return None if shallow else (400, "Lists and objects lie too deep in one another here.")


def _shallow(value: Any, left: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return True
    return left > 0 and all(_shallow(one, left - 1) for one in inside)


async def _body(receive: Receive) -> bytes:
    """The whole body, which the server has made sure is no longer than announced. Raises
    TimeoutError where no more of it comes."""
    parts, more = [], True
    while more:
        with fail_after(SILENCE):
            message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def refuse(status: int, reason: str) -> JSONResponse:
    """The answer to what is not answered, with its reason."""
    return JSONResponse({"detail": reason}, status)


class Page(gr.Blocks):
    """Blocks whose mistakes of visitors are a sentence to them, and no traceback in the log.

    `app_kwargs` are for the web application that serves them: its routes and its guard.
    """

    app_kwargs: dict[str, Any]

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *rest: Any, **more: Any
    ) -> list[Any]:
        wanted = len(block_fn.inputs)
        if len(inputs) != wanted:
            raise _mistake(f'"data" must list {wanted} values here, not {len(inputs)}.')
        _refuse_addresses(inputs)
        try:
            return list(await super().preprocess_data(block_fn, inputs, *rest, **more))
        except gr.Error:
            raise
        except Exception as error:  # of gradio's checks, many kinds
            raise _mistake("A photo must be a file that was uploaded here.") from error


def _mistake(reason: str) -> gr.Error:
    return gr.Error(reason, print_exception=False)


def _refuse_addresses(inputs: Any) -> None:
    """Raises gr.Error for a photo given as an address in the network, at any depth."""
    if isinstance(inputs, dict):
        path = inputs.get("path")
        if isinstance(path, str) and path.lower().startswith(REMOTE):
            raise _mistake("Send the photo itself, not its address.")
        inputs = list(inputs.values())
    if isinstance(inputs, list | tuple):
        for value in inputs:
            _refuse_addresses(value)
