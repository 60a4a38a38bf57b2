"""Tells somebody of a sweep that failed, once for each reason.

The URL is apprise's: mail, Slack, Teams, webhooks and a hundred others. It holds passwords and
tokens, so no message and no file repeats it.
"""

from __future__ import annotations

import hashlib
import json
import socket
import warnings
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from search.errors import InputError
from search.schedule.quiet import FOLDER

if TYPE_CHECKING:
    from apprise import Apprise

_AGAIN = timedelta(hours=24)


def check(url: str) -> None:
    """Refuse a URL that apprise does not know.

    Raises:
        InputError: if it is none, or apprise is not installed.
    """
    _service(url)


def tell(url: str, name: str, detail: str, now: datetime) -> str | None:
    """Tell of a failure, unless the same was told within a day.

    Args:
        url: URL of apprise.
        name: Name of the entry.
        detail: What failed.
        now: The time.

    Returns:
        What happened, in words; None where nothing was to be told.

    Raises:
        InputError: as `check`.
    """
    note = FOLDER / f"{name}.told"
    key = hashlib.sha256(detail.encode()).hexdigest()
    try:
        last = json.loads(note.read_text(encoding="utf-8"))
        if last["key"] == key and now - datetime.fromisoformat(last["at"]) < _AGAIN:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing was told yet
    title = f"foldrace: sweep {name} failed"
    body = f"{detail}\n\non {socket.gethostname()}, {now.isoformat(timespec='seconds')}"
    if not _service(url).notify(title=title, body=body):
        return "nobody could be told: the service of `notify` did not take the message"
    FOLDER.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"key": key, "at": now.isoformat()}), encoding="utf-8")
    return "told by `notify`"


def forget(name: str) -> None:
    """Forget what was told of an entry: it works again."""
    (FOLDER / f"{name}.told").unlink(missing_ok=True)


def _service(url: str) -> Apprise:
    import logging

    try:
        from apprise import Apprise
    except ImportError as error:
        raise InputError("notify wants apprise: pip install 'foldrace[notify]'.") from error
    # It logs URLs, and says in words of its own what the exit of `notify` says.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of services that nobody asked for, as it looks for them
        known = service.add(url)
    if not known:
        kind = url.partition("://")[0]
        raise InputError(
            f"notify: apprise knows no such URL ({kind}://...); "
            "https://github.com/caronc/apprise/wiki lists them."
        )
    return service
