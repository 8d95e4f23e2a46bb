"""What going back through the tuned half of the encoder costs, with and without its own gradient.

    python benchmarks/frozen_depthwise.py [--photos 64] [--threads 1] [--rounds 5]

Forward and backward pass of `Lite3.upper` on maps of photos of 288 pixels, in turns with PyTorch's
own gradient of the depthwise convolutions; medians, and ratios to PyTorch's own in fp32.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.model.depthwise import FrozenDepthwise
from captioner.model.lite3 import Lite3

OWN = FrozenDepthwise.apply
KINDS = [("PyTorch's gradient", False), ("turned kernels", True)]


def plain(x: Tensor, w: Tensor, b: Tensor | None, stride: int, padding: int) -> Tensor:
    """The convolution with PyTorch's gradient."""
    return F.conv2d(x, w, b, stride, padding, 1, len(w))


def seconds(net: Lite3, maps: Tensor, turned: bool, bf16: bool) -> float:
    """One pass forward and back."""
    FrozenDepthwise.apply = OWN if turned else plain  # type: ignore[method-assign]
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        grid = net.upper(maps)
    grid.float().square().mean().backward()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    net = Lite3().to(memory_format=torch.channels_last)
    net.tune_upper()
    maps = torch.randn(arguments.photos, 136, 18, 18).to(memory_format=torch.channels_last)
    kinds = [(name, turned, bf16) for bf16 in (False, True) for name, turned in KINDS]
    times: dict[tuple[str, bool], list[float]] = {}
    for _ in range(arguments.rounds + 1):  # the first is warm-up
        for name, turned, bf16 in kinds:
            times.setdefault((name, bf16), []).append(seconds(net, maps, turned, bf16))
    first = median(times[KINDS[0][0], False][1:])
    for (name, bf16), values in times.items():
        passed = median(values[1:])
        kind = "bf16" if bf16 else "fp32"
        print(f"| {kind}, {name} | {passed:.2f} s | {passed / first:.2f} × |")


if __name__ == "__main__":
    main()
