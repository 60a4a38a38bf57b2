"""Encoders are trained in bfloat16 where there are GPUs, unless a precision is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from search import make_spec
from search.planning import precision
from search.planning.chosen_space import declared_space
from search.planning.plan import Plan
from search.spec.sweep_spec import SweepSpec
from spaces.softtriple import SPACE


def _chosen(space: str = "softtriple", **fields: Any) -> SweepSpec:
    spec = make_spec(space=space, data="trec", model="minilm", **fields)
    return precision.chosen(spec, declared_space(spec))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.parametrize("space", ["softtriple", "contrastive", "mirror", "encoder_linear"])
def test_encoders_are_trained_in_bfloat16_on_a_gpu(space: str, gpu: None) -> None:
    assert _chosen(space).fix == {"precision": "bf16"}


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    "fields",
    [
        {"fix": {"precision": "fp32"}},
        {"set_axes": {"precision": ("fp32", "bf16")}},
        {"resources": {"gpus_per_trial": 0}},
        {"configs": "own.json"},
        {"space": "linear_grid"},
    ],
    ids=["named", "searched", "on CPUs by request", "configs of a file", "heads"],
)
def test_a_precision_is_chosen_for_no_one_who_chose(fields: dict[str, Any]) -> None:
    assert _chosen(**fields).fix == fields.get("fix", {})


def test_without_a_gpu_it_stays_float32_and_gpus_asked_for_are_gpus() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert _chosen().fix == {}
    assert _chosen(resources={"gpus_per_trial": 0.5}).fix == {"precision": "bf16"}


def test_the_plan_says_so_and_the_key_is_another() -> None:
    plain, rounded = SPACE, SPACE.fix({"precision": "bf16"})
    notes = [precision.note(cast(Plan, SimpleNamespace(space=space))) for space in (plain, rounded)]
    assert notes[0] is None
    assert notes[1] is not None
    assert "--fix precision=fp32" in notes[1]
    config = next(iter(SPACE.grid()))
    assert plain.active(config)["precision"] != rounded.active(config)["precision"]
