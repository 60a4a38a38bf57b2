"""A sweep in a TOML file: read, and written.

    version = 1
    data = "reviews.csv"          # beside this file, or a name, or a hub id
    text = "body"
    label = "stars"
    space = "finetune"
    model = "minilm"

    [set]                         # searched, as --set
    learning_rate = [2e-5, 1e-4]
    epochs = "2..10"

    [fix]                         # fixed, as --fix
    batch_size = 32

    [budget]
    max_hours = 2

The names are those of `SweepSpec` and of its data, budget and resources, which may stand at the top
or in tables of their own.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.errors import InputError
from search.formatting import shortened
from search.redaction import holds_secret
from search.spec.make_spec import make_spec
from search.spec.naming import default_name
from search.spec.sweep_spec import Budget, Resources, SweepSpec
from search.tracking_uri import default_tracking_uri
from trainables.engine import registry
from trainables.engine.contract import DataRef

ENDING = ".toml"
VERSION = 1
EXAMPLE = """\
version = 1
data = "reviews.csv"
text = "body"
label = "stars"
space = "finetune"
model = "minilm"

[set]
learning_rate = [2e-5, 1e-4]

[fix]
batch_size = 32

[budget]
max_hours = 2
"""

_MOST_BYTES = 2**20
_PATHS = ("space", "model", "plugin", "configs")
_TABLES: dict[str, tuple[str, ...]] = {
    "data": tuple(field.name for field in dataclasses.fields(DataRef)),
    "budget": tuple(Budget.model_fields),
    "resources": tuple(Resources.model_fields),
}
_TOP = tuple(
    name
    for name in SweepSpec.model_fields
    if name not in {*_TABLES, "set_axes", "fix", "declared", "outer"}
)
# Words of the command line that a spec calls otherwise.
_OTHERWISE = {"set": "set_axes", "compile": "compiled", "clean": "cleaning"}


def is_sweep_file(word: str | None) -> bool:
    """True for a word that names a sweep's file."""
    return word is not None and word.lower().endswith(ENDING)


def read(path: Path, *, from_here: bool = True) -> dict[str, Any]:
    """Read the fields of a SweepSpec.

    Args:
        path: The file.
        from_here: True to count relative paths from its folder; False leaves them as they are.

    Raises:
        InputError: if it is no TOML, of another version, or has fields that no sweep has; the
            message names each with the nearest one, and shows an example.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} has more than {_MOST_BYTES:,} bytes: no sweep's file has.")
        written: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no TOML file: {error}.\n{_example()}") from error
    version = written.pop("version", VERSION)
    if version != VERSION:
        raise InputError(
            f"{path} is of version {version!r}, and this foldrace reads version {VERSION}: write "
            "it anew with `foldrace run ... --save FILE`."
        )
    fields, faults = _sorted(written)
    if faults:
        raise InputError("\n".join([f"{path}:", *faults, _example()]))
    return _from_here(fields, path.resolve().parent) if from_here else fields


def merged(written: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a file, changed by what was typed beside it."""
    fields = dict(written)
    for name, value in typed.items():
        if isinstance(value, Mapping):
            fields[name] = {**fields.get(name, {}), **value}
        else:
            fields[name] = value
    for mine, other in (("set_axes", "fix"), ("fix", "set_axes")):
        for name in typed.get(mine, {}):
            if name not in typed.get(other, {}):
                fields.get(other, {}).pop(name, None)
    for mine, other in (("folds", "holdout"), ("holdout", "folds")):
        if typed.get(mine) is not None:
            fields[other] = None
    return fields


def save(path: Path, spec: SweepSpec) -> None:
    """Write a sweep as a file that `read` reads.

    What is as usual is left out, and so is an address of a ledger with a password.

    Raises:
        InputError: if another file of that name is there, or the spec holds a Space itself.
    """
    if spec.declared is not None:
        raise InputError(
            "A sweep of a Space that was made in Python cannot be saved as TOML: declare the space "
            "in a file, and name that as the plugin."
        )
    if path.exists():
        try:
            read(path)
        except InputError as error:
            raise InputError(f"--save {path}: that file is there, and is no sweep's.") from error
    path.write_text(text_of(spec), encoding="utf-8")


def text_of(spec: SweepSpec) -> str:
    """TOML of a sweep."""
    usual = make_spec(data=spec.data, space=spec.space, model=spec.model)
    top: dict[str, Any] = {"version": VERSION}
    data = {
        name: value
        for name, value in dataclasses.asdict(spec.data).items()
        if value != getattr(DataRef(name=""), name)
    }
    data["name"] = spec.data.name
    for name in _TOP:
        value = getattr(spec, name)
        as_usual = value == getattr(usual, name) and name not in ("space", "model")
        if value is None or as_usual or (name == "folds" and spec.holdout is not None):
            continue
        top[name] = value
    if spec.tracking_uri == default_tracking_uri() or holds_secret(spec.tracking_uri):
        top.pop("tracking_uri", None)
    if spec.name == default_name(spec.space, spec.data, spec.model, spec.train_rows):
        top.pop("name", None)
    tables: dict[str, Mapping[str, Any]] = {
        "data": data,
        "set": {
            name: [_plain(spec, name, value) for value in values]
            for name, values in spec.set_axes.items()
        },
        "fix": {name: _plain(spec, name, value) for name, value in spec.fix.items()},
    }
    for name in ("budget", "resources"):
        own, others = getattr(spec, name), getattr(usual, name)
        tables[name] = {
            field: value
            for field, value in own
            if value is not None and value != getattr(others, field)
        }
    lines = [f"{_key(name)} = {_value(value)}" for name, value in top.items()]
    for name, table in tables.items():
        if table:
            lines += ["", f"[{name}]"]
            lines += [f"{_key(field)} = {_value(value)}" for field, value in table.items()]
    return "\n".join(lines) + "\n"


def _plain(spec: SweepSpec, name: str, value: Any) -> Any:
    """A typed word as a number, where its parameter is one."""
    try:
        kinds = registry.load("spaces", spec.space, "SPACE").kinds.get(_word(name), frozenset())
    except InputError:  # of a plugin: the word does as well
        return value
    if not isinstance(value, str) or str in kinds:
        return value
    for kind in (int, float):
        if kind in kinds:
            try:
                number = kind(value)
            except ValueError:
                continue
            if math.isfinite(number):
                return number
    return value


def _sorted(written: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Put each name where SweepSpec has it; collect faults."""
    fields: dict[str, Any] = {}
    faults: list[str] = []
    flat = {field: table for table, names in _TABLES.items() for field in names if field != "name"}
    for given, value in written.items():
        name = _word(given)
        if name == "data" and isinstance(value, str):
            fields.setdefault("data", {})["name"] = value
        elif name in (*_TABLES, "set_axes", "fix"):
            part, wrong = _table(given, name, value)
            fields[name] = {**fields.get(name, {}), **part}
            faults += wrong
        elif name in _TOP:
            fields[name] = value
        elif name in flat:
            fields.setdefault(flat[name], {})[name] = value
        else:
            faults.append(f"  {given}: {_unknown(name, value, written, [*_TOP, *flat, *_TABLES])}")
    return fields, faults


def _table(given: str, name: str, value: Any) -> tuple[dict[str, Any], list[str]]:
    """Fields of a table, and its faults."""
    if not isinstance(value, Mapping):
        shown = shortened(repr(value), 40)
        return {}, [f"  {given}: a table, [{given}] and below it name = value, got {shown}"]
    if name == "fix":
        return dict(value), []
    if name == "set_axes":
        return {key: _searched(part) for key, part in value.items()}, []
    known = _TABLES[name]
    wrong = [
        f"  {given}.{key}: no field.{registry.hint(_word(key), known)}"
        for key in value
        if _word(key) not in known
    ]
    return {_word(key): part for key, part in value.items() if _word(key) in known}, wrong


def _unknown(name: str, value: Any, written: Mapping[str, Any], known: list[str]) -> str:
    """Advice on a name that no sweep has."""
    space = written.get("space", "finetune")
    try:
        values = registry.load("spaces", str(space), "SPACE").kinds
    except InputError:
        values = {}
    if name in values:
        table = "set" if isinstance(value, list) else "fix"
        return f"a value of the space: it stands below [{table}]"
    near = registry.hint(name, [*known, "set", "fix", *values])
    return f"no field of a sweep.{near}"


def _word(name: str) -> str:
    word = name.replace("-", "_")
    return _OTHERWISE.get(word, word)


def _searched(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list) else (value,)


def _from_here(fields: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make paths absolute that lie beside the file."""

    def placed(value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return value
        path = folder / Path(value).expanduser()
        file = path.suffix != "" or len(Path(value).parts) > 1
        return str(path) if file and path.exists() else value

    for name in _PATHS:
        if name in fields:
            fields[name] = placed(fields[name])
    if "name" in fields.get("data", {}):
        fields["data"]["name"] = placed(fields["data"]["name"])
    return fields


def _example() -> str:
    return "\n".join(["An example:", *(f"  {line}".rstrip() for line in EXAMPLE.splitlines())])


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """TOML of a value; None is the word none."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return "".join(_characters(json.dumps(value, ensure_ascii=False)))
    return f"[{', '.join(map(_value, value))}]"


def _characters(text: str) -> Iterator[str]:
    """Escape what JSON leaves and TOML does not take."""
    for character in text:
        code = ord(character)
        yield f"\\u{code:04x}" if code == 0x7F else character
