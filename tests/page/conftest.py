"""A page with fake models, served in this process, and a browser to open it with."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browsing import ask, drawn
from fake_captioner import FakeCaptioner
from serve import free_port

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE = 60_000  # milliseconds: the machine may have other work


class Served:
    """A page that answers at `url`, with the models behind it."""

    def __init__(self, fakes: list[FakeCaptioner], base: Path | None = None, **queue: Any) -> None:
        from captioner.page import build, launch

        self.fakes = fakes
        self.blocks = build(fakes, base=base)
        if queue:
            self.blocks.queue(api_open=False, **queue)
        launch(self.blocks, wait=False, server_port=free_port())
        self.url = self.blocks.local_url.rstrip("/")

    def close(self) -> None:
        self.blocks.close(verbose=False)


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Served]]:
    """Starts pages; all of them end with the tests."""
    with ExitStack() as stack:

        def start(*fakes: FakeCaptioner, **queue: Any) -> Served:
            served = Served(list(fakes), **queue)
            stack.callback(served.close)
            return served

        yield start


@pytest.fixture(scope="session")
def served(serve: Callable[..., Served]) -> Served:
    """The page with two models."""
    return serve(FakeCaptioner("first", 0.05), FakeCaptioner("second"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (make test)")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("needs a browser: install chromium, or name one in the variable CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Opens the page as a new visitor. Anything asked of another host, or wrong, fails the test."""
    wrong: list[str] = []
    with ExitStack() as stack:

        def open_page(url: str = served.url, **settings: Any) -> Any:
            settings.setdefault("viewport", {"width": 1280, "height": 900})
            context = browser.new_context(**settings)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "console",
                lambda said: wrong.append(said.text) if "Policy" in said.text else None,
            )
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith((url, "data:", "blob:"))
                    else wrong.append(f"asked for {request.url}")
                ),
            )
            page.goto(url)
            page.wait_for_selector("html[data-ready]")
            return page

        yield open_page
    assert wrong == []


@pytest.fixture
def dog(visit: Callable[..., Any], photos: Path) -> Any:
    """The page with a photo's caption on it, at rest."""
    page = visit(reduced_motion="reduce")
    ask(page, photos / "dog.jpg")
    page.emulate_media(reduced_motion="no-preference")
    return page


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures drawn here, and of files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    drawn("dog", (640, 480)).save(folder / "dog.jpg")
    drawn("cat", (480, 640)).save(folder / "cat.png")
    drawn("wide", (1600, 100)).save(folder / "wide.png")
    drawn("scan", (400, 300)).save(folder / "scan.tiff")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    (folder / "broken.jpg").write_bytes((folder / "dog.jpg").read_bytes()[:900])
    return folder
