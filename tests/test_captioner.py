"""The captioner: any picture in, sentences out, whatever stands beside it in the batch."""

import dataclasses
import io
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocoevalcap.cider.cider_scorer import precook

import captioner
from captioner import Caption, Captioner, CaptionerError, ImageError, Options, checkpoint
from captioner.engines.torch import TorchEngine
from captioner.images import Allowed, open_image
from captioner.model.model import Model
from captioner.vocabulary import detokenize
from tests.tiny import STYLES, WORDS, tiny_model


@pytest.fixture(scope="module")
def model() -> Captioner:
    return Captioner(TorchEngine(tiny_model(), "tiny"))


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Seven pictures that have little in common."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(7):
        width, height = rng.integers(20, 120, 2).tolist()
        blocks = rng.integers(0, 256, (2 + i, 3, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))
    return pictures


def same(one: Caption, other: Caption) -> bool:
    return (
        one.words == other.words
        and one.text == other.text
        and one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        and one.score == pytest.approx(other.score, abs=1e-3)
        and one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
        and np.allclose(one.attention, other.attention, atol=1e-3)
        and len(one.alternatives) == len(other.alternatives)
        and all(map(same, one.alternatives, other.alternatives))
    )


def test_what_a_caption_holds(model: Captioner, photos: list[Image.Image]) -> None:
    options = Options(alternatives=2, min_words=3, length_penalty=1.0, consensus=False)
    caption = model.caption(photos[0], options)
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


def test_log_probability_is_the_models(model: Captioner, photos: list[Image.Image]) -> None:
    """Recomputed by teacher forcing, from the pixels."""
    caption = model.caption(photos[1])
    square = np.asarray(photos[1].convert("RGB").resize((64, 64), Image.Resampling.BICUBIC))
    vocabulary, net = model.vocabulary, model.engine.model
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
    model: Captioner, photos: list[Image.Image]
) -> None:
    """Worked out from the sentences of the plain search by pycocoevalcap's measure of likeness, and
    from what the attribute head says of the photo."""
    net = tiny_model()
    draw = torch.Generator().manual_seed(1)
    net.rarity = torch.rand(len(net.vocabulary), generator=draw) * 0.9  # no word is telling
    rare = dict(zip(net.vocabulary.words, net.rarity.tolist(), strict=True))
    captioner = Captioner(TorchEngine(net))
    changed = 0
    for photo in photos:
        plain = captioner.caption(photo, Options(alternatives=9, min_words=4, consensus=False))
        found = [plain, *plain.alternatives]
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
            scores.append(likely + 0.3 * sum(alike) / sum(say.values()) + borne + doubts)
        chosen = captioner.caption(photo, Options(alternatives=9, min_words=4))
        words = [c.words for c in (chosen, *chosen.alternatives)]
        order = sorted(range(10), key=lambda i: -scores[i])
        assert words == [found[i].words for i in order]
        changed += words != [one.words for one in found]
        usual = captioner.caption(photo, Options(min_words=4))
        assert same(usual, dataclasses.replace(chosen, alternatives=()))
    assert changed


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


def test_sentences_tell_photos_apart(model: Captioner, photos: list[Image.Image]) -> None:
    """What the other tests compare is not the same sentence each time."""
    assert len({caption.text for caption in model.caption_many(photos)}) > 3


def test_every_kind_of_picture(model: Captioner, photos: list[Image.Image], tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    photos[0].save(file)
    kinds: list[Any] = [photos[0], file, str(file), file.read_bytes(), np.asarray(photos[0])]
    first, *others = model.caption_many(kinds)
    assert all(same(first, other) for other in others)


def test_odd_pictures(model: Captioner, tmp_path: Path) -> None:
    odd = [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (4000, 3)),
        Image.new("CMYK", (9, 9)),
        Image.new("I;16", (9, 9)),
        Image.new("RGBA", (9, 9)),
        Image.new("P", (9, 9)),
    ]
    assert all(isinstance(caption, Caption) for caption in model.caption_many(odd))


def test_what_one_picture_may_take(photos: list[Image.Image], model: Captioner) -> None:
    strict = Captioner(model.engine)
    strict.allowed = Allowed(pixels=photos[0].width * photos[0].height - 1)
    with pytest.raises(ImageError, match="pixels allowed"):
        strict.caption(photos[0])
    assert model.caption(photos[0]).text


def test_a_turned_photo_is_turned_once(photos: list[Image.Image], model: Captioner) -> None:
    """However often it is opened on its way: by the page, for instance, and by the captioner."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    photos[1].save(file, "PNG", exif=exif)
    upright = model.caption(photos[1].transpose(Image.Transpose.ROTATE_270))
    opened = open_image(file.getvalue())
    for source in (file.getvalue(), opened, open_image(opened), Image.open(file)):
        assert same(model.caption(source), upright)


@pytest.mark.parametrize("batch_size", [2, 3, 7, 50])
@pytest.mark.parametrize("options", [Options(alternatives=1), Options(temperature=1.0)])
def test_a_batch_is_its_photos_one_by_one(
    model: Captioner, photos: list[Image.Image], batch_size: int, options: Options
) -> None:
    together = list(model.caption_many(photos, batch_size=batch_size, options=options))
    alone = [model.caption(photo, options) for photo in photos]
    assert all(map(same, together, alone))


def test_reads_no_more_than_two_batches_ahead(model: Captioner, photos: list[Image.Image]) -> None:
    asked = count()

    def endless() -> Iterator[Image.Image]:
        while True:
            next(asked)
            yield photos[0]

    captions = model.caption_many(endless(), batch_size=2)
    assert next(asked) == 0  # nothing is read before the first is wanted
    for given, _ in enumerate(islice(captions, 7)):
        read = int(repr(asked)[6:-1]) - 1
        assert given < read <= 2 * (given // 2 + 3)
    captions.close()


def test_nothing_in_nothing_out(model: Captioner) -> None:
    assert list(model.caption_many([])) == []


def test_pictures_that_cannot_be_read_stand_in_their_place(
    model: Captioner, photos: list[Image.Image], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    pictures = [text, photos[0], b"", tmp_path / "none.jpg", photos[1]]
    results = list(model.caption_many(pictures, batch_size=2, errors="return"))
    kinds = [type(result) for result in results]
    assert kinds == [ImageError, Caption, ImageError, ImageError, Caption]
    assert str(text) in str(results[0]) and "there is no such file" in str(results[3])
    assert same(results[1], model.caption(photos[0]))
    assert same(results[4], model.caption(photos[1]))


def test_pictures_that_cannot_be_read_are_raised_when_they_come(
    model: Captioner, photos: list[Image.Image]
) -> None:
    captions = model.caption_many([photos[0], b"text"])
    assert isinstance(next(captions), Caption)
    with pytest.raises(ImageError, match="picture: "):
        next(captions)


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(beam=1),
        Options(beam=8, alternatives=7),
        Options(length_penalty=0.0, consensus=False),
        Options(min_words=9, max_words=9),
        Options(temperature=1.5, alternatives=20),
        Options(temperature=0.7, top_p=0.8, seed=3),
    ],
)
def test_only_words_are_written(
    model: Captioner, photos: list[Image.Image], options: Options
) -> None:
    """Although the model would rather write `<unk>`, padding and start words."""
    for caption in model.caption_many(photos, options=options):
        for one in (caption, *caption.alternatives):
            assert set(one.words) <= set(WORDS)
            assert options.min_words <= len(one.words) <= options.max_words
            assert "<" not in one.text
            if one.words:
                assert one.text[0] == one.text[0].upper() and one.text.endswith(".")
                assert " ," not in one.text and " ." not in one.text
                assert one.words[-1] not in ("a", "the", "of", "with", "and", "on", ",")


def test_no_three_words_come_twice(model: Captioner, photos: list[Image.Image]) -> None:
    for caption in model.caption_many(photos, options=Options(min_words=18)):
        threes = list(zip(caption.words, caption.words[1:], caption.words[2:], strict=False))
        assert len(set(threes)) == len(threes)


def test_prefix(model: Captioner, photos: list[Image.Image]) -> None:
    caption = model.caption(photos[0], Options(prefix="Two dog's", min_words=5))
    assert caption.words[:3] == ("two", "dog", "'s") and len(caption.words) >= 5
    assert caption.text.startswith("Two dog's ")


def test_include(model: Captioner, photos: list[Image.Image]) -> None:
    """A word that the usual sentences lack, and two at once in whatever order."""
    usual = model.caption(photos[2], Options(alternatives=4))
    said = {w for one in (usual, *usual.alternatives) for w in one.words}
    one, other = [word for word in WORDS if word not in {*said, ",", "n't", "'s"}][:2]
    caption = model.caption(photos[2], Options(include=(one, other.upper()), alternatives=2))
    for found in (caption, *caption.alternatives):
        assert {one, other} <= set(found.words)


def test_groups_keep_apart(model: Captioner, photos: list[Image.Image]) -> None:
    """Three beams become four, that each group has two; none stays where all were before."""
    plain = Options(beam=3, alternatives=2, consensus=False)
    alike, apart = (
        model.caption(photos[2], dataclasses.replace(plain, beam=beam, groups=groups))
        for beam, groups in ((4, 1), (3, 2))
    )
    assert [c.text for c in apart.alternatives] != [c.text for c in alike.alternatives]


def test_top_k_of_one_is_greedy(model: Captioner, photos: list[Image.Image]) -> None:
    drawn = [model.caption(photos[1], Options(temperature=1.0, top_k=1, seed=s)) for s in (1, 2)]
    greedy = model.caption(photos[1], Options(beam=1, consensus=False))
    assert {c.text for c in drawn} == {greedy.text}


def test_avoid(model: Captioner, photos: list[Image.Image]) -> None:
    usual = model.caption(photos[2])
    avoided = (*usual.words[:2], "Zebras", "")
    caption = model.caption(photos[2], Options(avoid=avoided))
    assert len(usual.words) > 1 and not set(caption.words) & set(avoided)
    upper = Options(avoid=tuple(word.upper() for word in avoided))
    assert same(caption, model.caption(photos[2], upper))


def test_more_alternatives_than_beams(model: Captioner, photos: list[Image.Image]) -> None:
    caption = model.caption(photos[0], Options(beam=2, alternatives=4))
    assert same(caption, model.caption(photos[0], Options(beam=5, alternatives=4)))


def test_sampling_is_reproducible(model: Captioner, photos: list[Image.Image]) -> None:
    def texts(seed: int) -> list[str]:
        options = Options(temperature=1.0, seed=seed, alternatives=3)
        captions = model.caption_many(photos, options=options)
        return [one.text for c in captions for one in (c, *c.alternatives)]

    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 5


def test_style_begins_the_sentence(model: Captioner, photos: list[Image.Image]) -> None:
    assert model.styles == STYLES
    usual = list(model.caption_many(photos))
    assert all(map(same, usual, model.caption_many(photos, options=Options(style="coco"))))
    other = list(model.caption_many(photos, options=Options(style="flickr8k")))
    assert [c.text for c in other] != [c.text for c in usual]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": "poem"}, "style must be one of coco, flickr8k, not 'poem'"),
        (
            {"prefix": "a zebra"},
            "the start of the sentence: the model does not know the word 'zebra'; choose another",
        ),
        (
            {"prefix": "a Zwölf, dog"},
            "the start of the sentence: the model does not know the word 'zwölf'; choose another",
        ),
        (
            {"prefix": "a 犬"},
            "the start of the sentence: the model does not know the word '犬'; choose another",
        ),
        (
            {"include": ("zebra",)},
            "the words to include: the model does not know the word 'zebra'; choose another",
        ),
        (
            {"prefix": "a dog", "max_words": 1},
            "max_words must leave room for the start of the sentence",
        ),
        ({"avoid": WORDS, "min_words": 1}, "no sentence obeys these options"),
    ],
)
def test_options_it_cannot_follow(
    model: Captioner, photos: list[Image.Image], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CaptionerError, match=said) as error:
        model.caption(photos[0], Options(**options))
    assert not isinstance(error.value, ImageError)


def test_wrong_arguments(model: Captioner, photos: list[Image.Image]) -> None:
    for size in (0, 2.0, True, "4"):
        with pytest.raises(CaptionerError, match="batch_size must be a whole number from 1 on"):
            model.caption_many(photos, batch_size=size)  # type: ignore[arg-type]
    with pytest.raises(CaptionerError, match="errors must be 'raise' or 'return', not 'ignore'"):
        model.caption_many(photos, errors="ignore")  # type: ignore[call-overload]
    with pytest.raises(CaptionerError, match="there is no option 'beams'; there are beam, "):
        model.caption_many(photos, beams=3)
    with pytest.raises(CaptionerError, match=r"options must be captioner\.Options, not 3"):
        model.caption(photos[0], 3)  # type: ignore[arg-type]
    for device in ("banana", "cuda:99"):
        with pytest.raises(CaptionerError, match=f"device '{device}' cannot be used"):
            TorchEngine(tiny_model(), device=device)


@pytest.mark.parametrize(
    "single", ["photo.jpg", Path("photo.jpg"), b"\xff\xd8", np.zeros((4, 4, 3), np.uint8), None]
)
def test_one_picture_is_not_many(model: Captioner, single: Any) -> None:
    with pytest.raises(CaptionerError, match="caption_many takes several pictures"):
        model.caption_many(single)


def test_options_by_name(model: Captioner, photos: list[Image.Image]) -> None:
    for options in (Options(beam=3, min_words=4), Options(beam=7, min_words=4)):
        asked = model.caption(photos[0], Options(min_words=4), beam=options.beam)
        assert same(asked, model.caption(photos[0], options))
    asked, *_ = model.caption_many(photos, beam=3, alternatives=2)
    assert len(asked.alternatives) == 2
    with pytest.raises(CaptionerError, match="beam must be a whole number"):
        model.caption(photos[0], beam=3.0)


def test_what_could_not_be_had_passes_through(model: Captioner, photos: list[Image.Image]) -> None:
    gone = ImageError("a.jpg", "there is no such file")
    results = list(model.caption_many([photos[0], gone, photos[1]], errors="return"))
    assert results[1] is gone and [type(r) for r in results] == [Caption, ImageError, Caption]
    with pytest.raises(ImageError, match=r"a\.jpg: there is no such file"):
        list(model.caption_many([gone]))


def test_the_likeliest_words_in_each_place(model: Captioner, photos: list[Image.Image]) -> None:
    """The word itself is among them, with its probability, where it is one of the likeliest."""
    caption = model.caption(photos[0], choices=5, beam=1, min_words=4)
    assert len(caption.choices) == len(caption.words) > 2
    for word, probability, places in zip(
        caption.words, caption.probabilities, caption.choices, strict=True
    ):
        told = dict(places)
        assert len(told) == 5 and set(told) <= set(WORDS)
        assert list(told.values()) == sorted(told.values(), reverse=True)
        assert told.get(word, probability) == pytest.approx(probability, abs=1e-5)
    first = caption.choices[0][1][0]  # the second likeliest, taken as the beginning
    assert model.caption(photos[0], prefix=first).words[0] == first
    assert model.caption(photos[0]).choices == ()


def test_a_caption_shows_itself(model: Captioner, photos: list[Image.Image]) -> None:
    caption = model.caption(photos[0])
    assert repr(caption) == f"Caption({caption.text!r}, score={caption.score:.2f})"
    page = caption._repr_html_()
    assert page.count("<img") == 1 + len(caption.words) and caption.photo is photos[0]
    assert repr(model).startswith("Captioner('tiny', engine='torch', dtype='")


def test_the_encoder_computes_in_the_precision_that_is_told() -> None:
    """In bf16 where the processor multiplies it quickly, which other tests cannot tell apart."""
    quick = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    quick = quick and "AVX512" in torch.backends.cpu.get_cpu_capability()
    expected = torch.bfloat16 if quick else torch.float32
    for dtype, kind in ((None, expected), ("float32", torch.float32)):
        engine = TorchEngine(tiny_model(), dtype=dtype)
        assert engine.model.encoder.dtype == kind == getattr(torch, engine.precision)
        assert engine.model.decoder.embedding.weight.dtype == torch.float32


def test_loaded_from_a_file_it_writes_the_same(photos: list[Image.Image], tmp_path: Path) -> None:
    checkpoint.save(tiny_model(), tmp_path / "mine.safetensors")
    loaded = captioner.load(tmp_path / "mine.safetensors")
    again = captioner.load(str(tmp_path / "mine.safetensors"))
    assert loaded.name == "mine" and loaded.vocabulary.words[5:] == WORDS
    assert all(map(same, loaded.caption_many(photos), again.caption_many(photos)))


def test_a_backbone_of_torchvisions(photos: list[Image.Image], tmp_path: Path) -> None:
    checkpoint.save(tiny_model(name="mobilenet_v3_small"), tmp_path / "mobile.safetensors")
    caption = captioner.load(tmp_path / "mobile.safetensors").caption(photos[0])
    assert caption.words and caption.attention.shape[1:] == (2, 2)


def test_bytes_of_a_stream(model: Captioner, photos: list[Image.Image]) -> None:
    stream = io.BytesIO()
    photos[3].save(stream, "PNG")
    assert same(model.caption(stream.getvalue()), model.caption(photos[3]))
