"""Several recipes in one command: refused before anything is computed, or run to the end."""

import json
from pathlib import Path
from typing import Any

import pytest

from captioner import CaptionerError, checkpoint
from captioner.training import chain
from captioner.training.chain import train_chain
from captioner.training.output import BEST, LAST, RESUME
from captioner.training.recipe import Recipe, read_recipe
from tests.training.toy import Album, losses


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: Any) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr(chain, "train", explode)


def stages(album: Album, folder: Path, *settings: str, **changes: Any) -> list[Recipe]:
    """Words and captions; the settings and changes are those of the second."""
    first = album.recipe(folder / "words", objective="words", max_steps=1)
    start = {"start": [folder / "words" / LAST], "weights": None, "max_steps": 1}
    return [first, album.recipe(folder / "captions", *settings, **{**start, **changes})]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["decoder.size=20"], r"words/last\.safetensors will be another model than .*captions"),
        (['training.start=["none"]'], r"training\.start: there is no file none"),
        (["training.output=words"], r"training\.output: two recipes write to words$"),
    ],
)  # fmt: skip
def test_recipes_that_do_not_fit_one_another(
    album: Album, tmp_path: Path, untrained: None, monkeypatch: pytest.MonkeyPatch,
    settings: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaptionerError, match=said):
        train_chain(stages(album, Path(), *settings))


def test_stages_that_would_have_other_words(album: Album, tmp_path: Path, untrained: None) -> None:
    text: dict[str, Any] = {"text": {"coco": album.text}, "batch_sentences": 4}
    names = ("words", "language", "more")
    words = album.recipe(tmp_path / names[0], objective="words", **text)
    language = album.recipe(tmp_path / names[1], objective="language", minimum_count=2, **text)
    more = album.recipe(tmp_path / names[2], start=[words.training.output / LAST], minimum_count=9)
    starts = [tmp_path / name / LAST for name in names]
    last = album.recipe(tmp_path / "captions", start=starts[:2])
    with pytest.raises(CaptionerError, match=r"words and .*language will have other words"):
        train_chain([words, language, last])
    fits = album.recipe(tmp_path / "captions", start=[starts[0], starts[2]])
    with pytest.raises(AssertionError, match="something was computed"):  # words go on with words
        train_chain([words, more, fits])


def test_a_folder_of_another_run_and_none_to_resume(
    album: Album, tmp_path: Path, untrained: None
) -> None:
    both = stages(album, tmp_path)
    with pytest.raises(CaptionerError, match="holds no run that could be resumed; leave --resume"):
        train_chain(both, resume=True)
    for name in (LAST, BEST, RESUME):
        folder = tmp_path / "captions"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("another's")
        with pytest.raises(CaptionerError, match=rf"another run \({name}\); take --resume"):
            train_chain(both)
        (folder / name).unlink()
    with pytest.raises(CaptionerError, match="take one of them"):
        train_chain(both, resume=True, overwrite=True)


def test_resume_skips_what_is_finished_and_begins_what_had_not_got_far(
    album: Album, tmp_path: Path
) -> None:
    both = stages(album, tmp_path, val=album.val)
    best = train_chain(both)
    assert best == tmp_path / "captions" / BEST
    assert checkpoint.load(best).vocabulary.styles == ("coco",)
    first = (tmp_path / "words" / LAST).stat().st_mtime_ns
    for name in (LAST, RESUME):  # as a run that was killed before its first state leaves it
        (tmp_path / "captions" / name).unlink()
    assert train_chain(both, resume=True) == best
    assert (tmp_path / "captions" / LAST).exists()
    assert (tmp_path / "words" / LAST).stat().st_mtime_ns == first
    assert train_chain(both, resume=True) == best  # all is finished


def test_overwrite_leaves_nothing_of_the_other_run(album: Album, tmp_path: Path) -> None:
    run = album.recipe(tmp_path / "run", val=album.val, tune="top", folds=2, max_steps=1)
    train_chain([run])
    assert (tmp_path / "run" / "fold-1.safetensors").exists()
    shorter = album.recipe(tmp_path / "run", max_steps=2)
    assert train_chain([shorter], overwrite=True) == tmp_path / "run" / LAST
    assert len(losses(tmp_path / "run")) == 2
    assert not list((tmp_path / "run").glob("fold-*")) and not (tmp_path / "run" / BEST).exists()


CONFIGS = Path(__file__).parents[2] / "configs" / "gpu"
CHAIN = ("words", "language", "cross_entropy", "self_critical")
TINY = (
    "encoder.pixels=64", "attributes.words=8", "attributes.shown=3", "attributes.hidden=16",
    "decoder.size=24", "decoder.hidden=32", "training.device=cpu", "training.workers=0",
    "training.batch_photos=8", "training.batch_sentences=6", "training.max_steps=2",
    "training.validate_every=1", "data.minimum_count=1", "data.attribute_minimum=2",
    "training.bf16=false",
)  # fmt: skip


def test_the_recipes_for_a_gpu_run_one_after_the_other(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very files, on a few photos: as many stages, folds, labels and starts as they have."""
    monkeypatch.chdir(tmp_path)
    album.prepare(tmp_path / "data" / "prepared")
    recipes = [read_recipe(CONFIGS / f"{name}.json", TINY) for name in CHAIN]
    best = train_chain(recipes)
    assert best == Path("runs/gpu/self_critical") / BEST
    models = [checkpoint.load(recipe.training.output / LAST) for recipe in recipes]
    assert len({model.vocabulary.words for model in models}) == 1
    for recipe in recipes:
        assert len(losses(recipe.training.output)) == 2
        folds = len(list(recipe.training.output.glob("fold-*.safetensors")))
        learns = recipe.training.tune != "nothing"
        assert folds == (recipe.training.folds if recipe.training.folds > 1 and learns else 0)
    assert "labels" in (Path("runs/gpu/words") / "log.csv").read_text().split("\n")[0]


def test_the_recipe_of_the_family_fits_the_cpus() -> None:
    """The comparison of decoders on a GPU changes nothing but where and how it is computed."""
    cpu, gpu = (
        json.loads((folder / "family.json").read_text()) for folder in (CONFIGS.parent, CONFIGS)
    )
    for tree in (cpu, gpu):
        for section, field in (
            ("data", "hold"), ("training", "device"), ("training", "workers"),
            ("training", "output"), ("training", "checkpoint_minutes"),
        ):  # fmt: skip
            tree[section].pop(field, None)
    assert cpu == gpu
