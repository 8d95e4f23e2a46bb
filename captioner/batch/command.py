"""The command `captioner caption`: from one photo to a folder of a million."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from captioner.assets import EMBEDDED
from captioner.batch.checks import ROWS, check_inputs, check_kept, check_output, check_ray
from captioner.cli.options import (
    AfterOption,
    AvoidOption,
    BatchSizeOption,
    BeamOption,
    BeforeOption,
    ConsensusOption,
    DeviceOption,
    GroupsOption,
    IncludeOption,
    LengthPenaltyOption,
    MaxWordsOption,
    MinWordsOption,
    ModelOption,
    OldStartOption,
    OldSuffixOption,
    PrefixOption,
    SeedOption,
    StyleOption,
    TemperatureOption,
    TopKOption,
    TopPOption,
    listed,
    one_of,
    options,
)

ROW = "path, caption, score, words, alternatives, size, bytes, sha256, model, error"
RANKED = ("rank", "score", "caption")  # of several sentences in plain text
FORMAT = (
    "text: path<TAB>caption; jsonl: one JSON object a line; csv; parquet; coco: COCO results;"
    " sidecar: photo.txt beside photo.jpg; xmp: photo.jpg.xmp beside it; embed: in the photo's own"
    " metadata, no pixel changed. Left out: what"
    " --output ends in (.jsonl, .csv, .parquet), else text."
)


def _format(text: str) -> str:
    """What reads --format. The formats are imported only now: `--help` does without."""
    from captioner.batch.formats import FORMATS
    from captioner.batch.places import KINDS

    return one_of(*FORMATS, "coco", *KINDS)(text)


def _sidecar_name(text: str) -> str:
    from captioner.batch.places import SIDECAR_NAMES

    return one_of(*SIDECAR_NAMES)(text)


def _format_of(output: Path | None) -> str:
    ending = output.suffix.lower().removeprefix(".") if output else ""
    return ending if ending in ROWS else "text"


def caption(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", hidden=True)],
    format: Annotated[
        str | None, typer.Option(metavar="FORMAT", parser=_format, help=FORMAT)
    ] = None,
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
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="COCO results: take ids by file name from here."),
    ] = None,
    sidecar_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=_sidecar_name,
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
    before: BeforeOption = "",
    after: AfterOption = "",
    min_words: MinWordsOption = None,
    max_words: MaxWordsOption = None,
    beam: BeamOption = None,
    length_penalty: LengthPenaltyOption = None,
    consensus: ConsensusOption = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The N best sentences a photo.")
    ] = None,
    style: StyleOption = None,
    prefix: PrefixOption = None,
    include: IncludeOption = None,
    avoid: AvoidOption = None,
    groups: GroupsOption = None,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    seed: SeedOption = None,
    start: OldStartOption = None,
    suffix: OldSuffixOption = None,
    attention: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Put a picture here of where each word looked."),
    ] = None,
    existing: Annotated[
        bool | None,
        typer.Option(
            "--overwrite/--skip-existing",
            help="What has a caption gets a new one, or keeps it. Sidecars: kept, unless said.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was interrupted.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first photo that fails.")
    ] = False,
    model: ModelOption = None,
    batch_size: BatchSizeOption = 16,
    device: DeviceOption = "cpu",
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            parser=one_of("local", "ray"),
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

    INPUT is a photo, a folder, a pattern ("a/**/*.jpg"), a ZIP or tar archive, a table (CSV, JSON
    lines, Parquet), a list of paths (.txt, or - for standard input), or an address (https://,
    s3://, gs://).

    A photo that cannot be read is named on standard error, the others are still captioned, and
    the exit code at the end is 1. With --output a run outlasts anything: --resume continues it.
    """
    from captioner.batch.job import Job, run
    from captioner.batch.places import SIDECAR_NAMES

    format = format or _format_of(output)
    names = _fields(fields)
    if top is None:
        top = 3 if names and "alternatives" in names else 1
    search = options(
        model,
        top,
        beam=beam,
        length_penalty=length_penalty,
        consensus=consensus,
        style=style,
        min_words=min_words,
        max_words=max_words,
        prefix=prefix,
        include=listed(include),
        avoid=listed(avoid),
        groups=groups,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )
    check_output(output, format, resume, existing is False)
    check_inputs(inputs, output)
    if attention is not None and resume:
        raise typer.BadParameter("--attention is for a look at some photos: not with --resume.")
    if names is not None and format in ("coco", "sidecar", "xmp", "embed"):
        raise typer.BadParameter(f"--format {format} has fields of its own; leave out --fields.")
    if annotations is not None and format != "coco":
        raise typer.BadParameter("--annotations is for --format coco.")
    if sidecar_name is not None and format != "xmp":
        raise typer.BadParameter("--sidecar-name is for --format xmp.")
    if names is not None and existing is False:
        check_kept(names, format)
    if names is None and format == "text" and top > 1:
        names = RANKED
    job = Job(
        inputs=tuple(inputs),
        load=lambda: load_model(model, device),
        model=model_name(model),
        options=search,
        batch_size=batch_size,
        format=format,
        output=output,
        fields=names,
        column=column,
        exclude=tuple(exclude or ()),
        annotations=annotations,
        sidecar_name=sidecar_name or SIDECAR_NAMES[0],
        before=before,
        after=after,
        resume=resume,
        overwrite=existing is True,
        keep=existing is False,
        fail_fast=fail_fast,
        attention=attention,
    )
    workers = {"min_workers": min_workers, "max_workers": max_workers}
    of_ray = _given(address=address, **workers, part_size=part_size)
    if engine == "local":
        for name in of_ray:
            raise typer.BadParameter(f"--{name.replace('_', '-')} is for --engine ray.")
        raise typer.Exit(run(job))
    check_ray(job, **workers)
    from captioner.batch.ray_engine import Cluster, run_on_ray

    raise typer.Exit(run_on_ray(job, Cluster(device=device, **of_ray)))


def model_name(model: Path | None) -> str:
    """The id of the model in that file, or of the built-in one."""
    from captioner.batch.fields import model_id

    path = EMBEDDED if model is None else model
    try:
        return model_id(path)
    except OSError:
        return path.stem  # loading it says what is wrong


def load_model(model: Path | None, device: str) -> Any:
    """The captioner in that file, or the built-in one."""
    from captioner.captioner import load

    return load(model, device=device)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _fields(text: str | None) -> tuple[str, ...] | None:
    from captioner.batch.fields import FIELDS

    if text is None:
        return None
    names = tuple(map(str.strip, text.strip(", ").split(",")))
    for name in names:
        if name not in FIELDS:
            raise typer.BadParameter(
                f"--fields: there is no field {name!r}; choose from {', '.join(FIELDS)}."
            )
    return tuple(dict.fromkeys(names))
