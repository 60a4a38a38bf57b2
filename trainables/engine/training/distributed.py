"""Means over a batch that several processes share: equal to those of one process with all of it.

DistributedDataParallel averages gradients over processes, each of which has a mean over its own
items. Where these are not equally many (the last batch; tokens), the mean of means is not the mean:
so each process weights its own by n P / N, with n items of its own, N of all P processes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def processes() -> int:
    """How many processes train this model together."""
    return int(dist.get_world_size()) if dist.is_available() and dist.is_initialized() else 1


def _of_all(counts: Tensor) -> Tensor:
    everyone = counts.clone()
    dist.all_reduce(everyone)
    return everyone


def weighted(mean: Tensor, items: int) -> Tensor:
    """This process's mean, so weighted that the mean over processes is that over all items.

    Args:
        mean: Over the items of this process.
        items: How many they are; the same as ever in a process on its own.
    """
    if processes() == 1:
        return mean
    mine = torch.tensor(float(items), device=mean.device)
    weight: Tensor = mine * processes() / _of_all(mine)
    return mean * weight


def counted_by(mean: Tensor, parts: Tensor, items: int) -> Tensor:
    """A mean over parts of items, tokens of texts, so that `weighted` by items makes it exact.

    Args:
        mean: Over the parts that this process has.
        parts: How many they are.
        items: How many items they belong to, by which the whole loss will be weighted.
    """
    if processes() == 1:
        return mean
    mine = torch.stack([parts.detach().float(), parts.new_tensor(items, dtype=torch.float32)])
    everyone = _of_all(mine)
    ratio: Tensor = (mine[0] / everyone[0].clamp_min(1)) * (everyone[1] / mine[1])
    return mean * ratio
