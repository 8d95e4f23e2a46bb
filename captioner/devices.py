"""Where torch computes."""

from __future__ import annotations

import torch

from captioner.errors import CaptionerError


def find_device(name: str | None) -> torch.device:
    """torch's device of that name ("cpu", "cuda", "cuda:1", "mps"); None: a GPU where there is one.

    Raises CaptionerError, naming those that there are, for one that cannot be used.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):  # the second from a torch without CUDA
        found = ", ".join(_found())
        raise CaptionerError(f"device {name!r} cannot be used: here torch finds {found}") from None
    return device


def _found() -> list[str]:
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
