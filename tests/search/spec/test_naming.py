"""Names of sweeps that were given none."""

from __future__ import annotations

import pytest

from search.spec.naming import default_name
from trainables.engine.contract import DataRef


def test_a_sweep_without_a_name_is_called_after_what_it_searches() -> None:
    data = DataRef(name="/far/away/tweets.csv", subset=500)
    assert default_name("softtriple", data, "roberta-base") == "softtriple-tweets-500-roberta-base"
    assert default_name("smoke", DataRef(name="org/set"), "a/b") == "smoke-set-b"


@pytest.mark.parametrize(
    ("data", "name"),
    [("a/tweets.csv.gz", "tweets"), ("hub/", "hub"), ("a/hub", "hub"), ("org/set", "set")],
)
def test_a_default_name_is_that_of_the_file_or_folder(data: str, name: str) -> None:
    assert default_name("smoke", DataRef(name=data), "m") == f"smoke-{name}-m"
