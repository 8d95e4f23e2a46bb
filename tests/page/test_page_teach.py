"""*Teach these*: corrected captions teach a model, in a browser, where the page is its owner's."""

from functools import partial
from threading import Event

import pytest
from browsing import until
from fake_captioner import FakeCaptioner
from test_page_album import CAPTION
from test_page_many import done

import captioner
from captioner import checkpoint
from captioner.errors import CaptionerError
from captioner.export import run as export
from captioner.page.teaching import PageLessons, owner_alone
from captioner.page.uploads import Upload
from captioner.page.worker import ModelWorker
from captioner.teaching import lesson as lessons
from tests.tiny import tiny_model
from tests.training.names import album

COUNT = 13
WRITTEN = """([path, text]) => document.querySelector(`[aria-label='Caption of ${{path}}']`)
  .value {} text"""


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    """A lesson of a few steps, whose model lies in a folder of the test, without graphs."""
    monkeypatch.setattr(export, "write_graphs", lambda file, model: {})
    monkeypatch.setattr(lessons, "Lesson", partial(lessons.Lesson, steps=40, looks=2, rate=0.02))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def base(tmp_path):
    checkpoint.save(tiny_model(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def pictures(tmp_path):
    return sorted(album(tmp_path / "album", COUNT).glob("*.png"))


def test_corrected_captions_teach_a_model(visit, serve, base, pictures, tmp_path):
    served = serve(FakeCaptioner(), base=base)
    page = visit(served.url)
    page.get_by_role("tab", name="Many photos").click()
    page.set_input_files("#many input[type=file] >> nth=0", pictures)
    done(page, f"{COUNT} photos done.")
    button = page.get_by_role("button", name="Teach these")
    assert page.get_by_text("Correct 10 captions at least: 0 are.").is_visible()
    written = [path.with_suffix(".txt").read_text("utf-8").strip() for path in pictures[:-1]]
    for number, text in enumerate(written):
        assert button.is_disabled() == (number < 10)
        page.get_by_label(f"Caption of {pictures[number].name}").fill(text)
    button.click()
    said = "document.querySelector('#many .teach .status').textContent"
    until(page, f"{said}.includes('held-out photos')")
    [model] = tmp_path.glob("taught-*.safetensors")
    assert model.name in page.evaluate(said)
    assert captioner.load(model).styles[0] == "mine"
    rows = page.locator("#many .teach .judged li")
    assert rows.count() == 4 and "square" in rows.first.text_content()
    page.get_by_label("Sentences by").select_option("the taught model")
    last = page.get_by_label(f"Caption of {pictures[-1].name}")
    until(page, WRITTEN.format("!=="), [pictures[-1].name, CAPTION])
    taught = captioner.load(model).caption(pictures[-1]).text
    assert last.input_value() == taught
    first = page.get_by_label(f"Caption of {pictures[0].name}")
    assert first.input_value() == written[0]  # what a person wrote stays
    page.get_by_label("Sentences by").select_option("the built-in model")
    until(page, WRITTEN.format("==="), [pictures[-1].name, CAPTION])


def test_a_lesson_is_cancelled_and_leaves_nothing(base, pictures, tmp_path, monkeypatch):
    learning = Event()
    classroom = PageLessons(ModelWorker([FakeCaptioner()]), base, tmp_path)
    heed = classroom._after

    def held(learner):
        learning.set()
        assert classroom._cancelled.wait(60)
        heed(learner)

    monkeypatch.setattr(classroom, "_after", held)
    uploads = [Upload(str(path), path.name) for path in pictures]
    request = {"captions": [path.with_suffix(".txt").read_text("utf-8") for path in pictures]}
    assert classroom.begin(uploads, request)["state"] == "learning"
    assert learning.wait(60)
    with pytest.raises(CaptionerError, match="going on"):
        classroom.begin(uploads, request)
    classroom.cancel([], None)
    for _ in range(600):
        if classroom._state["state"] != "learning":
            break
        Event().wait(0.1)
    assert classroom._state == {"state": "cancelled", "said": "The lesson was cancelled."}
    assert not list(tmp_path.glob("taught-*"))
    with pytest.raises(CaptionerError, match="No model has been taught"):
        classroom.album(uploads, None)
    with pytest.raises(CaptionerError, match="reload the page"):
        classroom.begin(uploads, {"captions": []})


@pytest.mark.parametrize(
    "public",
    [{"GRADIO_SERVER_NAME": "0.0.0.0"}, {"CAPTIONER_HOSTS": "photos.example"},
     {"SPACE_HOST": "someone-captioner.hf.space"}, {"GRADIO_ROOT_PATH": "/captions"}],
)  # fmt: skip
def test_a_public_page_teaches_nobody(public, base, monkeypatch):
    for name in ("GRADIO_SERVER_NAME", "CAPTIONER_HOSTS", "SPACE_HOST", "GRADIO_ROOT_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert owner_alone()
    for name, value in public.items():
        monkeypatch.setenv(name, value)
    assert not owner_alone()
    from captioner.page import build

    page = build([FakeCaptioner()], base=base)
    endpoints = page.app_kwargs["routes"][-1].endpoint.__self__
    assert "album" in endpoints._known and "teach" not in endpoints._known
    page.close(verbose=False)


def test_a_page_that_cannot_teach_has_no_button(visit, served):
    page = visit(served.url)
    page.get_by_role("tab", name="Many photos").click()
    assert page.locator("#many .teach").count() == 0
