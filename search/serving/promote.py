"""Promotion of a winner: trained on all data, saved, registered.

A sweep keeps scores and predictions, no models: twenty cells of a winner are twenty models, each of
a part of the data. `promote` trains the config once more on all rows, with the first seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from search.checks import refuse
from search.checks.names import MODEL_NAME
from search.checks.output_paths import OUTPUT_FOLDER, OutputFile
from search.errors import InputError, SweepError
from search.functions.own_file import is_function
from search.planning.plan import Plan
from search.planning.prepare import checked_data
from search.process import launchers
from search.serving import adapter_base, model_card, own_model
from search.serving import hub as sharing
from search.sweep.load import load_record as load_sweep
from search.tracking.model_registry import Contents, Registered, register, set_champion
from trainables.engine.errors import DivergedError
from trainables.engine.refit import network, onnx_file, saved_adapters, saved_model
from trainables.engine.refit.network import FinalNetwork
from trainables.engine.refit.saved_adapters import Base
from trainables.engine.text_data import TextData

CARD = "README.md"
ONNX = OutputFile(".onnx")
_EXAMPLES = 2  # rows of the input example


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A promoted model.

    Attributes:
        registered: Its version in MLflow's registry.
        folder: Its Hugging Face folder.
        stock: True if transformers' own class holds it; else it is loaded with trust_remote_code.
        own: Name of the user's file whose functions made it; None for a Hugging Face folder.
        base: Model that its adapters stand on; None where its folder has whole weights.
        config: The config's label.
        notes: What the user should know.
        onnx_difference: Largest difference of a logit of the ONNX file; None without one.
        address: Address of the repository on the hub; None without one.
    """

    registered: Registered
    folder: Path
    stock: bool
    config: str
    own: str | None = None
    base: Base | None = None
    notes: Sequence[str] = ()
    onnx_difference: float | None = None
    address: str | None = None


@launchers.forgotten()
def promote(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    *,
    rank: int = 1,
    folder: Path | None = None,
    name: str | None = None,
    merge: bool = False,
    move_alias: bool = True,
    onnx: Path | None = None,
    hub: str | None = None,
    public: bool = False,
    busy: Callable[[str], AbstractContextManager[Any]] = nullcontext,
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
        merge: Merge a winner's adapters into its weights; without it the folder is one of peft.
        move_alias: Give the new version the alias `champion`.
        onnx: File to write the model to as ONNX, too.
        hub: Repository of the Hugging Face hub to push the folder to, too.
        public: Make a new repository public.
        busy: Context of the training, called with what is done.

    Raises:
        InputError: if there is no such sweep or config, its data or model changed, the config has
            no network from texts to classes, no adapters to merge, or the folder or the name cannot
            be.
        SweepError: if training diverges.
        LedgerError: if MLflow refuses the model.
    """
    if name is not None:
        refuse(MODEL_NAME, "The name of the registered model", name)
    if onnx is not None:
        refuse(ONNX, "--onnx", onnx)
        onnx_file.check_installed()
    if hub is not None:
        sharing.check(hub)
    record, outcome = load_sweep(tracking_uri, experiment, sweep)
    plan = outcome.plan
    own = is_function(plan.space)
    if own:
        own_model.check(plan, {"--onnx": onnx, "--push-to-hub": hub, "--merge": merge or None})
    config = outcome.config_at(rank) if own else outcome.config_at(rank, network.fault)
    if merge and not plan.configs[config].get("lora_rank"):
        raise InputError(
            f"--merge puts adapters into the weights, and {plan.label(config)} was trained without "
            "(lora_rank=0): its weights are whole, leave --merge out."
        )
    folder = Path(f"champion-{plan.spec.name}") if folder is None else folder
    _check_folder(folder, plan)
    data = checked_data(plan)
    if own:
        with busy("fitting the winner on all rows"):
            kept = own_model.keep(outcome, config, data, record.id, folder)
        registered = register(
            tracking_uri,
            record.id,
            folder,
            name or plan.spec.name,
            contents=kept.contents,
            tags={**_tags(plan, config, record.id), **kept.tags, **_labels(data)},
            about=kept.card,
        )
        return Champion(
            registered=set_champion(tracking_uri, registered) if move_alias else registered,
            folder=folder,
            stock=False,
            config=plan.label(config),
            own=kept.file,
            notes=kept.notes,
        )
    try:
        with busy("training on all rows"):
            trained = network.train(plan.task, data, plan.configs[config], plan.spec.seeds[0])
    except DivergedError as error:
        raise SweepError(f"{plan.label(config)} cannot be trained on all rows: {error}.") from error
    base = None
    if trained.adapters is None or merge:
        saved_model.save(trained, folder)
    else:
        base = saved_adapters.save(trained, folder)
    stock = saved_model.is_stock(trained)
    card = model_card.write(
        outcome, config, data, record.id, stock=stock, max_length=trained.max_length, base=base
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    columns = {"text": data.texts[:_EXAMPLES]}
    if data.texts_b is not None:
        columns["text_b"] = data.texts_b[:_EXAMPLES]
    registered = register(
        tracking_uri,
        record.id,
        folder,
        name or plan.spec.name,
        contents=Contents.of_texts(
            data.label_names,
            {column: list(texts) for column, texts in columns.items()},
            adapters=base is not None,
        ),
        tags={
            **_tags(plan, config, record.id),
            **adapter_base.tags(base),
            "classes": json.dumps(data.label_names),
            "columns": ",".join(columns),
            **_labels(data),
        },
        about=model_card.without_front_matter(card),
    )
    registered = set_champion(tracking_uri, registered) if move_alias else registered
    worst = None
    if onnx is not None:
        with _whole(trained, folder, base) as weights:
            worst = onnx_file.export(weights, onnx, _compared_on(data))
    address = None
    if hub is not None:
        with saved_adapters.to_share(folder, base) as shared:
            address = sharing.push(shared, hub, public=public)
    return Champion(
        registered=registered,
        folder=folder,
        stock=stock,
        config=plan.label(config),
        base=base,
        notes=_notes(base, address),
        onnx_difference=worst,
        address=address,
    )


@contextmanager
def _whole(trained: FinalNetwork, folder: Path, base: Base | None) -> Iterator[Path]:
    """Folder of a network's whole weights, for a while.

    It is the champion's own where that has them.
    """
    if base is None:
        yield folder
        return
    with TemporaryDirectory() as temporary:
        saved_model.save(trained, Path(temporary))
        yield Path(temporary)


def _notes(base: Base | None, address: str | None) -> list[str]:
    if base is None or base.on_hub:
        return []
    what = "what was pushed" if address else "the folder"
    return [
        f"{what} holds adapters of the model {base.name}, which is no hub's: for a machine without "
        "that model promote with --merge, which saves whole weights"
    ]


def _compared_on(data: TextData) -> list[Any]:
    """Texts, or pairs, of several lengths."""
    order = sorted(range(len(data)), key=lambda row: len(data.texts[row]))
    rows = [order[0], order[len(order) // 2], order[-1]]
    if data.texts_b is None:
        return [data.texts[row] for row in rows]
    return [(data.texts[row], data.texts_b[row]) for row in rows]


def _check_folder(folder: Path, plan: Plan) -> None:
    """Refuse a folder that cannot be written, or must not be."""
    refuse(OUTPUT_FOLDER, "The folder of the model", folder)
    if folder.exists() and Path(plan.task.model).exists() and folder.samefile(plan.task.model):
        raise InputError(
            f"The folder of the model must be another than {folder}, which holds the encoder that "
            f"sweep {plan.spec.name!r} starts from: choose it with --out."
        )


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
