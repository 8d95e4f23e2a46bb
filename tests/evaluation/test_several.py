"""Several captions of a photo, CIDEr-R and groups, against reckonings of another kind."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scored_sentences import CANDIDATES, REFERENCES

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation import spice
from captioner.evaluation.cider import Frequencies, cider_r, self_cider
from captioner.evaluation.figures import Context, evaluate
from captioner.evaluation.human import Rating, rated_metrics
from captioner.evaluation.java import Java
from captioner.evaluation.scorers import Tokens, score
from captioner.evaluation.several import diversity, mutual_bleu

FOUR = ["a dog runs on grass", "a dog runs on green grass", "the cat sleeps", "a red car"]
OTHERS = {
    key: [CANDIDATES[key], REFERENCES[key][0], list(CANDIDATES.values())[place - 1]]
    for place, key in enumerate(CANDIDATES)
}


def grams(text: str, n: int) -> list[tuple[str, ...]]:
    words = text.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def unit_rows(texts: list[str], frequencies: Frequencies, n: int) -> np.ndarray:
    """TF-IDF vectors (texts, n-grams) as a dense matrix, and each of length 1."""
    known = sorted({gram for text in texts for gram in grams(text, n)})
    rows = np.zeros((len(texts), len(known)))
    for row, text in zip(rows, texts, strict=True):
        for gram in grams(text, n):
            seen = max(1, frequencies.counts.get(gram, 0))
            row[known.index(gram)] += math.log(frequencies.photos / seen)
    return rows


def test_self_cider_by_singular_values() -> None:
    """The eigenvalues' roots are the singular values of the vectors themselves."""
    texts = {key: [" ".join(each).lower()] for key, each in REFERENCES.items()}
    frequencies = Frequencies.of("", texts)
    for captions in (FOUR, FOUR[:2], OTHERS[1]):
        blocks = []
        for n in range(1, 5):
            rows = unit_rows(captions, frequencies, n)
            norms = np.linalg.norm(rows, axis=1, keepdims=True)
            blocks.append(rows / np.where(norms > 0, norms, 1) / 2)
        values = np.linalg.svd(np.concatenate(blocks, axis=1), compute_uv=False)
        expected = -math.log(values[0] / values.sum()) / math.log(len(captions))
        assert self_cider(captions, frequencies) == pytest.approx(expected, abs=1e-6)
    assert self_cider([FOUR[0]] * 3, frequencies) == pytest.approx(0, abs=1e-6)
    apart = ["aa bb cc dd", "ee ff gg hh", "ii jj kk ll"]
    assert self_cider(apart, frequencies) == pytest.approx(1, abs=1e-6)
    assert self_cider(FOUR[:1], frequencies) is None


def test_cider_r_by_the_papers_formula() -> None:
    references = {
        1: ["a dog runs over the green grass", "the dog is running", "dog on grass"],
        2: ["a cat sleeps on a red sofa", "a cat on the sofa"],
        3: ["two men ride brown horses along a very long road by the sea"],
    }
    candidates = {1: ["a dog a dog runs on grass"], 2: ["a cat sleeps"], 3: ["men men men ride"]}
    frequencies = Frequencies.of("", references)
    expected = []
    for key, texts in references.items():
        (caption,) = candidates[key]
        parts = []
        for text in texts:
            cosines = 0.0
            for n in range(1, 5):
                mine, theirs = unit_rows([caption, text], frequencies, n)
                both = np.linalg.norm(mine) * np.linalg.norm(theirs)
                cosines += (np.minimum(mine, theirs) * theirs).sum() / both / 4 if both else 0
            said, told = Counter(caption.split()), Counter(text.split())
            penalties = [
                1 / (1 + (abs(count - told[word]) if word in told else count - 1))
                for word, count in said.items()
            ]
            repetition = np.prod(penalties) ** (1 / len(penalties))
            far = (len(caption.split()) - len(text.split())) / len(text.split())
            parts.append(10 * cosines * repetition**0.8 * math.exp(-(far**2)) ** 0.2)
        expected.append(np.mean(parts))
    assert cider_r(references, candidates, frequencies) == pytest.approx(expected)


def test_diversity_by_hand() -> None:
    frequencies = Frequencies("", 10, {})
    found = diversity(["a dog runs", "a dog sleeps"], frequencies)
    assert found["Div_1"] == pytest.approx(4 / 6)
    assert found["Div_2"] == pytest.approx(3 / 6)
    assert found["mBLEU_1"] == pytest.approx(2 / 3, rel=1e-6)
    assert found["mBLEU_2"] == pytest.approx((2 / 3 * 1 / 2) ** 0.5, rel=1e-6)
    assert set(diversity(["a dog"], frequencies).values()) == {None}


def test_mutual_bleu_is_the_official_bleu_against_the_others() -> None:
    from pycocoevalcap.bleu.bleu import Bleu

    each = []
    for place, text in enumerate(FOUR):
        others = {0: FOUR[:place] + FOUR[place + 1 :]}
        each.append(Bleu(4).compute_score(others, {0: [text]}, verbose=0)[0])
    assert mutual_bleu(FOUR) == pytest.approx(np.mean(each, axis=0))


def test_mean_and_best_of_several(java: Java) -> None:
    """As if every place's captions had been scored alone."""
    figures = evaluate(REFERENCES, OTHERS, samples=50, java=java).figures
    tokens = score(REFERENCES, CANDIDATES, java).tokens
    counted = Frequencies.of("", tokens.references)
    alone = [
        score(REFERENCES, {key: texts[place] for key, texts in OTHERS.items()}, java, counted)
        for place in range(3)
    ]
    columns = [
        {**one.values, "CIDEr_R": cider_r(tokens.references, one.tokens.candidates, counted)}
        for one in alone
    ]
    assert set(figures["several"]["metrics"]) == set(columns[0])
    for name, one in figures["several"]["metrics"].items():
        values = np.array([column[name] for column in columns])
        assert one["mean"] == pytest.approx(values.mean(), rel=1e-9), name
        assert one["oracle"] == pytest.approx(values.max(0).mean(), rel=1e-9), name
        assert one["oracle_interval"][0] <= one["oracle"] <= one["oracle_interval"][1]
    assert figures["metrics"] == alone[0].metrics
    assert figures["several"]["captions_a_photo"] == {"least": 3, "mean": 3, "most": 3}
    first = figures["photos"][0]
    assert first["captions"] == OTHERS[first["image_id"]] and len(first["several"]["CIDEr"]) == 3


def test_groups_as_if_scored_alone(java: Java) -> None:
    domains = ["in-domain", "out-domain"]
    photos = [
        CaptionedPhoto(key, f"{key}.jpg", tuple(texts), fields={"domain": domains[place % 2]})
        for place, (key, texts) in enumerate(REFERENCES.items())
    ]
    figures = evaluate(photos, CANDIDATES, samples=20, java=java).figures
    assert list(figures["by_group"]) == ["domain"]
    for place, domain in enumerate(domains):
        keys = list(REFERENCES)[place::2]
        alone = score({k: REFERENCES[k] for k in keys}, {k: CANDIDATES[k] for k in keys}, java)
        group = figures["by_group"]["domain"][domain]
        assert group["photos"] == len(keys)
        assert group["metrics"] == pytest.approx(alone.metrics)
        low, high = group["intervals"]["CIDEr"]
        assert low <= group["metrics"]["CIDEr"] <= high
    with pytest.raises(CaptionerError, match="has a field 'camera'; they have domain"):
        evaluate(photos, CANDIDATES, Context(groups=["camera"]), 20, java=java)


def test_groups_of_few_photos_are_named(java: Java) -> None:
    fields = [{"domain": "out" if place < 4 else "in"} for place in range(24)]
    photos = [
        CaptionedPhoto(place, f"{place}.jpg", tuple(texts), fields=fields[place])
        for place, texts in enumerate([*REFERENCES.values()] * 2)
    ]
    report = evaluate(photos, [*CANDIDATES.values()] * 2, samples=20, java=java)
    few = [note for note in report.notes if "too narrow" in note]
    assert few == ["groups of fewer than 20 photos, whose intervals are too narrow: out"]


def test_spice_stands_beside_the_other_scores(monkeypatch: pytest.MonkeyPatch, java: Java) -> None:
    """Several captions of a photo and rated ones too; a caption's length stands for its SPICE."""

    def lengths(tokens: Tokens) -> tuple[float, np.ndarray]:
        each = np.array([float(len(texts[0])) for texts in tokens.candidates.values()])
        return float(each.mean()), each

    monkeypatch.setattr(spice, "spice_missing", lambda: "")
    monkeypatch.setattr(spice, "spice_scores", lengths)
    report = evaluate(
        {1: ["a dog runs"], 2: ["a cat"]}, {1: ["a dog", "dogs"], 2: "cat"}, java=java
    )
    assert report["spice"] == 4 and report.notes[-1].startswith("intervals")
    assert report.figures["several"]["metrics"]["SPICE"]["mean"] == (4.5 + 3) / 2
    ratings = [Rating(1, "a dog", 3.0), Rating(2, "cats", 1.0)]
    assert rated_metrics(ratings, report.photos, java)["SPICE"].tolist() == [5, 4]
