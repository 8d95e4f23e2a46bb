"""Validation as a user meets it: the real beam search, CIDEr-D, a style at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from captioner.cider import CiderReward
from captioner.model.model import Model
from captioner.search import SearchOptions, beam_search
from captioner.training.data import Example
from captioner.training.photos import Photos, plain_grid
from captioner.vocabulary import detokenize, tokenize

BATCH = 32
GPU_BATCH = 256


def validate(
    model: Model, photos: Photos, examples: Sequence[Example], bf16: bool
) -> dict[str, float]:
    """CIDEr-D of each style's photos, written in that style with a beam of 3."""
    scores = score(examples, write(model, photos, examples, bf16))
    styles = np.array([example.style for example in examples])
    return {style: float(scores[styles == style].mean()) for style in sorted(set(styles.tolist()))}


def score(examples: Sequence[Example], captions: Sequence[str]) -> npt.NDArray[np.float64]:
    """CIDEr-D of each photo's caption, document frequencies from the photos of its style.

    The official figure but for the tokens, which are those of training without the commas: no Java
    is needed.
    """
    scores = np.zeros(len(examples))
    for style in {example.style for example in examples}:
        own = [i for i, example in enumerate(examples) if example.style == style]
        spoken = {i: [_spoken(caption) for caption in examples[i].captions] for i in own}
        reward = CiderReward(spoken.values())
        for i in own:
            references = [reward.vector(caption) for caption in spoken[i]]
            scores[i] = reward.score(_spoken(tokenize(captions[i])), references)
    return scores


def _spoken(words: Sequence[str]) -> list[str]:
    """What counts: the official tokenizer drops punctuation."""
    return [word for word in words if word != ","]


@torch.inference_mode()
def write(model: Model, photos: Photos, examples: Sequence[Example], bf16: bool) -> list[str]:
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
    size = GPU_BATCH if device.type == "cuda" else BATCH
    for first in range(0, len(examples), size):
        chosen = np.arange(first, min(first + size, len(examples)))
        starts = torch.tensor(
            [vocabulary.start(examples[i].style) for i in chosen.tolist()], device=device
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            state = model.start_from_grid(plain_grid(photos, chosen, model.encoder))
            found = beam_search(model.decoder.step, state, starts, options)
        captions += [detokenize(vocabulary.decode(h[0].words)) if h else "" for h in found]
    model.train(training)
    return captions
