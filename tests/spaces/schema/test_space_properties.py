"""Space as a value, whatever it holds: grid, point, index, sample, neighbours, JSON."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from spaces import Axis, Inert, Scalar, Space

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0)
choices = st.one_of(
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=5, unique=True),
    st.lists(numbers, min_size=1, max_size=5, unique=True),
    st.lists(st.text("abcxyz", min_size=1), min_size=1, max_size=5, unique=True),
    st.just([False, True]),
)
domains = st.one_of(
    choices.map(CategoricalDistribution),
    st.builds(
        lambda low, step, n: IntDistribution(low, low + step * n, step=step),
        st.integers(-100, 100),
        st.integers(1, 7),
        st.integers(0, 5),
    ),
    st.builds(
        lambda low, n: FloatDistribution(low / 4, (low + n) / 4, step=0.25),
        st.integers(-20, 20),
        st.integers(1, 5),
    ),
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Spaces of up to four axes; sometimes the first axis is inert at one value of the last."""
    found = draw(st.lists(domains, max_size=4))
    axes = tuple(Axis(name=f"axis_{i}", distribution=domain) for i, domain in enumerate(found))
    rules: tuple[Inert, ...] = ()
    if len(axes) > 1 and draw(st.booleans()):
        trigger = draw(st.sampled_from(axes[-1].values))
        rules = (Inert(when={axes[-1].name: (trigger,)}, axes=(axes[0].name, "fixed_a")),)
    return Space(
        name="drawn",
        trainable="triple_entropy",
        source="drawn",
        axes=axes,
        fixed={"fixed_a": draw(numbers), "fixed_b": draw(st.text(max_size=3))},
        inert=rules,
        mode=draw(st.sampled_from(["max", "min"])),
        shape=tuple(axis.name for axis in axes[:2]),
    )


@given(spaces())
def test_the_grid_has_one_point_for_each_combination_of_values(space: Space) -> None:
    points = [tuple(point.items()) for point in space.grid()]
    assert len(points) == len(set(points)) == len(space)
    assert len(space) == math.prod(len(axis.values) for axis in space.axes)


@given(spaces())
def test_point_gives_the_grid_in_its_order_and_index_takes_it_back(space: Space) -> None:
    for i, config in enumerate(space.grid()):
        assert space.point(i) == config
        assert space.index(config) == i
        assert space.admits(config)


@given(spaces())
def test_json_gives_an_equal_space_with_an_equal_hash(space: Space) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert hash(again) == hash(space)
    assert list(again.grid()) == list(space.grid())


@given(spaces(), st.data())
def test_complete_is_reached_in_one_step_and_active_is_its_part(
    space: Space, data: st.DataObject
) -> None:
    config = space.point(data.draw(st.integers(0, len(space) - 1)))
    complete = space.complete(config)
    assert set(complete) == {axis.name for axis in space.axes} | set(space.fixed)
    assert space.complete(complete) == complete
    assert space.active(complete).items() <= complete.items()
    assert space.active(complete) == space.active(config)
    assert space.shape_key(complete) == space.shape_key(config)


@given(spaces(), st.data())
def test_shape_keys_are_equal_exactly_where_the_active_shape_values_are(
    space: Space, data: st.DataObject
) -> None:
    at = st.integers(0, len(space) - 1)
    a, b = (space.active(space.point(data.draw(at))) for _ in range(2))
    same = all((n in a) == (n in b) and (n not in a or a[n] == b[n]) for n in space.shape)
    assert (space.shape_key(a | _idle(space, a)) == space.shape_key(b | _idle(space, b))) == same


def _idle(space: Space, active: dict[str, Scalar]) -> dict[str, Scalar]:
    return {axis.name: axis.first for axis in space.axes if axis.name not in active}


@given(spaces(), st.data())
def test_words_of_the_command_line_narrow_as_the_values_do(
    space: Space, data: st.DataObject
) -> None:
    kept = {
        axis.name: data.draw(st.lists(st.sampled_from(axis.values), min_size=1))
        for axis in space.axes
    }
    narrowed = space.narrow(kept)
    assert narrowed == space.narrow({n: [str(v) for v in reversed(vs)] for n, vs in kept.items()})
    wanted = [p for p in space.grid() if all(p[name] in vs for name, vs in kept.items())]
    assert list(narrowed.grid()) == wanted


@given(spaces(), st.data())
def test_searching_any_values_keeps_every_config_that_it_was(
    space: Space, data: st.DataObject
) -> None:
    point = data.draw(st.sampled_from(list(space.grid())))
    own = space.fixed["fixed_a"]
    wanted: dict[str, list[Scalar]] = {"fixed_a": [own, data.draw(numbers)]}
    for axis in space.axes:
        if axis.kinds == {int}:
            wanted[axis.name] = [point[axis.name], data.draw(st.integers(-(10**6), 10**6))]
    wide = space.search(wanted)
    words = {name: ",".join(map(str, values)) for name, values in reversed(wanted.items())}
    assert space.search(words) == wide
    assert Space.from_json(json.loads(json.dumps(wide.to_json()))) == wide
    assert wide.active({**point, "fixed_a": own}) == space.active(point)
    sizes = [len(set(wanted.get(axis.name, axis.values))) for axis in space.axes]
    assert len(wide) == math.prod(sizes) * len(set(wanted["fixed_a"]))
