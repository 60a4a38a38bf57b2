"""Settings that came later leave configs without them what they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spaces import Inert, SpaceError
from tests.spaces.schema.small_space import POINT, SPACE

LATER = replace(SPACE, optional={"share": 0.0, "drop": None})


def test_at_their_defaults_configs_and_shapes_are_as_before() -> None:
    assert LATER.complete(POINT) == SPACE.complete(POINT)
    assert LATER.active(POINT) == LATER.identity(POINT) == SPACE.active(POINT)
    assert LATER.shape_key(POINT) == SPACE.shape_key(POINT)
    assert LATER.fix({"share": 0}) == LATER


def test_another_value_is_part_of_the_config() -> None:
    fixed = LATER.fix({"share": "0.2", "drop": "0.1"})
    assert fixed.identity(POINT) == {**SPACE.active(POINT), "share": 0.2, "drop": 0.1}
    assert fixed.complete(POINT) == {**SPACE.complete(POINT), "share": 0.2, "drop": 0.1}
    assert fixed.fix({"share": 0.0}) == LATER.fix({"drop": 0.1})


def test_searched_the_default_is_a_value_like_any_but_no_part_of_the_key() -> None:
    searched = LATER.search({"share": "0,0.2"})
    assert searched.axes[-1].values == (0.0, 0.2)
    assert len(searched) == 2 * len(SPACE)
    still, kept = ({**POINT, "share": share} for share in (0.0, 0.2))
    assert searched.active(still)["share"] == 0.0
    assert searched.identity(still) == SPACE.active(POINT)
    assert searched.identity(kept) == {**SPACE.active(POINT), "share": 0.2}
    reference = searched.references["plain"]
    assert searched.identity(reference) == SPACE.active(SPACE.references["plain"])


def test_a_rule_may_switch_one_off() -> None:
    off = replace(LATER, inert=(*LATER.inert, Inert(when={"k": (10,)}, axes=("share",))))
    fixed = off.fix({"share": 0.2})
    assert "share" not in fixed.identity({**POINT, "k": 10})
    assert "share" not in off.identity({**POINT, "k": 10})


def test_json_has_it_where_there_is_any() -> None:
    assert "optional" not in SPACE.to_json()
    assert type(SPACE).from_json(LATER.to_json()) == LATER
    assert type(SPACE).from_json(SPACE.to_json()) == SPACE


def test_an_unknown_name_is_refused_and_the_optional_ones_are_suggested() -> None:
    with pytest.raises(SpaceError, match="Did you mean 'share'"):
        LATER.fix({"shar": 0.1})
