"""Sampling: sentences drawn word by word from the model's own distribution, or a sharpened one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from captioner.errors import CaptionerError
from captioner.search.arrays import (
    NEVER,
    Array,
    arange,
    as_array,
    as_doubles,
    as_floats,
    concat,
    full,
    nonzero,
    order,
    put,
    repeat,
    softmax,
    stack,
    take,
    topk,
    where,
    zeros,
)
from captioner.search.constraints import Constraints
from captioner.search.history import unpack
from captioner.search.options import SearchOptions
from captioner.search.types import Hypothesis, S, Step

if TYPE_CHECKING:
    import torch


def sample(
    step: Step[S],
    state: S,
    start: Array,
    options: SearchOptions,
    samples: int = 1,
    seed: int = 0,
) -> list[list[Hypothesis]]:
    """Draw `samples` sentences about each of B photos; return each photo's, best ranked first.

    `start` (B,) int64 is the first word fed, `state` has B rows. Sentences obey the constraints of
    `options` (required words apart: CaptionerError) and are not made unique. Every photo gets the
    same random numbers, which follow from `seed`: what is drawn for it depends neither on the
    photos beside it nor on the engine.
    """
    if not len(start):
        return []
    numbers = np.random.default_rng(seed).random((samples, options.max_words + 1), np.float32)
    uniform = as_array(np.broadcast_to(numbers, (len(start), *numbers.shape)).copy(), start)
    length = zeros(uniform.shape[:2], start)  # (B, S)
    log_prob = full(uniform.shape[:2], 0.0, start)
    history: tuple[list[Array], ...] = ([], [], [], [], [])
    for drawn in _draws(step, state, start, options, uniform):
        log_prob[drawn.photo] += where(drawn.going, drawn.score, 0.0)
        length[drawn.photo] += (drawn.going & (drawn.word != options.end)) * 1
        parts = (drawn.word, drawn.score, drawn.attention, *drawn.choices)
        for kept, part in zip(history, parts, strict=False):
            kept.append(_spread(part, drawn.photo, len(start)))
    words, scores, maps, *choices = (
        stack(parts, 2).reshape(len(start) * samples, len(parts), *parts[0].shape[2:])
        for parts in history
        if parts
    )
    found = unpack(words, scores, maps, length.reshape(-1), log_prob.reshape(-1), choices)
    return [_ranked(found[b : b + samples], options) for b in range(0, len(found), samples)]


def sample_ids(
    step: Step[S],
    state: S,
    start: torch.Tensor,
    options: SearchOptions,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw `samples` sentences about each of B photos as ids (B, samples, max_words) long.

    For training by samples: nothing is forced at the end. A row holds at most `max_words` draws,
    its end among them, then `options.pad`; a row without an end was cut off. Every row has its own
    random numbers, of torch's `generator` (None: its own).
    """
    import torch

    device = generator.device if generator else None
    shape = (len(start), samples, options.max_words)
    uniform = torch.rand(*shape, generator=generator, device=device).to(start.device)
    ids = torch.full(shape, options.pad, device=start.device)
    with torch.no_grad():
        for t, drawn in enumerate(_draws(step, state, start, options, uniform)):
            over = ~drawn.going | drawn.score.isneginf()
            ids[drawn.photo, :, t] = drawn.word.masked_fill(over, options.pad)
    return ids


def sharpen(log_probs: Array, options: SearchOptions) -> Array:
    """Return the probabilities (N, V) to draw from: temperature, then top-k, then nucleus."""
    logits = log_probs / options.temperature
    if 0 < options.top_k < logits.shape[-1]:
        kept, index = topk(logits, options.top_k)
        logits = put(full(logits.shape, NEVER, logits), index, kept)
    probs = softmax(logits)
    probs = where(probs == probs, probs, 0.0)  # not a number where nothing is allowed
    if options.top_p < 1:
        index = order(probs, descending=True)
        ordered = take(probs, index)
        before = ordered.cumsum(-1) - ordered
        probs = put(probs, index, where(before >= options.top_p, 0.0, ordered))
    return probs


def draw(probs: Array, uniform: Array) -> Array:
    """Return (N,) int64: the words that uniform (N,) in [0, 1) picks from probs (N, V).

    The weights need not sum to 1. A word of weight 0 is picked only where there is no other.
    """
    mass = as_doubles(probs).cumsum(-1)
    point = as_doubles(uniform)[:, None] * mass[:, -1:]
    word = (mass <= point).sum(-1)
    return where(word < probs.shape[1], word, probs.shape[1] - 1)


@dataclass(frozen=True)
class _Drawn:
    """One step: the A live photos, their S sentences, and what was drawn for them."""

    photo: Array  # (A,)
    going: Array  # (A, S) which sentences still go on
    word: Array  # (A, S)
    score: Array  # (A, S) log-probability of the word
    attention: Array  # (A, S, L)
    choices: tuple[Array, ...]  # none, or (A, S, k) log-probabilities and ids


def _draws(
    step: Step[S], state: S, start: Array, options: SearchOptions, uniform: Array
) -> Iterator[_Drawn]:
    """Draw word after word, uniform (B, S, T) deciding, until every sentence has ended.

    A sentence that no word may follow draws one of log-probability -inf.
    """
    if options.missing:
        raise CaptionerError("required words need a beam search; sampling cannot place them")
    samples = uniform.shape[1]
    photo = arange(len(start), start)
    going = full(uniform.shape[:2], True, start)
    sentence = zeros((len(start) * samples, 0), start)
    words = start
    for t in range(uniform.shape[2]):
        log_probs, state, attention = step(words, state)
        if t == 0:  # the state has a row a photo, and `samples` from here on
            rules = Constraints(options, log_probs.shape[-1], start)
            log_probs, attention = repeat(log_probs, samples), repeat(attention, samples)
        allowed = rules.allow(as_floats(log_probs), sentence)
        words = draw(sharpen(allowed, options), uniform[photo, :, t].reshape(-1))
        score = take(allowed, words[:, None]).reshape(going.shape)
        sentence = concat((sentence, words[:, None]), 1)
        word = words.reshape(going.shape)
        choices = rules.likeliest(as_floats(log_probs)) if options.choices else ()
        yield _Drawn(
            photo,
            going,
            word,
            score,
            as_floats(attention).reshape(*going.shape, -1),
            tuple(part.reshape(*going.shape, -1) for part in choices),
        )

        going = going & (word != options.end) & (score > NEVER)
        staying = nonzero(going.any(1))[0]
        if not len(staying):
            return
        rows = (staying[:, None] * samples + arange(samples, start)).reshape(-1)
        words, sentence = words[rows], sentence[rows]
        source = rows if t else rows // samples
        state = state.select(source, None if len(staying) == len(going) else staying)
        photo, going = photo[staying], going[staying]


def _spread(part: Array, photo: Array, photos: int) -> Array:
    """Return part (A, …) with its rows at the places `photo` (A,) of (B, …), zero elsewhere."""
    kind = 0.0 if "float" in str(part.dtype) else 0
    spread = full((photos, *part.shape[1:]), kind, part)
    spread[photo] = part
    return spread


def _ranked(found: list[Hypothesis], options: SearchOptions) -> list[Hypothesis]:
    complete = [h for h in found if h.log_probability > NEVER]
    return sorted(complete, key=options.rank, reverse=True)
