"""What `run` refuses before it looks at anything."""

from __future__ import annotations

from typing import Any

import pytest

from search import SweepSpec
from search.errors import InputError
from search.sweep.run import run


def test_a_name_in_place_of_a_spec_is_refused_with_the_way_to_write_it() -> None:
    name: Any = "linear_grid"
    with pytest.raises(InputError, match="run wants a SweepSpec, got 'linear_grid'"):
        run(name)


def test_a_space_of_another_type_is_refused_by_name() -> None:
    number: Any = 3
    with pytest.raises(ValueError, match=r"space must be a name or a spaces\.Space, got 3"):
        SweepSpec(space=number, data="trec-1k", model="minilm")
