"""Validation as a user meets it: the real beam search, the official CIDEr, a style at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from captioner.evaluation.references import PhotoId
from captioner.evaluation.scorers import Scores, cider_only
from captioner.model.model import Model
from captioner.search import SearchOptions, beam_search
from captioner.training.data import Example
from captioner.training.photos import CachedPhotos, PixelPhotos
from captioner.vocabulary import detokenize

BATCH = 32


def validate(
    model: Model, photos: CachedPhotos | PixelPhotos, examples: Sequence[Example], bf16: bool
) -> dict[str, float]:
    """CIDEr of each style's photos, written in that style with a beam of 3."""
    scored = score_styles(examples, write(model, photos, examples, bf16))
    return {style: scores.metrics["CIDEr"] for style, scores in scored.items()}


def score_styles(examples: Sequence[Example], captions: Sequence[str]) -> dict[str, Scores]:
    """The official CIDEr of each style's photos, whose ids are their places in `examples`."""
    candidates: dict[str, dict[PhotoId, str]] = defaultdict(dict)
    references: dict[str, dict[PhotoId, Sequence[str]]] = defaultdict(dict)
    for i, (example, caption) in enumerate(zip(examples, captions, strict=True)):
        candidates[example.style][i] = caption or "."
        references[example.style][i] = example.raw
    return {style: cider_only(references[style], candidates[style]) for style in sorted(candidates)}


@torch.inference_mode()
def write(
    model: Model, photos: CachedPhotos | PixelPhotos, examples: Sequence[Example], bf16: bool
) -> list[str]:
    """A caption for each photo, in its style, found with a beam of 3."""
    training = model.training
    model.eval()
    vocabulary = model.vocabulary
    options = SearchOptions(
        end=vocabulary.end, pad=vocabulary.pad, n_best=1, length_penalty=1.0,
        forbidden=vocabulary.never_written, exact_stop=False,
    )  # fmt: skip
    captions: list[str] = []
    device = model.encoder.mean.device
    for first in range(0, len(examples), BATCH):
        chosen = np.arange(first, min(first + BATCH, len(examples)))
        starts = torch.tensor(
            [vocabulary.start(examples[i].style) for i in chosen.tolist()], device=device
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            state = model.start_from_grid(photos.grid(chosen, None))
            found = beam_search(model.decoder.step, state, starts, options)
        captions += [detokenize(vocabulary.decode(h[0].words)) if h else "" for h in found]
    model.train(training)
    return captions
