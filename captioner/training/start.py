"""The model that a stage of training begins with, and what of it learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.model.config import differences
from captioner.model.lite3 import Lite3
from captioner.model.model import Model
from captioner.training.data import (
    Example,
    StyledSentence,
    attribute_targets,
    choose_words,
    word_rarity,
)
from captioner.training.recipe import Recipe, TrainingConfig


def prepare(model: Model, config: TrainingConfig) -> None:
    """Freeze what this stage leaves alone, and set what regularises the rest."""
    backbone = model.encoder.backbone
    backbone.requires_grad_(config.tune == "everything")
    if isinstance(backbone, Lite3):
        backbone.split = config.first_block
        if config.tune == "top":
            backbone.tune_upper()
        if config.tune != "nothing":
            backbone.drop_depth(config.stochastic_depth)
    model.decoder.requires_grad_(config.objective != "words")
    named = config.objective == "cross_entropy" and config.attribute_weight > 0
    model.head.requires_grad_(config.objective == "words" or named)
    model.head.regularise(config.dropout)
    model.decoder.regularise(config.dropout, config.grid_dropout)


def first_model(
    recipe: Recipe, examples: Sequence[Example], sentences: Sequence[StyledSentence]
) -> Model:
    """The model a stage begins with: pretrained encoder, then what the checkpoints of `start` hold.

    The first checkpoint's words are kept; without one they are counted in the training sentences.
    Raises CaptionerError where a checkpoint has other words or sizes.
    """
    training = recipe.training
    torch.manual_seed(training.seed)
    if training.start:
        return _joined(recipe, training.start)
    vocabulary, attributes = choose_words(recipe.data, recipe.attributes.words, examples, sentences)
    download = "DEFAULT" if training.weights == "torchvision" else None
    model = Model(recipe.model, vocabulary, attributes, download)
    if isinstance(training.weights, Path):
        model.encoder.load_pretrained(training.weights)
    if training.weights == "embedded":
        checkpoint.take_embedded_encoder(model)
        model.encoder.shared = training.tune == "nothing"
    if attributes:
        told = [example for example in examples if example.captions]
        frequency = torch.from_numpy(attribute_targets(told, attributes).mean(0))
        model.head.start_at(frequency.clamp(1e-4, 1 - 1e-4))
    model.rarity = torch.from_numpy(word_rarity(examples, vocabulary))
    return model


def _joined(recipe: Recipe, files: Sequence[Path]) -> Model:
    """The first checkpoint's model, with the last one's decoder."""
    models = [checkpoint.load(file) for file in files]
    first, last = models[0], models[-1]
    first.worn = {}  # found for the weights as they were
    for file, model in zip(files, models, strict=True):
        if model.config != recipe.model:
            fields = ", ".join(differences(model.config, recipe.model))
            raise CaptionerError(f"{file}: was trained with another {fields} than the recipe has")
        if model.vocabulary.words != first.vocabulary.words:
            raise CaptionerError(f"{file}: has other words than {files[0]}")
    absent = [style for style in recipe.data.styles if style not in first.vocabulary.styles]
    if absent:
        raise CaptionerError(f"{files[0]}: cannot learn the style {absent[0]!r} of data.styles")
    if last is not first:
        first.decoder.load_state_dict(last.decoder.state_dict())
    return first
