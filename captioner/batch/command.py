"""The command `captioner caption`: from one photo to a folder of a million."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from captioner.assets import EMBEDDED
from captioner.batch.checks import (
    check_columns,
    check_inputs,
    check_kept,
    check_metadata,
    check_options_of,
    check_output,
    check_ray,
    format_of,
)
from captioner.batch.choices import row_choices, sidecar_extension
from captioner.batch.options import (
    AddressOption,
    AnnotationsOption,
    AppendOption,
    AttentionOption,
    ColumnOption,
    EngineOption,
    ExcelOption,
    ExcludeOption,
    ExistingOption,
    ExtensionOption,
    FailFastOption,
    FieldsOption,
    FormatOption,
    FullStopOption,
    KeepOption,
    LowerOption,
    MaxPixelsOption,
    MaxWorkersOption,
    MinConfidenceOption,
    MinWorkersOption,
    OutputOption,
    PartSizeOption,
    RenameOption,
    ResumeOption,
    SidecarNameOption,
    TopOption,
    TruncatedOption,
)
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
    RuntimeOption,
    SeedOption,
    StyleOption,
    TemperatureOption,
    TopKOption,
    TopPOption,
    listed,
    load_model,
    options,
)


def caption(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", hidden=True)],
    format: FormatOption = None,
    output: OutputOption = None,
    fields: FieldsOption = None,
    rename: RenameOption = None,
    keep: KeepOption = None,
    excel: ExcelOption = False,
    annotations: AnnotationsOption = None,
    extension: ExtensionOption = None,
    append: AppendOption = False,
    sidecar_name: SidecarNameOption = None,
    column: ColumnOption = None,
    exclude: ExcludeOption = None,
    before: BeforeOption = "",
    after: AfterOption = "",
    lower: LowerOption = False,
    full_stop: FullStopOption = True,
    min_words: MinWordsOption = None,
    max_words: MaxWordsOption = None,
    beam: BeamOption = None,
    length_penalty: LengthPenaltyOption = None,
    consensus: ConsensusOption = None,
    top: TopOption = None,
    min_confidence: MinConfidenceOption = None,
    max_pixels: MaxPixelsOption = None,
    allow_truncated: TruncatedOption = False,
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
    attention: AttentionOption = None,
    existing: ExistingOption = None,
    resume: ResumeOption = False,
    fail_fast: FailFastOption = False,
    model: ModelOption = None,
    batch_size: BatchSizeOption = 16,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    min_workers: MinWorkersOption = None,
    max_workers: MaxWorkersOption = None,
    part_size: PartSizeOption = None,
) -> None:
    """Caption photos: a row for each, in order.

    INPUT is a photo, a folder, a pattern ("a/**/*.jpg"), a ZIP or tar archive, a table (CSV, JSON,
    Parquet, Arrow), a list of paths (.txt, or - for standard input), or an address (https://,
    s3://, gs://).

    A photo that cannot be read is named on standard error, the others are still captioned, and
    the exit code at the end is 1. With --output a run outlasts anything: --resume continues it.
    """
    from captioner.batch.formats import FORMATS
    from captioner.batch.job import Job, row_columns, run
    from captioner.batch.places import SIDECAR_NAMES
    from captioner.batch.run import Wording
    from captioner.images import MAX_PIXELS, Allowed

    on_ray = engine == "ray"
    format = format or ("text" if on_ray else format_of(output))
    check_options_of(
        format,
        annotations=annotations,
        append=append,
        excel=excel,
        extension=extension,
        fields=fields,
        keep=keep,
        rename=rename,
        sidecar_name=sidecar_name,
    )
    rows = row_choices(format, output, fields, rename, keep, top)
    top = rows.sentences
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
    if fields and existing is False:
        check_kept(rows.fields or (), format)
    if rows.folder is not None:
        check_metadata(output, resume, existing)
    job = Job(
        inputs=tuple(inputs),
        load=lambda: load_model(model, device, runtime),
        model=model_name(model),
        options=search,
        batch_size=batch_size,
        format=format,
        output=output,
        fields=rows.fields,
        kept=rows.kept,
        renamed=rows.renamed,
        folder=rows.folder,
        excel=excel,
        column=column,
        exclude=tuple(exclude or ()),
        annotations=annotations,
        sidecar_name=sidecar_name or SIDECAR_NAMES[0],
        extension=sidecar_extension(extension),
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
    if format in FORMATS:
        check_columns(row_columns(job))
    workers = {"min_workers": min_workers, "max_workers": max_workers}
    of_ray = _given(address=address, **workers, part_size=part_size)
    if not on_ray:
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


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
