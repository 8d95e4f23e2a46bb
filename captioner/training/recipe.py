"""The recipe of a training: a file in configs/, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from captioner.errors import CaptionerError
from captioner.model.config import (
    AttributeConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    Section,
    describe,
)


class DataConfig(Section):
    """Captions with photos (`train`, `val`), sentences without (`text`: style → file).

    A captions file is COCO's, Karpathy's or Flickr's; `photos` are folders and tar files that
    hold what it names. A word needs `minimum_count` occurrences in all sentences to enter the
    vocabulary, an attribute word `attribute_minimum` photos. Captions are cut at `max_words`.
    `repeat` deals the photos of a style several times an epoch. `labels` says which of some
    categories stand in a photo (JSON: {"<id>": ["kite", …]}, complete for those it names) and
    `unlabelled` lists photos that have no captions but labels: the words stage learns from both.
    `hold` has photos augmented from their pixels, all held on the training device, 0.25 MB each
    at 288 pixels.
    """

    train: Path
    val: Path | None = None
    photos: tuple[Path, ...]
    text: dict[str, Path] = {}  # noqa: RUF012 (pydantic copies it)
    repeat: dict[str, Annotated[int, Field(ge=0)]] = {}  # noqa: RUF012
    styles: tuple[str, ...] = Field(("coco",), min_length=1)
    minimum_count: int = Field(5, ge=1)
    attribute_minimum: int = Field(12, ge=1)
    max_words: int = Field(20, ge=1)
    cache: Path = Path("runs/cache")
    hold: bool = False
    labels: Path | None = None
    unlabelled: Path | None = None

    @model_validator(mode="after")
    def _styles_known(self) -> DataConfig:
        for field in ("text", "repeat"):
            for style in getattr(self, field):
                if style not in self.styles:
                    known = ", ".join(self.styles)
                    raise ValueError(f"{field} names the style {style!r}; styles are {known}")
        return self


class TrainingConfig(Section):
    """One stage. `objective` is what it minimises:

    words           the encoder and the attribute head predict which words a caption holds
    language        the decoder writes sentences that have no photo, from their attribute words
    cross_entropy   teacher forcing on the captions of photos
    self_critical   samples are rewarded with CIDEr-D against their photo's other samples

    `tune` says how much of the encoder learns: nothing (grids computed once), top (what follows
    the fifth stage of efficientnet_lite3; the rest computed once) or everything (from pixels).
    `weights` are pretrained weights of the encoder: a safetensors file, "torchvision" for its own
    download, or "embedded" for the encoder of the embedded captioner. `start` lists checkpoints to
    begin from: the model is the first one's, with the decoder of the last.

    `mixup` lays every photo over another one, with shares drawn from Beta(mixup, mixup) (Zhang et
    al. 2018, https://arxiv.org/abs/1710.09412). Words are expected of both, by their shares;
    captions (cross_entropy, self_critical) are those of the photo that shows more.

    `teacher` is how the share of words that the decoder is told, rather than left to guess, falls
    over the steps (see `captioner.training.teacher`). `doubly_stochastic` weighs the penalty for
    regions that a sentence passes over, `hard_entropy` the reward for undecided hard attention.
    `guidance` draws the attention for an attribute word to the regions on which the attribute head
    finds it (cross_entropy).

    `first_block` is where `top` begins in efficientnet_lite3 (17: its sixth stage). `layer_decay`
    makes the encoder's rate smaller with every block further from the grid. `folds` of 2 or more
    cross-fits: each of so many encoders learns from all photos but one fold, and the decoder and
    the attribute head read every photo through the encoder that has not seen it; the encoder that
    is kept learns from all, through their eyes. `max_minutes` ends the stage early; the rates then
    fall with the time.
    """

    objective: Literal["words", "language", "cross_entropy", "self_critical"] = "cross_entropy"
    output: Path
    start: tuple[Path, ...] = ()
    weights: Literal["torchvision", "embedded"] | Path | None = None
    tune: Literal["nothing", "top", "everything"] = "nothing"
    first_block: int = Field(17, ge=1, le=23)
    layer_decay: float = Field(1.0, gt=0, le=1)
    folds: int = Field(1, ge=1, le=8)
    max_steps: int = Field(1000, ge=1)
    max_minutes: float | None = Field(None, gt=0)
    batch_photos: int = Field(64, ge=1)
    captions_per_photo: int = Field(5, ge=1)
    batch_sentences: int = Field(0, ge=0)
    learning_rate: float = Field(1e-3, gt=0)
    encoder_learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, gt=0, lt=1)
    clip: float = Field(1.0, gt=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    dropout: float = Field(0.3, ge=0, lt=1)
    grid_dropout: float = Field(0.2, ge=0, lt=1)
    stochastic_depth: float = Field(0.2, ge=0, lt=1)
    attribute_weight: float = Field(0.03, ge=0)
    label_weight: float = Field(1.0, ge=0)
    mixup: float = Field(0.0, ge=0)
    doubly_stochastic: float = Field(0.0, ge=0)
    hard_entropy: float = Field(0.01, ge=0)
    guidance: float = Field(0.0, ge=0)
    teacher: Literal["always", "linear", "exponential", "inverse_sigmoid"] = "always"
    teacher_k: float = Field(1000.0, gt=0)
    teacher_least: float = Field(0.0, ge=0, le=1)
    teacher_per: Literal["word", "sentence"] = "word"
    samples: int = Field(5, ge=2)
    average: float = Field(0.998, ge=0, lt=1)
    kept: float = Field(1.0, gt=0, le=1)
    bf16: bool = True
    seed: int = Field(0, ge=0, lt=2**32)
    device: str = "cpu"
    validate_every: int = Field(200, ge=1)
    checkpoint_minutes: float = Field(5.0, ge=0)
    workers: int = Field(0, ge=0)


class Recipe(Section):
    data: DataConfig
    encoder: EncoderConfig = EncoderConfig()
    attributes: AttributeConfig = AttributeConfig()
    decoder: DecoderConfig = DecoderConfig()
    training: TrainingConfig

    @model_validator(mode="after")
    def _stage_possible(self) -> Recipe:
        stage, name = self.training, self.encoder.name
        if stage.tune == "top" and name != "efficientnet_lite3":
            raise ValueError(f"training.tune top is for efficientnet_lite3, not for {name}")
        if stage.objective == "language" and not (self.data.text and stage.batch_sentences):
            raise ValueError(
                "objective language needs training.batch_sentences and data.text (an empty file"
                " will do: the captions of data.train are learnt too)"
            )
        if stage.objective == "words" and not self.attributes.words:
            raise ValueError("objective words needs attributes.words")
        if stage.batch_sentences and not self.attributes.seen:
            raise ValueError("sentences without photos are told by attributes: none are shown")
        if stage.mixup and stage.objective == "language":
            raise ValueError("training.mixup is for objectives that see photos")
        if stage.doubly_stochastic and not self.decoder.attends:
            raise ValueError("training.doubly_stochastic is for decoder.kind attention")
        if stage.guidance and stage.objective != "cross_entropy":
            raise ValueError("training.guidance is for the objective cross_entropy")
        if stage.guidance and not (self.decoder.attends and self.attributes.words):
            raise ValueError("training.guidance needs decoder.kind attention and attributes.words")
        if stage.folds > 1 and stage.objective == "language":
            raise ValueError("training.folds above 1 is for objectives that see photos")
        if stage.folds > 1 and (stage.tune == "nothing") != (stage.objective == "self_critical"):
            raise ValueError(
                "training.folds above 1 needs an encoder that learns (training.tune), or the"
                " objective self_critical, which reads through those that have learnt"
            )
        if stage.folds > 1 and stage.tune == "nothing" and not self.data.hold:
            raise ValueError("training.folds above 1 with tune nothing needs data.hold")
        if self.data.unlabelled and not self.data.labels:
            raise ValueError("data.unlabelled photos teach nothing without data.labels")
        if stage.teacher == "exponential" and stage.teacher_k >= 1:
            raise ValueError(
                "training.teacher_k must be below 1 where training.teacher is"
                f" exponential, not {stage.teacher_k}"
            )
        if stage.teacher == "inverse_sigmoid" and stage.teacher_k < 1:
            raise ValueError(
                "training.teacher_k must be at least 1 where training.teacher is"
                f" inverse_sigmoid, not {stage.teacher_k}"
            )
        return self

    @model_validator(mode="after")
    def _model_possible(self) -> Recipe:
        ModelConfig.model_validate(self.model.model_dump())
        return self

    @property
    def model(self) -> ModelConfig:
        return ModelConfig(encoder=self.encoder, attributes=self.attributes, decoder=self.decoder)


def read_recipe(file: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe (JSON); `changes` such as "training.max_steps=50" win over the file.

    Raises CaptionerError naming the file or the field and what is allowed there.
    """
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaptionerError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise CaptionerError(f"{file}: is not JSON ({error})") from None
    if not isinstance(tree, dict):
        raise CaptionerError(f"{file}: must hold the sections {', '.join(Recipe.model_fields)}")
    for change in changes:
        _apply(tree, change)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise CaptionerError(f"{file}: {describe(error, Recipe)}") from None


def check_files(recipe: Recipe, coming: Sequence[Path] = ()) -> None:
    """Raise CaptionerError, naming the field, for a file of the recipe that is not there.

    Those that are `coming`, as an earlier stage makes them, need not be.
    """
    data, training = recipe.data, recipe.training
    files: list[tuple[str, Path | None]] = [("data.train", data.train), ("data.val", data.val)]
    files += [(f"data.text.{style}", file) for style, file in data.text.items()]
    files += [("data.labels", data.labels), ("data.unlabelled", data.unlabelled)]
    files += [("training.start", file) for file in training.start]
    if isinstance(training.weights, Path):
        files.append(("training.weights", training.weights))
    for field, file in files:
        if file is not None and file not in coming and not file.is_file():
            raise CaptionerError(f"{field}: there is no file {file}")
    for place in data.photos:
        if not place.exists():
            raise CaptionerError(f"data.photos: there is no folder or tar file {place}")


def _apply(tree: dict[str, Any], change: str) -> None:
    path, equals, text = change.partition("=")
    section, dot, field = path.partition(".")
    if not (equals and dot and section and field):
        raise CaptionerError(f"--set {change}: write section.field=value")
    if not isinstance(tree.setdefault(section, {}), dict):
        raise CaptionerError(f"--set {change}: {section} is no section of the recipe")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    tree[section][field] = value
