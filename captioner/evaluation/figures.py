"""One evaluation: captions and references go in, all figures come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from captioner.datasets.captions import CaptionedPhoto, PhotoId
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import SAMPLES, compare, interval, sample_scores
from captioner.evaluation.calibration import calibration_figures, reliability
from captioner.evaluation.categories import CategoryWords
from captioner.evaluation.cider import Frequencies
from captioner.evaluation.hallucination import Named, chair_figures, judge_all
from captioner.evaluation.instances import Instances
from captioner.evaluation.java import Java, tokenize_groups
from captioner.evaluation.pointing import Pointed, point_all, pointing_figures
from captioner.evaluation.results import Candidate, check_english
from captioner.evaluation.scorers import Scores, score, score_part
from captioner.evaluation.spice import spice_missing, spice_scores
from captioner.evaluation.style import self_bleu, style_figures

Figures = dict[str, Any]
FEW = 20  # photos; of fewer the bootstrap's intervals hold the truth too seldom


@dataclass(frozen=True, eq=False)
class Beside:
    """What captions can be set beside, all of it optional.

    `against`: another system's captions of the same photos, to compare with. `frequencies`: photos
    whose references give CIDEr its document frequencies. `instances`: boxes, to see where it looked
    and what it made up. `training`: photos it was trained on, to count novel captions.
    """

    against: Mapping[PhotoId, Candidate] | None = None
    frequencies: Sequence[CaptionedPhoto] | None = None
    instances: Instances | None = None
    training: Sequence[CaptionedPhoto] | None = None
    against_name: str = "the other system"
    frequencies_name: str = "another reference set"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was found: `figures` as in the JSON report, and what a page shows of each photo."""

    figures: Figures
    photos: tuple[CaptionedPhoto, ...]
    candidates: Mapping[PhotoId, Candidate]


def evaluate(
    photos: Sequence[CaptionedPhoto],
    candidates: Mapping[PhotoId, Candidate],
    beside: Beside = Beside(),
    samples: int = SAMPLES,
    seed: int = 0,
    java: Java | None = None,
) -> Evaluation:
    """Score one candidate a photo; `samples` bootstrap samples are drawn with `seed`.

    Photos without a candidate are left out, as are those that `beside.against` has no caption of.
    Raises CaptionerError when nothing is left, or the captions are not English.
    """
    against = beside.against
    photos = [
        photo
        for photo in photos
        if photo.captions and photo.id in candidates and (not against or photo.id in against)
    ]
    if not photos:
        raise CaptionerError("there is nothing to score: no photo has both a reference and caption")
    candidates = {photo.id: candidates[photo.id] for photo in photos}
    with nullcontext(java) if java else Java() as machine:
        return _Run(photos, candidates, beside, samples, seed, machine).evaluation()


class _Run:
    """The steps of one evaluation; each adds its part to the figures."""

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        candidates: Mapping[PhotoId, Candidate],
        beside: Beside,
        samples: int,
        seed: int,
        java: Java,
    ) -> None:
        self.photos, self.candidates, self.beside = photos, candidates, beside
        self.samples, self.seed, self.java = samples, seed, java
        self.references = {photo.id: photo.captions for photo in photos}
        self.notes = check_english(self.references, candidates, "the captions")
        self.frequencies = self._frequencies()
        self.scores = self._score(candidates)
        self.sampled = sample_scores(self.scores, java, samples, seed)
        self.pointed: dict[PhotoId, list[Pointed]] = {}
        self.named: dict[PhotoId, Named] = {}
        self.other: Scores | None = None

    def evaluation(self) -> Evaluation:
        figures: Figures = {
            "metrics": self.scores.metrics,
            "intervals": {name: interval(drawn) for name, drawn in self.sampled.items()},
            "bootstrap": {"samples": self.samples, "seed": self.seed, "interval": 0.95},
            "cider_document_frequencies": {
                "from": self.frequencies.name if self.frequencies else "the references scored",
                "photos": self.frequencies.photos if self.frequencies else len(self.photos),
            },
            "photos_scored": len(self.photos),
            "references_scored": sum(len(photo.captions) for photo in self.photos),
            "by_source": self._by_source(),
            "against": self._against(),
            "where_it_looked": self._where_it_looked(),
            "what_it_made_up": self._what_it_made_up(),
            "how_it_says_it": self._how_it_says_it(),
            "calibration": self._calibration(),
        }
        figures = {name: part for name, part in figures.items() if part is not None}
        figures["notes"] = [*self.notes, *self._cautions()]
        figures["captions"] = [
            {"image_id": key, "caption": candidate.caption}
            for key, candidate in self.candidates.items()
        ]
        figures["photos"] = self._each()
        return Evaluation(figures, tuple(self.photos), self.candidates)

    def _cautions(self) -> list[str]:
        """What a reader of so few photos' figures should know."""
        counted = self.frequencies.photos if self.frequencies else len(self.photos)
        cautions = []
        if counted == 1:
            cautions.append(
                "CIDEr is 0 whatever the caption: its document frequencies are from one photo's "
                "references, where no word is rarer than another; --df FILE takes them from others"
            )
        if len(self.photos) < FEW:
            cautions.append(
                f"intervals and p-values of only {len(self.photos)} photos are too narrow: "
                f"take at least {FEW}"
            )
        return cautions

    def _frequencies(self) -> Frequencies | None:
        if self.beside.frequencies is None:
            return None
        references = {photo.id: photo.captions for photo in self.beside.frequencies}
        tokens = tokenize_groups(self.java, references)
        return Frequencies.of(self.beside.frequencies_name, tokens)

    def _score(self, candidates: Mapping[PhotoId, Candidate]) -> Scores:
        texts = {photo.id: candidates[photo.id].caption for photo in self.photos}
        scores = score(self.references, texts, self.java, self.frequencies)
        problem = spice_missing()
        if not problem:
            try:
                total, each = spice_scores(scores.tokens)
                return replace(
                    scores,
                    metrics={**scores.metrics, "SPICE": total},
                    values={**scores.values, "SPICE": each},
                )
            except CaptionerError as error:
                problem = str(error)
        if problem not in self.notes:
            self.notes.append(problem)
        return scores

    def _by_source(self) -> Figures | None:
        sources: dict[str, list[PhotoId]] = {}
        for photo in self.photos:
            sources.setdefault(photo.source, []).append(photo.id)
        if len(sources) < 2:
            return None
        return {
            source or "no source": {
                "photos": len(keys),
                "metrics": score_part(self.scores, keys, self.java, self.frequencies).metrics,
            }
            for source, keys in sorted(sources.items())
        }

    def _against(self) -> Figures | None:
        if not self.beside.against:
            return None
        self.notes += check_english(
            self.references,
            {photo.id: self.beside.against[photo.id] for photo in self.photos},
            self.beside.against_name,
        )
        self.other = self._score(self.beside.against)
        drawn = sample_scores(self.other, self.java, self.samples, self.seed)
        mine = self.scores.metrics
        return {
            "name": self.beside.against_name,
            "metrics": self.other.metrics,
            "differences": {
                name: asdict(compare(mine[name], theirs, self.sampled[name], drawn[name]))
                for name, theirs in self.other.metrics.items()
                if name in mine
            },
        }

    def _where_it_looked(self) -> Figures | None:
        instances = self.beside.instances
        attentive = any(one.attention is not None for one in self.candidates.values())
        if instances is None or not attentive:
            return None
        names = CategoryWords(instances.categories)
        self.pointed = point_all(self.candidates, instances, names)
        return pointing_figures(self.pointed)

    def _what_it_made_up(self) -> Figures | None:
        instances = self.beside.instances
        if instances is None:
            return None
        words = {key: text.split() for key, text in self._captions().items()}
        told = {
            key: [text.split() for text in texts]
            for key, texts in self.scores.tokens.references.items()
        }
        names = CategoryWords(instances.categories)
        self.named = judge_all(words, told, instances, names)
        if not self.named:
            self.notes.append("the instances file has none of these photos")
        return chair_figures(self.named)

    def _how_it_says_it(self) -> Figures:
        known = None
        if self.beside.training is not None:
            texts = [text for photo in self.beside.training for text in photo.captions]
            known = frozenset(self.java.tokenize(texts))
        figures = style_figures(self._captions(), known)
        several = {
            key: [one.caption, *one.alternatives]
            for key, one in self.candidates.items()
            if one.alternatives
        }
        if several:
            figures["self_bleu"] = self_bleu(list(tokenize_groups(self.java, several).values()))
            figures["self_bleu_captions"] = max(map(len, several.values()))
        return figures

    def _captions(self) -> dict[PhotoId, str]:
        return {key: texts[0] for key, texts in self.scores.tokens.candidates.items()}

    def _calibration(self) -> Figures | None:
        known = [one.score for one in self.candidates.values() if one.score is not None]
        if len(known) < len(self.candidates):
            return None
        figures = calibration_figures(known, self.scores.values["CIDEr"].tolist())
        probabilities: list[float] = []
        right: list[bool] = []
        for key, one in self.candidates.items():
            told = {w for text in self.scores.tokens.references[key] for w in text.split()}
            probabilities += one.probabilities
            right += [word in told for word in one.words[: len(one.probabilities)]]
        if probabilities:
            figures["words"] = reliability(probabilities, right)
        return figures

    def _each(self) -> list[Figures]:
        """The part of the report on single photos."""
        per_photo = self.scores.per_photo
        others = self.other.per_photo if self.other else {}
        return [self._photo(photo, per_photo[photo.id], others) for photo in self.photos]

    def _photo(
        self, photo: CaptionedPhoto, metrics: Figures, others: Mapping[PhotoId, Figures]
    ) -> Figures:
        one = self.candidates[photo.id]
        entry: Figures = {
            "image_id": photo.id,
            "file_name": photo.file_name,
            "source": photo.source or None,
            "caption": one.caption,
            "score": one.score,
            "alternatives": list(one.alternatives) or None,
            "references": list(photo.captions),
            "metrics": metrics,
            "where_it_looked": [asdict(word) for word in self.pointed.get(photo.id, [])] or None,
            "made_up": list(self.named[photo.id].made_up) if photo.id in self.named else None,
        }
        if self.beside.against and photo.id in others:
            caption = self.beside.against[photo.id].caption
            entry["against"] = {"caption": caption, "metrics": others[photo.id]}
        return {name: value for name, value in entry.items() if value is not None}


def plain(value: Any) -> Any:
    """The same figures as JSON can hold them: numpy's numbers as Python's, what is none as None."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
