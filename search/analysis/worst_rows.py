"""Page of the rows that a config gets most wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray

_SIDE = 160
_MOST_TEXT = 400
_STYLE = """\
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px; color: #222; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ddd; padding: 8px; text-align: left; vertical-align: top; }
th { background: #f4f4f4; } td.n { text-align: right; white-space: nowrap; }
img { max-width: 160px; max-height: 160px; display: block; margin-top: 6px; }
.none { color: #888; font-style: italic; } .wrong { color: #b00020; } td.t { width: 34%; }
"""


@dataclass(frozen=True)
class WorstRow:
    """One row of the data.

    Attributes:
        row: Its number in the data, from 0.
        text: Its text.
        text_b: Its second text; None where rows are single texts.
        images: Files of both images, None for one that it does not have; None where the data have
            no images.
        label: Name of its true class.
        predicted: Name of the class that it is taken for most often.
        probability: Mean probability of the true class, over the cells that held it out.
        wrong: Number of these cells that took it for another class.
        cells: Number of cells that held it out.
    """

    row: int
    text: str
    text_b: str | None
    images: tuple[Path | None, Path | None] | None
    label: str
    predicted: str
    probability: float
    wrong: int
    cells: int


def worst(
    labels: IntArray,
    cells: Sequence[tuple[IntArray, npt.NDArray[np.float32]]],
    top: int,
) -> list[tuple[int, int, float, int, int]]:
    """Rows whose true class gets the least held-out probability.

    Args:
        labels: True classes of all rows, (rows,).
        cells: Held-out rows and their probabilities, by cell.
        top: Largest number of rows; one that no cell got wrong is none of them.

    Returns:
        (row, class that it is taken for most often, mean probability of the true class, cells that
        got it wrong, cells), worst first.
    """
    classes = cells[0][1].shape[1]
    sums, votes = np.zeros(len(labels)), np.zeros((len(labels), classes), np.int64)
    for rows, probabilities in cells:
        sums[rows] += probabilities[np.arange(len(rows)), labels[rows]]
        votes[rows, probabilities.argmax(axis=1)] += 1
    times = votes.sum(axis=1)
    mean = np.divide(sums, times, out=np.full(len(labels), np.inf), where=times > 0)
    wrong = times - votes[np.arange(len(labels)), labels]
    order = [int(row) for row in np.argsort(mean, kind="stable") if wrong[row]][:top]
    others = votes.copy()
    others[np.arange(len(labels)), labels] = -1
    return [
        (row, int(others[row].argmax()), float(mean[row]), int(wrong[row]), int(times[row]))
        for row in order
    ]


def page(rows: Sequence[WorstRow], title: str, path: Path) -> None:
    """Write the page: one file that needs no other, thumbnails inside.

    Args:
        rows: Worst first.
        title: Its heading.
        path: An .html file.
    """
    pairs = any(row.text_b is not None for row in rows)
    head = ["row", "true class", "taken for", "probability of the true class", "wrong"]
    head += ["claim", "document"] if pairs else ["text"]
    body = "\n".join(_line(row, pairs) for row in rows)
    columns = "".join(f"<th>{escape(name)}</th>" for name in head)
    path.write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f"<table><thead><tr>{columns}</tr></thead>\n<tbody>\n{body}\n</tbody></table></html>\n",
        encoding="utf-8",
    )


def _line(row: WorstRow, pairs: bool) -> str:
    images = row.images or (None, None)
    shown = row.images is not None
    cells = [
        f'<td class="n">{row.row}</td>',
        f"<td>{escape(row.label)}</td>",
        f'<td class="wrong">{escape(row.predicted)}</td>',
        f'<td class="n">{row.probability:.3f}</td>',
        f'<td class="n">{row.wrong} of {row.cells}</td>',
        _text(row.text, images[0], shown),
    ]
    if pairs:
        cells.append(_text(row.text_b or "", images[1], shown))
    return f"<tr>{''.join(cells)}</tr>"


def _text(text: str, image: Path | None, shown: bool) -> str:
    cut = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " ..."
    picture = thumbnail(image) if shown else ""
    return f'<td class="t">{escape(cut)}{picture}</td>'


def thumbnail(path: Path | None) -> str:
    """Small copy of an image as HTML; a word if missing."""
    if path is None:
        return '<div class="none">no usable image</div>'
    from trainables.engine.images.inspection import read_rgb

    try:
        image = read_rgb(path)
    except OSError:
        return '<div class="none">the image is no longer there</div>'
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
