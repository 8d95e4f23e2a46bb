"""What the searches need of numpy and of torch, where the two call it differently.

The searches are written once, over arrays of either kind: numpy's for engines that run graphs,
torch's on the device that the model computes on. Everything else in them (arithmetic, indices,
`reshape`, `any`, `sum`) both libraries write alike. The array API standard would do, but the
import of its bridge (array-api-compat) takes longer than numpy's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""numpy's or torch's array."""

NEVER = float("-inf")
_STRIDE = 32


def _is_numpy(array: Array) -> bool:
    return isinstance(array, np.ndarray)


def _library(array: Array) -> Any:
    if _is_numpy(array):
        return np
    import torch

    return torch


def zeros(shape: Sequence[int], like: Array) -> Array:
    """Whole numbers 0, where `like` is."""
    return full(shape, 0, like)


def full(shape: Sequence[int], value: float | int | bool, like: Array) -> Array:
    """An array of `value`: float32 for a float, int64 for an int, bool for a truth."""
    library = _library(like)
    kinds = {float: library.float32, int: library.int64, bool: library.bool}
    where = {} if _is_numpy(like) else {"device": like.device}
    return library.full(tuple(shape), value, dtype=kinds[type(value)], **where)


def arange(count: int, like: Array) -> Array:
    return _library(like).arange(count, **({} if _is_numpy(like) else {"device": like.device}))


def as_array(values: Sequence[Any] | np.ndarray, like: Array) -> Array:
    """The values, in an array of the kind of `like`."""
    if _is_numpy(like):
        return np.asarray(values)
    import torch

    return torch.as_tensor(values, device=like.device)


def as_floats(array: Array) -> Array:
    """The array in float32."""
    return array.astype(np.float32, copy=False) if _is_numpy(array) else array.float()


def as_doubles(array: Array) -> Array:
    """The array in float64."""
    return array.astype(np.float64) if _is_numpy(array) else array.double()


def to_numpy(array: Array) -> np.ndarray:
    return array if _is_numpy(array) else array.cpu().numpy()


def copy(array: Array) -> Array:
    return array.copy() if _is_numpy(array) else array.clone()


def where(condition: Array, one: Any, other: Any) -> Array:
    return _library(condition).where(condition, one, other)


def concat(parts: Sequence[Array], axis: int) -> Array:
    return _library(parts[0]).concatenate(tuple(parts), axis)


def stack(parts: Sequence[Array], axis: int) -> Array:
    return _library(parts[0]).stack(tuple(parts), axis)


def nonzero(mask: Array) -> tuple[Array, ...]:
    """The indices of what is true, one array an axis."""
    return np.nonzero(mask) if _is_numpy(mask) else mask.nonzero(as_tuple=True)


def repeat(array: Array, times: int) -> Array:
    """Every row `times` times, one after the other."""
    return np.repeat(array, times, 0) if _is_numpy(array) else array.repeat_interleave(times, 0)


def take(array: Array, index: Array) -> Array:
    """Along the last axis what the index names."""
    if not _is_numpy(array):
        return array.gather(-1, index)
    rows = array.reshape(-1, array.shape[-1])  # quicker than take_along_axis
    named = index.reshape(len(rows), -1)
    return rows[np.arange(len(rows))[:, None], named].reshape(index.shape)


def put(array: Array, index: Array, values: Array) -> Array:
    """A copy of the array with those values where the index names them along the last axis."""
    if not _is_numpy(array):
        return array.scatter(-1, index, values)
    changed = array.copy()
    np.put_along_axis(changed, index, values, -1)
    return changed


def highest(array: Array) -> Array:
    """The greatest along the last axis."""
    return array.max(-1) if _is_numpy(array) else array.amax(-1)


def order(array: Array, descending: bool = False) -> Array:
    """The indices that sort along the last axis; equal ones stay in their order."""
    if _is_numpy(array):
        return np.argsort(-array if descending else array, -1, stable=True)
    return array.argsort(stable=True, dim=-1, descending=descending)


def topk(array: Array, count: int) -> tuple[Array, Array]:
    """The `count` greatest along the last axis, greatest first, and their indices."""
    if not _is_numpy(array):
        values, index = array.topk(count)
        return values, index
    index = _among_strides(array, count)
    if index is not None:
        best = np.argpartition(take(array, index), -count, -1)[..., -count:]
        index = take(index, best)
    else:
        index = np.argpartition(array, -count, -1)[..., -count:]
    values = take(array, index)
    ranked = np.argsort(-values, -1, stable=True)
    return take(values, ranked), take(index, ranked)


def _among_strides(array: np.ndarray, count: int) -> np.ndarray | None:
    """Indices among which the `count` greatest are: every n-th from each of the first n places
    whose greatest are the greatest. Ten times as quick as looking through all; None where it
    would not be."""
    size = array.shape[-1]
    strides = size // _STRIDE
    if strides <= 4 * count:
        return None
    whole = strides * _STRIDE
    lead = array.shape[:-1]
    maxima = array[..., :whole].reshape(*lead, _STRIDE, strides).max(-2)
    chosen = np.argpartition(maxima, -count, -1)[..., -count:]
    index = (chosen[..., None] + np.arange(0, whole, strides)).reshape(*lead, -1)
    rest = np.broadcast_to(np.arange(whole, size), (*lead, size - whole))
    return np.concatenate((index, rest), -1)


def softmax(array: Array) -> Array:
    """Along the last axis; not a number where nothing is above -inf."""
    if not _is_numpy(array):
        return array.softmax(-1)
    with np.errstate(invalid="ignore"):
        weights = np.exp(array - array.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)
