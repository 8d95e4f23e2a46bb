"""What a captioner gives for a photo: the sentence, its likelihood, where it looked."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import captioner
from captioner import Captioner, Options, checkpoint
from captioner.engines.torch import TorchEngine
from captioner.vocabulary import detokenize
from tests.tiny import STYLES, WORDS, same, tiny_model


def test_what_a_caption_holds(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    options = Options(alternatives=2, min_words=3, length_penalty=1.0, consensus=False)
    caption = tiny_captioner.caption(pictures[0], options)
    words = len(caption.words)
    assert words and set(caption.words) <= set(WORDS)
    assert caption.text == detokenize(caption.words)
    assert len(caption.probabilities) == words
    assert all(0 < p <= 1 for p in caption.probabilities)
    assert caption.log_probability <= np.log(caption.probabilities).sum() + 1e-6
    assert caption.score == pytest.approx(np.exp(caption.log_probability / (words + 1)))
    assert caption.attention.shape == (words, 2, 2) and caption.attention.dtype == np.float32
    np.testing.assert_allclose(caption.attention.sum((1, 2)), 1, atol=1e-5)
    ranks = [c.log_probability / (len(c.words) + 1) for c in (caption, *caption.alternatives)]
    assert len(caption.alternatives) == 2 and ranks == sorted(ranks, reverse=True)
    assert len({c.words for c in (caption, *caption.alternatives)}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        caption.text = "Other."  # type: ignore[misc]


def test_log_probability_is_the_models(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    """Recomputed by teacher forcing, from the pixels."""
    caption = tiny_captioner.caption(pictures[1])
    square = np.asarray(pictures[1].convert("RGB").resize((64, 64), Image.Resampling.BICUBIC))
    vocabulary, net = tiny_captioner.vocabulary, tiny_captioner.engine.model
    ids = vocabulary.encode(caption.words)
    with torch.inference_mode():
        grid = net.encoder(torch.from_numpy(square.copy()).permute(2, 0, 1)[None]).float()
        words = torch.tensor([[vocabulary.start("coco"), *ids]])
        taught = net.decoder(words, net.start_from_grid(grid))
        log_probs = net.decoder.score(taught.features)[0]
    chosen = log_probs[range(len(ids) + 1), [*ids, vocabulary.end]]
    assert caption.log_probability == pytest.approx(float(chosen.sum()), abs=1e-3)
    assert caption.probabilities == pytest.approx(chosen[:-1].exp().tolist(), abs=1e-4)
    np.testing.assert_allclose(caption.attention.reshape(-1, 4), taught.weights[0, :-1], atol=1e-4)


def test_the_likeliest_words_in_each_place(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    """The word itself is among them, with its probability, where it is one of the likeliest."""
    caption = tiny_captioner.caption(pictures[0], choices=5, beam=1, min_words=4)
    assert len(caption.choices) == len(caption.words) > 2
    for word, probability, places in zip(
        caption.words, caption.probabilities, caption.choices, strict=True
    ):
        told = dict(places)
        assert len(told) == 5 and set(told) <= set(WORDS)
        assert list(told.values()) == sorted(told.values(), reverse=True)
        assert told.get(word, probability) == pytest.approx(probability, abs=1e-5)
    first = caption.choices[0][1][0]  # the second likeliest, taken as the beginning
    assert tiny_captioner.caption(pictures[0], prefix=first).words[0] == first
    assert tiny_captioner.caption(pictures[0]).choices == ()


def test_a_caption_shows_itself(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    caption = tiny_captioner.caption(pictures[0])
    assert repr(caption) == f"Caption({caption.text!r}, score={caption.score:.2f})"
    page = caption._repr_html_()
    assert page.count("<img") == 1 + len(caption.words) and caption.photo is pictures[0]
    assert repr(tiny_captioner).startswith("Captioner('tiny', engine='torch', dtype='")


def test_sentences_tell_photos_apart(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    """What the other tests compare is not the same sentence each time."""
    assert len({caption.text for caption in tiny_captioner.caption_many(pictures)}) > 3


def test_style_begins_the_sentence(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    assert tiny_captioner.styles == STYLES
    usual = list(tiny_captioner.caption_many(pictures))
    assert all(
        map(same, usual, tiny_captioner.caption_many(pictures, options=Options(style="coco")))
    )
    other = list(tiny_captioner.caption_many(pictures, options=Options(style="flickr8k")))
    assert [c.text for c in other] != [c.text for c in usual]


def test_the_encoder_computes_in_the_precision_that_is_told() -> None:
    """In bf16 where the processor multiplies it quickly, which other tests cannot tell apart."""
    quick = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    quick = quick and "AVX512" in torch.backends.cpu.get_cpu_capability()
    expected = torch.bfloat16 if quick else torch.float32
    for dtype, kind in ((None, expected), ("float32", torch.float32)):
        engine = TorchEngine(tiny_model(), dtype=dtype)
        assert engine.model.encoder.dtype == kind == getattr(torch, engine.precision)
        assert engine.model.decoder.embedding.weight.dtype == torch.float32


def test_loaded_from_a_file_it_writes_the_same(pictures: list[Image.Image], tmp_path: Path) -> None:
    checkpoint.save(tiny_model(), tmp_path / "mine.safetensors")
    loaded = captioner.load(tmp_path / "mine.safetensors")
    again = captioner.load(str(tmp_path / "mine.safetensors"))
    assert loaded.name == "mine" and loaded.vocabulary.words[5:] == WORDS
    assert all(map(same, loaded.caption_many(pictures), again.caption_many(pictures)))


def test_a_backbone_of_torchvisions(pictures: list[Image.Image], tmp_path: Path) -> None:
    checkpoint.save(tiny_model(name="mobilenet_v3_small"), tmp_path / "mobile.safetensors")
    caption = captioner.load(tmp_path / "mobile.safetensors").caption(pictures[0])
    assert caption.words and caption.attention.shape[1:] == (2, 2)
