"""Training from the recipe to the caption, on coloured squares."""

import csv
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocoevalcap.cider.cider import Cider
from torch import Tensor

import captioner
from captioner import CaptionerError, Options, checkpoint
from captioner.training import loop
from captioner.training.batches import Share
from captioner.training.loop import (
    BEST,
    LAST,
    Trainer,
    learning_parameters,
    rate_at,
    rate_of,
    train,
)
from captioner.training.recipe import TrainingConfig
from captioner.training.stage import Stage
from tests.training.toy import COLOURS, Album, draw, losses


def test_learns_to_tell_colours(trained: Path) -> None:
    """Captions of squares that it never saw name their colour."""
    model = captioner.load(trained)
    rng = np.random.default_rng(99)
    colours = [*COLOURS] * 4
    captions = list(model.caption_many([draw(colour, rng) for colour in colours]))
    right = [colour in c.words for colour, c in zip(colours, captions, strict=True)]
    assert sum(right) >= 13  # chance: 4
    assert all("square" in c.words for c in captions)


def test_log_and_files(trained: Path) -> None:
    folder = trained.parent
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    steps = [row for row in rows if row["loss"]]
    validations = [row for row in rows if row["cider"]]
    assert [int(row["step"]) for row in steps] == list(range(1, 71))
    assert [int(row["step"]) for row in validations] == [40, 70]
    assert float(steps[-1]["nll"]) < 0.5 * float(steps[0]["nll"])
    assert json.loads(validations[-1]["val"]) == {"coco": float(validations[-1]["cider"])}
    assert float(validations[-1]["cider"]) > 3
    assert trained.name == BEST
    names = {path.name for path in folder.iterdir()}
    assert names == {BEST, LAST, "training.safetensors", "log.csv", "tensorboard"}
    [events] = (folder / "tensorboard").iterdir()
    assert events.stat().st_size > 1000


def test_the_best_validation_is_kept(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.1, 0.5, 0.3])
    biases: list[Tensor] = []

    def validate(model: Any, *args: Any) -> dict[str, float]:
        biases.append(model.decoder.bias.detach().clone())
        return {"coco": next(scores)}

    monkeypatch.setattr(loop, "validate", validate)
    best = train(album.recipe(tmp_path / "run", val=album.val, validate_every=1))
    assert torch.equal(checkpoint.load(best).decoder.bias, biases[1])
    assert torch.equal(checkpoint.load(tmp_path / "run" / LAST).decoder.bias, biases[2])


def test_the_average_of_the_weights(album: Album, tmp_path: Path) -> None:
    """What is kept is Σ of the weights after each step, faded, not the last ones."""
    config = album.recipe(tmp_path / "run", average=0.5, max_steps=4)
    stage = Stage(config, Share())
    trainer = Trainer(stage, config.training, Share())
    expected = stage.model.decoder.bias.detach().clone()
    step = trainer._train_step

    def noting(batch: Any) -> Any:
        result = step(batch)
        done = trainer.step + 1
        keep = min(0.5, done / (done + 9))
        expected.mul_(keep).add_(stage.model.decoder.bias.detach(), alpha=1 - keep)
        return result

    trainer._train_step = noting  # type: ignore[method-assign]
    last = trainer.run(False)
    kept = checkpoint.load(last).decoder.bias
    torch.testing.assert_close(kept, expected)
    assert not torch.allclose(kept, stage.model.decoder.bias, atol=1e-4)


def test_half_of_what_was_learnt_can_be_kept(album: Album, trained: Path, tmp_path: Path) -> None:
    """The weights lie between those of the start and those that the same run leaves whole."""
    biases = []
    for share in (1.0, 0.25):
        recipe = album.recipe(tmp_path / f"run-{share}", start=[trained], max_steps=2, kept=share)
        biases.append(checkpoint.load(train(recipe)).decoder.bias)
    start = checkpoint.load(trained).decoder.bias
    assert not torch.allclose(start, biases[0], atol=1e-5)
    torch.testing.assert_close(biases[1], start.lerp(biases[0], 0.25), atol=1e-3, rtol=1e-2)


def test_the_start_is_validated_too(
    album: Album, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stage began with stays the best where it makes nothing better."""
    scores = iter([0.9, 0.5])
    monkeypatch.setattr(loop, "validate", lambda *args: {"coco": next(scores)})
    best = train(album.recipe(tmp_path / "run", val=album.val, start=[trained], max_steps=1))
    bias = checkpoint.load(trained).decoder.bias
    assert torch.equal(checkpoint.load(best).decoder.bias, bias)
    assert not torch.equal(checkpoint.load(tmp_path / "run" / LAST).decoder.bias, bias)
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file) if row["cider"]] == ["0", "1"]


def test_what_is_logged_is_what_was_computed(album: Album, tmp_path: Path) -> None:
    """Also where a GPU keeps the losses of several steps to itself, and workers draw ahead."""
    recipe = album.recipe(
        tmp_path / "run", text={"coco": album.text}, batch_sentences=6, max_steps=5, workers=1
    )
    stage = Stage(recipe, Share())
    trainer = Trainer(stage, recipe.training, Share())
    trainer._patience = lambda: 3  # type: ignore[method-assign]
    computed: list[float] = []
    nats: list[float] = []
    loss_of = stage.loss

    def noting(step: int, batch: Any) -> Any:
        loss = loss_of(step, batch)
        again = loss_of(step)  # drawn here
        computed.append(sum(total.item() / count for total, count in again.terms))
        total, count = again.figures["nll"]
        nats.append(total.item() / count)
        return loss

    stage.loss = noting  # type: ignore[assignment, method-assign]
    trainer.run(False)
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5]
    assert [float(row["loss"]) for row in rows] == pytest.approx(computed, rel=1e-5)
    assert [float(row["nll"]) for row in rows] == pytest.approx(nats, rel=1e-5)


def test_minutes_end_a_run_and_the_rates_fall_with_them(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that a step moves by 6 seconds: a minute is ten steps of the thousand."""
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    step = Trainer._train_step

    def slow(trainer: Trainer, batch: Any) -> None:
        step(trainer, batch)
        now[0] += 6

    monkeypatch.setattr(Trainer, "_train_step", slow)
    changes: dict[str, Any] = {"max_minutes": 1, "max_steps": 1000, "warmup": 0.2}
    last = train(album.recipe(tmp_path / "run", **changes))
    assert last.name == LAST and last.exists()
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rates = [float(row["rate"]) / 0.01 for row in csv.DictReader(file)]
    cosine = [0.5 * (1 + math.cos(math.pi * i / 8)) for i in range(8)]
    assert len(rates) == 10 and rates[2:] == pytest.approx(cosine)
    assert rates[1] == pytest.approx(0.5, abs=0.01)
    file = tmp_path / "run" / "training.safetensors"
    assert float(checkpoint.read(file)[1]["seconds"]) == 60


def moved(album: Album, output: Path, **changes: Any) -> set[str]:
    """The weights that a few steps have changed."""
    recipe = album.recipe(output, max_steps=2, **changes)
    stage = Stage(recipe, Share())
    before = {name: w.clone() for name, w in stage.model.state_dict().items()}
    Trainer(stage, recipe.training, Share()).run(False)
    after = stage.model.state_dict()
    return {name for name, w in before.items() if not torch.equal(w, after[name])}


def is_upper(name: str) -> bool:
    block = name.removeprefix("encoder.backbone.blocks.").split(".")[0]
    return name.startswith("encoder.backbone.head") or (block.isdecimal() and int(block) >= 17)


@pytest.mark.parametrize("tune", ["nothing", "top", "everything"])
def test_how_much_of_the_encoder_learns(album: Album, tmp_path: Path, tune: str) -> None:
    changed = moved(album, tmp_path / "run", tune=tune)
    encoder = {name for name in changed if name.startswith("encoder.")}
    assert {"decoder.bias", "decoder.cell.weight_hh", "head.layers.2.weight"} <= changed
    if tune == "nothing":
        assert not encoder
    elif tune == "top":
        assert encoder and all(is_upper(name) and ".dw.weight" not in name for name in encoder)
    else:
        assert {"encoder.backbone.stem.weight", "encoder.backbone.blocks.20.dw.weight"} <= encoder


def test_a_backbone_of_torchvisions_learns(album: Album, tmp_path: Path) -> None:
    settings = ["encoder.name=mobilenet_v3_small", "training.weights=null"]
    for tune in ("nothing", "everything"):
        recipe = album.recipe(tmp_path / tune, *settings, tune=tune, max_steps=2)
        assert len(losses(train(recipe).parent)) == 2


def test_four_stages_one_after_the_other(album: Album, trained: Path, tmp_path: Path) -> None:
    """As the shipped model is made: words, language, captions, rewards."""
    text = {"text": {"coco": album.text}, "batch_sentences": 6}
    words = train(album.recipe(tmp_path / "words", objective="words", tune="top", **text))
    assert words.name == LAST
    language = train(
        album.recipe(tmp_path / "language", objective="language", start=[words], **text)
    )
    both = [words, language]
    captions = train(album.recipe(tmp_path / "captions", tune="top", start=both, **text))
    rewarded = train(
        album.recipe(tmp_path / "rewards", objective="self_critical", start=[captions])
    )

    models = [checkpoint.load(file) for file in (words, language, captions, rewarded)]
    heads = [model.head.layers[2].weight for model in models]
    embeddings = [model.decoder.embedding.weight for model in models]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[1], heads[2])
    assert torch.equal(heads[2], heads[3])
    assert all(not torch.equal(a, b) for a, b in pairwise(embeddings))
    kernels = [model.encoder.backbone.head.weight for model in models]
    assert not torch.equal(kernels[1], kernels[2]) and torch.equal(kernels[2], kernels[3])
    for run in ("words", "language", "captions", "rewards"):
        assert all(map(math.isfinite, losses(tmp_path / run)))


def test_the_second_checkpoint_gives_its_decoder(
    album: Album, trained: Path, tmp_path: Path
) -> None:
    words = train(album.recipe(tmp_path / "words", objective="words"))
    recipe = album.recipe(tmp_path / "captions", start=[words, trained])
    model, first, last = (
        Stage(recipe, Share()).model,
        checkpoint.load(words),
        checkpoint.load(trained),
    )
    assert torch.equal(model.decoder.bias, last.decoder.bias)
    assert torch.equal(model.head.layers[2].weight, first.head.layers[2].weight)


def test_rewards_rise(album: Album, trained: Path, tmp_path: Path) -> None:
    recipe = album.recipe(
        tmp_path / "run", objective="self_critical", start=[trained], max_steps=40,
        learning_rate=0.001, samples=6, batch_photos=16,
    )  # fmt: skip
    train(recipe)
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rewards = [float(row["reward"]) for row in csv.DictReader(file)]
    print(rewards)
    assert sum(rewards[-10:]) > 1.1 * sum(rewards[:10]) > 0


def test_rate_of_learning() -> None:
    config = TrainingConfig(output=Path("run"), max_steps=50, warmup=0.2)
    rates = [rate_at(step / 50, config) for step in range(50)]
    assert rates[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert rates[10] == 1 and rates[30] == pytest.approx(0.5) and rates[-1] < 0.01
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_rates_fall_with_every_block_further_from_the_grid(album: Album, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"first_block": 21, "layer_decay": 0.5, "folds": 2, "tune": "top"}
    stage = Stage(album.recipe(tmp_path / "run", encoder_learning_rate=0.08, **changes), Share())
    rates = {name: rate_of(name, stage) for name in learning_parameters(stage)}
    for place in ("encoder.", "beside.folds.encoders.1."):
        own = {n.removeprefix(place): r for n, r in rates.items() if n.startswith(place)}
        found = {name.rpartition(".")[0]: rate for name, rate in own.items()}
        assert found["backbone.head"] == 0.08
        assert found["backbone.blocks.23.project"] == pytest.approx(0.04)
        assert found["backbone.blocks.21.expand"] == pytest.approx(0.01)
        assert not any(name.startswith("backbone.blocks.20") for name in found)
    assert {r for n, r in rates.items() if "backbone" not in n} == {0.01}


def test_a_loss_that_is_no_number_ends_the_run(album: Album, tmp_path: Path) -> None:
    recipe = album.recipe(tmp_path / "run", learning_rate=1e30, max_steps=20, clip=1e30)
    with pytest.raises(CaptionerError, match=r"step \d+: the loss is .*lower training.learning"):
        train(recipe)


def test_a_word_in_every_caption_is_no_infinity(album: Album, tmp_path: Path) -> None:
    """ "square" is: its attribute's logit must stay finite."""
    stage = Stage(album.recipe(tmp_path / "run"), Share())
    assert "square" in stage.model.attributes
    assert stage.model.head.layers[-1].bias.isfinite().all()


def test_what_does_not_learn_is_frozen(album: Album, tmp_path: Path) -> None:
    def learning(**changes: Any) -> set[str]:
        stage = Stage(album.recipe(tmp_path / "run", **changes), Share())
        return {name.split(".")[0] for name in learning_parameters(stage)}

    told: dict[str, Any] = {"text": {"coco": album.text}, "batch_sentences": 4}
    assert learning(objective="words", tune="everything") == {"encoder", "head"}
    assert learning(objective="language", **told) == {"decoder"}
    assert learning(objective="cross_entropy") == {"decoder", "head"}
    assert learning(objective="cross_entropy", attribute_weight=0.0) == {"decoder"}
    assert learning(objective="self_critical") == {"decoder"}


def test_validation_is_the_official_score_of_what_users_get(album: Album, trained: Path) -> None:
    """CIDEr of the captioner's own sentences about the validation photos, by pycocoevalcap."""
    model = captioner.load(trained)
    options = Options(beam=3, length_penalty=1.0, consensus=False)
    coco = json.loads(album.val.read_text())
    photos = [album.folder / "photos" / image["file_name"] for image in coco["images"]]

    def plain(sentence: str) -> str:
        return sentence.lower().replace(".", "").replace(",", "")

    references: dict[int, list[str]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        references[annotation["image_id"]].append(plain(annotation["caption"]))
    captions = model.caption_many(photos, options=options)
    candidates = {i: [plain(c.text)] for i, c in zip(references, captions, strict=True)}
    expected = Cider().compute_score(references, candidates)[0]
    with (trained.parent / "log.csv").open(newline="") as file:
        scores = [float(row["cider"]) for row in csv.DictReader(file) if row["cider"]]
    assert max(scores) == pytest.approx(expected, abs=1e-6)
