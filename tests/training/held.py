"""The command, whose training goes no further than a step and waits there to be ended.

`python -m tests.training.held STEP train …`: who is to stop it amid its work comes in time, however
slow the machine is.
"""

import sys
import time
from typing import Any

from captioner import cli
from captioner.training.loop import Trainer

last, sys.argv = int(sys.argv[1]), ["captioner", *sys.argv[2:]]
usual = Trainer._train_step


def held(trainer: Trainer, batch: Any) -> None:
    if trainer.step >= last:
        time.sleep(300)
    usual(trainer, batch)


Trainer._train_step = held  # type: ignore[method-assign]
cli.main()
