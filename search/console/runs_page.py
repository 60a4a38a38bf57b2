"""Address of a sweep's configs in MLflow's UI, sorted by mean.

A new experiment opens in the face for language models' traces, whatever its tags say; the address
decides (MLflow 3.17: its front end reads these very names).
"""

from __future__ import annotations

import re
from urllib.parse import quote

# Backticks quote a metric's name, as in MLflow's own search language.
_FACE = "workflowType=machine_learning"
_VIEW = f"{_FACE}&orderByKey=metrics.%60mean%60&orderByAsc=false"


def runs_page(
    server: str, experiment_id: str, sweep_id: str | None = None, *, view: bool = False
) -> str:
    """Address of the page with an experiment's configs, best first.

    Args:
        server: Address of the UI, as http://127.0.0.1:5000; a name and password in it are left out.
        experiment_id: MLflow's number of the experiment.
        sweep_id: Run id of the only sweep to show; None shows all sweeps' configs.
        view: True if the ledger keeps a view of that sweep, with its columns.
    """
    only = "" if sweep_id is None else "&searchFilter=" + quote(f"tags.sweep = '{sweep_id}'")
    server = re.sub(r"(?<=://)[^/]*@", "", server).rstrip("/")
    asked = f"{_FACE}&viewStateShareKey={sweep_id}" if view and sweep_id else f"{_VIEW}{only}"
    return f"{server}/#/experiments/{experiment_id}/runs?{asked}"
