"""Spaces made from spaces: narrowed, fixed, compared, written; and declarations with faults."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from spaces import Axis, Inert, Scalar, Space, SpaceError
from tests.spaces.schema.small_space import POINT, SPACE, make_axis


@pytest.mark.parametrize("word", ["lambda", "λ", "scale", " scale "])
def test_the_symbols_of_the_paper_name_the_axis(word: str) -> None:
    assert SPACE.narrow({word: "3.30"}).axes[1].values == (3.3,)
    assert SPACE.fix({word: "7"}).fixed["scale"] == 7.0


def test_narrowing_to_all_values_changes_nothing() -> None:
    assert SPACE.narrow({"k": "100,10,1,10"}) == SPACE
    assert SPACE.narrow({}) == SPACE


def test_narrow_names_every_fault_at_once() -> None:
    with pytest.raises(SpaceError) as caught:
        SPACE.narrow({"k": "50", "poling": "cls", "epochs": "3", "scale": "x", "beta": ()})
    assert str(caught.value).splitlines() == [
        "Axis 'k' has no value 50, only 1, 10, 100. Use one of them, or name it with --set k=50, "
        "beside others to try.",
        "Space 'small' has no axis 'poling'. Did you mean 'pooling'? It has k, scale (lambda), "
        "beta (β), pooling.",
        "'epochs' is not an axis of space 'small' but fixed to 5: give it another value with "
        "--fix epochs=V, or several with --set epochs=V,V. Axes: k, scale, beta, pooling.",
        "A value of axis 'scale' must be a number, got 'x'; allowed: 1, 3.3.",
        "Axis 'beta' needs at least one value: 0.5, 1.",
    ]


def test_an_axis_cannot_be_narrowed_by_two_names() -> None:
    with pytest.raises(SpaceError, match=r"'scale' is given values twice, .* as 'lambda'"):
        SPACE.narrow({"scale": "1", "lambda": "3.3"})


def test_fixing_an_axis_ends_its_search() -> None:
    fixed = SPACE.fix({"k": "50", "rate": "2e-5", "padding": "yes"})
    assert [axis.name for axis in fixed.axes] == ["scale", "beta", "pooling"]
    assert dict(fixed.fixed) == dict(SPACE.fixed) | {"k": 50, "rate": 2e-5, "padding": True}
    assert len(fixed) == 12
    assert fixed.complete(fixed.point(0))["k"] == 50


def test_starting_values_of_references_give_way_to_what_is_fixed() -> None:
    space = replace(SPACE, yielding=("scale", "pooling", "beta"))
    fixed = space.fix({"scale": 2.0, "pooling": "max", "beta": 0.7})
    # beta = 1 switches others off: it is what makes the reference, and stays.
    assert dict(fixed.references["plain"]) == {"beta": 1.0}
    assert dict(fixed.references["off-grid"]) == {"k": 10}
    complete = fixed.complete(fixed.references["off-grid"])
    assert (complete["scale"], complete["pooling"], complete["beta"]) == (2.0, "max", 0.7)
    assert Space.from_json(json.loads(json.dumps(fixed.to_json()))) == fixed
    with pytest.raises(SpaceError, match="yielding must name axes or fixed values, got 'rates'"):
        replace(SPACE, yielding=("rates",))


def test_references_keep_their_own_values_when_axes_are_fixed() -> None:
    fixed = SPACE.fix({"beta": 0.5, "k": 100})
    assert fixed.complete(fixed.references["plain"])["beta"] == 1.0
    assert not fixed.admits(fixed.references["plain"])


def test_a_space_with_every_axis_fixed_is_one_point() -> None:
    fixed = SPACE.fix(POINT)
    assert len(fixed) == 1
    assert list(fixed.grid()) == [{}]
    assert fixed.complete({}) == SPACE.complete(POINT)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": "2.5"}, "epochs of space 'small' must be a whole number, got '2.5'"),
        ({"rate": "0.1,0.2"}, "rate of space 'small' must be a number, got '0.1,0.2'"),
        ({"rate": "nan"}, "rate of space 'small' must be a number, got 'nan'"),
        ({"rate": "inf"}, "rate of space 'small' must be a number, got 'inf'"),
        ({"padding": "maybe"}, "padding of space 'small' must be true or false, got 'maybe'"),
        ({"learning": "1"}, "no parameter 'learning'. It has k, scale .lambda., beta"),
        ({"λ": "1", "scale": "2"}, "'scale' is fixed twice, the second time as 'scale'"),
    ],
)
def test_fix_refuses_unknown_names_and_wrong_types(values: dict[str, Scalar], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.fix(values)


def test_equal_spaces_are_equal_and_any_difference_shows() -> None:
    same = replace(SPACE, fixed=dict(sorted(SPACE.fixed.items(), reverse=True)))
    assert same == SPACE
    assert len({same, SPACE}) == 1
    others = [
        SPACE.narrow({"k": "1"}),
        SPACE.fix({"epochs": 6}),
        replace(SPACE, mode="min"),
        replace(SPACE, baseline=None),
        replace(SPACE, inert=SPACE.inert[:1]),
        replace(SPACE, axes=SPACE.axes[::-1]),
    ]
    assert len({SPACE, *others}) == len(others) + 1


def test_a_space_survives_pickle_after_use() -> None:
    SPACE.complete(POINT)
    assert pickle.loads(pickle.dumps(SPACE)) == SPACE


def test_nothing_of_a_space_can_be_changed() -> None:
    with pytest.raises(FrozenInstanceError, match="name"):
        SPACE.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="item assignment"):
        SPACE.fixed["epochs"] = 6  # type: ignore[index]


def test_changing_a_config_leaves_the_space_alone() -> None:
    SPACE.complete(POINT)["epochs"] = 77
    SPACE.point(0)["k"] = 77
    assert SPACE.complete(POINT)["epochs"] == 5


@pytest.mark.parametrize("change", [{"mod": "max"}, {"name": None}])
def test_json_with_other_fields_is_refused(change: dict[str, None]) -> None:
    value = {n: v for n, v in SPACE.to_json().items() if n != "name"} | change
    if "name" in change:
        del value["name"]
    with pytest.raises(SpaceError, match=r"missing: \['name'\]"):
        Space.from_json(value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "name must not be empty"),
        ({"source": ""}, "source must not be empty"),
        ({"mode": "best"}, "mode must be 'max' or 'min', got 'best'"),
        ({"axes": (*SPACE.axes, make_axis("k", 1))}, "'k' must name one axis .* it names 2"),
        ({"fixed": {"lambda": 1, "merge": 0.0, "epochs": 1}}, "'lambda' must name one axis"),
        ({"fixed": {"merge": math.nan, "epochs": 1}}, "'merge' must be a finite JSON scalar"),
        ({"fixed": {"a-b": 1, "merge": 0.0, "epochs": 1}}, "an identifier, got 'a-b'"),
        ({"shape": ("kk",)}, "shape must name axes or fixed values, got 'kk'"),
        ({"inert": (Inert(when={"bta": (1,)}, axes=("k",)),)}, "An inert rule .*, got 'bta'"),
        ({"inert": (Inert(when={}, axes=("k",)),)}, "one side is empty"),
        ({"inert": SPACE.inert[::-1]}, "makes 'k' inert must stand before"),
        ({"inert": (Inert(when={"k": (1,)}, axes=("k",)),)}, "makes 'k' inert must stand before"),
        ({"references": {"plain": {"beta": 1.0}}}, "Reference 'plain': .* lacks 'pooling'"),
        (
            {"baseline": "plan"},
            "baseline must be one of the references, got 'plan'; they are plain",
        ),
        ({"ablation": ("row",)}, "ablation must name references, got 'row'"),
        ({"added": {"kk": 1}}, "added must name axes or fixed values, got 'kk'"),
    ],
)
def test_a_declaration_with_a_fault_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        replace(SPACE, **change)  # type: ignore[arg-type]


def test_a_parameter_that_came_later_is_in_a_key_only_where_it_changes_something() -> None:
    space = replace(SPACE, fixed={**SPACE.fixed, "later": 0.0}, added={"later": 0.0})
    before = SPACE.keyed(SPACE.active(POINT))
    assert space.keyed(space.active(POINT)) == before
    assert space.active(POINT) == {**before, "later": 0.0}
    changed = space.fix({"later": 0.5})
    assert changed.keyed(changed.active(POINT)) == {**before, "later": 0.5}
    searched = space.search({"later": "0.5,0"})
    assert [searched.keyed(searched.active({**POINT, "later": v})) for v in (0.0, 0.5)] == [
        before,
        {**before, "later": 0.5},
    ]


def test_a_parameter_that_came_later_may_be_given_its_first_meaning() -> None:
    space = replace(SPACE, fixed={**SPACE.fixed, "later": 0.5}, added={"later": None})
    before = SPACE.keyed(SPACE.active(POINT))
    for spelt in (None, "none"):
        fixed = space.fix({"later": spelt})
        assert fixed.fixed["later"] is None
        assert fixed.keyed(fixed.active(POINT)) == before
    searched = space.search({"later": "none,0.5"})
    assert [axis.values for axis in searched.axes if axis.name == "later"] == [(0.5, None)]


def test_a_space_kept_before_there_was_such_a_list_is_read() -> None:
    kept = {name: value for name, value in SPACE.to_json().items() if name != "added"}
    assert Space.from_json(kept) == SPACE


def test_a_starting_value_that_switches_others_off_in_its_config_does_not_give_way() -> None:
    rule = Inert(when={"pooling": ("cls",), "beta": (1.0,)}, axes=("merge",))
    space = replace(SPACE, inert=(*SPACE.inert, rule), yielding=("pooling",), ablation=())
    space = replace(space, references={"plain": {"beta": 1.0, "pooling": "cls"}})
    assert space.fix({"pooling": "mean"}).references["plain"]["pooling"] == "cls"
    space = replace(space, references={"plain": {**POINT, "beta": 0.5, "pooling": "cls"}})
    assert "pooling" not in space.fix({"pooling": "mean"}).references["plain"]


def test_all_faults_of_a_declaration_come_in_one_message() -> None:
    with pytest.raises(SpaceError, match=r"(?s)'small' is not well formed.*mode must.*shape must"):
        replace(SPACE, mode="best", shape=("x",))  # type: ignore[arg-type]


def test_a_grid_that_cannot_be_counted_is_refused() -> None:
    axes = tuple(Axis(name=f"x{i}", distribution=IntDistribution(0, 99999)) for i in range(4))
    with pytest.raises(SpaceError, match=r"at most 2\*\*62 points, got 10{20}"):
        replace(SPACE, axes=axes, inert=(), references={}, baseline=None, ablation=(), shape=())


def test_a_continuous_axis_has_no_grid_until_it_is_given_values() -> None:
    rate = Axis(name="lr", distribution=FloatDistribution(1e-6, 1e-3, log=True))
    space = replace(SPACE, axes=(*SPACE.axes, rate), references={}, baseline=None, ablation=())
    with pytest.raises(SpaceError, match=r"'lr' is continuous, from 1e-06 to 0.001.*--set lr=V,V"):
        len(space)
    assert space.complete(POINT | {"lr": 3e-4})["lr"] == 3e-4
    assert not space.admits(POINT | {"lr": 1.0})
    assert len(space.narrow({"lr": "1e-4,1e-5"})) == 72
    assert Space.from_json(json.loads(json.dumps(space.to_json()))) == space
