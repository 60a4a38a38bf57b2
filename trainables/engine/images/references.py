"""References of images: resolved to files, fetched once, inspected once.

A path is relative to the table's folder and may not leave it, by `..` or by a link. A URL is
fetched once into the cache folder (see `download.py`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trainables.engine.cache import folder_below, is_sound, one_process, written_whole
from trainables.engine.images.download import fetch_all
from trainables.engine.images.inspection import Inspection, inspect_image
from trainables.engine.images.url_policy import Resolver, is_url, public_address
from trainables.engine.progress import Ticker

_THREADS = 8
# Seconds until a URL that gave nothing is asked again, by whichever process.
_FORGET_S = 24 * 3600.0


@dataclass(frozen=True, eq=False)
class InspectedImages:
    """Files and inspections of all distinct references of a table.

    Attributes:
        paths: File that is used, by reference.
        inspections: Inspection by reference.
    """

    paths: Mapping[str, Path]
    inspections: Mapping[str, Inspection]


@dataclass(frozen=True)
class _Known:
    """Findings of earlier processes.

    Attributes:
        inspections: Inspections by stamp of file.
        failed: Inspections by URL that gave nothing.
        since: Seconds since 1970 of the failure, by URL.
    """

    inspections: Mapping[str, Inspection]
    failed: Mapping[str, Inspection]
    since: Mapping[str, float]


def inspect_all(
    references: Sequence[str], folder: Path | None, resolver: Resolver = public_address
) -> InspectedImages:
    """Resolve, fetch and inspect distinct references.

    Inspections of unchanged files are kept on disk: a second process reads no pixel.
    """
    store = folder_below("images")
    urls = [reference for reference in references if is_url(reference)]
    place = hashlib.sha256(f"{folder}\n{len(references)}".encode()).hexdigest()[:32]
    file = store / f"looks-{place}.json"
    # One process fetches and inspects; the others of this machine wait and read its findings.
    with one_process(file):
        known = _read(file)
        fetched = _fetch(urls, store, known, resolver)
        paths: dict[str, Path] = {}
        inspections: dict[str, Inspection] = {}
        for reference in references:
            outcome = fetched[reference] if reference in fetched else _inside(reference, folder)
            if isinstance(outcome, Inspection):
                inspections[reference] = outcome
            else:
                paths[reference] = outcome
        by_stamp = _inspect_files(paths, known)
        for reference, path in paths.items():
            inspections[reference] = by_stamp[_stamp(path)]
        failed = {url: inspections[url] for url in urls if url not in paths}
        _write(file, by_stamp, failed, known)
    return InspectedImages(paths, inspections)


def _inside(reference: str, folder: Path | None) -> Path | Inspection:
    """Return the file of a path below the table's folder."""
    if folder is None:
        return Inspection(fault="refused", detail="a path, and the table has no folder")
    try:
        path = (folder / reference).resolve()
        if not path.is_relative_to(folder.resolve()):
            return Inspection(fault="refused", detail="the path leaves the table's folder")
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, a loop of links
        return Inspection(fault="refused", detail=f"it is no path: {error}")
    return path


def _fetch(
    urls: Sequence[str], store: Path, known: _Known, resolver: Resolver
) -> dict[str, Path | Inspection]:
    """Return the file of each URL, or the fault that it has."""
    outcomes: dict[str, Path | Inspection] = {
        url: known.failed[url] for url in urls if url in known.failed
    }
    ticker = Ticker("images fetched", "URLs")
    left = [url for url in urls if url not in outcomes]
    results = fetch_all(left, store / "fetched", ticker, resolver=resolver) if left else {}
    ticker.end(len(left))
    for url, result in results.items():
        if isinstance(result, Path):
            outcomes[url] = result
        else:
            fault, _, detail = result.partition(": ")
            outcomes[url] = Inspection(fault=fault, detail=detail[:200])
    return outcomes


def _inspect_files(paths: Mapping[str, Path], known: _Known) -> dict[str, Inspection]:
    """Return inspections by stamp of file.

    Those of unchanged files come from disk.
    """
    by_stamp = {_stamp(path): path for path in paths.values()}
    inspections = {
        stamp: known.inspections[stamp] for stamp in by_stamp if stamp in known.inspections
    }
    left = [stamp for stamp in by_stamp if stamp not in inspections]
    ticker = Ticker("images looked at", "files")
    with ThreadPoolExecutor(_THREADS) as pool:
        fresh = pool.map(lambda stamp: inspect_image(by_stamp[stamp]), left)
        for done, (stamp, inspection) in enumerate(zip(left, fresh, strict=True), start=1):
            inspections[stamp] = inspection
            ticker(done, len(left))
    ticker.end(len(left))
    return inspections


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return f"{path}|none"
    return f"{path}|{stat.st_mtime_ns}|{stat.st_size}"


def _read(file: Path) -> _Known:
    if not is_sound(file):
        return _Known({}, {}, {})
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        inspections = {key: Inspection.from_json(value) for key, value in content["looks"].items()}
        recent = {url: t for url, t in content["since"].items() if time.time() - t < _FORGET_S}
        failed = {url: Inspection.from_json(content["failed"][url]) for url in recent}
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged: inspect again
        return _Known({}, {}, {})
    return _Known(inspections, failed, recent)


def _write(
    file: Path,
    inspections: Mapping[str, Inspection],
    failed: Mapping[str, Inspection],
    known: _Known,
) -> None:
    if dict(inspections) == dict(known.inspections) and dict(failed) == dict(known.failed):
        return
    content = {
        "looks": {key: inspection.to_json() for key, inspection in inspections.items()},
        "failed": {url: inspection.to_json() for url, inspection in failed.items()},
        "since": {url: known.since[url] if url in known.since else time.time() for url in failed},
    }
    with written_whole(file, sealed=True) as draft:
        draft.write(json.dumps(content).encode())
