"""What a lesson keeps: what the model said before, and the attribute words' say in ranking."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from captioner import CaptionerError, Options, checkpoint
from captioner.captioner import Captioner
from captioner.engines.graphs import has_graphs
from captioner.engines.torch import TorchEngine
from captioner.model.model import Model
from captioner.notes import read_notes
from captioner.search.types import Hypothesis
from captioner.teaching.lesson import Learner, Lesson
from captioner.teaching.words import enlarged, grow, stand_in
from captioner.training.batches import Moved
from captioner.training.data import Example
from tests.tiny import tiny_model

ROOT = Path(__file__).parents[2]
TEXT = "the dog sits on red grass with Rex"
LESSON = Lesson(steps=30, rate=0.01, dropout=0.0, smoothing=0.0)


class Noise:
    """Photos that are grids of noise."""

    def draw(self, photos: np.ndarray, rng: np.random.Generator) -> None:
        return None

    def read(self, photos: torch.Tensor, look: Moved | None) -> torch.Tensor:
        return torch.randn(len(photos), 4, 1280, generator=torch.Generator().manual_seed(3))

    def lower(self, read: torch.Tensor, encoder: object) -> torch.Tensor:
        return read

    def upper(self, maps: torch.Tensor, encoder: object) -> torch.Tensor:
        return maps


def lesson(pull: float) -> tuple[Model, torch.Tensor, torch.Tensor]:
    """A tiny model after a lesson, and the probabilities (T, V) along its caption before it and
    after it."""
    torch.manual_seed(0)  # for what is new
    start = tiny_model()
    growth = grow([TEXT, TEXT], start.vocabulary, 2)
    words = growth.tokens(TEXT)
    examples = [Example(str(i), "mine", (words,), (TEXT,)) for i in range(4)]
    model = enlarged(start, growth, "mine", [words], 4)
    learner = Learner(model, Noise(), examples, replace(LESSON, pull=pull))  # type: ignore[arg-type]
    fed = torch.tensor([model.vocabulary.encode(["<mine>", *words[:-1]])])
    grid = torch.randn(1, 4, 1280, generator=torch.Generator().manual_seed(3))

    @torch.inference_mode()
    def told() -> torch.Tensor:
        decoder = model.eval().decoder
        return decoder.score(decoder(fed, model.start_from_grid(grid)).features)[0].exp()

    before = told().clone()
    for step in range(LESSON.steps or 0):
        learner.learn_batch(step, 0.1)
    return model, before, told()


def test_new_words_start_alike_in_every_process() -> None:
    """The words beside which a new one stands were taken in the order of a set, which Python
    draws anew for each process."""
    code = f"""
from captioner.teaching.words import enlarged, grow
from tests.tiny import tiny_model
start = tiny_model()
growth = grow([{TEXT!r}] * 2, start.vocabulary, 2)
model = enlarged(start, growth, "mine", [growth.tokens({TEXT!r})], 4)
print(model.decoder.embedding.weight[model.vocabulary.ids["Rex"]].tolist())
"""
    rows = set()
    for hashes in ("1", "2", "3"):
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        run = subprocess.run(command, env=environment, capture_output=True, check=True, cwd=ROOT)
        rows.add(run.stdout)
    assert len(rows) == 1


def test_the_pull_holds_what_was_said_before_but_for_new_words() -> None:
    """With nothing but the pull only what precedes a new word is learnt; with none all of it."""
    _, before, held = lesson(1.0)
    _, _, free = lesson(0.0)
    model, _, half = lesson(0.5)
    ids = model.vocabulary.encode(TEXT.split())
    known, new = range(len(ids) - 1), len(ids) - 1
    moved = [float((p[:new] - before[:new]).abs().sum(1).mean()) for p in (held, half, free)]
    assert moved[0] < 0.5 * moved[1] < 0.5 * moved[2]
    for after in (held, half, free):
        assert after[new, ids[new]] > 0.5
    assert all(free[place, ids[place]] > 0.5 for place in known)


def test_a_new_word_s_stand_in_is_seen_where_it_is_written() -> None:
    """By hand: "Rex" goes with the third attribute word, "Bello" with none, "Mia" is everywhere."""
    model = tiny_model()
    seen = torch.full((4, 5), 0.2)
    seen[:2, 2] = 0.9
    captions = [{"Rex", "Mia"}, {"Rex", "Bello", "Mia"}, {"Mia"}, {"Bello", "Mia"}]
    growth = grow(["the dog Rex with Mia and the cat Bello"] * 2, model.vocabulary, 2)
    larger = enlarged(model, growth, "mine", [], 4)
    larger.rarity[larger.vocabulary.ids[model.attributes[2]]] = 3.0
    stand_in(larger, growth.new, captions, seen)
    assert larger.stand_ins == {"Rex": model.attributes[2]}
    assert larger.rarity[larger.vocabulary.ids["Rex"]] == 3.0


def taught(folder: Path) -> Path:
    model = tiny_model()
    growth = grow(["the dog Rex and the cat Bello"] * 2, model.vocabulary, 2)
    larger = enlarged(model, growth, "mine", [], 4)
    larger.stand_ins = {"Rex": "dog"}
    larger.rarity[:] = 1.0
    checkpoint.save(larger, folder / "mine.safetensors")
    return folder / "mine.safetensors"


def test_of_two_sentences_the_one_is_told_whose_stand_in_is_seen(tmp_path: Path) -> None:
    file = taught(tmp_path)
    model = checkpoint.load(file)
    assert read_notes(file).stand_ins == model.stand_ins == {"Rex": "dog"}
    captioner = Captioner(TorchEngine(model))
    ids = model.vocabulary.ids
    likely = {"Bello": -3.0, "Rex": -3.1, "grass": -3.2}
    found = [_sentence(model, word, chance) for word, chance in likely.items()]

    def best(dog: float, style: str) -> str:
        return captioner._best(found, {ids["dog"]: dog}, (0.0, 0.0), Options(style=style)).words[0]

    assert best(0.9, "mine") == "Rex"
    assert best(0.9, "coco") == "Bello"
    assert captioner._best(found, {}, (0.0, 0.0), Options(style="mine")).confidence is None


def _sentence(model: Model, word: str, chance: float) -> Hypothesis:
    attention = np.full((1, 4), 0.25)
    return Hypothesis((model.vocabulary.ids[word],), chance, (chance,), attention)


@pytest.mark.parametrize(
    "noted", ["[]]", "3", '{"Rex": 3}', '{"Rex": ["dog"]}', '{"Rex": "Bello"}', '{"Lassie": "dog"}']
)
def test_damaged_stand_ins_are_said(tmp_path: Path, noted: str) -> None:
    file = taught(tmp_path)
    tensors, notes = checkpoint.read(file)
    checkpoint.write(file, tensors, notes | {"stand_ins": noted})
    for read in (read_notes, checkpoint.load):
        with pytest.raises(CaptionerError, match="stand_ins: ") as error:
            read(file)
        assert "\n" not in str(error.value)
    assert not has_graphs(file)
