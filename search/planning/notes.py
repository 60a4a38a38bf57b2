"""Notes on a sweep before it trains."""

from __future__ import annotations

from pathlib import Path

from search.planning import decay, precision
from search.planning.plan import Plan
from search.spec.sweep_spec import SweepSpec
from trainables.engine.datasets import dataset_card
from trainables.engine.datasets.column_roles import card_of
from trainables.engine.models import pretrained


def of(plan: Plan, rows: int) -> list[str]:
    """Return the notes, in sentences.

    Args:
        plan: The sweep.
        rows: Number of rows that a cell trains on.
    """
    notes = (decay.note(plan, rows), _uncleaned(plan), precision.note(plan))
    return [note for note in notes if note is not None]


def licences(plan: Plan) -> dict[str, str]:
    """Return the known licences of data and weights."""
    spec = plan.spec
    known = {
        "data": dataset_card.licence_of(spec.data.name),
        "model": pretrained.licence_of(spec.model),
    }
    return {what: licence for what, licence in known.items() if licence is not None}


def chosen(typed: SweepSpec, plan: Plan) -> list[str]:
    """Return what a sweep takes that its user did not name.

    Args:
        typed: The spec before anything was found out.
        plan: The sweep.
    """
    spec, lines = plan.spec, []
    for what, value, field in (
        ("space", spec.space, "space"),
        ("model", Path(typed.model).name, "model"),
    ):
        if field not in typed.model_fields_set:
            lines.append(f"{what} {value}, since none is named: `foldrace {what}s` lists others")
    found = [
        f"{role} in column {name!r}"
        for role, name, given in (
            ("texts", spec.data.text, typed.data.text),
            ("labels", spec.data.label, typed.data.label),
        )
        if name != given
    ]
    if found:
        lines.append(f"{', '.join(found)}: --text and --label name others")
    return lines


def _uncleaned(plan: Plan) -> str | None:
    """Note on cleaning steps without which the label shows in the text."""
    data = plan.spec.data
    card = card_of(data.name)
    lacking = [step for step in card.cleaned if step not in data.cleaning] if card else []
    if not lacking:
        return None
    asked = " ".join(f"--clean {step}" for step in (*data.cleaning, *lacking))
    return (
        f"The texts of {data.name} give their labels away, and its paper cleans them: {asked} does."
    )
