"""`captioner train`: what is wrong is said in one sentence, before any data is read."""

import sys
from pathlib import Path
from typing import Any

import pytest

import captioner
from captioner import CaptionerError, checkpoint, cli
from captioner.engines.graphs import has_graphs
from captioner.training import stage
from captioner.training.batches import Share
from captioner.training.loop import train
from captioner.training.output import BEST, LAST
from captioner.training.stage import Stage
from tests.training.toy import Album


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: Any) -> None:
        raise AssertionError("data was read")

    for name in ("read_examples", "read_sentences", "photo_files"):
        monkeypatch.setattr(stage, name, explode)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["captioner", "train", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(stop.value.code or 0), out, err

    return run


def test_trains_and_says_where_the_model_is(album: Album, tmp_path: Path, command: Any) -> None:
    file = album.write(tmp_path / "run")
    code, out, err = command("--config", file, "--set", "training.max_steps=2")
    last = tmp_path / "run" / "last.safetensors"
    assert code == 0 and out.endswith(
        f"{last}: the trained captioner; use it with --model {last}\n"
    )
    assert "2/2" in err and "loss" in err and "rate" in err
    assert has_graphs(last)


def test_several_recipes_one_after_the_other(album: Album, tmp_path: Path, command: Any) -> None:
    words = album.write(tmp_path / "words", objective="words")
    start = {"start": [tmp_path / "words" / LAST], "val": album.val}
    captions = album.write(tmp_path / "captions", **start)
    both = ["--no-graphs", "--config", words, "--config", captions, "--set", "training.max_steps=1"]
    best = tmp_path / "captions" / BEST
    said = f"{best}: the trained captioner; use it with --model {best}\n"
    code, out, _ = command(*both)
    assert code == 0 and out.endswith(said)
    made = (tmp_path / "words" / LAST).stat().st_mtime_ns
    code, out, err = command(*both)
    assert code == 1 and not out and err.count("\n") == 1
    assert f"{tmp_path / 'words'} holds another run" in err and "--overwrite to lose it" in err
    code, out, _ = command(*both, "--resume")
    assert code == 0 and out.endswith(said)
    assert (tmp_path / "words" / LAST).stat().st_mtime_ns == made
    code, _, err = command(*both, "--resume", "--overwrite")
    assert code == 1 and "take one of them" in err
    assert command(*both, "--overwrite")[0] == 0
    assert (tmp_path / "words" / LAST).stat().st_mtime_ns > made


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["training.stepps=3"], "training.stepps: there is no such field; there are objective,"),
        (["training.tune=all"], "training.tune: Input should be 'nothing', 'top' or 'everything'"),
        (["data.train=none.json"], "data.train: there is no file none.json"),
        (["training.weights=none"], "training.weights: there is no file none"),
        (['training.start=["none"]'], "training.start: there is no file none"),
        (['data.photos=["none"]'], "data.photos: there is no folder or tar file none"),
        (["training.device=banana"], "device 'banana' cannot be used: here torch finds cpu"),
        (["training.max_steps"], "--set training.max_steps: write section.field=value"),
    ],
)
def test_bad_recipes(
    album: Album, tmp_path: Path, command: Any, no_data: None, settings: list[str], said: str
) -> None:
    file = album.write(tmp_path / "run")
    code, out, err = command("--config", file, *(x for s in settings for x in ("--set", s)))
    assert code == 1 and not out
    assert said in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_missing_recipe_and_wrong_usage(tmp_path: Path, command: Any) -> None:
    code, _, err = command("--config", tmp_path / "none.json")
    assert code == 1 and f"{tmp_path / 'none.json'}: cannot be read" in err
    assert command()[0] == 2
    assert command("--confg", "x")[0] == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["decoder.size=20"], r"was trained with another decoder\.size than the recipe has"),
        (['data.styles=["coco", "poems"]'], "cannot learn the style 'poems' of data.styles"),
    ],
)
def test_starts_that_do_not_fit(
    album: Album, trained: Path, tmp_path: Path, settings: list[str], said: str
) -> None:
    with pytest.raises(CaptionerError, match=said):
        Stage(album.recipe(tmp_path / "run", *settings, start=[trained]), Share())


def test_starts_with_other_words(album: Album, trained: Path, tmp_path: Path) -> None:
    other = train(album.recipe(tmp_path / "other", minimum_count=40, max_steps=1))
    with pytest.raises(CaptionerError, match=rf"{other}: has other words than {trained}"):
        Stage(album.recipe(tmp_path / "run", start=[trained, other]), Share())


def test_few_attribute_words_or_none(album: Album, tmp_path: Path) -> None:
    """Fewer than the decoder would be shown, and a captioner without any."""
    cases: list[tuple[str, dict[str, Any], int]] = [
        ("few", {"minimum_count": 40}, 1),
        ("none", {"attribute_minimum": 33}, 0),
    ]
    for name, least, left in cases:
        recipe = album.recipe(tmp_path / name, val=album.val, max_steps=1, **least)
        caption = captioner.load(train(recipe)).caption(album.folder / "photos" / "0-0.png")
        model = checkpoint.load(tmp_path / name / LAST)
        assert len(model.attributes) == left
        assert len(caption.attention) == len(caption.words)
    told: dict[str, Any] = {"text": {"coco": album.text}, "batch_sentences": 4}
    with pytest.raises(CaptionerError, match=r"none stands with 33 photos .training.batch_s"):
        Stage(album.recipe(tmp_path / "text", attribute_minimum=33, **told), Share())
    with pytest.raises(CaptionerError, match=r"none stands with 33 photos .training.objective"):
        Stage(album.recipe(tmp_path / "w", attribute_minimum=33, objective="words"), Share())


def test_weights_and_photos_that_cannot_be_used(album: Album, tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="cannot be read as safetensors"):
        Stage(album.recipe(tmp_path / "run", weights=album.train), Share())
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CaptionerError, match=r"0-0\.png: is in none of the folders"):
        Stage(album.recipe(tmp_path / "run", photos=[empty], cache=tmp_path), Share())
    with pytest.raises(CaptionerError, match="no photo or sentence is left to train on"):
        Stage(album.recipe(tmp_path / "run", repeat={"coco": 0}), Share())


def test_output_that_cannot_be_made(album: Album, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recipe = album.recipe(tmp_path / "run", f"training.output={tmp_path / 'file' / 'run'}")
    with pytest.raises(CaptionerError, match=r"training\.output: .* cannot be made"):
        train(recipe)
