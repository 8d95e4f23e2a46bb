"""Worn phrases: those that a model takes up far oftener than people do.

    python -m experiments.worn find MODEL captions_train.json photos/ worn.json --of unlabelled.json
    python -m experiments.worn price MODEL captions_train.json photos/ "group of people" …

`find` lists them, for rewards (`experiments.rewards`). `price` finds what some must cost in the
search (`captioner.search.worn`) to come at most as often as in people's captions, or `--aim` times
as often, and writes it into the checkpoint. The photos are any that neither choose nor judge a
model, all in a folder or the first of a list (`--of`); what people wrote of them is not looked at.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import captioner
from captioner import checkpoint
from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from captioner.training.data import read_examples

Phrase = tuple[int | str, ...]
WORN = 1.5  # times people's share above which a phrase is worn, as in the model's bars
SELDOM = 8  # of a model's captions: rarer phrases are not judged
AIM, SPARE = 1.0, 0.5  # times people's share, to which prices bring a phrase; of that, at least
STEP = 0.4
ROUNDS = 10
MOST = 2_500  # photos of a list
OTHER = ""  # style, source
List = Annotated[Path | None, typer.Option("--of", help="A captions file that lists the photos.")]
Most = Annotated[int, typer.Option(help="Photos of that list.")]
command = typer.Typer(pretty_exceptions_enable=False, help=__doc__)


def phrases(words: Sequence[int] | Sequence[str]) -> Iterator[Phrase]:
    """All sequences of three to five words."""
    for n in (3, 4, 5):
        yield from zip(*(words[i:] for i in range(n)), strict=False)


def spoken(words: Sequence[str]) -> list[str]:
    """A sentence without its commas."""
    return [word for word in words if word != ","]


def people(captions: Path, style: str) -> Iterator[list[str]]:
    """The captions that people wrote in this style."""
    told = any(photo.source for photo in read_references(captions))  # of which style each is
    for example in read_examples(captions, (OTHER, style), ("train",)):
        if example.style == style or not told:
            yield from (spoken(words) for words in example.captions)


def listed(photos: Path, of: Path | None, style: str, most: int) -> list[Path]:
    """The photos of a folder, or the first that a list tells of there: of this style, where it says
    of which each is."""
    if of is None:
        return sorted(photos.iterdir())
    told = read_references(of, need_captions=False)
    return [photos / photo.file_name for photo in told if photo.source in (style, OTHER)][:most]


def shares(sentences: Sequence[Sequence[str]], wanted: Sequence[str]) -> dict[str, float]:
    """In what share of the sentences each phrase stands."""
    told = [f" {' '.join(words)} " for words in sentences]
    return {p: sum(f" {p} " in text for text in told) / len(told) for p in wanted}


def repriced(
    prices: Mapping[str, float],
    own: Mapping[str, float],
    allowed: Mapping[str, float],
    too_low: Mapping[str, float],
) -> dict[str, float]:
    """The prices, moved by STEP of the nats by which the `own` shares lie above those `allowed`, or
    below SPARE of them; from there half-way at most to the highest price known to be `too_low`."""
    moved = dict(prices)
    for p, share in own.items():
        if not SPARE * allowed[p] <= share <= allowed[p]:
            moved[p] += STEP * math.log(max(share, allowed[p] / 10) / allowed[p])
        if p in too_low and share < SPARE * allowed[p]:
            moved[p] = max(moved[p], (prices[p] + too_low[p]) / 2)
    return {p: max(0.0, n) for p, n in moved.items()}


@command.command("find")
def find(
    model: Path, captions: Path, photos: Path, output: Path, of: List = None, most: Most = MOST
) -> None:
    """Write how many nats too often the model takes up each worn phrase of COCO's style."""
    loaded = captioner.load(model)
    found = loaded.caption_many(listed(photos, of, "coco", most), style="coco")
    own = [phrases(spoken(caption.words)) for caption in found]
    written = Counter(phrase for sentence in own for phrase in set(sentence))
    theirs, count = Counter[Phrase](), 0
    for words in people(captions, "coco"):
        theirs.update(set(phrases(words)))
        count += 1
    nats = {}
    for phrase, times in written.items():
        share = times / len(own) * count / (theirs[phrase] + 3)
        if times >= SELDOM and share > WORN:
            nats[" ".join(map(str, phrase))] = math.log(share / WORN)
    output.write_text(json.dumps(nats, indent=0) + "\n")


@command.command("price")
def price(
    model: Path,
    captions: Path,
    photos: Path,
    worn: list[str],
    style: Annotated[str, typer.Option()] = "coco",
    aim: Annotated[float, typer.Option(help="Times people's share.")] = AIM,
    of: List = None,
    most: Most = MOST,
    also: Annotated[list[str] | None, typer.Option(help="A style that takes them over.")] = None,
) -> None:
    """Write into the checkpoint what these phrases cost in a style, beside what it notes of others.
    Graphs beside it are then to be written anew (`captioner export --model MODEL`)."""
    loaded = captioner.load(model)
    for name in (style, *(also or [])):
        loaded.vocabulary.start(name)
    unknown = {w for p in worn for w in p.split()} - {*loaded.vocabulary.words}
    theirs, files = list(people(captions, style)), listed(photos, of, style, most)
    if unknown or not theirs or not files:
        raise CaptionerError(
            f"no words of the model ({unknown}), or no captions or photos ({style})"
        )
    noted = {s: dict(p) for s, p in loaded.engine.notes.worn.items()}
    known = noted.get(style, {})
    allowed = {p: aim * max(s, 1 / len(theirs)) for p, s in shares(theirs, worn).items()}
    better = {p: known.get(p, 0.0) for p in worn}
    too_low: dict[str, float] = {}
    for _ in range(ROUNDS):
        prices = better
        loaded.engine.notes = replace(
            loaded.engine.notes, worn={**noted, style: {**known, **prices}}
        )
        own = shares([spoken(c.words) for c in loaded.caption_many(files, style=style)], worn)
        for p in worn:
            typer.echo(f"{p}: {prices[p]:.2f} nats, {own[p]:.2%} (at most {allowed[p]:.2%})")
        too_low |= {p: n for p, n in prices.items() if own[p] > allowed[p]}
        better = repriced(prices, own, allowed, too_low)
        if better == prices:
            break
    if left := [p for p in worn if own[p] > allowed[p]]:
        typer.echo(f"still too often: {', '.join(left)}; once more goes on from here", err=True)
    rounded = {p: round(n, 2) for p, n in {**known, **prices}.items() if n}
    tensors, notes = checkpoint.read(model)
    noted |= {s: {**noted.get(s, {}), **rounded} for s in also or []} | {style: rounded}
    checkpoint.write(model, tensors, {**notes, "worn": json.dumps(noted)})


if __name__ == "__main__":
    command()
