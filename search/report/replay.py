"""A race as an animated drawing of its live display."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np

from search.console.live import LiveDisplay
from search.console.screen import Screen
from search.report.evidence import Evidence
from search.results.score_matrix import ScoreMatrix, planned_cells

FRAMES = 24
_SECONDS, _REST_SECONDS = 0.7, 4.0  # of a frame, and of the last one
_COLUMNS, _ASPECT = 80, 0.61  # of the terminal, and of a letter's width to its height
# Rich fills the names in braces.
_FRAME = (
    '<g class="frame" id="{unique_id}">'
    "<style>.{unique_id}-matrix {{ font: {char_height}px monospace }}\n{styles}</style>"
    '{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>'
    "<!--{terminal_width} {terminal_height}-->"
)
_MARGIN = 18


def animated(evidence: Evidence, frames: int = FRAMES) -> str:
    """Draw a race as an SVG that plays by itself.

    It goes from the first cells to the last, in the order in which they ended, and shows what a
    terminal shows while the race runs, less its speed.

    Args:
        evidence: The sweep, with at least one cell.
        frames: Number of frames, at most.
    """
    count = len(evidence.arrivals)
    ends = sorted(set(np.linspace(1, count, min(frames, count)).round().astype(int).tolist()))
    drawn = [_frame(evidence, end, f"f{number}") for number, end in enumerate(ends)]
    sizes = [re.findall(r"<!--(\S+) (\S+)-->", one)[-1] for one in drawn]
    width, height = (max(float(size[side]) for size in sizes) + 2 * _MARGIN for side in (0, 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="A race: {_alt(evidence)}">\n<style>\n{_timing(ends)}</style>\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#292929"/>\n'
        f'<g transform="translate({_MARGIN},{_MARGIN})">\n' + "\n".join(drawn) + "\n</g>\n</svg>\n"
    )


def _frame(evidence: Evidence, end: int, name: str) -> str:
    """The display after so many cells, as a group of an SVG."""
    plan, table = evidence.plan, ScoreMatrix.empty(evidence.plan)
    for config, block in evidence.arrivals[:end].tolist():
        table.put((config, block), float(evidence.table.scores[config, block]), {})
    table.reused = end
    display = LiveDisplay()
    display.screen = Screen(
        file=io.StringIO(), record=True, width=_COLUMNS, highlight=False, emoji=False,
        force_terminal=True, color_system="truecolor",
    )  # fmt: skip
    display.begin(plan, table, planned_cells(plan))
    display.screen.print(display.draw(speed=False))
    text = display.screen.export_svg(
        title="", code_format=_FRAME, unique_id=name, font_aspect_ratio=_ASPECT
    )
    return re.sub(r' clip-path="[^"]*"', "", text)


def _timing(ends: Sequence[int]) -> str:
    """Style rules that show one frame after the other, for ever."""
    total = _SECONDS * (len(ends) - 1) + _REST_SECONDS
    rules = [".frame { visibility: hidden }"]
    for number in range(len(ends)):
        begin = 100 * _SECONDS * number / total
        last = number == len(ends) - 1
        end = 100.0 if last else 100 * _SECONDS * (number + 1) / total
        rules.append(
            f"@keyframes k{number} {{ 0%, 100% {{ visibility: hidden }} "
            f"{begin:.3f}% {{ visibility: visible }} {end - 0.001:.3f}% {{ visibility: visible }} "
            f"{end:.3f}% {{ visibility: hidden }} }}"
        )
        rules.append(f"#f{number} {{ animation: k{number} {total:.1f}s step-end infinite }}")
    # Who wants no motion, or has no animation, sees the end.
    rules.append(f"#f{len(ends) - 1} {{ visibility: visible }}")
    still = f"#f{len(ends) - 1} {{ animation: none }}"
    rules.append(
        f"@media (prefers-reduced-motion) {{ .frame {{ animation: none !important }} {still} }}"
    )
    return "\n".join(rules) + "\n"


def _alt(evidence: Evidence) -> str:
    cells, configs = len(evidence.arrivals), len(evidence.plan.configs)
    return f"{cells:,} cells of {configs:,} configs, the leaders after each of them"
