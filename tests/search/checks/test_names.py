"""Names: what a command can say again, and nothing that a terminal obeys."""

from __future__ import annotations

import pytest

from search.checks import refuse
from search.checks.names import MODEL_NAME, NAME, READABLE, name_of
from search.errors import InputError


@pytest.mark.parametrize(
    "name",
    ["mine", "softtriple-trec-1k", "latest-2", "zażółć", "a:b", "a b", "9" * 100, "a\u200db"],
)
def test_names(name: str) -> None:
    assert NAME.fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a/b", " a", "a ", "latest", ".", "..", "-a", "a\x1b[31m", "a\0b", "a\nb"),
        *("x" * 101, "\N{GRINNING FACE}" * 99, "a\udcffb"),
    ],
)
def test_no_names(name: str) -> None:
    fault = NAME.fault(name)
    assert fault is not None
    assert fault.startswith("must ")
    assert fault.isprintable()
    assert len(fault) < 250


def test_a_registered_models_name_has_no_colon() -> None:
    assert MODEL_NAME.fault("sentiment") is None
    with pytest.raises(InputError, match=r"--as must be .* without '/' and ':', .* got 'a/b:c'"):
        refuse(MODEL_NAME, "--as", "a/b:c")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smoke-my data-minilm", "smoke-my data-minilm"),
        ("a/b\x1bc ", "a_b_c"),
        ("x" * 300, "x" * 100),
        ("--", "sweep"),
    ],
)
def test_a_name_is_made_of_any_text(text: str, name: str) -> None:
    assert name_of(text) == name
    assert NAME.fault(name) is None


@pytest.mark.parametrize("word", ["", " \t", "a\0b", "caf\udce9"])
def test_words_that_can_be_no_value(word: str) -> None:
    assert READABLE.fault(word) is not None
    assert READABLE.fault(f"a{'b' * 5000}") is None
