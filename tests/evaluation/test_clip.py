"""CLIPScore's embeddings by tiny untrained CLIPs, beside their packages' own passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner.datasets.captions import CaptionedPhoto
from captioner.errors import CaptionerError
from captioner.evaluation.clip import PROMPT, Clip
from captioner.evaluation.embeddings import embedding_scores
from captioner.evaluation.results import Candidate

PHOTOS = [CaptionedPhoto(number, f"{number}.jpg", ("a", "b")) for number in (7, 8, 9)]
CAPTIONS = {7: "a dog", 8: "two cats on a bed", 9: "word " * 100}
CANDIDATES = {key: Candidate(text) for key, text in CAPTIONS.items()}


@pytest.fixture
def photos() -> dict[Any, Image.Image]:
    random = np.random.default_rng(0)
    return {
        key: Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)) for key in CAPTIONS
    }


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match=r"pip install transformers|no CLIP model"):
        Clip(str(tmp_path))
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(CaptionerError, match=r"pip install open_clip_torch|no CLIP model"):
        Clip(str(tmp_path))
    with pytest.raises(CaptionerError, match="device 'banana' cannot be used"):
        Clip(str(tmp_path), "banana")


def test_a_model_of_transformers(tmp_path: Path, photos: dict[Any, Image.Image]) -> None:
    pytest.importorskip("transformers")
    of_transformers(tmp_path)
    import torch
    from transformers import CLIPModel, CLIPProcessor

    found = Clip(str(tmp_path), "cpu").embeddings(PHOTOS, CANDIDATES, photos.get)
    processor = CLIPProcessor.from_pretrained(tmp_path)
    inputs = processor(
        text=[PROMPT + text for text in CAPTIONS.values()], images=list(photos.values()),
        return_tensors="pt", padding=True, truncation=True, max_length=77,
    )  # fmt: skip
    with torch.inference_mode():
        whole = CLIPModel.from_pretrained(tmp_path)(**inputs)
    assert found.images == pytest.approx(whole.image_embeds.numpy(), abs=1e-5)
    assert found.candidates == pytest.approx(whole.text_embeds.numpy(), abs=1e-5)
    assert found.references is not None and [len(texts) for texts in found.references] == [2, 2, 2]
    with pytest.raises(CaptionerError, match=r"3 are not in --images: 7\.jpg"):
        Clip(str(tmp_path)).embeddings(PHOTOS, CANDIDATES, lambda key: None)


def test_a_model_of_open_clip(tmp_path: Path, photos: dict[Any, Image.Image]) -> None:
    """Its scores too, from its own logits, which are cosines times a scale."""
    pytest.importorskip("open_clip")
    of_open_clip(tmp_path)
    import open_clip
    import torch

    found = Clip(str(tmp_path), "cpu").embeddings(PHOTOS, CANDIDATES, photos.get)
    name = f"local-dir:{tmp_path}"
    model, prepare = open_clip.create_model_from_pretrained(name)
    pixels = torch.stack([prepare(photo) for photo in photos.values()])
    told = open_clip.get_tokenizer(name)([PROMPT + text for text in CAPTIONS.values()])
    with torch.inference_mode():
        logits, _ = model.eval().get_logits(pixels, told)
        cosines = (logits / model.logit_scale.exp()).diagonal().numpy()
    scores = embedding_scores(found)["CLIPScore"]
    assert scores == pytest.approx(2.5 * np.maximum(cosines, 0), abs=1e-5)
    assert np.count_nonzero(scores) and len(np.unique(cosines)) == 3


def of_open_clip(folder: Path) -> None:
    """Save a CLIP of one small layer as open_clip's do."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {"vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    weights = open_clip.CLIP(**config).state_dict()
    save_file(weights, folder / "open_clip_model.safetensors")


def of_transformers(folder: Path) -> None:
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
