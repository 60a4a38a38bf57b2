"""Registered models: folders as versions in MLflow's registry."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from search.errors import LedgerError
from search.redaction import redact
from search.tracking import client as mlflow_store  # noqa: F401  (sets MLflow's environment before its first use)
from search.tracking_uri import sqlite_file

ALIAS = "champion"
_CODE = Path(__file__).parent / "pyfunc"
_TYPES = {"words": "string", "number": "double", "whole": "double", "logical": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Contents of a model's folder, as MLflow is told of them.

    Attributes:
        code: File of `tracking/pyfunc` that loads it.
        inputs: Kind of each column that it may be given: words, number, whole or logical.
        needed: Columns that it must be given.
        classes: Class names by id; none where it answers with a number.
        needs: Installed packages, pinned.
        example: A few rows by column.
    """

    code: str
    inputs: Mapping[str, str]
    needed: Sequence[str]
    classes: Sequence[str]
    needs: Sequence[str]
    example: pd.DataFrame

    @classmethod
    def of_texts(
        cls,
        classes: Sequence[str],
        example: Mapping[str, Sequence[str]],
        *,
        adapters: bool = False,
    ) -> Contents:
        """Return those of a Hugging Face folder with its tokenizer.

        Args:
            classes: Class names by id.
            example: A few rows by column: `text`, and `text_b` for pairs.
            adapters: True where the folder is one of peft.
        """
        packages = ["torch", "transformers", "pandas", *(["peft"] if adapters else [])]
        return cls(
            code="text_classifier.py",
            inputs=dict.fromkeys(example, "words"),
            needed=list(example),
            classes=classes,
            needs=[f"{part}=={version(part)}" for part in packages],
            example=pd.DataFrame(dict(example)),
        )

    @property
    def signature(self) -> ModelSignature:
        """Types of what goes in and what comes out."""
        inputs: list[ColSpec | TensorSpec] = [
            ColSpec(_TYPES[kind], name, required=name in self.needed)
            for name, kind in self.inputs.items()
        ]
        outputs: list[ColSpec | TensorSpec] = [
            ColSpec("string", "label"),
            ColSpec("double", "probability"),
        ]
        outputs += [ColSpec("double", f"p_{name}") for name in self.classes]
        if not self.classes:
            outputs = [ColSpec("double", "prediction")]
        return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version of a registered model.

    Attributes:
        name: Name of the model.
        version: Number of the version.
        tags: Tags that `register` was given.
        champion: True where the version has the alias.
    """

    name: str
    version: int
    tags: Mapping[str, str]
    champion: bool

    @property
    def uri(self) -> str:
        """Address for `mlflow models serve --model-uri`."""
        return f"models:/{self.name}/{self.version}"


@contextmanager
def _at(uri: str) -> Iterator[MlflowClient]:
    """Point MLflow's own model calls to a URI, and make a client.

    They use the URI that is set for the process.
    """
    file = sqlite_file(uri)
    absolute = uri if file is None else f"sqlite:///{file}"
    # Both calls below set these for child processes, too, and nobody else is to see that.
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    before = {name: os.environ.get(name, None) for name in names}
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    mlflow.set_tracking_uri(absolute)
    mlflow.set_registry_uri(absolute)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield MlflowClient(absolute, absolute)
    except MlflowException as error:
        raise LedgerError(f"{redact(uri)} refused the model: {redact(str(error))}") from error
    finally:
        mlflow.set_tracking_uri(before[names[0]])  # type: ignore[arg-type]
        mlflow.set_registry_uri(before[names[1]])  # type: ignore[arg-type]
        for name in names:
            if before[name] is None:
                os.environ.pop(name, None)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def model_name(name: str) -> str:
    """Name of a sweep as the registry takes it."""
    return name.replace("/", "-").replace(":", "-")


def register(
    uri: str,
    run_id: str,
    folder: Path,
    name: str,
    *,
    contents: Contents,
    tags: Mapping[str, str],
    about: str,
) -> Registered:
    """Register a folder as the next version of a model.

    Args:
        uri: Tracking URI.
        run_id: Run id of the sweep.
        folder: Folder of the model.
        name: Name of the registered model; made if need be.
        contents: What the folder holds.
        tags: Tags of the version.
        about: Its description, Markdown.

    Raises:
        LedgerError: if MLflow refuses.
    """
    name = model_name(name)
    with _at(uri) as client:
        logged = Model.log(
            None,
            mlflow.pyfunc,
            name="model",
            run_id=run_id,
            python_model=str(_CODE / contents.code),
            artifacts={"model": str(folder)},
            signature=contents.signature,
            input_example=contents.example,
            pip_requirements=[f"mlflow=={version('mlflow')}", *contents.needs],
            registered_model_name=name,
        )
        number = int(logged.registered_model_version)
        client.update_model_version(name, str(number), description=about)
        for key, value in tags.items():
            client.set_model_version_tag(name, str(number), key, value)
    return Registered(name=name, version=number, tags=dict(tags), champion=False)


def set_champion(uri: str, model: Registered) -> Registered:
    """Move the alias `champion` to a version.

    Raises:
        LedgerError: if MLflow refuses.
    """
    with _at(uri) as client:
        client.set_registered_model_alias(model.name, ALIAS, str(model.version))
    return Registered(name=model.name, version=model.version, tags=model.tags, champion=True)


def names(uri: str) -> list[str]:
    """Names of the registered models, a page of them.

    Raises:
        LedgerError: if MLflow refuses.
    """
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        return []  # MLflow would make one
    with _at(uri) as client:
        return [str(model.name) for model in client.search_registered_models(max_results=100)]


def versions(uri: str, name: str) -> list[Registered]:
    """All versions of a model, newest first; none without the model.

    Raises:
        LedgerError: if MLflow refuses.
    """
    name = model_name(name)
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        return []  # MLflow would make one
    with _at(uri) as client:
        quoted = name.replace("'", "''")
        entries = client.search_model_versions(f"name='{quoted}'")
        champion = ""
        if entries:
            aliases = client.get_registered_model(name).aliases
            champion = str(aliases.get(ALIAS, ""))
        models = [
            Registered(
                name=name,
                version=int(entry.version),
                tags=dict(entry.tags),
                champion=str(entry.version) == champion,
            )
            for entry in entries
        ]
    return sorted(models, key=lambda entry: -entry.version)


def made_of(uri: str, run_ids: Sequence[str]) -> dict[str, str]:
    """Newest registered model that is made of each run, by run id.

    Raises:
        LedgerError: if MLflow refuses.
    """
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        return {}  # MLflow would make one
    made = {}
    with _at(uri) as client:
        for run_id in run_ids:
            entries = [
                entry
                for wanted in (f"run_id = '{run_id}'", f"tags.sweep = '{run_id}'")
                for entry in client.search_model_versions(wanted)
            ]
            if entries:
                newest = max(entries, key=lambda entry: int(entry.version))
                made[run_id] = f"{newest.name!r} version {newest.version}"
    return made


def load(uri: str, registered: Registered) -> Callable[[Mapping[str, Sequence[Any]]], pd.DataFrame]:
    """Load a model that maps columns to answers.

    It is code and weights, and its code runs in this process: the registry is trusted.

    Raises:
        LedgerError: if MLflow refuses.
    """
    with _at(uri):
        model: Any = mlflow.pyfunc.load_model(registered.uri)

    def predict(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
        answer: pd.DataFrame = model.predict(pd.DataFrame(dict(columns)))
        return answer

    return predict
