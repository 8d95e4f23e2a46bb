"""What gradio leaves open and this page keeps shut."""

from __future__ import annotations

from typing import Any

import gradio as gr
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from captioner.errors import ImageError

MAX_JSON = 12 * 2**20  # of a request that is not an upload, bytes
REMOTE = ("http:", "https:")


class Guard:
    """Refuses to fetch addresses for visitors, and requests too large to be meant."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _refusal(scope)):
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    path: str = scope["path"]
    for route in ("/file=", "/proxy="):
        if route in path and path.partition(route)[2].lower().startswith(REMOTE):
            return 403, "Only files of this page are served."
    if path.rstrip("/").endswith("/upload"):
        return None  # gradio counts what comes in
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or not length.isdigit() or int(length) > MAX_JSON:
        return 413, f"This is larger than {MAX_JSON // 2**20} MB, or does not say how large it is."
    return None


class Page(gr.Blocks):
    """Blocks in which one bad request does not fail the others that wait with it.

    gradio prepares the inputs of all requests of a batch together, and an exception there (a file
    that was never uploaded, say) would be everybody's. Here the first input of such a request
    becomes an ImageError instead, for the batch's function to answer.
    """

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *rest: Any, **more: Any
    ) -> list[Any]:
        try:
            _refuse_addresses(inputs)
            return list(await super().preprocess_data(block_fn, inputs, *rest, **more))
        except Exception as error:
            if not block_fn.batch:
                raise
            reason = str(error) if isinstance(error, gr.Error | ImageError) else ""
            refused = ImageError("photo", reason or "not a file that was uploaded here")
            return [refused, *[None] * (len(block_fn.inputs) - 1)]


def _refuse_addresses(inputs: Any) -> None:
    """Raises gr.Error for a photo given as an address in the network, at any depth."""
    if isinstance(inputs, dict):
        path = inputs.get("path")
        if isinstance(path, str) and path.lower().startswith(REMOTE):
            raise gr.Error("send the photo itself, not its address", print_exception=False)
        inputs = list(inputs.values())
    if isinstance(inputs, list | tuple):
        for value in inputs:
            _refuse_addresses(value)
