"""CLIPScore's embeddings (Hessel et al. 2021), by a CLIP of the package transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.embeddings import Embeddings, unit
from captioner.evaluation.results import Candidate

if TYPE_CHECKING:
    from PIL.Image import Image

Array = npt.NDArray[np.float64]
PROMPT = "A photo depicts "
_TOKENS = 77  # as many as CLIP reads
_BATCH = 32


class Clip:
    """A CLIP model that is on this disk; nothing is downloaded, and nothing unpickled."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        """`model` is a folder with a model as transformers saves it, or the name of one in
        Hugging Face's cache. Raises CaptionerError where the package or the model is not there."""
        try:
            from captioner.torchvision_import import torchvision

            torchvision()  # transformers imports it, and gives up where that fails
            from transformers import CLIPModel, CLIPProcessor
        except ImportError:
            raise CaptionerError(
                "--clip needs the package transformers: pip install transformers"
            ) from None
        try:
            self._model = CLIPModel.from_pretrained(
                model, local_files_only=True, use_safetensors=True
            )
            self._processor = CLIPProcessor.from_pretrained(model, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CaptionerError(
                f"{model}: no CLIP model with weights in safetensors is there; download one "
                "beforehand, such as openai/clip-vit-base-patch32, and name its folder"
            ) from error
        self._model.to(device).eval()
        self._device = device

    def embeddings(
        self,
        photos: Sequence[CaptionedPhoto],
        candidates: Mapping[PhotoId, Candidate],
        picture: Callable[[PhotoId], Image | None],
    ) -> Embeddings:
        """Of N photos, their candidates and references; captions with the paper's prompt.

        Raises CaptionerError for photos that `picture` does not open.
        """
        images = self._images(photos, picture)
        captions = self._texts([candidates[photo.id].caption for photo in photos])
        told = self._texts([text for photo in photos for text in photo.captions])
        ends = np.cumsum([len(photo.captions) for photo in photos])[:-1]
        return Embeddings(images, captions, tuple(np.split(told, ends)))

    def _images(
        self, photos: Sequence[CaptionedPhoto], picture: Callable[[PhotoId], Image | None]
    ) -> Array:
        parts = []
        missing = []
        waiting = iter(tqdm(photos, unit="photo", desc="CLIP", disable=None))
        while batch := list(islice(waiting, _BATCH)):
            opened = [(photo, picture(photo.id)) for photo in batch]
            missing += [photo.file_name for photo, image in opened if image is None]
            if not missing:
                inputs = self._processor(images=[image for _, image in opened], return_tensors="pt")
                parts.append(self._run(self._model.get_image_features, inputs))
        if missing:
            raise CaptionerError(
                f"CLIP needs every photo, and {len(missing)} are not in --images: "
                f"{first_few(missing)}"
            )
        return np.concatenate(parts)

    def _texts(self, texts: Sequence[str]) -> Array:
        parts = []
        for start in range(0, len(texts), _BATCH):
            inputs = self._processor(
                text=[PROMPT + text for text in texts[start : start + _BATCH]],
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=_TOKENS,
            )
            parts.append(self._run(self._model.get_text_features, inputs))
        return np.concatenate(parts)

    def _run(self, features: Callable[..., Any], inputs: Any) -> Array:
        import torch

        with torch.inference_mode():
            found = features(**inputs.to(self._device))
        # transformers 5 gives the projected vectors with what they came from.
        vectors = getattr(found, "pooler_output", found)
        return unit(vectors.double().cpu().numpy())
