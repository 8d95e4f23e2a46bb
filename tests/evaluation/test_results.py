"""Captions put beside their references, and what is said of those that do not fit."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation.results import Candidate, check_english, match, read_results

PHOTOS = [
    CaptionedPhoto(1, "val/a.jpg", ("A dog.",)),
    CaptionedPhoto(2, "val/b.jpg", ("A cat.",)),
    CaptionedPhoto("c", "test/b.jpg", ("A car.",)),
]


def results(folder: Path, content: Any, name: str = "results.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def captions(**named: str) -> dict[Any, Candidate]:
    return {key: Candidate(text) for key, text in named.items()}


def test_coco_results_a_report_and_json_lines(tmp_path: Path) -> None:
    entries = [{"image_id": 1, "caption": "a dog", "score": 0.5}, {"image_id": 2, "caption": "cat"}]
    found = read_results(results(tmp_path, entries))
    assert {key: (one.caption, one.score) for key, one in found.items()} == {
        1: ("a dog", 0.5),
        2: ("cat", None),
    }
    report = read_results(results(tmp_path, {"metrics": {}, "captions": entries}))
    assert list(report) == [1, 2]
    lines = [{"path": f"/home/val/{name}.jpg", "caption": "a dog"} for name in "ab"]
    lines.append({"path": "/home/val/c.jpg", "error": "truncated"})
    text = "\n\n".join(map(json.dumps, lines))
    from_lines = read_results(results(tmp_path, text, "r.jsonl"))
    assert list(from_lines) == ["/home/val/a.jpg", "/home/val/b.jpg"]
    assert list(match(PHOTOS[:2], from_lines, "r.jsonl")[0]) == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{]", "not valid JSON at line 1, column 3"),
        ({"a": 1}, "neither a list of captions"),
        ([], "there is no caption in it"),
        ([{"image_id": 1}], "entry 1 needs a 'caption'; it has image_id"),
        ([{"image_id": 1, "caption": "a"}, "b"], "entry 2 is a text"),
        ([{"image_id": 1, "caption": "a"}, {"image_id": "1", "caption": "b"}], "more than one"),
        (
            [{"image_id": n, "caption": " "} for n in range(7)],
            "7 captions are empty: 0, 1, 2, 3, 4",
        ),
    ],
)
def test_bad_results(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(CaptionerError) as raised:
        read_results(results(tmp_path, content))
    assert message in str(raised.value)


def test_ids_file_names_and_stems_name_a_photo() -> None:
    named = {"1": Candidate("x"), "val/b.jpg": Candidate("y"), "test/b.jpg": Candidate("z")}
    matched, notes = match(PHOTOS, named, "r.json")
    assert [(key, one.caption) for key, one in matched.items()] == [(1, "x"), (2, "y"), ("c", "z")]
    assert notes == []
    assert list(match(PHOTOS[:1], captions(a="x"), "r.json")[0]) == [1]


def test_unknown_and_missing_photos() -> None:
    named = captions(**{"1": "x", "2": "y", "77": "z"})
    with pytest.raises(CaptionerError) as raised:
        match(PHOTOS, named, "r.json")
    assert str(raised.value) == (
        "r.json: 1 captions are of photos that the references do not have: 77; "
        "r.json: 1 of 3 photos have no caption: c "
        "(--allow-missing scores the photos that both have)"
    )
    matched, notes = match(PHOTOS, named, "r.json", allow_missing=True)
    assert list(matched) == [1, 2]
    assert len(notes) == 2 and all(note.endswith("left out") for note in notes)
    with pytest.raises(CaptionerError, match="wrong split"):
        match(PHOTOS, captions(b="ambiguous"), "r.json", allow_missing=True)


REFERENCES = {
    number: [f"The {thing} stands in a {place} beside the old {other}", f"A {thing} in a {place}"]
    for number, (thing, place, other) in enumerate(
        zip(
            [f"{a}{b}" for a in ("horse", "tower", "sofa", "lamp", "ship") for b in "xyzuvwqrst"],
            [f"{a}{b}" for a in ("field", "hall", "street", "yard", "pond") for b in "abcdefghij"],
            [f"{a}{b}" for a in ("gate", "wall", "tree", "sign", "well") for b in "klmnopqrst"],
            strict=True,
        )
    )
}


@pytest.mark.parametrize(
    "text",
    [
        "Un cheval dans un champ",
        "一只狗在草地上奔跑",
        "Лошадь стоит в поле",
        "1234 !",
        "ein Pferd steht da",
    ],
)
def test_captions_in_another_language(text: str) -> None:
    candidates = {key: Candidate(texts[1]) for key, texts in REFERENCES.items()}
    assert check_english(REFERENCES, candidates, "r.json") == []
    candidates[3] = Candidate(text)
    (note,) = check_english(REFERENCES, candidates, "r.json")
    assert "1 of 50 captions do not look English" in note and note.endswith(": 3")
    with pytest.raises(CaptionerError, match="do not look English"):
        check_english(REFERENCES, dict.fromkeys(REFERENCES, Candidate(text)), "r.json")


def test_references_in_another_script() -> None:
    references = {1: ["一只狗在草地上奔跑"], 2: ["两只猫"], 3: ["A dog"]}
    with pytest.raises(CaptionerError, match="the references are not English"):
        check_english(references, {1: Candidate("a dog")}, "r.json")


@pytest.mark.parametrize(
    ("score", "value"), [(0.5, 0.5), ("0.5", 0.5), (None, None), ("", None), (-3, -3.0)]
)
def test_scores_of_the_system_itself(tmp_path: Path, score: Any, value: float | None) -> None:
    (found,) = read_results(
        results(tmp_path, [{"image_id": 1, "caption": "a dog", "score": score}])
    ).values()
    assert found.score == value


@pytest.mark.parametrize("score", [10**400, float("nan"), float("inf"), True, "high", [1]])
def test_scores_that_are_none(tmp_path: Path, score: Any) -> None:
    path = results(tmp_path, [{"image_id": 1, "caption": "a dog", "score": score}])
    with pytest.raises(CaptionerError, match="entry 1 has a score that is no finite number"):
        read_results(path)


def test_padded_numbers_and_decomposed_names() -> None:
    photos = [
        CaptionedPhoto(1, "p0.jpg", ("A dog.",)),
        CaptionedPhoto("x", "Größe.jpg", ("A cat.",)),
    ]
    names = ["000000000001", unicodedata.normalize("NFD", "Größe.jpg")]
    matched, _ = match(photos, dict.fromkeys(names, Candidate("a dog")), "r.json")
    assert list(matched) == [1, "x"]
