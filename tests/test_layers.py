"""The layers of the house: each package imports only those below it.

Imports are counted wherever they stand: at the top, inside a function, under TYPE_CHECKING, and in
`import_module("...")`.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("search", "spaces", "trainables")
FILES = sorted(
    path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")
)

# Package -> what no file of it may import.
FORBIDDEN = {
    "spaces": {"torch", "ray", "mlflow", "trainables", "search"},  # but for SHARED
    "trainables": {"ray", "mlflow", "search", "spaces"},
}
# All may raise the project's errors; the module imports nothing of the project.
SHARED = "trainables.engine.errors"
# Module -> the only files that may import it.
ONLY = {
    "mlflow": {path for path in FILES if path.startswith("search/tracking/")},
    "ray": {path for path in FILES if path.startswith(("search/execution/", "search/cluster/"))},
}
# Decisions are pure: these may import the standard library, PURE_LIBRARIES and one another.
PURE = [path for path in FILES if path.startswith(("search/stats/", "search/strategies/"))]
PURE_MODULES = {"search.arrays", "search.errors"}
PURE_LIBRARIES = {"numpy", "scipy", "optuna"}
# From the ground up: a file imports its own package and those above its own line.
LAYERS = [
    "trainables.engine.errors",
    "trainables.engine.file_kind",
    "trainables.engine.arrays",
    "spaces",
    "trainables.engine.seeding",
    "trainables.engine.progress",
    "trainables.engine.contract",
    "trainables.engine.keys",
    "trainables.engine.cache",
    "trainables.engine.registry",
    "trainables.engine.meanings",
    "trainables.engine.text_data",
    "trainables.engine.config",
    "trainables.metrics",
    "trainables.engine.splits",
    "trainables.engine.tables",
    "trainables.engine.images",
    "trainables.engine.datasets",
    "trainables.engine.model_checks",
    "trainables.engine.models",
    "trainables.engine.inputs",
    "trainables.engine.features",
    "trainables.engine.training",
    "trainables.engine.stacking",
    "trainables.engine.functions",
    "trainables.engine.cells",
    "trainables.engine.refit",
    "trainables.losses",
    "trainables.cleaning",
    "trainables.encoders",
    "trainables.data",
    "trainables.representations",
    "trainables.analysis",
    "trainables",
    "search.errors",
    "search.formatting",
    "search.arrays",
    "search.checks",
    "search.redaction",
    "search.tracking_uri",
    "search.strategies",
    "search.stats",
    "search.spec",
    "search.process",
    "search.ledger",
    "search.tracking",
    "search.execution",
    "search.functions",
    "search.planning",
    "search.results",
    "search.sweep",
    "search.comparison",
    "search.cluster",
    "search.benchmark",
    "search.console",
    "search.report",
    "search.serving",
    "search.analysis",
    "search.schedule",
    "search.api",
    "search.doctor",
    "search.completion",
    "search.commands",
    "search.usage",
    "search.cli",
    "search",
]
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc"}
HEAVY = ("torch", "ray", "mlflow", "pandas", "transformers", "accelerate", "datasets", "sklearn")


def imported(source: str) -> Iterator[str]:
    """Full names of the modules that a source file imports; `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0] if node.args else None
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield str(first.value)


@cache
def imports_of(path: str) -> frozenset[str]:
    return frozenset(imported((ROOT / path).read_text(encoding="utf-8")))


def tops_of(path: str) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def files_of(package: str) -> list[str]:
    return [path for path in FILES if path.startswith(f"{package}/")]


def names_a_drawer(path: str) -> bool:
    return any(part.removesuffix(".py").strip("_") in DRAWERS for part in Path(path).parts)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import ray.tune as t, os", {"ray.tune", "os"}),
        ("from ray import tune", {"ray", "ray.tune"}),
        (
            "def f():\n    from search.planning.plan import Plan",
            {"search.planning.plan", "search.planning.plan.Plan"},
        ),
        ("if TYPE_CHECKING:\n    import torch", {"torch"}),
        ("importlib.import_module('mlflow')", {"mlflow"}),
        ("__import__('mlflow')", {"mlflow"}),
        ("from . import x", {".", "..x"}),
        ("name = 'import ray'  # import ray", set()),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, names: set[str]) -> None:
    assert set(imported(source)) == names


def test_the_guards_read_every_file_on_disk() -> None:
    walked = {
        (Path(folder) / name).relative_to(ROOT).as_posix()
        for package in PACKAGES
        for folder, _, names in os.walk(ROOT / package)
        for name in names
        if name.endswith(".py")
    }
    assert walked == set(FILES)
    assert all(len(files_of(package)) > 5 for package in PACKAGES)
    assert sum(len(files_of(package)) for package in PACKAGES) == len(FILES)
    assert all(
        owner in FILES for owner in ("search/tracking/client.py", "search/execution/tuner.py")
    )


def test_the_pure_files_are_all_there() -> None:
    folders = (ROOT / "search/strategies", ROOT / "search/stats")
    on_disk = {p.relative_to(ROOT).as_posix() for folder in folders for p in folder.rglob("*.py")}
    assert set(PURE) == on_disk
    assert len(on_disk) > 15


def test_every_package_of_the_house_is_guarded() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(PACKAGES)
    assert set(FORBIDDEN) == set(PACKAGES) - {"search"}


@pytest.mark.parametrize("path", files_of("spaces") + files_of("trainables"))
def test_a_layer_knows_nothing_of_those_it_carries(path: str) -> None:
    known = {
        name
        for name in imports_of(path)
        if not (path.startswith("spaces/") and f"{name}.".startswith(f"{SHARED}."))
    }
    tops = {name.split(".")[0] for name in known}
    assert tops & FORBIDDEN[path.split("/", maxsplit=1)[0]] == set()


def test_the_errors_that_all_raise_import_nothing() -> None:
    assert tops_of("trainables/engine/errors.py") == {"__future__"}
    assert tops_of("search/errors.py") == {"__future__", "trainables"}
    assert any(SHARED in imports_of(path) for path in files_of("spaces"))


@pytest.mark.parametrize("module", sorted(ONLY))
def test_a_library_is_spoken_to_in_one_place(module: str) -> None:
    speakers = {path for path in FILES if module in tops_of(path)}
    assert speakers, f"no file imports {module}: this guard guards nothing"
    assert speakers <= ONLY[module]


@pytest.mark.parametrize("path", PURE)
def test_decisions_stand_on_numbers_alone(path: str) -> None:
    own = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in PURE}
    own |= PURE_MODULES
    foreign = {
        name
        for name in imports_of(path)
        if name.split(".")[0] not in PURE_LIBRARIES | sys.stdlib_module_names
        # `from search import stats` names the package on the way.
        and not any(name == module or name.startswith(f"{module}.") for module in own)
        and name != "search"
    }
    assert foreign == set()


@pytest.mark.parametrize("path", FILES)
def test_imports_are_absolute(path: str) -> None:
    assert not [name for name in imports_of(path) if name.startswith(".")]


@pytest.mark.parametrize(
    ("path", "drawer"),
    [
        ("search/utils.py", True),
        ("search/_helpers.py", True),
        ("trainables/common/batch.py", True),
        ("tests/misc/test_x.py", True),
        ("search/utility_of_a_config.py", False),
    ],
)
def test_a_drawer_is_known_by_its_name(path: str, drawer: bool) -> None:
    assert names_a_drawer(path) is drawer


MODULES = {
    path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES
}


@cache
def neighbours(path: str) -> frozenset[str]:
    """The files of the house that a file imports."""
    names = imports_of(path) & MODULES.keys()
    # `from search import spec` names the package on the way to the module.
    ends = {name for name in names if not any(other.startswith(f"{name}.") for other in names)}
    return frozenset(MODULES[name] for name in ends) - {path}


def layer_of(path: str) -> int:
    name = next(name for name, file in MODULES.items() if file == path)
    homes = [layer for layer in LAYERS if name == layer or name.startswith(f"{layer}.")]
    assert homes, f"{path} stands in no layer: add its package to LAYERS"
    return LAYERS.index(max(homes, key=len))


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_lies_below_it(path: str) -> None:
    above = {other for other in neighbours(path) if layer_of(other) > layer_of(path)}
    assert above == set()


def test_every_layer_is_there() -> None:
    assert [layer for layer in LAYERS if layer not in MODULES] == []


def test_files_import_one_another_in_no_circle() -> None:
    order = TopologicalSorter({path: neighbours(path) for path in FILES})
    order.prepare()  # raises CycleError, which names the circle


def test_no_room_has_more_than_twelve_modules() -> None:
    rooms: dict[str, int] = {}
    for path in FILES:
        folder, _, name = path.rpartition("/")
        if name != "__init__.py":
            rooms[folder] = rooms.get(folder, 0) + 1
    # One command, data set ... a file: their listing is their contents.
    listings = {"search/commands", "trainables", "spaces"} | {
        folder for folder in rooms if folder.count("/") == 1 and folder.startswith("trainables/")
    }
    listings.discard("trainables/engine")
    assert {folder: count for folder, count in rooms.items() if count > 12} == {
        folder: count for folder, count in rooms.items() if count > 12 and folder in listings
    }


def test_there_are_no_drawers() -> None:
    tests = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]
    assert "tests/test_layers.py" in tests
    assert [path for path in FILES + tests if names_a_drawer(path)] == []


@pytest.mark.parametrize(
    "module",
    [
        "spaces.softtriple",
        "spaces.smoke",
        "trainables.engine.contract",
        "trainables.engine.keys",
        "search.cli",
        "search.strategies.strategy",
    ],
)
def test_what_is_imported_to_answer_quickly_loads_nothing_heavy(module: str) -> None:
    program = (
        f"import sys, {module}\n"
        f"assert {module!r} in sys.modules\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
