"""What the page itself asks for, as plain JSON: one request, one answer. gradio's endpoints are for
programs; their queue costs a request several times what these cost."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from anyio import CapacityLimiter, current_time, move_on_after, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Send

from captioner.errors import CaptionerError
from captioner.page.album import album_steps, packed_photo
from captioner.page.answers import answer, compare
from captioner.page.guard import refuse
from captioner.page.saved_photo import save_photo
from captioner.page.saving import File, save_album
from captioner.page.storage import UploadFolder
from captioner.page.teaching import PageLessons
from captioner.page.uploads import Upload
from captioner.page.worker import ModelWorker

ALIKE = 16  # requests about photos, answered at a time: they wait for the model together
FILES = 2  # files to save, made at a time
ALBUMS = 8  # sent at once: a few of its photos are held for each
STEPS = 3  # of albums, made at a time
WAITING = 64  # requests at once; the next one is told that the page is busy
UNREAD = 60.0  # seconds within which a visitor has to take a step of an album
_BUSY = "The page is busy. Try again in a moment."

Endpoint = Callable[[list[Upload], Any], Any]


class Endpoints:
    """`POST /page/ask/NAME` with {"files": [as /gradio_api/upload named them], "request": an
    object}. What was asked wrongly is answered {"detail": a sentence}."""

    def __init__(
        self, worker: ModelWorker, folder: UploadFolder, lessons: PageLessons | None = None
    ) -> None:
        photos, files = CapacityLimiter(ALIKE), CapacityLimiter(FILES)
        self._known: dict[str, tuple[Endpoint, CapacityLimiter]] = {
            "caption": (_of_one(partial(answer, worker)), photos),
            "compare": (_of_one(partial(compare, worker)), photos),
            "album": (partial(album_steps, worker), CapacityLimiter(STEPS)),
            "packed_photo": (_of_one(packed_photo), files),
            "save_photo": (_of_one(save_photo), files),
            "save_album": (lambda _, request: save_album(request), files),
        }
        for name, endpoint in lessons.endpoints().items() if lessons else ():
            self._known[name] = endpoint, self._known["album"][1]
        self._folder = folder
        self._waiting = self._albums = 0

    def route(self) -> Route:
        return Route("/page/ask/{name}", self.ask, methods=["POST"])

    async def ask(self, request: Request) -> Response:
        if request.path_params["name"] not in self._known:
            return refuse(404, "There is nothing here.")
        if self._waiting >= WAITING:
            return refuse(503, _BUSY)
        function, limiter = self._known[request.path_params["name"]]
        given = json.loads(await request.body() or b"{}")
        self._waiting += 1
        try:
            found = await to_thread.run_sync(partial(self._call, function, given), limiter=limiter)
        except CaptionerError as error:
            return refuse(400, str(error))
        finally:
            self._waiting -= 1
        if isinstance(found, Iterator):
            if self._albums >= ALBUMS:
                return refuse(503, _BUSY)
            return AlbumResponse(self._lines(found, limiter), media_type="application/jsonl")
        if isinstance(found, File):
            name = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}"}
            return Response(found.content, media_type=found.kind, headers=name)
        return JSONResponse(found)

    def _call(self, function: Endpoint, given: Any) -> Any:
        files = given.get("files", []) if isinstance(given, dict) else None
        if not isinstance(files, list):
            raise CaptionerError('Send an object: {"files": [], "request": {}}.')
        return function([self._upload(file) for file in files], given.get("request"))

    def _upload(self, file: Any) -> Upload:
        """Only what lies in the folder of uploads is read, whatever a request says."""
        told = file if isinstance(file, dict) else {}
        path, name = told.get("path"), told.get("orig_name", "photo")
        if not isinstance(path, str) or not isinstance(name, str) or "\0" in path:
            raise CaptionerError("A photo must be a file that was uploaded here.")
        place = Path(path).resolve()
        if not place.is_relative_to(self._folder.path.resolve()) or not place.is_file():
            raise CaptionerError(f"{Path(name).name} is not here any more: send it again.")
        return Upload(str(place), Path(name).name)

    async def _lines(self, steps: Iterator[Any], limiter: CapacityLimiter) -> AsyncIterator[str]:
        """A line of JSON for each step; the last one is {"detail"} where it ended early. A visitor
        who leaves ends the steps."""
        end = object()
        self._albums += 1
        try:
            while (step := await to_thread.run_sync(next, steps, end, limiter=limiter)) is not end:
                yield json.dumps(step) + "\n"
        except CaptionerError as error:
            yield json.dumps({"detail": str(error)}) + "\n"
        finally:
            self._albums -= 1
            steps.close()  # type: ignore[attr-defined]


class AlbumResponse(StreamingResponse):
    """Ends where its reader takes nothing for UNREAD seconds, or leaves: others wait for the
    place."""

    async def stream_response(self, send: Send) -> None:
        try:
            with move_on_after(math.inf) as patience:

                async def in_time(message: Message) -> None:
                    patience.deadline = current_time() + UNREAD
                    await send(message)
                    patience.deadline = math.inf

                await super().stream_response(in_time)
        finally:
            await cast("AsyncGenerator[str, None]", self.body_iterator).aclose()


def _of_one(function: Callable[[Upload | None, Any], Any]) -> Endpoint:
    return lambda uploads, request: function(uploads[0] if uploads else None, request)
