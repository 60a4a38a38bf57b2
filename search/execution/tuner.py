"""Ray Tune trials, each of which trains one stack of cells.

Only this file starts them, by a Searcher that asks for stacks. A trial reports each cell as it
finishes. Ray never retries a trial here: cells that a lost trial did not report go back to the
dispatcher, so no finished cell is trained again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from search.errors import SweepError
from search.execution.dispatch.cell_source import CellSource, CellTask, Pair
from search.execution.dispatch.dispatcher import Dispatcher
from search.execution.dispatch.stack_sizes import SECONDS_PER_STACK as SECONDS_ALONE
from search.execution.plugin import read_text
from search.execution.report_buffer import read_report
from search.execution.stack_text import packed
from search.spec.sweep_spec import Resources

# Before ray is imported: no CSV, JSON and TensorBoard files per trial (they double its overhead),
# no usage report to the outside, and no change of folder under the workers' feet.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
# A Ctrl-C must reach us as KeyboardInterrupt; Tune's handler ends the run as if it were done.
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")

import ray
from ray import tune
from ray.tune import CLIReporter
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from search.execution import worker_group
from search.execution.nodes import check_nodes, session
from search.process import own_code

_LEAST_FREE_BYTES = 2**20


class _StackSearcher(Searcher):
    """Hands Tune one stack a trial.

    Its state is the ledger's, so it saves none of its own.
    """

    def __init__(self, dispatcher: Dispatcher, results: _Results) -> None:
        super().__init__(metric=None, mode=None)
        self._dispatcher = dispatcher
        self._results = results

    def suggest(self, trial_id: str) -> Any:
        if self._results.refused is None:
            self._results.refused = self._dispatcher.work.halted()
        if self._results.refused is not None:
            return Searcher.FINISHED
        cells = self._dispatcher.next_stack(trial_id)
        if not cells:
            over = self._dispatcher.idle or self._dispatcher.out_of_time
            return Searcher.FINISHED if over else None
        return {"cells": packed(cells)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        # An errored trial is settled in the callback, which also knows the error's text.
        if not error:
            self._dispatcher.ended(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the ledger holds the race's state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Results(tune.Callback):
    """Takes results in the driver as soon as workers report them."""

    def __init__(self, dispatcher: Dispatcher, minutes: float | None) -> None:
        self._dispatcher = dispatcher
        # The clock ends the process: to Ray its death is one as any other.
        self._limit = (
            ""
            if minutes is None
            else f"its {minutes:g} minutes (--max-cell-minutes) were over, or it crashed: "
        )
        self.refused: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        # Popped, so that Tune does not keep the predictions of every trial in memory and on disk.
        refused = result.pop("refused", None)
        cells = result.pop("cells", None)
        if "stack_size" in result:
            self._dispatcher.best_stack_size(int(result["stack_size"]), trial.trial_id)
        if refused is not None:
            self.refused = str(refused)
        if cells is not None:
            self._dispatcher.received(trial.trial_id, *read_report(cells))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._dispatcher.ended(trial.trial_id, self._limit + _end_of_traceback(trial))


def _end_of_traceback(trial: Any) -> str:
    """Last error of a trial's traceback, with its line of code."""
    try:
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return "no error file"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [n for n, line in enumerate(lines) if "Error" in line.split(":", maxsplit=1)[0]]
    if not named:
        return _without_causes((lines or ["no text"])[-1])[:500]
    error = _without_causes(lines[named[-1]])[:500]
    code = [line for line in lines[: named[-1]] if line.startswith('File "')]
    # Of a worker that died only Ray's own code is left.
    return f"{error} ({code[-1]})" if code and not error.startswith("ray.") else error


def _without_causes(error: str) -> str:
    """Put the commonest cause in place of Ray's list of causes."""
    said, cut, _ = error.partition(" Some common causes include")
    return f"{said} The system often ends a process so when memory is short." if cut else error


class _StartAtOnce(FIFOScheduler):
    """FIFO without its scan of every trial.

    The controller then starts pending trials itself. The scan costs 0.04-0.09 s a trial at 20,000
    trials; without it the cost stays flat.
    """

    def choose_trial_to_run(self, tune_controller: Any, **info: Any) -> None:
        return None


def _slots(resources: Resources, gpus: float) -> int:
    """Number of trials that fit into the cluster at once."""
    have = ray.cluster_resources()
    workers = resources.workers_per_trial
    by_cpu = have.get("CPU", 0.0) / (workers * resources.cpus_per_trial)
    by_gpu = have.get("GPU", 0.0) / (workers * gpus) if gpus else by_cpu
    slots = int(min(by_cpu, by_gpu))
    if resources.trials is not None and resources.ray_address != "local":
        return resources.trials
    slots = min(slots, resources.trials or slots)
    if slots < 1:
        raise SweepError(
            f"No trial fits: one needs {workers * resources.cpus_per_trial:g} CPUs and "
            f"{workers * gpus:g} GPUs, the cluster has {have.get('CPU', 0.0):g} CPUs and "
            f"{have.get('GPU', 0.0):g} GPUs. Lower "
            "--cpus-per-trial or --gpus-per-trial, add nodes, or say with --trials N how many "
            "trials a cluster that grows on demand is to make room for."
        )
    return slots


def train(
    strategy: CellSource,
    work: CellTask,
    resources: Resources,
    *,
    storage: Path,
    checkpoints: Path,
    max_seconds: float | None = None,
    plugin: str | None = None,
    on_start: Callable[[int, Callable[[], dict[str, list[Pair]]]], None] | None = None,
) -> bool:
    """Train a strategy's cells until it or the time ends.

    Args:
        strategy: Source of cells; `work.on_results` must tell it the results.
        work: Cells of the sweep.
        resources: Limits of one trial, and the address of Ray.
        storage: Folder for Ray Tune's own state; removed at the end, the ledger is the memory.
        checkpoints: Folder for the epochs of unfinished cells; stays until the strategy is done.
        max_seconds: Seconds from now by which every trial is expected to end; None for no limit.
        plugin: A user's Python file that workers must import first.
        on_start: Function called once Ray is up, with the number of trials at once and a function
            that gives the pairs of each.

    Returns:
        True if the strategy is done, False if the time ended first.

    Raises:
        SweepError: if workers refuse the data or the model, no trial fits the cluster, or
            `work.halted` says so.
        KeyboardInterrupt: if the user interrupted; finished cells have been handed to on_results.
    """
    began = time.monotonic()
    with _stdout_kept_clean(), session(resources.ray_address):
        gpus = resources.gpus_per_trial
        if gpus is None:
            gpus = 1.0 if ray.cluster_resources().get("GPU", 0.0) else 0.0
        slots = _slots(resources, gpus)
        dispatcher = Dispatcher(
            strategy,
            work,
            stack=resources.stack,
            slots=slots,
            retries=resources.cell_retries,
            deadline=None if max_seconds is None else began + max_seconds,
            seconds_per_stack=SECONDS_ALONE
            if resources.workers_per_trial == 1
            else worker_group.SECONDS_PER_STACK,
        )
        if on_start is not None:
            on_start(slots, dispatcher.running)
        results = _Results(dispatcher, resources.max_cell_minutes)
        shared: dict[str, Any] = {
            "task": work.task.to_json(),
            "plugin": read_text(plugin),
            "checkpoints": str(checkpoints.resolve()),
            "resources": resources.model_dump(),
            "gpus": gpus,
        }
        if resources.ray_address != "local":
            check_nodes(shared["task"], shared["plugin"], resources.cpus_per_trial)
        checkpoints.mkdir(parents=True, exist_ok=True)
        per_trial = {"CPU": resources.cpus_per_trial, **({"GPU": gpus} if gpus else {})}
        if resources.workers_per_trial > 1:
            # Its workers ask for themselves, and a trial must ask for something: a byte.
            per_trial = {"memory": 1.0}
        carried = own_code.carried(
            "search.execution.trial:train",
            lambda fault: tune.report({"refused": fault}),
            same_machine=resources.ray_address == "local",
        )
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(carried, **shared), per_trial),
            tune_config=tune.TuneConfig(
                search_alg=_StackSearcher(dispatcher, results),
                scheduler=_StartAtOnce(),  # type: ignore[no-untyped-call]
                num_samples=-1,
                reuse_actors=True,
                max_concurrent_trials=slots,
            ),
            run_config=tune.RunConfig(
                storage_path=str(storage.resolve()),
                name="trials",
                verbose=0,
                # In a notebook Tune would take its own, which clears the cell's output.
                progress_reporter=CLIReporter(),
                callbacks=[results],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        try:
            with _muted("ray.tune", "ray.train", "ray.air"), _full_disk_named(storage):
                tuner.fit()
        finally:
            shutil.rmtree(storage, ignore_errors=True)
    if results.refused is not None:
        raise SweepError(results.refused)
    if complete := strategy.done and not dispatcher.out_of_time:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return complete


@contextlib.contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    """Turn whatever a full disk makes Tune raise into a sentence."""
    try:
        yield
    except Exception as error:
        while not folder.exists():
            folder = folder.parent
        if shutil.disk_usage(folder).free > _LEAST_FREE_BYTES:
            raise
        raise SweepError(
            f"The disk of {folder.resolve()} is full, so Ray could not go on: {error}. Free some, "
            "then `foldrace resume`; finished cells are not trained again."
        ) from error


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Discard Ray's prints: stdout belongs to --json.

    Tune prints its settings there, Ray a line on each worker that died.
    """
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


@contextlib.contextmanager
def _muted(*names: str) -> Iterator[None]:
    """Mute loggers: foldrace itself reports on trials."""
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
