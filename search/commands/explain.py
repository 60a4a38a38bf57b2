"""`foldrace explain`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.checks import bounds, refuse
from search.checks.output_paths import OUTPUT_FOLDER
from search.commands._options import (
    add_json,
    add_ledger,
    add_rank,
    add_sweep,
    print_json,
)

if TYPE_CHECKING:
    from search.analysis.explain import Explanation
    from trainables.analysis.cam_page import Marked

SUMMARY = "Show which words the best config of a sweep looks at."
EXAMPLES = """\
examples:
  foldrace explain latest --text "Drinking bleach cures it, doctors say"
  foldrace explain my-sweep --data article.txt --out explained
  foldrace explain my-sweep --data news.csv --text body       the words of a whole file
  foldrace explain my-sweep                                   the words of the sweep's own data
  foldrace explain my-sweep --pictures                        and the representations, drawn
  foldrace explain pairs --text "claim" --text-b "document"
The sweep kept scores, no model: its best config is trained once more, on all rows. Where its
classifier is linear on a mean over words, scores are its class activation map; any other is asked
again without each word (and each image, and each number beside the text).
"""
_SHOWN_WORDS = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--text",
        metavar="TEXT|COLUMN",
        help="one text; with --data, the text column of FILE (the sweep's)",
    )
    parser.add_argument(
        "--text-b", metavar="TEXT|COLUMN", help="a pair's second text; with --data, its column"
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="a text of any length, or a .csv .tsv .jsonl .json .parquet (the sweep's own data)",
    )
    # As they were called; with --data they say what --text and --text-b say.
    parser.add_argument("--column", help=argparse.SUPPRESS)
    parser.add_argument("--column-b", help=argparse.SUPPRESS)
    parser.add_argument(
        "--class", metavar="NAME", dest="label", help="scores for this class (the predicted one)"
    )
    add_rank(parser)
    parser.add_argument(
        "--as-trained",
        action="store_true",
        help="the weights as they are; without this, what all classes share (noise of "
        "the first step) is taken off the weights, which changes no probability",
    )
    parser.add_argument(
        "--words",
        type=bounds.COUNT,
        default=50,
        metavar="N",
        help="words per class in the table (50)",
    )
    parser.add_argument(
        "--least-texts",
        type=bounds.COUNT,
        metavar="N",
        help="leave out words of fewer texts (0.5%%, 3)",
    )
    parser.add_argument(
        "--most-texts",
        type=bounds.COUNT,
        metavar="N",
        help="read so many texts (2000; where words must be erased, as many as give 20,000 copies)",
    )
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="draw the representations of the sweep, with their numbers",
    )
    parser.add_argument(
        "--out", type=OUTPUT_FOLDER, metavar="DIR", help="folder for the files (explain-SWEEP)"
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from search.errors import InputError

    text, text_b = (None, None) if options.data else (options.text, options.text_b)
    column, column_b = options.column, options.column_b
    if options.data:
        column, column_b = column or options.text, column_b or options.text_b
    elif column or column_b:
        raise InputError("--column names a column of a file: give that with --data FILE.")
    if text_b is not None and text is None:
        raise InputError("--text-b is the second text of a pair: give the first with --text.")
    from search.planning.file_columns import check_file
    from search.spec.arguments import tracking_uri
    from search.sweep.load import load_record

    uri = tracking_uri(options)
    record, outcome = load_record(uri, options.experiment, options.sweep)
    file = Path(options.data) if options.data else None
    if file is not None:
        check_file(file, outcome.plan.task.data, column, column_b)
    folder = Path(options.out or f"explain-{outcome.plan.spec.name}")
    refuse(OUTPUT_FOLDER, "--out", folder)
    from search.analysis import explain  # which takes seconds to import

    folder.mkdir(parents=True, exist_ok=True)
    explanation = explain.explain(
        outcome,
        explain.Request(
            text=text,
            text_b=text_b,
            file=file,
            column=column,
            column_b=column_b,
            label=options.label,
            rank=options.rank,
            centred=not options.as_trained,
            words=options.words,
            least_texts=options.least_texts,
            most_texts=options.most_texts,
            pictures=options.pictures,
        ),
        folder,
    )
    explain.keep(uri, options.experiment, record.id, explanation.files)
    if options.json:
        print_json(explanation.document)
    else:
        _show(explanation)
    return 0


def _show(explanation: Explanation) -> None:
    from search.console.output import say
    from search.console.screen import screen_of

    screen = screen_of(sys.stdout)
    for text in explanation.texts[:1] if len(explanation.texts) == 1 else ():
        _show_text(text, screen)
    if explanation.ranked:
        _show_words(explanation, screen)
    if explanation.table:
        sys.stdout.write(f"{explanation.table}\n")  # as wide as it is: it can be pasted
    for note in explanation.notes:
        say(note)
    say(f"written, and kept with the sweep in MLflow: {', '.join(map(str, explanation.files))}")


def _show_text(text: Marked, screen: Any) -> None:
    from rich.text import Text

    from search.formatting import printable

    screen.print(f"{text.label}, probability {text.probability:.3f}")
    line = Text()
    for piece, _, red in text.pieces():
        line.append(printable(piece), style="bold red" if red else "")
    screen.print(line)
    best = sorted(text.words, key=lambda word: -word.score)[:_SHOWN_WORDS]
    listed = ", ".join(f"{word.text} {word.score:+.2f}" for word in best)
    screen.print(f"highest scores for {text.label}: {listed}")
    if text.cut:
        screen.print(text.cut_note())


def _show_words(explanation: Explanation, screen: Any) -> None:
    from rich.table import Table

    table = Table(
        title=f"the highest mean score per class, {explanation.read:,} texts",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for name in explanation.ranked:
        table.add_column(name)
        table.add_column("mean", justify="right")
        table.add_column("times", justify="right")
    for number in range(min(20, max(map(len, explanation.ranked.values())))):
        cells: list[str] = []
        for rows in explanation.ranked.values():
            row = rows[number] if number < len(rows) else None
            cells += (
                ["", "", ""] if row is None else [row.word, f"{row.mean:+.2f}", f"{row.count:,}"]
            )
        table.add_row(*cells)
    screen.print(table)
