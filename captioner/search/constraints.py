"""Which words may come next: the rules that hold for beams and samples alike."""

from __future__ import annotations

import torch
from torch import Tensor

from captioner.search.options import SearchOptions

NEVER = float("-inf")


class Constraints:
    """The rules of `options` about single sentences, as a filter on log-probabilities."""

    def __init__(self, options: SearchOptions, vocabulary: int, device: torch.device) -> None:
        """Prepare the masks over a vocabulary of `vocabulary` words."""
        self.options = options
        self.end = options.end
        self.not_last = _mask(options.not_last, vocabulary, device)
        self.banned = _mask(options.forbidden, vocabulary, device)
        self.banned[options.end] = False

    def allow(self, log_probs: Tensor, sentence: Tensor) -> Tensor:
        """Return log_probs (N, V) with -inf for what may not follow `sentence` (N, t)."""
        options, length = self.options, sentence.shape[1]
        if length < len(options.prefix):
            return _only(log_probs, options.prefix[length])
        if length == options.max_words:
            allowed = _only(log_probs, self.end)
        else:
            allowed = log_probs.masked_fill(self.banned, NEVER)
            if length == options.max_words - 1 and options.not_last:
                allowed = allowed.masked_fill(self.not_last, NEVER)
            if options.no_repeat:
                block_repeats(allowed, sentence, options.no_repeat)
        if length < options.min_words:
            allowed[:, self.end] = NEVER
        elif length and options.not_last:
            allowed[:, self.end].masked_fill_(self.not_last[sentence[:, -1]], NEVER)
        return allowed


def block_repeats(log_probs: Tensor, sentence: Tensor, n: int) -> None:
    """Set log_probs (N, V) to -inf where a word would repeat n words of `sentence` (N, t)."""
    if sentence.shape[1] < n:
        return
    grams = sentence.unfold(1, n, 1)  # (N, t - n + 1, n)
    tail = sentence[:, sentence.shape[1] - n + 1 :]  # (N, n - 1)
    seen = (grams[..., :-1] == tail[:, None]).all(-1)
    rows, places = seen.nonzero(as_tuple=True)
    log_probs[rows, grams[rows, places, -1]] = NEVER


def _only(log_probs: Tensor, word: int) -> Tensor:
    allowed = torch.full_like(log_probs, NEVER)
    allowed[:, word] = log_probs[:, word]
    return allowed


def _mask(words: tuple[int, ...], vocabulary: int, device: torch.device) -> Tensor:
    mask = torch.zeros(vocabulary, dtype=torch.bool)
    mask[list(words)] = True
    return mask.to(device)
