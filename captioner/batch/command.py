"""The command `captioner caption`: from one photo to a folder of a million."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captioner.assets import EMBEDDED
from captioner.batch import checks
from captioner.batch import options as own
from captioner.cli import options as shared


def caption(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", hidden=True)],
    format: own.FormatOption = None,
    output: own.OutputOption = None,
    fields: own.FieldsOption = None,
    rename: own.RenameOption = None,
    keep: own.KeepOption = None,
    excel: own.ExcelOption = False,
    annotations: own.AnnotationsOption = None,
    extension: own.ExtensionOption = None,
    append: own.AppendOption = False,
    sidecar_name: own.SidecarNameOption = None,
    column: own.ColumnOption = None,
    exclude: own.ExcludeOption = None,
    before: shared.BeforeOption = "",
    after: shared.AfterOption = "",
    lower: own.LowerOption = False,
    full_stop: own.FullStopOption = True,
    min_words: shared.MinWordsOption = None,
    max_words: shared.MaxWordsOption = None,
    beam: shared.BeamOption = None,
    length_penalty: shared.LengthPenaltyOption = None,
    consensus: shared.ConsensusOption = None,
    top: own.TopOption = None,
    min_confidence: own.MinConfidenceOption = None,
    max_pixels: own.MaxPixelsOption = None,
    allow_truncated: own.TruncatedOption = False,
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
    attention: own.AttentionOption = None,
    existing: own.ExistingOption = None,
    resume: own.ResumeOption = False,
    fail_fast: own.FailFastOption = False,
    model: shared.ModelOption = None,
    batch_size: shared.BatchSizeOption = 16,
    device: shared.DeviceOption = None,
    runtime: shared.RuntimeOption = None,
    engine: own.EngineOption = "local",
    address: own.AddressOption = None,
    min_workers: own.MinWorkersOption = None,
    max_workers: own.MaxWorkersOption = None,
    part_size: own.PartSizeOption = None,
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
    checks.check_options_of(chosen, given)
    checks.check_options_of_ray(on_ray, given)
    names = choices.chosen_fields(fields)
    sentences = top or (3 if "alternatives" in names else 1)
    columns = choices.row_columns(chosen, output, names, rename, keep, sentences)
    search = shared.options(given, sentences)
    checks.check_output(output, chosen, resume, existing is False)
    checks.check_inputs(inputs, output)
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
    """The id of the model in that file, or of the built-in one."""
    from captioner.batch.fields import model_id

    path = EMBEDDED if model is None else model
    try:
        return model_id(path)
    except OSError:
        return path.stem  # loading it says what is wrong
