"""What a beam search did, step by step, and the sentences rebuilt from it at the end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from captioner.search.types import Hypothesis


@dataclass(frozen=True)
class Record:
    """One step over A live photos with R rows each; nothing in it is ever moved again."""

    place: Tensor  # (B,) long: where a photo lies among the live ones, -1 when it has left
    parent: Tensor  # (A, R) long: the row that each new row continues
    word: Tensor  # (A, R) long
    log_prob: Tensor  # (A, R): of that word
    attention: Tensor  # (A, R, L): of the old rows


class Finished:
    """The best k finished sentences in each of the P pools of B photos; ranks fall along k."""

    def __init__(self, photos: int, pools: int, kept: int, device: torch.device) -> None:
        """Start with none: a rank of -inf marks an empty place."""
        self.rank = torch.full((photos, pools, kept), float("-inf"), device=device)
        self.log_prob = self.rank.clone()
        self.row = torch.zeros(photos, pools, kept, dtype=torch.long, device=device)
        self.length = self.row.clone()

    def add(self, photo: Tensor, rank: Tensor, log_prob: Tensor, row: Tensor, length: int) -> None:
        """Offer sentences of `length` words that ended in `row`; all (A, …) for photo (A,)."""
        shape = (len(photo), self.rank.shape[1], -1)
        best, index = torch.cat((self.rank[photo], rank.reshape(shape)), 2).topk(self.rank.shape[2])
        self.rank[photo] = best
        new_length = torch.full_like(row, length)
        for kept, new in ((self.log_prob, log_prob), (self.row, row), (self.length, new_length)):
            kept[photo] = torch.cat((kept[photo], new.reshape(shape)), 2).gather(2, index)

    def ranked(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return photo, log-probability, row and length of the H sentences, each (H,).

        Photo by photo, best first.
        """
        rank, order = self.rank.flatten(1).sort(stable=True, dim=1, descending=True)
        photo, place = (rank > float("-inf")).nonzero(as_tuple=True)
        index = (photo, order[photo, place])
        kept = (self.log_prob, self.row, self.length)
        log_prob, row, length = (part.flatten(1)[index] for part in kept)
        return photo, log_prob, row, length


def rebuild(
    history: list[Record],
    photo: Tensor,
    row: Tensor,
    length: Tensor,
    log_prob: Tensor,
    regions: int,
) -> list[Hypothesis]:
    """Follow H sentences back from their last words.

    Sentence h is about photo[h], has length[h] words and ended in row[h]; all are (H,).
    `log_prob` (H,) is that of the whole sentence with its end.
    """
    count, steps = len(length), int(length.max()) if len(length) else 0
    words = torch.zeros(count, steps, dtype=torch.long, device=length.device)
    scores = torch.zeros(count, steps, device=length.device)
    attention = torch.zeros(count, steps, regions, device=length.device)
    row = row.clone()
    for t in reversed(range(steps)):
        h = (length > t).nonzero().squeeze(1)
        place = history[t].place[photo[h]]
        words[h, t] = history[t].word[place, row[h]]
        scores[h, t] = history[t].log_prob[place, row[h]]
        row[h] = history[t].parent[place, row[h]]
        attention[h, t] = history[t].attention[place, row[h]]
    return unpack(words, scores, attention, length, log_prob)


def unpack(
    words: Tensor, scores: Tensor, attention: Tensor, length: Tensor, log_prob: Tensor
) -> list[Hypothesis]:
    """Turn (H, T), (H, T), (H, T, L), (H,) and (H,) into H hypotheses on the CPU."""
    attention = attention.cpu()
    rows = zip(
        words.tolist(), scores.tolist(), attention, length.tolist(), log_prob.tolist(), strict=True
    )
    return [Hypothesis(tuple(w[:n]), p, tuple(s[:n]), a[:n]) for w, s, a, n, p in rows]
