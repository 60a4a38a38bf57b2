"""The images of a table's rows: references resolved, fetched, looked at once, and reported.

A path is relative to the table's folder and may not leave it, by `..` or by a link; a URL is
fetched once into the cache folder (see `fetching.py`).
"""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from trainables.engine.cache import cache_folder
from trainables.engine.errors import DataError
from trainables.engine.images.download import fetch_all
from trainables.engine.images.inspection import Look, look
from trainables.engine.images.url_policy import Resolver, is_url, public_address
from trainables.engine.progress import Ticker
from trainables.engine.text_data import ImagePair, ImageRef, TextData, assemble

_LOOKERS = 8
# A URL that gave nothing is asked again after so long, not in every process.
_FORGET_S = 24 * 3600.0
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ImageColumns:
    """Which columns of a table name images.

    Attributes:
        first: Of the text's image; None where texts have none.
        second: Of the second text's image.
        folder: Of the table.
        drop: See `with_images`.
    """

    first: str | None
    second: str | None
    folder: Path | None
    drop: bool

    def names(self) -> list[str]:
        """The columns that are wanted."""
        return [name for name in (self.first, self.second) if name is not None]


@dataclass(frozen=True, eq=False)
class Looked:
    """All distinct references of a table.

    Attributes:
        paths: By reference, the file that is used.
        looks: By reference, what was found.
    """

    paths: Mapping[str, Path]
    looks: Mapping[str, Look]


def with_images(
    data: TextData,
    references: Sequence[tuple[str | None, str | None]],
    folder: Path | None,
    drop: bool,
    resolver: Resolver = public_address,
) -> TextData:
    """The data with the images of its rows.

    Args:
        data: The texts.
        references: Claim's and document's path or URL by row, None for none, (rows,).
        folder: Of the table, which paths are relative to; None where it has none.
        drop: Leave out rows of which an image is unusable; else their place is empty, and a
            network learns what stands for it.
        resolver: See `fetching.fetch_all`.

    Raises:
        DataError: if no image at all is usable, or none of a class is left.
    """
    wanted = _distinct(references)
    found = look_all(wanted, folder, resolver)
    pairs = _usable(references, found)
    kept = [row for row, pair in enumerate(pairs) if None not in pair or not drop]
    if not any(one is not None for pair in pairs for one in pair):
        raise DataError(
            f"{data.name} has no usable image: {_counts(references, found) or 'no references'}. "
            f"{_examples(wanted, found)}"
        )
    left = {int(label) for label in data.labels[kept]}
    if len(left) < len(data.label_names):
        raise DataError(
            f"Without the rows whose image is unusable {data.name} has no row of "
            f"{len(data.label_names) - len(left)} of {len(data.label_names)} classes. Keep them: "
            "--bad-images missing"
        )
    report = write_report(data.name, references, found)
    notes = [f"images: {_counts(references, found)}; listed in {report}"]
    if len(kept) < len(pairs):
        notes.append(f"{len(pairs) - len(kept):,} rows with an unusable image were left out")
    elif any(None in pair for pair in pairs):
        notes.append("an unusable image is replaced by a vector that is learned")
    return assemble(
        name=data.name,
        texts=[data.texts[row] for row in kept],
        texts_b=None if data.texts_b is None else [data.texts_b[row] for row in kept],
        labels=data.labels[kept],
        label_names=data.label_names,
        official=None if data.official is None else data.official[kept],
        images=[pairs[row] for row in kept],
        dropped=data.dropped + len(pairs) - len(kept),
        notes=[*data.notes, *notes],
        metadata=None if data.metadata is None else data.metadata.take(np.array(kept, np.int64)),
    )


def pairs_of(
    references: Sequence[tuple[str | None, str | None]], folder: Path | None
) -> list[ImagePair]:
    """The usable images of some rows; see `with_images`."""
    return _usable(references, look_all(_distinct(references), folder))


def _distinct(references: Sequence[tuple[str | None, str | None]]) -> list[str]:
    return list(dict.fromkeys(ref for pair in references for ref in pair if ref is not None))


def _usable(references: Sequence[tuple[str | None, str | None]], found: Looked) -> list[ImagePair]:
    def image(reference: str | None) -> ImageRef | None:
        if reference is None or found.looks[reference].fault is not None:
            return None
        return ImageRef(str(found.paths[reference]), found.looks[reference].digest)

    return [(image(first), image(second)) for first, second in references]


def look_all(
    references: Sequence[str], folder: Path | None, resolver: Resolver = public_address
) -> Looked:
    """Resolve, fetch and look at distinct references.

    What was found of an unchanged file is kept on disk: a second process reads no pixel.
    """
    store = cache_folder() / "images"
    urls = [ref for ref in references if is_url(ref)]
    place = hashlib.sha256(f"{folder}\n{len(references)}".encode()).hexdigest()[:32]
    known_path = store / f"looks-{place}.json"
    store.mkdir(parents=True, exist_ok=True)
    # One process fetches and looks, the others of this machine wait and read what it found.
    with FileLock(known_path.with_suffix(".lock")):
        known = _read(known_path)
        got = _fetched(urls, store, known, resolver)
        paths: dict[str, Path] = {}
        looks: dict[str, Look] = {}
        for ref in references:
            where = got[ref] if ref in got else _inside(ref, folder)
            if isinstance(where, Look):
                looks[ref] = where
            else:
                paths[ref] = where
        fresh = _look_at(paths, known)
        for ref, path in paths.items():
            looks[ref] = fresh[_stamp(path)]
        told = {ref: looks[ref] for ref in urls if ref not in paths}
        _write(known_path, fresh, told, known)
    return Looked(paths, looks)


def _inside(reference: str, folder: Path | None) -> Path | Look:
    """The file of a path, if it lies below the table's folder."""
    if folder is None:
        return Look(fault="refused", detail="a path, and the table has no folder")
    try:
        path = (folder / reference).resolve()
        if not path.is_relative_to(folder.resolve()):
            return Look(fault="refused", detail="the path leaves the table's folder")
    except (OSError, ValueError) as error:  # a name too long, a zero byte
        return Look(fault="refused", detail=f"it is no path: {error}")
    return path


def _fetched(
    urls: Sequence[str], store: Path, known: Known, resolver: Resolver
) -> dict[str, Path | Look]:
    found: dict[str, Path | Look] = {url: known.failed[url] for url in urls if url in known.failed}
    ticker = Ticker("images fetched", "URLs")
    left = [url for url in urls if url not in found]
    got = fetch_all(left, store / "fetched", ticker, resolver=resolver) if left else {}
    ticker.end(len(left))
    for url, result in got.items():
        if isinstance(result, Path):
            found[url] = result
        else:
            fault, _, detail = result.partition(": ")
            found[url] = Look(fault=fault, detail=detail[:200])
    return found


def _look_at(paths: Mapping[str, Path], known: Known) -> dict[str, Look]:
    """Looks by stamp of file, from disk where the file has not changed."""
    by_stamp = {_stamp(path): path for path in paths.values()}
    found = {stamp: known.looks[stamp] for stamp in by_stamp if stamp in known.looks}
    left = [stamp for stamp in by_stamp if stamp not in found]
    ticker = Ticker("images looked at", "files")
    with ThreadPoolExecutor(_LOOKERS) as pool:
        looks = pool.map(lambda stamp: look(by_stamp[stamp]), left)
        for done, (stamp, one) in enumerate(zip(left, looks, strict=True), start=1):
            found[stamp] = one
            ticker(done, len(left))
    ticker.end(len(left))
    return found


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return f"{path}|none"
    return f"{path}|{stat.st_mtime_ns}|{stat.st_size}"


@dataclass(frozen=True)
class Known:
    """What earlier processes found: looks by stamp, and URLs that gave nothing."""

    looks: Mapping[str, Look]
    failed: Mapping[str, Look]
    since: Mapping[str, float]


def _read(path: Path) -> Known:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        looks = {key: Look.from_json(one) for key, one in value["looks"].items()}
        fresh = {url: t for url, t in value["since"].items() if time.time() - t < _FORGET_S}
        failed = {url: Look.from_json(value["failed"][url]) for url in fresh}
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged: look again
        return Known({}, {}, {})
    return Known(looks, failed, fresh)


def _write(path: Path, looks: Mapping[str, Look], failed: Mapping[str, Look], known: Known) -> None:
    if dict(looks) == dict(known.looks) and dict(failed) == dict(known.failed):
        return
    value = {
        "looks": {key: one.to_json() for key, one in looks.items()},
        "failed": {url: one.to_json() for url, one in failed.items()},
        "since": {url: known.since[url] if url in known.since else time.time() for url in failed},
    }
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, suffix=".draft", delete=False, encoding="utf-8"
    ) as draft:
        json.dump(value, draft)
    Path(draft.name).replace(path)


def _tally(references: Iterable[tuple[str | None, str | None]], found: Looked) -> Counter[str]:
    """How many of the rows' places are usable, and have each fault and trait."""
    counts: Counter[str] = Counter()
    for pair in references:
        for ref in pair:
            one = Look(fault="missing") if ref is None else found.looks[ref]
            counts[one.fault or "usable"] += 1
            counts.update(one.traits)
    return counts


def _counts(references: Sequence[tuple[str | None, str | None]], found: Looked) -> str:
    counts = _tally(references, found)
    first = [f"{counts.pop('usable', 0):,} of {2 * len(references):,} usable"]
    return ", ".join(first + [f"{count:,} {name}" for name, count in sorted(counts.items())])


def _examples(references: Sequence[str], found: Looked) -> str:
    bad = [ref for ref in references if found.looks[ref].fault is not None][:_SHOWN]
    return "; ".join(f"{ref[:80]!r}: {found.looks[ref].detail}" for ref in bad)


def write_report(
    name: str, references: Sequence[tuple[str | None, str | None]], found: Looked
) -> Path:
    """A table of every image that is unusable or had to be put right; gives its path."""
    rows = []
    for number, pair in enumerate(references, start=1):
        for role, ref in zip(("claim", "document"), pair, strict=True):
            one = Look(fault="missing", detail="no reference") if ref is None else found.looks[ref]
            if one.fault is not None or one.traits:
                size = f"{one.width}x{one.height}" if one.width else ""
                traits = " ".join(one.traits)
                rows.append((number, role, ref or "", one.fault or "", traits, size, one.detail))
    plain = "".join(char if char.isalnum() else "-" for char in name)[-60:]
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:8]
    path = cache_folder() / "images" / f"report-{plain}-{digest}.csv"
    if path.is_file():
        return path
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, suffix=".draft", delete=False, newline="", encoding="utf-8"
    ) as draft:
        writer = csv.writer(draft)
        writer.writerow(("row", "role", "reference", "fault", "traits", "pixels", "detail"))
        writer.writerows(rows)
    Path(draft.name).replace(path)
    return path
