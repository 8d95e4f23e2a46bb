"""A stage of training: the model it begins with, its data, and the loss of each step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from captioner import checkpoint
from captioner.config import Recipe, check_files, differences
from captioner.devices import find_device
from captioner.errors import CaptionerError
from captioner.model.model import Model
from captioner.search import SearchOptions
from captioner.training import objectives
from captioner.training.batches import (
    CaptionBatches,
    Indices,
    Order,
    Share,
    TextBatches,
)
from captioner.training.data import (
    Example,
    PhotoFiles,
    Sentence,
    attribute_targets,
    choose_words,
    read_examples,
    read_sentences,
    word_rarity,
)
from captioner.training.objectives import Loss, Teaching
from captioner.training.photos import CachedPhotos, PixelPhotos
from captioner.training.teacher import told
from captioner.training.text import SentenceAttributes


class Stage:
    """Everything that a step's loss depends on, the step's number apart."""

    def __init__(self, recipe: Recipe, share: Share) -> None:
        """Raises CaptionerError for files, photos or checkpoints that cannot be used."""
        self.recipe, self.share = recipe, share
        self.config = recipe.training
        check_files(recipe)
        self.device = find_device(self.config.device)
        data = recipe.data
        examples = read_examples(data.train, data.styles, ("train", "restval"))
        sentences = read_sentences(data.text)
        self.model = first_model(recipe, examples, sentences)
        self.model.to(self.device).train()
        if self.config.objective == "words":
            self._need_attributes("training.objective: words are what is learnt")
        self.examples = examples
        self.examples_val = self._examples_val()
        self._read_photos()
        self._read_text(sentences)
        self.loss: Callable[[int], Loss] = getattr(self, f"_{self.config.objective}")

    def _examples_val(self) -> list[Example]:
        data = self.recipe.data
        if data.val is None or self.config.objective in ("words", "language"):
            return []
        return read_examples(data.val, data.styles, ("val",))

    def _read_photos(self) -> None:
        if self.config.objective == "language":
            return
        files = PhotoFiles(self.recipe.data.photos)
        self.photos = self._photos(files, self.examples)
        if self.examples_val:
            self.photos_val = self._photos(files, self.examples_val)
        vocabulary = self.model.vocabulary
        self.captions = CaptionBatches(
            self.examples, vocabulary, self.config.captions_per_photo, self.recipe.data.max_words
        )
        self.dealt = np.repeat(
            np.arange(len(self.examples)),
            [self.recipe.data.repeat.get(e.style, 1) for e in self.examples],
        )
        lengths = np.array(self.captions.lengths)[self.dealt]
        self.order = Order(lengths.tolist(), self.config.batch_photos, self.config.seed)
        self._check_shares("photos", self.order)
        self.targets = torch.from_numpy(attribute_targets(self.examples, self.model.attributes))
        if self.config.objective == "self_critical":
            silent = [vocabulary.ids[","]] if "," in vocabulary.ids else []
            self.reward = objectives.SelfCritical(self.captions.ids, silent, vocabulary.end)

    def _need_attributes(self, why: str) -> None:
        if not self.model.attributes:
            least = self.recipe.data.attribute_minimum
            raise CaptionerError(
                f"data.attribute_minimum: there are no attribute words, as none stands with {least}"
                f" photos ({why})"
            )

    def _photos(self, files: PhotoFiles, examples: Sequence[Example]) -> CachedPhotos | PixelPhotos:
        if self.config.tune == "everything":
            return PixelPhotos(self.model.encoder, files, examples, self.recipe.data.hold)
        grids = self.config.tune == "nothing"
        return CachedPhotos(self.model.encoder, files, examples, self.recipe.data.cache, grids)

    def _read_text(self, sentences: Sequence[Sentence]) -> None:
        if not self.config.batch_sentences:
            return
        self._need_attributes("training.batch_sentences: sentences without photos are told by them")
        limit = self.recipe.data.max_words
        captions = [Sentence(e.style, c) for e in self.examples for c in e.captions]
        kept = [s for s in [*sentences, *captions] if 0 < len(s.words) <= limit]
        model, shown = self.model, self.recipe.attributes.shown
        attributes = SentenceAttributes(kept, model.vocabulary, model.attributes, shown)
        batch = self.config.batch_sentences
        self.text = TextBatches(kept, model.vocabulary, attributes, batch, self.config.seed)
        self._check_shares("sentences", self.text.order)

    def _check_shares(self, kind: str, order: Order) -> None:
        if order.batch < self.share.world:
            raise CaptionerError(
                f"training.batch_{kind}: {self.share.world} processes cannot share"
                f" batches of {order.batch} {kind}"
            )

    def _chosen(self, step: int) -> tuple[Indices, np.random.Generator]:
        """The photos of a step, of all processes, and the step's generator."""
        photos = self.dealt[self.order.at(step)]
        return photos, np.random.default_rng([self.config.seed, step, 0])

    def _encode(self, read: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.config.tune != "nothing"):
            return self.photos.encode(read)

    def _words(self, step: int) -> Loss:
        return objectives.words(self.model, *self._seen(*self._chosen(step)))

    def _seen(self, photos: Indices, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The grid of this process's share of `photos`, and their words (B, A)."""
        if self.config.mixup:
            return self._mixed(photos, rng)
        return self._encode(self.photos.read(photos, rng, self.share)), self._targets(photos)

    def _mixed(self, photos: Indices, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The grid of each photo laid over the one before it in the batch, and the words of both,
        by the same shares. The photo's own is the larger."""
        part = rng.beta(self.config.mixup, self.config.mixup)
        part = max(part, 1 - part)
        others = np.roll(photos, 1)
        # Two generators alike, so that both photos are seen through the same window.
        read, under = (
            self.photos.read(each, copy.deepcopy(rng), self.share) for each in (photos, others)
        )
        targets, beneath = self._targets(photos), self._targets(others)
        return self._encode(read.lerp(under, 1 - part)), targets.lerp(beneath, 1 - part)

    def _targets(self, photos: Indices) -> Tensor:
        return self.targets[self.share.of(photos)].to(self.device)

    def _language(self, step: int) -> Loss:
        batch = self.text.at(step, self.share).to(self.device)
        return objectives.language(self.model, batch, self._teaching(step))

    def _teaching(self, step: int) -> Teaching:
        config = self.config
        return Teaching(
            smoothing=config.label_smoothing,
            told=told(step, config),
            per_sentence=config.teacher_per == "sentence",
            doubly_stochastic=config.doubly_stochastic,
            hard_entropy=config.hard_entropy,
            guidance=config.guidance,
        )

    def _cross_entropy(self, step: int) -> Loss:
        photos, rng = self._chosen(step)
        captions = self.captions.draw(photos, rng, self.share).to(self.device)
        grid, targets = self._seen(photos, rng)
        loss = objectives.cross_entropy(
            self.model, grid, captions, targets, self._teaching(step), self.config.attribute_weight
        )
        if self.config.batch_sentences:
            (captions_loss, count), *others = loss.terms
            [(text_loss, _)] = self._language(step).terms
            loss.terms = [(captions_loss + text_loss, count), *others]
        return loss

    def _self_critical(self, step: int) -> Loss:
        photos, rng = self._chosen(step)
        grid = self._encode(self.photos.read(photos, rng, self.share))
        own = self.share.of(photos).tolist()
        vocabulary = self.model.vocabulary
        starts = torch.tensor([self.captions.starts[i] for i in own], device=self.device)
        options = SearchOptions(
            end=vocabulary.end, pad=vocabulary.pad, max_words=self.recipe.data.max_words,
            forbidden=vocabulary.never_written,
        )  # fmt: skip
        return self.reward(self.model, grid, starts, own, options, self.config.samples)


def first_model(
    recipe: Recipe, examples: Sequence[Example], sentences: Sequence[Sentence]
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
        frequency = torch.from_numpy(attribute_targets(examples, attributes).mean(0))
        model.head.start_at(frequency.clamp(1e-4, 1 - 1e-4))
    model.rarity = torch.from_numpy(word_rarity(examples, vocabulary))
    return model


def _joined(recipe: Recipe, files: Sequence[Path]) -> Model:
    """The first checkpoint's model, with the last one's decoder."""
    models = [checkpoint.load(file) for file in files]
    first, last = models[0], models[-1]
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
