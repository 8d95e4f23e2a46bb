"""Several processes that train one model: started by torchrun, they add up their gradients.

Every process takes a share of each batch and divides by the whole batch's count, so the sum of
the gradients is the one that a single process would have computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from captioner.training.batches import Share


@contextmanager
def together(device: str) -> Iterator[Share]:
    """This process's share of the work: all of it unless torchrun started several.

    They meet once, however many stages within ask for it.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    met = world == 1 or dist.is_initialized()
    if not met:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        yield Share() if world == 1 else Share(dist.get_rank(), world)
    finally:
        if not met:
            dist.destroy_process_group()


def wait(share: Share) -> None:
    """Until all processes have come here."""
    if share.world > 1:
        dist.barrier()


def add_up(values: Sequence[float], share: Share, device: torch.device) -> list[float]:
    """Sums of numbers over all processes."""
    return _reduced(values, share, device, dist.ReduceOp.SUM)


def furthest(values: Sequence[float], share: Share, device: torch.device) -> list[float]:
    """The greatest of each number over all processes."""
    return _reduced(values, share, device, dist.ReduceOp.MAX)


def sum_rows(rows: Sequence[Tensor], share: Share) -> list[list[float]]:
    """Rows of numbers (F,) on a device, summed over all processes and fetched at once."""
    if not rows:
        return []
    total = torch.stack(list(rows))
    if share.world > 1:
        dist.all_reduce(total)
    fetched: list[list[float]] = total.tolist()
    return fetched


def _reduced(
    values: Sequence[float], share: Share, device: torch.device, how: dist.ReduceOp.RedOpType
) -> list[float]:
    if share.world == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total, how)
    return [float(value) for value in total]


def add_up_gradients(parameters: Sequence[Tensor], share: Share) -> None:
    """Replace every gradient by its sum over all processes. What this step does not use has none,
    in all processes alike."""
    if share.world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, part in zip(gradients, flat.split(sizes), strict=True):
        gradient.copy_(part.view_as(gradient))
