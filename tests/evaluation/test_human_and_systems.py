"""Correlations with people's ratings, and many systems beside each other."""

from __future__ import annotations

import csv
import itertools
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_sentences import CANDIDATES, REFERENCES

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import draw
from captioner.evaluation.diagram import critical_difference
from captioner.evaluation.figures import Context
from captioner.evaluation.human import (
    Rating,
    human_figures,
    kendall,
    pearson,
    rated_metrics,
    read_ratings,
)
from captioner.evaluation.java import Java
from captioner.evaluation.results import Candidate
from captioner.evaluation.scorers import score
from captioner.evaluation.systems import cliques, compare_systems, holm, mean_ranks
from captioner.evaluation.tables import paper_table

PHOTOS = [CaptionedPhoto(key, f"{key}.jpg", tuple(texts)) for key, texts in REFERENCES.items()]


def kendall_by_definition(one: Any, other: Any) -> tuple[float, float]:
    agree = tied = other_tied = 0
    pairs = list(itertools.combinations(range(len(one)), 2))
    for i, j in pairs:
        agree += np.sign(one[i] - one[j]) * np.sign(other[i] - other[j])
        tied += one[i] == one[j]
        other_tied += other[i] == other[j]
    least = min(len(set(one)), len(set(other)))
    total = len(pairs)
    return (
        agree / ((total - tied) * (total - other_tied)) ** 0.5,
        2 * agree / (len(one) ** 2 * (least - 1) / least),
    )


def test_kendall_by_its_definition() -> None:
    random = np.random.default_rng(0)
    for kinds in (3, 5, 1000):
        one = random.integers(kinds, size=300).astype(float)
        other = np.round(one * 0.3 + random.normal(size=300), 1)
        tau_b, tau_c = kendall(one, other, np.ones((1, 300)))
        assert (tau_b[0], tau_c[0]) == pytest.approx(kendall_by_definition(one, other))
    # The example in SciPy's documentation of kendalltau.
    one, other = np.array([12.0, 2, 1, 12, 2]), np.array([1.0, 4, 7, 1, 0])
    assert kendall(one, other, np.ones((1, 5)))[0][0] == pytest.approx(-0.4714045207910316)


def test_weights_count_entries_several_times() -> None:
    random = np.random.default_rng(1)
    one, other = random.normal(size=20).round(1), random.integers(4, size=20).astype(float)
    weights = next(iter(draw(20, 5, 0)))
    tau_b, tau_c = kendall(one, other, weights)
    r = pearson(one, other, weights)
    for row, times in enumerate(weights.astype(int)):
        first, second = np.repeat(one, times), np.repeat(other, times)
        assert (tau_b[row], tau_c[row]) == pytest.approx(kendall_by_definition(first, second))
        assert r[row] == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_ratings_of_captions(tmp_path: Path, java: Java) -> None:
    keys = list(REFERENCES)
    good = [(key, CANDIDATES[key], 4 + (place % 2)) for place, key in enumerate(keys)]
    bad = [(key, CANDIDATES[keys[place - 1]], 1 + (place % 2)) for place, key in enumerate(keys)]
    path = tmp_path / "human.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [("image_id", "caption", "rating"), *good, *bad, good[0]]
        csv.writer(file).writerows(rows)
    ratings, notes = read_ratings(path, PHOTOS)
    assert notes == [] and ratings[0] == Rating(keys[0], CANDIDATES[keys[0]], 4.0)
    metrics = rated_metrics(ratings, PHOTOS, java)
    alone = score(REFERENCES, CANDIDATES, java)
    for name, values in alone.values.items():
        assert metrics[name][: len(keys)] == pytest.approx(values), name
        assert metrics[name][-1] == pytest.approx(values[0])
    figures = human_figures(ratings, metrics, 100, 0)
    assert (figures["ratings"], figures["photos"]) == (25, 12)
    for one in figures["metrics"].values():
        for part in one.values():
            low, high = part["interval"]
            assert 0 < low <= part["value"] <= high <= 1
    flat = human_figures(ratings, {"CIDEr": np.ones(25)}, 10, 0)["metrics"]["CIDEr"]
    nothing = {"value": None, "interval": None}
    assert flat["tau_b"] == nothing
    alike = [Rating(one.photo, one.caption, 4.1) for one in ratings]  # 4.1 is no binary number
    assert set(map(str, human_figures(alike, metrics, 10, 0)["metrics"]["CIDEr"].values())) == {
        str(nothing)
    }
    far = pearson(metrics["CIDEr"] + 1e9, metrics["METEOR"] + 1e9, np.ones((1, 25)))
    assert far[0] == pytest.approx(np.corrcoef(metrics["CIDEr"], metrics["METEOR"])[0, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id,caption\n1,a dog\n", "line 2 has no rating; it has image_id, caption"),
        ("image_id,caption,rating\n1,a dog,good\n", "line 2 has a rating that is no finite number"),
        ("image_id,caption,rating\n1,,3\n", "line 2 needs one caption"),
        ("image_id,caption,rating\n1,a dog,nan\n", "line 2 has a rating that is no finite number"),
        ("image_id,caption,rating\n99,a dog,3\n1,a dog,3\n",
         "1 ratings are of photos that the references do not have: 99 (--allow"),
    ],
)  # fmt: skip
def test_wrong_ratings(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "human.csv"
    path.write_text(content)
    with pytest.raises(CaptionerError) as raised:
        read_ratings(path, PHOTOS)
    assert message in str(raised.value)
    if "99" in content:
        path.write_text("image_id,caption,rating\n99,a dog,3\n99,a cat,2\n")
        with pytest.raises(CaptionerError, match=r"2 ratings .*have: 99 \(no rating is of theirs"):
            read_ratings(path, PHOTOS, allow_missing=True)
        path.write_text(content)
        ratings, notes = read_ratings(path, PHOTOS, allow_missing=True)
        assert len(ratings) == 1 and notes[0].endswith("left out")


def test_ratings_in_the_shape_of_thumb(tmp_path: Path) -> None:
    """Kasai et al. 2021: a line a caption, with the system's name and the parts of the score."""
    path = tmp_path / "thumb.jsonl"
    row = {"SYS": "one", "seg_id": "5", "hyp": "a man on a wave", "image": "5.jpg", "P": 5.0,
           "R": 3.0, "Fl": -0.0, "human_score": 4.0}  # fmt: skip
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "SYS": "two", "human_score": 3.5}))
    ratings, _ = read_ratings(path, PHOTOS)
    assert ratings == [Rating(5, "a man on a wave", 4.0), Rating(5, "a man on a wave", 3.5)]


def test_holm_as_r_has_it() -> None:
    """R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")."""
    assert holm([0.03, 0.01, 0.05, 0.02, 0.04]) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])
    assert holm([0.9, 0.6]) == [1, 1]


def test_ranks_share_what_is_equal() -> None:
    assert mean_ranks(np.array([[3.0, 1, 2], [1, 1, 0]])).tolist() == [[1, 3, 2], [1.5, 1.5, 3]]


def test_cliques_are_the_longest_runs() -> None:
    names = ["a", "b", "c", "d"]
    apart = {frozenset(pair): False for pair in itertools.combinations(names, 2)}
    assert cliques(names, apart) == [names]
    apart[frozenset("ad")] = apart[frozenset("bd")] = apart[frozenset("ac")] = True
    assert cliques(names, apart) == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert cliques(names, dict.fromkeys(apart, True)) == []


def systems() -> dict[str, dict[Any, Candidate]]:
    keys = list(REFERENCES)
    texts = {
        "people": {key: REFERENCES[key][0] for key in keys},
        "good_one": CANDIDATES,
        "shuffled": {key: CANDIDATES[keys[place - 1]] for place, key in enumerate(keys)},
    }
    found = {name: {k: Candidate(t) for k, t in one.items()} for name, one in texts.items()}
    del found["shuffled"][keys[-1]]
    return found


def test_systems_on_the_photos_that_all_have(java: Java) -> None:
    figures = compare_systems(PHOTOS, systems(), Context(), 500, 0, java)
    keys = list(REFERENCES)[:-1]
    references = {key: REFERENCES[key] for key in keys}
    alone = score(references, {key: CANDIDATES[key] for key in keys}, java)
    people, good, bad = figures["systems"]
    assert {n: good["metrics"][n] for n in alone.metrics} == alone.metrics
    assert people["rank"] < good["rank"] < bad["rank"]
    assert people["rank"] + good["rank"] + bad["rank"] == pytest.approx(6)
    assert bad["rank_interval"][0] <= bad["rank"] <= bad["rank_interval"][1] <= 3
    assert figures["notes"][0].startswith("scored are the 11 of 12 photos that every system")
    pairs = {(pair["one"], pair["other"]): pair for pair in figures["pairs"]["CIDEr"]}
    assert pairs["good_one", "shuffled"]["p_holm"] < 0.05
    difference = good["metrics"]["CIDEr"] - bad["metrics"]["CIDEr"]
    assert pairs["good_one", "shuffled"]["difference"] == pytest.approx(difference)
    few = compare_systems(PHOTOS, systems(), Context(), 20, 0, java)
    assert any("take --samples 120 or more" in note for note in few["notes"])
    drawing = ElementTree.fromstring(critical_difference(figures))
    texts = [node.text or "" for node in drawing.iter() if node.tag.endswith("text")]
    assert any(text.startswith("good_one  ") for text in texts)
    others = {"a": {1: Candidate("x")}, "b": {2: Candidate("y")}}
    with pytest.raises(CaptionerError, match="a, b have no photo in common"):
        compare_systems(PHOTOS, others, Context(), 20, 0, java)


def test_tables_for_papers() -> None:
    rows = [
        {"name": "a_b|c", "metrics": {"Bleu_4": 0.3211, "CIDEr": 1.2}, "rank": 1.25},
        {"name": "50%", "metrics": {"Bleu_4": 0.4, "CIDEr": 1.1}, "rank": 1.75},
    ]
    assert paper_table(rows, "markdown") == (
        "| System | B-4 | C | Rank |\n| --- | ---: | ---: | ---: |\n"
        "| a_b\\|c | 32.1 | **120.0** | 1.25 |\n| 50% | **40.0** | 110.0 | 1.75 |\n"
    )
    assert paper_table(rows, "latex").splitlines() == [
        r"\begin{tabular}{lrrr}", r"\toprule", r"System & B-4 & C & Rank \\", r"\midrule",
        r"a\_b\textbar{}c & 32.1 & \textbf{120.0} & 1.25 \\",
        r"50\% & \textbf{40.0} & 110.0 & 1.75 \\",
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    assert "Rank" not in paper_table(rows[:1], "markdown")
    assert json.dumps(paper_table(rows[:1], "latex"))
