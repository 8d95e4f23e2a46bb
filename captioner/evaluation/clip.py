"""CLIPScore's embeddings (Hessel et al. 2021), by a CLIP on this disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.embeddings import Embeddings, unit
from captioner.evaluation.results import Candidate

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

Array = npt.NDArray[np.float64]
Encode = Callable[[Sequence[Any]], Any]
PROMPT = "A photo depicts "
_TOKENS = 77  # as many as CLIP reads
_BATCH = 32
_OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors")  # in a folder of that package


class Clip:
    """A CLIP model that is on this disk; nothing is downloaded, and nothing unpickled."""

    def __init__(self, model: str, device: str | None = None) -> None:
        """`model` is a folder with a model as transformers or open_clip saves it, or the name of
        one in Hugging Face's cache. Raises CaptionerError where the package or the model is not
        there, or the device cannot be used."""
        from captioner.devices import find_device
        from captioner.torchvision_import import torchvision

        torchvision()  # both packages import it, and give up where that fails
        theirs = all((Path(model) / name).is_file() for name in _OPEN_CLIP)
        opened, package = (
            (_open_clip, "open_clip_torch") if theirs else (_transformers, "transformers")
        )
        place = find_device(device)
        try:
            self._pictures, self._sentences = opened(model, place)
        except ImportError as error:
            raise CaptionerError(
                f"{model}: --clip needs the package {package}: pip install {package}"
            ) from error
        except (OSError, ValueError, RuntimeError) as error:
            raise CaptionerError(
                f"{model}: no CLIP model with weights in safetensors is there; download one "
                "beforehand, such as openai/clip-vit-base-patch32, and name its folder"
            ) from error

    def embeddings(
        self,
        photos: Sequence[CaptionedPhoto],
        candidates: Mapping[PhotoId, Candidate],
        picture: Callable[[PhotoId], Image | None],
    ) -> Embeddings:
        """Of N photos, their candidates and references; captions with the paper's prompt.

        Raises CaptionerError for photos that `picture` does not open.
        """
        captions = [candidates[photo.id].caption for photo in photos]
        told = [text for photo in photos for text in photo.captions]
        ends = np.cumsum([len(photo.captions) for photo in photos])[:-1]
        return Embeddings(
            _vectors(self._pictures, _opened(photos, picture)),
            _vectors(self._sentences, map(PROMPT.__add__, captions)),
            tuple(np.split(_vectors(self._sentences, map(PROMPT.__add__, told)), ends)),
        )


def _opened(
    photos: Sequence[CaptionedPhoto], picture: Callable[[PhotoId], Image | None]
) -> Iterator[Image]:
    """The photos' pictures, until one is missing; then which are."""
    missing = []
    for photo in tqdm(photos, unit="photo", desc="CLIP", disable=None):
        image = picture(photo.id)
        if image is None:
            missing.append(photo.file_name)
        elif not missing:
            yield image
    if missing:
        raise CaptionerError(
            f"CLIP needs every photo, and {len(missing)} are not in --images: {first_few(missing)}"
        )


def _vectors(encode: Encode, items: Iterable[Any]) -> Array:
    """Unit vectors (N, D) of N pictures or sentences."""
    import torch

    parts, waiting = [], iter(items)
    with torch.inference_mode():
        while batch := list(islice(waiting, _BATCH)):
            parts.append(unit(encode(batch).double().cpu().numpy()))
    return np.concatenate(parts)


def _transformers(name: str, device: torch.device) -> tuple[Encode, Encode]:
    """What encodes pictures and what encodes sentences, by the package transformers."""
    from transformers import CLIPModel, CLIPProcessor

    model: Any = CLIPModel.from_pretrained(name, local_files_only=True, use_safetensors=True)
    processor = CLIPProcessor.from_pretrained(name, local_files_only=True)
    model.to(device).eval()

    def features(of: Callable[..., Any], **given: Any) -> Any:
        found = of(**processor(**given, return_tensors="pt").to(device))
        # transformers 5 gives the projected vectors with what they came from.
        return getattr(found, "pooler_output", found)

    def pictures(batch: Sequence[Any]) -> Any:
        return features(model.get_image_features, images=batch)

    def sentences(batch: Sequence[Any]) -> Any:
        cut = {"padding": True, "truncation": True, "max_length": _TOKENS}
        return features(model.get_text_features, text=batch, **cut)

    return pictures, sentences


def _open_clip(folder: str, device: torch.device) -> tuple[Encode, Encode]:
    """The same by the package open_clip."""
    import open_clip
    import torch

    name = f"local-dir:{folder}"
    model, prepare = open_clip.create_model_from_pretrained(name, device=device)
    model.eval()
    tokens = open_clip.get_tokenizer(name)

    def pictures(batch: Sequence[Any]) -> Any:
        return model.encode_image(torch.stack([prepare(one) for one in batch]).to(device))

    def sentences(batch: Sequence[Any]) -> Any:
        return model.encode_text(tokens(list(batch)).to(device))

    return pictures, sentences
