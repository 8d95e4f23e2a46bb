"""One evaluation: captions and references go in, all figures come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import (
    FEW,
    SAMPLES,
    caution,
    compare,
    interval,
    sample_scores,
)
from captioner.evaluation.calibration import knowledge
from captioner.evaluation.categories import CategoryWords
from captioner.evaluation.cider import Array, Frequencies, cider_r
from captioner.evaluation.embeddings import (
    Embeddings,
    bert_scores,
    embedding_scores,
    read_embeddings,
)
from captioner.evaluation.groups import group_field, photos_by
from captioner.evaluation.hallucination import Named, chair_figures, judge_all
from captioner.evaluation.instances import Instances
from captioner.evaluation.java import Java, tokenize_groups
from captioner.evaluation.pointing import Pointed, point_all, pointing_figures
from captioner.evaluation.report import Report
from captioner.evaluation.results import (
    Candidate,
    Candidates,
    References,
    candidates_of,
    check_english,
    photos_of,
)
from captioner.evaluation.scorers import Scores, score, score_part
from captioner.evaluation.several import mutual_bleu, several_figures
from captioner.evaluation.spice import with_spice
from captioner.evaluation.style import style_figures

Figures = dict[str, Any]
EmbeddingSource = Callable[[Sequence[CaptionedPhoto], Mapping[PhotoId, Candidate]], Embeddings]


@dataclass(frozen=True, eq=False)
class Context:
    """What captions can be set beside, all of it optional.

    `against`: another system's captions of the same photos, to compare with. `frequencies`: photos
    whose references give CIDEr its document frequencies. `instances`: boxes, to see where it looked
    and what it made up. `training`: photos it was trained on, to count novel captions. `groups`:
    fields of the references to report by. `embeddings`: .npz files of "CLIP" or "PAC", or what
    computes them of photos and candidates. `bertscore`: whether to compute it.
    """

    against: Mapping[PhotoId, Candidate] | None = None
    frequencies: Sequence[CaptionedPhoto] | None = None
    instances: Instances | None = None
    training: Sequence[CaptionedPhoto] | None = None
    against_name: str = "the other system"
    frequencies_name: str = "another reference set"
    groups: Sequence[str] = ()
    embeddings: Mapping[str, Path | EmbeddingSource] = field(default_factory=dict)
    bertscore: bool = False


def evaluate(
    references: References,
    candidates: Candidates,
    context: Context = Context(),
    samples: int = SAMPLES,
    seed: int = 0,
    java: Java | None = None,
) -> Report:
    """Score captions against references; `samples` bootstrap samples are drawn with `seed`.

    `references` are photos, a file of any shape that `captioner.datasets.captions` reads, captions
    by photo id, or a list of captions for each photo; `candidates` a file of results, one caption
    or several by photo id, or in the photos' order. An open `Scorer` as `java` spares METEOR's
    start. Photos without a reference, a candidate or a caption of `context.against` are left out,
    which a note says. Raises CaptionerError when nothing is left, or the captions are not English.
    """
    photos = photos_of(references)
    given = candidates_of(candidates, photos)
    common = set(given) & set(context.against or given)
    scored = [photo for photo in photos if photo.captions and photo.id in common]
    if not scored:
        raise CaptionerError("there is nothing to score: no photo has both a reference and caption")
    kept = {photo.id: given[photo.id] for photo in scored}
    notes = []
    if missing := [photo.id for photo in photos if photo.id not in kept]:
        notes.append(
            f"{len(missing)} of {len(photos)} photos lack a reference or a caption: "
            f"{first_few(missing)}; left out"
        )
    with nullcontext(java) if java else Java() as machine:
        return _Run(scored, kept, context, samples, seed, machine, notes).report()


def document_frequencies(context: Context, java: Java) -> Frequencies | None:
    """CIDEr's, counted in the photos that are to give them; None: in those that are scored."""
    if context.frequencies is None:
        return None
    references = {photo.id: photo.captions for photo in context.frequencies}
    return Frequencies.of(context.frequencies_name, tokenize_groups(java, references))


class _Run:
    """The steps of one evaluation; each adds its part to the figures."""

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        candidates: Mapping[PhotoId, Candidate],
        context: Context,
        samples: int,
        seed: int,
        java: Java,
        notes: Sequence[str],
    ) -> None:
        self.photos, self.candidates, self.context = photos, candidates, context
        self.samples, self.seed, self.java = samples, seed, java
        self.references = {photo.id: photo.captions for photo in photos}
        self.embeddings = {
            kind: read_embeddings(source, photos)
            if isinstance(source, Path)
            else source(photos, candidates)
            for kind, source in context.embeddings.items()
        }
        self.notes = [*notes, *check_english(self.references, candidates, "the captions")]
        self.names = None
        if context.instances is not None:
            self.notes += context.instances.notes
            self.names = CategoryWords(context.instances.categories)
        self.frequencies = document_frequencies(context, java)
        official = self._official(candidates)
        self.tokens = official.tokens
        self.counted = self.frequencies or Frequencies.of(
            "the references scored", self.tokens.references
        )
        self.official = list(official.metrics)
        self.scores = official.plus(self._further())
        self.sampled = sample_scores(self.scores, java, samples, seed)
        self.pointed: dict[PhotoId, list[Pointed]] = {}
        self.named: dict[PhotoId, Named] = {}
        self.other: Scores | None = None
        self.diversity: dict[PhotoId, Figures] = {}

    def report(self) -> Report:
        metrics = self.scores.metrics
        intervals = {name: interval(drawn) for name, drawn in self.sampled.items()}
        figures: Figures = {
            "metrics": {name: metrics[name] for name in self.official},
            "intervals": {name: intervals[name] for name in self.official},
            "bootstrap": {"samples": self.samples, "seed": self.seed, "interval": 0.95},
            "cider_document_frequencies": {
                "from": self.counted.name,
                "photos": self.counted.photos,
            },
            "photos_scored": len(self.photos),
            "references_scored": sum(len(photo.captions) for photo in self.photos),
            "further_metrics": {
                name: {"score": metrics[name], "interval": intervals[name]}
                for name in metrics
                if name not in self.official
            },
            "several": self._several(),
            "by_source": self._by_source(),
            "by_group": self._by_group(),
            "against": self._against(),
            "where_it_looked": self._where_it_looked(),
            "what_it_made_up": self._what_it_made_up(),
            "how_it_says_it": self._how_it_says_it(),
            "calibration": knowledge(
                self.candidates, self.tokens.references, self.scores.values["CIDEr"].tolist()
            ),
        }
        figures = {name: part for name, part in figures.items() if part is not None}
        if self.counted.photos == 1:
            self.notes.append(
                "CIDEr is 0 whatever the caption: its document frequencies are from one photo's "
                "references, where no word is rarer than another; --df FILE takes them from others"
            )
        figures["notes"] = [*self.notes, *caution(len(self.photos))]
        figures["captions"] = [
            {"image_id": key, "caption": candidate.caption}
            for key, candidate in self.candidates.items()
        ]
        figures["photos"] = self._each()
        return Report(figures, tuple(self.photos), self.candidates, self.sampled)

    def _official(self, candidates: Mapping[PhotoId, Candidate]) -> Scores:
        texts = {photo.id: candidates[photo.id].caption for photo in self.photos}
        scores = score(self.references, texts, self.java, self.frequencies)
        scores, problem = with_spice(scores)
        if problem and problem not in self.notes:
            self.notes.append(problem)
        return scores

    def _further(self) -> dict[str, Array]:
        """Metrics beside the official ones, all of them means over photos: (N) each."""
        values = {"CIDEr_R": cider_r(self.tokens.references, self.tokens.candidates, self.counted)}
        for kind, embeddings in self.embeddings.items():
            values |= embedding_scores(embeddings, kind)
        if self.context.bertscore:
            texts = {key: one.caption for key, one in self.candidates.items()}
            values["BERTScore"] = bert_scores(self.references, texts)
        return values

    def _several(self) -> Figures | None:
        others = {key: one.others for key, one in self.candidates.items() if one.others}
        if not others:
            return None
        further = tokenize_groups(self.java, others)
        figures, self.diversity = several_figures(
            self.tokens, further, self.java, self.counted, self.samples, self.seed
        )
        if len(others) < len(self.candidates):
            self.notes.append(
                f"{len(self.candidates) - len(others)} photos have only one caption: "
                "the diversity is that of the others"
            )
        return figures

    def _by_source(self) -> Figures | None:
        sources = photos_by(self.photos, lambda photo: photo.source or "no source")
        return self._groups(sources) if len(sources) > 1 else None

    def _by_group(self) -> Figures | None:
        fields = list(self.context.groups)
        if not fields and any("domain" in photo.fields for photo in self.photos):
            fields = ["domain"]  # nocaps
        return {name: self._groups(group_field(self.photos, name)) for name in fields} or None

    def _groups(self, groups: dict[str, list[PhotoId]]) -> Figures:
        """Every group as if it had been scored alone, with intervals."""
        few = [name for name, keys in groups.items() if len(keys) < FEW <= len(self.photos)]
        if few:
            self.notes.append(
                f"groups of fewer than {FEW} photos, whose intervals are too narrow: "
                + first_few(few)
            )
        figures = {}
        for name, keys in groups.items():
            part = score_part(self.scores, keys, self.java, self.frequencies)
            sampled = sample_scores(part, self.java, self.samples, self.seed)
            figures[name] = {
                "photos": len(keys),
                "metrics": part.metrics,
                "intervals": {metric: interval(drawn) for metric, drawn in sampled.items()},
            }
        return figures

    def _against(self) -> Figures | None:
        if not self.context.against:
            return None
        self.notes += check_english(
            self.references,
            {photo.id: self.context.against[photo.id] for photo in self.photos},
            self.context.against_name,
        )
        self.other = self._official(self.context.against)
        drawn = sample_scores(self.other, self.java, self.samples, self.seed)
        mine = self.scores.metrics
        return {
            "name": self.context.against_name,
            "metrics": self.other.metrics,
            "differences": {
                name: asdict(compare(mine[name], theirs, self.sampled[name], drawn[name]))
                for name, theirs in self.other.metrics.items()
                if name in mine
            },
        }

    def _where_it_looked(self) -> Figures | None:
        instances, names = self.context.instances, self.names
        attentive = any(one.attention is not None for one in self.candidates.values())
        if instances is None or names is None or not attentive:
            return None
        self.pointed = point_all(self.candidates, instances, names)
        return pointing_figures(self.pointed)

    def _what_it_made_up(self) -> Figures | None:
        instances, names = self.context.instances, self.names
        if instances is None or names is None:
            return None
        words = {key: text.split() for key, text in self._captions().items()}
        told = {
            key: [text.split() for text in texts] for key, texts in self.tokens.references.items()
        }
        self.named = judge_all(words, told, instances, names)
        if not self.named:
            self.notes.append("the instances file has none of these photos")
        return chair_figures(self.named)

    def _how_it_says_it(self) -> Figures:
        known = None
        if self.context.training is not None:
            texts = [text for photo in self.context.training for text in photo.captions]
            known = frozenset(self.java.tokenize(texts))
        figures = style_figures(self._captions(), known)
        several = {
            key: [one.caption, *one.alternatives]
            for key, one in self.candidates.items()
            if one.alternatives
        }
        if several:
            told = tokenize_groups(self.java, several).values()
            figures["self_bleu"] = float(np.mean([mutual_bleu(texts)[3] for texts in told]))
            figures["self_bleu_captions"] = max(map(len, several.values()))
        return figures

    def _captions(self) -> dict[PhotoId, str]:
        return {key: texts[0] for key, texts in self.tokens.candidates.items()}

    def _each(self) -> list[Figures]:
        """The part of the report on single photos; what is not known of one is left out."""
        per_photo = self.scores.per_photo
        others = self.other.per_photo if self.other else {}
        against = self.context.against or {}
        entries: list[Figures] = []
        for photo in self.photos:
            key, candidate = photo.id, self.candidates[photo.id]
            metrics, pointed, named = per_photo[key], self.pointed.get(key, ()), self.named.get(key)
            entry = {
                "image_id": key,
                "file_name": photo.file_name,
                "source": photo.source or None,
                "caption": candidate.caption,
                "score": candidate.score,
                "confidence": candidate.confidence,
                "captions": [candidate.caption, *candidate.others] if candidate.others else None,
                "alternatives": list(candidate.alternatives) or None,
                "references": list(photo.captions),
                "metrics": {name: metrics[name] for name in self.official},
                "further_metrics": {
                    name: value for name, value in metrics.items() if name not in self.official
                },
                "several": self.diversity.get(key),
                "where_it_looked": [asdict(word) for word in pointed] or None,
                "made_up": list(named.made_up) if named else None,
                "against": {"caption": against[key].caption, "metrics": others[key]}
                if key in others
                else None,
            }
            entries.append({name: value for name, value in entry.items() if value is not None})
        return entries
