"""The decoder without photos: sequences in, sequences out, learnt in a minute or two on a CPU.

    python -m experiments.sequences reverse
    python -m experiments.sequences digits --output digits.png

`reverse` writes a sentence backwards; `digits` writes "four hundred and seven" as 4 0 7. Only the
encoder differs from a captioner's: embedded words take the place of regions. Read by a recurrent
net in both directions (`--reading`) they make the model that captioning by attention comes from
(Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473). `--kind` and `--reading` show what each
decoder can and cannot do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from pydantic import ValidationError
from torch import Tensor, nn
from tqdm import tqdm

from captioner.errors import CaptionerError
from captioner.model.config import DecoderConfig, describe
from captioner.model.decoder import Decoder, State
from captioner.search import Hypothesis, SearchOptions, beam_search
from captioner.training.batches import pad
from captioner.training.objectives import Teaching, teach
from captioner.vocabulary import Vocabulary
from experiments.plot import need_matplotlib, save_figure

Pair = tuple[tuple[str, ...], tuple[str, ...]]
LONGEST = 12
HELD_OUT = 300
WORDS = tuple(
    "a the big small red old dog cat man girl runs sits jumps on under near grass road".split()  # noqa: SIM905
)
ONES = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen"  # noqa: SIM905
    " fourteen fifteen sixteen seventeen eighteen nineteen".split()
)
TENS = tuple("twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905


class Task(str, Enum):
    reverse = "reverse"
    digits = "digits"


def reverse(rng: np.random.Generator) -> Pair:
    """A sequence of 2 to 12 words, and the same from its end."""
    words = tuple(WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(2, LONGEST + 1)))
    return words, words[::-1]


def digits(rng: np.random.Generator) -> Pair:
    """A number below a million in English words, and its digits."""
    number = int(10 ** rng.uniform(0, 6))
    return tuple(in_words(number)), tuple(str(number))


def in_words(number: int) -> list[str]:
    """0 … 999,999 as British English says it."""
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10 - 2], *(in_words(number % 10) if number % 10 else [])]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    link = ["and"] if 0 < rest < 100 else []
    return [*in_words(number // size), name, *link, *(in_words(rest) if rest else [])]


class Translator(nn.Module):
    """Words (B, L) → the decoder's state before the first word, as `Model` does with photos."""

    def __init__(self, config: DecoderConfig, source: Vocabulary, target: Vocabulary) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.encoder = nn.Embedding(len(source), config.size)  # words (B, L) → grid (B, L, C)
        self.decoder = Decoder(config, config.size, len(target), attributes=False)

    def start(self, sentences: Sequence[Sequence[str]]) -> State:
        """The state of B sentences of one length."""
        ids = torch.tensor([self.source.encode(sentence) for sentence in sentences])
        return self.decoder.start(self.encoder(ids))

    def translate(self, sentences: Sequence[Sequence[str]]) -> list[Hypothesis]:
        """The sentence of each of B sentences of one length, found greedily."""
        target = self.target
        options = SearchOptions(
            end=target.end, pad=target.pad, beam=1, max_words=2 * LONGEST,
            forbidden=target.never_written,
        )  # fmt: skip
        starts = torch.full((len(sentences),), target.start(target.styles[0]))
        with torch.inference_mode():
            found = beam_search(self.decoder.step, self.start(sentences), starts, options)
        return [hypotheses[0] for hypotheses in found]


def learn(
    task: Callable[[np.random.Generator], Pair],
    config: DecoderConfig,
    steps: int,
    batch: int = 64,
    seed: int = 0,
) -> tuple[Translator, float]:
    """A model trained on a task, and the share of held-out sequences that it gets wholly right."""
    rng = np.random.default_rng(seed)
    held_out = sorted({task(rng) for _ in range(HELD_OUT)}, key=lambda pair: len(pair[0]))
    sources, targets = (Vocabulary(words, ("text",)) for words in _words(task))
    torch.manual_seed(seed)
    model = Translator(config, sources, targets)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98))
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    model.train()
    with tqdm(total=steps, unit="step", disable=None) as bar:
        for pairs in batches(task, set(held_out), steps, batch, rng):
            loss = _loss(model, pairs)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rates.step()
            bar.set_postfix_str(f"{float(loss.detach()):.3f} nats a word", refresh=False)
            bar.update()
    return model, accuracy(model.eval(), held_out)


def _words(task: Callable[[np.random.Generator], Pair]) -> tuple[Sequence[str], Sequence[str]]:
    if task is reverse:
        return WORDS, WORDS
    return (*ONES, *TENS, "hundred", "thousand", "and"), "0123456789"


def batches(
    task: Callable[[np.random.Generator], Pair],
    held_out: set[Pair],
    steps: int,
    batch: int,
    rng: np.random.Generator,
) -> Iterator[list[Pair]]:
    """Batches whose sources have one length, none of them held out."""
    waiting: dict[int, list[Pair]] = {}
    for _ in range(steps):
        while True:
            pair = task(rng)
            if pair in held_out:
                continue
            like = waiting.setdefault(len(pair[0]), [])
            like.append(pair)
            if len(like) == batch:
                yield waiting.pop(len(pair[0]))
                break


def _loss(model: Translator, pairs: Sequence[Pair]) -> Tensor:
    target = model.target
    starts = [target.start("text")] * len(pairs)
    captions = pad(starts, [target.encode(written) for _, written in pairs], target)
    state = model.start([source for source, _ in pairs])
    loss, _ = teach(model.decoder, captions, state, Teaching())
    return loss / captions.count


def accuracy(model: Translator, pairs: Sequence[Pair]) -> float:
    """The share of pairs, sorted by the length of their sources, that come out wholly right."""
    right = 0
    for _, group in groupby(pairs, key=lambda pair: len(pair[0])):
        same = list(group)
        found = [model.target.decode(h.words) for h in model.translate([s for s, _ in same])]
        right += sum(tuple(one) == pair[1] for one, pair in zip(found, same, strict=True))
    return right / len(pairs)


def draw(model: Translator, sentences: Sequence[Sequence[str]], file: Path) -> None:
    """A picture of where the decoder looked for each word it wrote. Raises CaptionerError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(sentences), 4.2), dpi=110, layout="constrained")
    [axes] = figure.subplots(1, len(sentences), squeeze=False)
    for axis, source in zip(axes, sentences, strict=True):
        [found] = model.translate([source])
        axis.imshow(found.attention, cmap="Greys", vmin=0, vmax=1)
        axis.set_xticks(range(len(source)), source, rotation=60, ha="right")
        axis.set_yticks(range(len(found.words)), model.target.decode(found.words))
        axis.set(xlabel="read", ylabel="written")
    save_figure(figure, file)


def main(
    task: Annotated[Task, typer.Argument(help="What to learn.")],
    kind: Annotated[str, typer.Option(help="context, feedback, peek or attention.")] = "attention",
    reading: Annotated[str, typer.Option(help="How the words are read: none, gru, lstm.")] = "gru",
    steps: Annotated[int, typer.Option(min=20, help="Batches of 64 to learn from.")] = 700,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A picture of the attention: .png, .svg.")
    ] = None,
) -> None:
    """Learn a task on sequences, and say how many new ones come out wholly right."""
    summary = "mean" if kind == "attention" or reading == "none" else "last"
    try:
        config = DecoderConfig.model_validate(
            {"kind": kind, "reading": reading, "summary": summary, "size": 64, "hidden": 128}
        )
    except ValidationError as error:
        raise CaptionerError(describe(error, DecoderConfig)) from None
    if output and not config.attends:
        raise CaptionerError(f"--output: a decoder of kind {kind} has no attention to draw")
    if output:
        need_matplotlib()  # before anything is learnt
    learnt = {Task.reverse: reverse, Task.digits: digits}[task]
    model, right = learn(learnt, config, steps)
    rng = np.random.default_rng(1)
    examples = [max((learnt(rng)[0] for _ in range(12)), key=len) for _ in range(2)]
    for source in examples:
        [found] = model.translate([source])
        typer.echo(f"{' '.join(source)} → {' '.join(model.target.decode(found.words))}")
    typer.echo(f"{task.value}, {kind}, reading {reading}: {right:.1%} of new sequences right")
    if output:
        draw(model, examples, output)
        typer.echo(f"{output}: where it looked")


if __name__ == "__main__":
    try:
        typer.run(main)
    except CaptionerError as problem:
        sys.exit(f"sequences: {problem}")
