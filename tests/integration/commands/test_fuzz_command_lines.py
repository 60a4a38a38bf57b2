"""Whatever is typed, a command ends with 0 or 2, and what it says is for people."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings

from search import cli
from search.errors import InputError
from tests.command_lines import EXAMPLES, command_lines, make_files, schedules
from trainables.engine import registry

pytestmark = pytest.mark.integration

# What costs minutes, or never ends: there all checks of a command are behind it.
_WORK = (
    "search.sweep.run.run",
    "search.sweep.prune.prune",
    "search.planning.cost.estimate.estimate",
    "search.serving.promote.promote",
    "search.serving.predict.predict",
    "search.analysis.explain.explain",
    "search.analysis.ensembles.ensemble_document",
    "search.report.keep.write",
    "search.benchmark.replay.judge",
    "search.cluster.submit.client_of",
    "search.schedule.tick.tick",
    "search.schedule.tick.tick_entry",
    "search.process.child_server.serve_until_ended",
)
FUZZ = settings(
    max_examples=EXAMPLES or 100,
    deadline=None,
    derandomize=not EXAMPLES,  # a long run looks elsewhere each time
    suppress_health_check=list(HealthCheck),
)


def _work(*_: Any, **__: Any) -> NoReturn:
    raise InputError("the work would begin here")


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> Iterator[Path]:
    """A folder with a finished sweep, and with files of all kinds."""
    from tests.integration.conftest import train_here

    folder = tmp_path_factory.mktemp("typed")
    make_files(folder)
    shutil.copy(reviews, folder / "reviews.csv")
    shutil.copytree(tiny_encoder, folder / "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.MonkeyPatch.context() as training:
            train_here(training, [])
            words = ["--data", "reviews.csv", "--text", "body", "--label", "verdict"]
            words += ["--model", "encoder", "--seeds", "2", "--folds", "2", "--name", "mine"]
            code = cli.main(["run", "smoke", *words, "--fix", "epochs=1", "--configs", "reference"])
            assert code == 0
        for name in _WORK:
            patch.setattr(name, _work)
        yield folder


def _typed(words: list[str]) -> tuple[int, str]:
    """Exit code of a command, and all that it wrote."""
    said = io.StringIO()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(registry, "_plugged", {})
        patch.setattr(os, "environ", os.environ.copy())
        try:
            code = cli.main(words)
        except SystemExit as usage:
            code = int(str(usage.code))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return code, said.getvalue()


def _is_for_people(words: list[str], code: int, said: str) -> None:
    found = words[0] == "doctor"  # 1 says that it found a fault
    assert code in ((0, 1, 2) if found else (0, 2)), (words, said[-2000:])
    assert "Traceback" not in said
    if code == 2:
        assert said.strip(), words
        control = {c for c in said if not c.isprintable()} - {"\n", "\t"}
        assert not control - set("\u00a0\u200c\u200d\u3000"), (words, said)


@given(words=command_lines())
@FUZZ
def test_any_command_ends_in_order(words: list[str], folder: Path) -> None:
    code, said = _typed(words)
    _is_for_people(words, code, said)


@given(words=command_lines(commands=("run", "plan", "predict", "resume")))
@FUZZ
def test_a_sweep_is_refused_or_begins(words: list[str], folder: Path) -> None:
    code, said = _typed(words)
    _is_for_people(words, code, said)


@given(text=schedules())
@FUZZ
def test_a_schedule_is_refused_or_starts(text: str, folder: Path) -> None:
    (folder / "drawn.toml").write_text(text, encoding="utf-8")
    code, said = _typed(["schedule", "drawn.toml"])
    _is_for_people([text], code, said)
