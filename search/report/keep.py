"""A report written to a folder, and kept in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search.checks import refuse
from search.checks.output_paths import OUTPUT_FOLDER
from search.console import output
from search.report.evidence import collect
from search.report.write import Report, write
from search.results.standings import ROPE
from search.tracking.open import open_ledger


def report_of(
    tracking_uri: str,
    experiment: str,
    sweeps: Sequence[str],
    folder: Path | None = None,
    *,
    rope: float = ROPE,
) -> Report:
    """Write the report of sweeps; keep it with each in MLflow.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweeps: Names, MLflow run ids, or `latest`.
        folder: Folder of the files; report-SWEEP without one.
        rope: Differences up to this size, either way, count as practically equal.

    Raises:
        InputError: if there is no such sweep, the ledger cannot be reached, or the folder cannot be
            written.
    """
    with output.busy("reading the ledger"):
        found = [
            collect(tracking_uri, experiment, sweep, rope=rope) for sweep in dict.fromkeys(sweeps)
        ]
    name = found[0].plan.spec.name if len(found) == 1 else "sweeps"
    folder = Path(f"report-{name}") if folder is None else folder
    refuse(OUTPUT_FOLDER, "--out", folder)
    with output.busy("drawing the figures"):
        report = write(found, folder)
    files = {
        path.relative_to(folder).as_posix().replace("/", "-"): path.read_bytes()
        for path in report.files
    }
    with open_ledger(tracking_uri, experiment) as ledger:
        for evidence in found:
            ledger.attach(evidence.record.id, files)
    return report
