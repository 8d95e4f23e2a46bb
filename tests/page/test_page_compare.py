"""The third view: the same photo under several models."""

from pathlib import Path

import pytest
from browsing import INPUT, ask, status
from fake_captioner import FakeCaptioner

from captioner.page.answers import compare
from captioner.page.uploads import Upload
from captioner.page.worker import ModelWorker

FILE = "#compare input[type=file]"


@pytest.fixture
def opened(visit):
    page = visit()
    page.get_by_role("tab", name="Compare").click()
    return page


def test_models_stand_side_by_side(opened, served, photos):
    opened.set_input_files(FILE, photos / "dog.jpg")
    cards = opened.locator("#compare .card")
    for place in range(2):
        cards.nth(place).locator(".word").first.wait_for()
    # The first model is the one that the others are compared with: it comes last.
    assert cards.locator("h2").all_inner_texts() == ["second", "first"]
    boxes = [cards.nth(place).bounding_box() for place in range(2)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    cards.nth(1).locator(".word").nth(2).hover()
    assert cards.nth(1).locator(".word.on").inner_text() == "runs"
    assert cards.nth(0).locator(".word.on").inner_text() != "runs"
    opened.set_input_files(FILE, photos / "notes.txt")
    opened.wait_for_selector("#compare[data-state=failed]")
    assert "notes.txt" in status(opened, "compare")


def test_a_decoder_that_does_not_look_says_so(visit, serve, photos):
    page = visit(serve(FakeCaptioner("first"), FakeCaptioner("blind", looks=False)).url)
    page.get_by_role("tab", name="Compare").click()
    page.set_input_files(FILE, photos / "dog.jpg")
    card = page.locator("#compare .card").first
    card.get_by_text("This decoder looks nowhere").wait_for()
    card.locator(".word").nth(2).hover()
    assert card.locator(".word.on").inner_text() == "runs"
    assert card.locator("canvas").count() == 0


def test_the_family_tells_its_story_from_the_weakest_to_the_strongest(visit, serve, photos):
    names = ["captioner", "attention", "context", "feedback", "peek"]
    page = visit(serve(*map(FakeCaptioner, names)).url, reduced_motion="reduce")
    ask(page, photos / "dog.jpg", rest=False)
    page.get_by_role("tab", name="Compare").click()  # the photo comes along
    cards = page.locator("#compare .card")
    cards.nth(4).locator(".word").first.wait_for()
    assert cards.locator("h2 code").all_inner_texts() == [
        "context", "feedback", "peek", "attention", "captioner",
    ]  # fmt: skip
    assert "stammers" in cards.first.locator(".story").inner_text()
    assert cards.locator("svg.diagram").count() == 5


def test_where_a_sentence_goes_astray_is_where_the_first_model_finds_it_improbable(photos):
    class Reader(FakeCaptioner):
        """Finds the word at place 3 improbable in what it is given to read."""

        def _caption(self, sentence, rank, options):
            caption = super()._caption(sentence if not options.prefix else "", rank, options)
            if options.prefix:
                assert options.prefix == "a dog runs across the green grass"
                sure = (0.5, 0.02, 0.3, 0.004, 0.001, 0.5, 0.5)
                object.__setattr__(caption, "probabilities", sure)
            return caption

    worker = ModelWorker([Reader("first"), FakeCaptioner("second")])
    models = compare(worker, Upload(str(photos / "dog.jpg"), "dog.jpg"), None)["models"]
    assert "departs" not in models[0]
    assert (models[1]["departs"], models[1]["doubt"]) == (3, 0.004)


def test_the_family_is_loaded_when_it_is_asked_for(monkeypatch, photos):
    import captioner.captioner as room

    loaded = []
    monkeypatch.setattr(room, "load", lambda file: loaded.append(file) or FakeCaptioner("other"))
    worker = ModelWorker([FakeCaptioner("first")], [Path("a/peek.safetensors")])
    assert worker.names == ["first", "peek"] and not loaded
    for _ in range(2):
        answer = compare(worker, Upload(str(photos / "dog.jpg"), "dog.jpg"), None)
        assert [model["name"] for model in answer["models"]] == ["first", "peek"]
        assert all(model["caption"] for model in answer["models"])
    assert loaded == [Path("a/peek.safetensors")]


def test_one_model_says_how_to_compare(visit, serve):
    page = visit(serve(FakeCaptioner()).url)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("--model first.safetensors --model second.safetensors").wait_for()
    assert page.locator(INPUT).count() == 1
