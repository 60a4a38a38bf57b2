"""Every hyper-parameter of every space says what it means, in one place: its Config."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from search import cli
from spaces.softtriple import SPACE
from trainables.engine import meanings, registry
from trainables.engine.cells.trainable import Trainable

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", registry.names("spaces"))
def test_every_axis_and_fixed_value_has_a_meaning(name: str) -> None:
    space = registry.load("spaces", name, "SPACE")
    found = meanings.of(space.trainable)
    assert [field for field in space.kinds if not found.get(field)] == []


@pytest.mark.parametrize("name", registry.names("trainables"))
def test_the_docstring_of_a_config_names_its_fields_and_no_others(name: str) -> None:
    fields = {field.name for field in dataclasses.fields(Trainable.load(name).Config)}
    assert set(meanings.of(name)) == fields


def test_a_meaning_of_several_lines_is_one() -> None:
    found = meanings.of("triple_entropy")
    assert found["k"] == "Proxies per class."
    assert found["trainable_blocks"].endswith("The states below them are computed once.")


def test_a_plugin_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom trainables import TrainingConfig\n"
        "VERSION = 1\n\n@dataclass(frozen=True, kw_only=True)\nclass Config(TrainingConfig):\n"
        '    """Mine.\n\n    Attributes:\n'
        '        width: Of the layer,\n            in all.\n    """\n'
        "    width: int\n\ndef build(config, base, classes): ...\n"
    )
    registry.register_plugin(file)
    found = meanings.of("mine")
    assert found["width"] == "Of the layer, in all."
    assert found["epochs"] == "Passes over the training rows."


def test_a_space_is_shown_with_its_meanings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["spaces", "softtriple"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in SPACE.kinds:
        assert name in shown
    assert "Proxies per class." in shown
    assert "cross-entropy, the baseline" in shown
    assert cli.main(["spaces", "soft-triple"]) == 2
    assert "Did you mean 'softtriple'?" in capsys.readouterr().err
    assert cli.main(["spaces", "softtriple", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["meanings"]["epochs"] == "Passes over the training rows."


def test_to_say_what_a_value_means_imports_no_torch() -> None:
    code = (
        "import sys\nfrom search.cli import main\nmain(['spaces', 'softtriple', '--json'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
