"""Calls of MLflow, its errors in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from search.errors import DeliveryRefusedError
from search.redaction import redact

_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"}
_SQL = re.compile(r"\s*\[SQL: .*", re.DOTALL)
_LONGEST_ERROR = 600


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn MLflow's errors into a refusal or an outage."""
    try:
        yield
    except MlflowException as error:
        text = _in_short(redact(str(error)))
        if error.error_code in _REFUSALS:
            raise DeliveryRefusedError(text) from error
        raise ConnectionError(text) from error


def _in_short(text: str) -> str:
    """Leave SQL statements out of an error's text.

    They hold all values of a batch.
    """
    text = _SQL.sub("", text).strip()
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]} ..."
