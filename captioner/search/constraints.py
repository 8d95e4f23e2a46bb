"""Which words may come next: the rules that hold for beams and samples alike."""

from __future__ import annotations

from captioner.search.arrays import NEVER, Array, full, nonzero, stack, topk, where
from captioner.search.options import SearchOptions


class Constraints:
    """The rules of `options` about single sentences, as a filter on log-probabilities."""

    def __init__(self, options: SearchOptions, vocabulary: int, like: Array) -> None:
        """Prepare the masks over a vocabulary of `vocabulary` words, where `like` is."""
        self.options = options
        self.end = options.end
        self.not_last = _mask(options.not_last, vocabulary, like)
        self.banned = _mask(options.forbidden, vocabulary, like)
        self.banned[options.end] = False
        self.untold = _mask((*options.forbidden, options.end), vocabulary, like)

    def allow(self, log_probs: Array, sentence: Array) -> Array:
        """Return log_probs (N, V) with -inf for what may not follow `sentence` (N, t)."""
        options, length = self.options, sentence.shape[1]
        if length < len(options.prefix):
            return _only(log_probs, options.prefix[length])
        if length == options.max_words:
            allowed = _only(log_probs, self.end)
        else:
            allowed = where(self.banned, NEVER, log_probs)
            if length == options.max_words - 1 and options.not_last:
                allowed[:, self.not_last] = NEVER
            if options.no_repeat:
                block_repeats(allowed, sentence, options.no_repeat)
        if length < options.min_words:
            allowed[:, self.end] = NEVER
        elif length and options.not_last:
            allowed[self.not_last[sentence[:, -1]], self.end] = NEVER
        return allowed

    def likeliest(self, log_probs: Array) -> tuple[Array, Array]:
        """The log-probabilities and ids (N, choices) of the likeliest words that may be told."""
        count = min(self.options.choices, log_probs.shape[1])
        return topk(where(self.untold, NEVER, log_probs), count)


def block_repeats(log_probs: Array, sentence: Array, n: int) -> None:
    """Set log_probs (N, V) to -inf where a word would repeat n words of `sentence` (N, t)."""
    starts = sentence.shape[1] - n + 1
    if starts < 1:
        return
    grams = stack([sentence[:, i : i + starts] for i in range(n)], 2)  # (N, t - n + 1, n)
    tail = sentence[:, sentence.shape[1] - n + 1 :]  # (N, n - 1)
    rows, places = nonzero((grams[..., :-1] == tail[:, None]).all(-1))
    log_probs[rows, grams[rows, places, -1]] = NEVER


def _only(log_probs: Array, word: int) -> Array:
    allowed = full(log_probs.shape, NEVER, log_probs)
    allowed[:, word] = log_probs[:, word]
    return allowed


def _mask(words: tuple[int, ...], vocabulary: int, like: Array) -> Array:
    mask = full((vocabulary,), False, like)
    mask[list(words)] = True
    return mask
