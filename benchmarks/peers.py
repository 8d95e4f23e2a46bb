"""Photos a second of two well-known captioners, for `speed.py`: BLIP-base and ViT-GPT2.

    peers/bin/python benchmarks/peers.py PHOTO...

Their architectures with random weights, which the time does not depend on: nothing is fetched.
From files to token ids: decoding, resizing with pillow (quicker than their own processors), the
encoder, three beams of twelve words, in bf16 where the processor multiplies it quickly. Prints as
JSON the photos a second in batches of 1, 4 and 16. requirements-peers.txt has what it needs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image

WORDS, BEAMS = 12, 3
BATCHES = (1, 4, 16)


def blip_base() -> tuple[Any, int]:
    """Salesforce/blip-image-captioning-base: ViT-B/16 at 384 pixels, a BERT-base that writes."""
    vision = {"image_size": 384, "patch_size": 16, "hidden_size": 768, "num_hidden_layers": 12,
              "num_attention_heads": 12, "intermediate_size": 3072}  # fmt: skip
    text = {"vocab_size": 30524, "hidden_size": 768, "encoder_hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12,
            "intermediate_size": 3072}  # fmt: skip
    config = hf.BlipConfig(vision_config=vision, text_config=text)
    return hf.BlipForConditionalGeneration(config), 384


def vit_gpt2() -> tuple[Any, int]:
    """nlpconnect/vit-gpt2-image-captioning: ViT-B/16 at 224 pixels, GPT-2 that looks across."""
    encoder = hf.ViTConfig(image_size=224, patch_size=16)
    decoder = hf.GPT2Config(add_cross_attention=True, is_decoder=True)
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = hf.VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = decoder.bos_token_id
    model.generation_config.pad_token_id = decoder.eos_token_id
    return model, 224


def photos_a_second(make: Callable[[], tuple[Any, int]], paths: list[Path]) -> dict[str, float]:
    """By the batch size; the first photos are not counted."""
    torch.manual_seed(0)
    model, side = make()
    quick = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    dtype = torch.bfloat16 if quick else torch.float32
    model = model.eval().to(dtype)
    found = {}
    for batch in BATCHES:
        write(model, side, paths[:batch], batch, dtype)
        start = time.perf_counter()
        write(model, side, paths, batch, dtype)
        found[str(batch)] = len(paths) / (time.perf_counter() - start)
    return found


@torch.inference_mode()
def write(model: Any, side: int, paths: list[Path], batch: int, dtype: torch.dtype) -> None:
    for first in range(0, len(paths), batch):
        squares = [np.asarray(square(path, side)) for path in paths[first : first + batch]]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).to(dtype) / 127.5 - 1
        model.generate(
            pixel_values=pixels, num_beams=BEAMS, min_new_tokens=WORDS, max_new_tokens=WORDS
        )


def square(path: Path, side: int) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    peers = {"BLIP-base": blip_base, "ViT-GPT2": vit_gpt2}
    print(json.dumps({name: photos_a_second(make, given.photos) for name, make in peers.items()}))


if __name__ == "__main__":
    main()
