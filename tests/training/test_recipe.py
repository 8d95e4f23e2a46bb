"""Recipes: what is wrong in one is said in a sentence that names the field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from captioner import CaptionerError
from captioner.cli import app
from captioner.model.config import DecoderConfig, EncoderConfig, ModelConfig, differences
from captioner.training.recipe import TrainingConfig, check_files, read_recipe

CONFIGS = Path(__file__).parents[2] / "configs"
GOOD: dict[str, Any] = {
    "data": {"train": "train.json", "photos": ["photos"]},
    "training": {"output": "run"},
}
FILES = ("train", "val", "text", "labels", "unlabelled", "photos", "start", "weights")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(GOOD))
    return file


def refused(file: Path, *changes: str) -> str:
    with pytest.raises(CaptionerError) as error:
        read_recipe(file, changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_defaults_and_changes(recipe: Path) -> None:
    read = read_recipe(recipe, ["training.max_steps=7", "encoder.name=resnet18", "data.val=v.json"])
    assert read.training.max_steps == 7
    assert read.data.val == Path("v.json")
    assert read.model == ModelConfig(encoder=EncoderConfig(name="resnet18"))
    assert read.training.learning_rate == TrainingConfig(output=Path("run")).learning_rate


def test_changes_hold_json_or_plain_text(recipe: Path) -> None:
    changes = ['data.photos=["a", "b.tar"]', "training.weights=torchvision", "training.bf16=false"]
    read = read_recipe(recipe, [*changes, "training.output=runs/1.5"])
    assert read.data.photos == (Path("a"), Path("b.tar"))
    assert read.training.weights == "torchvision"
    assert read.training.output == Path("runs/1.5")
    assert read.training.bf16 is False


def test_words_are_learnt_where_there_are_any(recipe: Path) -> None:
    language = (
        "training.objective=language",
        "training.batch_sentences=4",
        'data.text={"coco":"a"}',
    )
    said = refused(recipe, *language, "training.mixup=0.4")
    assert said.endswith("training.mixup is for objectives that see photos")
    said = refused(recipe, "training.objective=words", "attributes.words=0")
    assert said.endswith("objective words needs attributes.words")
    said = refused(recipe, "training.guidance=0.1", "training.objective=words")
    assert said.endswith("training.guidance is for the objective cross_entropy")
    said = refused(recipe, "training.guidance=0.1", "attributes.words=0")
    assert said.endswith("training.guidance needs decoder.kind attention and attributes.words")


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.json")), ids=str)
def test_the_recipes_that_come_with_it_are_good(file: Path) -> None:
    read = read_recipe(file)
    assert read.training.objective in ("words", "language", "cross_entropy", "self_critical")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.max_step=5", "training.max_step: there is no such field; there are objective, "),
        ("trainin.max_steps=5", "trainin: there is no such field; there are data, encoder, "),
        ("training.tune=all", "training.tune: .*'nothing', 'top' or 'everything' .is 'all'"),
        ("training.max_steps=0", "training.max_steps: .*greater than or equal to 1 .is 0"),
        ("training.max_steps=many", "training.max_steps: .*integer.*'many'"),
        ("training.dropout=1", "training.dropout: .*less than 1"),
        ("training.seed=-1", "training.seed: .*greater than or equal to 0"),
        ("training.learning_rate=NaN", "training.learning_rate: .*greater than 0"),
        ("training.weights=3", "training.weights: .*'torchvision' or 'embedded'.*path"),
        ("training.start=one.safetensors", "training.start: .*tuple"),
        ("decoder.kind=transformer", "decoder.kind: .*'attention'"),
        ("decoder.attention=hard", "decoder.attention: .*'additive', 'dot' or 'general'"),
        ("decoder.heads=4", "decoder: heads above 1 need attention = dot$"),
        ("decoder.summary=last", "decoder: summary = last needs reading = gru or lstm$"),
        ("decoder.layers=5", "decoder.layers: .*less than or equal to 4"),
        ("decoder.residual=true", "decoder: residual needs layers of 2 at least$"),
        ("decoder.kind=peek", "decoder.kind peek attends to nothing.* set attributes.shown to 0$"),
        ("training.teacher=exponential", "training.teacher_k must be below 1"),
        ("encoder.pixels=8", "encoder.pixels: .*greater than or equal to 32"),
        ("data.styles=[]", "data.styles: .*at least 1"),
        ('data.text={"poems": "p.txt"}', "data: text names the style 'poems'; styles are coco$"),
        ('data.repeat={"poems": 2}', "data: repeat names the style 'poems'; styles are coco$"),
        ('data.repeat={"coco": -1}', "data.repeat.coco: .*greater than or equal to 0"),
        ("training.objective=language", "objective language needs training.batch_sentences and"),
        ("data.train=null", "data.train: .*path"),
        ("data.unlabelled=u.json", "data.unlabelled photos teach nothing without data.labels$"),
        ("training.folds=9", "training.folds: .*less than or equal to 8"),
        ("training.folds=2", "training.folds above 1 needs an encoder that learns .training.tune"),
        ("training.first_block=24", "training.first_block: .*less than or equal to 23"),
        ("training.layer_decay=0", "training.layer_decay: .*greater than 0"),
        ("training.max_minutes=0", "training.max_minutes: .*greater than 0"),
        ("training=3", "--set training=3: write section.field=value"),
        ("training.tune", "--set training.tune: write section.field=value"),
    ],
)
def test_one_sentence_names_the_field(recipe: Path, change: str, said: str) -> None:
    message = refused(recipe, change)
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        (
            {"attention": "dot", "heads": 3, "size": 8},
            "heads must divide size (8) and so be one of 1, 2, 4, 8, not 3",
        ),
        (
            {"kind": "peek", "attention": "dot"},
            "attention is for kind attention; a decoder of kind peek has none: leave attention out,"
            " or set kind to attention",
        ),
        (
            {"kind": "context", "hard": True},
            "hard is for kind attention; a decoder of kind context",
        ),
        ({"kind": "feedback", "heads": 2}, "heads is for kind attention; a decoder of kind feedb"),
        (
            {"attention": "dot", "heads": 2, "hard": True},
            "hard attention looks at one region: heads",
        ),
        ({"reading": "gru", "size": 15}, "reading in two directions needs an even size, not 15"),
    ],
)
def test_decoders_that_cannot_be(recipe: Path, decoder: dict[str, object], said: str) -> None:
    """Said of a recipe whose data is not there: nothing of it was looked for."""
    changes = [f"decoder.{field}={json.dumps(value)}" for field, value in decoder.items()]
    assert f"decoder: {said}" in refused(recipe, *changes)
    sets = [part for change in changes for part in ("--set", change)]
    done = CliRunner().invoke(app, ["train", "--config", str(recipe), *sets])
    assert isinstance(done.exception, CaptionerError) and said in str(done.exception)


def test_top_is_for_lite3_only(recipe: Path) -> None:
    message = refused(recipe, "training.tune=top", "encoder.name=resnet18")
    assert message.endswith("training.tune top is for efficientnet_lite3, not for resnet18")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "must hold the sections data, encoder, attributes, decoder, training"),
        ("{}", "data: is missing; training: is missing"),
        ('{"data": 3, "training": {}}', "training.output: is missing"),
        ("\xff", "is not JSON"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "recipe.json"
    file.write_bytes(text.encode("latin-1"))
    message = refused(file)
    assert message.startswith(f"{file}: ") and said in message


def test_change_of_what_is_no_section(tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"data": 3}')
    assert refused(file, "data.train=x") == "--set data.train=x: data is no section of the recipe"


def test_missing_recipe(tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    assert refused(file) == f"{file}: cannot be read (No such file or directory)"
    assert refused(tmp_path) == f"{tmp_path}: cannot be read (Is a directory)"


def test_cross_fitting_needs_photos_and_what_has_not_seen_them(recipe: Path) -> None:
    language = ("training.objective=language", 'data.text={"coco": "t"}')
    said = refused(recipe, "training.folds=2", "training.batch_sentences=4", *language)
    assert said.endswith("training.folds above 1 is for objectives that see photos")
    critical = ("training.folds=2", "training.objective=self_critical")
    assert "the objective self_critical" in refused(recipe, *critical, "training.tune=top")
    said = refused(recipe, *critical)
    assert said.endswith("training.folds above 1 with tune nothing needs data.hold")
    assert read_recipe(recipe, [*critical, "data.hold=true"]).training.folds == 2


@pytest.mark.parametrize("absent", FILES)
def test_files_that_are_not_there_are_named_with_their_field(
    recipe: Path, absent: str, tmp_path: Path
) -> None:
    paths = {name: tmp_path / name for name in FILES}
    for name, path in paths.items():
        if name != absent:
            path.write_text("")
    read = read_recipe(
        recipe,
        [
            f"data.train={paths['train']}",
            f"data.val={paths['val']}",
            f"data.labels={paths['labels']}",
            f"data.unlabelled={paths['unlabelled']}",
            f'data.photos=["{paths["photos"]}"]',
            f'data.text={{"coco": "{paths["text"]}"}}',
            f'training.start=["{paths["start"]}"]',
            f"training.weights={paths['weights']}",
        ],
    )
    with pytest.raises(CaptionerError) as error:
        check_files(read)
    field = {"text": "data.text.coco"}.get(absent)
    field = field or f"{'training' if absent in ('start', 'weights') else 'data'}.{absent}"
    assert str(error.value).startswith(f"{field}: there is no ")
    assert str(error.value).endswith(f" {paths[absent]}")
    paths[absent].write_text("")
    check_files(read)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 8), st.integers(1, 24))
def test_heads_divide_the_size(heads: int, size: int) -> None:
    tree = {"decoder": {"attention": "dot", "heads": heads, "size": size}}
    if size % heads == 0:
        assert ModelConfig.model_validate(tree).decoder.heads == heads
    else:
        with pytest.raises(ValueError, match="heads must divide size"):
            ModelConfig.model_validate(tree)


def test_a_configuration_travels_as_json() -> None:
    config = ModelConfig(
        encoder=EncoderConfig(name="efficientnet_b4", pixels=380),
        decoder=DecoderConfig(attention="dot", heads=4),
    )
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config
    assert differences(config, config) == []
    assert differences(config, ModelConfig()) == [
        "encoder.name", "encoder.pixels", "decoder.attention", "decoder.heads",
    ]  # fmt: skip
