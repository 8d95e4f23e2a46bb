"""*Teach these*: a model learns from the captions that were corrected on the page, in the
background. For a page that only its owner can reach."""

from __future__ import annotations

import atexit
import os
import shutil
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from captioner.errors import CaptionerError, ImageError
from captioner.page.album import album_steps
from captioner.page.guard import hosts_allowed, is_local
from captioner.page.uploads import Upload, unpack
from captioner.page.worker import ModelWorker

if TYPE_CHECKING:
    from captioner.teaching.lesson import Learner
    from captioner.teaching.pairs import Pair
    from captioner.teaching.run import TaughtModel

SHOWN = 10  # held-out photos
Row = dict[str, Any]


def owner_alone() -> bool:
    """Whether nobody but who started the page can reach it, and torch is here to learn with."""
    here = is_local(os.environ.get("GRADIO_SERVER_NAME") or "localhost")
    proxied = hosts_allowed() or os.environ.get("GRADIO_ROOT_PATH")
    return here and not proxied and find_spec("torch") is not None


class PageLessons:
    """One lesson at a time, of the model in the checkpoint `base`; what it makes lies in `folder`,
    and captions like the page's other models."""

    def __init__(self, worker: ModelWorker, base: Path, folder: Path) -> None:
        self.worker, self.base, self.folder = worker, base, folder
        self._state: Row = {"state": "none"}
        self._cancelled = Event()
        self._lock = Lock()
        self._model: int | None = None

    def endpoints(self) -> dict[str, Callable[[list[Upload], Any], Any]]:
        """What the page may ask for."""
        return {
            "teach": self.begin,
            "lesson": lambda uploads, request: self._state,
            "cancel_lesson": self.cancel,
            "album_taught": self.album,
        }

    def begin(self, uploads: list[Upload], request: Any) -> Row:
        """Start a lesson: {"captions": [for each upload its caption, or {path: caption} for an
        archive]}. Raises CaptionerError where one is going on, and for another request."""
        captions = request.get("captions") if isinstance(request, dict) else None
        if not isinstance(captions, list) or len(captions) != len(uploads):
            raise CaptionerError("These captions cannot be learnt from: reload the page.")
        with self._lock:
            if self._state["state"] == "learning":
                raise CaptionerError("A lesson is going on: wait for its end, or cancel it.")
            self._state = {"state": "learning", "said": "The photos are read.", "done": 0.0}
            self._cancelled.clear()
        room = TemporaryDirectory()  # uploads are not kept for long
        try:
            pairs = list(_pairs(uploads, captions, Path(room.name)))
        except BaseException:
            self._state = {"state": "none"}
            room.cleanup()
            raise
        thread = Thread(target=self._run, args=(pairs, room), name="lesson", daemon=True)
        atexit.register(self._end, thread)
        thread.start()
        return self._state

    def cancel(self, uploads: list[Upload], request: Any) -> Row:
        """End the lesson; nothing of it is kept."""
        self._cancelled.set()
        return self._state

    def album(self, uploads: list[Upload], given: Any) -> Iterator[Row]:
        """As `album_steps`, by the taught model. Raises CaptionerError where there is none."""
        if self._model is None:
            raise CaptionerError("No model has been taught here yet.")
        return album_steps(self.worker, uploads, given, self._model)

    def _run(self, pairs: list[Pair], room: TemporaryDirectory[str]) -> None:
        try:
            self._teach(pairs)
        except CaptionerError as error:
            state = "cancelled" if self._cancelled.is_set() else "failed"
            self._state = {"state": state, "said": str(error)}
        except BaseException:
            self._state = {"state": "failed", "said": "This went wrong; the page's log says why."}
            raise
        finally:
            room.cleanup()

    def _end(self, thread: Thread) -> None:
        """With the page; torch does not bear to be cut off."""
        self._cancelled.set()
        thread.join(60)

    def _teach(self, pairs: list[Pair]) -> None:
        from captioner import checkpoint
        from captioner.captioner import load
        from captioner.teaching.lesson import Lesson
        from captioner.teaching.run import check_output, save, teach_model

        file = self.folder / time.strftime("taught-%Y%m%d-%H%M%S.safetensors")
        check_output(file, self.base, overwrite=False)
        start = checkpoint.load(self.base)
        taught = teach_model(start, pairs, "mine", 2, Lesson(), self._tell, after=self._after)
        self._tell("The model is written.")
        save(taught.model, file, self.base)
        self._model = self.worker.add(load(file))
        self._state = _done(taught, file)

    def _tell(self, message: str) -> None:
        self._heed()
        self._state = {**self._state, "said": message}

    def _after(self, learner: Learner) -> None:
        self._heed()
        left = (1 - learner.progress) * learner.seconds / max(learner.progress, 1e-9)
        said = f"Learning: at most {max(1, round(left / 60))} min left."
        self._state = {"state": "learning", "said": said, "done": round(learner.progress, 3)}

    def _heed(self) -> None:
        if self._cancelled.is_set():
            raise CaptionerError("The lesson was cancelled.")


def _pairs(uploads: list[Upload], captions: list[Any], folder: Path) -> Iterator[Pair]:
    """The photos with their captions, copied into `folder`."""
    from captioner.teaching.pairs import Pair

    number = 0
    for upload, said in zip(uploads, captions, strict=True):
        for photo in unpack([upload]):
            text = said.get(photo.path) if isinstance(said, dict) else said
            if isinstance(photo, ImageError) or not isinstance(text, str) or not text.strip():
                continue
            copy = folder / f"{number:05d}"
            number += 1
            content = photo.read()
            if isinstance(content, bytes):
                copy.write_bytes(content)
            else:
                shutil.copyfile(content, copy)
            yield Pair(photo.path, str(copy), (text.strip(),))


def _done(taught: TaughtModel, file: Path) -> Row:
    rows = [
        {"photo": row.pair.name, "yours": row.pair.captions[0], "before": row.before,
         "after": row.after}
        for row in taught.verdict.rows[:SHOWN]
    ]  # fmt: skip
    said = f"{taught.verdict.sentence()}. The model is kept as {file}."
    return {"state": "done", "said": said, "done": 1.0, "rows": rows}
