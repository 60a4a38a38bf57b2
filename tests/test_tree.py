"""A test lies where its module does: the test tree mirrors the packages."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MIRRORED = ("search", "spaces", "trainables")
FOLDERS = sorted(
    {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for top in MIRRORED
        for path in (ROOT / "tests" / top).rglob("test_*.py")
    }
)


def packages_without_tests(root: Path, folders: list[str]) -> list[str]:
    """Folders of tests whose package is not there."""
    return [folder for folder in folders if not (root / folder / "__init__.py").exists()]


def test_every_package_of_the_house_has_tests() -> None:
    assert {folder.split("/")[0] for folder in FOLDERS} == set(MIRRORED)
    assert len(FOLDERS) > 25


def test_the_guard_sees_a_folder_without_a_package(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "__init__.py").touch()
    assert packages_without_tests(tmp_path, ["search", "search/gone"]) == ["search/gone"]


def test_each_folder_of_tests_belongs_to_a_package() -> None:
    assert packages_without_tests(ROOT, FOLDERS) == []


@pytest.mark.parametrize("package", ["search", "trainables/engine"])
def test_beside_the_packages_lie_tests_of_their_own_modules_alone(package: str) -> None:
    """A test outside any sub-package is of a module that is outside of all, too."""
    modules = {path.stem for path in (ROOT / package).glob("*.py")}
    tests = {path.stem for path in (ROOT / "tests" / package).glob("test_*.py")}
    assert tests, f"no test in tests/{package}: this guard guards nothing"
    assert tests <= {f"test_{module}" for module in modules} | {"test_startup"}
