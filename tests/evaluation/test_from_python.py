"""`captioner.evaluate` with what a program has at hand, and a `Scorer` that stays open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scored_sentences import CANDIDATES, REFERENCES

import captioner
from captioner.errors import CaptionerError
from captioner.evaluation import Scorer, score
from captioner.evaluation.java import Java
from captioner.evaluation.report import plain, write_json


def test_files_mappings_and_lists_are_one(tmp_path: Path, java: Java) -> None:
    images = [{"id": key} for key in REFERENCES]
    annotations = [
        {"image_id": key, "caption": text} for key, texts in REFERENCES.items() for text in texts
    ]
    references, results = tmp_path / "refs.json", tmp_path / "results.json"
    references.write_text(json.dumps({"images": images, "annotations": annotations}))
    results.write_text(json.dumps({str(key): text for key, text in CANDIDATES.items()}))
    expected = score(REFERENCES, CANDIDATES, java).metrics
    for given in (
        (references, str(results)),
        (REFERENCES, CANDIDATES),
        (list(REFERENCES.values()), list(CANDIDATES.values())),
    ):
        report = captioner.evaluate(*given, samples=20, java=java)
        assert {name: report.metrics[name] for name in expected} == expected
    assert report["bleu_4"] == report["Bleu_4"] == expected["Bleu_4"]
    assert report["rougeL"] == expected["ROUGE_L"] and report["meteor"] == expected["METEOR"]
    assert report["cider_r"] == report.figures["further_metrics"]["CIDEr_R"]["score"]
    with pytest.raises(KeyError):
        report["perplexity"]
    assert any("only 12 photos" in note for note in report.notes)
    report.write(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert json.loads(text)["metrics"] == expected
    assert json.loads(text) == json.loads(json.dumps(plain(report.figures)))
    assert sum(line.startswith('  {"image_id"') for line in text.split("\n")) == 24
    write_json(tmp_path / "summary.json", report.figures, photos=False)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert "photos" not in summary and len(summary["captions"]) == 12


def test_what_is_left_out_is_said(java: Java) -> None:
    given = dict(list(CANDIDATES.items())[1:])
    report = captioner.evaluate({**REFERENCES, "none": []}, given, samples=20, java=java)
    assert report.figures["photos_scored"] == len(REFERENCES) - 1
    lacking = f"{next(iter(REFERENCES))}, none"
    assert f"2 of 13 photos lack a reference or a caption: {lacking}; left out" in report.notes
    whole = captioner.evaluate(REFERENCES, CANDIDATES, samples=20, java=java)
    assert not any("left out" in note and "SPICE" not in note for note in whole.notes)


def test_as_tables_of_pandas(java: Java) -> None:
    pytest.importorskip("pandas")
    report = captioner.evaluate(REFERENCES, CANDIDATES, samples=20, java=java)
    frame = report.frame()
    assert frame.loc["CIDEr", "score"] == report["CIDEr"]
    assert frame.loc["CIDEr_R", "low"] <= frame.loc["CIDEr_R", "score"]
    photos = report.photo_frame()
    assert list(photos.index) == list(REFERENCES)
    assert photos["CIDEr"].mean() == pytest.approx(report["CIDEr"])
    assert photos.loc[12, "caption"] == "A"


@pytest.mark.parametrize(
    ("references", "candidates", "message"),
    [
        ([["a dog"]], ["a dog", "a cat"], "2 candidates for 1 photos: without ids"),
        ({1: ["a dog"]}, {2: "a dog"}, "1 candidates are of photos without references: 2"),
        ({1: ["a dog"]}, {1: 7}, "the candidate of photo 1 are no texts"),
        ({1: ["a dog"]}, {1: ["a", 7]}, "the candidate of photo 1: its caption is a number"),
        ({1: ["a \ud800"]}, {1: "a"}, "half a character"),
        ({1: []}, {1: "a dog"}, "nothing to score"),
    ],
)
def test_what_cannot_be_scored(java: Java, references: Any, candidates: Any, message: str) -> None:
    with pytest.raises(CaptionerError, match=message):
        captioner.evaluate(references, candidates, java=java)


def test_an_open_scorer_tokenizes_the_same_references_once(
    java: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = Java._ask

    def counted(self: Java, task: str, argument: object) -> Any:
        asked.append(task)
        return ask(self, task, argument)

    monkeypatch.setattr(Java, "_ask", counted)
    others = {key: list(reversed(texts)) for key, texts in REFERENCES.items()}
    first = java.score(others, CANDIDATES)
    assert asked.count("tokenize") == 2
    again = java.score(dict(others), CANDIDATES)
    assert again.metrics == first.metrics and again.per_photo == first.per_photo
    assert asked.count("tokenize") == 3
    fewer = {key: texts[:2] for key, texts in others.items()}
    assert java.cider(fewer, CANDIDATES).metrics["CIDEr"] != first.metrics["CIDEr"]
    assert asked.count("tokenize") == 5
