"""The page: photos in, captions out, and where the model looked, in a browser."""

import os

from captioner.page.address import port_asked

port_asked()  # what is none is refused before gradio's import falls over it
# Before gradio is imported: nothing about the page or its visitors leaves the machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# gradio goes through its records of past requests after each one: keep few.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "100")

from captioner.page.blocks import build, launch  # noqa: E402

__all__ = ["build", "launch"]
