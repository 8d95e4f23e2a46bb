"""Attribute words: what the encoder thinks a caption of the photo would mention.

Words beside the grid, as in You et al. 2016 (https://arxiv.org/abs/1603.03925), are something to
attend to for sentences without a photo as well: there they are read off the sentence itself.
"""

import math

from torch import Tensor, nn


class AttributeHead(nn.Module):
    """Scores every attribute word on every region, then pools over the photo.

    The log-mean-exp pooling lets one region speak for the photo, as the noisy-or of Fang et al.
    2015 (https://arxiv.org/abs/1411.4952) does, while all regions get a gradient.
    """

    def __init__(self, channels: int, hidden: int, words: int) -> None:
        """`channels` C of the grid, `words` A attribute words; without any there is nothing."""
        super().__init__()
        self.layers = nn.Sequential()
        if words:
            self.layers.extend(
                [
                    nn.LayerNorm(channels),
                    nn.Dropout(0.0),
                    nn.Linear(channels, hidden),
                    nn.ReLU(),
                    nn.Dropout(0.0),
                    nn.Linear(hidden, words),
                ]
            )

    def regularise(self, dropout: float) -> None:
        for layer in self.layers:
            if isinstance(layer, nn.Dropout):
                layer.p = dropout

    def start_at(self, frequency: Tensor) -> None:
        """Begin with the share of photos (A,) whose captions hold each word."""
        self.layers[-1].bias.data = frequency.logit()

    def forward(self, grid: Tensor) -> Tensor:
        """Grid (B, L, C) → logits (B, A) that a caption of the photo holds each of A words."""
        return self.pool(self.score_regions(grid))

    def score_regions(self, grid: Tensor) -> Tensor:
        """Grid (B, L, C) → logits (B, L, A) of each word on each region."""
        regions: Tensor = self.layers(grid).float()
        return regions

    def pool(self, regions: Tensor) -> Tensor:
        """Logits of the regions (B, L, A) → those of the photo (B, A)."""
        return regions.logsumexp(1) - math.log(regions.shape[1])
