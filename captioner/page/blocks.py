"""The page as gradio sees it: its endpoints for programs, and its start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware

from captioner.errors import CaptionerError
from captioner.page.address import name_asked, port_asked
from captioner.page.album import album_rows
from captioner.page.answers import answer
from captioner.page.endpoints import ALIKE, WAITING, Endpoints
from captioner.page.frontend import routes
from captioner.page.guard import Guard, Page, hosts_allowed
from captioner.page.storage import KEPT, own_folder
from captioner.page.teaching import PageLessons, owner_alone
from captioner.page.uploads import MAX_UPLOAD, Upload, photo_input
from captioner.page.worker import ModelWorker

if TYPE_CHECKING:
    from captioner.captioner import Captioner

USUAL_PORT = 7860  # gradio's
# Requests of the same kind that are answered at a time: those for one photo wait for the model
# together, so that it captions several at once.
PHOTO: dict[str, Any] = {"concurrency_id": "photo", "concurrency_limit": ALIKE}
MANY: dict[str, Any] = {"concurrency_id": "many", "concurrency_limit": 3}


def build(
    captioners: Sequence[Captioner], family: Sequence[Path] = (), base: Path | None = None
) -> Page:
    """The page for these models: the first answers for one photo and for many, all are compared.

    So are the checkpoints of `family`, which are loaded when they are first asked for. Where the
    page is its owner's alone, the checkpoint `base` can be taught there.
    """
    folder = own_folder()
    worker = ModelWorker(captioners, family)
    with Page(title="captioner", analytics_enabled=False, delete_cache=(60, KEPT)) as page:
        _endpoints(worker)
    guard = Middleware(Guard, hosts=hosts_allowed(), folder=folder)
    # Our routes come before gradio's own: "/" is our page.
    lessons = PageLessons(worker, base, Path.cwd()) if base and owner_alone() else None
    own = [*routes(worker, bool(lessons)), Endpoints(worker, folder, lessons).route()]
    page.app_kwargs = {"middleware": [guard], "routes": own}
    page.queue(max_size=WAITING, api_open=False)
    return page


def launch(page: Page, wait: bool = True, **settings: Any) -> None:
    """Start the page: on this machine only, unless GRADIO_SERVER_NAME says otherwise.

    With `wait` it comes back when the page has been ended from the keyboard, else at once. Raises
    CaptionerError where the port that GRADIO_SERVER_PORT asks for is taken, or is none, and where
    this machine cannot serve at GRADIO_SERVER_NAME.
    """
    settings.setdefault("server_name", name_asked())
    asked = port_asked()
    if asked is not None:  # gradio itself would take the next one that is free
        settings.setdefault("server_port", asked)
    try:
        page.launch(
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            max_file_size=MAX_UPLOAD,
            run_history=False,
            enable_monitoring=False,
            state_session_capacity=100,
            ssr_mode=False,
            app_kwargs=page.app_kwargs,
            **settings,
        )
    except (OSError, ValueError) as error:
        reason = str(error)
        if "empty port" in reason:
            port = settings.get("server_port", f"{USUAL_PORT} and those after it")
            reason = f"port {port} is taken; end what has it, or set GRADIO_SERVER_PORT to another"
        raise CaptionerError(f"The page cannot be started: {reason}") from error
    if wait:
        if asked is None and page.server_port != USUAL_PORT:
            print(f"Port {USUAL_PORT} is taken.", flush=True)
        print(f"The page is at {page.local_url} (end it with Ctrl+C).", flush=True)
        page.block_thread()


def _endpoints(worker: ModelWorker) -> None:
    """docs/api.md describes the public ones. Their docstrings appear in /gradio_api/info."""
    photo, photos = photo_input(label="photo"), photo_input(label="photos", file_count="multiple")
    options, result = _json("options"), _json("answer")

    def caption(photo: Upload | None) -> Any:
        """A photo's caption, with where the model looked for each word; or an `error`."""
        return answer(worker, photo)

    def caption_with(photo: Upload | None, options: Any) -> Any:
        """The same with options, such as {"beam": 5, "alternatives": 2, "avoid": ["man"]}."""
        return answer(worker, photo, options)

    def caption_batch(photos: list[Upload] | None) -> Any:
        """A row for each of up to 1,000 photos, or of those in archives."""
        try:
            return album_rows(worker, photos)
        except CaptionerError as error:  # to its sender, not into the server's log
            raise gr.Error(str(error), print_exception=False) from error

    _endpoint(caption, photo, result, PHOTO)
    _endpoint(caption_with, [photo, options], result, PHOTO)
    _endpoint(caption_batch, photos, result, MANY)


def _json(label: str) -> gr.JSON:
    return gr.JSON(visible=False, label=label)


def _endpoint(function: Callable[..., Any], inputs: Any, output: Any, how: dict[str, Any]) -> None:
    name = function.__name__
    gr.Button(visible=False).click(function, inputs, output, api_name=name, **how)
