"""A sweep in a file: what is written is read, what is typed goes before, what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.cli import build_parser
from search.errors import InputError
from search.spec import sweep_file
from search.spec.arguments import sweep_spec
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import SweepSpec
from spaces import Space
from tests.search.spec.test_arguments import specs
from trainables.engine.contract import DataRef

PARSE = build_parser().checked


def file_of(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def asked(*words: str) -> SweepSpec:
    return sweep_spec(PARSE(["run", *words]))


@given(specs())
def test_what_is_written_is_read(fields: dict[str, Any]) -> None:
    spec = make_spec(**fields, name="mine", tracking_uri="sqlite:///other.db")
    written = sweep_file.tomllib.loads(sweep_file.text_of(spec))
    written.pop("version")
    found, faults = sweep_file._sorted(written)
    assert faults == []
    again = make_spec(**found)
    # TOML has no null: none is the word for it, as on the command line.
    for name in ("set_axes", "fix"):
        assert words(getattr(again, name)) == words(getattr(spec, name))
    same = {"set_axes": {}, "fix": {}}
    assert again.model_copy(update=same) == spec.model_copy(update=same)


def words(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).replace("None", "none") for name, value in values.items()}


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_any_text_is_quoted(text: str) -> None:
    read = sweep_file.tomllib.loads(f"a = {sweep_file._value(text)}")
    assert read == {"a": text}


def test_the_example_is_one(tmp_path: Path) -> None:
    spec = make_spec(**sweep_file.read(file_of(tmp_path, sweep_file.EXAMPLE)))
    assert spec.data == DataRef(name="reviews.csv", text="body", label="stars")
    assert (spec.set_axes, spec.fix) == ({"learning_rate": (2e-5, 1e-4)}, {"batch_size": 32})
    assert spec.budget.max_hours == 2


def test_names_may_stand_at_the_top_or_in_tables_and_as_options_are_called(tmp_path: Path) -> None:
    flat = file_of(tmp_path, 'data = "trec"\ntext-b = "b"\nmax-cells = 9\ncompile = true\n')
    tables = '[data]\nname = "trec"\ntext_b = "b"\n[budget]\nmax_cells = 9\n'
    assert sweep_file.read(flat) == {
        "data": {"name": "trec", "text_b": "b"},
        "budget": {"max_cells": 9},
        "resources": {"compiled": True},
    }
    expected = {"data": {"name": "trec", "text_b": "b"}, "budget": {"max_cells": 9}}
    assert sweep_file.read(file_of(tmp_path, tables)) == expected


def test_what_is_typed_goes_before_the_file(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        'data = "trec"\nlabel = "kind"\nseeds = [1]\nfolds = 3\nname = "mine"\n'
        "[set]\nepochs = [2, 3]\n[fix]\nbatch_size = 32\npooling = 'mean'\n"
        "[budget]\nmax_cells = 9\nmax_hours = 2.0\n",
    )
    assert asked(str(path)).seeds == (1,)
    spec = asked(
        str(path), "--data", "mr", "--seeds", "5,6", "--holdout", "--max-cells", "4",
        "--fix", "epochs=1", "--set", "batch_size=8,16",
    )  # fmt: skip
    assert (spec.data.name, spec.data.label, spec.name) == ("mr", "kind", "mine")
    assert (spec.seeds, spec.folds, spec.holdout) == ((5, 6), None, 0.2)
    assert (spec.budget.max_cells, spec.budget.max_hours) == (4, 2.0)
    assert spec.set_axes == {"batch_size": ("8", "16")}
    assert spec.fix == {"pooling": "mean", "epochs": "1"}


def test_files_beside_it_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n", encoding="utf-8")
    path = file_of(tmp_path, 'data = "reviews.csv"\nmodel = "minilm"\nconfigs = "reference"\n')
    monkeypatch.chdir("/")
    fields = sweep_file.read(path)
    assert fields["data"]["name"] == str(tmp_path / "reviews.csv")
    assert (fields["model"], fields["configs"]) == ("minilm", "reference")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch = 3", "epoch: no field of a sweep. Did you mean 'epochs'?"),
        ("max_cell = 3", "max_cell: no field of a sweep. Did you mean 'max_cells'?"),
        ("learning_rate = [1e-4]", "learning_rate: a value of the space: it stands below [set]"),
        ("batch_size = 8", "batch_size: a value of the space: it stands below [fix]"),
        ("[dat]\nname = 'a'", "dat: no field of a sweep. Did you mean 'data'?"),
        ("[budget]\nmaxcells = 3", "budget.maxcells: no field. Did you mean 'max_cells'?"),
        ("set = 3", "set: a table, [set] and below it name = value, got 3"),
        ("data = ", "is no TOML file: Invalid value"),
    ],
)
def test_wrong_fields_are_named_with_the_nearest_and_a_right_example(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        sweep_file.read(file_of(tmp_path, text))
    assert said in str(refused.value)
    assert str(refused.value).endswith("  [budget]\n  max_hours = 2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 2\ndata = 'trec'", "of version 2, and this foldrace reads version 1"),
        ("space = 'finetune'", "Name the data with --data"),
        ("data = 'trec'\nseeds = [2, 2]", "distinct"),
        ("data = 'trec'\nfolds = 'five'", "folds"),
        ("data = 'trec'\n[data]\ntext = 'a'", "is no TOML file"),
        ("[data]\nname = 'trec'\ntext = 3", "data.text: Input should be a valid string"),
        (
            "[data]\nname = 'trec'\nbad_images = 'no'",
            "data.bad_images: Input should be 'missing' or 'drop'",
        ),
    ],
)
def test_other_faults_are_told_as_those_of_options_are(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        asked(str(file_of(tmp_path, text)))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_or_is_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        asked(str(tmp_path / "nowhere.toml"))
    binary = tmp_path / "sweep.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no TOML file"):
        asked(str(binary))


def test_saving_overwrites_a_sweeps_file_and_nothing_else(tmp_path: Path) -> None:
    spec = make_spec(data="trec", fix={"batch_size": "32", "trainable_blocks": None})
    path = file_of(tmp_path, "data = 'mr'\n")
    sweep_file.save(path, spec)
    fixed = '[fix]\nbatch_size = 32\ntrainable_blocks = "none"\n'
    assert path.read_text(encoding="utf-8").endswith(fixed)
    assert "tracking_uri" not in path.read_text(encoding="utf-8")
    other = tmp_path / "pyproject.toml"
    other.write_text("[project]\nname = 'mine'\n", encoding="utf-8")
    with pytest.raises(InputError, match="that file is there, and is no sweep's"):
        sweep_file.save(other, spec)
    space = Space.from_json({**_space().to_json(), "name": "mine"})
    with pytest.raises(InputError, match="made in Python cannot be saved"):
        sweep_file.save(path, make_spec(space=space, data="trec"))


def test_no_password_is_written(tmp_path: Path) -> None:
    spec = make_spec(data="trec", tracking_uri="https://me:secret@host/")
    assert "secret" not in sweep_file.text_of(spec)
    plain = make_spec(data="trec", tracking_uri="https://host/")
    assert 'tracking_uri = "https://host/"' in sweep_file.text_of(plain)


def _space() -> Space:
    from spaces.finetune import SPACE

    return SPACE
