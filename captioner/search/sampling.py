"""Sampling: sentences drawn word by word from the model's own distribution, or a sharpened one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from captioner.errors import CaptionerError
from captioner.search.constraints import NEVER, Constraints
from captioner.search.history import unpack
from captioner.search.options import SearchOptions
from captioner.search.types import Hypothesis, S, Step


@torch.no_grad()
def sample(
    step: Step[S],
    state: S,
    start: Tensor,
    options: SearchOptions,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> list[list[Hypothesis]]:
    """Draw `samples` sentences about each of B photos; return each photo's, best ranked first.

    `start` (B,) long is the first word fed, `state` has B rows. Sentences obey the constraints of
    `options` (required words apart: CaptionerError) and are not made unique. `generator` lies on
    the CPU (None: torch's own); every photo gets the same random numbers, so what is drawn for it
    does not depend on the photos beside it.
    """
    if not len(start):
        return []
    uniform = _uniform(generator, samples, options.max_words + 1).expand(len(start), -1, -1)
    length = torch.zeros(uniform.shape[:2], dtype=torch.long, device=start.device)  # (B, S)
    log_prob = torch.zeros(uniform.shape[:2], device=start.device)
    history: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for photo, going, word, score, attention in _draws(step, state, start, options, uniform):
        log_prob[photo] += score.masked_fill(~going, 0.0)
        length[photo] += going & (word != options.end)
        for parts, part in zip(history, (word, score, attention), strict=True):
            parts.append(_spread(part, photo, len(start)))
    words, scores, maps = (torch.stack(parts, 2).flatten(0, 1) for parts in history)
    found = unpack(words, scores, maps, length.flatten(), log_prob.flatten())
    return [_ranked(found[b : b + samples], options) for b in range(0, len(found), samples)]


@torch.no_grad()
def sample_ids(
    step: Step[S],
    state: S,
    start: Tensor,
    options: SearchOptions,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw `samples` sentences about each of B photos as ids (B, samples, max_words) long.

    For training by samples: nothing is forced at the end. A row holds at most `max_words` draws,
    its end among them, then `options.pad`; a row without an end was cut off. Every row has its own
    random numbers. `generator` lies on the CPU.
    """
    uniform = _uniform(generator, len(start), samples, options.max_words)
    ids = torch.full(uniform.shape, options.pad, device=start.device)
    draws = _draws(step, state, start, options, uniform)
    for t, (photo, going, word, score, _) in enumerate(draws):
        ids[photo, :, t] = word.masked_fill(~going | score.isneginf(), options.pad)
    return ids


def sharpen(log_probs: Tensor, options: SearchOptions) -> Tensor:
    """Return the probabilities (N, V) to draw from: temperature, then top-k, then nucleus."""
    logits = log_probs / options.temperature
    if 0 < options.top_k < logits.shape[-1]:
        kept, index = logits.topk(options.top_k)
        logits = torch.full_like(logits, NEVER).scatter_(1, index, kept)
    probs = logits.softmax(-1).nan_to_num()  # not a number where nothing is allowed
    if options.top_p < 1:
        ordered, index = probs.sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        probs = probs.scatter(1, index, ordered.masked_fill(before >= options.top_p, 0.0))
    return probs


def draw(probs: Tensor, uniform: Tensor) -> Tensor:
    """Return (N,) long: the words that uniform (N,) in [0, 1) picks from probs (N, V).

    The weights need not sum to 1. A word of weight 0 is picked only where there is no other.
    """
    mass = probs.double().cumsum(-1)
    point = uniform.double()[:, None] * mass[:, -1:]
    word = torch.searchsorted(mass, point, right=True).squeeze(1)
    return word.clamp(max=probs.shape[1] - 1)


def _draws(
    step: Step[S], state: S, start: Tensor, options: SearchOptions, uniform: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Draw word after word, uniform (B, S, T) deciding, until every sentence has ended.

    Yields at each step which A photos live (A,), which of their sentences still go on (A, S), the
    words drawn and their log-probabilities (A, S) and the attention (A, S, L). A sentence that no
    word may follow draws one of log-probability -inf.
    """
    if options.missing:
        raise CaptionerError("required words need a beam search; sampling cannot place them")
    uniform = uniform.to(start.device)
    samples = uniform.shape[1]
    photo = torch.arange(len(start), device=start.device)
    going = torch.ones(uniform.shape[:2], dtype=torch.bool, device=start.device)
    sentence = start.new_empty(going.numel(), 0)
    words = start
    for t in range(uniform.shape[2]):
        log_probs, state, attention = step(words, state)
        if t == 0:  # the state has a row a photo, and `samples` from here on
            rules = Constraints(options, log_probs.shape[-1], start.device)
            log_probs = log_probs.repeat_interleave(samples, 0)
            attention = attention.repeat_interleave(samples, 0)
        allowed = rules.allow(log_probs.float(), sentence)
        words = draw(sharpen(allowed, options), uniform[photo, :, t].flatten())
        score = allowed.gather(1, words[:, None]).view_as(going)
        sentence = torch.cat((sentence, words[:, None]), 1)
        word = words.view_as(going)
        yield photo, going, word, score, attention.float().reshape(*going.shape, -1)

        going = going & (word != options.end) & ~score.isneginf()
        stay = going.any(1)
        if not stay.any():
            return
        rows = torch.arange(going.numel(), device=start.device).view_as(going)[stay].flatten()
        words, sentence = words[rows], sentence[rows]
        source = rows if t else rows // samples
        state = state.select(source, None if stay.all() else stay.nonzero().squeeze(1))
        photo, going = photo[stay], going[stay]


def _uniform(generator: torch.Generator | None, *shape: int) -> Tensor:
    device = generator.device if generator else None
    return torch.rand(*shape, generator=generator, device=device)


def _spread(part: Tensor, photo: Tensor, photos: int) -> Tensor:
    """Return part (A, …) with its rows at the places `photo` (A,) of (B, …), zero elsewhere."""
    return part.new_zeros(photos, *part.shape[1:]).index_copy_(0, photo, part)


def _ranked(found: list[Hypothesis], options: SearchOptions) -> list[Hypothesis]:
    complete = [h for h in found if h.log_probability > NEVER]
    return sorted(complete, key=options.rank, reverse=True)
