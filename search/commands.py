"""What each command of the command line does: options in, text or JSON out, an exit code back."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search.bench import bench_strategies
from search.cluster import submit
from search.explain import explain
from search.options import sweep_spec, tracking_uri
from search.schedule import schedule
from search.spec import (
    Budget,
    InputError,
    Resources,
    SweepError,
    SweepSpec,
    make_spec,
)
from trainables.engine import registry

__all__ = ["COMMANDS", "InputError", "SweepError"]


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def run(options: argparse.Namespace) -> int:
    """`foldrace run`."""
    spec = sweep_spec(options)
    from search import console, sweep
    from search.plan import prepare

    watcher = console.Live()
    with console.busy("reading the data and the model"):
        plan, data, audit = prepare(spec)
    console.show_sweep(plan, data, audit)
    return _finish(lambda: sweep.run(plan.spec, plan=plan, watcher=watcher), options)


def _finish(go: Callable[[], Any], options: argparse.Namespace) -> int:
    """Run or resume, show the leaderboard, say how to go on or where to look."""
    from search import console
    from search.leaderboard import show_leaderboard
    from search.table import summary

    try:
        outcome = go()
    except KeyboardInterrupt:
        console.say(
            "Interrupted. What finished is in the ledger; go on with: "
            f"{console.command_name()} resume latest{' --nested' if options.nested else ''}"
        )
        return 130
    document = summary(outcome.plan, outcome.table, outcome.standings, outcome.nested)
    if options.json:
        _print_json(document)
    else:
        show_leaderboard(document)
        console.show_end(outcome)
    if not document["cells_done"]:
        raise SweepError(
            "No cell was finished. "
            + next(
                iter(outcome.table.failures.values()), "The time limit ended before the first one."
            )
        )
    return 0


def resume(options: argparse.Namespace) -> int:
    """`foldrace resume`."""
    from search import console, sweep

    def change(spec: SweepSpec) -> SweepSpec:
        budget = Budget(
            max_cells=options.max_cells or spec.budget.max_cells,
            max_hours=options.max_hours or spec.budget.max_hours,
            stop_margin=spec.budget.stop_margin,
        )
        address = options.ray_address or spec.resources.ray_address
        resources = Resources(**{**spec.resources.model_dump(), "ray_address": address})
        nested = options.nested or spec.nested
        fields = {**dict(spec), "budget": budget, "resources": resources, "nested": nested}
        return make_spec(**fields)

    def go() -> sweep.Outcome:
        return sweep.resume(
            tracking_uri(options),
            options.experiment,
            options.sweep,
            change=change,
            watcher=console.Live(),
        )

    return _finish(go, options)


def plan(options: argparse.Namespace) -> int:
    """`foldrace plan`."""
    spec = sweep_spec(options)
    if options.price_per_hour is not None and options.price_per_hour < 0:
        raise InputError(f"--price-per-hour must not be negative, got {options.price_per_hour}.")
    from search import console, estimate, nested, sweep
    from search.plan import prepare

    with console.busy("reading the data and the model"):
        planned, data, audit = prepare(spec)
        known = sweep.known_pairs(planned)
        inner = nested.inner_plans(planned) if spec.nested else []
        inside = [len(sweep.known_pairs(one)) for one in inner]
    with console.busy("training a few steps to estimate the time"):
        cost = estimate.estimate(planned, known, options.price_per_hour, nested_known=inside)
    document = estimate.document(planned, data, audit, cost)
    if options.json:
        _print_json(document)
    else:
        console.show_plan(planned, data, audit, cost)
    return 0


def leaderboard(options: argparse.Namespace) -> int:
    """`foldrace leaderboard`."""
    if not 0 <= options.rope < 100:
        raise InputError(f"--rope must lie in [0, 100) points, got {options.rope}.")
    from search import sweep
    from search.leaderboard import show_leaderboard
    from search.table import summary

    _, found = sweep.load(
        tracking_uri(options), options.experiment, options.sweep, options.rope / 100
    )
    document = summary(found.plan, found.table, found.standings, found.nested)
    if options.json:
        _print_json(document)
    else:
        show_leaderboard(document, top=options.top)
    return 0


def export(options: argparse.Namespace) -> int:
    """`foldrace export`."""
    from search import console, sweep
    from search.export import recipe, write_table

    _, outcome = sweep.load(tracking_uri(options), options.experiment, options.sweep)
    planned, table = outcome.plan, outcome.table
    path = Path(options.out or f"{planned.spec.name}.parquet")
    rows = write_table(planned, table, path)
    if options.json:
        _print_json({"path": str(path), "cells": rows, "recipe": recipe(planned.spec)})
    else:
        console.say(f"{rows:,} cells in {path}, made by: {recipe(planned.spec)}")
    return 0


def spaces(options: argparse.Namespace) -> int:
    """`foldrace spaces`."""
    rows = []
    for name in registry.names("spaces"):
        space = registry.load("spaces", name, "SPACE")
        rows.append(
            {
                "name": space.name,
                "configs": len(space),
                "axes": {axis.name: list(axis.values) for axis in space.axes},
                "references": {key: dict(value) for key, value in space.references.items()},
                "fixed": dict(space.fixed),
                "trainable": space.trainable,
                "objective": space.objective,
                "source": space.source,
            }
        )
    if options.json:
        _print_json(rows)
        return 0
    from search import console

    console.show_spaces(rows)
    return 0


def data(options: argparse.Namespace) -> int:
    """`foldrace data`."""
    rows = []
    for name in registry.names("trainables.data"):
        card = registry.load("trainables.data", name, "DATASET")
        rows.append({"name": card.name, "hub id": card.hub_id or "-", "about": card.about})
    return _listing(rows, options)


def models(options: argparse.Namespace) -> int:
    """`foldrace models`."""
    rows = []
    for name in registry.names("trainables.encoders"):
        card = registry.load("trainables.encoders", name, "ENCODER")
        rows.append(
            {"name": card.name, "hub id": card.hub_id or "-", "parameters": card.parameters}
        )
    return _listing(rows, options)


def _listing(rows: list[dict[str, Any]], options: argparse.Namespace) -> int:
    if options.json:
        _print_json(rows)
        return 0
    from search import console

    console.show_table(rows)
    return 0


def ui(options: argparse.Namespace) -> int:
    """MLflow's own UI, on this machine's loopback unless another host is asked for."""
    uri = tracking_uri(options)
    if uri.startswith(("http://", "https://")):
        sys.stdout.write(f"The MLflow UI of this ledger is at {uri}\n")
        return 0
    from search import console

    console.say(f"MLflow UI on http://{options.host}:{options.port} - Ctrl-C ends it")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    server = [*command, "--host", options.host, "--port", str(options.port)]
    return subprocess.run(server, check=False).returncode


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "plan": plan,
    "resume": resume,
    "leaderboard": leaderboard,
    "export": export,
    "explain": explain,
    "bench-strategies": bench_strategies,
    "submit": submit,
    "schedule": schedule,
    "spaces": spaces,
    "data": data,
    "models": models,
    "ui": ui,
}
