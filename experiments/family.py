"""The family of decoders, trained alike and compared:

    python -m experiments.family configs/family.json --output docs/family

Every variant sees the same photos in the same order for the same number of steps. What is written:
`family.md` (the table), `family.png` (CIDEr against parameters and against caption length),
`family.csv` (the log) and the checkpoints. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import compare, interval, sampled_means
from captioner.files import unwritable, whole_file
from captioner.training.data import Example, PhotoFiles, read_examples
from captioner.training.loop import train
from captioner.training.output import LAST, RESUME
from captioner.training.photos import CachedPhotos
from captioner.training.recipe import Recipe, read_recipe
from captioner.training.validate import score, write
from captioner.vocabulary import tokenize
from experiments.family_plot import VariantResult, draw_family
from experiments.plot import read_log

# What each variant changes in the recipe, whose own decoder is `attention`.
VARIANTS: dict[str, tuple[str, ...]] = {
    "context": ("decoder.kind=context",),
    "feedback": ("decoder.kind=feedback",),
    "peek": ("decoder.kind=peek",),
    "attention": (),
    "attention_dot": ("decoder.attention=dot",),
    "attention_read": ("decoder.reading=gru",),
    "attention_general": ("decoder.attention=general",),
    "attention_heads": ("decoder.attention=dot", "decoder.heads=4"),
    "attention_hard": ("decoder.hard=true",),
    "attention_gru": ("decoder.cell=gru",),
    "attention_layers": ("decoder.layers=2", "decoder.residual=true"),
    "attention_sampled": ("training.teacher=inverse_sigmoid", "training.teacher_k=150"),
    "attention_doubly": ("training.doubly_stochastic=0.5",),
    "peek_read": ("decoder.kind=peek", "decoder.reading=gru", "decoder.summary=last"),
}
BASE = "attention"
RECIPE = "recipe.json"  # in a run's folder: with what it was trained
Places = Mapping[str, npt.NDArray[np.int64]]


def train_variant(config: Path, name: str, output: Path, changes: Sequence[str]) -> Recipe:
    """Train one variant unless it is trained already; its recipe.

    Raises CaptionerError where another recipe has filled its folder.
    """
    folder = output / name
    settings = [*changes, *VARIANTS[name], f"training.output={folder}"]
    recipe = read_recipe(config, settings)
    if folder.exists():
        _refuse_another(recipe, folder)
    else:
        folder.mkdir(parents=True)
        (folder / RECIPE).write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    if not (folder / LAST).exists():
        train(recipe, resume=(folder / RESUME).exists())
    return recipe


def _refuse_another(recipe: Recipe, folder: Path) -> None:
    file = folder / RECIPE
    if not file.is_file() or file.read_text(encoding="utf-8") != recipe.model_dump_json(indent=1):
        raise CaptionerError(
            f"{folder}: holds a run of another recipe; remove it, or set another training.output"
        )


def judge(recipe: Recipe, name: str, examples: Sequence[Example]) -> VariantResult:
    """Caption the validation photos with a trained variant, and score each caption."""
    folder, data = recipe.training.output, recipe.data
    model = checkpoint.load(folder / LAST)
    photos = CachedPhotos(model.encoder, PhotoFiles(data.photos), examples, data.cache, True)
    captions = write(model, photos, examples, recipe.training.bf16)
    cider = score(examples, captions)
    parameters = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("encoder."))
    log = read_log(folder / "log.csv")
    with (folder / "log.csv").open(newline="") as lines:
        seconds = max(float(row["seconds"] or 0) for row in csv.DictReader(lines))
    size = (folder / LAST).stat().st_size
    return VariantResult(name, parameters, size, seconds, captions, cider, log.training["nll"])


def table(results: Sequence[VariantResult], styles: Places) -> str:
    """A Markdown table: CIDEr of each style's photos (their places) with 95 % intervals, and the
    paired difference to `attention` over all photos."""
    base = next((one for one in results if one.name == BASE), results[0])
    head = ["decoder", "parameters", "MB", *(f"CIDEr, {style}" for style in styles),
            f"all, less {base.name}", "words", "distinct", "minutes"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for one in results:
        cells = [f"`{one.name}`", f"{one.parameters / 1e6:.2f} M", f"{one.bytes / 1e6:.1f}"]
        for places in styles.values():
            values = one.cider[places]
            low, high = interval(sampled_means(values))
            cells.append(f"{values.mean():.3f} ({low:.3f} to {high:.3f})")
        cells.append(_difference(one, base))
        lengths = [len(tokenize(caption)) for caption in one.captions]
        distinct = len(set(one.captions)) / len(one.captions)
        cells += [f"{np.mean(lengths):.1f}", f"{distinct:.0%}", f"{one.seconds / 60:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _difference(one: VariantResult, base: VariantResult) -> str:
    if one is base:
        return "0"
    mean, other = float(one.cider.mean()), float(base.cider.mean())
    found = compare(mean, other, sampled_means(one.cider), sampled_means(base.cider))
    return f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def write_log(results: Sequence[VariantResult], file: Path, every: int = 20) -> None:
    """Nats a word of every variant, each the mean of `every` steps."""
    with whole_file(file, "w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["decoder", "step", "nll"])
        for one in results:
            smooth = one.nll.smoothed(every)
            for i in range(every - 1, len(smooth), every):
                rows.writerow([one.name, one.nll.steps[i], f"{smooth[i]:.4f}"])


def family(
    config: Annotated[Path, typer.Argument(help="The recipe that all variants share.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to fill.")],
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Train and compare only these.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="Change a field of the recipe."),
    ] = None,
) -> None:
    """Train the decoders alike, compare them on the validation photos, and draw the result."""
    names = only or list(VARIANTS)
    for name in names:
        if name not in VARIANTS:
            raise CaptionerError(f"--only {name}: there are {', '.join(VARIANTS)}")
    first = read_recipe(config, changes or [])
    if first.data.val is None:
        raise CaptionerError(f"{config}: data.val is missing: nothing to compare the decoders on")
    runs = first.training.output
    recipes = {name: train_variant(config, name, runs, changes or []) for name in names}
    examples = read_examples(first.data.val, first.data.styles, ("val",))
    results = [judge(recipe, name, examples) for name, recipe in recipes.items()]
    told = np.array([example.style for example in examples])
    styles = {
        style: np.flatnonzero(told == style).astype(np.int64)
        for style in sorted(set(told.tolist()))
    }
    _write_all(results, styles, examples, output)
    typer.echo(f"{output}: the table, the picture and the log of {', '.join(names)}")


def _write_all(
    results: Sequence[VariantResult], styles: Places, examples: Sequence[Example], to: Path
) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(to, error) from None
    with whole_file(to / "family.md", "w") as out:
        out.write(table(results, styles))
    write_log(results, to / "family.csv")
    lengths = np.array([np.mean([len(c) for c in example.captions]) for example in examples])
    draw_family(results, lengths, to / "family.png")


if __name__ == "__main__":
    try:
        typer.run(family)
    except CaptionerError as problem:
        sys.exit(f"family: {problem}")
