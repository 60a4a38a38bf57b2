"""Secrets taken out of what is shown, written down or sent on.

One function for messages, specs, tags, entrypoints and schedules. It knows user names and passwords
of URIs, whatever characters they hold, values of query parameters that are secrets by their name,
and ODBC strings. It rather takes out too much.
"""

from __future__ import annotations

import re

_HIDDEN = "***"
# A database's password may hold slashes and blanks: SQLAlchemy takes it up to the last @.
_DATABASE = r"(?<=://)[^\s/@:]*:[^@\n]*@(?:[^\s/?]*@)*"
_DATABASE_USER = r"(?<=://)[^\s/]*@"
_SERVER = r"(?<=://)(?:[^\s/]*@|[^\s/@:]*:(?!\d+[/?])[^\s@]*@)"
_NAMES = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|token|secret|api_?key|access_?key|credential|signature)"
    r"[\w.-]*|pwd|sig"
)
_VALUE = r"(?:%7B.*?%7D|\{[^}]*\}|(?:(?!%3B)[^&;\s])*)"
_PARAMETER = rf"([?&;]|%3B|odbc_connect=)({_NAMES})(=|%3D){_VALUE}"
_DATABASES = re.compile(r"(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle)[+\w.]*://[^\n]*", re.I)
_IN_A_DATABASE = re.compile(f"{_DATABASE}|{_DATABASE_USER}")
_ELSEWHERE = re.compile(_SERVER)
_PARAMETERS = re.compile(_PARAMETER, re.IGNORECASE)


def redact(text: str) -> str:
    """Remove user names, passwords and other secrets of URIs."""
    text = _DATABASES.sub(lambda match: _IN_A_DATABASE.sub(f"{_HIDDEN}@", match[0]), text)
    text = _ELSEWHERE.sub(f"{_HIDDEN}@", text)
    return _PARAMETERS.sub(rf"\1\2\3{_HIDDEN}", text)


def holds_secret(text: str) -> bool:
    """True for a text that is not for everyone to read."""
    return redact(text) != text
