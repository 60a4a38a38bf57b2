"""Files of a report: a page, the same in Markdown, figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.comparison.compare import Comparison
from search.comparison.words import notes, to_json
from search.formatting import unit
from search.report import paper
from search.report.effects import Effects, axis_effects
from search.report.evidence import Evidence
from search.report.figures import axes, confusion, parallel, pareto, race, scores
from search.report.figures.style import Picture, look
from search.report.paper_groups import means
from search.report.story import Story, tell

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")
HTML, MARKDOWN = "report.html", "report.md"


@dataclass(frozen=True)
class Report:
    """Files that were written, and the verdicts in them.

    Attributes:
        stories: The sweeps.
        verdicts: Verdicts of all sweeps, and of groups of them.
        files: Everything that was written.
        page: The HTML page, which needs none of the other files.
    """

    stories: tuple[Story, ...]
    verdicts: tuple[paper.Verdict, ...]
    files: tuple[Path, ...]
    page: Path


def write(
    evidences: Sequence[Evidence],
    folder: Path,
    comparison: Comparison | None = None,
    criterion: str | None = None,
) -> Report:
    """Write the report of one or several sweeps.

    Args:
        evidences: The sweeps.
        folder: Made if need be; files of the same names are replaced.
        comparison: Their comparison, for the top of the page; None leaves it out.
        criterion: Metric to draw the objective against; None draws none.

    Raises:
        InputError: if no complete config has the metric.
    """
    stories, verdicts = [], []
    for evidence in evidences:
        found = paper.compare(evidence)
        effects = axis_effects(evidence.plan, evidence.table.scores)
        with look():
            pictures = _pictures(evidence, effects)
            if criterion is not None:
                pictures.append(pareto.pareto(evidence, criterion))
        stories.append(tell(evidence, effects, found, pictures))
        verdicts += found
    groups = means(verdicts)
    with look():
        size = _size(verdicts) if len(evidences) > 1 else None
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    page = folder / HTML
    environment = _environment()
    for name, template in ((HTML, "report.html.j2"), (MARKDOWN, "report.md.j2")):
        text = environment.get_template(template).render(
            stories=stories,
            groups=groups,
            compared=[] if comparison is None else to_json(comparison)["comparisons"],
            comparison_notes=[] if comparison is None else notes(comparison),
            size=size,
            folders=_folders(stories),
            rules=_rules(),
        )
        (folder / name).write_text(text, encoding="utf-8")
        files.append(folder / name)
    for story in stories:
        files += _save(story.pictures.values(), folder / _folders(stories)[story.name])
    if size is not None:
        files += _save([size], folder)
    return Report(tuple(stories), (*verdicts, *groups), tuple(files), page)


def _pictures(evidence: Evidence, effects: Effects) -> list[Picture]:
    pictures: list[Picture | None] = []
    objective = evidence.plan.space.objective
    if evidence.standings.rows:
        pictures.append(scores.leaders(evidence))
        pictures.append(scores.gains(evidence))
    if effects.axes:
        pictures.append(axes.importance(effects))
        pictures.append(axes.effect(effects, objective, unit(objective)))
        pictures.append(parallel.parallel(evidence))
        pictures.append(axes.maps(effects, objective, unit(objective)))
    pictures.append(race.race(evidence))
    if evidence.confusions:
        names = {
            evidence.plan.names.get(config) or "winner": counts
            for config, counts in evidence.confusions.items()
        }
        pictures.append(confusion.draw(names, evidence.classes))
    pictures.append(scores.learning(evidence))
    pictures.append(scores.step_losses(evidence))
    return [picture for picture in pictures if picture is not None]


def _size(verdicts: Sequence[paper.Verdict]) -> Picture | None:
    """Figure of gains by data size, if a paper's table has one."""
    for table in paper.tables():
        mine = [verdict for verdict in verdicts if verdict.table == table["title"]]
        if table["figure"] is not None and mine:
            return race.by_size(mine, table["figure"], table["objective"])
    return None


def _folders(stories: Sequence[Story]) -> dict[str, str]:
    """Folder of each sweep's figures."""
    if len(stories) == 1:
        return {stories[0].name: "."}
    names = [story.name for story in stories]
    return {name: name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names)}


def _save(pictures: Iterable[Picture], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for picture in pictures:
        svg, png = folder / f"{picture.name}.svg", folder / f"{picture.name}.png"
        svg.write_text(picture.svg, encoding="utf-8")
        png.write_bytes(picture.png)
        files += [svg, png]
    return files


def _rules() -> list[str]:
    """Rules of the verdicts, from the docstring of paper.py."""
    parts = (paper.__doc__ or "").split("\n\n")
    return [part for part in parts[1:] if part.strip()]


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value, sign=False: (
        "-" if value is None else _points(float(value), bool(sign))
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment


def _points(value: float, sign: bool) -> str:
    from search.report.figures.style import points

    return points(value, sign) if np.isfinite(value) else "-"
