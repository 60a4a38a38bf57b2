"""Style of figures: colour-blind safe colours, sizes for screen and print."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours; the first two are told apart by their lightness alone, too.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER = (
    *("#0072B2", "#D55E00", "#009E73"),
    *("#CC79A7", "#56B4E9", "#E69F00"),
)
INK, GREY, PALE = "#222222", "#6b6b6b", "#d9d9d9"
MAP = "cividis"
WIDTH = 6.4  # inches
_SETTINGS: Any = {
    # A class or a sweep may be called $5: no name is a formula.
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": PALE,
    "svg.fonttype": "path",
    "svg.hashsalt": "foldrace",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes:
        name: Name of its files, without an ending.
        title: Title in a few words.
        caption: Reading of the figure, for those who cannot see it, too.
        svg: The SVG document.
        png: The same as PNG.
        figure: The figure itself, as matplotlib has it.
    """

    name: str
    title: str
    caption: str
    svg: str
    png: bytes
    figure: Figure | None = field(default=None, compare=False, repr=False)

    @property
    def inline(self) -> str:
        """The SVG element, for a page."""
        element = self.svg[self.svg.index("<svg") :]
        # The page sets the width; the drawing's own size stays in its viewBox.
        head, rest = element.split(">", 1)
        words = [w for w in _attributes(head) if not w.startswith(("width=", "height="))]
        return f'<svg role="img" aria-label="{_plain(self.title)}" {" ".join(words)}>{rest}'


def _attributes(head: str) -> list[str]:
    import re

    return re.findall(r'[\w:]+="[^"]*"', head)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def canvas(
    height: float, rows: int = 1, columns: int = 1, width: float = WIDTH
) -> tuple[Figure, list[Axes]]:
    """An empty figure and its panels, row by row.

    Args:
        height: In inches.
        rows: Number of rows of panels.
        columns: Number of columns of panels.
        width: In inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=160)
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


@contextmanager
def look() -> Iterator[None]:
    """Context in which figures take the report's sizes and colours."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def finish(figure: Figure, name: str, title: str, caption: str) -> Picture:
    """Draw a figure into both formats."""
    svg, png = io.StringIO(), io.BytesIO()
    # Without a date the same sweep gives the same bytes.
    figure.savefig(svg, format="svg", metadata={"Date": None, "Title": title})
    figure.savefig(png, format="png", metadata={"Title": title})
    return Picture(name, title, caption, svg.getvalue(), png.getvalue(), figure)


def wrapped(text: str, width: int) -> str:
    """A label over several lines, cut between words."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width, break_long_words=False)) or text


def points(value: float, sign: bool = False) -> str:
    """Format a fraction as points (per cent), two digits, proper minus."""
    return (f"{100 * value:+.2f}" if sign else f"{100 * value:.2f}").replace("-", "\N{MINUS SIGN}")


def number(value: object) -> str:
    """An axis's value as a tick says it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def labels(values: Sequence[object]) -> list[str]:
    """An axis's values as its ticks say them."""
    return [number(value) for value in values]
