"""The page as gradio sees it: three tabs, what each sends to the engine, and the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.media import get_image
from PIL import Image
from starlette.middleware import Middleware

from captioner.errors import CaptionerError
from captioner.options import Options
from captioner.overlay import INFERNO, STRENGTH
from captioner.page.album import album_progress, album_rows, save_album
from captioner.page.engine import BATCH, Engine, data_url
from captioner.page.guard import Guard, Page
from captioner.page.keepsakes import save_keepsake
from captioner.page.options import MAX_BEAM
from captioner.page.uploads import MAX_BYTES, MAX_PHOTOS, MAX_UPLOAD, photo_input

if TYPE_CHECKING:
    from captioner.captioner import Captioner

HERE = Path(__file__).parent
SCRIPTS = ("heat", "look", "chooser", "one", "many", "compare")
ALTERNATIVES = 2  # shown at first
WAITING = 64  # requests in the queue; the next one is told that the page is busy
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
ALBUM: dict[str, Any] = {"concurrency_id": "album", "concurrency_limit": 2}
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(captioners: Sequence[Captioner], family: Sequence[Path] = ()) -> gr.Blocks:
    """The page for these models: the first answers in the first two tabs, all in the third.

    So do the checkpoints of `family`, which are loaded when they are first asked for.
    """
    engine = Engine(captioners, family)
    with Page(title="captioner", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(_text("header.html"), apply_default_css=False, js_on_load=None)
        options = gr.JSON(visible=False, label="options")
        with gr.Tabs():
            with gr.Tab("Photo"):
                _one_photo(engine, options)
            with gr.Tab("Many photos"):
                _many_photos(engine, options)
            with gr.Tab("Compare"):
                _compare(engine, options)
        _api(engine)
    return page.queue(max_size=WAITING, api_open=False)


def launch(page: gr.Blocks, wait: bool = True, **settings: Any) -> None:
    """Start the page: on this machine only, unless GRADIO_SERVER_NAME says otherwise.

    With `wait` it comes back when the page has been ended from the keyboard, else at once. Raises
    CaptionerError where the port is taken.
    """
    try:
        _start(page, **settings)
    except (OSError, ValueError) as error:
        raise CaptionerError(f"The page cannot be started: {error}") from error
    if wait:
        print(f"The page is at {page.local_url} (end it with Ctrl+C).", flush=True)
        page.block_thread()


def _start(page: gr.Blocks, **settings: Any) -> None:
    page.launch(
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        max_file_size=MAX_UPLOAD,
        run_history=False,
        enable_monitoring=False,
        state_session_capacity=100,
        ssr_mode=False,
        footer_links=["api", "settings"],
        app_kwargs={"middleware": [Middleware(Guard)]},
        head=_head(),
        theme=_theme(),
        **settings,
    )


def _theme() -> gr.themes.Base:
    """gradio's own, with text dark enough to read, and fonts that gradio brings along whole."""
    sans = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))
    return gr.themes.Default(
        primary_hue="orange", neutral_hue="zinc", font=[sans, "system-ui", "sans-serif"]
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
    )


def _one_photo(engine: Engine, options: gr.JSON) -> None:
    photo = photo_input(visible=False, label="photo")
    answer = gr.JSON(visible=False, label="answer")
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            look = _html(
                "one",
                [save_keepsake],
                "ask",
                examples=_examples(),
                options={"alternatives": ALTERNATIVES},
                style=engine.first.styles[0],
            )
        with gr.Column(scale=3, min_width=260):
            _choices(engine, options)
    asked = look.ask(
        engine.answer,
        [photo, options],
        answer,
        js="() => captioner.one.request()",
        batch=True,
        max_batch_size=BATCH,
        **MODEL,
        **PRIVATE,
    )
    asked.success(None, answer, None, js="(answer) => captioner.one.answered(answer)")
    asked.failure(None, None, None, js="() => captioner.one.failed()")


def _choices(engine: Engine, options: gr.JSON) -> None:
    """How the sentence is searched for. The controls write into `options` in the browser."""
    default = Options()
    styles = list(engine.first.styles)
    with gr.Accordion("Choose how it writes", elem_id="choices"):
        alternatives = gr.Slider(0, 4, ALTERNATIVES, step=1, label="Alternatives to show")
        beam = gr.Slider(
            1,
            MAX_BEAM,
            default.beam,
            step=1,
            label="Beam size",
            info="Wider: a more thorough search.",
        )
        length = gr.Slider(
            0, 2, default.length_penalty, step=0.1, label="Length penalty", info="Higher: longer."
        )
        consensus = gr.Checkbox(
            default.consensus, label="Consensus", info="Take the sentence most others agree with."
        )
        temperature = gr.Slider(
            0, 2, 0, step=0.1, label="Temperature", info="Above 0 it samples at random."
        )
        seed = gr.Number(0, precision=0, minimum=0, label="Seed", info="Of the sampling.")
        prefix = gr.Textbox("", label="Start the sentence with …", placeholder="a photo of")
        avoid = gr.Textbox("", label="Words to avoid", placeholder="man, woman")
        style = gr.Dropdown(
            styles,
            value=styles[0],
            label="Kind of sentence",
            visible=len(styles) > 1,
        )
    controls: list[Any] = [
        alternatives,
        beam,
        length,
        consensus,
        temperature,
        seed,
        prefix,
        avoid,
        style,
    ]
    gr.on(
        [control.change for control in controls],
        None,
        controls,
        options,
        js="(...values) => captioner.one.choose(...values)",
        show_progress="hidden",
    )


def _many_photos(engine: Engine, options: gr.JSON) -> None:
    files = photo_input(
        file_count="multiple",
        label=f"Up to {MAX_PHOTOS} photos, or ZIP files of photos",
        height=180,
        elem_id="many-files",
    )
    with gr.Row():
        start = gr.Button("Caption them", variant="primary", scale=0, elem_id="many-start")
        stop = gr.Button("Stop", scale=0, elem_id="many-stop")
    album = _html("many", [save_album])

    def progress(uploads: Any, wish: Any) -> Iterator[Any]:
        with _told():
            yield from album_progress(engine, uploads, wish)

    running = start.click(
        progress,
        [files, options],
        album,
        js="(files) => captioner.many.request(files)",
        **ALBUM,
        **PRIVATE,
    )
    running.failure(None, None, None, js="() => captioner.many.failed()")
    stop.click(None, None, None, js="() => captioner.many.stopped()", cancels=[running])


def _compare(engine: Engine, options: gr.JSON) -> None:
    photo = photo_input(visible=False, label="photo")
    answer = gr.JSON(visible=False, label="answer")
    if len(engine.names) == 1:
        gr.HTML(_text("compare_one.html"), apply_default_css=False, js_on_load=None)
        return
    compare = _html("compare", [], "ask", models=engine.names)
    if engine.has_family:
        gr.HTML(_text("compare_family.html"), apply_default_css=False, js_on_load=None)
    asked = compare.ask(
        engine.compare,
        [photo, options],
        answer,
        js="() => captioner.compare.request()",
        **MODEL,
        **PRIVATE,
    )
    asked.success(None, answer, None, js="(answer) => captioner.compare.answered(answer)")
    asked.failure(None, None, None, js="() => captioner.compare.failed()")


def _api(engine: Engine) -> None:
    """The endpoints for programs; docs/api.md describes them. Docstrings appear on the page."""

    def caption(photo: Any) -> Any:
        """A photo's caption, with where the model looked for each word; or an `error`."""
        return engine.answer(photo)

    def caption_with(photo: Any, options: Any) -> Any:
        """The same with options, such as {"beam": 5, "alternatives": 2, "avoid": ["man"]}."""
        return engine.answer(photo, options)

    def caption_batch(photos: Any) -> Any:
        """A row for each of up to 200 photos, or of those in ZIP files."""
        with _told():
            return album_rows(engine, photos)

    photo, options = (
        photo_input(visible=False, label="photo"),
        gr.JSON(visible=False, label="options"),
    )
    photos = photo_input(visible=False, label="photos", file_count="multiple")
    answer, rows = gr.JSON(visible=False, label="answer"), gr.JSON(visible=False, label="rows")
    call = gr.Button(visible=False).click
    batched: dict[str, Any] = {"batch": True, "max_batch_size": BATCH, **MODEL}
    call(caption, photo, answer, api_name="caption", **batched)
    call(caption_with, [photo, options], answer, api_name="caption_with", **batched)
    call(caption_batch, photos, rows, api_name="caption_batch", **ALBUM)


@contextmanager
def _told() -> Iterator[None]:
    """What a visitor did wrong is said on the page, not in the server's log."""
    try:
        yield
    except CaptionerError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _html(name: str, server: list[Callable[[Any], Any]], *events: str, **settings: Any) -> gr.HTML:
    """A part of the page that is ours: its markup, its script, what it may call and trigger."""
    limits = {"bytes": MAX_BYTES, "strength": STRENGTH}
    script = f"captioner.{name} = captioner.make_{name}(element, "
    script += json.dumps(limits | settings) + ", {trigger, upload, server, watch, props});"
    script += "".join(f" /* '{event}' */" for event in events)  # gradio looks for their names
    return gr.HTML(
        value=None,
        html_template=_text(f"{name}.html"),
        js_on_load=script,
        apply_default_css=False,
        server_functions=[_answering(function) for function in server],
        elem_id=f"captioner-{name}",
    )


def _answering(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` for the browser to call: a mistake comes back as {"error"}."""

    def call(request: Any) -> Any:
        try:
            return function(request)
        except CaptionerError as error:
            return {"error": str(error)}

    call.__name__ = function.__name__
    return call


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _head() -> str:
    """The page's own style and scripts, as they are: as `css` gradio would rewrite the style."""
    colours = f'window.captioner = {{inferno: "{INFERNO.hex()}"}};'
    scripts = "\n".join([colours, *(_text(f"{name}.js") for name in SCRIPTS)])
    return f"<style>{_text('page.css')}</style><script>{scripts}</script>"


def _examples() -> list[dict[str, str]]:
    """Photos to try, out of gradio's own media: a name, and the picture inside an address."""
    examples = []
    for name in ("tower.jpg", "lion.jpg", "cheetah1.jpg"):
        with Image.open(get_image(name)) as photo:
            examples.append({"name": name, "url": data_url(photo.convert("RGB"), 640)})
    return examples
