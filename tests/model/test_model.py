"""The whole model: which attribute words the decoder is shown, and what it starts from."""

import pytest
import torch

from captioner.captioner import Captioner
from captioner.engines.torch import TorchEngine
from captioner.model.config import AttributeConfig, EncoderConfig, ModelConfig
from captioner.model.model import Model
from captioner.vocabulary import Vocabulary
from tests.tiny import STYLES, WORDS, tiny_model


def test_the_likeliest_attribute_words_are_shown() -> None:
    model = tiny_model()
    logits = torch.tensor([[0.0, 3.0, -1.0, 2.0, -5.0], [9.0, -9.0, 1.0, 0.5, 0.4]])
    ids, certainty = model.name_attributes(logits.requires_grad_())
    words = [model.vocabulary.decode(row) for row in ids.tolist()]
    a = model.attributes
    assert words == [[a[1], a[3], a[0]], [a[0], a[2], a[3]]]
    torch.testing.assert_close(certainty[0], torch.tensor([3.0, 2.0, 0.0]).sigmoid())
    assert not certainty.requires_grad


def test_starts_from_pixels_as_from_their_grid() -> None:
    model = tiny_model()
    photos = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        whole, parts = model.start(photos), model.start_from_grid(model.encoder(photos))
        by_hand = model.decoder.start(
            model.encoder(photos), *model.name_attributes(model.head(model.encoder(photos)))
        )
    for state in (parts, by_hand):
        torch.testing.assert_close(whole.hidden, state.hidden)
        torch.testing.assert_close(whole.memory.attributes, state.memory.attributes)
    assert not torch.allclose(whole.hidden[0], whole.hidden[1])


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_model_without_attribute_words() -> None:
    config = ModelConfig(
        encoder=EncoderConfig(pixels=64), attributes=AttributeConfig(words=0, hidden=4)
    )
    model = Model(config, Vocabulary(WORDS, STYLES), ())
    caption = Captioner(TorchEngine(model)).caption(torch.zeros(8, 8, 3, dtype=torch.uint8).numpy())
    assert set(caption.words) <= set(WORDS)
