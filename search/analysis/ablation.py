"""Ends `--configs ablation`: the paper's table, a confusion matrix, worst rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.analysis import ablation_table, worst_rows
from search.arrays import IntArray
from search.errors import InputError
from search.ledger.ledger import Ledger
from search.ledger.predictions import Predictions
from search.planning.plan import Plan
from search.report.figures import confusion
from search.results.outcome import SweepResult
from search.results.sweep_labels import FILE, SweepLabels
from search.tracking.open import open_ledger
from trainables.analysis import word_frequency
from trainables.engine import registry
from trainables.engine.datasets.load import load_data
from trainables.engine.text_data import TextData

_WORST = 20


@dataclass
class Shown:
    """Files, rows and notes of an ablation.

    Attributes:
        rows: Rows of the table, in the paper's order.
        table: The same as text.
        files: Table, pictures and pages.
        notes: Notes for the reader.
    """

    rows: list[ablation_table.AblationRow] = field(default_factory=list)
    table: str = ""
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "files": [str(path) for path in self.files],
            "notes": self.notes,
        }


def show(outcome: SweepResult, folder: Path) -> Shown:
    """Write an ablation's files, and attach them to the sweep's run.

    Args:
        outcome: A sweep whose configs are the references of a space.
        folder: Folder of the files, made if need be.
    """
    plan, shown = outcome.plan, Shown()
    complete = set(np.flatnonzero(np.isfinite(outcome.table.scores).any(axis=1)).tolist())
    chosen = [index for index in _in_order(plan) if index in complete]
    if not chosen:
        return shown
    folder.mkdir(parents=True, exist_ok=True)
    with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
        labels_file = ledger.file(outcome.sweep_id, FILE)
        if labels_file is None:
            return shown
        truth = SweepLabels.from_bytes(labels_file)
        cells = {index: _cells(ledger, outcome, index) for index in chosen}
        papers = _papers(plan, truth.label_names)
        for index in chosen:
            name = plan.names.get(index, plan.label(index))
            shown.rows.append(
                ablation_table.row(name, truth.labels, cells[index], papers.get(name))
            )
        _write(shown, outcome, truth, cells, folder)
        files = {f"ablation/{path.name}": path.read_bytes() for path in shown.files}
        ledger.attach(outcome.sweep_id, files)
    return shown


def _in_order(plan: Plan) -> list[int]:
    """Configs in the order of the paper's rows, others behind."""
    names = list(plan.space.ablation)
    places = {
        index: names.index(name) if name in names else len(names)
        for index, name in plan.names.items()
    }
    return sorted(places, key=lambda index: (places[index], index))


def _papers(plan: Plan, label_names: tuple[str, ...]) -> Mapping[str, tuple[float, ...]]:
    """The paper's numbers by config; empty for other classes or spaces."""
    name = plan.registered
    if name is None or not registry.defines("spaces", name, "PAPER_ABLATION"):
        return {}
    table = registry.load("spaces", name, "PAPER_ABLATION")
    classes = registry.load("spaces", name, "PAPER_CLASSES")
    rows = {
        config: ablation_table.paper_row(config, table, classes, label_names) for config in table
    }
    return {config: row for config, row in rows.items() if row is not None}


def _cells(ledger: Ledger, outcome: SweepResult, index: int) -> list[Predictions]:
    done = np.flatnonzero(np.isfinite(outcome.table.scores[index]))
    keys = [outcome.plan.cell((index, int(block))).key for block in done]
    return list(ledger.predictions_of(keys))


def _write(
    shown: Shown,
    outcome: SweepResult,
    truth: SweepLabels,
    cells: Mapping[int, list[Predictions]],
    folder: Path,
) -> None:
    plan = outcome.plan
    shown.table = ablation_table.as_markdown(shown.rows, truth.label_names)
    _keep(shown, folder / "ablation.md", shown.table + "\n")
    document = json.dumps([row.to_json() for row in shown.rows], indent=2)
    _keep(shown, folder / "ablation.json", document)
    winner = outcome.standings.winner
    if winner is None or winner not in cells:
        shown.notes.append("no config has all its cells: no confusion matrix and no worst rows yet")
        return
    name = plan.names.get(winner, plan.label(winner))
    labels = np.concatenate([truth.labels[rows] for rows, _ in cells[winner]])
    taken = np.concatenate([probabilities.argmax(axis=1) for _, probabilities in cells[winner]])
    counts = confusion.count(labels, taken.astype(np.int64), len(truth.label_names))
    title = f"{name}: {len(labels):,} held-out predictions of {len(cells[winner])} cells"
    picture = confusion.draw({title: counts}, truth.label_names)
    (folder / "confusion.png").write_bytes(picture.png)
    shown.files.append(folder / "confusion.png")
    try:
        data = load_data(plan.spec.data)
    except InputError as error:
        shown.notes.append(f"the data cannot be read, so worst rows are not shown: {error}")
        return
    if data.fingerprint != plan.task.data_fingerprint:
        shown.notes.append("the data are not those of the sweep: worst rows are not shown")
        return
    rows = _worst(data, truth.labels, cells[winner])
    worst_rows.page(rows, f"The rows that {name} gets most wrong", folder / "worst.html")
    words = word_frequency.frequent_words(data)
    word_frequency.draw(words, folder / "words.png")
    shown.files += [folder / "worst.html", folder / "words.png"]
    _keep(shown, folder / "words.md", word_frequency.as_markdown(words) + "\n")


def _keep(shown: Shown, path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    shown.files.append(path)


def _worst(data: TextData, labels: IntArray, cells: list[Predictions]) -> list[worst_rows.WorstRow]:
    worst = []
    for row, taken, probability, wrong, times in worst_rows.worst(labels, cells, _WORST):
        images = None
        if data.images is not None:
            first, second = (None if i is None else Path(i.path) for i in data.images[row])
            images = (first, second)
        worst.append(
            worst_rows.WorstRow(
                row=row,
                text=data.texts[row],
                text_b=None if data.texts_b is None else data.texts_b[row],
                images=images,
                label=data.label_names[labels[row]],
                predicted=data.label_names[taken],
                probability=probability,
                wrong=wrong,
                cells=times,
            )
        )
    return worst
