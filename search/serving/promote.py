"""Promotion of a winner: trained on all data, saved, registered.

A sweep keeps scores and predictions, no models: twenty cells of a winner are twenty models, each of
a part of the data. `promote` trains the config once more on all rows, with the first seed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from search.errors import SweepError
from search.planning.plan import Plan
from search.planning.prepare import checked_data
from search.process import launchers
from search.serving import model_card
from search.sweep.load import load_record as load_sweep
from search.tracking.model_registry import Registered, register, set_champion, versions
from trainables.engine.errors import DivergedError
from trainables.engine.refit import network, saved_model
from trainables.engine.text_data import TextData

CARD = "README.md"
_EXAMPLES = 2  # rows of the input example


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A promoted model.

    Attributes:
        registered: Its version in MLflow's registry.
        folder: Its Hugging Face folder.
        stock: True if transformers' own class holds it; else it is loaded with trust_remote_code.
        config: The config's label.
    """

    registered: Registered
    folder: Path
    stock: bool
    config: str


@launchers.forgotten()
def promote(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    *,
    rank: int = 1,
    folder: Path | None = None,
    name: str | None = None,
    move_alias: bool = True,
) -> Champion:
    """Train a config on all data, save and register it as champion.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        rank: Rank on the leaderboard; 1 is the winner.
        folder: Folder of the Hugging Face model; champion-SWEEP without one.
        name: Name of the registered model; the sweep's without one. Further sweeps of one name give
            further versions of one model.
        move_alias: Give the new version the alias `champion`.

    Raises:
        InputError: if there is no such sweep or config, its data or model changed, or the config
            has no network from texts to classes.
        SweepError: if training diverges.
        LedgerError: if MLflow refuses the model.
    """
    record, outcome = load_sweep(tracking_uri, experiment, sweep)
    plan, config = outcome.plan, outcome.config_at(rank, network.fault)
    data = checked_data(plan)
    folder = Path(f"champion-{plan.spec.name}") if folder is None else folder
    try:
        trained = network.train(plan.task, data, plan.configs[config], plan.spec.seeds[0])
    except DivergedError as error:
        raise SweepError(f"{plan.label(config)} cannot be trained on all rows: {error}.") from error
    saved_model.save(trained, folder)
    stock = saved_model.is_stock(trained)
    card = model_card.write(outcome, config, data, record.id, stock=stock)
    (folder / CARD).write_text(card, encoding="utf-8")
    columns = {"text": data.texts[:_EXAMPLES]}
    if data.texts_b is not None:
        columns["text_b"] = data.texts_b[:_EXAMPLES]
    registered = register(
        tracking_uri,
        record.id,
        folder,
        name or plan.spec.name,
        classes=data.label_names,
        example={column: list(texts) for column, texts in columns.items()},
        tags={
            **_tags(plan, config, record.id),
            "classes": json.dumps(data.label_names),
            "columns": ",".join(columns),
            **_labels(data),
        },
        about=card,
    )
    registered = set_champion(tracking_uri, registered) if move_alias else registered
    return Champion(registered=registered, folder=folder, stock=stock, config=plan.label(config))


def _tags(plan: Plan, config: int, sweep_id: str) -> dict[str, str]:
    return {
        "sweep": sweep_id,
        "config": plan.label(config),
        "space": plan.spec.space,
        "data_fingerprint": plan.task.data_fingerprint,
        "model_fingerprint": plan.task.model_fingerprint,
        "params": json.dumps(dict(plan.configs[config])),
    }


def _labels(data: TextData) -> dict[str, str]:
    """The data's own labels, where another column names the classes."""
    written = data.labels_written
    return {} if written is None else {"labels": json.dumps(written)}


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


def champion_of(tracking_uri: str, name: str) -> Registered | None:
    """Version with the alias `champion` of a model; None without one.

    Args:
        tracking_uri: URI of the registry.
        name: Name of the registered model.

    Raises:
        LedgerError: if MLflow refuses.
    """
    models = versions(tracking_uri, name)
    return next((model for model in models if model.champion), None)
