"""Beam search over a batch of photos, with banks for required words and groups for diversity.

The beams of a photo lie in G lanes of W rows, R = G·W in all. A plain search has one lane, a
diverse search one for each group. With C required words there are C + 1 lanes, where lane c holds
beams with exactly c of them (the banks of Post and Vilar 2018, at a fixed size); sentences end in
the last. The finished sentences of a photo are kept in P pools: one, or one for each group.
"""

from __future__ import annotations

from dataclasses import replace

from captioner.search.arrays import (
    NEVER,
    Array,
    arange,
    as_array,
    as_floats,
    concat,
    full,
    highest,
    nonzero,
    repeat,
    take,
    where,
    zeros,
)
from captioner.search.candidates import Candidates, banked, continuing, diverse, plain
from captioner.search.constraints import Constraints
from captioner.search.history import BeamStep, Finished, rebuild
from captioner.search.options import SearchOptions
from captioner.search.types import Hypothesis, S, Step
from captioner.search.worn import PhraseCosts


def beam_search(
    step: Step[S], state: S, start: Array, options: SearchOptions
) -> list[list[Hypothesis]]:
    """Return for each of B photos its best sentences, best first, at most `options.n_best`.

    `start` (B,) int64 is the first word fed, one a photo; `state` has B rows. A photo's list is
    shorter, even empty, where the beams met fewer sentences that obey `options`. With beams enough
    to hold every sentence the result is exact. Numpy's arrays or torch's, on any device.
    """
    if not len(start):
        return []
    beams = _Beams(len(start), options, start)
    history: list[BeamStep] = []
    words, regions = start, 0
    for length in range(options.max_words + 1):
        log_probs, state, attention = step(words, state)
        log_probs, attention = as_floats(log_probs), as_floats(attention)
        regions = attention.shape[-1]
        if length == 0:  # the state has a row a photo, and R from here on
            log_probs = repeat(log_probs, beams.rows)
            attention = repeat(attention, beams.rows)
            beams.begin(log_probs)
        chosen = beams.compete(log_probs)
        beams.harvest(chosen, length)
        if length == options.max_words:
            break
        record, stay = beams.move(chosen, log_probs, attention, length)
        history.append(record)
        staying = nonzero(stay)[0]
        if not len(staying):
            break
        parent = record.parent if length else zeros(record.parent.shape, record.parent)
        first = arange(len(stay), start) * (beams.rows if length else 1)
        rows = (parent + first[:, None])[staying].reshape(-1)
        words = record.word[staying].reshape(-1)
        state = state.select(rows, None if len(staying) == len(stay) else staying)
    return _collect(history, beams.finished, options, regions)


class _Beams:
    """The live beams: A of the B photos, R rows each."""

    def __init__(self, photos: int, options: SearchOptions, like: Array) -> None:
        self.options = options
        self.required = as_array(options.missing, like) if options.missing else None
        self.lanes = options.groups if self.required is None else len(options.missing) + 1
        self.width = options.beam // options.groups
        self.rows = self.lanes * self.width
        self.photo = arange(photos, like)  # (A,) which photos live
        self.sentence = zeros((photos, self.rows, 0), like)  # (A, R, t)
        self.total = full((photos, self.lanes, self.width), NEVER, like)
        first = slice(None) if self.required is None else slice(1)
        self.total[:, first, 0] = 0.0  # log-probability so far, less what worn phrases cost
        self.costs = PhraseCosts.of(options.worn, like)
        wanted = options.n_best or options.beam
        kept = min(wanted, max(self.width, -(-wanted // options.groups)))
        pools = self.lanes if self.required is None else 1
        self.finished = Finished(photos, pools, kept, like)

    def begin(self, log_probs: Array) -> None:
        """Learn V from the first log_probs (B·R, V)."""
        self.rules = Constraints(self.options, log_probs.shape[-1], log_probs)

    def compete(self, log_probs: Array) -> Candidates:
        """Return each lane's 2W best continuations, given log_probs (A·R, V)."""
        sentence = self.sentence.reshape(len(log_probs), -1)
        allowed = self.rules.allow(log_probs, sentence)
        if sentence.shape[1] >= len(self.options.prefix):
            self.costs.charge(allowed, sentence)
        scores = allowed.reshape(*self.total.shape, -1)
        scores += self.total[..., None]
        if self.required is not None:
            held = (self.sentence[..., None] == self.required).any(2)
            scores[:, :-1, :, self.options.end] = NEVER
            return banked(scores, self.required, held.reshape(*self.total.shape, -1))
        if self.lanes > 1:
            return diverse(scores, self.options.diversity, self.options.end)
        return plain(scores)

    def harvest(self, candidates: Candidates, length: int) -> None:
        """Keep the sentences that end among the W best continuations of their lane."""
        score, row, word = (part[..., : self.width] for part in candidates)
        score = where(word == self.options.end, score, NEVER)
        rank = score / (length + 1) ** self.options.length_penalty
        self.finished.add(self.photo, rank, score, row, length)

    def move(
        self, candidates: Candidates, log_probs: Array, attention: Array, length: int
    ) -> tuple[BeamStep, Array]:
        """Go on with the best continuations that do not end, for the photos that need it.

        Returns what was done and which of the A photos stay (A,) bool.
        """
        photos, vocabulary = len(self.photo), log_probs.shape[-1]
        total, parent, word = continuing(*candidates, self.options.end)
        done = self._done(total, length)  # (A, P)
        lost = repeat(done.reshape(-1), self.rows // done.shape[1]).reshape(total.shape)
        total = where(lost, NEVER, total)
        parent, word = parent.reshape(photos, -1), word.reshape(photos, -1)

        place = full((len(self.finished.rank),), -1, parent)
        place[self.photo] = arange(photos, place)
        taken = take(log_probs.reshape(photos, -1), parent * vocabulary + word)
        looked = attention.reshape(photos, self.rows, -1)
        record = BeamStep(place, parent, word, taken, looked, self._choices(log_probs))

        stay = ~done.all(1)
        here = arange(photos, place)[stay][:, None]
        sentence = concat((self.sentence[here, parent[stay]], word[stay][..., None]), 2)
        self.photo, self.total, self.sentence = self.photo[stay], total[stay], sentence
        return record, stay

    def _choices(self, log_probs: Array) -> tuple[Array, Array] | None:
        if not self.options.choices:
            return None
        shape = (len(self.photo), self.rows, -1)
        scores, ids = self.rules.likeliest(log_probs)
        return scores.reshape(shape), ids.reshape(shape)

    def _done(self, total: Array, length: int) -> Array:
        """Say (A, P) for which pools no live beam can still enter, given total (A, G, W).

        A log-probability only falls, so a beam ranks at best as if it ended for free: at the
        greatest length with `exact_stop`, at the next one without it.
        """
        worst = self.finished.rank[self.photo][..., -1]
        best = highest(total.reshape(len(total), worst.shape[1], -1))
        longest = self.options.max_words + 1 if self.options.exact_stop else length + 2
        done = best / longest**self.options.length_penalty <= worst
        if self.width == 1 and self.required is None:
            return done | (self.finished.rank[self.photo][..., 0] > NEVER)
        return done


def _collect(
    history: list[BeamStep], finished: Finished, options: SearchOptions, regions: int
) -> list[list[Hypothesis]]:
    """Rebuild the finished sentences of each photo, best first, none twice."""
    photo, log_prob, row, length = finished.ranked()
    found = rebuild(history, photo, row, length, log_prob, regions)
    found = [_refunded(one, options.cost(one)) for one in found]
    sentences: list[dict[tuple[int, ...], Hypothesis]] = [{} for _ in range(len(finished.rank))]
    for b, hypothesis in zip(photo.tolist(), found, strict=True):
        sentences[b].setdefault(hypothesis.words, hypothesis)
    return [list(unique.values())[: options.n_best or options.beam] for unique in sentences]


def _refunded(hypothesis: Hypothesis, cost: float) -> Hypothesis:
    """The sentence with its log-probability as the model has it, without what it has cost."""
    if not cost:
        return hypothesis
    return replace(hypothesis, log_probability=min(0.0, hypothesis.log_probability + cost))
