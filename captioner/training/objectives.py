"""What each stage minimises. Every objective returns sums and counts: the loss is made of their
ratios, also over several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch
import torch.nn.functional as F
from torch import Tensor

from captioner.cider import CiderReward, Vector
from captioner.model.attributes import AttributeHead
from captioner.model.decoder import Decoder, State, Taught
from captioner.model.model import Model
from captioner.search import SearchOptions, sample_ids
from captioner.training.batches import Captions, TextBatch


@dataclass
class Loss:
    """Sums over items, each with the number of its items.

    The sum of the ratios of `terms` is minimised; those of `figures` go into the log. The numbers
    are known before a GPU has computed anything, so that nothing waits for it.
    """

    terms: list[tuple[Tensor, int]]
    figures: dict[str, tuple[Tensor, int]]


def repeat(state: State, times: int) -> State:
    """Give every photo `times` rows, photo-major."""
    rows = torch.arange(len(state.hidden), device=state.hidden.device).repeat_interleave(times)
    return state.select(rows)


@dataclass(frozen=True)
class Teaching:
    """How the decoder is taught, as in `TrainingConfig`; `told` is the share of words it is fed."""

    smoothing: float = 0.0
    told: float = 1.0
    per_sentence: bool = False
    doubly_stochastic: float = 0.0
    hard_entropy: float = 0.0
    guidance: float = 0.0


def teach(
    decoder: Decoder,
    captions: Captions,
    state: State,
    teaching: Teaching,
    places: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Teacher forcing: the loss and the plain negative log-likelihood in nats, both summed over
    the words.

    The loss is label-smoothed; with attention the penalties that `teaching` asks for are added.
    `places` (N, T, L) is where the attention for each word is guided to.
    """
    taught = decoder(captions.words, state, teaching.told, teaching.per_sentence)
    known = captions.targets >= 0
    log_probs = decoder.score(taught.features)  # also of what is no word: to choose would wait
    words = -log_probs.gather(2, captions.targets.clamp_min(0)[..., None]).squeeze(2) * known
    nll, smoothing = words.sum(), teaching.smoothing
    loss = (1 - smoothing) * nll - smoothing * (log_probs.mean(2) * known).sum()
    if teaching.doubly_stochastic:
        loss = loss + teaching.doubly_stochastic * passed_over(taught.weights, known)
    if taught.regions is not None:
        loss = loss + hard_attention(taught, words.detach(), known, teaching.hard_entropy)
    if places is not None:
        loss = loss + teaching.guidance * guidance_loss(taught.weights, places)
    return loss, nll.detach()


def guidance_loss(weights: Tensor, places: Tensor) -> Tensor:
    """Σ over words of the cross-entropy between their attention (N, T, L) and where it is guided
    to, `places` (N, T, L), all zero for a word that is not guided.

    Attention learns better where it is told where to look (Liu et al. 2017,
    https://arxiv.org/abs/1605.09553); here the attribute words tell it, no boxes are needed.
    """
    return -(places * weights.clamp_min(1e-9).log()).sum()


def guidance_targets(regions: Tensor, attribute_ids: Tensor, targets: Tensor) -> Tensor:
    """Where the attribute head finds each word: the share that each region has in its pooled score.

    Logits of regions (B, L, A) of the words `attribute_ids` (A,), targets (B·K, T) → (B·K, T, L),
    zero for a word that is none of them.
    """
    shares = regions.detach().softmax(1).transpose(1, 2)
    photos = torch.arange(len(regions), device=regions.device)
    photos = photos.repeat_interleave(len(targets) // len(regions))[:, None]
    named = targets.unsqueeze(-1) == attribute_ids
    return shares[photos, named.int().argmax(-1)] * named.any(-1, keepdim=True)


def passed_over(weights: Tensor, known: Tensor) -> Tensor:
    """Σ over N sentences of the mean over L regions of (1 − Σₜ αₜ)²: what each region lacks of
    being looked at once, or has too much (Xu et al. 2015, equation 14).

    weights (N, T, L) of the words that are `known` (N, T).
    """
    paid = (weights * known.unsqueeze(-1)).sum(1)
    return ((1 - paid) ** 2).mean(-1).sum()


def hard_attention(taught: Taught, nll: Tensor, known: Tensor, entropy: float) -> Tensor:
    """REINFORCE for the regions that were drawn (Xu et al. 2015, §4.1), and their entropy.

    A sentence's reward is the log-probability of its words, by the word; the baseline is the mean
    of the other sentences of the batch, so that nothing has to be kept from step to step. `nll` are
    the nats of the words (N, T), 0 where there is none.
    """
    assert taught.regions is not None
    weights = taught.weights.clamp_min(1e-9)
    chosen = weights.gather(2, taught.regions.clamp_min(0).unsqueeze(-1)).squeeze(-1).log()
    drawn = known & (taught.regions >= 0)
    reward = -nll.sum(1) / known.sum(1).clamp_min(1)
    others = (reward.sum() - reward) / max(1, len(reward) - 1)
    gain = (reward - others).unsqueeze(1) * chosen
    undecided = -(weights * weights.log()).sum(-1)
    return -(gain * drawn).sum() - entropy * (undecided * known).sum()


def cross_entropy(model: Model, grid: Tensor, captions: Captions, teaching: Teaching) -> Loss:
    """Captions of photos: grid (B, L, C), captions of B·K rows, photo-major."""
    regions = model.head.score_regions(grid) if model.attributes else None
    named: tuple[Tensor, ...] = ()
    if regions is not None and model.sees_attributes:
        named = model.name_attributes(model.head.pool(regions))
    state = repeat(model.decoder.start(grid, *named), len(captions.words) // len(grid))
    places = None
    if teaching.guidance and regions is not None:
        places = guidance_targets(regions, model.attribute_ids, captions.targets)
    loss, nll = teach(model.decoder, captions, state, teaching, places)
    return Loss([(loss, captions.count)], {"nll": (nll, captions.count)})


def named_in_photos(
    head: AttributeHead, grid: Tensor, targets: Tensor, known: Tensor, count: int
) -> tuple[Tensor, int]:
    """Which words does `head` name in photos? The binary cross-entropy, summed over A words and
    those of the photos of which the targets are known, and their number.

    grid (B, L, C), targets (B, A), known (B,) 1 or 0, of which `count` are 1.
    """
    each = F.binary_cross_entropy_with_logits(head(grid), targets, reduction="none").sum(1)
    return (each * known).sum(), count


def language(model: Model, batch: TextBatch, teaching: Teaching) -> Loss:
    """Sentences without photos, from their attribute words."""
    state = model.decoder.start(None, batch.attributes, batch.certainty)
    loss, nll = teach(model.decoder, batch.captions, state, teaching)
    return Loss([(loss, batch.captions.count)], {"nll": (nll, batch.captions.count)})


class SelfCritical:
    """Rennie et al. 2017 (https://arxiv.org/abs/1612.00563) with the mean of a photo's other
    samples as the baseline (Luo 2020, https://arxiv.org/abs/2003.09971)."""

    def __init__(
        self,
        references: Sequence[Sequence[Sequence[int]]],
        silent: Sequence[int],
        end: int,
        workers: int = 0,
    ) -> None:
        """`references` of every training photo, as ids; `silent` ids (commas) do not count.

        The end counts as a word, so that breaking off after "with a" costs. With `workers` so many
        processes share the reckoning.
        """
        self.silent, self.end = set(silent), end
        spoken = [[[*self._spoken(r), end] for r in photo] for photo in references]
        self.reward = CiderReward(spoken)
        self.references: list[list[Vector]] = [
            [self.reward.vector(r) for r in photo] for photo in spoken
        ]
        self.pool: ProcessPoolExecutor | None = None
        if workers:
            fork = get_context("fork")  # the references are there without being sent
            self.pool = ProcessPoolExecutor(workers, fork, _keep, (self._score,))

    def close(self) -> None:
        """End the processes."""
        if self.pool is not None:
            self.pool.shutdown()

    def _spoken(self, ids: Sequence[int]) -> list[int]:
        return [i for i in ids if i not in self.silent]

    def _score(self, photo: int, rows: Sequence[Sequence[int]]) -> list[float]:
        return [self.reward.score(self._spoken(row), self.references[photo]) for row in rows]

    def rewards(self, sampled: Tensor, photos: Sequence[int], pad: int) -> Tensor:
        """CIDEr-D, 0…10, of sampled ids (B, S, T) about `photos` (B,): (B, S)."""
        written = [[[i for i in row if i != pad] for row in rows] for rows in sampled.tolist()]
        tasks = list(zip(photos, written, strict=True))
        if self.pool is None:
            return torch.tensor([self._score(*task) for task in tasks])
        return torch.tensor(list(self.pool.map(_kept, tasks, chunksize=16)))

    def __call__(
        self,
        model: Model,
        grid: Tensor,
        starts: Tensor,
        photos: Sequence[int],
        options: SearchOptions,
        samples: int,
    ) -> Loss:
        """grid (B, L, C), starts (B,) the first word of each photo's sentences."""
        pad = model.vocabulary.pad
        training = model.training
        model.eval()
        with torch.no_grad():
            state = model.start_from_grid(grid)
            sampled = sample_ids(model.decoder.step, state, starts, options, samples)
        model.train(training)
        longest = int((sampled != pad).sum(-1).max())
        sampled = sampled[:, :, :longest]
        rewards = self.rewards(sampled, photos, pad).to(grid.device)
        others = (rewards.sum(1, keepdim=True) - rewards) / (samples - 1)
        advantage = (rewards - others).flatten()
        written = sampled.flatten(0, 1)
        first = starts.repeat_interleave(samples)[:, None]
        taught = model.decoder(
            torch.cat([first, written[:, :-1]], 1), repeat(model.start_from_grid(grid), samples)
        )
        known = written != pad
        log_probs = model.decoder.score(taught.features).gather(2, written[..., None]).squeeze(2)
        gain = advantage[:, None] * known
        return Loss(
            [(-(gain * log_probs).sum(), int(known.sum()))],
            {"reward": (rewards.sum(), rewards.numel())},
        )


Scoring = Callable[[int, Sequence[Sequence[int]]], list[float]]
_scoring: list[Scoring] = []  # of a process of the pool


def _keep(scoring: Scoring) -> None:
    _scoring[:] = [scoring]


def _kept(task: tuple[int, Sequence[Sequence[int]]]) -> list[float]:
    return _scoring[0](*task)
