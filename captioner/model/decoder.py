"""The decoder: an LSTM that attends to the regions of the grid and to the attribute words.

Show, Attend and Tell (Xu et al. 2015, https://arxiv.org/abs/1502.03044) with two changes that
cost little: the query holds the previous word besides the hidden state, so that the weights
returned belong to the word being written, and a second attention reads the attribute words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioner.config import DecoderConfig
from captioner.model.attention import AdditiveAttention, DotProductAttention


@dataclass(frozen=True)
class Memory:
    """What does not depend on the step: computed once for each of B photos, in `Decoder.start`."""

    regions: Tensor  # (B, L, C)
    region_keys: Tensor  # (B, L, A)
    attributes: Tensor  # (B, M, E)
    attribute_keys: Tensor  # (B, M, A)


@dataclass(frozen=True)
class State:
    """The recurrent state of N = B·K rows (row = photo·K + beam), and their photos' memory."""

    memory: Memory
    hidden: Tensor  # (N, H)
    cell: Tensor  # (N, H)

    def select(self, rows: Tensor, photos: Tensor | None = None) -> State:
        """Row n continues old row `rows[n]`; only `photos` stay (None: all of them)."""
        memory = self.memory
        if photos is not None:
            memory = Memory(*(getattr(memory, name)[photos] for name in memory.__annotations__))
        return replace(self, memory=memory, hidden=self.hidden[rows], cell=self.cell[rows])


class Decoder(nn.Module):
    """Writes a sentence word by word: `start` once per photo, then `step` once per word."""

    def __init__(self, config: DecoderConfig, channels: int, vocabulary: int) -> None:
        """`channels` C of the encoder's grid, `vocabulary` V words."""
        super().__init__()
        self.config = config
        size, hidden = config.size, config.hidden
        query = hidden + size
        self.embedding = nn.Embedding(vocabulary, size)
        self.grid_drop = nn.Dropout(0.0)
        self.region = nn.Sequential(
            nn.LayerNorm(channels), self.grid_drop, nn.Linear(channels, size)
        )
        self.no_photo = nn.Parameter(torch.zeros(size))
        self.region_attention = self._attention(query)
        self.certainty = nn.Linear(1, size, bias=False)
        self.attribute_attention = self._attention(query)
        self.initial = nn.Linear(size, hidden)
        self.cell = nn.LSTMCell(3 * size, hidden)
        self.output = nn.Linear(hidden + 3 * size, size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.drop = nn.Dropout(0.0)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)

    def regularise(self, dropout: float, grid_dropout: float) -> None:
        """Set the dropout of words, states and features, and that of the grid's channels."""
        self.drop.p = dropout
        self.grid_drop.p = grid_dropout

    def _attention(self, query: int) -> AdditiveAttention | DotProductAttention:
        size = self.config.size
        if self.config.attention == "additive":
            return AdditiveAttention(size, query, size)
        return DotProductAttention(size, query, size, self.config.heads)

    def start(self, grid: Tensor | None, attributes: Tensor, certainty: Tensor) -> State:
        """The state before the first word, one row a photo.

        grid (B, L, C), or None for sentences without a photo; attributes (B, M) ids of attribute
        words, certainty (B, M) their probabilities, 0 for padding.
        """
        regions = self._regions(grid, len(attributes))
        level = certainty.unsqueeze(-1).to(regions.dtype)
        words = self.embedding(attributes) * (level > 0) + self.certainty(level)
        memory = Memory(
            regions,
            self.region_attention.keys(regions),
            words,
            self.attribute_attention.keys(words),
        )
        hidden = torch.tanh(self.initial(regions.mean(1)))
        return State(memory, hidden, torch.zeros_like(hidden))

    def _regions(self, grid: Tensor | None, photos: int) -> Tensor:
        if grid is None:
            return self.no_photo.expand(photos, 1, -1)
        return F.relu(self.region(grid))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Read N words, predict the next N.

        words (N,) ids → log-probabilities (N, V), the new state, attention weights (N, L) of the
        words predicted. N = B·K rows, photo-major.
        """
        features, state, weights = self.read(self.embedding(words), state)
        return self.score(features), state, weights

    def read(self, word: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """`step` without the costly last layer: embedded words (N, E) → features (N, E)."""
        memory = state.memory
        word = self.drop(word)
        query = torch.cat([state.hidden, word], -1).unflatten(0, (len(memory.regions), -1))
        seen, weights = self.region_attention(query, memory.region_keys, memory.regions)
        named, _ = self.attribute_attention(query, memory.attribute_keys, memory.attributes)
        context = torch.cat([seen, named], -1).flatten(0, 1)
        hidden, cell = self.cell(torch.cat([word, context], -1), (state.hidden, state.cell))
        features = self.output(self.drop(torch.cat([hidden, word, context], -1)))
        return features, replace(state, hidden=hidden, cell=cell), weights.flatten(0, 1)

    def score(self, features: Tensor) -> Tensor:
        """Features (…, E) → log-probabilities (…, V), through the embedding (tied weights)."""
        logits = F.linear(self.drop(features), self.embedding.weight, self.bias)
        return logits.float().log_softmax(-1)

    def forward(self, words: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Teacher forcing: words (N, T) → features (N, T, E) for `score`, weights (N, T, L)."""
        features, weights = [], []
        for word in self.embedding(words).unbind(1):
            feature, state, weight = self.read(word, state)
            features.append(feature)
            weights.append(weight)
        return torch.stack(features, 1), torch.stack(weights, 1)
