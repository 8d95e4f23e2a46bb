"""Rewards beside CIDEr-D, by which two of the three runs were made whose mean ships.

    python -m experiments.rewards train configs/self_critical.json --meteor 3 --worn-file worn.json
    python -m experiments.rewards mean START RUN:0.25 RUN:0.25 --output MODEL

`train` is a stage of `captioner train` with those rewards (`experiments.worn` finds what is worn),
and `mean` adds shares of what runs have changed to the weights that they began with.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
import typer
from nltk.stem.porter import PorterStemmer
from torch import Tensor

from captioner import checkpoint
from captioner.model.model import Model
from captioner.search import SearchOptions
from captioner.training.loop import Trainer
from captioner.training.objectives import Loss, SelfCritical
from captioner.training.output import check_output
from captioner.training.processes import together
from captioner.training.recipe import read_recipe
from captioner.training.stage import Stage
from experiments.worn import Phrase, phrases

Words = Sequence[int]
FUNCTION_WORDS = """a an the of to and in on at with is are was were be being been by for from as
that this its it his her their he she they them there some one other up out over under into near
next while who which has have having or not"""
command = typer.Typer(pretty_exceptions_enable=False, help=__doc__)


class Meteor:
    """METEOR without synonyms and paraphrases: exact words, then stems; English weights of
    Denkowski and Lavie 2014 (https://aclanthology.org/W14-3348)."""

    ALPHA, BETA, GAMMA, STEM, FUNCTION = 0.85, 0.2, 0.6, 0.6, 0.25

    def __init__(self, vocabulary: Sequence[str]) -> None:
        stemmer = PorterStemmer()
        self.stems = [stemmer.stem(word) for word in vocabulary]
        functions = set(FUNCTION_WORDS.split())
        self.weights = [self.FUNCTION if w in functions else 0.75 for w in vocabulary]

    def __call__(self, words: Words, references: Iterable[Words]) -> float:
        """0…1, of the reference that fits best."""
        return max(self._score(words, reference) for reference in references)

    def _aligned(self, words: Words, reference: Words) -> dict[int, tuple[int, float]]:
        """Of each matched word's place the place in the reference, and how much the match counts;
        where there is a choice, the word after the last match."""
        matches: dict[int, tuple[int, float]] = {}
        free = dict.fromkeys(range(len(reference)))
        last = -2
        for i, word in enumerate(words):
            same = [j for j in free if reference[j] == word]
            if same:
                last = last + 1 if last + 1 in same else same[0]
                matches[i] = last, 1.0
                del free[last]
        for i, word in enumerate(words):
            alike = [j for j in free if self.stems[reference[j]] == self.stems[word]]
            if i not in matches and alike:
                matches[i] = alike[0], self.STEM
                del free[alike[0]]
        return dict(sorted(matches.items()))

    def _score(self, words: Words, reference: Words) -> float:
        matches = self._aligned(words, reference)
        if not matches:
            return 0.0
        heard = sum(share * self.weights[words[i]] for i, (_, share) in matches.items())
        told = sum(share * self.weights[reference[j]] for j, share in matches.values())
        precision = heard / sum(self.weights[w] for w in words)
        recall = told / sum(self.weights[w] for w in reference)
        mean = precision * recall / (self.ALPHA * precision + (1 - self.ALPHA) * recall)
        places = [(i, j) for i, (j, _) in matches.items()]
        steps = pairwise(places)
        chunks = 1 + sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in steps)
        if chunks == 1 and len(matches) == len(words) == len(reference):
            return mean
        return mean * (1 - self.GAMMA * (chunks / len(matches)) ** self.BETA)


def bleu(words: Words, references: Sequence[Words]) -> float:
    """BLEU-4 of one sentence (Papineni et al. 2002), half a match added to those of two words and
    more, that one without any is not as good as none."""
    total = 0.0
    for n in range(1, 5):
        own = Counter(zip(*(words[i:] for i in range(n)), strict=False))
        most: Counter[Phrase] = Counter()
        for reference in references:
            most |= Counter(zip(*(reference[i:] for i in range(n)), strict=False))
        correct, half = (own & most).total(), 0.5 * (n > 1)
        if n == 1 and not correct:
            return 0.0
        guessed = own.total()
        total += math.log((correct + half) / (guessed + half)) if guessed else math.log(0.5)
    closest = min((abs(len(r) - len(words)), len(r)) for r in references)[1]
    return math.exp(total / 4 + min(0.0, 1 - closest / len(words)))


@dataclass(frozen=True)
class Prices:
    """What a sentence gains for METEOR and BLEU-4 (0…1) beside CIDEr-D (0…10), and loses for each
    nat of worn phrases that no reference has. `over` is how much of the photo before at most is
    laid over each: a decoder should learn from photos that it is not too sure of."""

    meteor: float = 0.0
    bleu: float = 0.0
    worn: float = 0.0
    over: float = 0.0


class Rewarded(SelfCritical):
    """Self-critical training with those prices."""

    def __init__(self, stage: Stage, prices: Prices, worn: Mapping[Phrase, float]) -> None:
        vocabulary = stage.model.vocabulary
        references = stage.captions.ids[: stage.captioned]
        silent = [vocabulary.ids[","]] if "," in vocabulary.ids else []
        super().__init__(references, silent, vocabulary.end, stage.config.workers)
        self.prices, self.worn = prices, worn
        self.spoken = [[self._spoken(r) for r in photo] for photo in references]
        self.meteor = Meteor(vocabulary.words)

    def _score(self, photo: int, rows: Sequence[Words]) -> list[float]:
        prices, gained = self.prices, super()._score(photo, rows)
        known = self.spoken[photo]
        said = {phrase for reference in known for phrase in phrases(reference)}
        for place, row in enumerate(rows):
            words = [word for word in self._spoken(row) if word != self.end]
            if words:
                gained[place] += prices.meteor * self.meteor(words, known)
                gained[place] += prices.bleu * bleu(words, known)
                worn = (self.worn.get(p, 0.0) for p in phrases(words) if p not in said)
                gained[place] -= prices.worn * sum(worn)
        return gained

    def __call__(
        self, model: Model, grid: Tensor, starts: Tensor, photos: Sequence[int],
        options: SearchOptions, samples: int,
    ) -> Loss:  # fmt: skip
        shares = torch.rand(len(grid), 1, 1, device=grid.device) * self.prices.over
        mixed = grid.lerp(grid.roll(1, 0), shares)
        return super().__call__(model, mixed, starts, photos, options, samples)


@command.command("train")
def train_rewarded(
    recipe: Path,
    meteor: float = 0.0,
    bleu: float = 0.0,
    worn: float = 0.15,
    over: float = 0.4,
    worn_file: Annotated[Path | None, typer.Option()] = None,
    set_: Annotated[list[str] | None, typer.Option("--set")] = None,
) -> None:
    """Train a stage, whose objective is self_critical, with these rewards too."""
    told: dict[str, float] = json.loads(worn_file.read_text()) if worn_file else {}
    read = read_recipe(recipe, set_ or [])
    with together(read.training.device) as share:
        check_output(read.training.output, resume=False, overwrite=False)
        stage = Stage(read, share)
        encode, prices = stage.model.vocabulary.encode, Prices(meteor, bleu, worn, over)
        nats: dict[Phrase, float] = {tuple(encode(p.split())): n for p, n in told.items()}
        stage.reward = Rewarded(stage, prices, nats)
        try:
            typer.echo(Trainer(stage, read.training, share).run(resume=False))
        finally:
            stage.close()


@command.command("mean")
def add_shares(start: Path, runs: list[str], output: Annotated[Path, typer.Option()]) -> None:
    """Write the weights of START with shares of what runs from there have changed: RUN:SHARE."""
    weights, notes = checkpoint.read(start)
    mixed = {name: weight.float() for name, weight in weights.items()}
    for run in runs:
        file, _, share = run.rpartition(":")
        changed, _ = checkpoint.read(Path(file))
        for name in mixed:
            if name.startswith("decoder."):
                mixed[name] += float(share) * (changed[name].float() - weights[name].float())
    mixed = {name: weight.to(weights[name].dtype) for name, weight in mixed.items()}
    checkpoint.write(output, mixed, notes)


if __name__ == "__main__":
    command()
