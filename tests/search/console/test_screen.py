"""Tables on narrow screens, text that a terminal would obey, streams that nobody reads."""

from __future__ import annotations

import io

import pytest

from search.console.screen import Column, apart, fitted, label_table, screen_of

LABELS = ["k=100 gamma=0.1 scale=3.3 margin=0.3 beta=0.9 (paper-best)", "beta=1 (cross-entropy)"]
COLUMNS = [
    Column("#", ["1", "2"], giving=5),
    Column("mean", ["89.50", "88.40"]),
    Column("95% interval", ["85.96 .. 93.03"] * 2, giving=8, wide_only=True),
    Column("cells", ["20", "20"], giving=3),
    Column("gain", ["+1.10", "-"], giving=1),
    Column("status", ["winner", "complete"], giving=4, left=True),
]


class Narrow(io.StringIO):
    """A terminal of some width."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 120, 200])
def test_no_number_is_cut_and_no_word_is_lost_at_any_width(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Narrow()
    screen = screen_of(stream)
    screen.print(label_table("config", LABELS, COLUMNS, screen.width))
    shown = stream.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    words = LABELS[0].split() if width > 20 else ["gamma=0.1"]
    for word in (*words, "89.50", "88.40"):
        assert word in shown, word
    assert ("95% interval" in shown) == (width >= 100)


def test_at_eighty_columns_a_config_takes_two_lines_at_most() -> None:
    kept = fitted(LABELS, COLUMNS, 80)
    assert {column.name for column in kept} == {"#", "mean", "cells", "gain", "status"}


def test_markup_and_control_characters_are_shown_and_not_obeyed() -> None:
    stream = io.StringIO()
    screen_of(stream).print("[bold]x[/bold] \x1b[2J :smile: \x07")
    assert stream.getvalue() == "[bold]x[/bold] \\x1b[2J :smile: \\x07\n"


def test_progress_outlives_a_reader_that_goes_away() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    screen_of(Gone(), forgiving=True).print("hello")
    with pytest.raises(BrokenPipeError):
        screen_of(Gone()).print("hello")
    screen_of(None).print("nowhere")


def test_lines_that_are_too_long_keep_what_sets_them_apart() -> None:
    shared = "learning_rate=2e-05 batch_size=16 weight_decay=0.01"
    labels = [f"{shared} epochs=3 pooling=mean", f"{shared} epochs=5 pooling=mean"]
    assert apart(labels, 80) == labels
    assert apart(labels, 40) == ["epochs=3", "epochs=5"]
    # Nothing is shared by one alone: it keeps both ends, and no word is cut.
    assert apart(labels[:1], 40) == ["learning_rate=2e-05 … pooling=mean"]
    assert apart([labels[0], labels[0]], 40)[0] == "learning_rate=2e-05 … pooling=mean"
    for width in range(1, 90):
        assert len(apart(labels[:1], width)[0]) <= width
