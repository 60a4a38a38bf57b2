"""Any value of a space as an axis: values off the list, several of a fixed one, ranges."""

from __future__ import annotations

import importlib
import itertools
import json
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

import spaces
from spaces import Axis, Scalar, Space, SpaceError
from spaces.linear_grid import SPACE as LINEAR
from spaces.schema import ranges
from spaces.softtriple import SPACE as SOFTTRIPLE
from tests.spaces.schema.small_space import SPACE

NAMES = sorted(
    path.stem for path in Path(spaces.__path__[0]).glob("*.py") if not path.name.startswith("_")
)


def _declared(name: str) -> Space:
    space: Space = importlib.import_module(f"spaces.{name}").SPACE
    return space


def _another(value: Scalar) -> str:
    """A second value, as typed, of a number's or a switch's type."""
    if isinstance(value, bool):
        return str(not value)
    return str(value + 1) if isinstance(value, int) else str(float(str(value)) / 2 + 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_every_fixed_number_of_every_space_becomes_an_axis(name: str) -> None:
    space = _declared(name)
    numbers = {n: v for n, v in space.fixed.items() if isinstance(v, int | float)}
    assert len(numbers) > 3
    for fixed, value in numbers.items():
        wide = space.search({fixed: f"{_another(value)},{value}"})
        assert len(wide) == 2 * len(space)
        assert wide.axes[-1].name == fixed
        assert value in wide.axes[-1].values
        assert Space.from_json(json.loads(json.dumps(wide.to_json()))) == wide
        assert space.beyond({fixed: f"{_another(value)},{value}"}).keys() == {fixed}
        for reference, config in space.references.items():
            assert wide.active(wide.references[reference]) == space.active(config)


@pytest.mark.parametrize("name", NAMES)
def test_every_config_keeps_what_its_key_is_made_of(name: str) -> None:
    space = _declared(name)
    fixed, value = next((n, v) for n, v in space.fixed.items() if type(v) is int)
    wide = space.search({fixed: (value, value + 1)})
    point = space.point(len(space) - 1)
    assert wide.active({**point, fixed: value}) == space.active(point)
    changed = space.fix({fixed: value + 1})
    assert wide.active({**point, fixed: value + 1}) == changed.active(point)


@pytest.mark.parametrize("name", NAMES)
def test_axes_take_numbers_off_their_lists_and_keep_their_order(name: str) -> None:
    space = _declared(name)
    for axis in space.axes:
        if not axis.ordered:
            continue
        other = max(v for v in axis.values if isinstance(v, int | float)) * 2
        wide = space.search({axis.name: [*axis.values, other]})
        values = next(a.values for a in wide.axes if a.name == axis.name)
        falling = len(axis.values) > 1 and list(axis.values) == sorted(axis.values, reverse=True)
        assert list(values) == sorted([*axis.values, other], reverse=falling)
        assert wide.search({axis.name: axis.values}) == space


def test_one_value_of_a_fixed_one_is_what_fix_makes_of_it() -> None:
    assert SPACE.search({"epochs": "3"}) == SPACE.fix({"epochs": 3})
    assert SPACE.search({"epochs": (5, "5")}) == SPACE
    assert SPACE.search({}) == SPACE


def test_search_narrows_as_narrow_does() -> None:
    wanted = {"k": "100,10", "lambda": "3.30"}
    assert SPACE.search(wanted) == SPACE.narrow(wanted)
    assert SPACE.beyond(wanted) == {}


def test_the_order_of_typing_makes_no_other_space() -> None:
    one = SPACE.search(
        {"k": "50,10", "pooling": "last,max,first,cls", "rate": "1e-4,1e-6", "epochs": "2,1"}
    )
    assert one == SPACE.search(
        {"epochs": "1,2", "pooling": "first,cls,last,max", "k": "10,50", "rate": "1e-6,1e-4"}
    )
    assert [axis.values for axis in one.axes] == [
        (10, 50),
        (1.0, 3.3),
        (0.5, 1.0),
        ("cls", "max", "first", "last"),
        (1, 2),
        (1e-6, 1e-4),
    ]
    assert SPACE.beyond({"k": "50,10", "pooling": "last,cls", "epochs": "3"}) == {
        "k": "50",
        "pooling": "last",
        "epochs": "3",
    }


def test_references_keep_their_value_of_what_is_searched() -> None:
    wide = SPACE.search({"epochs": (1, 2), "rate": (1e-5, 1e-4)})
    for name, config in wide.references.items():
        assert wide.complete(config)["epochs"] == 5, name
        assert wide.complete(config)["rate"] == 1e-5
    assert not wide.admits(wide.references["plain"]), "5 epochs are none of those searched"
    assert wide.search({"epochs": (1, 5)}).admits(wide.references["plain"])


def test_cells_of_other_tensors_are_no_stack_and_those_of_other_rates_are() -> None:
    wide = SOFTTRIPLE.search(
        {
            "batch_size": (64, 128),
            "pooling": ("cls", "mean"),
            "weight_decay": (0.0, 0.01),
        }
    )
    point = {**SOFTTRIPLE.point(0), "batch_size": 64, "pooling": "cls", "weight_decay": 0.0}
    assert wide.shape_key(point) == wide.shape_key({**point, "weight_decay": 0.01})
    assert wide.shape_key(point) != wide.shape_key({**point, "batch_size": 128})
    assert wide.shape_key(point) != wide.shape_key({**point, "pooling": "mean"})


def test_what_is_inert_stays_so_when_it_is_searched() -> None:
    wide = SPACE.search({"merge": (0.0, 0.5)})
    config = {"beta": 1.0, "pooling": "cls"}
    assert wide.active({**config, "merge": 0.5}) == SPACE.active(config)


def test_none_may_be_searched_beside_numbers_and_be_left_out() -> None:
    space = _declared("softtriple")
    assert space.search({"trainable_blocks": "2,none,1"}).axes[-1].values == (1, 2, None)
    alone = space.search({"trainable_blocks": "2,1"})
    assert alone.complete(alone.references["cross-entropy"])["trainable_blocks"] is None
    depths = _declared("encoder_linear")
    assert depths.search({"trainable_blocks": "none"}).axes[0].values == (None,)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SpaceError) as caught:
        SPACE.search(
            {
                "k": "x",
                "poling": "cls",
                "epochs": "1.5,2",
                "beta": (),
                "λ": "1",
                "lambda": "2",
                "rate": "1e-6..1e-3,1",
            }
        )
    assert str(caught.value).splitlines() == [
        "A value of axis 'k' must be a whole number, got 'x'; its own are 1, 10, 100.",
        "Space 'small' has no parameter 'poling'. Did you mean 'pooling'? It has k, scale (lambda),"
        " beta (β), pooling, epochs, rate, merge, padding.",
        "A value of epochs of space 'small' must be a whole number, got '1.5'.",
        "Axis 'beta' needs at least one value.",
        "'scale' is given values twice, the second time as 'lambda'.",
        "A value of rate of space 'small' must be one range or several values, got 1e-6..1e-3, 1.",
    ]


@pytest.mark.parametrize(
    ("name", "word", "domain"),
    [
        ("rate", "1e-6..1e-3:log", FloatDistribution(1e-6, 1e-3, log=True)),
        ("rate", " 0..1 ", FloatDistribution(0.0, 1.0)),
        ("scale", "1..10", FloatDistribution(1.0, 10.0)),
        ("epochs", "2..5", IntDistribution(2, 5)),
        ("k", "1..1000:log", IntDistribution(1, 1000, log=True)),
    ],
)
def test_a_range_is_a_distribution(
    name: str, word: str, domain: FloatDistribution | IntDistribution
) -> None:
    space = SPACE.search({name: (word,)})
    axis = next(axis for axis in space.axes if axis.name == name)
    assert axis.distribution == domain
    assert Space.from_json(json.loads(json.dumps(space.to_json()))) == space
    assert ranges.read_range(ranges.word_of(domain), axis.kinds) == domain
    (found,) = SPACE.beyond({name: word}).values()
    assert found == ranges.word_of(domain)


@pytest.mark.parametrize(
    ("name", "word", "why"),
    [
        ("epochs", "3..1", "whose first number is the lower one"),
        ("epochs", "1.5..3", "must be a range of whole numbers"),
        ("rate", "0..1:log", "must start above 0"),
        ("rate", "-1..1:log", "must start above 0"),
        ("rate", "1e-6..1e-3:ln", "must be LOW..HIGH, or LOW..HIGH:log, of two numbers"),
        ("rate", "1..2..3", "must be LOW..HIGH"),
        ("rate", "..1", "must be LOW..HIGH"),
        ("rate", "0..inf", "must be LOW..HIGH"),
        ("k", "1..1000000", "must have at most 100,000 values"),
    ],
)
def test_no_range(name: str, word: str, why: str) -> None:
    with pytest.raises(SpaceError, match=why):
        SPACE.search({name: word})


def test_dots_in_a_text_are_no_range() -> None:
    assert SPACE.search({"pooling": "../a..b,cls"}).axes[3].values == ("cls", "../a..b")
    mirror = _declared("mirror").search({"pairs": "../a.csv,../b.csv"})
    assert mirror.axes[-1].values == ("../a.csv", "../b.csv")


def test_points_stand_for_a_range_evenly_on_its_scale() -> None:
    space = SPACE.search({"rate": "1e-6..1e-3:log"})
    assert space.ranges == ("rate",)
    sampled = space.sampled()
    values = [v for v in sampled.axes[-1].values if isinstance(v, float)]
    assert len(values) == 34, "33, and the references' own"
    assert (values[0], values[-1]) == (1e-6, 1e-3)
    assert 1e-5 in values
    steps = [b / a for a, b in itertools.pairwise(values)]
    assert max(steps) < 1.26
    assert sampled.ranges == ()
    assert sampled.sampled() == sampled
    assert sampled.admits({**SPACE.point(0), "rate": 1e-5})


@pytest.mark.parametrize(
    ("low", "high", "log"), [(1.0, 1.0001, False), (1.0, 1.0001, True), (-3.0, 0.0, False)]
)
def test_points_of_a_short_range_are_distinct(low: float, high: float, log: bool) -> None:
    points = ranges.points_of(FloatDistribution(low, high, log=log))
    assert len(points) == ranges.POINTS
    assert (points[0], points[-1]) == (low, high)


def test_whole_numbers_on_a_logarithmic_scale_are_sampled_where_there_are_many() -> None:
    few = SPACE.search({"epochs": "2..9:log"}).sampled()
    assert few.axes[-1].values == tuple(range(2, 10))
    many = SPACE.search({"k": "1..2000:log"}).sampled().axes[0].values
    assert many[0] == 1
    assert many[-1] == 2000
    assert len(many) <= ranges.POINTS + 1
    assert all(type(value) is int for value in many)


def test_a_declared_continuous_axis_is_a_range() -> None:
    space = Space(
        name="mine",
        trainable="triple_entropy",
        source="none",
        axes=(Axis(name="lr", distribution=FloatDistribution(1e-6, 1e-3, log=True)),),
        fixed={},
        references={"usual": {"lr": 2e-5}},
    )
    assert len(space.sampled()) == 34
    assert space.search({"lr": (1e-4, 5e-3)}).axes[0].values == (1e-4, 5e-3)
    assert space.beyond({"lr": (1e-4, 5e-3)}) == {"lr": "0.005"}


@pytest.mark.parametrize("name", ["lora_rank", "lora_targets", "layer_decay"])
def test_a_setting_of_trained_encoders_is_told_to_heads(name: str) -> None:
    with pytest.raises(SpaceError, match=f"{name} is a setting of spaces that train an encoder"):
        LINEAR.search({name: ("1",)})
