"""Data sets of the Hugging Face hub as tables.

Code of the hub is never run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.errors import DataError
from trainables.engine.tables.table import Table

# Seconds to wait for the hub, which answers in well under one.
_ANSWER_S = 6.0


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """The part of a card that concerns the hub (see `DatasetCard`)."""

    hub_id: str
    config: str | None = None
    revision: str | None = None
    parts: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    where: tuple[str, str | int] | None = None


def card_source(card: DatasetCard, hub_id: str) -> HubSource:
    """Return the hub's side of a card."""
    return HubSource(
        hub_id=hub_id,
        config=card.hub_config,
        revision=card.hub_revision,
        parts=card.hub_parts,
        classes=card.hub_classes,
        where=card.hub_where,
    )


def read_hub(source: HubSource, column_names: Sequence[str], label: str) -> Table:
    """Load a data set from the hub, or offline from its cache.

    Args:
        source: Id, configuration and revision.
        column_names: Names of the columns to keep.
        label: Name of the label column.

    Raises:
        DataError: if the id, configuration or revision does not exist, access is refused, the hub
            cannot be reached and nothing is cached, or the data set needs code of its own.
    """
    import datasets

    online = _reachable(source)
    try:
        with _quiet(datasets), contextlib.nullcontext() if online else _offline(datasets):
            loaded = datasets.load_dataset(source.hub_id, source.config, revision=source.revision)
    # A stranger's files may make the loader raise anything: to the user it is one kind of fault.
    except Exception as error:
        raise DataError(_reason(source, online, error)) from error
    return table_of_parts(loaded, source, column_names, label)


def table_of_parts(
    loaded: Mapping[str, Any], source: HubSource, column_names: Sequence[str], label: str
) -> Table:
    """Return one table of all parts, with a column `split`.

    A column `<label>_name` is added where the names are known. Rows whose label the hub hides (-1
    of named classes) are left out, and counted in the notes. A list of labels counts as its only
    one; several become the class "multi".

    Args:
        loaded: `datasets.Dataset` by split, as `load_dataset` returns it.
        source: Splits and rows to keep, and the classes where the hub has numbers only.
        column_names: Names of the columns to keep.
        label: Name of the label column.
    """
    parts = dict(source.parts) if source.parts else {name: name for name in loaded}
    absent = [name for name in parts if name not in loaded]
    if absent:
        raise DataError(f"{source.hub_id} has no split {absent[0]!r}; it has: {', '.join(loaded)}.")
    first = loaded[next(iter(parts))]
    columns: dict[str, list[Any]] = {
        name: [] for name in first.column_names if name in column_names and name != "split"
    }
    names: list[str | None] = []
    splits: list[str] = []
    hidden = 0
    for hub_part, part in parts.items():
        rows = loaded[hub_part]
        if source.where is not None:
            column, value = source.where
            rows = rows.select([i for i, cell in enumerate(rows[column]) if cell == value])
        named = _class_names(rows, label, source)
        keep = [i for i, name in enumerate(named) if name is not None] if named else None
        if named and keep is not None:
            hidden += len(named) - len(keep)
            rows = rows.select(keep)
            names.extend(named[i] for i in keep)
        for name, values in columns.items():
            values.extend(rows[name])
        splits.extend([part] * len(rows))
    if names:
        # The names are the labels; the hub's own ids may be in any order.
        columns[label] = list(names)
    return Table(
        source=f"{source.hub_id} on the hub",
        names=(*first.column_names, "split"),
        columns={**columns, "split": splits},
        rows=len(splits),
        typed=True,
        notes=(f"{hidden:,} rows without a public label left out",) if hidden else (),
    )


def _class_names(rows: Any, label: str, source: HubSource) -> list[str | None]:
    """Return the class name of each row.

    It is None where the hub hides it; the list is empty where the hub names no class.
    """
    if label not in rows.column_names:
        return []
    feature = rows.features[label]
    inner = getattr(feature, "feature", feature)
    known = source.classes or tuple(getattr(inner, "names", None) or ())
    if not known:
        return []
    names: list[str | None] = []
    for value in rows[label]:
        class_id = value
        if isinstance(value, list):
            if len(value) != 1:
                names.append("multi" if value else None)
                continue
            class_id = value[0]
        hidden = class_id is None or not 0 <= class_id < len(known)
        names.append(None if hidden else known[class_id])
    return names


def _reachable(source: HubSource) -> bool:
    """Return True if the hub answers.

    It is asked once and briefly: the loader itself retries for long.

    Raises:
        DataError: if it answers that there is no such data set, or that access is refused.
    """
    import huggingface_hub
    from huggingface_hub import errors

    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return False
    try:
        huggingface_hub.HfApi().dataset_info(
            source.hub_id, revision=source.revision, timeout=_ANSWER_S
        )
    except errors.GatedRepoError as error:
        raise DataError(
            f"The hub keeps {source.hub_id} behind a form: ask for access on its page, then log in "
            "with: hf auth login"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"The hub has no data set {source.hub_id!r} (or it is private: hf auth login). "
            "Is it a local file? Then give its path with the ending .csv, .tsv, .jsonl or .parquet."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"{source.hub_id} has no revision {source.revision!r} on the hub."
        ) from error
    except errors.HFValidationError as error:
        raise DataError(f"{source.hub_id!r} is no hub id: {error}") from error
    # No network shows as whatever the HTTP library of the day raises.
    except Exception:
        return False
    return True


@contextlib.contextmanager
def _offline(datasets: Any) -> Iterator[None]:
    """Use the cache on this machine alone.

    The loader would retry an absent network for 23 s.
    """
    import huggingface_hub

    before = huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Hide progress bars: stdout and stderr belong to the command."""
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _reason(source: HubSource, online: bool, error: Exception) -> str:
    if "Dataset scripts are no longer supported" in str(error):
        return (
            f"{source.hub_id} needs Python code from the hub, which foldrace does not run. "
            "Convert it to Parquet and give that file."
        )
    if not online:
        return (
            f"The hub cannot be reached, and {source.hub_id} is not in its cache on this machine."
        )
    return f"{source.hub_id} could not be loaded from the hub: {error}"
