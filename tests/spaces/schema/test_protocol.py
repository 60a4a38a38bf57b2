"""Protocol: its blocks, their one order, and what it refuses."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.schema.protocol import Protocol

protocols = st.builds(
    Protocol,
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8, unique=True).map(tuple),
    folds=st.integers(2, 10),
)


@given(protocols)
def test_every_seed_meets_every_fold_once(protocol: Protocol) -> None:
    blocks = protocol.blocks()
    assert protocol.folds is not None
    assert len(blocks) == len(protocol) == len(protocol.seeds) * protocol.folds
    assert set(blocks) == {(s, f) for s in protocol.seeds for f in range(protocol.folds)}


@given(protocols)
def test_every_prefix_is_spread_evenly_over_seeds_and_folds(protocol: Protocol) -> None:
    seeds = Counter(dict.fromkeys(protocol.seeds, 0))
    folds = Counter(dict.fromkeys(range(protocol.folds or 1), 0))
    for seed, fold in protocol.blocks():
        seeds[seed] += 1
        folds[fold] += 1
        assert max(seeds.values()) - min(seeds.values()) <= 1
        assert max(folds.values()) - min(folds.values()) <= 1


@given(protocols)
def test_the_order_of_the_seeds_does_not_matter(protocol: Protocol) -> None:
    turned = Protocol(seeds=protocol.seeds[::-1], folds=protocol.folds)
    assert turned.blocks() == protocol.blocks()


@given(protocols)
def test_json_gives_an_equal_protocol(protocol: Protocol) -> None:
    again = Protocol.from_json(json.loads(json.dumps(protocol.to_json())))
    assert again == protocol
    assert hash(again) == hash(protocol)


def test_the_papers_protocol_has_twenty_blocks_in_an_order_that_never_changes() -> None:
    # Written down: a release with another order would pair cells that were never paired.
    assert Protocol().blocks()[:8] == (
        (128, 4),
        (2048, 3),
        (2, 1),
        (16, 0),
        (128, 2),
        (2048, 4),
        (2, 3),
        (16, 1),
    )
    assert len(Protocol()) == 20


@pytest.mark.parametrize("holdout", [0.2, "official"])
def test_a_hold_out_has_one_block_a_seed(holdout: float) -> None:
    protocol = Protocol(folds=None, holdout=holdout)
    assert protocol.blocks() == ((128, 0), (2048, 0), (2, 0), (16, 0))
    assert len(protocol) == 4
    assert Protocol.from_json(protocol.to_json()) == protocol


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": ()}, "at least one seed, got none"),
        ({"seeds": (1, 1)}, r"distinct, got \(1, 1\)"),
        ({"seeds": (-1,)}, "from 0 to 4294967295, got -1"),
        ({"seeds": (2**32,)}, "from 0 to 4294967295, got 4294967296"),
        ({"seeds": (True,)}, "must be whole numbers .* got True"),
        ({"folds": 1}, "at least 2, got 1"),
        ({"folds": 2.0}, "at least 2, got 2.0"),
        ({"holdout": 0.2}, "exactly one of folds and holdout, got folds=5, holdout=0.2"),
        ({"folds": None}, "exactly one of folds and holdout, got folds=None, holdout=None"),
        ({"folds": None, "holdout": 1.0}, r"\(0, 1\) or 'official', got 1.0"),
        ({"folds": None, "holdout": "test"}, r"\(0, 1\) or 'official', got 'test'"),
        ({"folds": None, "holdout": float("nan")}, r"\(0, 1\) or 'official', got nan"),
    ],
)
def test_a_faulty_protocol_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**fields)  # type: ignore[arg-type]


def test_json_with_other_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="has the fields seeds, folds, holdout, got folds, seeds"):
        Protocol.from_json({"seeds": [1], "folds": 5})
