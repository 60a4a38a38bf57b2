"""Labels of configs: what varies, nothing twice, nothing that a terminal would obey."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from search.formatting import between, counted, fitted_line, printable, scalar, shortened
from search.planning.labels import Labels

GRID = [{"k": 10, "gamma": 0.1, "beta": beta, "epochs": 5} for beta in (0.5, 0.7)]
AXES = ("k", "gamma", "beta")


def test_what_all_configs_share_stands_in_the_title_alone() -> None:
    labels = Labels(GRID, AXES, {})
    assert [labels[0], labels[1]] == ["beta=0.5", "beta=0.7"]
    assert (labels.varying, labels.title) == (("beta",), "k=10 gamma=0.1")
    assert labels.whole(0) == "k=10 gamma=0.1 beta=0.5"


def test_a_reference_shows_the_fixed_value_that_sets_it_apart_and_makes_no_axis_vary() -> None:
    configs = [{"beta": 1.0, "epochs": 5}, {"k": 20, "gamma": 0.1, "beta": 0.5, "epochs": 9}, *GRID]
    labels = Labels(configs, AXES, {0: "cross-entropy", 1: "paper"})
    assert labels[0] == "beta=1 (cross-entropy)"
    assert labels[1] == "beta=0.5 k=20 epochs=9 (paper)"
    assert labels[2] == "beta=0.5"


def test_short_names_have_the_axes_of_most_values_first_by_their_letters() -> None:
    configs = [
        {"mode": mode, "learning_rate": rate, "epochs": 5, "beta": 0.5}
        for mode in ("mean", "first")
        for rate in (0.001, 0.01, 0.1)
    ]
    labels = Labels(configs, ("mode", "learning_rate", "beta"), {5: "paper"})
    assert labels.short[0] == "lr=0.001 m=mean"
    assert labels.short[5] == "lr=0.1 m=first (paper)"
    alike = Labels([{"beta": b, "batch": b + 1} for b in (1, 2)], ("beta", "batch"), {})
    assert alike.short == ("beta=1 batch=2", "beta=2 batch=3")


def test_a_lone_config_still_has_a_name() -> None:
    assert Labels([{"k": 10}], ("k",), {})[0] == "config 1"
    assert Labels([{"k": 10}], ("k",), {0: "paper"})[0] == "paper"


def test_long_values_and_control_characters_do_no_harm() -> None:
    configs = [{"text": "x" * 3_000 + end} for end in ("\x1b[31m", "\u202e")]
    labels = Labels(configs, ("text",), {})
    assert labels[0] != labels[1]
    assert all(len(labels[i]) <= 210 and labels[i].isprintable() for i in (0, 1))
    assert labels.whole(0).endswith(r"\x1b[31m")


_values = st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=5))


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), _values), min_size=1, max_size=8))
def test_no_two_configs_have_one_label(configs: list[dict[str, int | bool | float | str]]) -> None:
    labels = Labels(configs, ("a", "b"), {0: "first"})
    texts = [labels[index] for index in range(len(configs))]
    assert len(set(texts)) == len(texts)
    assert len(set(labels.short)) == len(texts)
    assert all(text and printable(text) == text for text in texts)


@given(st.text())
def test_printable_text_is_left_alone_and_all_else_escaped(text: str) -> None:
    shown = printable(text)
    assert all(ord(character) >= 32 and ord(character) != 127 for character in shown)
    assert (shown == text) or not text.isprintable()


def test_numbers_as_a_person_says_them() -> None:
    assert (counted(1, "config"), counted(2_940, "cell")) == ("1 config", "2,940 cells")
    assert (between(660, 840), between(50, 840), between(1, 1)) == (
        "11 to 14 min",
        "50 s to 14 min",
        "1 s",
    )
    assert (scalar(0.1), scalar(0.12345678), scalar(True), shortened("abcd", 3)) == (
        *("0.1", "0.12345678", "True"),
        "ab\N{HORIZONTAL ELLIPSIS}",
    )


@given(st.text(alphabet="ab 0.1=", max_size=40), st.integers(3, 30))
def test_a_line_is_cut_between_words(text: str, width: int) -> None:
    line = fitted_line(text, width)
    assert len(line) <= width
    if line != text:
        assert line.endswith("\N{HORIZONTAL ELLIPSIS}")
        assert set(line[:-1].split()) <= set(text.split())
