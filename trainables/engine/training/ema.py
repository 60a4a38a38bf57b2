"""Exponential moving averages of weights, by which cells are scored.

    average <- d * average + (1 - d) * weight      d = min(decay, (1 + n) / (10 + n))

after the n-th step of the cell, from n = 0; each cell has a decay of its own. The second term,
TensorFlow's, keeps the first steps from being averaged with weights that were drawn at random. A
decay of 0 averages nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Averages:
    """Averaged weights of a stack's cells, or of one module.

    Buffers (a batch normalisation's running statistics) are averages already and stay as they are.

    Args:
        parameters: Trained weights, each (cells, ...); without that axis if `alone`.
        decays: Decay of each cell, (cells,), on the host.
        alone: True for the weights of one module.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], decays: Tensor, alone: bool = False
    ) -> None:
        self._weights = [p for p in parameters if p.requires_grad]
        self._alone = alone
        self._decays = decays
        self._steps = torch.zeros_like(decays)
        self._averages = [self._stacked(p).clone() for p in self._weights]

    def _stacked(self, parameter: nn.Parameter) -> Tensor:
        return parameter.data[None] if self._alone else parameter.data

    @torch.no_grad()
    def update(self, cells: Tensor | None = None) -> None:
        """Average in the weights after a step.

        Args:
            cells: Cells that made the step, int64; None for all.
        """
        self.move(self.rates(cells), cells)
        self.count(cells)

    def rates(self, cells: Tensor | None = None) -> Tensor:
        """Share of the weights in some cells' next average, (cells,).

        It lies on the host.
        """
        at = slice(None) if cells is None else cells
        steps = self._steps[at]
        return 1 - torch.minimum(self._decays[at], (1 + steps) / (10 + steps))

    def count(self, cells: Tensor | None = None) -> None:
        """Note on the host that some cells were averaged."""
        self._steps[slice(None) if cells is None else cells] += 1

    @torch.no_grad()
    def move(self, rates: Tensor, cells: Tensor | slice | None) -> None:
        """Average by what lies on the weights' device alone.

        Call `count` then.

        Args:
            rates: From `rates`, (cells,).
            cells: Cells that made the step, int64, or a run of them; None for all.
        """
        at = slice(None) if cells is None else cells
        for parameter, average in zip(self._weights, self._averages, strict=True):
            rate = rates.to(average).reshape(-1, *[1] * (average.ndim - 1))
            if cells is None:
                average.lerp_(self._stacked(parameter), rate)
            else:
                average[at] = average[at].lerp(self._stacked(parameter)[at], rate)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the averages as weights inside; restore the weights after."""
        weights = [self._stacked(parameter).clone() for parameter in self._weights]
        self._put(self._averages)
        try:
            yield
        finally:
            self._put(weights)

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._weights, values, strict=True):
            self._stacked(parameter).copy_(value)

    def keep(self, cells: Tensor) -> None:
        """Drop all cells but these, after the module has dropped them.

        Args:
            cells: Cells to keep, int64 (cells,).
        """
        self._decays, self._steps = self._decays[cells], self._steps[cells]
        self._averages = [average[cells.to(average.device)] for average in self._averages]

    def state_dict(self) -> dict[str, list[Tensor] | Tensor]:
        """State for a checkpoint."""
        return {"steps": self._steps, "averages": self._averages}

    def load_state_dict(self, state: dict[str, list[Tensor] | Tensor]) -> None:
        """The inverse of `state_dict`."""
        for average, saved in zip(self._averages, state["averages"], strict=True):
            average.copy_(saved)
        self._steps.copy_(torch.as_tensor(state["steps"]))
