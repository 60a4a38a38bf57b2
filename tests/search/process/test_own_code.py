"""Which code makes a cell's numbers: told by its syntax, and the same for workers, or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ray import cloudpickle

from search.process import own_code

LOSS = "import torch\n\ndef LOSS(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    "same",
    [
        LOSS.replace("import torch\n", "import torch  # tensors\n\n\n"),
        '"""A study."""\n' + LOSS,
        LOSS.replace("return", '"""Doubled."""\n    return'),
        LOSS + "\nSPACE = [1, 2]\nDATASET = 'x.csv'\n",
    ],
)
def test_comments_spaces_and_data_change_no_plugins_digest(same: str) -> None:
    assert own_code.of_plugin(same) == own_code.of_plugin(LOSS) != ""


@pytest.mark.parametrize(
    "other",
    [
        LOSS.replace("2 * x", "3 * x"),
        LOSS.replace("2 * x", "2.0 * x"),
        LOSS.replace("return 2 * x", "return x * 2"),
        LOSS + "\nHALF = 0.5\n",
        LOSS.replace("import torch", "import numpy as torch"),
    ],
)
def test_what_may_change_a_number_changes_the_digest(other: str) -> None:
    assert own_code.of_plugin(other) != own_code.of_plugin(LOSS)


def test_a_file_that_only_declares_spaces_and_data_makes_no_numbers() -> None:
    assert own_code.of_plugin("from spaces.schema.space import Space\nSPACE = Space()\n") == ""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with packages of our names that say so when they are imported."""
    for name in own_code.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("STRANGER = True\n")
    return tmp_path


def in_a_worker(checkout: Path, before: str, digest: str | None = None) -> str:
    """What a function of ours comes to in a process that finds the checkout first."""
    carried = own_code.carried(
        "search.formatting:duration", lambda fault: f"refused: {fault}", same_machine=False
    )
    if digest is not None:
        cell = dict(zip(carried.__code__.co_freevars, carried.__closure__ or (), strict=True))
        cell["expected"].cell_contents = digest
    file = checkout / "sent"
    file.write_bytes(cloudpickle.dumps(carried))
    program = (
        f"import sys; sys.path.insert(0, {str(checkout)!r}); {before}\n"
        f"from ray import cloudpickle; from pathlib import Path\n"
        f"print(cloudpickle.loads(Path({str(file)!r}).read_bytes())(90))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_worker_runs_the_drivers_code_wherever_it_looks_first(checkout: Path) -> None:
    assert in_a_worker(checkout, "") == "90 s\n"


@pytest.mark.parametrize("package", own_code.PACKAGES)
def test_a_worker_that_has_other_code_already_refuses(checkout: Path, package: str) -> None:
    said = in_a_worker(checkout, f"import {package}")
    assert said.startswith("refused: ")
    assert str(checkout) in said


def test_a_worker_of_another_version_refuses_with_both_digests(checkout: Path) -> None:
    said = in_a_worker(checkout, "", digest="0" * 16)
    assert said.startswith("refused: A worker has other code than the driver")
    assert own_code.numbers() in said
    assert "0" * 16 in said


def test_a_stranger_of_our_packages_name_is_named(checkout: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(checkout)!r}); import spaces; del sys.path[0]; "
    done = subprocess.run(
        [sys.executable, "-c", program + "import search"],
        cwd=own_code.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{checkout}/spaces/__init__.py was imported under that name before" in done.stderr
