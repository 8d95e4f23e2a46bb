"""Where the page is served: what GRADIO_SERVER_NAME and GRADIO_SERVER_PORT ask for.

Looked at before gradio does, which falls over a port that is none, even while it is imported, and
takes every failure for a port that has been taken.
"""

from __future__ import annotations

import os
import socket

from captioner.errors import CaptionerError

HIGHEST = 65535


def port_asked() -> int | None:
    """The port that GRADIO_SERVER_PORT asks for, if it does. Raises CaptionerError for none."""
    text = os.environ.get("GRADIO_SERVER_PORT")
    if text is None:
        return None
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port <= HIGHEST:
        raise CaptionerError(
            f"The page cannot be started: GRADIO_SERVER_PORT is {text!r}, which is no port; set it "
            f"to a number from 1 to {HIGHEST}, or unset it"
        )
    return port


def name_asked() -> str:
    """The name or address to serve at: this machine's own, unless GRADIO_SERVER_NAME has another.

    Raises CaptionerError where this machine cannot serve there.
    """
    name = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        with socket.socket() as probe:  # for IPv4, as gradio's own
            probe.bind((name, 0))
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CaptionerError(
            f"The page cannot be started: GRADIO_SERVER_NAME is {name!r}, at which this machine "
            f"cannot serve it ({why}); set it to one of its own IPv4 addresses or to 0.0.0.0 for "
            "all of them, or unset it to serve this machine alone"
        ) from error
    return name
