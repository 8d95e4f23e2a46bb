"""CLIPScore and PAC-S from embeddings, by the papers' formulas; BERTScore through its package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation.bertscore import bert_scores
from captioner.evaluation.embeddings import embedding_scores, read_embeddings
from captioner.evaluation.results import Candidate

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


def test_clip_itself(tmp_path: Path) -> None:
    """A tiny CLIP with weights by chance, beside transformers' own forward pass."""
    from captioner.evaluation.clip import PROMPT, Clip

    with pytest.raises(CaptionerError, match=r"pip install transformers|no CLIP model"):
        Clip(str(tmp_path))
    pytest.importorskip("transformers")
    tiny_clip(tmp_path)
    import torch
    from transformers import CLIPModel, CLIPProcessor

    random = np.random.default_rng(0)
    pictures = {
        photo.id: Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8))
        for photo in PHOTOS
    }
    captions = {7: "a dog", 8: "two cats on a bed", 9: "word " * 100}
    candidates = {key: Candidate(text) for key, text in captions.items()}
    found = Clip(str(tmp_path)).embeddings(PHOTOS, candidates, pictures.get)
    processor = CLIPProcessor.from_pretrained(tmp_path)
    inputs = processor(
        text=[PROMPT + text for text in captions.values()], images=list(pictures.values()),
        return_tensors="pt", padding=True, truncation=True, max_length=77,
    )  # fmt: skip
    with torch.inference_mode():
        whole = CLIPModel.from_pretrained(tmp_path)(**inputs)
    assert found.images == pytest.approx(whole.image_embeds.numpy(), abs=1e-5)
    assert found.candidates == pytest.approx(whole.text_embeds.numpy(), abs=1e-5)
    assert found.references is not None and [len(texts) for texts in found.references] == [2, 2, 2]
    with pytest.raises(CaptionerError, match=r"3 are not in --images: 7\.jpg"):
        Clip(str(tmp_path)).embeddings(PHOTOS, candidates, lambda key: None)


def tiny_clip(folder: Path) -> None:
    """Save a CLIP of two small layers, whose words are letters."""
    from captioner.torchvision_import import torchvision

    torchvision()
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    letters = [chr(code) for code in range(33, 127)]
    ends = [f"{letter}</w>" for letter in letters]
    words = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    names = {"vocab.json": json.dumps({word: place for place, word in enumerate(words)})}
    for name, text in {**names, "merges.txt": "#version: 0.2\n"}.items():
        (folder / name).write_text(text)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
             "num_attention_heads": 2}  # fmt: skip
    marks = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": 1}
    config = CLIPConfig(
        text_config={**small, **marks, "vocab_size": len(words)},
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    square = {"height": 32, "width": 32}
    CLIPProcessor(
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=square),
        CLIPTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")),
    ).save_pretrained(folder)
