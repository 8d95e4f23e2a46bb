"""What the reward costs in a step of self-critical training.

    python benchmarks/reward_speed.py [configs/self_critical.json] [--steps 10] [--set …]

Runs the recipe's own steps, nothing is saved; prints captions rewarded a second and the share of
a step that this takes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.training.batches import ALL
from captioner.training.loop import Trainer
from captioner.training.recipe import read_recipe
from captioner.training.stage import Stage


def main() -> None:
    """Time the steps and what they spend on rewards."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", type=Path, nargs="?", default=Path("configs/self_critical.json"))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--set", dest="changes", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        changes = [*arguments.changes, f"training.output={folder}", "data.val=null"]
        recipe = read_recipe(arguments.recipe, changes)
        stage = Stage(recipe, ALL)
    trainer = Trainer(stage, recipe.training, ALL)
    spent, captions, rewards = 0.0, 0, stage.reward.rewards

    def timed(sampled: Tensor, photos: Sequence[int], pad: int) -> Tensor:
        nonlocal spent, captions
        start = time.perf_counter()
        found = rewards(sampled, photos, pad)
        spent += time.perf_counter() - start
        captions += found.numel()
        return found

    stage.reward.rewards = timed  # type: ignore[method-assign]
    trainer._train_step()
    spent, captions, start = 0.0, 0, time.perf_counter()
    for trainer.step in range(1, arguments.steps + 1):
        trainer._train_step()
    passed = time.perf_counter() - start
    print(f"{captions} captions in {arguments.steps} steps of {passed / arguments.steps:.2f} s")
    print(f"reward: {captions / spent:,.0f} captions a second, {spent / passed:.1%} of a step")


if __name__ == "__main__":
    main()
