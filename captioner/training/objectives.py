"""What each stage minimises. Every objective returns sums and counts: the loss is made of their
ratios, also over several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from captioner.cider import CiderReward, Vector
from captioner.model.decoder import State
from captioner.model.model import Model
from captioner.search import SearchOptions, sample_ids
from captioner.training.batches import Captions, TextBatch


@dataclass
class Loss:
    """Sums over items, each with the number of its items.

    The sum of the ratios of `terms` is minimised; those of `figures` go into the log.
    """

    terms: list[tuple[Tensor, int]]
    figures: dict[str, tuple[float, int]]


def repeat(state: State, times: int) -> State:
    """Give every photo `times` rows, photo-major."""
    rows = torch.arange(len(state.hidden), device=state.hidden.device).repeat_interleave(times)
    return state.select(rows)


def teach(
    model: Model, captions: Captions, state: State, smoothing: float
) -> tuple[Tensor, Tensor, int]:
    """Teacher forcing: smoothed loss and plain negative log-likelihood in nats, both summed over
    the words, and the number of words."""
    features, _ = model.decoder(captions.words, state)
    known = captions.targets >= 0
    log_probs = model.decoder.score(features[known])
    nll = -log_probs.gather(1, captions.targets[known][:, None]).sum()
    smoothed = (1 - smoothing) * nll - smoothing * log_probs.mean(1).sum()
    return smoothed, nll, int(known.sum())


def cross_entropy(
    model: Model, grid: Tensor, captions: Captions, targets: Tensor, smoothing: float, weight: float
) -> Loss:
    """Captions of photos, and with `weight` the attribute words of the same photos.

    grid (B, L, C), captions of B·K rows, targets (B, A).
    """
    logits = model.head(grid)
    state = model.decoder.start(grid, *model.name_attributes(logits))
    state = repeat(state, len(captions.words) // len(grid))
    loss, nll, count = teach(model, captions, state, smoothing)
    attribute = attribute_loss(logits, targets)
    return Loss(
        [(loss, count), (weight * attribute, len(grid))],
        {"nll": (float(nll.detach()), count), "attributes": (float(attribute.detach()), len(grid))},
    )


def attribute_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of (B, A), summed over words and photos."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def words(model: Model, grid: Tensor, targets: Tensor) -> Loss:
    """Which words would a caption hold? grid (B, L, C), targets (B, A)."""
    loss = attribute_loss(model.head(grid), targets)
    return Loss([(loss, len(grid))], {"attributes": (float(loss.detach()), len(grid))})


def language(model: Model, batch: TextBatch, smoothing: float) -> Loss:
    """Sentences without photos, from their attribute words."""
    state = model.decoder.start(None, batch.attributes, batch.certainty)
    loss, nll, count = teach(model, batch.captions, state, smoothing)
    return Loss([(loss, count)], {"nll": (float(nll.detach()), count)})


class SelfCritical:
    """Rennie et al. 2017 (https://arxiv.org/abs/1612.00563) with the mean of a photo's other
    samples as the baseline (Luo 2020, https://arxiv.org/abs/2003.09971)."""

    def __init__(
        self, references: Sequence[Sequence[Sequence[int]]], silent: Sequence[int], end: int
    ) -> None:
        """`references` of every training photo, as ids; `silent` ids (commas) do not count.

        The end counts as a word, so that breaking off after "with a" costs.
        """
        self.silent, self.end = set(silent), end
        spoken = [[[*self._spoken(r), end] for r in photo] for photo in references]
        self.reward = CiderReward(spoken)
        self.references: list[list[Vector]] = [
            [self.reward.vector(r) for r in photo] for photo in spoken
        ]

    def _spoken(self, ids: Sequence[int]) -> list[int]:
        return [i for i in ids if i not in self.silent]

    def rewards(self, sampled: Tensor, photos: Sequence[int], pad: int) -> Tensor:
        """CIDEr-D, 0…10, of sampled ids (B, S, T) about `photos` (B,): (B, S)."""
        return torch.tensor(
            [
                [
                    self.reward.score(
                        [i for i in self._spoken(row) if i != pad], self.references[photo]
                    )
                    for row in rows
                ]
                for rows, photo in zip(sampled.tolist(), photos, strict=True)
            ]
        )

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
        features, _ = model.decoder(
            torch.cat([first, written[:, :-1]], 1), repeat(model.start_from_grid(grid), samples)
        )
        known = written != pad
        log_probs = model.decoder.score(features[known]).gather(1, written[known][:, None])[:, 0]
        gain = advantage[:, None].expand_as(written)[known]
        return Loss(
            [(-(gain * log_probs).sum(), int(known.sum()))],
            {"reward": (float(rewards.sum()), rewards.numel())},
        )
