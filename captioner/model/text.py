"""A sentence in place of a photo: its words make the regions."""

from __future__ import annotations

from torch import Tensor, nn


class TextEncoder(nn.Module):
    """Words (B, L) ids → grid (B, L, C), one region a word.

    With `DecoderConfig.reading` the decoder lets a bidirectional recurrent net read them, and the
    whole is the sequence-to-sequence model that captioning by attention comes from (Bahdanau et al.
    2015, https://arxiv.org/abs/1409.0473). The sentences of a batch have the same length L.
    """

    def __init__(self, vocabulary: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.embedding = nn.Embedding(vocabulary, channels)

    def forward(self, words: Tensor) -> Tensor:
        grid: Tensor = self.embedding(words)
        return grid
