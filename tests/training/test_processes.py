"""Several processes that train together do what one alone would do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from captioner import CaptionerError
from captioner.training.batches import Share
from captioner.training.loop import LAST, train
from captioner.training.stage import Stage
from tests.training.toy import Album, losses

REPOSITORY = Path(__file__).parents[2]


def test_two_processes_train_as_one(album: Album, tmp_path: Path) -> None:
    """Started by torchrun, over gloo: the same losses and the same weights."""
    changes: dict[str, Any] = {
        "tune": "top", "text": {"coco": album.text}, "batch_sentences": 7, "batch_photos": 9,
        "captions_per_photo": 2, "max_steps": 4, "attribute_weight": 0.3,
    }  # fmt: skip
    train(album.recipe(tmp_path / "one", **changes))
    file = album.write(tmp_path / "two", **changes)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launch, "-m", "captioner", "train", "--config", str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    one, two = (load_file(tmp_path / run / LAST) for run in ("one", "two"))
    for name, weight in one.items():
        if weight.dtype != torch.int8:
            torch.testing.assert_close(two[name], weight, atol=2e-3, rtol=2e-2, msg=name)
    assert done.stdout.count("the trained captioner") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "words", "tune": "everything"},
        {"objective": "words", "tune": "everything", "mixup": 0.4},
        {"objective": "cross_entropy", "tune": "everything", "captions_per_photo": 2},
        {"objective": "cross_entropy", "batch_sentences": 5},
        {"objective": "cross_entropy", "tune": "everything", "mixup": 0.4, "guidance": 0.3},
        {"objective": "language", "batch_sentences": 5},
    ],
)
def test_shares_add_up_to_the_whole(album: Album, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Sums and counts of three shares of an odd batch, photos augmented from their pixels."""
    recipe = album.recipe(tmp_path / "run", batch_photos=7, text={"coco": album.text}, **changes)
    whole = Stage(recipe, Share())
    shares = [Stage(recipe, Share(rank, 3)) for rank in range(3)]
    for step in (0, 5):
        expected = whole.loss(step)
        parts = [stage.loss(step) for stage in shares]
        for i, (total, count) in enumerate(expected.terms):
            assert sum(part.terms[i][1] for part in parts) == count
            torch.testing.assert_close(
                torch.stack([part.terms[i][0] for part in parts]).sum(), total, rtol=1e-4, atol=1e-4
            )
        for name, (total, count) in expected.figures.items():
            assert sum(part.figures[name][1] for part in parts) == count
            assert sum(part.figures[name][0] for part in parts) == pytest.approx(total, rel=1e-4)


def test_more_processes_than_photos(album: Album, tmp_path: Path) -> None:
    recipe = album.recipe(tmp_path / "run", batch_photos=2)
    with pytest.raises(CaptionerError, match=r"training\.batch_photos: 3 processes cannot share"):
        Stage(recipe, Share(0, 3))
