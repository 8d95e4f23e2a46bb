"""Of the sentences that the search finds, the captioner takes the one that the others resemble."""

import dataclasses

import numpy as np
import torch
from PIL import Image
from pycocoevalcap.cider.cider_scorer import precook

from captioner import Caption, Captioner, Options
from captioner.engines.torch import TorchEngine
from captioner.model.model import Model
from captioner.rules import search_options
from captioner.search import beam_search
from tests.tiny import same, tiny_model


def expected_words(net: Model, photo: Image.Image) -> dict[str, float]:
    """The probability of each attribute word by the head's logits, 0 but for the likeliest."""
    square = np.asarray(photo.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        grid = net.encoder(torch.from_numpy(square.copy()).permute(2, 0, 1)[None]).float()
        chance = torch.sigmoid(net.head(grid)[0]).tolist()
    least = sorted(chance)[-net.seen]
    return {
        word: share if share >= least else 0.0
        for word, share in zip(net.attributes, chance, strict=True)
    }


def test_consensus_is_the_sentence_that_the_others_resemble(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    """Worked out from the sentences of the plain search by pycocoevalcap's measure of likeness, and
    from what the attribute head says of the photo."""
    net = tiny_model()
    draw = torch.Generator().manual_seed(1)
    net.rarity = torch.rand(len(net.vocabulary), generator=draw) * 0.9  # no word is telling
    rare = dict(zip(net.vocabulary.words, net.rarity.tolist(), strict=True))
    captioner = Captioner(TorchEngine(net))
    changed = 0
    for photo in pictures:
        found = all_sentences(captioner, photo)
        best = max(c.log_probability for c in found)
        say = {other.words: np.exp((other.log_probability - best) / 4) for other in found}
        seen = expected_words(net, photo)
        scores = []
        for one in found:
            alike = (say[o.words] * cider_d(one.words, o.words, rare) for o in found)
            named = [seen[word] for word in {*one.words} & {*net.attributes}]
            borne = 1.5 * sum(seen[w] * rare[w] for w in {*one.words} & {*net.attributes})
            doubts = np.mean(np.log(np.array(named or [0.0]) + 0.02))
            likely = one.log_probability / (len(one.words) + 1) ** 0.7
            scores.append(likely + 0.15 * sum(alike) / sum(say.values()) + borne + doubts)
        chosen = captioner.caption(photo, Options(alternatives=9, min_words=4))
        words = [c.words for c in (chosen, *chosen.alternatives)]
        order = sorted(range(len(found)), key=lambda i: -scores[i])[:10]
        assert words == [found[i].words for i in order]
        changed += words != [one.words for one in found[:10]]
        usual = captioner.caption(photo, Options(min_words=4))
        assert same(usual, dataclasses.replace(chosen, alternatives=()))
    assert changed


def all_sentences(captioner: Captioner, photo: Image.Image) -> list[Caption]:
    """All that the ten beams find, the likeliest first."""
    search = search_options(Options(min_words=4), captioner.vocabulary, {})
    state = captioner.engine.start(np.stack([captioner._square(photo)])).state
    first = captioner.engine.ids([captioner.vocabulary.start(captioner.styles[0])])
    [found] = beam_search(captioner.engine.step, state, first, search)
    assert len(found) >= 10
    return [captioner._caption(sentence) for sentence in found]


def cider_d(one: tuple[str, ...], other: tuple[str, ...], rare: dict[str, float]) -> float:
    """CIDEr-D of one sentence against one reference, an n-gram as rare as its rarest word."""

    def cook(words: tuple[str, ...]) -> tuple[list[dict[tuple[str, ...], float]], list[float], int]:
        vectors: list[dict[tuple[str, ...], float]] = [{}, {}, {}, {}]
        for gram, times in precook(" ".join(words)).items():
            vectors[len(gram) - 1][gram] = times * max(rare[word] for word in gram)
        return vectors, [sum(w * w for w in v.values()) ** 0.5 for v in vectors], len(words) - 1

    (hyp, hyp_norm, hyp_length), (ref, ref_norm, ref_length) = cook(one), cook(other)
    total = 0.0
    for n in range(4):
        if hyp_norm[n] and ref_norm[n]:
            dot = sum(
                min(w, ref[n].get(gram, 0)) * ref[n].get(gram, 0) for gram, w in hyp[n].items()
            )
            total += dot / (hyp_norm[n] * ref_norm[n])
    return 10 * total / 4 * float(np.exp(-((hyp_length - ref_length) ** 2) / 72))
