"""Several processes that train together do what one alone would do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from captioner import CaptionerError
from captioner.training.batches import Share
from captioner.training.loop import train
from captioner.training.output import BEST, LAST, RESUME
from captioner.training.stage import Stage
from tests.training.toy import Album, losses, wait_for_losses

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many as torchrun gives each of its processes: several add in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_two_processes_train_as_one(album: Album, tmp_path: Path) -> None:
    """Started by torchrun, over gloo, stopped and resumed: the same losses and the same weights,
    and the next stage after."""
    changes: dict[str, Any] = {
        "tune": "top", "text": {"coco": album.text}, "batch_sentences": 7, "batch_photos": 9,
        "captions_per_photo": 2, "max_steps": 12, "attribute_weight": 0.3,
        "learning_rate": 1e-3,  # so that rounding does not grow over the steps
    }  # fmt: skip
    train(album.recipe(tmp_path / "one", **changes))
    still = {"learning_rate": 1e-12, "encoder_learning_rate": 1e-12, "max_steps": 1}
    after = {"start": [tmp_path / "two" / LAST], "val": album.val}
    output = tmp_path / "two"
    stages = [album.write(output, checkpoint_minutes=0, **changes)]
    stages.append(album.write(tmp_path / "next", **{**changes, **still, **after}))

    stopped = two_processes(stages, program=("tests.training.held", "8"))
    wait_for_losses(stopped, output, 2)
    stopped.terminate()
    stopped.communicate(timeout=300)
    assert (output / RESUME).exists() and not (output / LAST).exists()
    mark_first_step(output / "log.csv")
    stdout = finish(two_processes(stages, "--resume"))
    assert MARK in (output / "log.csv").read_text()
    assert losses(output) == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert (tmp_path / "next" / BEST).exists() and stdout.count("the trained captioner") == 1

    train(album.recipe(tmp_path / "start", **{**changes, **still}))
    start, one, two = (load_file(tmp_path / run / LAST) for run in ("start", "one", "two"))
    for name, weight in one.items():
        # Of all that was learnt, not by element: Adam makes whole steps of what is but rounding.
        learnt = (weight.float() - start[name].float()).norm()
        assert (two[name].float() - weight.float()).norm() <= 0.05 * learnt, name


MARK = "987654"


def mark_first_step(log: Path) -> None:
    """Write a number of seconds that a run which starts anew would not."""
    names, first, *others = log.read_text().splitlines(keepends=True)
    cells = first.split(",")
    cells[names.split(",").index("seconds")] = MARK
    log.write_text("".join([names, ",".join(cells), *others]))


def two_processes(
    recipes: list[Path], *options: str, program: tuple[str, ...] = ("captioner",)
) -> subprocess.Popen[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    configs = [part for file in recipes for part in ("--config", str(file))]
    command = [*launch, "-m", *program, "train", "--no-graphs", *configs, *options]
    return subprocess.Popen(
        [sys.executable, *command], cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """What a process that succeeds prints."""
    try:
        stdout, stderr = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun then ends those that it has started
        raise AssertionError(process.communicate()) from None
    assert process.returncode == 0, stderr
    return stdout


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
