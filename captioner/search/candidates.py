"""How the continuations of a photo's beams compete: plainly, in diverse groups, or in banks.

The beams of A photos lie in G lanes of W rows; row g·W + w is beam w of lane g. Every function
takes scores (A, G, W, V), the log-probability of each beam followed by each word, and returns for
each lane its 2W best continuations, best first: score, row and word, each (A, G, 2W). As at most
W of them end a sentence, at least W go on.
"""

from __future__ import annotations

from captioner.search.arrays import NEVER, Array, arange, concat, copy, full, order, take, topk
from captioner.search.arrays import where as choose

Candidates = tuple[Array, Array, Array]


def plain(scores: Array) -> Candidates:
    """Let the beams of a lane compete among themselves."""
    photos, lanes, width, vocabulary = scores.shape
    score, index = topk(scores.reshape(photos, lanes, -1), 2 * width)
    return score, index // vocabulary + _first_rows(lanes, width, scores), index % vocabulary


def diverse(scores: Array, diversity: float, end: int) -> Candidates:
    """Choose lane after lane; a word costs `diversity` for each beam that has taken it already.

    The scores returned are without that cost, their order is with it. A dead beam takes no word.
    """
    photos, lanes, width, vocabulary = scores.shape
    cost = full((photos, vocabulary), 0.0, scores)
    rows = arange(photos, scores)[:, None]
    chosen: list[Candidates] = []
    for g in range(lanes):
        lane = scores[:, g : g + 1]
        _, row, word = plain(lane - cost[:, None, None])
        score = take(lane.reshape(photos, 1, -1), row * vocabulary + word)
        going = continuing(score, row, word, end)
        for w in range(width):  # a word may be taken by several beams: one after the other
            alive = (going[0][:, 0, w : w + 1] > NEVER) * diversity
            cost[rows, going[2][:, 0, w : w + 1]] += alive
        chosen.append((score, row + g * width, word))
    score, row, word = (concat(parts, 1) for parts in zip(*chosen, strict=True))
    return score, row, word


def banked(scores: Array, required: Array, held: Array) -> Candidates:
    """Let beams compete only with beams that hold as many of the required words (C).

    Lane c holds beams with c of them; `held` (A, G, W, C) says which. A continuation by a required
    word that its beam lacks competes in the next lane.
    """
    photos, lanes, width, vocabulary = scores.shape
    gain = choose(held, NEVER, scores[..., required])
    same = copy(scores)
    same[..., required] = choose(held, scores[..., required], NEVER)
    gain = concat((full(gain[:, :1].shape, NEVER, scores), gain[:, :-1]), 1)
    both = (same.reshape(photos, lanes, -1), gain.reshape(photos, lanes, -1))
    score, index = topk(concat(both, 2), 2 * width)

    first, gained = _first_rows(lanes, width, scores), index - width * vocabulary
    before = gained // len(required) + first - width  # a row of the lane before
    row = choose(gained < 0, index // vocabulary + first, choose(before < 0, 0, before))
    word = choose(gained < 0, index % vocabulary, required[gained % len(required)])
    return score, row, word


def continuing(score: Array, row: Array, word: Array, end: int) -> Candidates:
    """Return of 2W candidates a lane the best W that do not end, in their order: (A, G, W) each."""
    going = order((word == end) * 1)[..., : word.shape[-1] // 2]
    return take(score, going), take(row, going), take(word, going)


def _first_rows(lanes: int, width: int, like: Array) -> Array:
    return arange(lanes, like)[:, None] * width  # (G, 1)
