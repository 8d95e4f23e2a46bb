"""A whole run on this machine: inputs → photos → captioner → output, and a summary."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.batch.coco import Coco, ImageIds
from captioner.batch.columns import Columns
from captioner.batch.fields import OF_FILES
from captioner.batch.formats import FORMATS
from captioner.batch.output import Draft, Output, Resumable, Target, recorded, stream
from captioner.batch.places import KINDS, SIDECAR_NAMES, Inside, Place, TextSidecar, XmpSidecar
from captioner.batch.result import PhotoResult
from captioner.batch.rows import Csv, Format, Lines
from captioner.batch.run import Item, Wording, caption_photos, prepared, withheld, worded
from captioner.batch.sidecars import Sidecars
from captioner.batch.sinks import Attention
from captioner.batch.summary import Progress, Summary
from captioner.cli.streams import tell
from captioner.datasets.photos.search import Search, holds_photos, told
from captioner.datasets.photos.sources import files
from captioner.datasets.photos.stream import check_tables, photos
from captioner.errors import ImageError
from captioner.files import is_plain, make_folder
from captioner.images import USUAL, Allowed
from captioner.interrupts import interrupts
from captioner.options import Options

if TYPE_CHECKING:
    from captioner.captioner import Captioner

Source = Callable[[Search], Iterable[str | ImageError]]
INTERRUPTED = 130  # the exit code that shells expect after Ctrl-C


@dataclass(frozen=True)
class Job:
    """What a run is to do. `keep`: captions that are there stay; `model` is the model's id, the
    same for the same weights."""

    inputs: Sequence[str]
    load: Callable[[], Captioner]
    model: str
    columns: Columns
    options: Options = Options()
    batch_size: int = 16
    format: str = "text"
    output: Path | None = None
    excel: bool = False
    column: str | None = None
    exclude: tuple[str, ...] = ()
    annotations: Path | None = None
    sidecar_name: str = SIDECAR_NAMES[0]
    extension: str = ".txt"
    append: bool = False
    min_confidence: float = 0.0
    allowed: Allowed = USUAL
    wording: Wording = field(default_factory=Wording)
    resume: bool = False
    overwrite: bool = False
    keep: bool = False
    fail_fast: bool = False
    attention: Path | None = None

    @property
    def keeps(self) -> bool:
        """Whether captions that are there stay: in a file if asked for, at photos unless told."""
        return not self.overwrite if self.format in KINDS else self.keep

    def settings(self) -> dict[str, Any]:
        """What must not change between a run and its continuation."""
        names = (
            *("format", "excel", "column", "exclude", "sidecar_name"),
            *("extension", "append", "min_confidence", "model", "batch_size"),
        )
        own = {name: getattr(self, name) for name in names}
        own["annotations"] = str(self.annotations or "")
        return asdict(self.options) | asdict(self.columns) | asdict(self.wording) | own


def run(job: Job) -> int:
    """Do the job; the exit code: 0, 1 if a photo failed, 130 if someone stopped it.

    Raises CaptionerError for what makes the whole run impossible.
    """
    check_tables(job.inputs, job.column, job.columns.kept)
    source, search = _source(job), Search(job.exclude)
    attention = _attention(job, source)
    summary = Summary(search.left_out)
    with _output(job, source, summary) as output:
        if output is None:
            tell(
                f"{job.output} is complete; --skip-existing adds what is new, --overwrite makes it"
                " anew."
            )
            return 0
        recording = isinstance(output, Resumable)
        quiet = not recording and sys.stdout.isatty()  # the rows themselves show how far it is
        with (
            interrupts() as stopped,
            Progress(summary, lambda: _count(job), quiet) as progress,
            closing(results_of(job, source(search), search, output, stopped)) as results,
        ):
            through = _work(job, results, output, attention, summary, progress)
            through = through and not stopped()
        output.finish() if through else output.commit(now=True)
    _sum_up(job, summary, through, recording)
    if stopped():
        return INTERRUPTED
    return 1 if summary.failures or not through else 0


def _work(
    job: Job,
    results: Iterable[PhotoResult],
    output: Output,
    attention: Attention | None,
    summary: Summary,
    progress: Progress,
) -> bool:
    """Put each result where it belongs; False if a failure ended the run."""
    for number, result in enumerate(results, 1):
        try:
            if result.caption is None and job.fail_fast and not result.unsure:
                raise ImageError(result.path, result.error)
            output.write(result)
        except ImageError as error:
            result = PhotoResult(error.path, error=error.reason)
            if job.fail_fast:
                progress.say(f"{result.path}: {result.error}")
                return False
            output.write(result)
        if attention is not None:
            attention.write(result)
        summary.add(result)
        if result.caption is None:
            progress.say(f"{result.path}: {result.error}")
        if number % job.batch_size == 0:
            output.commit()
        progress.update()
    return True


def _source(job: Job) -> Source:
    """How to go through the files, more than once if places or ids are to be checked beforehand."""
    checked = job.format in (*KINDS, "coco") or job.attention is not None
    if "-" not in job.inputs or not checked:
        return lambda search: files(job.inputs, search)
    first = Search(job.exclude)
    listed = list(files(job.inputs, first))

    def again(search: Search) -> list[str | ImageError]:
        search.left_out.update(first.left_out)
        return listed

    return again


def _attention(job: Job, source: Source) -> Attention | None:
    if job.attention is None:
        return None
    attention = Attention(job.attention, job.allowed, job.keeps)
    if not (job.keeps or job.overwrite):
        attention.check(_named_photos(job, source))
    return attention


def results_of(
    job: Job,
    found: Iterable[str | ImageError],
    search: Search,
    output: Output,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[PhotoResult, None, None]:
    """A result for each photo in the files that were found which the output wants, as the job wants
    it; for none that turns out to have a caption in itself."""
    fields = job.columns.fields
    facts = [name for name in fields if name in OF_FILES]
    items = prepared(
        photos(found, job.column, output.wanted, search=search, keep=job.columns.kept),
        facts,
        job.allowed,
    )
    items = (item for item in items if not output.describes_itself(item))
    if "model" in fields:
        items = (_of_model(item, job.model) for item in items)
    keep = job.attention is not None
    found_out = caption_photos(
        job.load, items, job.options, job.batch_size, stopped, job.allowed, keep
    )
    for result in found_out:
        yield worded(withheld(result, job.min_confidence), job.wording)


def _of_model(item: Item, model: str) -> Item:
    if isinstance(item, ImageError):
        return item
    return replace(item, facts={**item.facts, "model": model})


@contextmanager
def _output(job: Job, source: Source, summary: Summary) -> Iterator[Resumable | Output | None]:
    if job.format in KINDS:
        sidecars = Sidecars(_place(job), job.inputs, job.output, overwrite=not job.keeps)
        sidecars.check(lambda: _named_photos(job, source))
        if job.output is not None:
            make_folder(job.output)
        target: Target = sidecars
    else:
        format = _format(job, source)
        if job.output is None or not is_plain(job.output):
            with stream(job.output, format) as output:
                yield output
            return
        target = Draft(job.output, format, job.keeps)
    settings = {**job.settings(), "skip_existing": job.keeps}
    with recorded(target, settings, summary, job.resume, job.overwrite, job.keep) as record:
        yield record


def row_format(job: Job) -> Lines:
    """The format of the job's rows. Raises CaptionerError for one that needs a package."""
    kind = FORMATS[job.format]
    return Csv(job.columns, mark=True) if kind is Csv and job.excel else kind(job.columns)


def _named_photos(job: Job, source: Source) -> Iterator[Item]:
    """The photos of the run, without their content."""
    search = Search(job.exclude)
    return photos(source(search), job.column, read=False, search=search)


def _format(job: Job, source: Source) -> Format:
    if job.format != "coco":
        return row_format(job)

    def paths() -> Iterator[str]:
        found = _named_photos(job, source)
        return (item.path for item in found if not isinstance(item, ImageError))

    return Coco(ImageIds(paths, job.annotations, tell))


def _place(job: Job) -> Place:
    if job.format == "sidecar":
        return TextSidecar(job.extension, job.append)
    return XmpSidecar(job.sidecar_name) if job.format == "xmp" else Inside()


def _count(job: Job) -> int | None:
    """How many photos there are, where that can be had without reading them."""
    if "-" in job.inputs:
        return None
    number = 0
    for item in files(job.inputs, Search(job.exclude)):
        if holds_photos(item):
            return None
        number += 1
    return number


def _sum_up(job: Job, summary: Summary, through: bool, recording: bool) -> None:
    if through and not recording and (not summary.troubles or summary.photos == 1):
        if summary.left_out:
            tell(f"left out: {told(summary.left_out)}")
        return  # the rows, or the one photo's, have said all else
    for line in summary.lines():
        tell(line)
    if not through:
        tell(way_on(recording))


def way_on(recording: bool) -> str:
    """How to continue a run that was stopped."""
    if not recording:
        return "stopped; with --output FILE a run can be continued."
    given = enumerate(sys.argv[1:])
    again = [a for i, a in given if not (a == "--resume" or _is_attention(a, sys.argv[i]))]
    return f"stopped; to continue: {shlex.join(['captioner', *again, '--resume'])}"


def _is_attention(argument: str, before: str) -> bool:
    """Whether it is of `--attention FOLDER`, which a resumed run does not take."""
    return argument.partition("=")[0] == "--attention" or before == "--attention"
