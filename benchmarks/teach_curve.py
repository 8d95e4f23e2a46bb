"""How many photos it takes to teach: what a taught model writes about photos that it did not learn
from, after lessons of several lengths.

    python benchmarks/teach_curve.py names DATA -o names.csv --photos 20 --photos 50
    python benchmarks/teach_curve.py charts -o charts.csv
    python benchmarks/teach_curve.py german DATA -o german.csv
    python benchmarks/teach_curve.py --draw docs/teach.png names.csv charts.csv german.csv

`names` gives dogs, cats and horses of DATA made-up names; `german` writes German sentences by
templates about the labels of DATA's photos; `charts` draws bar charts, of which COCO has none. DATA
holds captions_train.json, captions_val.json, captions_test.json, labels.json and photos/, as
docs/training.md makes them. Half of the held-out photos choose the weights, the others give the
figures. Where the maps of the photos are known (`--maps`), they are not computed again.
"""

from __future__ import annotations

import csv
import json
import random
import re
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from PIL import Image, ImageDraw

from captioner import checkpoint
from captioner.captioner import Captioner
from captioner.datasets.captions import read_references
from captioner.engines.torch import TorchEngine
from captioner.evaluation.bootstrap import interval, sampled_means
from captioner.files import whole_file
from captioner.teaching.lesson import Learner, Lesson
from captioner.teaching.run import find_stand_ins
from captioner.teaching.verdict import Cider, spoken
from captioner.teaching.words import enlarged, grow
from captioner.training.data import Example, PhotoFiles
from captioner.training.photos import CachedPhotos
from captioner.training.validate import write

Told = list[tuple[str, tuple[str, ...]]]  # photos by name, and what is said of each
NAMES = {"dog": "Rex", "cat": "Minka", "horse": "Sultan"}
HELD = 160
COLOURS = ("red", "green", "blue", "orange", "purple")
GERMAN = {
    "person": "eine Person", "dog": "ein Hund", "cat": "eine Katze", "horse": "ein Pferd",
    "car": "ein Auto", "bus": "ein Bus", "truck": "ein Lastwagen", "bicycle": "ein Fahrrad",
    "motorcycle": "ein Motorrad", "bench": "eine Bank", "bird": "ein Vogel", "cow": "eine Kuh",
    "sheep": "ein Schaf", "frisbee": "eine Frisbeescheibe", "couch": "ein Sofa", "bed": "ein Bett",
    "chair": "ein Stuhl", "dining table": "ein Tisch", "tv": "ein Fernseher", "boat": "ein Boot",
    "laptop": "ein Rechner", "book": "ein Buch", "bottle": "eine Flasche", "cup": "eine Tasse",
    "umbrella": "ein Regenschirm", "backpack": "ein Rucksack", "suitcase": "ein Koffer",
    "keyboard": "eine Tastatur", "sports ball": "ein Ball", "potted plant": "eine Pflanze",
}  # fmt: skip
SENTENCES = ("Hier sieht man {}.", "Auf dem Bild: {}.", "{} auf einem Foto.")


def named(caption: str) -> str:
    """The caption with made-up names in place of the animals."""
    for animal, name in NAMES.items():
        known = rf"\b(?:a|an|the|his|her|their)\s+(?:[\w-]+\s+){{0,2}}?{animal}\b"
        caption = re.sub(rf"{known}|\b{animal}\b", name, caption, flags=re.I)
    return caption


def of_animals(data: Path) -> tuple[Told, Told]:
    """Photos of which most captions name one of the animals: to learn from, with one caption, and
    held out, with all."""

    def read(split: str) -> Told:
        photos = read_references(data / f"captions_{split}.json")
        counts = [
            (p, max(sum(bool(re.search(rf"\b{a}s?\b", c.lower())) for c in p.captions)
                    for a in NAMES))
            for p in photos
        ]  # fmt: skip
        return [(p.file_name, p.captions) for p, n in counts if n >= min(3, len(p.captions))]

    rng, learnt, held = random.Random(0), read("train"), [*read("val"), *read("test")]
    rng.shuffle(learnt)
    rng.shuffle(held)
    return (
        [(name, (named(captions[0]),)) for name, captions in learnt],
        [(name, tuple(map(named, captions))) for name, captions in held[:HELD]],
    )


def in_german(data: Path) -> tuple[Told, Told]:
    """The same photos where they have labels: three sentences on up to three things in each."""
    labels = json.loads((data / "labels.json").read_text())

    def told(photos: Told) -> Told:
        found = []
        for name, _ in photos:
            known = labels.get(str(int(re.sub(r"\D", "", Path(name).stem) or -1)), [])
            things = [GERMAN[label] for label in known if label in GERMAN][:3]
            if name.startswith("coco/") and things:
                listed = " und ".join(filter(None, [", ".join(things[:-1]), things[-1]]))
                found.append((name, tuple(s.format(listed) for s in SENTENCES)))
        return found

    learnt, _ = of_animals(data)
    photos = told(learnt)
    return photos[: -len(photos) // 5], photos[-len(photos) // 5 :]


def of_charts(folder: Path) -> tuple[Told, Told]:
    """Bar charts drawn into `folder`, each with the same caption in two manners."""
    told: Told = []
    rng = random.Random(0)
    for number in range(220):
        bars, tall, colour = rng.randint(2, 6), rng.randrange(6), rng.choice(COLOURS)
        image = Image.new("RGB", (288, 288), "white")
        draw = ImageDraw.Draw(image)
        heights = [rng.randint(30, 150) for _ in range(bars)]
        heights[tall % bars] = 240
        for place, height in enumerate(heights):
            left = 20 + place * 250 // bars
            draw.rectangle((left, 270 - height, left + 180 // bars, 270), fill=colour)
        draw.line((10, 10, 10, 270, 280, 270), fill="black", width=3)
        image.save(folder / f"{number}.png")
        where = ("left", "middle", "right")[3 * (tall % bars) // bars]
        many = ("two", "three", "four", "five", "six")[bars - 2]
        told.append((f"{number}.png", (
            f"A barchart of {many} {colour} bars, the highest on the {where}.",
            f"{many} {colour} bars in a barchart, the highest is on the {where}.",
        )))  # fmt: skip
    return told[:200], told[200:]


class Curve:
    """Lessons of several lengths on the same photos."""

    def __init__(self, learnt: Told, held: Told, files: PhotoFiles, maps: Path) -> None:
        self.learnt, self.files, self.maps = learnt, files, maps
        self.watched, self.judged = held[::2], held[1::2]
        self.start = checkpoint.load(checkpoint.EMBEDDED)
        self.seen, self.looked = self._photos(self.watched), self._photos(learnt)
        self.before = self._written(self.start, self.start.vocabulary.styles[0])

    def _photos(self, told: Told) -> CachedPhotos:
        return CachedPhotos(self.start.encoder, self.files, _examples(told), self.maps, grids=True)

    def lesson(self, count: int) -> dict[str, Any]:
        """What comes of the first `count` photos."""
        told = self.learnt[:count]
        growth = grow([c for _, captions in told for c in captions], self.start.vocabulary, 2)
        examples = [
            Example(name, "mine", tuple(map(growth.tokens, captions)), captions)
            for name, captions in told
        ]
        captions = [caption for example in examples for caption in example.captions]
        model = enlarged(self.start, growth, "mine", captions, count)
        find_stand_ins(model, growth, examples, self.looked)
        cider, by = (
            Cider([c for _, c in told], [c for _, c in held])
            for held in (self.judged, self.watched)
        )
        watched = _examples(self.watched)

        def score(taught: Any) -> float:
            return float(by.scores(write(taught, self.seen, watched, bf16=False)).mean())

        began = time.process_time()
        learnt = Learner(model, self.looked, examples, Lesson()).learn(score)
        seconds = time.process_time() - began
        after = self._written(model, "mine")
        found: dict[str, Any] = {
            "photos": count,
            "best step": learnt.best,
            "seconds": round(seconds),
        }
        for name, written in (("before", self.before), ("after", after)):
            scores = cider.scores(written)
            low, high = interval(sampled_means(scores))
            found |= {name: round(float(scores.mean()), 3)}
            found |= {f"{name} low": round(low, 3), f"{name} high": round(high, 3)}
        found["new words said"] = self._said(growth.new, after)
        return found

    def _written(self, model: Any, style: str) -> list[str]:
        """As `caption` tells them: the beam is ranked as for a user."""
        captioner = Captioner(TorchEngine(model, device="cpu", dtype="float32"))
        pictures = (self.files.read(n, self.start.config.encoder.pixels) for n, _ in self.judged)
        return [caption.text for caption in captioner.caption_many(pictures, style=style)]

    def _said(self, new: Collection[str], written: Sequence[str]) -> float:
        names = {word.lower() for word in new}
        wanted = said = 0
        for (_, captions), text in zip(self.judged, written, strict=True):
            own = {w for c in captions for w in spoken(c)} & names
            wanted += len(own)
            said += len(own & set(spoken(text)))
        return round(said / max(1, wanted), 3)


def _examples(told: Told) -> list[Example]:
    return [
        Example(name, "mine", tuple(tuple(spoken(c)) for c in said), said) for name, said in told
    ]


def draw(files: Sequence[Path], picture: Path) -> None:
    """A figure of what several runs have written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    sizes: set[float] = set()
    for file in files:
        rows = list(csv.DictReader(file.open()))
        x, y, low, high = (
            [float(row[name]) for row in rows]
            for name in ("photos", "after", "after low", "after high")
        )
        sizes |= {*x}
        [line] = axis.plot(x, y, marker="o", label=file.stem)
        axis.fill_between(x, low, high, color=line.get_color(), alpha=0.2)
        axis.axhline(float(rows[0]["before"]), color=line.get_color(), linestyle=":")
    axis.set(xscale="log")
    axis.set_xticks(sorted(sizes), [f"{size:,.0f}" for size in sorted(sizes)])
    axis.minorticks_off()
    axis.set(xlabel="photos to learn from", ylabel="CIDEr on held-out photos")
    axis.legend(title="dotted: before", frameon=False)
    figure.savefig(picture, dpi=120)


def main(
    task: Annotated[str, typer.Argument(help="names, charts or german; with --draw a CSV.")],
    data: Annotated[list[Path] | None, typer.Argument(help="DATA; with --draw more CSVs.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("curve.csv"),
    photos: Annotated[list[int] | None, typer.Option(help="How many to learn from.")] = None,
    maps: Annotated[Path | None, typer.Option(help="A folder for the photos' maps.")] = None,
    draw_into: Annotated[Path | None, typer.Option("--draw", metavar="PICTURE")] = None,
) -> None:
    if draw_into:
        draw([Path(task), *(data or [])], draw_into)
        return
    torch.set_num_threads(1)
    sizes = photos or [20, 50, 200, 1000]
    with tempfile.TemporaryDirectory() as room:
        if task == "charts":
            (learnt, held), places = of_charts(Path(room)), [Path(room)]
        else:
            [folder] = data or []
            learnt, held = of_animals(folder) if task == "names" else in_german(folder)
            places = [folder / "photos"]
        most = min(max(sizes), len(learnt))
        curve = Curve(learnt[:most], held, PhotoFiles(places), maps or Path(room) / "maps")
        rows = []
        for count in sorted({min(size, most) for size in sizes}):
            rows.append(curve.lesson(count))
            typer.echo(json.dumps(rows[-1]))
            with whole_file(output, "w", newline="") as file:
                table = csv.DictWriter(file, rows[0], lineterminator="\n")
                table.writeheader()
                table.writerows(rows)


if __name__ == "__main__":
    typer.run(main)
