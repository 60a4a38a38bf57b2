"""Steps of a stack recorded once and replayed, as CUDA graphs.

A step of a stack is thousands of small kernels, and Python takes longer to launch them than a GPU
to run them. A recorded step is launched as one. It reads its inputs from tensors that keep their
place, into which those of each further step are copied; everything else in it is as it was when it
was recorded. On a CPU, and where a step cannot be recorded, it is run as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

_log = logging.getLogger("foldrace.recorded")
# Number of recordings kept: a text's lengths and the last batch's sizes give a dozen.
_MOST = 64

Tensors = Mapping[str, Tensor]
Output = TypeVar("Output", bound=Tensor | None)


@dataclass(frozen=True, eq=False)
class _Recording:
    graph: Any
    inputs: dict[str, Tensor]
    output: Any


class RecordedSteps:
    """Recordings of a stack's steps, by kind and shapes of inputs.

    Args:
        device: Device of the stack.
        record: False runs every step as it is.
    """

    def __init__(self, device: torch.device, record: bool = True) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._recordings: dict[Hashable, _Recording] = {}
        self._begun: set[Hashable] = set()
        self.records = record and self._stream is not None
        self._pool: Any = None

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Run everything inside on the stream that steps are recorded on."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def forget(self) -> None:
        """Drop all recordings.

        Their tensors are no longer the stack's.
        """
        self._recordings.clear()
        self._begun.clear()
        self._pool = None

    def run(
        self, kind: str, detail: Hashable, inputs: Tensors, step: Callable[[Tensors], Output]
    ) -> Output:
        """Run a step, recorded if it can be.

        Args:
            kind: Name of the step. The first of each name is run as it is: it may begin what
                later ones find, such as an optimizer's moments.
            detail: All that decides the step's kernels beside the shapes of its inputs.
            inputs: Tensors on the stack's device, the only values that the step may take from
                outside and that change from step to step.
            step: Function of the inputs. It must not wait for the device.

        Returns:
            What the step returns; it is overwritten by the next step.
        """
        if not self.records:
            return step(inputs)
        if kind not in self._begun:
            self._begun.add(kind)
            output = step(inputs)
            if self._stream is not None:
                torch.cuda.empty_cache()  # recordings have memory of their own
            return output
        shapes = tuple((name, tensor.shape, tensor.dtype) for name, tensor in inputs.items())
        key = (kind, detail, shapes)
        recording = self._recordings.get(key)
        if recording is None:
            recording = self._record(key, inputs, step)
            if recording is None:
                return step(inputs)
        for name, tensor in inputs.items():
            recording.inputs[name].copy_(tensor, non_blocking=True)
        recording.graph.replay()
        return cast(Output, recording.output)

    def _record(
        self, key: Hashable, inputs: Tensors, step: Callable[[Tensors], Any]
    ) -> _Recording | None:
        if len(self._recordings) >= _MOST:
            del self._recordings[next(iter(self._recordings))]
        kept = {name: torch.zeros_like(tensor) for name, tensor in inputs.items()}
        try:
            graph, output = self._captured(partial(step, kept))
        except Exception as error:
            self.records = False
            self.forget()  # memory may be what was lacking
            _log.warning("steps of this stack are not recorded: %s", _first_sentence(error))
            return None
        self._recordings[key] = recording = _Recording(graph, kept, output)
        return recording

    def _captured(self, step: Callable[[], Any]) -> tuple[Any, Any]:
        """Record a step; return the recording and where its output will lie."""
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self._device)
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        try:
            output = step()
        except Exception:
            with suppress(Exception):  # what broke the recording is the error to show
                graph.capture_end()
            raise
        graph.capture_end()
        return graph, output


def _first_sentence(error: Exception) -> str:
    """First sentence of an error; torch's have a page."""
    return str(error).partition(". ")[0]
