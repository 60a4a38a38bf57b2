"""`foldrace promote`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from search.checks.names import MODEL_NAME
from search.checks.output_paths import OUTPUT_FOLDER, OutputFile
from search.commands._options import (
    add_json,
    add_ledger,
    add_rank,
    add_sweep,
    print_json,
)

if TYPE_CHECKING:
    from search.serving.promote import Champion

SUMMARY = "Train the winner on all data, save it, and register it as champion."
EXAMPLES = """\
examples:
  foldrace promote latest
  foldrace promote my-sweep --rank 2 --out my-model
  foldrace promote my-sweep --as sentiment      the next version of the model `sentiment`
  foldrace promote my-sweep --merge             whole weights, of a winner with adapters (LoRA)
  foldrace promote my-sweep --push-to-hub me/sentiment --onnx sentiment.onnx
A sweep of your own file wants fit(config, train, seed) and predict(model, test) in it: what fit
returns is pickled.
then:
  foldrace predict my-sweep --data new.csv
  foldrace serve my-sweep
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    add_rank(parser)
    parser.add_argument(
        "--out",
        type=OUTPUT_FOLDER,
        metavar="DIR",
        help="the Hugging Face folder (champion-SWEEP)",
    )
    parser.add_argument(
        "--as",
        type=MODEL_NAME,
        dest="name",
        metavar="NAME",
        help="the registered model (SWEEP)",
    )
    parser.add_argument(
        "--merge",
        action="store_true",
        help="merge the winner's adapters (LoRA) into its weights; without it the folder has the "
        "adapters alone, and names the model that they stand on",
    )
    parser.add_argument(
        "--onnx",
        type=OutputFile(".onnx"),
        metavar="FILE",
        help="write it as ONNX, too, checked to 1e-4 against the model",
    )
    parser.add_argument(
        "--push-to-hub",
        dest="hub",
        metavar="NAME",
        help="upload the folder to this repository of the Hugging Face hub, private if it is new",
    )
    parser.add_argument("--public", action="store_true", help="make that new repository public")
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace promote`."""
    from search.console import output
    from search.spec.arguments import tracking_uri

    uri = tracking_uri(options)
    from search.serving.promote import promote  # which takes seconds to import

    champion = promote(
        uri,
        options.experiment,
        options.sweep,
        rank=options.rank,
        folder=None if options.out is None else Path(options.out),
        name=options.name,
        merge=options.merge,
        onnx=None if options.onnx is None else Path(options.onnx),
        hub=options.hub,
        public=options.public,
        busy=output.busy,
    )
    registered = champion.registered
    if options.json:
        print_json(
            {
                "model": registered.name,
                "version": registered.version,
                "uri": registered.uri,
                "alias": "champion",
                "config": champion.config,
                "folder": str(champion.folder),
                "trust_remote_code": not champion.stock and champion.own is None,
                "adapters_of": None if champion.base is None else champion.base.name,
                "notes": list(champion.notes),
                "onnx": options.onnx,
                "onnx_difference": champion.onnx_difference,
                "hub": champion.address,
            }
        )
        return 0
    output.say(f"{champion.config}: trained on all rows")
    for note in champion.notes:
        output.say(note)
    if champion.own is not None:
        output.say(
            f"saved: {champion.folder} (what fit of {champion.own} returned, pickled; its source, "
            "and the columns that it reads)"
        )
        output.say(f"registered: {registered.name}, version {registered.version}, alias champion")
        return 0
    output.say(f"saved: {champion.folder} ({_loaded_by(champion)})")
    output.say(f"registered: {registered.name}, version {registered.version}, alias champion")
    if champion.onnx_difference is not None:
        output.say(
            f"ONNX: {options.onnx}, logits within {champion.onnx_difference:.1e} of the model's"
        )
    if champion.address is not None:
        output.say(f"on the hub: {champion.address}", whole=True)
    return 0


def _loaded_by(champion: Champion) -> str:
    """Call that loads a champion's folder."""
    if champion.base is not None and champion.stock:
        return (
            f"adapters of {champion.base.name}: "
            "AutoPeftModelForSequenceClassification.from_pretrained(folder, id2label=...)"
        )
    flag = "" if champion.stock else ", trust_remote_code=True"
    call = f"AutoModelForSequenceClassification.from_pretrained(folder{flag})"
    return call if champion.base is None else f"adapters of {champion.base.name}: {call}"
