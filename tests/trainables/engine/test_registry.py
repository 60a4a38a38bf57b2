"""A public file is an entry; a user's own file is one, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trainables.engine import registry
from trainables.engine.errors import RegistryError

ROOT = Path(__file__).parents[3]
ATTRIBUTES = {
    "spaces": "SPACE",
    "trainables": "build",
    "trainables.data": "DATASET",
    "trainables.encoders": "ENCODER",
    "trainables.metrics": "METRIC",
}


@pytest.mark.parametrize("package", ATTRIBUTES)
def test_the_entries_are_the_public_files_and_define_what_they_must(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files
    assert set(registry.names(package)) == files
    for name in files:
        assert registry.load(package, name, ATTRIBUTES[package]) is not None


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RegistryError, match="Did you mean 'softtriple'"):
        registry.load("spaces", "softriple", "SPACE")


def test_a_dash_is_an_underscore() -> None:
    card = registry.load("trainables.encoders", "roberta-base", "ENCODER")
    assert card is registry.load("trainables.encoders", "roberta_base", "ENCODER")


def test_an_entry_that_lacks_its_object_is_named() -> None:
    with pytest.raises(RegistryError, match="triple_entropy must define SPACE"):
        registry.load("trainables", "triple_entropy", "SPACE")


def test_a_users_file_is_an_entry_beside_the_others(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text("from spaces.smoke import SPACE as base\nSPACE = base.fix({'k': 2})\n")
    assert registry.register_plugin(path) == ("spaces",)
    assert "half" in registry.names("spaces")
    assert len(registry.load("spaces", "half", "SPACE")) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [("x = 1\n", "defines none of SPACE"), ("import nowhere_at_all\n", "cannot be imported")],
)
def test_a_faulty_plugin_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(content)
    with pytest.raises(RegistryError, match=message):
        registry.register_plugin(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"import sys\nsys.exit(3)\n", "ends the program when it is imported (SystemExit(3))"),
        (b"x = 1\nraise KeyboardInterrupt\n", "ends the program when it is imported (Keyb"),
        (b"def f(:\n    pass\n", 'mine.py", line 1\n    def f(:\n          ^\nSyntaxError'),
        (b"def f():\n    return {}['k']\nf()\n", "line 2: return {}['k']\nKeyError: 'k'"),
        (b"x = '\xff'\n", "'utf-8' codec can't decode byte 0xff"),
        (b"x = '\0'\n", "is no Python"),
        (b"raise RecursionError('deep')\n", "line 1: raise RecursionError('deep')"),
    ],
)
def test_a_plugin_that_fails_is_shown_where(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(RegistryError) as refused:
        registry.register_plugin(path)
    assert said in str(refused.value)
    assert "foldrace_plugin_mine" not in sys.modules


def test_ctrl_c_while_a_plugin_is_imported_is_no_fault_of_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    with pytest.raises(KeyboardInterrupt):
        registry.register_plugin(path)
