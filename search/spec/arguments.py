"""Typed options to a SweepSpec, and back to a command."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.checks import bounds
from search.errors import InputError
from search.formatting import shortened
from search.spec import sweep_file
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import SweepSpec
from search.tracking_uri import check_form, default_tracking_uri
from trainables.engine.contract import NO_MODEL, DataRef

Parse = Callable[[Sequence[str]], argparse.Namespace]
"""From the words of a command to its options: the command line's own parser."""


def tracking_uri(options: argparse.Namespace) -> str:
    """Typed URI of the ledger, else MLflow's variable, else the default.

    Raises:
        InputError: if it can be no URI of a ledger.
    """
    uri = str(options.tracking_uri or default_tracking_uri())
    check_form(uri)
    return uri


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InputError(f"{option} wants NAME=VALUE, got {text!r}.")
    return name.strip(), value.strip()


def _once(pairs: list[tuple[str, str]], option: str) -> dict[str, str]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{option} names {', '.join(twice)} more than once.")
    return dict(pairs)


def _integers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        shown = shortened(repr(text), 60)
        raise InputError(f"{option} wants whole numbers with commas, got {shown}.") from error


def _columns(text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise InputError(f"--metadata wants column names with commas, got {text!r}.")
    return names


def _holdout(text: str | None) -> float | str | None:
    if text is None or text == "official":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise InputError(
            f"--holdout wants a share like 0.2 or 'official', got {text!r}."
        ) from error


def _stack(text: str) -> int | str:
    if text == "auto":
        return text
    if text.isdecimal() and len(text) < 20 and bounds.TRIALS.fault(int(text)) is None:
        return int(text)
    raise InputError(f"--stack wants auto or {bounds.TRIALS}, got {shortened(repr(text), 60)}.")


def _fraction(points: float | None) -> float | None:
    # Rounded: 0.7 points are 0.007, not 0.006999999999999999.
    return None if points is None else round(points / 100, 12)


def sweep_spec(options: argparse.Namespace) -> SweepSpec:
    """The sweep that `run` and `plan` were asked for.

    SPACE may be a sweep's file: what is typed beside it goes before what it says.

    Raises:
        InputError: naming each option that is not as it must be.
    """
    fields = _typed(options)
    if sweep_file.is_sweep_file(options.space):
        fields = sweep_file.merged(sweep_file.read(Path(options.space).expanduser()), fields)
    elif options.space is not None:
        fields["space"] = options.space
    if fields.get("plugin"):
        fields["plugin"] = str(Path(fields["plugin"]).resolve())
    if "name" not in fields.get("data", {}):
        file = options.space if options.space and Path(options.space).is_file() else "reviews.csv"
        raise InputError(
            f"Name the data with --data: a table such as {file}, a name of `foldrace data`, or a "
            "hub id."
        )
    return make_spec(**fields)


def _typed(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of a SweepSpec that were typed, without its space."""
    data = {
        "name": options.data,
        "text": options.text,
        "text_b": options.text_b,
        "label": options.label,
        "target": options.target,
        "subset": options.subset,
        "parts": options.parts,
        "drop_missing": options.drop_missing,
        "cleaning": options.clean and tuple(options.clean),
        "metadata": _columns(options.metadata) or None,
        "image": options.image,
        "image_b": options.image_b,
        "bad_images": options.bad_images,
    }
    narrowed = _once([_pair(text, "--set") for text in options.set_axes or ()], "--set")
    fixed = _once([_pair(text, "--fix") for text in options.fix or ()], "--fix")
    holdout = _holdout(options.holdout)
    uri = None if options.tracking_uri is None else tracking_uri(options)
    budget = {
        "max_cells": options.max_cells,
        "max_hours": options.max_hours,
        "stop_margin": _fraction(options.stop_margin),
    }
    resources = {
        "ray_address": options.ray_address,
        "trials": options.trials,
        "workers_per_trial": options.workers_per_trial,
        "fsdp": options.fsdp,
        "max_cell_minutes": options.max_cell_minutes,
        "cell_retries": options.cell_retries,
        "stack": None if options.stack is None else _stack(options.stack),
        "compiled": options.compile,
        "epoch_scores": options.epoch_scores,
        "cpus_per_trial": options.cpus_per_trial,
        "gpus_per_trial": options.gpus_per_trial,
    }
    fields: dict[str, Any] = {
        "data": _given(data),
        "model": options.model,
        "name": options.name,
        "experiment": options.experiment,
        "tracking_uri": uri,
        "set_axes": {name: tuple(values.split(",")) for name, values in narrowed.items()},
        "fix": fixed,
        "configs": options.configs,
        "seeds": None if options.seeds is None else _integers(options.seeds, "--seeds"),
        "folds": options.folds,
        "holdout": holdout,
        "train_rows": options.train_rows,
        "objective": options.objective,
        "strategy": options.strategy,
        "prior": options.prior,
        "strategy_seed": options.strategy_seed,
        "nested": options.nested,
        "budget": _given(budget),
        "resources": _given(resources),
        "plugin": options.plugin,
    }
    return _given(fields) | ({} if holdout is None else {"folds": None})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without those that are not there."""
    return {name: value for name, value in values.items() if value is not None and value != {}}


def recipe(spec: SweepSpec) -> str:
    """The command that makes a sweep's cells again; the inverse of `sweep_spec`.

    Local paths stand by their names alone. Where a sweep runs, and its name, are left out. A Space
    that was given itself stands as the plugin that would have to declare it.
    """
    data, budget = _named_rows(spec), spec.budget
    margin = budget.stop_margin
    plugin = spec.plugin or (f"{spec.space}.py" if spec.declared else None)
    # A file that is space and training function at once is named in the space's place.
    own = plugin is not None and spec.model == NO_MODEL
    options: list[tuple[str, object]] = [
        ("--data", Path(data.name).name),
        ("--text", data.text),
        ("--text-b", data.text_b),
        ("--label", data.label),
        ("--target", data.target),
        ("--image", data.image),
        ("--image-b", data.image_b),
        ("--parts", data.parts),
        ("--subset", data.subset),
        ("--bad-images", "drop" if data.bad_images == "drop" else None),
        ("--drop-missing", data.drop_missing),
        *(("--clean", step) for step in data.cleaning),
        ("--metadata", ",".join(data.metadata) or None),
        ("--model", None if spec.model == NO_MODEL else Path(spec.model).name),
        ("--objective", spec.objective),
        ("--strategy", spec.strategy),
        ("--seeds", ",".join(map(str, spec.seeds))),
        ("--folds", spec.folds),
        ("--holdout", spec.holdout),
        ("--train-rows", spec.train_rows),
        *(
            ("--set", f"{axis}={','.join(map(str, values))}")
            for axis, values in spec.set_axes.items()
            if axis not in spec.fix  # sweeps of before one of the two was refused
        ),
        *(("--fix", f"{name}={value}") for name, value in spec.fix.items()),
        ("--configs", None if spec.configs == "all" else Path(spec.configs).name),
        ("--prior", None if spec.prior is None else ",".join(spec.prior) or "none"),
        ("--strategy-seed", spec.strategy_seed or None),
        ("--max-cells", budget.max_cells),
        ("--max-hours", budget.max_hours),
        ("--stop-margin", None if margin is None else round(100 * margin, 6)),
        ("--plugin", None if plugin is None or own else Path(plugin).name),
        ("--nested", spec.nested),
    ]
    words = ["foldrace", "run", Path(plugin).name if plugin is not None and own else spec.space]
    for option, value in options:
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            # argparse takes a value that begins so for an option.
            attached = str(value).startswith("-")
            words += [f"{option}={value}"] if attached else [option, str(value)]
    return shlex.join(words)


def _named_rows(spec: SweepSpec) -> DataRef:
    """The data in today's words, which say less of a saved name.

    A sweep that was saved with `trec-1k` drew 1,000 rows and made folds of these; one that was
    saved with `trec` took all parts.
    """
    from trainables.engine.datasets.dataset_card import find

    data = spec.data
    card, rows = find(data.name)
    if card is None:
        return data
    if rows is not None:
        data = replace(data, name=card.name, subset=data.subset or rows)
    if data.parts is None and card.training and spec.holdout != "official":
        data = replace(data, parts="all")
    return data
