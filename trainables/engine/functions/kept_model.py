"""A fitted model in a folder, with its source and columns."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from trainables.engine.contract import DataRef
from trainables.engine.datasets.frames.whole import text_column
from trainables.engine.errors import ConfigError
from trainables.engine.functions.declaration import Pair
from trainables.engine.functions.rows import Rows
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    import pandas as pd

PICKLE, ABOUT = "model.pkl", "columns.json"
_TRIED = 50  # rows that the pickled model is asked again
_TOLERANCE = 1e-6
_KINDS = {"i": "whole", "u": "whole", "f": "number", "b": "logical"}


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns that new rows have.

    Attributes:
        kinds: Kind of each column of the frame: whole, number, logical or words.
        answer: Column to predict.
        text: Column of the text; None for rows of numbers and words.
        text_b: Column of the second text, for pairs.
        classes: Class names by id; none for a target.
        target: True where a number is predicted.
    """

    kinds: Mapping[str, str]
    answer: str
    text: str | None
    text_b: str | None
    classes: tuple[str, ...]
    target: bool

    @classmethod
    def of(cls, data: TextData, ref: DataRef) -> Columns:
        """Return those of a data set."""
        rows = Rows.of(data, np.arange(len(data)))
        own = data.frame is not None
        return cls(
            kinds={
                str(name): _KINDS.get(dtype.kind, "words")
                for name, dtype in rows.frame.dtypes.items()
            },
            answer=str(data.answer) if own else "label",
            text=None if data.tabular else text_column(ref, data) if own else "text",
            text_b=None if data.texts_b is None else ref.text_b if own else "text_b",
            classes=rows.classes,
            target=data.target is not None,
        )

    @property
    def needed(self) -> dict[str, str]:
        """Kinds of the columns that a new row must have.

        A function of texts may read further ones, which are missing where they are not given.
        """
        if self.text is None:
            return {name: kind for name, kind in self.kinds.items() if name != self.answer}
        return {name: "words" for name in (self.text, self.text_b) if name is not None}

    def to_json(self) -> dict[str, Any]:
        """Return as plain values."""
        return {
            "columns": dict(self.kinds),
            "answer": self.answer,
            "text": self.text,
            "text_b": self.text_b,
            "classes": list(self.classes),
            "target": self.target,
        }


def save(
    folder: Path,
    module: ModuleType,
    pair: Pair,
    model: Any,
    columns: Columns,
    ask: Callable[[Pair, Any], Any],
) -> None:
    """Write a fitted model, checked by being read again.

    Args:
        folder: Folder to write, made if need be.
        module: The user's file, imported.
        pair: Its functions.
        model: What `fit` returned.
        columns: Columns of the rows.
        ask: Predictions of some rows by a pair and a model.

    Raises:
        ConfigError: for a model that cannot be pickled, or says something else afterwards.
    """
    with _by_value(module):
        try:
            text = cloudpickle.dumps((pair.predict, model))
            predict, again = cloudpickle.loads(text)
        except Exception as error:
            raise ConfigError(
                f"fit returned a {type(model).__name__} that cannot be kept "
                f"({type(error).__name__}: {error}): return what can be pickled, and make the rest "
                "in predict."
            ) from error
    before, after = ask(pair, model), ask(Pair(pair.fit, predict), again)
    if not np.allclose(before, after, atol=_TOLERANCE):
        raise ConfigError(
            f"The model that fit returned says something else once it is pickled: up to "
            f"{float(np.abs(before - after).max()):.2g} in {len(before):,} rows. Does predict draw "
            "random numbers, or read what is outside of the model?"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICKLE).write_bytes(text)
    (folder / ABOUT).write_text(json.dumps(columns.to_json(), indent=1), encoding="utf-8")
    shutil.copyfile(str(module.__file__), folder / Path(str(module.__file__)).name)


def tried(data: TextData) -> Any:
    """Places of the rows that a model is asked before and after."""
    return np.arange(min(_TRIED, len(data)))


@contextmanager
def _by_value(module: ModuleType) -> Iterator[None]:
    """Pickle a file's code itself, and that of modules beside it."""
    beside = (sys.modules.get(name) for name in _imported(module) if name not in _installed())
    with ExitStack() as stack:
        for own in (module, *beside):
            if own is not None:
                cloudpickle.register_pickle_by_value(own)
                stack.callback(cloudpickle.unregister_pickle_by_value, own)
        yield


def requirements(module: ModuleType) -> list[str]:
    """Return the installed packages that a file imports, pinned."""
    found = {name for imported in _imported(module) for name in _installed().get(imported, ())} | {
        "cloudpickle",
        "numpy",
        "pandas",
    }
    return [f"{name}=={metadata.version(name)}" for name in sorted(found, key=str.lower)]


@cache
def _installed() -> Mapping[str, list[str]]:
    return {**{name: [] for name in sys.stdlib_module_names}, **metadata.packages_distributions()}


def _imported(module: ModuleType) -> set[str]:
    """Names of the top packages that a file imports, wherever it does."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def example(data: TextData, columns: Columns, rows: int) -> pd.DataFrame:
    """Return the first rows, without the answer."""
    frame = Rows.of(data, np.arange(min(rows, len(data)))).features
    numbers = [name for name, kind in columns.kinds.items() if kind in ("whole", "number")]
    return frame.astype({name: "float64" for name in numbers if name in frame})
