"""The page: `python app.py`, or on Hugging Face Spaces as it stands."""

import argparse
import os
from pathlib import Path

import captioner
from captioner.checkpoint import EMBEDDED, FAMILY


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A page that captions photos.",
        epilog="GRADIO_SERVER_PORT sets the port; GRADIO_SERVER_NAME and CAPTIONER_HOSTS say who "
        "may reach the page (docs/page.md).",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="FILE",
        help="a checkpoint; give several to compare them (default: the models that come along, "
        "or what CAPTIONER_MODELS lists, separated as paths are in PATH)",
    )
    listed = os.environ.get("CAPTIONER_MODELS", "")
    models = parser.parse_args().model or [path for path in listed.split(os.pathsep) if path]
    try:
        from captioner.page import build, launch  # refuses a port that is none

        if models:
            page = build([captioner.load(path) for path in models], base=Path(models[0]))
        else:
            page = build([captioner.load()], FAMILY, EMBEDDED)
        launch(page)
    except captioner.CaptionerError as error:
        raise SystemExit(f"captioner: {error}") from error


if __name__ == "__main__":
    main()
