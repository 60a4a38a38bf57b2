"""The champion's config competes again, whatever was searched when it won."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.schedule.champion_update import ChampionUpdate
from search.schedule.file import Entry
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import SweepSpec
from search.sweep import run
from trainables.engine.contract import DataRef

SEARCHED: dict[str, Any] = {"batch_size": (8, 16), "epochs": (1, 2), "k": (2, 3)}
CHAMPION = {"batch_size": 8, "epochs": 2, "k": 3, "scale": 3.3, "beta": 0.5}


@pytest.fixture
def spec(
    reviews: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SweepSpec:
    monkeypatch.chdir(tmp_path)
    return make_spec(
        space="smoke",
        data=DataRef(name=str(reviews), text="body", label="verdict"),
        model=str(tiny_encoder),
        name="nightly",
        tracking_uri=f"sqlite:///{tmp_path}/none.db",
        set_axes=SEARCHED,
        seeds=(2,),
        folds=2,
    )


@pytest.mark.parametrize(
    "searched",
    [SEARCHED, {**SEARCHED, "k": (10,), "beta": (0.9,)}, {**SEARCHED, "epochs": (1, 4)}],
    ids=["the same", "axes narrowed past it", "other values of a fixed one"],
)
def test_a_champion_of_searched_values_trains_the_cells_that_it_won_by(
    searched: dict[str, Any], spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    won = prepare(spec)[0]
    at = next(i for i in range(len(won.configs)) if won.axes_of(i) == CHAMPION)
    active = won.space.active(won.configs[at])
    scored: list[Plan] = []
    monkeypatch.setattr(run, "run", lambda spec, plan, tags: scored.append(plan))
    past = [SimpleNamespace(tags={"champion": json.dumps(active)})]
    entry = cast(Entry, SimpleNamespace(name="nightly"))
    firing = spec.model_copy(update={"set_axes": searched})
    ChampionUpdate(entry, firing, cast(Any, past)).score_champion()
    (plan,) = scored
    keys = {key for key, (config, _) in won.keys.items() if config == at}
    assert keys < set(plan.keys)
    assert len(plan.configs) == 2, "the champion and the baseline"
