"""A run that is stopped, by any means and anywhere, goes on as if it never had been."""

import csv
import os
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from captioner import CaptionerError, checkpoint
from captioner.training import loop
from captioner.training.batches import Share
from captioner.training.chain import train_chain
from captioner.training.log import Log
from captioner.training.loop import Trainer, train
from captioner.training.output import LAST, RESUME
from captioner.training.stage import Stage
from tests.training.toy import Album, losses, wait_for_losses

REPOSITORY = Path(__file__).parents[2]
ALL_AT_ONCE: dict[str, Any] = {  # whatever could differ after a stop
    "tune": "top", "dropout": 0.3, "grid_dropout": 0.2, "stochastic_depth": 0.2,
    "batch_sentences": 6, "max_steps": 9, "seed": 3,
}  # fmt: skip


def run_until(album: Album, output: Path, step: int, **changes: Any) -> None:
    """Train, and break off after `step` steps have been saved."""
    recipe = album.recipe(output, checkpoint_minutes=0, **changes)
    trainer = Trainer(Stage(recipe, Share()), recipe.training, Share())
    trainer._save, save = (lambda file: _then_stop(trainer, save, file, step)), trainer._save  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run(False)


def _then_stop(trainer: Trainer, save: Any, file: Path, step: int) -> None:
    save(file)
    if trainer.step == step:
        raise KeyboardInterrupt


def test_killed_at_any_moment_and_resumed(album: Album, tmp_path: Path) -> None:
    """kill -9 of a process that trains; its log then equals the uninterrupted run's."""
    changes = {**ALL_AT_ONCE, "text": {"coco": album.text}}
    train(album.recipe(tmp_path / "whole", **changes))

    output = tmp_path / "killed"
    file = album.write(output, checkpoint_minutes=0, **changes)
    command = [sys.executable, "-m", "tests.training.held", "7", "train", "--no-graphs"]
    command += ["--config", str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_for_losses(process, output, 4)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (output / LAST).exists()

    done = int(checkpoint.read(output / RESUME)[1]["step"])
    assert done >= 3
    train(album.recipe(output, **changes), resume=True)
    assert losses(output) == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)
    whole, resumed = (load_file(folder / LAST) for folder in (tmp_path / "whole", output))
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, atol=1e-5, rtol=1e-4, msg=name)


def test_ctrl_c_keeps_every_step(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before a state would be due; a worker that gets the signal too lives on."""
    changes: dict[str, Any] = {"max_steps": 5, "dropout": 0.2}
    train(album.recipe(tmp_path / "whole", **changes))
    output, step = tmp_path / "stopped", Trainer._train_step

    def interrupted(trainer: Trainer, batch: Any) -> None:
        step(trainer, batch)
        if trainer.step == 2:
            worker = get_context("fork").Process(target=signal.raise_signal, args=[signal.SIGINT])
            worker.start()
            worker.join()
            assert worker.exitcode == 0
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_train_step", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"^stopped after step 3; --resume goes on$"):
            train(album.recipe(output, **changes))
    train(album.recipe(output, **changes), resume=True)
    assert losses(output) == losses(tmp_path / "whole")


@pytest.mark.parametrize("objective", ["words", "language", "self_critical"])
def test_every_objective_resumes(album: Album, tmp_path: Path, objective: str) -> None:
    """Also where some weights have met no gradient, and so have no state to go on with."""
    changes: dict[str, Any] = {"objective": objective, "max_steps": 4, "dropout": 0.2}
    if objective == "language":
        changes |= {"text": {"coco": album.text}, "batch_sentences": 6}
    train(album.recipe(tmp_path / "whole", **changes))
    run_until(album, tmp_path / "stopped", 2, **changes)
    train(album.recipe(tmp_path / "stopped", **changes), resume=True)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    whole, stopped = (load_file(tmp_path / run / LAST) for run in ("whole", "stopped"))
    assert all(torch.equal(weight, stopped[name]) for name, weight in whole.items())


def test_the_best_so_far_is_remembered(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.1])
    monkeypatch.setattr(loop, "validate", lambda *args: {"coco": next(scores)})
    changes: dict[str, Any] = {"val": album.val, "validate_every": 2, "max_steps": 4}
    run_until(album, tmp_path / "run", 3, **changes)
    before = (tmp_path / "run" / "best.safetensors").read_bytes()
    best = train(album.recipe(tmp_path / "run", **changes), resume=True)
    assert best.read_bytes() == before


def test_nothing_to_resume_from_is_refused(album: Album, tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match=r"run: holds no run that could be resumed; leave"):
        train(album.recipe(tmp_path / "run"), resume=True)
    assert not (tmp_path / "run").exists()


def test_the_state_is_a_checkpoint_too(album: Album, tmp_path: Path) -> None:
    train(album.recipe(tmp_path / "run"))
    assert checkpoint.load(tmp_path / "run" / RESUME).vocabulary.styles == ("coco",)


def test_states_of_other_runs_are_refused(album: Album, trained: Path, tmp_path: Path) -> None:
    train(album.recipe(tmp_path / "run"))
    state = tmp_path / "run" / RESUME
    for settings in (["decoder.size=20"], ["data.minimum_count=40"], ["training.tune=top"]):
        with pytest.raises(CaptionerError, match="was written by a run with another recipe"):
            train(album.recipe(tmp_path / "run", *settings), resume=True)
    state.write_bytes(trained.read_bytes())
    with pytest.raises(CaptionerError, match="is no training state to resume from"):
        train(album.recipe(tmp_path / "run"), resume=True)
    state.write_bytes(trained.read_bytes()[:5000])
    with pytest.raises(CaptionerError, match="or is cut off"):
        train(album.recipe(tmp_path / "run"), resume=True)


def test_a_recipe_that_was_changed_since_is_named(album: Album, tmp_path: Path) -> None:
    """Of a finished run too: more steps would have had other rates from the first on."""
    train(album.recipe(tmp_path / "run", max_steps=2))
    free = album.recipe(tmp_path / "run", max_steps=2, checkpoint_minutes=0, workers=1)
    train_chain([free], resume=True)
    more = album.recipe(tmp_path / "run", max_steps=3, batch_photos=5)
    said = (
        r"another recipe: training\.max_steps 2 \(now 3\), training\.batch_photos \d+ \(now 5\);"
        " go on with that, or choose another training.output$"
    )
    for go_on in (train_chain, lambda recipes, resume: train(recipes[0], resume)):
        with pytest.raises(CaptionerError, match=said):
            go_on([more], resume=True)


@pytest.mark.parametrize("name", ["log.csv", "fold-0.safetensors", "best.start.onnx"])
def test_somebody_s_file_is_not_written_over(album: Album, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(CaptionerError, match=rf"holds another run \({name}\); take --overwrite"):
        train(album.recipe(folder))
    assert (folder / name).read_text() == "mine"


def test_the_log_goes_on_after_the_last_saved_step(tmp_path: Path) -> None:
    log = Log(tmp_path, 0, 5)
    for step in range(1, 5):
        log.write(step, loss=float(step))
    log.write(3, cider=0.5, val="{}")
    log.close()
    log = Log(tmp_path, 3, 5)
    log.write(4, loss=40.0)
    log.close()
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = [(int(row["step"]), row["loss"], row["cider"]) for row in csv.DictReader(file)]
    assert rows == [
        (1, "1.0", ""), (2, "2.0", ""), (3, "3.0", ""), (3, "", "0.5"), (4, "40.0", ""),
    ]  # fmt: skip
    Log(tmp_path, 0, 5).close()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1
