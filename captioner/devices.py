"""Where torch computes."""

import torch

from captioner.errors import CaptionerError


def find_device(name: str) -> torch.device:
    """torch's device of that name ("cpu", "cuda", "cuda:1", "mps").

    Raises CaptionerError, naming those that there are, for one that cannot be used.
    """
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
