"""A report written to a folder, and kept in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search.checks import refuse
from search.checks.output_paths import OUTPUT_FOLDER
from search.comparison.compare import Comparison, compare_sides
from search.comparison.sides import side
from search.console import output
from search.report.evidence import Evidence, collect
from search.report.write import Report, write
from search.results.standings import ROPE
from search.tracking.open import open_ledger

# Folder among a sweep's artifacts: links from the page to its figures hold there, too.
_PLACE = "report"


def report_of(
    tracking_uri: str,
    experiment: str,
    sweeps: Sequence[str],
    folder: Path | None = None,
    *,
    rope: float = ROPE,
    criterion: str | None = None,
) -> Report:
    """Write the report of sweeps; keep it with each in MLflow.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweeps: Names, MLflow run ids, or `latest`.
        folder: Folder of the files; report-SWEEP without one.
        rope: Differences up to this size, either way, count as practically equal.
        criterion: Metric to draw the objective against; None draws none.

    Raises:
        InputError: if there is no such sweep or metric, the ledger cannot be reached, or the folder
            cannot be written.
    """
    with output.busy("reading the ledger"):
        found = [
            collect(tracking_uri, experiment, sweep, rope=rope) for sweep in dict.fromkeys(sweeps)
        ]
    name = found[0].plan.spec.name if len(found) == 1 else "sweeps"
    folder = Path(f"report-{name}") if folder is None else folder
    refuse(OUTPUT_FOLDER, "--out", folder)
    with output.busy("drawing the figures"):
        report = write(found, folder, _compared(found, tracking_uri, experiment, rope), criterion)
    files = {
        f"{_PLACE}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in report.files
    }
    with open_ledger(tracking_uri, experiment) as ledger:
        for evidence in found:
            ledger.attach(evidence.record.id, files)
    return report


def _compared(
    evidences: Sequence[Evidence], tracking_uri: str, experiment: str, rope: float
) -> Comparison | None:
    """Compare the first sweep with others of its data; None without.

    A sweep whose cells lack the first one's objective is left out.
    """
    first = evidences[0].plan
    alike = [
        evidence
        for evidence in evidences
        if Path(evidence.plan.spec.data.name).name == Path(first.spec.data.name).name
        and evidence.plan.space.objective == first.space.objective
        and evidence.standings.rows
    ]
    if len(alike) < 2 or alike[0] is not evidences[0]:
        return None
    with open_ledger(tracking_uri, experiment) as ledger:
        sides = [
            replace(side(ledger, evidence.record.id, rope), name=evidence.plan.spec.name)
            for evidence in alike
        ]
        return compare_sides(ledger, sides, rope=rope)
