"""What a taught style changes in a decoder, all other styles apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StyleAdapter(nn.Module):
    """Bottlenecks beside the cells' input and beside the features, and what is added to each word's
    bias. It begins as nothing.

    Houlsby et al. 2019 (https://arxiv.org/abs/1902.00751), one set a language in Bapna and Firat
    2019 (https://arxiv.org/abs/1909.08478): what was learnt before stays as it is.
    """

    def __init__(self, inputs: int, hidden: int, size: int, units: int, vocabulary: int) -> None:
        """`inputs` I and `hidden` H of the cells, `size` E of the features, `vocabulary` V words,
        `units` of each bottleneck."""
        super().__init__()
        self.entering = _bottleneck(inputs + hidden, units, inputs)
        self.leaving = _bottleneck(inputs + hidden, units, size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def enter(self, read: Tensor, hidden: Tensor) -> Tensor:
        """What is added to the cells' input read (N, I), after a state hidden (N, H)."""
        added: Tensor = self.entering(torch.cat([read, hidden], -1))
        return added

    def leave(self, said: Tensor) -> Tensor:
        """What is added to the features (N, E), made of the cells' output and input (N, H + I)."""
        added: Tensor = self.leaving(said)
        return added


def _bottleneck(inputs: int, units: int, outputs: int) -> nn.Sequential:
    last = nn.Linear(units, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), last)
