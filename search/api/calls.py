"""The commands as functions; what is heavy is imported by the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from search.errors import InputError
from search.tracking_uri import EXPERIMENT, default_tracking_uri

if TYPE_CHECKING:
    import pandas as pd

    from search.api.result import Result, ShownComparison
    from search.planning.plan import Plan
    from search.results.outcome import SweepResult
    from search.serving.promote import Champion
    from search.spec.sweep_spec import SweepSpec
    from search.sweep.callback import Callback

    Sweep = str | SweepResult


def run(
    space: Any = None,
    /,
    *,
    callbacks: Sequence[Callback] = (),
    take_over: bool = False,
    progress: bool = True,
    **words: Any,
) -> Result:
    """Run a sweep to its end, or to its budget's.

    Example:
        ```python
        result = run("finetune", data=frame, text="body", label="stars", max_cells=40)
        result = run(train, axes={"C": [0.1, 1.0]}, data=frame, label="y")
        ```

    Args:
        space: A space by name, a `spaces.Space`, the path of a .py file, a training function, or a
            SweepSpec, which takes no further words.
        callbacks: Told of the progress, in this order.
        take_over: Take the place of a process that trains a sweep of this name.
        progress: Show the progress, in the terminal or below a notebook's cell.
        words: The words of the command line; see `search.api.words.spec_of`.

    Raises:
        InputError: for bad input, before anything is trained.
        SweepError: if no further cell can be trained; what was earned is in the ledger.
        KeyboardInterrupt: if interrupted; `resume` goes on from the ledger.
    """
    from search.api.progress import reading
    from search.api.result import Result
    from search.api.words import spec_of
    from search.sweep.run import planned
    from search.sweep.run import run as run_spec

    shown = _shown(progress, callbacks)
    with reading(shown):
        made = planned(spec_of(space, words), take_over)
    told = [*shown, *callbacks]
    return Result.of(run_spec(made.spec, plan=made, callbacks=told, take_over=take_over))


def plan(space: Any = None, /, **words: Any) -> Plan:
    """Plan a sweep: read, check and bind everything, train nothing.

    Args:
        space: As for `run`.
        words: As for `run`.

    Raises:
        InputError: as `run`.
    """
    from search.api.words import spec_of
    from search.planning.prepare import plan as plan_of

    return plan_of(spec_of(space, words))


def resume(
    sweep: Sweep,
    *,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
    callbacks: Sequence[Callback] = (),
    take_over: bool = False,
    progress: bool = True,
    change: Callable[[SweepSpec], SweepSpec] | None = None,
    strategy: Any = None,
) -> Result:
    """Resume a sweep, under its own spec or a changed one.

    Args:
        sweep: The sweep.
        tracking_uri: URI of the ledger.
        experiment: Its name.
        callbacks: Told of the progress, in this order.
        take_over: Take the place of a process that trains it.
        progress: Show the progress.
        change: Makes another spec of the saved one.
        strategy: The strategy of your own that it was run with.

    Raises:
        InputError: if there is no such sweep, or its data or model are no longer what they were.
    """
    from search.api.result import Result
    from search.sweep.run import resume as resume_sweep

    uri, experiment, name = _place(sweep, tracking_uri, experiment)
    found = resume_sweep(
        name,
        tracking_uri=uri,
        experiment=experiment,
        change=lambda spec: _with_strategy(spec if change is None else change(spec), strategy),
        callbacks=[*_shown(progress, callbacks), *callbacks],
        take_over=take_over,
    )
    return Result.of(found)


def _with_strategy(spec: SweepSpec, strategy: Any) -> SweepSpec:
    """A saved spec with the user's own strategy, which is not saved."""
    return spec if strategy is None else spec.model_copy(update={"chooser": strategy})


def load(
    sweep: Sweep = "latest", *, tracking_uri: str | None = None, experiment: str = EXPERIMENT
) -> Result:
    """Load a sweep's result, without reading its data or model.

    Raises:
        InputError: if there is no such sweep, or the ledger cannot be reached.
    """
    from search.api.result import Result
    from search.sweep.load import load as load_sweep

    uri, experiment, name = _place(sweep, tracking_uri, experiment)
    return Result.of(load_sweep(name, tracking_uri=uri, experiment=experiment))


def compare(
    *sweeps: Sweep,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
    objective: str | None = None,
    rope: float = 0.005,
) -> ShownComparison:
    """Compare the first of several sweeps with each other one.

    Args:
        sweeps: Results, or names; "NAME:2" is a rank, "NAME:baseline" a reference config.
        tracking_uri: URI of the ledger; None takes the results' own, else MLflow's variable.
        experiment: Its name.
        objective: Metric to compare by; None takes the first sweep's objective.
        rope: Differences up to this size, either way, count as practically equal; a fraction.

    Raises:
        InputError: if there is no such sweep, or nothing to compare.
    """
    from search.api.result import ShownComparison
    from search.comparison.compare import compare_sweeps

    places = [_place(sweep, tracking_uri, experiment) for sweep in sweeps]
    ledgers = {place[:2] for place in places}
    if len(ledgers) > 1:
        raise InputError("The sweeps lie in several ledgers: compare those of one.")
    names = [sweep if isinstance(sweep, str) else sweep.plan.spec.name for sweep in sweeps]
    uri, experiment = next(iter(ledgers), (default_tracking_uri(), experiment))
    found = compare_sweeps(
        [place[2] for place in places],
        tracking_uri=uri,
        experiment=experiment,
        objective=objective,
        rope=rope,
        names=names,
    )
    return ShownComparison.of(found)


def report(
    *sweeps: Sweep,
    out: str | Path | None = None,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
) -> Path:
    """Write the report of one or several sweeps; returns its page.

    Args:
        sweeps: The sweeps.
        out: Folder of the files; report-SWEEP without one.
        tracking_uri: URI of the ledger.
        experiment: Its name.

    Raises:
        InputError: if there is no such sweep, or the folder cannot be written.
    """
    from search.report.keep import report_of

    if not sweeps:
        raise InputError("report wants a sweep: report(result), or report('my-sweep').")
    places = [_place(sweep, tracking_uri, experiment) for sweep in sweeps]
    names = [name for _, _, name in places]
    folder = None if out is None else Path(out)
    return report_of(places[0][0], places[0][1], names, folder).page


def promote(
    sweep: Sweep,
    *,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
    **words: Any,
) -> Champion:
    """Train a config on all data, save and register it as champion.

    Args:
        sweep: The sweep.
        tracking_uri: URI of the ledger.
        experiment: Its name.
        words: As `search.serving.promote.promote` takes them: rank, folder, name,
            merge, move_alias.

    Raises:
        InputError: if there is no such sweep, or its winner cannot be saved.
    """
    from search.serving.promote import promote as train_and_save

    return train_and_save(*_place(sweep, tracking_uri, experiment), **words)


def predict(
    sweep: Sweep,
    data: Any,
    *,
    text: str | None = None,
    text_b: str | None = None,
    label: str | None = None,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
) -> pd.DataFrame:
    """Score new rows with a sweep's winner.

    It is trained on all rows of the sweep, if that has not been done.

    Args:
        sweep: The sweep.
        data: New rows: a pandas frame, a data set, a path, one text or a list of texts.
        text: Column of the text; the sweep's without one.
        text_b: Column of a pair's second text.
        label: Column of the true label, where there is one.
        tracking_uri: URI of the ledger.
        experiment: Its name.

    Returns:
        The frame with the columns label, probability and p_CLASS, or prediction, beside its own.

    Raises:
        InputError: if there is no such sweep, or the rows lack a column.
    """
    from search.api.predictions import predicted

    words: Mapping[str, str | None] = {"text": text, "text_b": text_b, "label": label}
    return predicted(*_place(sweep, tracking_uri, experiment), data, words)


def _place(sweep: Sweep, tracking_uri: str | None, experiment: str) -> tuple[str, str, str]:
    """Ledger, experiment and name of a sweep."""
    if isinstance(sweep, str):
        return tracking_uri or default_tracking_uri(), experiment, sweep
    from search.results.outcome import SweepResult

    if not isinstance(sweep, SweepResult):
        raise InputError(f"A sweep is named, or given as its result; got {sweep!r}.")
    spec = sweep.plan.spec
    return tracking_uri or spec.tracking_uri, spec.experiment, sweep.sweep_id


def _shown(progress: bool, callbacks: Sequence[Callback]) -> list[Callback]:
    """The display, unless the caller shows the progress by itself."""
    if not progress or callbacks:
        return []
    from search.api.progress import display

    return [display()]


class _CallableReport(ModuleType):
    """The package `search.report`, which is called as the function of its name.

    Python gives a package's attribute the module once that is imported, whatever the package says.
    """

    def __call__(self, *sweeps: Sweep, **words: Any) -> Path:
        """Write a report; see `report`."""
        return report(*sweeps, **words)


import_module("search.report").__class__ = _CallableReport
