"""Labels of photos: wrong files are refused; photos without captions teach by them alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from captioner import CaptionerError
from captioner.training.batches import Share
from captioner.training.data import Example
from captioner.training.labels import read_labels
from captioner.training.photos import plain_grid
from captioner.training.stage import Stage
from tests.training.toy import Album

EXAMPLES = [Example(f"{i}.png", "coco", (), (), i) for i in (7, 8, 9)]


def test_which_stand_in_which(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_text('{"9": ["kite", "dog"], "7": []}')
    names, targets, known = read_labels(file, EXAMPLES)
    assert names == ["dog", "kite"]
    assert targets.tolist() == [[0, 0], [0, 0], [1, 1]] and known.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"7": ["kite"], "70": ["dog"], "71": []}', r"photos that are not there: .*70.*71"),
        ('{"7": "kite"}', "labels are written as"),
        ('{"7": [3]}', "labels are written as"),
        ('[["kite"]]', "labels are written as"),
        ("3", "labels are written as"),
        ('{"7": []}', "names no category"),
        ("{", "JSON"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "labels.json"
    file.write_text(text)
    with pytest.raises(CaptionerError, match=said) as error:
        read_labels(file, EXAMPLES)
    assert str(error.value).startswith(str(file)) and "\n" not in str(error.value)


def with_labels(album: Album, output: Path, **changes: Any) -> Stage:
    both = {"labels": album.labels, "unlabelled": album.unlabelled}
    return Stage(album.recipe(output, **{**both, **changes}), Share())


def test_what_each_photo_teaches(album: Album, tmp_path: Path) -> None:
    """The loss of the words stage, photo by photo: words where captions are, labels where those."""
    stage = with_labels(album, tmp_path / "run", objective="words", label_weight=0.3, seed=2)
    assert (stage.captioned, len(stage.examples)) == (32, 38) and stage.label_head is not None
    stage.photos.flips[:] = False  # type: ignore[attr-defined]
    batch = stage[1]
    assert batch.photos is not None
    labels = json.loads(album.labels.read_text())
    names = sorted({name for own in labels.values() for name in own})
    grids = plain_grid(stage.photos, batch.photos.numpy(), stage.model.encoder)
    words, found, told, labelled = 0.0, 0.0, 0, 0
    for photo, grid in zip(batch.photos.tolist(), grids, strict=True):
        one = stage.examples[photo]
        if one.captions:
            targets = [
                np.mean([word in caption for caption in one.captions])
                for word in stage.model.attributes
            ]
            chances = stage.model.head(grid[None])[0].sigmoid()
            wanted = torch.tensor(targets, dtype=torch.float)
            words += F.binary_cross_entropy(chances, wanted, reduction="sum").item()
            told += 1
        if str(one.id) in labels:
            wanted = torch.tensor([float(name in labels[str(one.id)]) for name in names])
            chances = stage.label_head(grid[None])[0].sigmoid()
            found += F.binary_cross_entropy(chances, wanted, reduction="sum").item()
            labelled += 1
    assert 0 < told < 8 and 0 < labelled < 8
    terms = [(total.item(), count) for total, count in stage.loss(1, batch).terms]
    assert terms == [
        (pytest.approx(words, rel=1e-4), told), (pytest.approx(0.3 * found, rel=1e-4), labelled),
    ]  # fmt: skip


def test_photos_without_captions_are_dealt_among_the_others(album: Album, tmp_path: Path) -> None:
    stage = with_labels(album, tmp_path / "words", objective="words")
    order = stage.order
    dealt = [stage.dealt[order.at(step)] for step in range(4 * order.batches)]
    silent = [int((photos >= stage.captioned).sum()) for photos in dealt]
    assert sum(silent) > 12 and max(silent) < 8
    stage = with_labels(album, tmp_path / "captions")
    assert (stage.dealt < stage.captioned).all()


@pytest.mark.parametrize("changes", [{"mixup": 0.5}, {"folds": 2, "mixup": 0.5}, {"folds": 2}])
def test_shares_of_processes_add_up(album: Album, tmp_path: Path, changes: dict[str, Any]) -> None:
    changes = {"objective": "words", "tune": "top", "hold": True, "batch_photos": 9, **changes}
    whole = with_labels(album, tmp_path / "run", **changes).loss(1).terms
    parts = []
    for rank in range(2):
        recipe = album.recipe(
            tmp_path / "run", labels=album.labels, unlabelled=album.unlabelled, **changes
        )
        parts.append(Stage(recipe, Share(rank, 2)).loss(1).terms)
    assert len(whole) >= 2
    for i, (total, count) in enumerate(whole):
        assert sum(part[i][1] for part in parts) == count
        assert sum(part[i][0].item() for part in parts) == pytest.approx(total.item(), rel=1e-4)
