"""What is sent to a cluster: code and pins; no data, no repository, no caches, no secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from search.cli import build_parser
from search.cluster import packaging, submit
from search.cluster.options import FOLDER
from search.errors import InputError
from search.process import installation

PROJECT = """
[project]
name = "foldrace"
version = "7.8"
dependencies = ["torch>=2.13,<2.14", "ray[tune,default]>=2.60"]

[project.optional-dependencies]
sample = ["pytest>=1"]
lora = ["pytest>=1", "no-such-package>=1"]
test = ["pytest>=1"]
"""
METADATA = """Metadata-Version: 2.4
Name: foldrace
Version: 7.8
Provides-Extra: lora
Provides-Extra: sample
Provides-Extra: test
Requires-Dist: torch<2.14,>=2.13
Requires-Dist: ray[default,tune]>=2.60
Requires-Dist: pytest>=1; extra == 'lora'
Requires-Dist: no-such-package>=1; extra == 'lora'
Requires-Dist: pytest>=1; extra == 'sample'
Requires-Dist: pytest>=1; extra == 'test'
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with everything beside the code that a real one gathers."""
    root = tmp_path / "tree"
    for name in (
        "pyproject.toml",
        "constraints.txt",
        "search/cli.py",
        "search/report/page.html",
        "search/report/templates/page.html.j2",
        "spaces/mine.py",
        "trainables/triple_entropy.py",
        "trainables/data/huge.parquet",
        "trainables/__pycache__/x.py",
        "trainables/.git/config.py",
        "trainables/.env",
        "search/mlflow.db",
        "mlflow.db",
        "secrets.json",
        "tests/test_x.py",
        "data/tweets.csv",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "constraints.txt").write_text("torch==2.13.0\n")
    (root / "trainables" / "link.py").symlink_to("/etc/passwd")
    return root


def test_only_code_and_pins_are_packed(tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "configs.csv"
    mine.write_text("k\n1\n")
    target = tmp_path / "package"
    packaging.pack(target, {"configs.csv": mine}, folder=tree)
    packed = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert packed == {
        "pyproject.toml",
        "constraints.txt",
        "search/cli.py",
        "search/report/page.html",
        "search/report/templates/page.html.j2",
        "spaces/mine.py",
        "trainables/triple_entropy.py",
        "attached/configs.csv",
    }


@pytest.fixture
def installed(tree: Path) -> Path:
    """The same as a wheel installs it, beside a stray pyproject.toml of another package."""
    (tree / "constraints.txt").unlink()
    (tree / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1"\n')
    about = tree / "foldrace-7.8.dist-info"
    (about / "extra_metadata").mkdir(parents=True)
    (about / "METADATA").write_text(METADATA)
    (about / "extra_metadata" / "constraints.txt").write_text("torch==2.13.0\n")
    return tree


def test_an_installed_wheel_is_packed_with_its_pins_and_says_at_the_other_end_what_it_is(
    installed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "package"
    packaging.pack(target, {}, folder=installed)
    packed = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert packed == {
        "constraints.txt",
        "foldrace-7.8.dist-info/METADATA",
        "search/cli.py",
        "search/report/page.html",
        "search/report/templates/page.html.j2",
        "spaces/mine.py",
        "trainables/triple_entropy.py",
    }
    assert (target / "constraints.txt").read_text() == "torch==2.13.0\n"
    there = installation.find(target)
    assert there is not None
    assert there.version == "7.8"
    assert there.requirements == ("torch<2.14,>=2.13", "ray[default,tune]>=2.60")


def test_a_wheel_and_a_checkout_make_the_same_environment(tree: Path, request: Any) -> None:
    """Extras that are here, whole, are there; those for tests are not."""
    of_tree = submit.runtime_environment("/package", tree, install=True)
    of_wheel = submit.runtime_environment(
        "/package", request.getfixturevalue("installed"), install=True
    )
    pins, torch, ray, *extras = of_tree["pip"]["packages"]
    assert pins == "--constraint ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"
    assert [torch, ray, *extras] == [
        "torch>=2.13,<2.14",
        "ray[tune,default]>=2.60",
        "pytest>=1",
    ]
    assert of_wheel["pip"]["packages"][0] == pins
    assert [Requirement(line) for line in of_wheel["pip"]["packages"][1:]] == [
        Requirement(line) for line in (torch, ray, *extras)
    ]


def test_without_its_pins_a_wheel_is_sent_only_where_nothing_is_installed(
    installed: Path, tmp_path: Path
) -> None:
    (installed / "foldrace-7.8.dist-info" / "extra_metadata" / "constraints.txt").unlink()
    with pytest.raises(InputError, match=r"There is no constraints\.txt with the foldrace in"):
        packaging.pack(tmp_path / "refused", {}, folder=installed)
    packaging.pack(tmp_path / "package", {}, folder=installed, pinned=False)
    assert (tmp_path / "package" / "search" / "cli.py").is_file()


def test_this_very_code_packs_small_and_whole() -> None:
    files = packaging.code_files(packaging.root())
    assert {Path("search/cli.py"), Path("trainables/engine/training/loop.py")} <= set(files)
    assert sum((packaging.root() / path).stat().st_size for path in files) < 3 * 2**20


def test_a_package_that_is_too_large_names_its_largest_files(tree: Path, tmp_path: Path) -> None:
    (tree / "spaces" / "table.json").write_bytes(b" " * 2**20)
    with pytest.raises(InputError, match=r"at most 0\.5 .*Largest: spaces/table\.json"):
        packaging.pack(tmp_path / "package", {}, folder=tree, most_mib=0.5)


def test_without_pins_nothing_is_sent(tree: Path, tmp_path: Path) -> None:
    (tree / "constraints.txt").unlink()
    with pytest.raises(
        InputError, match=r"There is no constraints\.txt with .* installed wheel or a checkout"
    ):
        packaging.pack(tmp_path / "package", {}, folder=tree)


RUN = ("run", "smoke", "--data", "/shared/x.csv", "--model", "minilm")


def test_a_command_goes_to_the_cluster_with_its_files_and_its_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ledger:5000")
    file = tmp_path / "my configs.csv"
    file.write_text("k\n1\n")
    words, attached = submit.command([*RUN, "--configs", str(file)], build_parser().parse_args)
    assert words == [
        *(*RUN, "--configs", "attached/my configs.csv"),
        *("--ray-address", "auto", "--tracking-uri", "http://ledger:5000"),
    ]
    assert attached == {"my configs.csv": file}
    line = submit.entrypoint(words, FOLDER)
    assert '"$HOME"/foldrace-sweeps' in line
    assert "--configs \"$code\"/'attached/my configs.csv'" in line
    assert line.endswith("--tracking-uri http://ledger:5000")


def test_a_file_of_the_users_own_travels_in_a_spaces_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("my_cells.py")
    file.write_text("AXES = {'C': [1]}\n\n\ndef train(config, train, test, seed): ...\n")
    for words in (
        ("run", "my_cells.py", "--data", "/shared/x.csv", "--name", "my_cells.py"),
        ("run", "--name", "my_cells.py", "--data", "/shared/x.csv", "my_cells.py"),
    ):
        sent, attached = submit.command(words, build_parser().parse_args)
        assert attached == {"my_cells.py": file}
        assert sent.count("attached/my_cells.py") == 1
        assert sent[sent.index("--name") + 1] == "my_cells.py"
    Path("more").mkdir()
    Path("more/my_cells.py").write_text("")
    with pytest.raises(InputError, match="travel into one folder"):
        submit.command(
            ("plan", "my_cells.py", "--data", "/x.csv", "--configs", "more/my_cells.py"),
            build_parser().parse_args,
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*RUN, "--tracking-uri", "http://me:pw@ledger:5000"], "no password"),
        (["run", "smoke", "--data", "mine.csv", "--model", "minilm"], "data do not travel"),
    ],
    ids=["a password", "data of this machine"],
)
def test_what_cannot_work_there_is_refused_here(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("text,label\na,b\n")
    with pytest.raises(InputError, match=message):
        submit.command(words, build_parser().parse_args)


def test_the_environment_is_that_of_the_pins(tmp_path: Path) -> None:
    made = submit.runtime_environment(str(tmp_path), packaging.root(), install=True)
    first, *packages = made["pip"]["packages"]
    assert first == "--constraint ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"
    assert any(package.startswith("torch") for package in packages)
    assert "pip" not in submit.runtime_environment(str(tmp_path), packaging.root(), install=False)
    assert set(made["env_vars"]) == {"RAY_JOB_STOP_WAIT_TIME_S"}, "no variable of ours travels"
