"""CLIPScore and PAC-S from embeddings, by the papers' formulas; BERTScore through its package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation.embeddings import bert_scores, embedding_scores, read_embeddings

PHOTOS = [CaptionedPhoto(number, f"{number}.jpg", ("a", "b")) for number in (7, 8, 9)]


def arrays(seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "images": random.normal(size=(3, 16)).astype(np.float16),
        "candidates": random.normal(size=(3, 16)),
        "references": random.normal(size=(3, 2, 16)),
    }


def saved(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "embeddings.npz"
    np.savez(path, **content)
    return path


def cosine(one: Any, other: Any) -> float:
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


@pytest.mark.parametrize(
    ("kind", "weight", "name"), [("CLIP", 2.5, "CLIPScore"), ("PAC", 2.0, "PAC_S")]
)
def test_the_formulas(tmp_path: Path, kind: str, weight: float, name: str) -> None:
    content = arrays()
    content["images"] = content["images"] + 0.5 * content["candidates"].astype(np.float16)
    found = embedding_scores(read_embeddings(saved(tmp_path, content), PHOTOS), kind)
    for row in range(3):
        image, candidate = content["images"][row].astype(float), content["candidates"][row]
        alone = weight * max(cosine(image, candidate), 0)
        best = max(max(cosine(candidate, text) for text in content["references"][row]), 0)
        assert found[name][row] == pytest.approx(alone)
        both = 2 / (1 / alone + 1 / best) if alone and best else 0
        assert found[f"Ref{name}"][row] == pytest.approx(both)


def test_a_picture_and_a_caption_that_are_one() -> None:
    """Worth 2.5 by CLIPScore; one that points away is worth nothing."""
    from captioner.evaluation.embeddings import Embeddings

    same = np.array([[0.6, 0.8], [1.0, 0.0]])
    other = np.array([[0.6, 0.8], [-1.0, 0.0]])
    found = embedding_scores(Embeddings(same, other, (same[:1], same[1:])))
    assert found["CLIPScore"].tolist() == pytest.approx([2.5, 0])
    assert found["RefCLIPScore"].tolist() == pytest.approx([2 * 2.5 / 3.5, 0])


def test_rows_by_id_in_any_order(tmp_path: Path) -> None:
    content = arrays()
    plain = embedding_scores(read_embeddings(saved(tmp_path, content), PHOTOS))
    order = [2, 0, 1]
    mixed = {
        "images": content["images"][order],
        "candidates": content["candidates"][order],
        "ids": np.array(["9.jpg", "000000000007", "8"]),
        "references": content["references"][order].reshape(6, 16),
        "reference_ids": np.array([9, 9, 7, 7, 8, 8]),
    }
    found = embedding_scores(read_embeddings(saved(tmp_path, mixed), PHOTOS))
    for name, values in plain.items():
        assert found[name].tolist() == pytest.approx(values.tolist())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.ones((3, 8))}, "'images' are 3 × 8 and 'candidates' 3 × 16"),
        ({"candidates": np.full((3, 16), np.nan)}, "'candidates' hold NaN or infinity"),
        ({"candidates": np.array(["a", "b", "c"])}, "'candidates' must be numbers"),
        ({"references": np.ones((3, 2, 8))}, "'references' are 3 × 2 × 8, which does not fit"),
        ({"ids": np.array([7, 8, 10])}, "1 of 3 photos have no embedding: 9"),
        ({"ids": np.array([7, 8])}, "'ids' are 2, and 3 are needed"),
        ({"ids": np.array([7, 8, 8])}, "'ids' names a photo more than once: 8"),
        ({"images": np.ones((2, 16)), "candidates": np.ones((2, 16))},
         "holds 2 photos, and 3 are scored"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CaptionerError) as raised:
        read_embeddings(saved(tmp_path, {**arrays(), **change}), PHOTOS)
    assert message in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(CaptionerError, match=r"is no \.npz file"):
        read_embeddings(path, PHOTOS)
    with pytest.raises(CaptionerError, match="No such file"):
        read_embeddings(tmp_path / "none.npz", PHOTOS)
    np.savez(path, images=np.ones((3, 4)))
    with pytest.raises(CaptionerError, match="has no array 'candidates'; it has images"):
        read_embeddings(path, PHOTOS)
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(CaptionerError, match=r"is one array; an \.npz"):
        read_embeddings(path, PHOTOS)
    np.savez(path, images=np.array([{}], dtype=object), candidates=np.ones((1, 4)))
    with pytest.raises(CaptionerError, match="plain arrays"):
        read_embeddings(path, PHOTOS)


def test_bertscore_through_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bert_score", None)
    with pytest.raises(CaptionerError, match="pip install bert-score"):
        bert_scores({1: ["a"]}, {1: "a"})
    stand_in = ModuleType("bert_score")

    def score(candidates: list[str], references: list[list[str]], lang: str, verbose: bool) -> Any:
        assert candidates == ["x", "y"] and references == [["a", "b"], ["c"]] and lang == "en"
        return [0, 0], [0, 0], np.array([0.25, 0.5], np.float32)

    stand_in.score = score  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bert_score", stand_in)
    assert bert_scores({1: ["a", "b"], 2: ["c"]}, {1: "x", 2: "y"}).tolist() == [0.25, 0.5]
