"""What a sweep's best config looks at: maps over words of texts, and the words of whole data."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search import representations
from search.outcome import Outcome
from search.plan import Plan
from search.spec import InputError
from search.state import open_ledger
from trainables.analysis import cam, cam_page, cam_words
from trainables.analysis.cam_page import Marked
from trainables.analysis.cam_words import WordMean
from trainables.engine import encoder, features, refit, word_vectors
from trainables.engine.clean import clean_text
from trainables.engine.dataset import load_data
from trainables.engine.representation import Parts
from trainables.engine.tables import READERS, read_table
from trainables.engine.textdata import TextData

_PAGE_TEXTS = 40  # texts that the page shows


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to explain; see the options of `foldrace explain`."""

    text: str | None
    file: Path | None
    column: str | None
    label: str | None
    rank: int
    centred: bool
    words: int
    least_texts: int | None
    most_texts: int
    pictures: bool


@dataclass
class Explanation:
    """What was found.

    Attributes:
        document: As JSON.
        texts: The texts with their words, those of the page.
        ranked: Words of each class; empty for a single text.
        read: Texts that were read.
        table: The table of the representations; empty without pictures.
        notes: What to know of all this.
        files: What was written.
    """

    document: dict[str, Any]
    texts: list[Marked] = field(default_factory=list)
    ranked: dict[str, list[WordMean]] = field(default_factory=dict)
    read: int = 0
    table: str = ""
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def explain(outcome: Outcome, wanted: Wanted, folder: Path) -> Explanation:
    """Refit a config and read texts with it.

    Args:
        outcome: The sweep.
        wanted: What to explain.
        folder: Where the files go.

    Raises:
        InputError: if there is nothing to explain, or the data, model or file is not there.
    """
    from search import console

    plan = outcome.plan
    config = outcome.config_at(wanted.rank, refit.map_fault)
    data = checked_data(plan)
    if wanted.label is not None and wanted.label not in data.label_names:
        raise InputError(
            f"--class {wanted.label!r} is no class; there are: {', '.join(data.label_names)}."
        )
    if wanted.pictures:
        representations.check(plan)
    texts, headings, notes = _texts(plan, data, wanted)
    with console.busy(f"training {plan.label(config)} on all {len(data):,} rows"):
        reader = refit.refit(plan.task, data, plan.configs[config], plan.spec.seeds[0])
    layer = reader.layer.centred() if wanted.centred else reader.layer
    found = Explanation({"sweep": plan.spec.name, "config": plan.axes_of(config)}, notes=notes)
    found.document |= {"classes": list(data.label_names), "centred": wanted.centred}
    ticker = features.Ticker("maps over words")
    if wanted.text is not None or len(texts) == 1:
        (parts,) = reader.parts(texts)
        found.texts = [_marked(parts, layer, data.label_names, wanted.label, headings[0])]
        found.document["text"] = _text_json(found.texts[0])
        found.read = 1
    else:
        read = _ticking(reader.parts(texts), len(texts), ticker)
        _read_many(found, read, headings, layer, data.label_names, wanted)
    title = f"{plan.spec.name}: {plan.label(config)}"
    one_text = hashlib.sha256(texts[0].encode()).hexdigest()[:8] if len(texts) == 1 else ""
    # A text's page stands beside the others', in the folder and in MLflow.
    page = folder / ("explain.html" if not one_text else f"explain-{one_text}.html")
    page.write_text(cam_page.page(title, found.texts, found.notes), encoding="utf-8")
    found.files.append(page)
    if found.ranked:
        found.files += _word_files(found, title, folder)
    if wanted.pictures:
        drawn = representations.draw(outcome, data, folder, wanted.text)
        found.table, found.document["representations"] = drawn.table, drawn.rows
        found.files += drawn.files
    return found


def checked_data(plan: Plan) -> TextData:
    """The sweep's data, unchanged; model and vectors unchanged, too.

    Raises:
        InputError: naming what changed, or cannot be had any more.
    """
    task = plan.task
    try:
        data = load_data(task.data)
        found = {"data": (task.data_fingerprint, data.fingerprint)}
        found["model"] = (task.model_fingerprint, encoder.model_fingerprint(task.model))
        for file, was in task.files.items():
            found[f"file {file}"] = (was, word_vectors.fingerprint(file))
    except ValueError as error:
        raise InputError(str(error)) from error
    for what, (was, now) in found.items():
        if was != now:
            raise InputError(
                f"The {what} of sweep {plan.spec.name!r} changed since it ran: put the old one "
                "back, or run the sweep again."
            )
    return data


def _texts(plan: Plan, data: TextData, wanted: Wanted) -> tuple[list[str], list[str], list[str]]:
    """Texts, a heading each, and notes."""
    cleaning = plan.task.data.cleaning
    notes: list[str] = []
    if wanted.text is not None:
        return [clean_text(wanted.text, cleaning)], [""], notes
    if wanted.file is None:
        if data.texts_b is not None:
            raise InputError("Pairs of texts have no map over words yet; give one --text.")
        rows = np.arange(len(data))
        if len(rows) > wanted.most_texts:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[: wanted.most_texts])
            notes.append(
                f"{wanted.most_texts:,} of {len(data):,} texts drawn; --most-texts N reads more"
            )
        true = [f"labelled {data.label_names[data.labels[row]]}" for row in rows]
        return [data.texts[row] for row in rows], true, notes
    path = wanted.file
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.suffix.lower() not in READERS:
        try:
            text = clean_text(path.read_text(encoding="utf-8"), cleaning)
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is no text in UTF-8: {error}.") from error
        if not text.strip():
            raise InputError(f"{path} holds no text.")
        return [text], [path.name], notes
    column = wanted.column or plan.task.data.text or "text"
    table = read_table(path, [column])
    if column not in table.columns:
        raise InputError(
            f"{path} has no column {column!r}; its columns: {', '.join(table.names)}. Choose one "
            "with --column."
        )
    texts = [clean_text(str(v), cleaning) for v in table.columns[column] if v is not None]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InputError(f"Column {column!r} of {path} holds no text.")
    if len(texts) > wanted.most_texts:
        notes.append(f"the first {wanted.most_texts:,} of {len(texts):,} texts were read")
        texts = texts[: wanted.most_texts]
    return texts, [f"row {row + 1}" for row in range(len(texts))], notes


def _ticking(parts: Iterator[Parts], total: int, ticker: features.Ticker) -> Iterator[Parts]:
    for number, one in enumerate(parts):
        ticker(number, total)
        yield one
    ticker.end(total)


def _read_many(
    found: Explanation,
    parts: Iterator[Parts],
    headings: Sequence[str],
    layer: cam.LinearLayer,
    names: Sequence[str],
    wanted: Wanted,
) -> None:
    """Words over all texts, and the first texts for the page."""

    def seen() -> Iterator[Parts]:
        for number, one in enumerate(parts):
            if number < _PAGE_TEXTS:
                found.texts.append(_marked(one, layer, names, wanted.label, headings[number]))
            yield one

    words = cam_words.aggregate(
        seen(), layer, names, least_texts=wanted.least_texts, most=wanted.words
    )
    found.ranked, found.read = words.ranked, words.texts
    if words.cut:
        found.notes.append(f"{words.cut:,} of {words.texts:,} texts were cut at max_length tokens")
    found.notes.append(f"words of fewer than {words.least_texts} texts are left out of the means")
    found.document["words"] = {
        name: [asdict(row) for row in rows] for name, rows in found.ranked.items()
    }
    found.document |= {
        "texts_read": words.texts,
        "texts_cut": words.cut,
        "least_texts": words.least_texts,
    }


def _marked(
    parts: Parts, layer: cam.LinearLayer, names: Sequence[str], label: str | None, heading: str
) -> Marked:
    probabilities = layer.probabilities(parts)
    at = int(probabilities.argmax()) if label is None else list(names).index(label)
    words = cam.words(parts, cam.scores(parts, layer)[at])
    return Marked(parts.text, words, names[at], float(probabilities[at]), heading, parts.cut)


def _text_json(one: Marked) -> dict[str, Any]:
    red = cam.marked(one.words)
    return {
        "class": one.label,
        "probability": one.probability,
        "cut": one.cut,
        "characters_read": one.read,
        "words": [
            {"word": word.text, "score": word.score, "marked": number in red}
            for number, word in enumerate(one.words)
        ],
    }


def _word_files(found: Explanation, title: str, folder: Path) -> list[Path]:
    table = folder / "words.csv"
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["class", "rank", "word", "mean_score", "times", "texts"])
    for name, words in found.ranked.items():
        for rank, row in enumerate(words, start=1):
            rows.writerow([name, rank, row.word, f"{row.mean:.5f}", row.count, row.texts])
    table.write_text(written.getvalue(), encoding="utf-8")
    chart = folder / "words.png"
    cam_words.bar_chart(found.ranked, title, chart)
    return [table, chart]


def keep(tracking_uri: str, experiment: str, sweep_id: str, files: Sequence[Path]) -> None:
    """Attach files to the sweep's run in MLflow.

    Raises:
        InputError: if the ledger cannot be reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        ledger.attach(sweep_id, {path.name: path.read_bytes() for path in files})
