"""Beam search over a batch of photos, with banks for required words and groups for diversity.

The beams of a photo lie in G lanes of W rows, R = G·W in all. A plain search has one lane, a
diverse search one for each group. With C required words there are C + 1 lanes, where lane c holds
beams with exactly c of them (the banks of Post and Vilar 2018, at a fixed size); sentences end in
the last. The finished sentences of a photo are kept in P pools: one, or one for each group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from captioner.search.candidates import Candidates, banked, continuing, diverse, plain
from captioner.search.constraints import NEVER, Constraints
from captioner.search.history import Finished, Record, rebuild
from captioner.search.options import SearchOptions, log_coverage
from captioner.search.types import Hypothesis, S, Step


@torch.no_grad()
def beam_search(
    step: Step[S], state: S, start: Tensor, options: SearchOptions
) -> list[list[Hypothesis]]:
    """Return for each of B photos its best sentences, best first, at most `options.n_best`.

    `start` (B,) long is the first word fed, one a photo; `state` has B rows. A photo's list is
    shorter, even empty, where the beams met fewer sentences that obey `options`. With beams enough
    to hold every sentence the result is exact.
    """
    if not len(start):
        return []
    beams = _Beams(len(start), options, start.device)
    history: list[Record] = []
    words, regions = start, 0
    for length in range(options.max_words + 1):
        log_probs, state, attention = step(words, state)
        log_probs, attention = log_probs.float(), attention.float()
        regions = attention.shape[-1]
        if length == 0:  # the state has a row a photo, and R from here on
            log_probs = log_probs.repeat_interleave(beams.rows, 0)
            attention = attention.repeat_interleave(beams.rows, 0)
            beams.begin(log_probs, attention)
        chosen = beams.compete(log_probs)
        beams.harvest(chosen, length)
        if length == options.max_words:
            break
        record, stay = beams.move(chosen, log_probs, attention, length)
        history.append(record)
        if not stay.any():
            break
        parent = record.parent if length else torch.zeros_like(record.parent)
        first = torch.arange(len(stay), device=start.device) * (beams.rows if length else 1)
        rows = (parent + first[:, None])[stay].flatten()
        words = record.word[stay].flatten()
        state = state.select(rows, None if stay.all() else stay.nonzero().squeeze(1))
    return _collect(history, beams.finished, options, regions)


class _Beams:
    """The live beams: A of the B photos, R rows each."""

    def __init__(self, photos: int, options: SearchOptions, device: torch.device) -> None:
        self.options = options
        self.required = torch.tensor(options.missing, dtype=torch.long, device=device)
        self.banks = bool(options.missing)
        self.lanes = len(options.missing) + 1 if self.banks else options.groups
        self.width = options.beam // options.groups
        self.rows = self.lanes * self.width
        self.photo = torch.arange(photos, device=device)  # (A,) which photos live
        self.sentence = self.photo.new_empty(photos, self.rows, 0)  # (A, R, t)
        self.total = torch.full((photos, self.lanes, self.width), NEVER, device=device)
        self.total[:, 0 if self.banks else slice(None), 0] = 0.0  # log-probability so far
        self.covered: Tensor | None = None  # (A, R, L) attention paid so far
        kept = min(options.n_best or options.beam, self.width)
        self.finished = Finished(photos, 1 if self.banks else self.lanes, kept, device)

    def begin(self, log_probs: Tensor, attention: Tensor) -> None:
        """Learn V and L from the first log_probs (B·R, V) and attention (B·R, L)."""
        self.rules = Constraints(self.options, log_probs.shape[-1], log_probs.device)
        if self.options.coverage_penalty:
            self.covered = torch.zeros_like(attention).view(-1, self.rows, attention.shape[-1])

    def compete(self, log_probs: Tensor) -> Candidates:
        """Return each lane's 2W best continuations, given log_probs (A·R, V)."""
        allowed = self.rules.allow(log_probs, self.sentence.flatten(0, 1))
        if self.banks:
            held = (self.sentence[..., None] == self.required).any(2).view(*self.total.shape, -1)
            allowed = allowed.view(*self.total.shape, -1)
            allowed[:, :-1, :, self.options.end] = NEVER
        scores = self.total[..., None] + allowed.view(*self.total.shape, -1)
        if self.banks:
            return banked(scores, self.required, held)
        if self.lanes > 1:
            return diverse(scores, self.options.diversity, self.options.end)
        return plain(scores)

    def harvest(self, candidates: Candidates, length: int) -> None:
        """Keep the sentences that end among the W best continuations of their lane."""
        score, row, word = (part[..., : self.width] for part in candidates)
        score = score.masked_fill(word != self.options.end, NEVER)
        rank = score / (length + 1) ** self.options.length_penalty
        if self.covered is not None:
            coverage = log_coverage(self.covered).gather(1, row.flatten(1)).view_as(row)
            rank = rank + self.options.coverage_penalty * coverage
        self.finished.add(self.photo, rank, score, row, length)

    def move(
        self, candidates: Candidates, log_probs: Tensor, attention: Tensor, length: int
    ) -> tuple[Record, Tensor]:
        """Go on with the best continuations that do not end, for the photos that need it.

        Returns what was done and which of the A photos stay (A,) bool.
        """
        photos, vocabulary = len(self.photo), log_probs.shape[-1]
        total, parent, word = continuing(*candidates, self.options.end)
        done = self._done(total, length)  # (A, P)
        lost = done[..., None].expand(-1, -1, self.rows // done.shape[1])
        total = total.masked_fill(lost.reshape(total.shape), NEVER)
        parent, word = parent.flatten(1), word.flatten(1)

        place = self.photo.new_full((len(self.finished.rank),), -1)
        place[self.photo] = torch.arange(photos, device=place.device)
        taken = log_probs.reshape(photos, -1).gather(1, parent * vocabulary + word)
        record = Record(place, parent, word, taken, attention.reshape(photos, self.rows, -1))

        stay = ~done.all(1)
        here = torch.arange(photos, device=stay.device)[stay, None]
        sentence = torch.cat((self.sentence[here, parent[stay]], word[stay][..., None]), 2)
        if self.covered is not None:
            self.covered = (self.covered + record.attention)[here, parent[stay]]
        self.photo, self.total, self.sentence = self.photo[stay], total[stay], sentence
        return record, stay

    def _done(self, total: Tensor, length: int) -> Tensor:
        """Say (A, P) for which pools no live beam can still enter, given total (A, G, W).

        A log-probability only falls, so a beam ranks at best as if it ended for free: at the
        greatest length with `exact_stop`, at the next one without it.
        """
        worst = self.finished.rank[self.photo, :, -1]
        best = total.view(len(total), worst.shape[1], -1).amax(-1)
        longest = self.options.max_words + 1 if self.options.exact_stop else length + 2
        done: Tensor = best / longest**self.options.length_penalty <= worst
        if self.width == 1 and not self.banks:
            return done | (worst > NEVER)
        return done


def _collect(
    history: list[Record], finished: Finished, options: SearchOptions, regions: int
) -> list[list[Hypothesis]]:
    """Rebuild the finished sentences of each photo, best first, none twice."""
    photo, log_prob, row, length = finished.ranked()
    found = rebuild(history, photo, row, length, log_prob, regions)
    sentences: list[dict[tuple[int, ...], Hypothesis]] = [{} for _ in range(len(finished.rank))]
    for b, hypothesis in zip(photo.tolist(), found, strict=True):
        sentences[b].setdefault(hypothesis.words, hypothesis)
    return [list(unique.values())[: options.n_best or options.beam] for unique in sentences]
