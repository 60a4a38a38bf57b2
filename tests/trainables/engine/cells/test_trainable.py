"""A file that fits the contract of trainables is read; every misfit is named at once."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from trainables import linear_eval, mirror, tweets
from trainables.engine import registry
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.errors import ConfigError, RegistryError

ROOT = Path(__file__).parents[4]
SPACES = registry.names("spaces")
TRAINABLES = registry.names("trainables")


def test_the_spaces_are_the_files_on_disk() -> None:
    files = {path.stem for path in (ROOT / "spaces").glob("*.py") if path.stem[0] != "_"}
    assert set(SPACES) == files
    assert files


@pytest.mark.parametrize("name", SPACES)
def test_a_space_sets_every_field_of_its_trainable_s_config(name: str) -> None:
    space = registry.load("spaces", name, "SPACE")
    numbers = np.random.default_rng(0).choice(len(space), min(50, len(space)), replace=False)
    drawn = [space.point(int(number)) for number in numbers]
    for config in [*drawn, *space.references.values()]:
        bound = Trainable.load(space.trainable).bind(space.complete(config))
        assert dataclasses.asdict(bound) == space.complete(config)


def test_all_misfits_of_a_config_are_in_one_message() -> None:
    space = registry.load("spaces", "softtriple", "SPACE")
    config = space.complete(space.point(0))
    del config["k"]
    config["marginn"] = 1.0
    with pytest.raises(ConfigError, match="marginn") as caught:
        Trainable.load("triple_entropy").bind(config)
    assert "Did you mean 'margin'" in str(caught.value)
    assert "wants a value for 'k'" in str(caught.value)


@pytest.mark.parametrize("name", TRAINABLES)
def test_a_file_s_functions_are_the_trainable_s_hooks(name: str) -> None:
    file = registry.entry("trainables", name)
    trainable = Trainable.load(name)
    assert (trainable.name, trainable.version) == (name, file.VERSION)
    assert (trainable.Config, trainable.build) == (file.Config, file.build)
    hooks = [field.name for field in dataclasses.fields(Trainable)][4:]
    for hook in set(hooks) - {"learns_from_rows"}:
        if hasattr(file, hook):
            assert getattr(trainable, hook) is getattr(file, hook)
    assert trainable.learns_from_rows == hasattr(file, "LEARNS_FROM_ROWS")


def test_a_file_is_read_once() -> None:
    assert Trainable.load("tweets") is Trainable.load("tweets") is Trainable.of_module(tweets)


def test_what_a_file_leaves_out_changes_nothing() -> None:
    plain = Trainable.of_module(file_of())
    config = plain.bind(FIELDS)
    assert plain.representation(config) is plain.metadata(config) is plain.read_out(config) is None
    assert plain.views(config) is plain.pooling(config) is plain.reads_with(config) is None
    assert plain.ema_decay(config) == plain.inner_share(config) == 0.0
    assert plain.tokens is plain.base is plain.map_fault is None
    assert plain.files(config) == {}
    assert not plain.tunes_encoder(config)
    assert not plain.learns_from_rows
    assert plain.stack_group(config) is None
    assert not plain.may_train_heads
    assert not plain.may_tune_encoder
    assert Trainable.of_module(linear_eval).may_train_heads
    assert Trainable.of_module(mirror).may_tune_encoder


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"VERSION": None, "build": None}, ["it defines no VERSION", "it defines no build"]),
        ({"VERSION": "1"}, ["VERSION must be an integer, got '1'"]),
        ({"Config": dict}, ["Config must be a dataclass, got <class 'dict'>"]),
        ({"ema_decay": 0.9}, ["ema_decay must be a function, got 0.9"]),
        ({"ema_decays": True}, ["ema_decays is no hook. Did you mean 'ema_decay'?"]),
        ({"stackkey": True, "view": True}, ["'stack_key'", "'views'"]),
        ({"LEARN_FROM_ROWS": True}, ["'LEARNS_FROM_ROWS'"]),
    ],
)
def test_a_file_that_does_not_fit_is_refused(change: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(RegistryError, match="Trainable 'mine' cannot be used") as caught:
        Trainable.of_module(file_of(**change))
    for fault in faults:
        assert fault in str(caught.value)


def test_a_file_may_have_functions_of_its_own() -> None:
    assert Trainable.of_module(file_of(width_of=True, class_weights=True)).name == "mine"
    assert "step_losses" in dict(inspect.getmembers(tweets))


FIELDS = {
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "warmup_fraction": 0.0,
    "schedule": "linear",
    "batch_size": 4,
    "max_length": 8,
    "epochs": 1,
    "clip_norm": 0.0,
    "precision": "fp32",
}


def file_of(**change: Any) -> ModuleType:
    """A plugin's module; True stands for a function, None leaves a name out."""
    module = ModuleType("foldrace_plugin_mine")

    def function(*_: Any) -> None: ...

    function.__module__ = module.__name__
    names = {"VERSION": 1, "Config": TrainingConfig, "build": True, **change}
    for name, value in names.items():
        if value is not None:
            setattr(module, name, function if value is True and not name.isupper() else value)
    return module
