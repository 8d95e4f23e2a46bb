"""The command `captioner caption`: from one photo to a folder of a million."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from captioner.assets import EMBEDDED
from captioner.batch import checks
from captioner.cli import options as shared
from captioner.cli.outputs import check_inputs

Format = Literal[
    "text", "jsonl", "json", "csv", "tsv", "parquet", "coco", "sidecar", "xmp", "embed"
]  # fmt: skip
ROW = "path, caption, score, confidence, words, alternatives, size, bytes, sha256, model, error"
FORMAT = (
    "text: path<TAB>caption; jsonl: one JSON object a line; json: a list of them; csv; tsv;"
    " parquet; coco: COCO results; sidecar: photo.txt beside photo.jpg; xmp: photo.jpg.xmp beside"
    " it; embed: in the photo's own metadata, no pixel changed. Left out: what --output ends in,"
    " else text."
)


def caption(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", hidden=True)],
    format: Annotated[Format | None, typer.Option(metavar="FORMAT", help=FORMAT)] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write here: a file, or the folder of the sidecars.",
        ),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help=f"What a row holds, of {ROW}; with commas."),
    ] = None,
    rename: Annotated[
        str | None,
        typer.Option(
            metavar="OLD=NEW", help="What columns are called: caption=text,path=file_name."
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Columns of the table that rows keep, with commas."),
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV with the mark by which Excel knows UTF-8.")
    ] = False,
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="COCO results: take ids by file name from here."),
    ] = None,
    extension: Annotated[
        str | None, typer.Option(metavar=".EXT", help="Of text sidecars; .txt, if not said.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Put the sentence behind the text that a sidecar has.")
    ] = False,
    sidecar_name: Annotated[
        Literal["photo.jpg.xmp", "photo.xmp"] | None,
        typer.Option(
            metavar="NAME",
            help="How XMP sidecars are called: photo.jpg.xmp, or photo.xmp as Lightroom does.",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A table's column of paths, addresses or bytes."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave out files and folders of such a name, *.gif or thumbs/*; several times.",
        ),
    ] = None,
    before: shared.BeforeOption = "",
    after: shared.AfterOption = "",
    lower: Annotated[bool, typer.Option("--lower", help="Sentences in small letters.")] = False,
    full_stop: Annotated[bool, typer.Option(help="Whether sentences end with a full stop.")] = True,
    min_words: shared.MinWordsOption = None,
    max_words: shared.MaxWordsOption = None,
    beam: shared.BeamOption = None,
    length_penalty: shared.LengthPenaltyOption = None,
    consensus: shared.ConsensusOption = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The N best sentences a photo.")
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0,
            max=1,
            help="No sentence where the model is less sure, but the reason.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="The most that a photo may have; 89,478,485, if not said."
        ),
    ] = None,
    allow_truncated: Annotated[
        bool,
        typer.Option("--allow-truncated", help="Caption JPEGs that lack their last bytes."),
    ] = False,
    style: shared.StyleOption = None,
    prefix: shared.PrefixOption = None,
    include: shared.IncludeOption = None,
    avoid: shared.AvoidOption = None,
    groups: shared.GroupsOption = None,
    temperature: shared.TemperatureOption = None,
    top_k: shared.TopKOption = None,
    top_p: shared.TopPOption = None,
    seed: shared.SeedOption = None,
    start: shared.OldStartOption = None,
    suffix: shared.OldSuffixOption = None,
    attention: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Put a picture here of where each word looked."),
    ] = None,
    existing: Annotated[
        bool | None,
        typer.Option(
            "--overwrite/--skip-existing",
            help="What has a caption gets a new one, or keeps it. At photos: kept, unless said.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was interrupted.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first photo that fails.")
    ] = False,
    model: shared.ModelOption = None,
    batch_size: shared.BatchSizeOption = 16,
    device: shared.DeviceOption = None,
    runtime: shared.RuntimeOption = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            metavar="ENGINE",
            help="local: this machine alone; ray: a Ray cluster, parts into a folder.",
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Ray: the cluster's; else one is started here."),
    ] = None,
    min_workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Ray: workers at least; 1, if not said.")
    ] = None,
    max_workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Ray: workers at most; as many as fit, if not said."),
    ] = None,
    part_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Ray: photos in a part; 1024, if not said."),
    ] = None,
) -> None:
    """Caption photos: a row for each, in order.

    INPUT is a photo, a folder, a pattern ("a/**/*.jpg"), a ZIP or tar archive, a table (CSV, JSON,
    Parquet, Arrow), a list of paths (.txt, or - for standard input), or an address (https://,
    s3://, gs://).

    A photo that cannot be read is named on standard error, the others are still captioned, and
    the exit code at the end is 1. With --output a run outlasts anything: --resume continues it.
    """
    from captioner.batch import choices
    from captioner.batch.job import Job, run
    from captioner.batch.run import Wording
    from captioner.images import MAX_PIXELS, Allowed

    given = context.params
    on_ray = engine == "ray"
    chosen: str = format or ("text" if on_ray else checks.format_of(output))
    checks.check_options_of(chosen, on_ray, given)
    names = choices.chosen_fields(fields)
    sentences = top or (3 if "alternatives" in names else 1)
    columns = choices.row_columns(chosen, output, names, rename, keep, sentences)
    search = shared.options(given, sentences)
    checks.check_output(output, chosen, resume, existing is False)
    if output is not None:
        check_inputs(inputs, output)
    if attention is not None and resume:
        raise typer.BadParameter("--attention is for a look at some photos: not with --resume.")
    if fields and existing is False:
        checks.check_kept(names, chosen)
    checks.check_columns(columns)
    job = Job(
        inputs=tuple(inputs),
        load=lambda: shared.load_model(model, device, runtime),
        model=model_name(model),
        options=search,
        batch_size=batch_size,
        format=chosen,
        output=output,
        columns=columns,
        excel=excel,
        column=column,
        exclude=tuple(exclude or ()),
        annotations=annotations,
        sidecar_name=sidecar_name or "photo.jpg.xmp",
        extension=choices.sidecar_extension(extension),
        append=append,
        min_confidence=min_confidence or 0.0,
        allowed=Allowed(pixels=max_pixels or MAX_PIXELS, truncated=allow_truncated),
        wording=Wording(before, after, lower, full_stop),
        resume=resume,
        overwrite=existing is True,
        keep=existing is False,
        fail_fast=fail_fast,
        attention=attention,
    )
    if not on_ray:
        raise typer.Exit(run(job))
    checks.check_ray(job, min_workers, max_workers)
    from captioner.batch.ray_engine import Cluster, run_on_ray

    of_ray = {name: given[name] for name in checks.OF_RAY if given[name] is not None}
    raise typer.Exit(run_on_ray(job, Cluster(device=device, **of_ray)))


def model_name(model: Path | None) -> str:
    """The id of the model in that file, or of the built-in one: the file's name and the start of
    its SHA-256, the same for the same weights."""
    from captioner.batch.fields import sha256

    path = EMBEDDED if model is None else model
    try:
        return f"{path.stem}@{sha256(str(path))[:12]}"
    except OSError:
        return path.stem  # loading it says what is wrong
