"""Explanations of a winner: attributions to words, and data-wide summaries."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from search.analysis import representations
from search.errors import InputError
from search.planning.file_columns import WholeTable, likely_columns
from search.planning.plan import Plan
from search.planning.prepare import checked_data
from search.process import launchers
from search.results.outcome import SweepResult
from search.serving import input_rows
from search.serving.input_rows import RowSchema
from search.tracking.open import open_ledger
from trainables.analysis import cam, cam_page, cam_words
from trainables.analysis.cam_page import Marked
from trainables.analysis.cam_words import WordMean
from trainables.engine.datasets.known_labels import class_called
from trainables.engine.features import extraction
from trainables.engine.features.representation import Parts
from trainables.engine.refit import attribution, function_rows, new_rows, occlusion
from trainables.engine.refit.linear_layer import LinearLayer
from trainables.engine.refit.new_rows import UnlabelledRows
from trainables.engine.tables.read import is_table
from trainables.engine.text_data import TextData

_PAGE_TEXTS = 40  # texts that the page shows
_MOST_TEXTS = 2000
# Texts with a word erased: some minutes of a small encoder on 2 cores.
_MOST_COPIES = 20_000
_ERASED = "scores by erasure: how far log p(class) falls when a word is taken out. "


@dataclass(frozen=True, kw_only=True)
class Request:
    """Options of `foldrace explain`."""

    text: str | None
    text_b: str | None
    file: Path | None
    column: str | None
    column_b: str | None
    label: str | None
    rank: int
    centred: bool
    words: int
    least_texts: int | None
    most_texts: int | None
    pictures: bool


@dataclass
class Explanation:
    """Attributions, notes and files of an explanation.

    Attributes:
        document: As JSON.
        texts: The texts with their words, those of the page.
        ranked: Words of each class; empty for a single text.
        read: Texts that were read.
        table: The table of the representations; empty without pictures.
        notes: Notes for the reader.
        files: Files that were written.
    """

    document: dict[str, Any]
    texts: list[Marked] = field(default_factory=list)
    ranked: dict[str, list[WordMean]] = field(default_factory=dict)
    read: int = 0
    table: str = ""
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


@launchers.forgotten()
def explain(outcome: SweepResult, request: Request, folder: Path) -> Explanation:
    """Refit a config and read texts with it.

    Args:
        outcome: The sweep.
        request: Rows and config to explain.
        folder: Folder of the files.

    Raises:
        InputError: if there is nothing to explain, or the data, model or file is not there.
    """
    plan, data = outcome.plan, checked_data(outcome.plan)
    config = outcome.config_at(request.rank)
    fault = function_rows.fault(plan.space.trainable, data)
    if fault is not None:
        raise InputError(f"Sweep {plan.spec.name!r} {fault}: there is nothing to explain.")
    why = attribution.map_fault(plan.space.trainable, plan.configs[config])
    if data.texts_b is not None:
        why = "Rows are pairs of texts, which have no class activation map."
    request = replace(request, label=class_called(request.label, data.label_names))
    if request.label is not None and request.label not in data.label_names:
        raise InputError(
            f"--class {request.label!r} is no class; there are: {', '.join(data.label_names)}."
        )
    if request.pictures:
        representations.check(plan)
    rows, headings, notes = _rows(plan, data, request, erased=why is not None)
    reader = _reader(plan, config, data, rows, why)
    layer = reader.layer.centred() if request.centred else reader.layer
    if why is not None:
        notes.append(_ERASED + why)
    notes += function_rows.notes(plan.space.trainable, data)
    explanation = Explanation(
        {"sweep": plan.spec.name, "config": plan.axes_of(config)}, notes=notes
    )
    explanation.document |= {"classes": list(data.label_names), "centred": request.centred}
    explanation.document["scores"] = "class activation map" if why is None else "erasure"
    ticker = extraction.Ticker("maps over words")
    if request.text is not None or len(rows) == 1:
        (parts,) = reader.parts(rows.texts)
        explanation.texts = [_marked(parts, layer, data.label_names, request.label, headings[0])]
        explanation.document["text"] = _text_json(explanation.texts[0])
        explanation.read = 1
    else:
        read = _ticking(reader.parts(rows.texts), len(rows), ticker)
        _read_many(explanation, read, headings, layer, data.label_names, request)
    title = f"{plan.spec.name}: {plan.label(config)}"
    one_text = ""
    if len(rows) == 1:
        whole = "\n".join((*rows.texts, *(rows.texts_b or ())))
        one_text = hashlib.sha256(whole.encode()).hexdigest()[:8]
    # A text's page stands beside the others', in the folder and in MLflow.
    page = folder / ("explain.html" if not one_text else f"explain-{one_text}.html")
    page.write_text(cam_page.page(title, explanation.texts, explanation.notes), encoding="utf-8")
    explanation.files.append(page)
    if explanation.ranked:
        explanation.files += _word_files(explanation, title, folder)
    if request.pictures:
        drawn = representations.draw(outcome, data, folder, request.text)
        explanation.table, explanation.document["representations"] = drawn.table, drawn.rows
        explanation.files += drawn.files
    return explanation


def _reader(
    plan: Plan, config: int, data: TextData, rows: UnlabelledRows, why: str | None
) -> attribution.Reader:
    """Attribution method: class activation map if possible, else occlusion."""
    from search.console import output

    task, values, seed = plan.task, plan.configs[config], plan.spec.seeds[0]
    doing = f"training {plan.label(config)} on all {len(data):,} rows"
    if why is None:
        with output.busy(doing):
            return attribution.refit(task, data, values, seed)
    doing = f"{doing}, and reading {sum(occlusion.size(rows)):,} copies with a word erased"
    with output.busy(doing):
        score = new_rows.scorer(task, data, values, seed)
        names = () if data.metadata is None else data.metadata.names
        attributed = list(occlusion.parts(rows, names, occlusion.ends(task, values), score))
    classes = len(data.label_names)
    layer = LinearLayer(np.eye(classes, dtype=np.float32), np.zeros(classes, np.float32))
    return attribution.Reader(layer, lambda _texts: iter(attributed))


def _rows(
    plan: Plan, data: TextData, request: Request, erased: bool
) -> tuple[UnlabelledRows, list[str], list[str]]:
    """Rows, a heading each, and notes."""
    if request.text is not None:
        return input_rows.typed(plan, data, request.text, request.text_b), [""], []
    if request.file is None:
        return _own_rows(data, request.most_texts, erased)
    path = request.file
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if not is_table(path):
        return input_rows.of_text_file(plan, data, path), [path.name], []
    wanted = likely_columns(plan.task.data, request.column, request.column_b)
    file = WholeTable.read(path, wanted)
    file_rows = input_rows.of_table(
        plan, RowSchema.of(data), file, request.column, request.column_b
    )
    total, notes = len(file_rows.kept), list(file_rows.notes)
    if not total:
        raise InputError(f"{path} has no row with a text.")
    most = request.most_texts or _most(file_rows.further, erased)
    if total > most:
        notes.append(f"the first {most:,} of {total:,} texts were read; --most-texts N reads more")
    headings = [f"row {row + 1}" for row in file_rows.kept[:most]]
    return file_rows.further.take(range(len(headings))), headings, notes


def _own_rows(
    data: TextData, most: int | None, erased: bool
) -> tuple[UnlabelledRows, list[str], list[str]]:
    """The sweep's own rows, or some that are drawn."""
    own, chosen, notes = UnlabelledRows.of(data), np.arange(len(data)), []
    drawn = np.random.default_rng(0).permutation(chosen)
    most = most or _most(own.take(drawn.tolist()), erased)
    if len(chosen) > most:
        chosen = np.sort(drawn[:most])
        notes.append(f"{most:,} of {len(data):,} texts drawn; --most-texts N reads more")
    headings = [f"labelled {data.label_names[data.labels[row]]}" for row in chosen]
    return own.take(chosen.tolist()), headings, notes


def _most(rows: UnlabelledRows, erased: bool) -> int:
    """Default number of rows: fewer where each word costs a pass."""
    if not erased:
        return _MOST_TEXTS
    copies = np.cumsum(occlusion.size(rows))
    return max(1, int(np.searchsorted(copies, _MOST_COPIES, side="right")))


def _ticking(parts: Iterator[Parts], total: int, ticker: extraction.Ticker) -> Iterator[Parts]:
    for number, part in enumerate(parts):
        ticker(number, total)
        yield part
    ticker.end(total)


def _read_many(
    explanation: Explanation,
    parts: Iterator[Parts],
    headings: Sequence[str],
    layer: LinearLayer,
    names: Sequence[str],
    request: Request,
) -> None:
    """Words over all texts, and the first texts for the page."""

    def seen() -> Iterator[Parts]:
        for number, part in enumerate(parts):
            if number < _PAGE_TEXTS:
                explanation.texts.append(
                    _marked(part, layer, names, request.label, headings[number])
                )
            yield part

    words = cam_words.aggregate(
        seen(), layer, names, least_texts=request.least_texts, most=request.words
    )
    explanation.ranked, explanation.read = words.ranked, words.texts
    if words.cut:
        explanation.notes.append(
            f"{words.cut:,} of {words.texts:,} texts were cut at max_length tokens"
        )
    explanation.notes.append(
        f"words of fewer than {words.least_texts} texts are left out of the means"
    )
    explanation.document["words"] = {
        name: [asdict(row) for row in input_rows] for name, input_rows in explanation.ranked.items()
    }
    explanation.document |= {
        "texts_read": words.texts,
        "texts_cut": words.cut,
        "least_texts": words.least_texts,
    }


def _marked(
    parts: Parts, layer: LinearLayer, names: Sequence[str], label: str | None, heading: str
) -> Marked:
    probabilities = layer.probabilities(parts)
    at = int(probabilities.argmax()) if label is None else list(names).index(label)
    words = cam.words(parts, cam.scores(parts, layer)[at])
    return Marked(parts.text, words, names[at], float(probabilities[at]), heading, parts.cut)


def _text_json(text: Marked) -> dict[str, Any]:
    red = cam.marked(text.words)
    return {
        "class": text.label,
        "probability": text.probability,
        "cut": text.cut,
        "characters_read": text.read,
        "words": [
            {"word": word.text, "score": word.score, "marked": number in red}
            for number, word in enumerate(text.words)
        ],
    }


def _word_files(explanation: Explanation, title: str, folder: Path) -> list[Path]:
    table = folder / "words.csv"
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow(["class", "rank", "word", "mean_score", "times", "texts"])
    for name, words in explanation.ranked.items():
        for rank, row in enumerate(words, start=1):
            lines.writerow([name, rank, row.word, f"{row.mean:.5f}", row.count, row.texts])
    table.write_text(written.getvalue(), encoding="utf-8")
    chart = folder / "words.png"
    cam_words.bar_chart(explanation.ranked, title, chart)
    return [table, chart]


def keep(tracking_uri: str, experiment: str, sweep_id: str, files: Sequence[Path]) -> None:
    """Attach files to the sweep's run in MLflow.

    Raises:
        InputError: if the ledger cannot be reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        ledger.attach(sweep_id, {f"explanation/{path.name}": path.read_bytes() for path in files})
