"""The decoder: recurrent cells that write a sentence word by word from a grid of regions.

Four kinds (see `DecoderConfig`) differ in what the cells read at a step. The default is Show,
Attend and Tell (Xu et al. 2015, https://arxiv.org/abs/1502.03044) with two changes that cost
little: the query holds the previous word besides the hidden state, so that the weights returned
belong to the word being written, and a second attention reads the attribute words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioner.model.adapter import StyleAdapter
from captioner.model.attention import look_at_one, make_attention
from captioner.model.config import DecoderConfig
from captioner.model.reading import Reading
from captioner.vocabulary import SPECIAL


@dataclass(frozen=True)
class Memory:
    """What does not depend on the step: computed once for each of B photos, in `Decoder.start`.

    What a kind of decoder does not read is empty: no regions, no attributes, a context of size 0.
    """

    regions: Tensor  # (B, L, E)
    region_keys: Tensor  # (B, L, A)
    attributes: Tensor  # (B, M, E)
    attribute_keys: Tensor  # (B, M, A)
    context: Tensor  # (B, E), the one of the kinds without attention


@dataclass(frozen=True)
class State:
    """The recurrent state of N = B·K rows (row = photo·K + beam), and their photos' memory."""

    memory: Memory
    hidden: Tensor  # (N, D, H) of the D layers
    cell: Tensor  # (N, D, H); (N, 0, H) of GRUs
    taught: Tensor  # (N, S, 1), 1 for the one of S taught styles that the sentence is in

    def select(self, rows: Tensor, photos: Tensor | None = None) -> State:
        """Row n continues old row `rows[n]`; only `photos` stay (None: all of them)."""
        memory = self.memory
        if photos is not None:
            memory = Memory(*(getattr(memory, part.name)[photos] for part in fields(memory)))
        hidden, cell, taught = (part[rows] for part in (self.hidden, self.cell, self.taught))
        return State(memory, hidden, cell, taught)


@dataclass(frozen=True)
class Inputs:
    """What the cells read in one step, and where it was seen."""

    read: Tensor  # (N, I)
    weights: Tensor  # (N, L), attention
    region: Tensor | None = None  # (N,), the one looked at with hard attention, −1: all


@dataclass(frozen=True)
class Taught:
    """Teacher forcing over T words: features for `Decoder.score` (N, T, E+S), weights (N, T, L)."""

    features: Tensor
    weights: Tensor
    regions: Tensor | None = None  # (N, T), with hard attention


class Decoder(nn.Module):
    """Writes a sentence word by word: `start` once per photo, then `step` once per word."""

    starts: Tensor

    def __init__(
        self, config: DecoderConfig, channels: int, vocabulary: int, attributes: bool = True
    ) -> None:
        """`channels` C of the encoder's grid, `vocabulary` V words; with `attributes` words of the
        vocabulary are attended to as well."""
        super().__init__()
        self.config = config
        size, hidden = config.size, config.hidden
        self.embedding = nn.Embedding(vocabulary, size)
        self.grid_drop = nn.Dropout(0.0)
        self.region = nn.Sequential(
            nn.LayerNorm(channels), self.grid_drop, nn.Linear(channels, size)
        )
        self.reading = None if config.reading == "none" else Reading(config.reading, size)
        query = hidden + size
        self.region_attention = make_attention(config, query) if config.attends else None
        self.attribute_attention = make_attention(config, query) if attributes else None
        if attributes:
            self.no_photo = nn.Parameter(torch.zeros(size))
            self.certainty = nn.Linear(1, size, bias=False)
        # All that the feedback kind hears of the photo is its first state: an LSTM's both halves.
        halves = 2 if config.kind == "feedback" and config.cell == "lstm" else 1
        self.initial = nn.Linear(size, halves * config.layers * hidden)
        contexts = (config.kind != "feedback") + attributes
        inputs = ((config.kind != "context") + contexts) * size
        cell = nn.LSTMCell if config.cell == "lstm" else nn.GRUCell
        self.cell = cell(inputs, hidden)
        self.upper = nn.ModuleList(cell(hidden, hidden) for _ in range(config.layers - 1))
        self.output = nn.Linear(hidden + inputs, size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.drop = nn.Dropout(0.0)
        self.adapters = nn.ModuleList(
            StyleAdapter(inputs, hidden, size, config.units, vocabulary)
            for _ in range(config.taught)
        )
        starts = torch.arange(config.taught) + len(SPECIAL)  # taught styles are the first ones
        self.register_buffer("starts", starts, persistent=False)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)

    def regularise(self, dropout: float, grid_dropout: float) -> None:
        """Set the dropout of words, states and features, and that of the grid's channels."""
        self.drop.p = dropout
        self.grid_drop.p = grid_dropout

    def start(
        self,
        grid: Tensor | None,
        attributes: Tensor | None = None,
        certainty: Tensor | None = None,
    ) -> State:
        """The state before the first word, one row a photo.

        grid (B, L, C), or None for sentences without a photo; attributes (B, M) ids of attribute
        words, certainty (B, M) their probabilities, 0 for padding: not for a decoder without them.
        """
        regions, summary = self._read_grid(grid, attributes)
        none = regions[:, :0]
        memory = Memory(none, none, none, none, none[:, :, 0])
        if self.region_attention is not None:
            memory = replace(
                memory, regions=regions, region_keys=self.region_attention.keys(regions)
            )
        elif self.config.kind != "feedback":
            memory = replace(memory, context=summary)
        if self.attribute_attention is not None and attributes is not None:
            assert certainty is not None
            level = certainty.unsqueeze(-1).to(regions.dtype)
            words = self.embedding(attributes) * (level > 0) + self.certainty(level)
            keys = self.attribute_attention.keys(words)
            memory = replace(memory, attributes=words, attribute_keys=keys)
        layers = self.config.layers
        first = torch.tanh(self.initial(summary)).unflatten(-1, (-1, self.config.hidden))
        hidden, cell = first[:, :layers], first[:, layers:]
        if self.config.cell == "lstm" and self.config.kind != "feedback":
            cell = torch.zeros_like(hidden)
        taught = hidden.new_zeros(hidden.shape[0], self.config.taught, 1)
        return State(memory, hidden, cell, taught)

    def _read_grid(self, grid: Tensor | None, attributes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Regions (B, L, E) as the decoder sees them, and their summary (B, E)."""
        if grid is None:
            assert attributes is not None
            regions = self.no_photo.expand(len(attributes), 1, -1)
        else:
            regions = F.relu(self.region(grid))
        last = None
        if self.reading is not None:
            regions, last = self.reading(regions)
        if last is None or self.config.summary == "mean":
            return regions, regions.mean(1)
        return regions, last

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Read N words, predict the next N.

        words (N,) ids → log-probabilities (N, V), the new state, attention weights (N, L) of the
        words predicted, (N, 0) without attention. N = B·K rows, photo-major.
        """
        features, state, inputs = self.read(words, state)
        return self.score(features), state, inputs.weights

    def read(self, words: Tensor, state: State) -> tuple[Tensor, State, Inputs]:
        """`step` without the costly last layer: words (N,) → features (N, E + S), the last S being
        the taught style."""
        if self.adapters:
            begun = (words.unsqueeze(1) == self.starts).unsqueeze(2).to(state.taught.dtype)
            state = replace(state, taught=torch.maximum(state.taught, begun))
        inputs = self._inputs(self.drop(self.embedding(words)), state)
        read = inputs.read
        for adapter, on in self._opened(state.taught.squeeze(2)):
            read = read + on * adapter.enter(inputs.read, state.hidden[:, -1])
        top, state = self._advance(read, state)
        said = self.drop(torch.cat([top, read], -1))
        features = self.output(said)
        for adapter, on in self._opened(state.taught.squeeze(2)):
            features = features + on * adapter.leave(said)
        if self.adapters:
            features = torch.cat([features, state.taught.flatten(1)], -1)
        return features, state, inputs

    @property
    def style_adapters(self) -> list[StyleAdapter]:
        """Those of the taught styles, in their order."""
        return cast(list[StyleAdapter], list(self.adapters))

    def _opened(self, taught: Tensor) -> Iterator[tuple[StyleAdapter, Tensor]]:
        """Each taught style's adapter, and where it is on (…, 1), of taught (…, S)."""
        return zip(self.style_adapters, taught.split(1, -1), strict=False)

    def _inputs(self, word: Tensor, state: State) -> Inputs:
        """What this kind of decoder reads after `word` (N, E)."""
        memory = state.memory
        if not self.config.attends:
            rows = word.shape[0] // memory.context.shape[0]  # len() would fix them in an export
            context = memory.context.unsqueeze(1).expand(-1, rows, -1).flatten(0, 1)
            parts = {"context": [context], "feedback": [word], "peek": [word, context]}
            nowhere = memory.regions.new_zeros(word.shape[0], 0)
            return Inputs(torch.cat(parts[self.config.kind], -1), nowhere)
        photos = memory.regions.shape[0]
        query = torch.cat([state.hidden[:, -1], word], -1).unflatten(0, (photos, -1))
        seen, weights, region = self._look(query, memory)
        contexts = [seen]
        if self.attribute_attention is not None:
            named, _ = self.attribute_attention(query, memory.attribute_keys, memory.attributes)
            contexts.append(named)
        context = torch.cat(contexts, -1).flatten(0, 1)
        return Inputs(torch.cat([word, context], -1), weights.flatten(0, 1), region)

    def _look(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor | None]:
        """Context (B, K, E), weights (B, K, L), and the regions (N,) that hard attention chose."""
        assert self.region_attention is not None
        seen, weights = self.region_attention(query, memory.region_keys, memory.regions)
        if not self.config.hard:
            return seen, weights, None
        seen, region = look_at_one(weights, seen, memory.regions, self.training)
        return seen, weights, region.flatten()

    def _advance(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of the cells on input x (N, I): what the highest says (N, H), and the state."""
        hidden, cell = [], []
        for depth, layer in enumerate([self.cell, *self.upper]):
            before, below = state.hidden[:, depth], x
            if isinstance(layer, nn.LSTMCell):
                x, c = lstm(layer, below, before, state.cell[:, depth])
                cell.append(c)
            else:
                x = layer(below, before)
            hidden.append(x)
            if depth and self.config.residual:
                x = x + below
            if depth < len(self.upper):
                x = self.drop(x)
        cells = torch.stack(cell, 1) if cell else state.cell
        return x, replace(state, hidden=torch.stack(hidden, 1), cell=cells)

    def score(self, features: Tensor) -> Tensor:
        """Features (…, E + S) → log-probabilities (…, V), through the embedding (tied weights)."""
        said = features[..., : self.config.size]
        logits = F.linear(self.drop(said), self.embedding.weight, self.bias)
        for adapter, on in self._opened(features[..., self.config.size :]):
            logits = logits + on * adapter.bias
        return logits.float().log_softmax(-1)

    def forward(
        self, words: Tensor, state: State, told: float = 1.0, per_sentence: bool = False
    ) -> Taught:
        """Teacher forcing over words (N, T).

        With `told` below 1 that share of the words, or of the sentences, is fed as it stands; in
        place of the others goes a word drawn from what the decoder has just predicted (scheduled
        sampling, Bengio et al. 2015, https://arxiv.org/abs/1506.03099).
        """
        features: list[Tensor] = []
        inputs: list[Inputs] = []
        chance = None
        for word in words.unbind(1):
            if told < 1 and features:
                if chance is None or not per_sentence:
                    chance = torch.rand(len(word), device=word.device)
                word = torch.where(chance < told, word, self._guess(features[-1]))
            feature, state, read = self.read(word, state)
            features.append(feature)
            inputs.append(read)
        regions = [read.region for read in inputs if read.region is not None]
        return Taught(
            torch.stack(features, 1),
            torch.stack([read.weights for read in inputs], 1),
            torch.stack(regions, 1) if regions else None,
        )

    @torch.no_grad()
    def _guess(self, features: Tensor) -> Tensor:
        """Words (N,) drawn from the prediction of features (N, E)."""
        return torch.multinomial(self.score(features).exp(), 1).squeeze(1)


def lstm(cell: nn.LSTMCell, x: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: hidden and cell state (N, H). In training on a GPU both stay fp32 while
    other layers compute in bf16: what a cell adds up over a sentence would be rounded away."""
    if not (x.is_cuda and torch.is_autocast_enabled("cuda")):
        after: tuple[Tensor, Tensor] = cell(x, (hidden, memory))
        return after
    with torch.autocast("cuda", enabled=False):
        after = cell(x.float(), (hidden.float(), memory.float()))
    return after
