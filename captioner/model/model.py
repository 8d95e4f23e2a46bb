"""The whole model: encoder, attribute head and decoder around one vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from captioner.model.attributes import AttributeHead
from captioner.model.config import ModelConfig
from captioner.model.decoder import Decoder, State
from captioner.model.encoder import Encoder
from captioner.vocabulary import Vocabulary


class Model(nn.Module):
    """Photos (B, 3, H, W) of 0…255 → the decoder's state before the first word.

    `rarity` (V,) is the logarithm of how many training photos there are to one whose captions
    hold the word.
    """

    attribute_ids: Tensor
    rarity: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: Vocabulary,
        attributes: tuple[str, ...] = (),
        weights: str | None = None,
    ) -> None:
        """`attributes` are the A words that the attribute head scores, all in the vocabulary."""
        super().__init__()
        self.config, self.vocabulary, self.attributes = config, vocabulary, attributes
        self.stand_ins: dict[str, str] = {}
        """The attribute word that is seen where a taught word is written, of some."""
        self.worn: dict[str, dict[str, float]] = {}
        """Of styles the phrases that they take up too often, with the nats that each costs."""
        self.encoder = Encoder(config.encoder, weights)
        channels = self.encoder.channels
        self.head = AttributeHead(channels, config.attributes.hidden, len(attributes))
        self.seen = min(config.attributes.seen, len(attributes))  # by the decoder
        self.sees_attributes = self.seen > 0
        self.decoder = Decoder(config.decoder, channels, len(vocabulary), self.sees_attributes)
        ids = torch.tensor(vocabulary.encode(attributes), dtype=torch.long)
        self.register_buffer("attribute_ids", ids, persistent=False)
        self.register_buffer("rarity", torch.ones(len(vocabulary)))

    def start(self, photos: Tensor) -> State:
        """The state before the first word, one row a photo."""
        return self.start_from_grid(self.encoder(photos))

    def start_from_grid(self, grid: Tensor) -> State:
        """Grid (B, L, C) → state: the likeliest attribute words are looked up and added."""
        if not self.sees_attributes:
            return self.decoder.start(grid)
        return self.decoder.start(grid, *self.name_attributes(self.head(grid)))

    def name_attributes(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, A) → ids and probabilities (B, M) of the M likeliest attribute words.

        The captions teach the decoder to use them, not the head to please the decoder: no
        gradient goes back.
        """
        top = logits.detach().float().sigmoid().topk(self.seen, dim=1)
        return self.attribute_ids[top.indices], top.values
