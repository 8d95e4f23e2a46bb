"""Rewards beside CIDEr-D: by hand, and a stage of training with them."""

from pathlib import Path

import pytest
import torch
from nltk.translate.bleu_score import sentence_bleu
from typer.testing import CliRunner

from captioner import checkpoint
from experiments.rewards import Meteor, Prices, Rewarded, bleu, command
from experiments.worn import phrases
from tests.tiny import tiny_model
from tests.training.toy import Album

WORDS = ["a", "dog", "dogs", "runs", "on", "grass", "cat"]
A, DOG, DOGS, RUNS, ON, GRASS, CAT = range(7)


def test_meteor_by_its_formula() -> None:
    meteor = Meteor(WORDS)
    assert meteor([A, DOG, RUNS], [[A, DOG, RUNS]]) == 1
    assert meteor([CAT], [[DOG]]) == 0
    # "a dogs runs" and "a dog runs": the middle is a stem, 0.6 of a match, and all are one chunk
    heard = (0.25 + 0.6 * 0.75 + 0.75) / (0.25 + 0.75 + 0.75)
    assert meteor([A, DOGS, RUNS], [[CAT], [A, DOG, RUNS]]) == pytest.approx(heard)
    # "runs a dog": two chunks of three words, all matched
    assert meteor([RUNS, A, DOG], [[A, DOG, RUNS]]) == pytest.approx(1 - 0.6 * (2 / 3) ** 0.2)
    # recall weighs more: half of the content words are there
    precision, recall = 1.0, 0.75 / (0.75 + 0.75)
    mean = precision * recall / (0.85 * precision + 0.15 * recall)
    assert meteor([DOG], [[DOG, GRASS]]) == pytest.approx(mean * (1 - 0.6))


def test_bleu_is_nltk_s_but_for_the_half() -> None:
    words, references = [A, DOG, RUNS, ON, GRASS], [[A, DOG, RUNS, ON, A, CAT], [A, CAT]]

    def half(fractions, *_args, **_settings):  # type: ignore[no-untyped-def]
        first, *others = fractions
        return [first, *((f.numerator + 0.5) / (f.denominator + 0.5) for f in others)]

    expected = sentence_bleu(references, words, smoothing_function=half)
    assert bleu(words, references) == pytest.approx(expected)
    assert bleu([CAT], [[DOG]]) == 0


def test_worn_phrases_cost_where_no_reference_has_them(tmp_path: Path) -> None:
    from captioner.training.batches import Share
    from captioner.training.stage import Stage

    album = Album(tmp_path)
    recipe = album.recipe(tmp_path / "run", objective="self_critical", tune="nothing")
    stage = Stage(recipe, Share())
    plain = stage.reward
    assert plain is not None
    [said, *_] = stage.captions.ids[0]
    own = next(iter(phrases([i for i in said if i in plain._spoken(said)])))
    other = (*reversed(own),)
    row = [*other, plain.end]
    for phrase, lost in ((own, 0.0), (other, 2.0)):
        rewarded = Rewarded(stage, Prices(worn=0.5), {phrase: 4.0})  # type: ignore[dict-item]
        assert rewarded._score(0, [row]) == [pytest.approx(plain._score(0, [row])[0] - lost)]


def test_shares_of_what_runs_changed(tmp_path: Path) -> None:
    models = [tiny_model() for _ in range(3)]
    with torch.no_grad():
        for add, model in enumerate(models):
            model.decoder.embedding.weight += add / 8
    files = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for file, model in zip(files, models, strict=True):
        checkpoint.save(model, file)
    runs = [f"{files[1]}:0.5", f"{files[2]}:0.25"]
    done = CliRunner().invoke(
        command, ["mean", str(files[0]), *runs, "--output", str(tmp_path / "m")]
    )
    assert done.exit_code == 0, done.output
    mixed, start = checkpoint.load(tmp_path / "m"), checkpoint.load(files[0])
    moved = mixed.decoder.embedding.weight - start.decoder.embedding.weight
    assert torch.allclose(moved, torch.full_like(moved, 0.125), atol=2e-3)
    for name, weight in start.encoder.state_dict().items():
        assert torch.equal(weight, mixed.encoder.state_dict()[name])
