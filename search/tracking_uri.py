"""Tracking URIs: checked, reached, and shown without secrets.

Standard library only: a faulty URI is refused before MLflow is imported.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import socket
import sqlite3
import threading
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from search.errors import InputError
from search.formatting import printable
from search.redaction import redact

EXPERIMENT = "foldrace"
"""MLflow experiment of sweeps that name none."""

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SCHEMES = (*_DATABASES, "http", "https")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433, "http": 80, "https": 443}
_OPTIONS = re.compile(r"(\w+=[^&?/]*(&\w+=[^&?/]*)*)?")  # of a sqlite URI, after its '?'
_CONNECT_S = 4.0
_LOCKED_S = 5.0  # the wait for another program that writes
_LEAST_FREE_BYTES = 50 * 2**20
_LARGEST_TO_SCAN_BYTES = 64 * 2**20  # a full check of a larger file takes seconds


def default_tracking_uri() -> str:
    """Default ledger: MLflow's variable, else a file in this folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def scheme(uri: str) -> str:
    """Scheme without its driver: `postgresql` of `postgresql+psycopg2://...`."""
    match = re.match(r"([a-z][a-z0-9.-]*)[a-z0-9.+-]*:", uri, re.IGNORECASE)
    return match[1].lower() if match else ""


def check_form(uri: str) -> None:
    """Refuse a URI by its form alone; nothing is connected to.

    Raises:
        InputError: as `check_uri`.
    """
    kind = scheme(uri)
    if kind not in _SCHEMES or "://" not in uri:
        raise InputError(_unknown_scheme(uri))
    if kind == "sqlite":
        fault = None if printable(uri) == uri else "it holds characters that no path should have"
    else:
        try:
            fault = None if urlsplit(uri).port != 0 else "no server has the port 0"
        except ValueError as error:
            fault = str(error)
    if fault is not None:
        raise InputError(f"Tracking URI {redact(uri)!r} is malformed: {redact(fault)}.")


def sqlite_file(uri: str) -> Path | None:
    """Absolute path of a sqlite URI's file; None for other URIs.

    Characters mean themselves, `%20` too: sqlite's URIs have no escapes in SQLAlchemy and MLflow.
    """
    if scheme(uri) != "sqlite":
        return None
    path = uri.partition(":///")[2].partition("?")[0]
    return Path(path).absolute() if path and path != ":memory:" else None


def check_uri(uri: str) -> None:
    """Refuse a URI that cannot work, within about 5 seconds.

    Raises:
        InputError: naming the URI (without its password), what is wrong with it and what to do.
    """
    check_form(uri)
    kind = scheme(uri)
    if kind == "sqlite":
        file = sqlite_file(uri)
        if file is None:
            raise InputError(
                f"Tracking URI {uri!r} names no file, and the ledger must outlive this process. "
                "Use sqlite:///mlflow.db or sqlite:////absolute/path/mlflow.db."
            )
        if not _OPTIONS.fullmatch(uri.partition("?")[2]):
            raise InputError(
                f"Tracking URI {uri!r}: the path of a sqlite file may hold no '?', which starts "
                "the URI's options. Rename the folder or the file."
            )
        if escaped := re.search(r"%[0-9A-Fa-f]{2}", str(file)):
            raise InputError(
                f"Tracking URI {uri!r}: MLflow reads {escaped[0]!r} in the path {file} as another "
                "character. Rename the folder or the file."
            )
        _check_sqlite(uri, file)
    elif kind in _DATABASES or not _through_proxy(uri):
        _check_host(uri)


def check_folder(folder: Path, what: str) -> None:
    """Make a folder if missing; refuse one that cannot be written.

    Raises:
        InputError: naming the folder and its fault.
    """
    made = folder
    while not made.exists():
        made = made.parent
    if not made.is_dir() or not os.access(made, os.W_OK | os.X_OK):
        raise InputError(f"{what} {folder} cannot be written: {made} is not a writable folder.")
    free = shutil.disk_usage(made).free
    if free < _LEAST_FREE_BYTES:
        raise InputError(
            f"{what} {folder} has {free / 2**20:.0f} MiB of free disk, and needs at least "
            f"{_LEAST_FREE_BYTES / 2**20:.0f} MiB. Make room, or choose another folder."
        )


def _unknown_scheme(uri: str) -> str:
    known = ", ".join(f"{name}://" for name in _SCHEMES)
    shown = redact(uri)
    looks_like_a_path = "://" not in uri and re.search(r"[/\\.]", uri) is not None
    if looks_like_a_path or scheme(uri) == "file":
        way_out = "MLflow's folder store is out of favour: use sqlite:///mlflow.db."
    else:
        near = difflib.get_close_matches(scheme(uri), _SCHEMES, n=1, cutoff=0.5)
        way_out = (
            f"Did you mean {near[0]}://?" if near else "Use, for example, sqlite:///mlflow.db."
        )
    return f"Tracking URI {shown!r} has no scheme that foldrace knows ({known}). {way_out}"


def _check_sqlite(uri: str, file: Path) -> None:
    if not file.parent.is_dir():
        raise InputError(
            f"Tracking URI {uri!r}: the folder {file.parent} does not exist. Make it, or choose "
            "another path."
        )
    check_folder(file.parent, f"Tracking URI {uri!r}: the folder")
    if not file.exists() or (file.is_file() and file.stat().st_size == 0):
        return
    if not file.is_file() or not os.access(file, os.R_OK | os.W_OK):
        raise InputError(f"Tracking URI {uri!r}: {file} is not a file that can be written.")
    try:
        with closing(sqlite3.connect(file, timeout=_LOCKED_S)) as database:
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            if file.stat().st_size <= _LARGEST_TO_SCAN_BYTES:
                (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _unsound(uri, file, error) from error
        raise InputError(
            f"Tracking URI {uri!r}: {file} is locked: another program has been writing to it for "
            f"{_LOCKED_S:g} s. Wait for it or end it; the file is as it was."
        ) from error
    except sqlite3.Error as error:
        raise _unsound(uri, file, error) from error
    if tables and not {"experiments", "runs"} <= tables:
        raise InputError(
            f"Tracking URI {uri!r}: {file} is a database of something else than MLflow (tables: "
            f"{', '.join(sorted(tables)[:5])}). Choose another file."
        )


def _unsound(uri: str, file: Path, error: sqlite3.Error) -> InputError:
    return InputError(
        f"Tracking URI {uri!r}: {file} is not a sound sqlite database ({error}). Restore a copy of "
        "it, or choose another file."
    )


def _through_proxy(uri: str) -> bool:
    parts = urlsplit(uri)
    host = parts.hostname or ""
    return parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _check_host(uri: str) -> None:
    """Connect to the URI's host and port, with a timeout.

    A name look-up has none of its own.
    """
    parts = urlsplit(uri)
    host, port = parts.hostname, parts.port or _PORTS[scheme(uri)]
    if not host:
        if scheme(uri) in _DATABASES:
            return  # a local socket: MLflow's own first call will tell
        raise InputError(f"Tracking URI {redact(uri)!r} names no host.")
    failure: list[str] = ["no answer"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_S).close()
            failure.clear()
        except OSError as error:
            failure[:] = [str(error)]

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_S + 1.0)
    if failure:
        raise InputError(unreachable(uri, f"{host}:{port}: {failure[0]}"))


def unreachable(uri: str, why: str) -> str:
    """Message on a server that does not answer, or a locked file."""
    if "database is locked" in why:
        return (
            f"The database of {redact(uri)!r} is locked: another program has it open in the middle "
            "of a change or of a look (a database browser?). Save and close it there, and try "
            "again."
        )
    return (
        f"MLflow cannot be reached at {redact(uri)!r} ({redact(why)}). Start it (mlflow server), "
        "correct --tracking-uri or MLFLOW_TRACKING_URI, or use --tracking-uri sqlite:///mlflow.db."
    )
