"""Attribute words for sentences without a photo: read off the sentence, then made as unreliable
as the ones that the encoder predicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from captioner.training.data import StyledSentence
from captioner.vocabulary import Vocabulary

SIMILAR_SENTENCES = 2
RANDOM_WORDS = 6


class SentenceAttributes:
    """Draws the attribute words that a photo of a sentence might have been given.

    Some of the sentence's own words are dropped; words of similar sentences (those that share an
    attribute word, rather a rare one) and words at random are added, with lower certainty.
    """

    def __init__(
        self,
        sentences: Sequence[StyledSentence],
        vocabulary: Vocabulary,
        attributes: Sequence[str],
        shown: int,
    ) -> None:
        known = set(attributes)
        self.shown = shown
        self.own = [
            [vocabulary.ids[word] for word in dict.fromkeys(sentence.words) if word in known]
            for sentence in sentences
        ]
        self.holders: dict[int, list[int]] = defaultdict(list)
        for i, words in enumerate(self.own):
            for word in words:
                self.holders[word].append(i)
        self.ids = np.array(vocabulary.encode(attributes))
        often = np.array([len(self.holders[i]) for i in self.ids.tolist()], float) ** 0.75
        self.often = often / often.sum() if often.any() else None

    def draw(
        self, sentence: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids and certainties (M,) of a sentence's attribute words, the surest first."""
        own = self.own[sentence]
        kept = rng.uniform(0.45, 1.0)
        found = {word: rng.beta(2, 2.5) for word in own if rng.random() < kept}
        wrong: list[tuple[int, float]] = []
        for _ in range(SIMILAR_SENTENCES if own else 0):
            shared = min(rng.choice(own, 2).tolist(), key=lambda word: len(self.holders[word]))
            others = self.own[self.holders[shared][rng.integers(len(self.holders[shared]))]]
            wrong += [(word, rng.beta(1.2, 4)) for word in others if rng.random() < 0.6]
        if self.often is not None:
            chance = rng.choice(self.ids, RANDOM_WORDS, p=self.often)
            wrong += [(int(word), rng.beta(1, 7)) for word in chance]
        for word, certainty in wrong:
            if word not in own:
                found.setdefault(word, certainty)
        ids, certainties = np.zeros(self.shown, np.int64), np.zeros(self.shown, np.float32)
        surest = sorted(found.items(), key=lambda item: -item[1])[: self.shown]
        for slot, (word, certainty) in enumerate(surest):
            ids[slot], certainties[slot] = word, max(certainty, 1e-3)
        return ids, certainties
