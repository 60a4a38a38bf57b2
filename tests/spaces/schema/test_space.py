"""The grid of a space and its configs: what is complete, what has an effect, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.distributions import IntDistribution

from spaces import Axis, Inert, Scalar, SpaceError
from tests.spaces.schema.small_space import POINT, SPACE


def test_the_first_axis_changes_slowest() -> None:
    assert [SPACE.point(i)["pooling"] for i in range(4)] == ["cls", "mean", "max", "cls"]
    assert [SPACE.point(i)["k"] for i in (0, 11, 12, 35)] == [1, 1, 10, 100]


@pytest.mark.parametrize("index", [-1, 36])
def test_a_point_off_the_grid_is_refused(index: int) -> None:
    with pytest.raises(SpaceError, match=rf"points 0 to 35, there is no {index}"):
        SPACE.point(index)


def test_index_passes_over_names_beside_the_axes() -> None:
    assert SPACE.index(SPACE.complete(POINT)) == SPACE.index(POINT)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"k": 10}, "lacks 'scale'"),
        (POINT | {"k": 50}, "Axis 'k' has no value 50, only 1, 10, 100. Use one of them"),
    ],
)
def test_index_names_what_is_not_on_the_grid(config: dict[str, Scalar], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.index(config)


def test_a_large_grid_is_neither_walked_nor_held() -> None:
    axes = tuple(Axis(name=f"x{i}", distribution=IntDistribution(0, 999)) for i in range(6))
    space = replace(SPACE, axes=axes, inert=(), references={}, baseline=None, ablation=(), shape=())
    assert len(space) == 10**18
    assert space.index(space.point(10**18 - 7)) == 10**18 - 7
    assert next(space.grid()) == space.point(0)


def test_what_has_no_effect_takes_its_first_value_and_leaves_the_active_config() -> None:
    config = POINT | {"beta": 1.0, "merge": 3.0}
    complete = {"k": 1, "scale": 1.0, "beta": 1.0, "pooling": "mean"} | dict(SPACE.fixed)
    assert SPACE.complete(config) == complete
    assert SPACE.active(config) == {
        n: v for n, v in complete.items() if n not in ("k", "scale", "merge")
    }


def test_a_rule_does_not_count_while_its_parameter_has_no_effect() -> None:
    rules = (
        Inert(when={"beta": (1.0,)}, axes=("k",)),
        Inert(when={"k": (1,)}, axes=("scale",)),
    )
    space = replace(SPACE, inert=rules, references={}, baseline=None, ablation=())
    # k takes its first value, 1, but is idle: scale keeps its say.
    assert space.complete(POINT | {"beta": 1.0})["scale"] == 3.3
    assert "scale" not in space.active(POINT | {"k": 1})


def test_all_conditions_of_a_rule_must_match() -> None:
    rule = Inert(when={"beta": (1.0,), "pooling": ("cls", "max")}, axes=("k",))
    space = replace(SPACE, inert=(rule,), references={}, baseline=None, ablation=())
    assert "k" in space.active(POINT | {"beta": 1.0})
    assert "k" not in space.active(POINT | {"beta": 1.0, "pooling": "max"})


def test_a_config_goes_before_the_fixed_values() -> None:
    assert SPACE.complete(POINT | {"epochs": 9})["epochs"] == 9


def test_a_whole_number_of_a_float_axis_becomes_a_float() -> None:
    assert type(SPACE.complete(POINT | {"scale": 1})["scale"]) is float


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"k": 10, "beta": 0.5}, "A config of space 'small' lacks 'scale', 'pooling'"),
        (POINT | {"epoch": 3}, "no parameter 'epoch'. Did you mean 'epochs'"),
        (POINT | {"k": 2.5}, "k of space 'small' must be a whole number, got 2.5"),
        (POINT | {"k": True}, "k of space 'small' must be a whole number, got True"),
        (POINT | {"padding": 1}, "padding of space 'small' must be true or false, got 1"),
        (POINT | {"rate": None}, "rate of space 'small' must be a number, got None"),
        (POINT | {"pooling": 3}, "pooling of space 'small' must be a text, got 3"),
    ],
)
def test_complete_refuses_what_is_not_of_the_space(config: dict[str, Scalar], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.complete(config)


def test_admits_asks_for_axes_and_fixed_values_that_have_an_effect() -> None:
    assert SPACE.admits(SPACE.references["plain"])
    assert SPACE.admits(POINT | {"beta": 1.0, "k": 77, "merge": 3.0})
    assert not SPACE.admits(SPACE.references["off-grid"])
    assert not SPACE.admits(POINT | {"epochs": 9})


def test_shape_key_is_none_for_what_has_no_effect() -> None:
    assert SPACE.shape_key(POINT) == (10, 5)
    assert SPACE.shape_key(POINT | {"beta": 1.0}) == (None, 5)


@pytest.mark.parametrize("index", range(0, 36, 5))
def test_configs_that_mean_the_same_have_one_active_config(index: int) -> None:
    config = SPACE.point(index)
    twins = [p for p in SPACE.grid() if SPACE.active(p) == SPACE.active(config)]
    # Six combinations of k and scale are one training where beta = 1.
    assert len(twins) == (6 if config["beta"] == 1.0 else 1)
