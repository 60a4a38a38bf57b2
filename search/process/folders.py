"""Folders that a sweep writes to, checked before anything is read."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from search.errors import InputError
from search.process import ray_home
from search.spec.sweep_spec import SweepSpec
from search.tracking_uri import check_uri

# Where a run keeps what is not yet in the ledger; below the folder that it is started in.
STATE = Path(".foldrace")

_log = logging.getLogger("foldrace")
_CACHE = "FOLDRACE_CACHE"
LEAST_FREE_MIB = 200


def check(spec: SweepSpec) -> None:
    """Refuse a sweep whose folders or ledger cannot be written.

    Raises:
        InputError: naming the folder, what is wrong with it, and the option or variable to set.
    """
    fault = fault_of(STATE)
    if fault is not None:
        raise InputError(
            f"A sweep keeps its state in {STATE.absolute()}, and that cannot be written: {fault}. "
            "Start it in another folder (cd); data and model may be given as absolute paths."
        )
    with contextlib.suppress(OSError):
        STATE.chmod(0o700)  # predictions of private data wait in it
    free = shutil.disk_usage(STATE).free / 2**20
    if free < LEAST_FREE_MIB:
        raise InputError(
            f"The disk of {STATE.absolute()} has {free:.0f} MiB left, a sweep needs at least "
            f"{LEAST_FREE_MIB} MiB for results. Free some, or start it in another folder."
        )
    usable_cache()
    if spec.resources.ray_address == "local":
        ray_home.temp_dir()
        ray_home.check_loopback()
        ray_home.check_processes()
    check_uri(spec.tracking_uri)


def usable_cache() -> None:
    """Check that the cache can be written, or use one beside us.

    Raises:
        InputError: if it cannot, and was named, or there is no other.
    """
    from trainables.engine.cache import cache_folder

    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise InputError(
            "There is no folder for temporary files: name one that can be written in the "
            "environment variable TMPDIR."
        ) from error
    folder = cache_folder()
    fault = fault_of(folder)
    if fault is None:
        return
    instead = (STATE / "cache").absolute()
    if os.environ.get(_CACHE) or fault_of(instead) is not None:
        raise InputError(
            f"The cache folder {folder} cannot be written: {fault}. Name another in the "
            f"environment variable {_CACHE}."
        )
    _log.warning("The cache folder %s cannot be written (%s): using %s", folder, fault, instead)
    os.environ[_CACHE] = str(instead)


def fault_of(folder: Path) -> str | None:
    """Reason why a folder cannot be written; None if it can.

    The folder is made if it is missing.

    It is tried: permissions do not tell of a file system that is mounted for reading alone.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".foldrace-"):
            return None
    except OSError as error:
        return error.strerror or str(error)
