"""Addresses that a user gives, judged by their form alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from search.checks import Word


def url_fault(text: str, schemes: Collection[str], *, path: bool = True) -> str | None:
    """Reason why a text is no such address; None if it is.

    The text is not part of the reason: it may hold a password.

    Args:
        text: As it was given.
        schemes: Schemes that it may have.
        path: True if something may follow the port.
    """
    if text != text.strip() or not text.isprintable() or " " in text:
        return "it holds blanks or characters that no address has"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in schemes:
        return f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if not host:
        return "it names no host"
    if not path and (parts.path not in ("", "/") or parts.query or parts.fragment):
        return "nothing may follow its host and port"
    return None


class RayAddress(Word):
    """Check of the place where Ray runs."""

    def fault(self, value: str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        if value in ("local", "auto") or url_fault(value, ("ray",)) is None or _is_head(value):
            return None
        return f"must be local, auto, ray://HOST:10001 or HOST:6379, got {value[:80]!r}"


def _is_head(value: str) -> bool:
    """True for HOST:PORT, where a cluster's head listens."""
    _, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or "/" in value:
        return False
    return url_fault(f"ray://{value}", ("ray",)) is None


class Dashboard(Word):
    """Check of the address of a cluster's dashboard."""

    def fault(self, value: str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        if "@" in value:
            return "must hold no password: set RAY_AUTH_TOKEN"
        fault = url_fault(value, ("http", "https"), path=False)
        if fault is None:
            return None
        return f"must be the dashboard's URL, http://HEAD:8265, got {value[:80]!r}: {fault}"


class Host(Word):
    """Check of an address that a server is to listen on."""

    def fault(self, value: str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        if value == value.strip("[]") and re.fullmatch(r"[A-Za-z0-9._:%-]{1,253}", value):
            return None
        return f"must be a name or an address of this machine, got {value[:80]!r}"


RAY_ADDRESS = RayAddress()
DASHBOARD = Dashboard()
HOST = Host()
