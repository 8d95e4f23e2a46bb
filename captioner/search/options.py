"""The settings of every search, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from captioner.errors import CaptionerError
from captioner.search.types import Hypothesis
from captioner.search.worn import Worn, cost


@dataclass(frozen=True)
class SearchOptions:
    """How sentences are searched for. Words are ids; `end` closes a sentence, `pad` fills up.

    A sentence has at least `min_words` and at most `max_words` words, its end not counted. What
    has `max_words` words must end there, at the end's true probability.

    Sentences are ranked by log-probability / n**length_penalty, where n counts the words and the
    end. `n_best` sentences come back, as far as the beams met so many on their way (None: as many
    as beams). A beam of one is greedy search and stops at its first end. `exact_stop` searches
    until no beam can still enter the n best; without it a beam counts as lost once it would rank
    too low if it ended now for free, which is quicker and can miss a longer sentence where
    `length_penalty` is above 0.

    Constraints: the sentence starts with `prefix`; holds no word of `forbidden` (the prefix may);
    holds every word of `required`; does not end on a word of `not_last`; repeats no sequence of
    `no_repeat` words (0: may repeat).

    `groups` above 1 is diverse beam search (Vijayakumar et al. 2016): the beams are divided into
    groups, and a word loses `diversity` nats for each beam of an earlier group that takes it at the
    same step. The loss steers the choice only and is not carried on.

    Sampling divides the log-probabilities by `temperature`, keeps the `top_k` likeliest words
    (0: all), then of these the fewest whose mass reaches `top_p` (Holtzman et al. 2020).

    Each phrase of `worn` costs its nats where a beam completes it after the prefix: sentences are
    found and ranked with that cost, which their log-probabilities are without. They are drawn
    without it.

    `choices` of the likeliest words, those that `forbidden` leaves, come with each place (0: none).
    """

    end: int
    pad: int = 0
    beam: int = 3
    n_best: int | None = None
    length_penalty: float = 0.0
    exact_stop: bool = True
    max_words: int = 20
    min_words: int = 0
    prefix: tuple[int, ...] = ()
    forbidden: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    not_last: tuple[int, ...] = ()
    no_repeat: int = 0
    groups: int = 1
    diversity: float = 0.5
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    choices: int = 0
    worn: Worn = ()

    def __post_init__(self) -> None:
        """Refuse what no search can obey, with a CaptionerError that names the setting."""
        for name in ("beam", "max_words", "groups"):
            _check(getattr(self, name) >= 1, f"{name} must be at least 1", getattr(self, name))
        for name in ("min_words", "no_repeat", "top_k", "length_penalty", "choices"):
            _check(getattr(self, name) >= 0, f"{name} must not be negative", getattr(self, name))
        _check(
            1e-30 <= self.temperature <= 1e30,  # beyond, weights in 32 bits are lost
            "temperature must lie between 1e-30 and 1e30",
            self.temperature,
        )
        _check(0 < self.top_p <= 1, "top_p must be above 0 and at most 1", self.top_p)
        _check(self.diversity >= 0, "diversity must not be negative", self.diversity)
        _check(self.n_best is None or self.n_best >= 1, "n_best must be at least 1", self.n_best)
        _check(
            self.min_words <= self.max_words,
            f"min_words must not exceed max_words ({self.max_words})",
            self.min_words,
        )
        _check(
            self.beam % self.groups == 0,
            f"groups must divide the number of beams ({self.beam})",
            self.groups,
        )
        for phrase, nats in self.worn:
            _check(bool(phrase), "a worn phrase must hold words", phrase)
            _check(0 <= nats < math.inf, "a worn phrase must cost nothing or more", nats)
        self._check_constraints()

    def rank(self, sentence: Hypothesis) -> float:
        """Return what the sentence is ranked by; higher is better."""
        length: float = (len(sentence.words) + 1) ** self.length_penalty
        return (sentence.log_probability - self.cost(sentence)) / length

    def cost(self, sentence: Hypothesis) -> float:
        """Return the nats of its worn phrases."""
        return cost(sentence.words, self.worn, len(self.prefix))

    def _check_constraints(self) -> None:
        needed = len(self.prefix) + len(self.missing)
        _check(
            needed <= self.max_words,
            "max_words must leave room for the start of the sentence and the required words",
            self.max_words,
        )
        if self.end in (*self.prefix, *self.required):
            raise CaptionerError("the end of a sentence cannot be one of its required words")
        if set(self.missing) & set(self.forbidden):
            raise CaptionerError("a required word cannot be forbidden at the same time")
        if self.groups > 1 and self.missing:
            raise CaptionerError("required words and diverse groups cannot be searched together")

    @property
    def missing(self) -> tuple[int, ...]:
        """The required words that the prefix does not hold yet, each once."""
        return tuple(w for w in dict.fromkeys(self.required) if w not in self.prefix)


def _check(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise CaptionerError(f"{rule}, not {value}")
