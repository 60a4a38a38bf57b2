"""`foldrace predict`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.checks import refuse
from search.checks.names import MODEL_NAME
from search.commands._options import (
    add_json,
    add_ledger,
    add_sweep,
    add_text_columns,
    print_json,
)
from search.errors import InputError
from search.results.table_file import TABLE_OR_PIPE, write

if TYPE_CHECKING:
    from search.serving.predict import Predictions
    from search.tracking.model_registry import Registered

SUMMARY = "Classify the rows of a file with a sweep's winner."
EXAMPLES = """\
examples:
  foldrace predict latest --data new.csv
  foldrace predict my-sweep --data new.csv --text body --out labelled.csv
  foldrace predict my-sweep --data test.parquet --json
A sweep that was not promoted yet is promoted first: its winner is trained on all its rows. A winner
that is no network from texts to classes (images, metadata, a read-out) is trained for each file.
A registered model is loaded with its code: whoever may write to the registry may run code here.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--data",
        required=True,
        metavar="FILE",
        help="a .csv .tsv .jsonl .json .parquet, or a folder of parts",
    )
    add_text_columns(parser, "of FILE (the sweep's)")
    parser.add_argument(
        "--label", metavar="NAME", help="column of true labels: scores are shown (the sweep's)"
    )
    parser.add_argument(
        "--model",
        type=MODEL_NAME,
        metavar="NAME",
        help="the registered model, where it is not called as the sweep",
    )
    parser.add_argument(
        "--out",
        type=TABLE_OR_PIPE,
        metavar="FILE",
        help="the .csv .tsv .jsonl or .parquet to write (predictions-SWEEP.csv)",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace predict`."""
    from search.planning.file_columns import WholeTable, check_file, likely_columns
    from search.spec.arguments import tracking_uri
    from search.sweep.load import load_record

    path, uri = Path(options.data), tracking_uri(options)
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    record, outcome = load_record(uri, options.experiment, options.sweep)
    plan = outcome.plan
    if plan.task.data.columns != "all":
        check_file(path, plan.task.data, options.text, options.text_b, options.label)
    out = Path(options.out or f"predictions-{plan.spec.name}.csv")
    refuse(TABLE_OR_PIPE, "--out", out)
    if out.exists() and out.samefile(path):
        raise InputError(f"--out must be another file than --data, got {out} for both.")
    wanted = likely_columns(plan.task.data, options.text, options.text_b)
    file = WholeTable.read(path, wanted)
    from search.serving.predict_file import predict_file  # which takes seconds to import

    predictions, registered = predict_file(
        (uri, options.experiment, record, outcome),
        file,
        text=options.text,
        text_b=options.text_b,
        label=options.label,
        model=options.model,
    )
    _write(predictions, out)
    if options.json:
        print_json(_document(predictions, registered, out))
    else:
        _say(predictions, registered, out, plan.space.objective)
    return 0


def _added(predictions: Predictions) -> list[str]:
    """Names of added columns, with a suffix where the file has one."""
    names = next(
        (list(row) for row in predictions.found if row is not None), ["label", "probability"]
    )
    return [f"predicted_{name}" if name in predictions.table.names else name for name in names]


def _write(predictions: Predictions, out: Path) -> None:
    table, added = predictions.table, _added(predictions)
    columns: dict[str, Sequence[Any]] = {name: table.columns[name] for name in table.names}
    rows = [
        [None] * len(added) if row is None else [_shown(value) for value in row.values()]
        for row in predictions.found
    ]
    columns |= {name: [row[at] for row in rows] for at, name in enumerate(added)}
    write(columns, out)


def _shown(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _counts(predictions: Predictions) -> dict[str, int]:
    from collections import Counter

    return dict(
        Counter(
            str(row["label"]) for row in predictions.found if row is not None and "label" in row
        ).most_common()
    )


def _document(predictions: Predictions, registered: Registered | None, out: Path) -> dict[str, Any]:
    return {
        "model": None if registered is None else registered.name,
        "version": None if registered is None else registered.version,
        "file": str(out),
        "rows": predictions.table.rows,
        "blank": predictions.blank,
        "labels": _counts(predictions),
        "notes": list(predictions.notes),
        "scores": None if predictions.scores is None else dict(predictions.scores),
    }


def _say(
    predictions: Predictions, registered: Registered | None, out: Path, objective: str
) -> None:
    from search.console import output
    from search.formatting import points, unit

    counts = [f"{name} {count:,}" for name, count in _counts(predictions).items()]
    read = predictions.table.rows - predictions.blank
    listed = ", ".join(counts) or (f"{read:,} numbers" if read else "no row has a text")
    of = "the winner" if registered is None else f"{registered.name}, version {registered.version}"
    output.say(f"{of}: {listed}")
    for note in predictions.notes:
        output.say(note)
    if predictions.blank:
        rows = "row" if predictions.blank == 1 else "rows"
        output.say(f"{predictions.blank:,} {rows} without a text got no label")
    if predictions.scores is not None:
        scores = predictions.scores
        metric = objective if "prediction" in _added(predictions) else "accuracy"
        metric = metric if metric in scores else next(iter(scores))
        output.say(
            f"{metric} {points(scores[metric])} {unit(metric)} on {scores['rows']:,.0f} "
            "labelled rows; rows that the sweep was trained on do not count as a test"
        )
    output.say(f"written: {out}")
