"""All findings, and the document of `foldrace doctor --json`."""

from __future__ import annotations

from typing import Any

from search.doctor import caches, ledgers, machine, rays, state, versions
from search.doctor.finding import Finding
from search.process.folders import STATE
from search.tracking.open import spool_folder
from search.tracking_uri import sqlite_file
from trainables.engine.cache import cache_folder

_ORDER = ("fault", "note", "ok")


def examine(uri: str, experiment: str) -> dict[str, Any]:
    """Look at everything; change nothing.

    Args:
        uri: Tracking URI of the ledger.
        experiment: Name of its experiment.

    Returns:
        Counts of faults and notes, versions by package, and the findings, faults first.
    """
    wanted = versions.requirements()
    places = {"results": STATE, "the cache": cache_folder()}
    file = sqlite_file(uri)
    if file is not None:
        places["the ledger"] = file.parent
    findings: list[Finding] = [
        *versions.look(wanted),
        *machine.look(),
        *ledgers.look(uri, experiment),
        *state.look(STATE, spool_folder(uri, experiment), places),
        *caches.look(),
        *rays.look(),
    ]
    findings.sort(key=lambda finding: _ORDER.index(finding.level))
    return {
        "faults": sum(finding.level == "fault" for finding in findings),
        "notes": sum(finding.level == "note" for finding in findings),
        "versions": {"foldrace": versions.installed("foldrace"), **versions.versions(wanted)},
        "findings": [finding.to_json() for finding in findings],
    }
