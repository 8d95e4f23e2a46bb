"""How the continuations of a photo's beams compete: plainly, in diverse groups, or in banks.

The beams of A photos lie in G lanes of W rows; row g·W + w is beam w of lane g. Every function
takes scores (A, G, W, V), the log-probability of each beam followed by each word, and returns for
each lane its 2W best continuations, best first: score, row and word, each (A, G, 2W). As at most
W of them end a sentence, at least W go on.
"""

from __future__ import annotations

import torch
from torch import Tensor

Candidates = tuple[Tensor, Tensor, Tensor]


def plain(scores: Tensor) -> Candidates:
    """Let the beams of a lane compete among themselves."""
    _, lanes, width, vocabulary = scores.shape
    score, index = scores.flatten(2).topk(2 * width)
    return score, index // vocabulary + _first_rows(lanes, width, scores), index % vocabulary


def diverse(scores: Tensor, diversity: float, end: int) -> Candidates:
    """Choose lane after lane; a word costs `diversity` for each beam that has taken it already.

    The scores returned are without that cost, their order is with it.
    """
    photos, _, width, vocabulary = scores.shape
    taken = scores.new_zeros(photos, vocabulary)
    chosen: list[Candidates] = []
    for lane in scores.unbind(1):
        lane = lane[:, None]
        _, row, word = plain(lane - diversity * taken[:, None, None])
        score = lane.flatten(1).gather(1, (row * vocabulary + word).flatten(1)).view(row.shape)
        going = continuing(score, row, word, end)
        taken.scatter_add_(1, going[2].flatten(1), going[0].isfinite().to(taken).flatten(1))
        chosen.append((score, row + len(chosen) * width, word))
    score, row, word = (torch.cat(parts, 1) for parts in zip(*chosen, strict=True))
    return score, row, word


def banked(scores: Tensor, required: Tensor, held: Tensor) -> Candidates:
    """Let beams compete only with beams that hold as many of the required words (C).

    Lane c holds beams with c of them; `held` (A, G, W, C) says which. A continuation by a required
    word that its beam lacks competes in the next lane.
    """
    _, lanes, width, vocabulary = scores.shape
    gain = scores[..., required].masked_fill(held, float("-inf"))
    same = scores.clone()
    same[..., required] = scores[..., required].masked_fill(~held, float("-inf"))
    gain = torch.cat((torch.full_like(gain[:, :1], float("-inf")), gain[:, :-1]), 1)
    score, index = torch.cat((same.flatten(2), gain.flatten(2)), 2).topk(2 * width)

    first, gained = _first_rows(lanes, width, scores), index - width * vocabulary
    row = torch.where(
        gained < 0,
        index // vocabulary + first,
        (gained // len(required) + first - width).clamp(min=0),
    )
    word = torch.where(gained < 0, index % vocabulary, required[gained % len(required)])
    return score, row, word


def continuing(score: Tensor, row: Tensor, word: Tensor, end: int) -> Candidates:
    """Return of 2W candidates a lane the best W that do not end, in their order: (A, G, W) each."""
    ended = (word == end).byte()
    order = ended.argsort(stable=True, dim=-1)[..., : word.shape[-1] // 2]
    return score.gather(-1, order), row.gather(-1, order), word.gather(-1, order)


def _first_rows(lanes: int, width: int, like: Tensor) -> Tensor:
    return torch.arange(0, lanes * width, width, device=like.device)[:, None]  # (G, 1)
