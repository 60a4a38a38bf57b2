"""Every space fits its trainable, and every misfit is named at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from trainables.engine import binding, registry
from trainables.engine.errors import ConfigError

ROOT = Path(__file__).parents[3]
SPACES = registry.names("spaces")


def test_the_spaces_are_the_files_on_disk() -> None:
    files = {path.stem for path in (ROOT / "spaces").glob("*.py") if path.stem[0] != "_"}
    assert set(SPACES) == files
    assert files


@pytest.mark.parametrize("name", SPACES)
def test_a_space_sets_every_field_of_its_trainable_s_config(name: str) -> None:
    space = registry.load("spaces", name, "SPACE")
    drawn = space.sample(min(50, len(space)), np.random.default_rng(0))
    for config in [*drawn, *space.references.values()]:
        bound = binding.bind(space.trainable, space.complete(config))
        assert dataclasses.asdict(bound) == space.complete(config)


def test_all_misfits_are_in_one_message() -> None:
    space = registry.load("spaces", "softtriple", "SPACE")
    config = space.complete(space.point(0))
    del config["k"]
    config["marginn"] = 1.0
    with pytest.raises(ConfigError, match="marginn") as caught:
        binding.bind("triple_entropy", config)
    assert "Did you mean 'margin'" in str(caught.value)
    assert "wants a value for 'k'" in str(caught.value)
