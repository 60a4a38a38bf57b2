"""The model card of a champion: data, score, limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from search.formatting import points
from search.planning.notes import licences
from search.report.evidence import data_label, model_label
from search.spec.arguments import recipe

if TYPE_CHECKING:
    from search.results.outcome import SweepResult
    from trainables.engine.functions.kept_model import Columns
    from trainables.engine.refit.saved_adapters import Base
    from trainables.engine.text_data import TextData


def write(
    outcome: SweepResult,
    config: int,
    data: TextData,
    sweep_id: str,
    *,
    stock: bool,
    max_length: int,
    base: Base | None = None,
) -> str:
    """Write the card in Markdown.

    Args:
        outcome: The sweep.
        config: Index of the config that was trained.
        data: Data that it was trained on.
        sweep_id: MLflow run id of the sweep.
        stock: True if transformers' own class holds the model.
        max_length: Number of tokens at which the model cuts texts.
        base: Model that its adapters stand on; None where the folder has whole weights.
    """
    plan = outcome.plan
    classes = _classes(data)
    flag = "" if stock else ", trust_remote_code=True"
    first = (
        ""
        if stock
        else "**Load it with `trust_remote_code=True`**: no class of transformers holds its head, "
        "so its class is `modeling.py` in this folder, whose code then runs.\n\n"
    )
    if base is not None and not stock:
        first += (
            "Load it from a folder, such as `huggingface_hub.snapshot_download` gives: by its name "
            "on the hub transformers would take the model that it stands on, with a head that "
            "nobody trained.\n\n"
        )
    own = "" if stock else "Its class is `modeling.py` in this folder: read it, it is short.\n\n"
    library = "transformers" if base is None else "peft"
    named = f"base_model: {base.place}\n" if base is not None and base.on_hub else ""
    imported, loaded = (
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer",
        f"AutoModelForSequenceClassification.from_pretrained(folder{flag})",
    )
    if base is not None and stock:
        imported = (
            "from peft import AutoPeftModelForSequenceClassification\n"
            f"from transformers import AutoTokenizer\n\n"
            f"names = {dict(enumerate(data.label_names))!r}"
        )
        loaded = "AutoPeftModelForSequenceClassification.from_pretrained(folder, id2label=names)"
    return f"""\
---
library_name: {library}
pipeline_tag: text-classification
{named}---

{first}# {plan.spec.name}: {plan.label(config)}

A text classifier, trained by foldrace: the space `{plan.spec.space}`
({plan.space.source}) on {data_label(plan)} with {model_label(plan)}.

```python
{imported}

tokenizer = AutoTokenizer.from_pretrained(folder{flag})
model = {loaded}
inputs = tokenizer(texts, truncation=True, padding=True, return_tensors="pt")
probabilities = model(**inputs).logits.softmax(-1)
```

{own}{_stands_on(base)}## Data

{len(data):,} rows{" of two texts" if data.texts_b is not None else ""}, classes: {classes}.
Fingerprint `{data.fingerprint[:16]}`; model fingerprint `{plan.task.model_fingerprint[:16]}`.

{_made(outcome, config, sweep_id)}

## Limits

- It knows the classes above and no others, and gives one of them to any text.
- Its probabilities were not calibrated.
- Texts are cut at {max_length:,} tokens.
- Scores hold for texts drawn as these were; a data set that words give away (see the audit that
  `foldrace run` prints) promises more than it keeps.
- Licences of the data and of the encoder go on to hold for it:
  {_licences(outcome, "data", "model")}.
"""


def _stands_on(base: Base | None) -> str:
    """Name the model that a folder of adapters needs."""
    if base is None:
        return ""
    needs = (
        "## The model that it stands on\n\nThe folder holds adapters (LoRA) and a head, no whole"
    )
    if base.on_hub:
        at = "" if base.revision is None else f", revision `{base.revision[:12]}`,"
        return f"""\
{needs} weights: they stand on `{base.place}`{at} which is fetched from the
Hugging Face hub when they are loaded. `foldrace promote --merge` saves whole weights.

"""
    digests = ", ".join(f"`{name}` {digest[:16]}" for name, digest in base.digests.items())
    return f"""\
{needs} weights: they stand on `{base.name}` ({digests}), which no hub has.
On the machine that trained them `adapter_config.json` says where it is. On another, put the same
model there and its folder into `base_model_name_or_path` of that file; or promote again with
`foldrace promote --merge`, which saves whole weights.

"""


def without_front_matter(card: str) -> str:
    """Drop the part of a card that the hub alone reads."""
    head, fence, rest = card.partition("\n---\n")
    return rest.lstrip("\n") if fence and head.startswith("---") else card


def of_function(
    outcome: SweepResult,
    config: int,
    data: TextData,
    sweep_id: str,
    *,
    file: str,
    columns: Columns,
    needs: Sequence[str],
) -> str:
    """Write the card of a user's own function in Markdown.

    Args:
        outcome: The sweep.
        config: Index of the config that was fitted.
        data: Data that it was fitted to.
        sweep_id: MLflow run id of the sweep.
        file: Name of the user's file.
        columns: Columns of the rows.
        needs: Installed packages, pinned.
    """
    plan = outcome.plan
    target = data.target is not None
    what = f"`{columns.answer}`, a number" if target else f"classes: {_classes(data)}"
    wanted = ", ".join(f"`{name}`" for name in columns.needed)
    answers = "`prediction`" if target else "`label`, `probability` and one `p_` a class"
    knows = (
        ""
        if target
        else "- It knows the classes above and no others, and gives one of them to any row.\n"
    )
    return f"""\
# {plan.spec.name}: {plan.label(config)}

A model that `fit` of `{file}` made, in this folder, of {data_label(plan)}; its `predict` answers.
**It is a pickle: who loads it runs its code.** Load what you trust.

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/NAME@champion")
answers = model.predict(frame)  # a row needs {wanted}; the answer is {answers}
```

It needs {", ".join(f"`{one}`" for one in needs)}.

## Data

{len(data):,} rows, {what}. Fingerprint `{data.fingerprint[:16]}`.

{_made(outcome, config, sweep_id)}

## Limits

{knows}- Its probabilities, if it gives any, were not calibrated.
- Scores hold for rows drawn as these were.
- Licences of the data go on to hold for it: {_licences(outcome, "data")}.
"""


def _licences(outcome: SweepResult, *whose: str) -> str:
    known = licences(outcome.plan)
    said = {"data": "data", "model": "encoder"}
    return ", ".join(f"{said[what]} {known.get(what, 'not stated')}" for what in whose)


def _classes(data: TextData) -> str:
    counts = np.bincount(data.labels, minlength=len(data.label_names))
    pairs = zip(data.label_names, counts, strict=True)
    return ", ".join(f"{name} ({count:,})" for name, count in pairs)


def _made(outcome: SweepResult, config: int, sweep_id: str) -> str:
    """Protocol, score and settings of a model."""
    plan = outcome.plan
    active = plan.space.active(plan.configs[config])
    settings = "\n".join(f"| {name} | {value} |" for name, value in active.items())
    split = f"{plan.spec.folds} folds" if plan.spec.folds else f"hold-out {plan.spec.holdout}"
    seeds = ", ".join(map(str, plan.spec.seeds))
    drawn = plan.spec.train_rows
    part = "a part of the data" if drawn is None else f"{drawn:,} rows, drawn by its seed"
    about = "about the" if drawn is None else "no less than about the"
    return f"""\
## Protocol and score

{_score(outcome, config)}

Protocol: seeds {seeds} x {split}, the same rows for all configs. These are scores of
{len(plan.blocks)} other models, each trained on {part}. This one was trained on all
rows with seed {plan.spec.seeds[0]}, so no row is left to score it on: expect {about} corrected
score, on data like these.

## Settings

| name | value |
| --- | --- |
{settings}

Made again by: `{recipe(plan.spec)}`, then `foldrace promote {plan.spec.name}`. Sweep: MLflow run
`{sweep_id}`."""


def _score(outcome: SweepResult, config: int) -> str:
    plan, standings = outcome.plan, outcome.standings
    row = next(row for row in standings.rows if row.config == config)
    interval = (
        ""
        if row.ci_low is None
        else f", 95% interval {points(row.ci_low)} to {points(row.ci_high)}"
    )
    lines = [
        f"{plan.space.objective} {points(row.mean)} points{interval}, mean of {row.cells} cells."
    ]
    correction = standings.correction
    if config == standings.winner and correction is not None:
        lines.append(
            f"It was picked as the best of {standings.compared:,} complete configs; corrected for "
            f"that luck its score is {points(correction.score)}."
        )
    if row.delta is not None and plan.baseline is not None:
        lines.append(
            f"Over {plan.names[plan.baseline]}: {points(row.delta, True)} points, 95% interval "
            f"{points(row.delta_low, True)} to {points(row.delta_high, True)}, paired."
        )
    return "\n".join(lines)
