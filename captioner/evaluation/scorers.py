"""The official COCO caption scores: pycocoevalcap's own scorers, its tokenizer and METEOR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from captioner.datasets.captions import PhotoId, brief, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.cider import Array, Frequencies, cider_scores
from captioner.evaluation.java import Java, tokenize_groups

BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")
# Words of a caption times words of a reference: METEOR aligns 500 with 500 in 4 s, 1,000 with
# 1,000 in more than five minutes.
LONGEST_PAIR = 250_000
METRICS = (*BLEU, "METEOR", "ROUGE_L", "CIDEr")


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenized sentences of N photos: references, and one candidate in a list of one."""

    references: dict[PhotoId, list[str]]
    candidates: dict[PhotoId, list[str]]


@dataclass(frozen=True, eq=False)
class Scores:
    """Official scores, unscaled: `metrics` of all N photos, `per_photo` of each.

    `values` has the same per-photo scores as columns (N), in the order of `tokens`. `tallies` has
    what is added up over photos before a score is formed, for the metrics that are no mean over
    photos: "Bleu" (N, 10) and "METEOR" (N, 23).
    """

    metrics: dict[str, float]
    values: dict[str, Array]
    tallies: dict[str, Array]
    tokens: Tokens

    def plus(self, values: Mapping[str, Array]) -> Scores:
        """These and further metrics, each a mean over the photos of its `values` (N)."""
        means = {name: float(column.mean()) for name, column in values.items()}
        metrics, columns = {**self.metrics, **means}, {**self.values, **values}
        return replace(self, metrics=metrics, values=columns)

    @property
    def per_photo(self) -> dict[PhotoId, dict[str, float]]:
        """The scores of each photo, by its id."""
        rows = zip(*(column.tolist() for column in self.values.values()), strict=True)
        return {
            key: dict(zip(self.values, row, strict=True))
            for key, row in zip(self.tokens.references, rows, strict=True)
        }


class Scorer(Java):
    """The official scores from one Java that stays open: METEOR's tables are loaded once.

        with Scorer() as scorer:
            for captions in ...:
                scorer.score(references, captions).metrics["METEOR"]

    References that come again are not tokenized again. Whatever takes a `Java` takes it too.
    """

    def __init__(self, meteor: bool = True) -> None:
        super().__init__(meteor)
        self._known: tuple[dict[PhotoId, Sequence[str]], dict[PhotoId, list[str]]] = ({}, {})

    def score(
        self,
        references: Mapping[PhotoId, Sequence[str]],
        candidates: Mapping[PhotoId, str],
        frequencies: Frequencies | None = None,
    ) -> Scores:
        """The official scores of one caption a photo: `metrics` of all, `per_photo` of each.

        CIDEr takes its document frequencies from the references unless others are given. Raises
        CaptionerError where references and candidates are not of the same photos.
        """
        return score(references, candidates, self, frequencies)

    def cider(
        self, references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, str]
    ) -> Scores:
        """CIDEr alone, which is done in the time METEOR takes to load."""
        return cider_only(references, candidates, self)

    def references(self, references: Mapping[PhotoId, Sequence[str]]) -> dict[PhotoId, list[str]]:
        """The references tokenized; those of the last call from memory."""
        known, tokens = self._known
        if list(known.items()) != list(references.items()):
            tokens = tokenize_groups(self, references)
            self._known = dict(references), tokens
        return tokens


def score(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, str],
    java: Java | None = None,
    frequencies: Frequencies | None = None,
) -> Scores:
    """Score one caption a photo against its references, both as written.

    Equal to pycocoevalcap's COCOEvalCap on the same photos in the same order. CIDEr takes its
    document frequencies from the references unless others are given. Raises CaptionerError when
    references and candidates are not of the same photos, or there are none.
    """
    with nullcontext(java) if java else Java() as machine:
        tokens = _tokenize(machine, references, candidates)
        return score_tokens(tokens, machine, frequencies)


def cider_only(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, str],
    java: Java | None = None,
) -> Scores:
    """CIDEr alone, with the official tokenizer: it is done in the time METEOR takes to load."""
    with nullcontext(java) if java else Java(meteor=False) as machine:
        tokens = _tokenize(machine, references, candidates)
    total, each = cider_scores(tokens.references, tokens.candidates)
    return Scores({"CIDEr": total}, {"CIDEr": each}, {}, tokens)


def score_tokens(
    tokens: Tokens,
    java: Java,
    frequencies: Frequencies | None = None,
    meteor_rows: Array | None = None,
) -> Scores:
    """Score tokenized captions; METEOR runs in Java while Python computes the others.

    `meteor_rows` (N, 24), each photo's METEOR and its tallies, spares aligning anew.
    """
    from pycocoevalcap.rouge.rouge import Rouge

    with ThreadPoolExecutor(1) as beside:
        if meteor_rows is None:
            captions = [texts[0] for texts in tokens.candidates.values()]
            aligned = beside.submit(java.meteor, list(tokens.references.values()), captions)
        bleus, bleu_values, bleu_tallies = _bleu(tokens)
        rouge, rouge_values = Rouge().compute_score(tokens.references, tokens.candidates)
        cider, cider_values = cider_scores(tokens.references, tokens.candidates, frequencies)
        rows = np.array(aligned.result()) if meteor_rows is None else meteor_rows
    meteor_values, meteor_tallies = rows[:, 0], rows[:, 1:]
    meteor = java.meteor_scores([meteor_tallies.sum(0).tolist()])[0]
    totals = [*bleus, meteor, float(rouge), cider]
    columns = [*bleu_values, meteor_values, rouge_values, cider_values]
    return Scores(
        dict(zip(METRICS, totals, strict=True)),
        dict(zip(METRICS, columns, strict=True)),
        {"Bleu": bleu_tallies, "METEOR": meteor_tallies},
        tokens,
    )


def score_part(
    scores: Scores, keys: Iterable[PhotoId], java: Java, frequencies: Frequencies | None = None
) -> Scores:
    """The scores of some of the photos, as if they had been scored alone."""
    wanted, whole = set(keys), scores.tokens
    chosen = {key: row for row, key in enumerate(whole.references) if key in wanted}
    tokens = Tokens(
        {key: whole.references[key] for key in chosen},
        {key: whole.candidates[key] for key in chosen},
    )
    rows = np.column_stack([scores.values["METEOR"], scores.tallies["METEOR"]])
    return score_tokens(tokens, java, frequencies, rows[list(chosen.values())])


def resample(scores: Scores, weights: Array, java: Java) -> dict[str, Array]:
    """Every metric (S) of S samples of the photos, given how often each is in each (S, N).

    BLEU and METEOR are formed from what their tallies add up to; the others are means. CIDEr keeps
    the document frequencies of the whole set.
    """
    sampled = dict(zip(BLEU, _bleu_of_sums(weights @ scores.tallies["Bleu"]).T, strict=True))
    meteor = java.meteor_scores((weights @ scores.tallies["METEOR"]).tolist())
    sampled["METEOR"] = np.array(meteor)
    for name, values in scores.values.items():
        if name not in sampled:
            sampled[name] = weights @ values / weights.sum(1)
    return {name: sampled[name] for name in scores.values}


def _tokenize(
    java: Java, references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, str]
) -> Tokens:
    if not references:
        raise CaptionerError("there is nothing to score: no photo has a reference caption")
    for what, missing in (
        ("no caption to score", [key for key in references if key not in candidates]),
        ("no reference caption", [key for key in candidates if not references.get(key)]),
    ):
        if missing:
            raise CaptionerError(f"{len(missing)} photos have {what}: {first_few(missing)}")
    for key, texts in references.items():
        words = len(candidates[key].split())
        longest = max(len(text.split()) for text in texts)
        if words * longest > LONGEST_PAIR:
            raise CaptionerError(
                f"photo {brief(key)}: METEOR would take minutes to align a caption of {words:,} "
                f"words with a reference of {longest:,}; shorten one of them"
            )
    # Apart, as the official tokenizer gets them: it reads on over the ends of lines.
    told = (
        java.references(references)
        if isinstance(java, Scorer)
        else tokenize_groups(java, references)
    )
    return Tokens(
        told,
        tokenize_groups(java, {key: [candidates[key]] for key in references}),
    )


def _bleu(tokens: Tokens) -> tuple[list[float], Array, Array]:
    """BLEU-1 to 4 of all photos, of each (4, N), and their tallies (N, 10)."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=4)
    for key, texts in tokens.references.items():
        scorer += (tokens.candidates[key][0], texts)
    totals, lists = scorer.compute_score(option="closest")
    rows = []
    for counts in scorer.ctest:
        closest = min((abs(length - counts["testlen"]), length) for length in counts["reflen"])[1]
        rows.append([counts["testlen"], closest, *counts["guess"], *counts["correct"]])
    return [float(total) for total in totals], np.array(lists), np.array(rows, dtype=np.float64)


def _bleu_of_sums(sums: Array) -> Array:
    """BLEU-1 to 4 (S, 4) from summed tallies (S, 10), by the official scorer's formula."""
    length, closest, guesses, correct = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:]
    precision = np.cumprod((correct + 1e-15) / (guesses + 1e-9), axis=1)
    ratio = (length + 1e-15) / (closest + 1e-9)
    brevity = np.exp(np.minimum(0, 1 - 1 / ratio))[:, None]
    scores: Array = precision ** (1 / np.arange(1, 5)) * brevity
    return scores
