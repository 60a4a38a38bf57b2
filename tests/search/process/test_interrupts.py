"""Ctrl-C reaches a command wherever the interpreter is when it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_CODE = """
import os, signal, sys, time, weakref
from search import cli

KIND = sys.argv.pop()

class Gone:
    def __del__(self):
        if KIND == "destructor":
            interrupt()

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # Python runs the handler between two of these, and drops what it raises
        pass

class Slow:
    @staticmethod
    def run(options):
        gone = Gone()
        watch = weakref.ref(gone, lambda _: interrupt() if KIND == "callback" else None)
        del gone
        print("went on", flush=True)
        time.sleep(60)
        return 0

real = cli.listing()
cli.listing = lambda: {**real, "doctor": type("Doctor", (), {
    "SUMMARY": "", "EXAMPLES": "", "add_options": staticmethod(lambda parser: None),
    "run": Slow.run,
})}
cli.script()
"""


@pytest.mark.parametrize("swallowed_by", ["destructor", "callback"])
def test_one_that_falls_into_a_callback_is_delivered_again(swallowed_by: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, "doctor", swallowed_by],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == "went on\n"
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr
