"""A command and its SweepSpec say the same: words -> spec -> words."""

from __future__ import annotations

import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from search.cli import build_parser
from search.spec.arguments import recipe, sweep_spec
from search.spec.make_spec import make_spec
from trainables.engine.contract import DataRef

PARSE = build_parser().parse_args

# Of words that a shell hands over: anything printable, quotes, equals and dashes among them.
WORDS = st.text(
    st.characters(blacklist_categories=("C", "Z"), blacklist_characters=",/"), min_size=1
)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
COLUMNS = st.none() | WORDS
VALUES = WORDS.filter(lambda text: text == text.strip())
RANGES = st.sampled_from(["1e-6..1e-3:log", "-1.5..2", "1..5"]).map(lambda word: (word,))
LISTS = st.lists(VALUES, min_size=1, max_size=4).map(tuple)
MARGINS = st.integers(1, 500).map(lambda number: number / 1000)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    folds = draw(st.none() | st.integers(2, 10))
    strategy = draw(st.sampled_from(["race", "grid", "random", "tpe", "halving"]))
    named = st.lists(NAMES.filter(lambda name: name != "none"), max_size=2, unique=True)
    prior = draw(st.none() | (named if strategy == "race" else st.just([])).map(tuple))
    shares = st.just("official") | st.floats(0.01, 0.9)
    values = st.lists(VALUES, min_size=1).map(tuple) | RANGES
    searched = draw(st.dictionaries(NAMES, values, max_size=3))
    fixed = draw(st.dictionaries(NAMES, VALUES, max_size=3))
    both = {name.replace("-", "_") for name in searched}
    return {
        "space": draw(NAMES),
        "data": DataRef(
            name=draw(NAMES),
            text=draw(COLUMNS),
            text_b=draw(COLUMNS),
            label=draw(COLUMNS),
            subset=draw(st.none() | st.integers(1, 10**6)),
            drop_missing=draw(st.booleans()),
            cleaning=tuple(draw(st.lists(NAMES, max_size=3))),
            image=draw(COLUMNS),
            image_b=draw(COLUMNS),
            bad_images=draw(st.sampled_from(["missing", "drop"])),
            metadata=tuple(draw(st.lists(VALUES, max_size=3))),
            parts=draw(st.sampled_from([None, "train", "all"])),
        ),
        "model": draw(NAMES),
        "set_axes": searched,
        "fix": {name: value for name, value in fixed.items() if name.replace("-", "_") not in both},
        "configs": draw(st.sampled_from(["all", "reference", "ablation"]) | NAMES),
        "seeds": tuple(draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True))),
        "folds": folds,
        "holdout": draw(shares) if folds is None else None,
        "train_rows": draw(st.none() | st.integers(1, 10**6)),
        "strategy": strategy,
        "strategy_seed": draw(st.integers(0, 1000)),
        "objective": draw(st.none() | NAMES),
        "prior": prior,
        "nested": folds is not None and not prior and draw(st.booleans()),
        "budget": {
            "max_cells": draw(st.none() | st.integers(1, 10**6)),
            "max_hours": draw(st.none() | st.floats(0.01, 1000)),
            "stop_margin": draw(st.none() | MARGINS) if strategy == "race" else None,
        },
    }


@given(specs())
def test_a_recipe_is_read_as_the_spec_that_it_was_made_of(fields: dict[str, Any]) -> None:
    spec = make_spec(**fields, name="mine", tracking_uri="sqlite:///mlflow.db")
    words = shlex.split(recipe(spec))
    again = sweep_spec(PARSE([*words[1:], "--name", "mine"]))
    assert again.model_copy(update={"tracking_uri": spec.tracking_uri}) == spec
