"""What a situation needs in the folder that the run is started in, made there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.integration.environments.surroundings_of_a_run import ROOT

PACKAGES = ("search", "spaces", "trainables")
STRANGER = 'raise SystemExit("a file of the working directory was imported")\n'

Make = Callable[[Path], None]
"""Makes what a situation needs, given the run's folder."""


def other_checkout(folder: Path) -> None:
    """Another version of foldrace in the working directory: its accuracy is half of ours."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    metric = folder / "trainables" / "metrics" / "accuracy.py"
    text = metric.read_text(encoding="utf-8")
    assert "return float(" in text
    metric.write_text(text.replace("return float(", "return 0.5 * float("), encoding="utf-8")


def files_of_common_names(folder: Path) -> None:
    """A project's files, of which some have the names of packages that workers import."""
    libraries = "ray torch mlflow transformers accelerate datasets pandas random queue yaml"
    own = "evaluate utils config data metrics models test conftest sitecustomize setup"
    for name in (*libraries.split(), *own.split()):
        (folder / f"{name}.py").write_text(STRANGER, encoding="utf-8")
    (folder / "logging.conf").write_text("[loggers]\nkeys=nothing-here\n", encoding="utf-8")
    (folder / ".env").write_text("RAY_ADDRESS=nowhere\n", encoding="utf-8")


def files_with_our_names(folder: Path) -> None:
    for name in PACKAGES:
        (folder / f"{name}.py").write_text(STRANGER, encoding="utf-8")


def packages_with_our_names(folder: Path) -> None:
    for name in PACKAGES:
        (folder / "elsewhere" / name).mkdir(parents=True)
        (folder / "elsewhere" / name / "__init__.py").write_text(STRANGER, encoding="utf-8")


def files_that_cannot_be_read(folder: Path) -> None:
    (folder / "gone.csv").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pyproject.toml")  # nobody writes to it: who opens it waits for ever
    (folder / "private").mkdir(mode=0)
    (folder / "secret.py").touch(mode=0)


def folder(name: str) -> Make:
    def make(place: Path) -> None:
        (place / name).mkdir(parents=True)

    return make


def closed_folder(name: str) -> Make:
    def make(place: Path) -> None:
        (place / name).mkdir(mode=0o500)

    return make


# A library that sits between a program and the system: each file below SLOW takes a tenth of a
# second to open.
_BETWEEN = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void wait_for(const char *path) {
  const char *slow = getenv("SLOW");
  if (slow && path && !strncmp(path, slow, strlen(slow))) usleep(100000);
}
int open64(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  if (!real) real = dlsym(RTLD_NEXT, "open64");
  va_list rest;
  va_start(rest, flags);
  int mode = va_arg(rest, int);
  va_end(rest);
  wait_for(path);
  return real(path, flags, mode);
}
"""


def library_between(place: Path) -> None:
    (place / "between.c").write_text(_BETWEEN, encoding="utf-8")
    command = ["cc", "-shared", "-fPIC", "-o", place / "between.so", place / "between.c", "-ldl"]
    subprocess.run([str(word) for word in command], check=True)
    (place / "home").mkdir()
