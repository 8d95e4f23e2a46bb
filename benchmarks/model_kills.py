"""`train`, `teach` and `export` killed at random moments: models old or new, never half.

    python benchmarks/model_kills.py [--kills 50] [--only teach] [--seed 0]

Small models of coloured squares, each command killed (SIGKILL) at random: half of the kills fall
anywhere in a run, half into its last fifth, when it writes. A training is resumed after each kill;
whenever it comes to its end it must have logged the losses, and hold the weights, of one that
nobody disturbed. Of the others each file must be the old one or the new, an exported folder one of
the two as a whole, and the next run must give the new ones with nothing beside them. The exit code
is 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # the same sums in the same order each time
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from safetensors.torch import load_file

import captioner.export.onnx_files
import captioner.teaching.run  # noqa: F401
from captioner import checkpoint, cli
from captioner.training.loop import train
from captioner.training.output import LAST, RESUME
from tests.training.names import album as named_album
from tests.training.toy import Album, losses

MODEL = "mine.safetensors"
Contents = dict[str, str]  # what is in each file


def _command(words: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.argv = ["captioner", *words]
    cli.main()


def started(words: Sequence[str], folder: Path) -> BaseProcess:
    """The command in a process of its own, forked from one that has imported torch."""
    process = get_context("forkserver").Process(target=_command, args=(list(words), folder))
    process.start()
    return process


def finished(words: Sequence[str], folder: Path) -> float:
    """The seconds that the command takes undisturbed."""
    start = time.perf_counter()
    process = started(words, folder)
    process.join()
    if process.exitcode:
        raise SystemExit(f"captioner {' '.join(words)} failed ({process.exitcode})")
    return time.perf_counter() - start


def killed(
    words: Sequence[str], folder: Path, seconds: float, late: bool, dice: random.Random
) -> bool:
    """Whether the command was at work when it was killed."""
    process = started(words, folder)
    process.join(seconds * dice.uniform(0.8 if late else 0.0, 1.02))
    process.kill()
    process.join()
    return process.exitcode != 0


def contents(folder: Path) -> Contents:
    return {path.name: content(path) for path in folder.iterdir() if path.is_file()}


def content(file: Path) -> str:
    """A digest of what the file says. Safetensors writes its metadata in any order, and a graph
    names the digest of its checkpoint's header: both are left out."""
    if file.suffix == ".safetensors":
        tensors, notes = checkpoint.read(file)
        said = [repr(sorted(notes.items())).encode()]
        said += [name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors)]
        return hashlib.sha256(b"".join(said)).hexdigest()
    return hashlib.sha256(re.sub(rb"[0-9a-f]{64}", b"", file.read_bytes())).hexdigest()


def try_train(room: Path, kills: int, dice: random.Random) -> str:
    album = Album(room / "album")
    changes = {"max_steps": 12, "val": album.val, "validate_every": 6, "dropout": 0.2}
    whole, output = room / "whole", room / "killed"
    train(album.recipe(whole, **changes))
    recipe = str(album.write(output, checkpoint_minutes=0, **changes))
    words = ["train", "--no-graphs", "--config", recipe]
    seconds = finished(words, room)
    same(whole, output)
    amid, through = 0, 0
    for kill in range(kills):
        if (output / LAST).exists() and losses(output)[11:]:
            same(whole, output)
            shutil.rmtree(output)
            through += 1
        how = "--resume" if (output / RESUME).exists() else "--overwrite"
        amid += killed([*words, how], room, seconds / 3, kill % 2 == 1, dice)
        for file in output.glob("*.safetensors"):
            checkpoint.load(file)
    how = "--resume" if (output / RESUME).exists() else "--overwrite"
    finished([*words, how], room)
    same(whole, output)
    return f"{amid} of them at work; {through + 1} trainings came to their end, all the same"


def same(whole: Path, resumed: Path) -> None:
    """Raise AssertionError where two trainings differ."""
    torch.testing.assert_close(losses(resumed), losses(whole), rtol=1e-5, atol=1e-6)
    for name in (LAST, "best.safetensors"):
        torch.testing.assert_close(
            load_file(resumed / name), load_file(whole / name), rtol=1e-4, atol=1e-5
        )


def try_teach(room: Path, kills: int, dice: random.Random) -> str:
    photos, model = named_album(room / "photos"), small_model(room)
    words = ["teach", str(photos), "--model", str(model), "--overwrite", "-o"]
    words += [str(room / "out" / MODEL), "--style"]
    finished([*words, "old"], room)
    old, before = contents(room / "out"), room / "before"
    shutil.copytree(room / "out", before)
    seconds = finished([*words, "new"], room)
    new = contents(room / "out")
    assert old.keys() == new.keys() and old != new
    amid, between = 0, 0
    for kill in range(kills):
        shutil.copytree(before, room / "out", dirs_exist_ok=True)
        amid += killed([*words, "new"], room, seconds, kill % 2 == 1, dice)
        there = contents(room / "out")
        torn = [name for name in old if there[name] not in (old[name], new[name])]
        assert not torn, torn
        between += there not in (old, new)
        checkpoint.load(room / "out" / MODEL)
    finished([*words, "new"], room)
    assert contents(room / "out") == new and not list((room / "out").glob(".*"))
    return f"{amid} of them at work, {between} between two files; each old or new"


def try_export(room: Path, kills: int, dice: random.Random) -> str:
    models = small_model(room), small_model(room, steps=1)
    output = room / "out"

    def words(model: Path) -> list[str]:
        return ["export", "--model", str(model), "--output", str(output), "--overwrite"]

    finished(words(models[0]), room)
    old, before = contents(output), room / "before"
    shutil.copytree(output, before)
    seconds = finished(words(models[1]), room)
    new = contents(output)
    amid, aside = 0, 0
    for kill in range(kills):
        shutil.rmtree(output)
        shutil.copytree(before, output)
        amid += killed(words(models[1]), room, seconds, kill % 2 == 1, dice)
        if output.exists():
            assert contents(output) in (old, new), "half a folder"
        else:  # killed between two renamings: the next run must find it
            aside += 1
            killed(words(models[1]), room, seconds / 2, False, dice)
            assert contents(output) == old
    finished(words(models[1]), room)
    left = {path.name for path in room.glob(".*")}
    assert contents(output) == new and not left, left
    return f"{amid} of them at work, {aside} while the folders changed places; old or new"


def small_model(room: Path, steps: int = 40) -> Path:
    output = room / f"trained-{steps}"
    return train(Album(room / f"album-{steps}").recipe(output, max_steps=steps))


TRIALS = {"train": try_train, "teach": try_teach, "export": try_export}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", choices=TRIALS, nargs="*", default=[*TRIALS])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    get_context("forkserver").set_forkserver_preload(["__main__"])
    for name in given.only:
        with tempfile.TemporaryDirectory() as room:
            found = TRIALS[name](Path(room), given.kills, random.Random(given.seed))
        print(f"{name}: {given.kills} kills, {found}", flush=True)


if __name__ == "__main__":
    main()
