"""Registered models of sweeps, looked up without loading one."""

from __future__ import annotations

from search.errors import InputError
from search.tracking.model_registry import Registered, names, versions
from search.tracking_uri import check_uri
from trainables.engine import registry


def of_sweep(tracking_uri: str, sweep_id: str, name: str) -> Registered | None:
    """Newest registered model of a sweep; None if not promoted.

    Args:
        tracking_uri: URI of the registry.
        sweep_id: MLflow run id of the sweep.
        name: Name of the registered model.

    Raises:
        LedgerError: if MLflow refuses.
    """
    models = versions(tracking_uri, name)
    return next((model for model in models if model.tags.get("sweep") == sweep_id), None)


def named(tracking_uri: str, sweep_id: str, sweep: str, name: str) -> Registered:
    """Newest version, made of a sweep, of a named model.

    Args:
        tracking_uri: URI of the registry.
        sweep_id: MLflow run id of the sweep.
        sweep: Name of the sweep.
        name: Name of the registered model.

    Raises:
        InputError: if there is no such model, or it is of other sweeps.
        LedgerError: if MLflow refuses.
    """
    found = of_sweep(tracking_uri, sweep_id, name)
    if found is not None:
        return found
    known = names(tracking_uri)
    what = (
        f"The registered model {name!r} has no version of sweep {sweep!r}."
        if name in known
        else f"There is no registered model {name!r}.{registry.hint(name, known)} Known: "
        f"{', '.join(known) or 'none'}."
    )
    raise InputError(
        f"{what} Leave --model out for the sweep's own, or make one with: foldrace promote "
        f"{sweep} --as {name}"
    )


def champion_of(tracking_uri: str, name: str) -> Registered | None:
    """Version with the alias `champion` of a model; None without one.

    Args:
        tracking_uri: URI of the registry.
        name: Name of the registered model.

    Raises:
        InputError: if the registry cannot be reached.
        LedgerError: if MLflow refuses.
    """
    check_uri(tracking_uri)
    models = versions(tracking_uri, name)
    return next((model for model in models if model.champion), None)
