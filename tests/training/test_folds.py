"""Cross-fitting: who learns from which photo, told by the gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from captioner import CaptionerError, checkpoint
from captioner.training.batches import Batch, Share
from captioner.training.folds import fold_file, partners
from captioner.training.loop import Trainer, train
from captioner.training.output import LAST
from captioner.training.photos import plain_grid
from captioner.training.stage import Stage
from tests.training.toy import Album

FOLDS = 3


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 99), unique=True, max_size=40), st.integers(1, 5))
def test_partners_are_of_the_same_fold(photos: list[int], folds: int) -> None:
    chosen = np.array(photos, np.int64)
    others = partners(chosen, folds)
    assert sorted(others) == sorted(chosen)
    assert np.array_equal(others % folds, chosen % folds)
    for fold in range(folds):
        members = chosen % folds == fold
        assert members.sum() < 2 or not (others[members] == chosen[members]).any()


def make(album: Album, output: Path, **changes: Any) -> Stage:
    given: dict[str, Any] = {
        "tune": "top", "folds": FOLDS, "labels": album.labels, "unlabelled": album.unlabelled,
        "attribute_weight": 0.5, "batch_photos": 5,
    }  # fmt: skip
    return Stage(album.recipe(output, **{**given, **changes}), Share())


def of_fold(stage: Stage, fold: int) -> Batch:
    """A batch of photos of one fold alone, as a step would see it."""
    stage.dealt = np.array([i for i in stage.dealt.tolist() if i % FOLDS == fold])
    stage.order.lengths = stage.order.lengths[: len(stage.dealt)]
    stage.order.batches = len(stage.dealt) // stage.order.batch
    batch = stage[0]
    assert batch.photos is not None and (batch.photos % FOLDS == fold).all()
    return batch


def slopes(module: nn.Module) -> Tensor:
    found = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    return torch.cat(found) if found else torch.zeros(0)


def descend(stage: Stage, batch: Batch) -> None:
    terms = stage.loss(0, batch).terms
    torch.stack([term / max(1, count) for term, count in terms]).sum().backward()


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "words", "hold": True},
        {"objective": "words", "mixup": 0.5},
        {"objective": "cross_entropy", "guidance": 0.3},
        {"objective": "cross_entropy", "tune": "everything", "mixup": 0.5},
    ],
)
def test_no_encoder_learns_from_its_own_fold(
    album: Album, tmp_path: Path, changes: dict[str, Any]
) -> None:
    stage = make(album, tmp_path / "run", **changes)
    descend(stage, of_fold(stage, 1))
    assert stage.folds is not None
    learnt = [bool(slopes(encoder).any()) for encoder in stage.folds]
    assert learnt == [True, False, True]
    assert slopes(stage.model.encoder).any()


@pytest.mark.parametrize("objective", ["words", "cross_entropy"])
def test_who_reads_learns_only_through_the_encoder_that_does_not_know_the_photo(
    album: Album, tmp_path: Path, objective: str
) -> None:
    """Heads and decoder get the gradient of that encoder's grids, the others' change nothing."""
    stage = make(album, tmp_path / "run", objective=objective)
    assert stage.folds is not None and stage.label_head is not None
    encoders = list(stage.folds)
    for i, encoder in enumerate([*encoders, stage.model.encoder]):
        with torch.no_grad():  # all different
            encoder.backbone.head.weight *= 1 + 0.3 * i
    batch = of_fold(stage, 1)
    readers = nn.ModuleList([stage.model.head, stage.model.decoder, stage.label_head])
    descend(stage, batch)
    found = slopes(readers)
    assert found.any()

    readers.zero_grad()
    assert batch.photos is not None
    read = stage.photos.read(batch.photos, batch.look)
    with torch.no_grad():
        grid = stage.photos.upper(stage.photos.lower(read, encoders[1]), encoders[1])
    terms = stage._taught(grid, batch, 0).terms
    torch.stack([term / max(1, count) for term, count in terms]).sum().backward()
    torch.testing.assert_close(found, slopes(readers))
    assert all(p.requires_grad for p in stage.model.head.parameters())


def test_rewards_are_learnt_from_grids_of_who_has_not_seen_the_photo(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more of the encoder has learnt than `first_block` says now."""
    more: dict[str, Any] = {"first_block": 12, "max_steps": 1, "hold": True, "batch_photos": 4}
    train(album.recipe(tmp_path / "first", tune="top", folds=FOLDS, **more))
    stage = make(
        album, tmp_path / "run", objective="self_critical", tune="nothing", hold=True,
        start=[tmp_path / "first" / LAST],
    )  # fmt: skip
    seen: list[Tensor] = []
    monkeypatch.setattr(stage, "reward", lambda model, grid, *others: seen.append(grid))
    batch = replace(of_fold(stage, 2), look=None)
    stage.loss(0, batch)
    own = checkpoint.load(fold_file(tmp_path / "first", 2)).encoder.train()
    assert batch.photos is not None
    with torch.no_grad():
        expected = plain_grid(stage.photos, batch.photos.numpy(), own)
        kept = plain_grid(stage.photos, batch.photos.numpy(), stage.model.encoder)
    torch.testing.assert_close(seen[0], expected)
    assert not torch.allclose(seen[0], kept, atol=1e-3)
    with pytest.raises(CaptionerError, match=r"more of their encoders has learnt than training\.f"):
        make(album, tmp_path / "other", start=[tmp_path / "first" / LAST])


def test_the_next_stage_goes_on_with_the_folds(album: Album, tmp_path: Path) -> None:
    first = album.recipe(tmp_path / "first", objective="words", tune="top", folds=2, max_steps=2)
    last = train(first)
    stage = Stage(album.recipe(tmp_path / "second", tune="top", folds=2, start=[last]), Share())
    assert stage.folds is not None
    kernels = [encoder.backbone.head.weight for encoder in [*stage.folds, stage.model.encoder]]
    assert not torch.equal(kernels[0], kernels[1]) and not torch.equal(kernels[1], kernels[2])
    stored = checkpoint.load(fold_file(last.parent, 1)).encoder.backbone.head.weight
    assert torch.equal(kernels[1], stored)
    with pytest.raises(CaptionerError, match="first holds a run of other than 3 folds"):
        Stage(album.recipe(tmp_path / "third", tune="top", folds=3, start=[last]), Share())


def test_an_empty_fold(album: Album, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text('{"image": "0-0.png", "captions": ["A red square."]}\n')
    recipe = album.recipe(tmp_path / "run", tune="top", folds=2, train=few, attribute_minimum=1)
    with pytest.raises(CaptionerError, match=r"training\.folds: 1 photos are too few for 2 folds"):
        Stage(recipe, Share())


def test_what_learns_beside_is_resumed(album: Album, tmp_path: Path) -> None:
    """The encoders of the folds and the head of the labels go on with the weights they had."""
    both = {"labels": album.labels, "unlabelled": album.unlabelled}
    recipe = album.recipe(tmp_path / "run", tune="top", folds=2, max_steps=2, **both)
    stage = Stage(recipe, Share())
    Trainer(stage, recipe.training, Share()).run(False)
    again = Stage(recipe, Share())
    trainer = Trainer(again, recipe.training, Share())
    trainer._load(tmp_path / "run" / "training.safetensors")
    expected = stage.beside.state_dict()
    assert len(expected) > 100
    assert all(torch.equal(w, expected[name]) for name, w in again.beside.state_dict().items())
