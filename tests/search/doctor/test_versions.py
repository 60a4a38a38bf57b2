"""Installed packages against the ranges that foldrace asks for."""

from __future__ import annotations

import sys

import pytest

from search.doctor import versions


def test_what_is_installed_here_fits() -> None:
    wanted = versions.requirements()
    assert any(line.startswith("torch") for line in wanted)
    assert [finding.level for finding in versions.look(wanted)] == ["ok", "ok"]
    assert versions.versions(wanted)["packaging"] == versions.installed("packaging")


def test_a_package_of_another_version_or_none_is_a_fault_with_a_command() -> None:
    lines = ["packaging<1", "nosuchpackage>=2", 'numpy<0 ; extra == "old"', "numpy>=1"]
    other, missing = [f for f in versions.look(lines) if f.level == "fault"]
    assert (other.thing, other.todo) == ("packaging", 'pip install "packaging<1"')
    assert versions.installed("packaging") in other.found.split(",")[0].split()
    assert (missing.thing, missing.found) == ("nosuchpackage", "is not installed")


def test_an_old_python_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert versions.look(["numpy"])[0].level == "fault"


def test_requirements_that_cannot_be_read_are_said() -> None:
    assert [finding.level for finding in versions.look([])] == ["ok", "note"]
