"""A stage of training: the model it begins with, its data, and the loss of each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from captioner.devices import find_device
from captioner.errors import CaptionerError
from captioner.files import Unwritable
from captioner.model.attributes import AttributeHead
from captioner.search import SearchOptions
from captioner.training import objectives
from captioner.training.batches import Batch, CaptionBatches, Order, Share, TextBatches
from captioner.training.data import (
    Example,
    PhotoFiles,
    StyledSentence,
    attribute_targets,
    photo_files,
    read_examples,
    read_sentences,
)
from captioner.training.folds import Folds, held_still, partners, start_folds
from captioner.training.labels import read_labels
from captioner.training.objectives import Loss, Teaching
from captioner.training.photos import CachedPhotos, Photos, PixelPhotos, encode
from captioner.training.recipe import Recipe, check_files
from captioner.training.start import first_model, prepare
from captioner.training.teacher import told
from captioner.training.text import SentenceAttributes


class Stage(Dataset[Batch]):
    """Everything that a step's loss depends on, the step's number apart."""

    def __init__(self, recipe: Recipe, share: Share) -> None:
        """Raises CaptionerError for files, photos or checkpoints that cannot be used."""
        self.recipe, self.share = recipe, share
        self.config = recipe.training
        check_files(recipe)
        self.device = find_device(self.config.device)
        self.folds: Folds | None = None
        self.label_head: AttributeHead | None = None
        self.reward: objectives.SelfCritical | None = None
        self.text: TextBatches | None = None
        self._read_examples()
        sentences = read_sentences(recipe.data.text)
        self.model = first_model(recipe, self.examples, sentences)
        self.model.to(self.device).train()
        if self.device.type == "cuda":
            self.model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        prepare(self.model, self.config)
        if self.config.objective == "words":
            self._need_attributes("training.objective: words are what is learnt")
        if self.config.objective != "language":
            self._read_photos()
        if self.config.batch_sentences and self.config.objective in ("language", "cross_entropy"):
            self._read_text(sentences)

    def _read_examples(self) -> None:
        """Those with captions first."""
        data = self.recipe.data
        self.examples = list(read_examples(data.train, data.styles, ("train", "restval")))
        self.captioned = len(self.examples)
        if data.unlabelled:
            self.examples += read_examples(data.unlabelled, data.styles, ("train",), False)
        self.examples_val: list[Example] = []
        if data.val is not None and self.config.objective not in ("words", "language"):
            self.examples_val = read_examples(data.val, data.styles, ("val",))

    def _read_photos(self) -> None:
        config, recipe = self.config, self.recipe
        files = photo_files(recipe.data.photos)
        self.photos = self._photos(files, self.examples)
        if self.examples_val:
            self.photos_val = self._photos(files, self.examples_val)
        vocabulary = self.model.vocabulary
        self.captions = CaptionBatches(
            self.examples, vocabulary, config.captions_per_photo, recipe.data.max_words
        )
        dealt = np.repeat(
            np.arange(len(self.examples)),
            [recipe.data.repeat.get(e.style, 1) for e in self.examples],
        )
        if config.objective == "words":  # no captions are padded; those without any are dealt alike
            lengths = [0] * len(dealt)
        else:
            dealt = dealt[dealt < self.captioned]
            lengths = np.array(self.captions.lengths)[dealt].tolist()
        self.dealt, self.order = dealt, Order(lengths, config.batch_photos, config.seed)
        self._check_shares("photos", self.order)
        self._read_targets()
        self.counted = self.known.cpu(), self.labelled.cpu()  # where a batch is drawn
        if config.objective == "self_critical":
            silent = [vocabulary.ids[","]] if "," in vocabulary.ids else []
            spoken = self.captions.ids[: self.captioned]
            self.starts = torch.tensor(self.captions.starts, device=self.device)
            self.reward = objectives.SelfCritical(spoken, silent, vocabulary.end, config.workers)
        if config.folds > 1:
            self._start_folds()

    def _start_folds(self) -> None:
        config, encoder = self.config, self.model.encoder
        if config.folds > self.captioned:
            raise CaptionerError(
                f"training.folds: {self.captioned} photos are too few for {config.folds} folds"
            )
        self.folds = start_folds(encoder, config.folds, config.start[0] if config.start else None)
        alike = self.folds.alike_below(encoder)
        if not alike and isinstance(self.photos, CachedPhotos):
            raise CaptionerError(
                "training.folds: more of their encoders has learnt than training.first_block says;"
                " set it as it was, or data.hold to true"
            )
        self.one_below = alike and not encoder.learns_below

    def _read_targets(self) -> None:
        """Attribute words (N, A) and labels (N, G) of the photos, and of which they are known."""
        targets = attribute_targets(self.examples, self.model.attributes)
        self.targets = torch.from_numpy(targets).to(self.device)
        known = torch.zeros(len(self.examples), device=self.device)
        known[: self.captioned] = 1
        self.known, self.labelled = known, torch.zeros_like(known)
        if self.recipe.data.labels is None or not self.config.label_weight:
            return
        if self.config.objective not in ("words", "cross_entropy"):
            return
        names, labels, labelled = read_labels(self.recipe.data.labels, self.examples)
        self.labels, self.labelled = labels.to(self.device), labelled.to(self.device)
        head = AttributeHead(self.model.encoder.channels, 256, len(names))
        head.start_at((labels.sum(0) / labelled.sum()).clamp(1e-4, 1 - 1e-4))
        head.regularise(self.config.dropout)
        self.label_head = head.to(self.device)

    def _need_attributes(self, why: str) -> None:
        if not self.model.attributes:
            least = self.recipe.data.attribute_minimum
            raise CaptionerError(
                f"data.attribute_minimum: there are no attribute words, as none stands with {least}"
                f" photos ({why})"
            )

    def _photos(self, files: PhotoFiles, examples: Sequence[Example]) -> Photos:
        data, tune, encoder = self.recipe.data, self.config.tune, self.model.encoder
        if tune == "everything" or data.hold:
            return PixelPhotos(encoder, files, examples, data.hold, tune != "nothing")
        try:
            return CachedPhotos(encoder, files, examples, data.cache, tune == "nothing")
        except Unwritable as error:
            raise CaptionerError(f"data.cache: {error}") from None

    def _read_text(self, sentences: Sequence[StyledSentence]) -> None:
        self._need_attributes("training.batch_sentences: sentences without photos are told by them")
        limit = self.recipe.data.max_words
        captions = [StyledSentence(e.style, c) for e in self.examples for c in e.captions]
        kept = [s for s in [*sentences, *captions] if 0 < len(s.words) <= limit]
        model, shown = self.model, self.recipe.attributes.shown
        attributes = SentenceAttributes(kept, model.vocabulary, model.attributes, shown)
        batch = self.config.batch_sentences
        text = TextBatches(kept, model.vocabulary, attributes, batch, self.config.seed)
        self._check_shares("sentences", text.order)
        self.text = text

    def _check_shares(self, kind: str, order: Order) -> None:
        if order.batch < self.share.world:
            raise CaptionerError(
                f"training.batch_{kind}: {self.share.world} processes cannot share"
                f" batches of {order.batch} {kind}"
            )

    def __getitem__(self, step: int) -> Batch:
        """What a step trains on, drawn on the processor: a function of its number alone. Also by
        workers, ahead of the step that needs it."""
        text = self.text.at(step, self.share) if self.text else None
        if self.config.objective == "language":
            return Batch(text=text)
        photos = self.dealt[self.order.at(step)]
        rng = np.random.default_rng([self.config.seed, step, 0])
        captions = None
        if self.config.objective == "cross_entropy":
            captions = self.captions.draw(photos, rng, self.share)
        part, under = 1.0, None
        if self.config.mixup:
            part = rng.beta(self.config.mixup, self.config.mixup)
            under = torch.from_numpy(self.share.of(partners(photos, self.config.folds)).copy())
        look = self.photos.draw(photos, rng, self.share)
        own = torch.from_numpy(self.share.of(photos).copy())
        beneath = own if under is None else under
        told, labelled = (int((known[own] * known[beneath]).sum()) for known in self.counted)
        return Batch(own, look, under, max(part, 1 - part), told, labelled, captions, text)

    def batches(self, first: int) -> Iterator[Batch]:
        """The batches from step `first` on, on the device, drawn ahead by `workers`."""
        pin = self.device.type == "cuda"
        steps = range(first, self.config.max_steps)
        ahead = self.config.workers
        context = "fork" if ahead else None  # workers then share the captions
        loader = DataLoader(
            self, None, sampler=steps, num_workers=ahead, pin_memory=pin,
            multiprocessing_context=context, collate_fn=lambda batch: batch,
        )  # fmt: skip
        for batch in loader:
            yield batch.to(self.device)

    @property
    def photos_a_step(self) -> int:
        """Over all processes; none in the stage `language`."""
        return 0 if self.config.objective == "language" else self.order.batch

    def close(self) -> None:
        """End the processes that have helped."""
        if self.reward is not None:
            self.reward.close()

    @property
    def beside(self) -> nn.ModuleDict:
        """What learns beside the captioner and is no part of it."""
        parts = {"folds": self.folds, "labels": self.label_head}
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})

    def loss(self, step: int, batch: Batch | None = None) -> Loss:
        """The loss of a step; its batch is drawn here unless it is given."""
        batch = batch or self[step].to(self.device)
        if self.config.objective == "language":
            assert batch.text is not None
            return objectives.language(self.model, batch.text, self._teaching(step))
        read = self._read(batch)
        if self.config.objective == "self_critical":
            return self._self_critical(read, batch)
        if self.folds is None:
            loss = self._taught(encode(self.photos, read, self.model.encoder), batch, step)
        else:
            loss = self._cross_fitted(self.folds, read, batch, step)
        if batch.text is not None:
            [(text_loss, count)] = objectives.language(
                self.model, batch.text, self._teaching(step)
            ).terms
            # By the photos' count: so many sentences without a photo weigh as much as words do.
            loss.terms.append((text_loss, batch.captions.count if batch.captions else count))
        return loss

    def _read(self, batch: Batch) -> Tensor:
        """The photos as they are seen, each laid over the one under it."""
        assert batch.photos is not None
        read = self.photos.read(batch.photos, batch.look)
        if batch.under is None:
            return read
        return read.lerp(self.photos.read(batch.under, batch.look), 1 - batch.part)

    def _taught(self, grid: Tensor, batch: Batch, step: int) -> Loss:
        """What `grid` (B, L, C) says of the batch's photos: words, labels, captions."""
        config, model = self.config, self.model
        loss = Loss([], {})
        if config.objective == "cross_entropy":
            assert batch.captions is not None
            loss = objectives.cross_entropy(model, grid, batch.captions, self._teaching(step))
        weight = 1.0 if config.objective == "words" else config.attribute_weight
        heads = [("attributes", model.head, self.targets, self.known, batch.told)]
        if self.label_head is not None:
            labelled = self.labels, self.labelled, batch.labelled
            heads.append(("labels", self.label_head, *labelled))
        for name, head, targets, known, count in heads if model.attributes else []:
            share = weight * (config.label_weight if name == "labels" else 1.0)
            expected, certain = (self._mixed(part, batch) for part in (targets, known))
            term, count = objectives.named_in_photos(head, grid, expected, certain.floor(), count)
            loss.terms.append((share * term, count))
            loss.figures[name] = (term.detach(), count)
        return loss

    def _mixed(self, known: Tensor, batch: Batch) -> Tensor:
        """What is `known` (N, …) of the batch's photos, by their shares."""
        own = known[batch.photos]
        return own if batch.under is None else own.lerp(known[batch.under], 1 - batch.part)

    def _cross_fitted(self, folds: Folds, read: Tensor, batch: Batch, step: int) -> Loss:
        """The heads and the decoder learn from encoders that do not know the photo; all encoders
        learn through them as they are."""
        honest, others, shared = self._folded(folds, read, batch)
        grid = encode(self.photos, read, self.model.encoder, shared)
        loss = self._taught(honest, batch, step)
        readers: list[nn.Module] = [self.model.head, self.model.decoder]
        readers += [self.label_head] if self.label_head is not None else []
        with held_still(*readers):
            for learning in (grid, *others):
                loss.terms += self._taught(learning, batch, step).terms
        return loss

    def _folded(
        self, folds: Folds, read: Tensor, batch: Batch
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """`Folds.grids` of the photos, and the maps that all encoders share, if they do."""
        assert batch.photos is not None
        shared = self.photos.lower(read, self.model.encoder) if self.one_below else None
        return *folds.grids(self.photos, read, batch.photos, shared), shared

    def _teaching(self, step: int) -> Teaching:
        config = self.config
        return Teaching(
            smoothing=config.label_smoothing,
            told=told(step, config),
            per_sentence=config.teacher_per == "sentence",
            doubly_stochastic=config.doubly_stochastic,
            hard_entropy=config.hard_entropy,
            guidance=config.guidance if config.objective == "cross_entropy" else 0.0,
        )

    def _self_critical(self, read: Tensor, batch: Batch) -> Loss:
        assert batch.photos is not None and self.reward is not None
        vocabulary = self.model.vocabulary
        with torch.no_grad():
            if self.folds is None:
                grid = encode(self.photos, read, self.model.encoder)
            else:
                grid, *_ = self._folded(self.folds, read, batch)
        options = SearchOptions(
            end=vocabulary.end, pad=vocabulary.pad, max_words=self.recipe.data.max_words,
            forbidden=vocabulary.never_written,
        )  # fmt: skip
        starts = self.starts[batch.photos]
        own = batch.photos.tolist()
        return self.reward(self.model, grid, starts, own, options, self.config.samples)
