"""How much of a sentence the decoder is told while it learns, and how that falls.

Bengio et al. 2015, Scheduled Sampling, §2.4 (https://arxiv.org/abs/1506.03099).
"""

import math

from captioner.training.recipe import TrainingConfig


def told(step: int, config: TrainingConfig) -> float:
    """The share of words that are fed as they stand at step i, k being `teacher_k`:

    linear max(least, 1 − i/k), exponential kⁱ, inverse_sigmoid k / (k + exp(i/k)), none of them
    below `teacher_least`; 1 with `always`.
    """
    k = config.teacher_k
    if config.teacher == "always":
        return 1.0
    if config.teacher == "linear":
        share = 1 - step / k
    elif config.teacher == "exponential":
        share = k**step
    else:
        share = k / (k + math.exp(min(step / k, 700.0)))
    return max(config.teacher_least, share)
