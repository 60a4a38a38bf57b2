"""The names that a user imports: all there, light until used, and their example runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
from optuna.distributions import CategoricalDistribution

import search
import spaces
import trainables
from search.planning.chosen_space import narrowed_space
from spaces.schema.space import Axis, Space

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "ray", "mlflow", "pandas", "pydantic", "transformers")
FACADES = (search, spaces, trainables)


def example_of(docstring: str | None) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", docstring or "", re.DOTALL)
    return textwrap.dedent(code)


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.__name__)
def test_every_public_name_is_there_and_is_listed(facade: ModuleType) -> None:
    names: list[str] = facade.__all__
    assert all(getattr(facade, name) is not None for name in names)
    assert set(names) <= set(dir(facade))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(facade, "nothing")  # noqa: B009


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.__name__)
def test_types_travel_with_the_package(facade: ModuleType) -> None:
    assert Path(facade.__file__).with_name("py.typed").is_file()


@pytest.mark.parametrize("name", ["search", "spaces", "trainables"])
def test_importing_a_facade_imports_nothing_heavy(name: str) -> None:
    code = f"import sys, {name}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.returncode) == ([], 0), done.stderr


@pytest.mark.integration
def test_the_example_of_search_runs(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(example_of(search.__doc__), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 configs" in done.stdout
    # The paper's own rate is the baseline: its cells and those of the others are 3 each.
    assert len(re.findall(r"0\.001|0\.1", done.stdout)) == 2


def test_a_space_may_be_given_itself() -> None:
    space = Space(
        name="mine",
        trainable="linear_eval",
        source="my own",
        axes=(Axis(name="epochs", distribution=CategoricalDistribution([2, 5])),),
        fixed={},
    )
    spec = search.SweepSpec(space=space, data="trec-1k", model="minilm")
    assert (spec.space, spec.name) == ("mine", "mine-trec-1k-minilm")
    saved = search.SweepSpec.model_validate_json(spec.model_dump_json())
    assert saved == spec
    assert narrowed_space(saved) == space
