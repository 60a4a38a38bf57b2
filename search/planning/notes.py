"""Notes on a sweep before it trains."""

from __future__ import annotations

from search.planning import decay, precision
from search.planning.plan import Plan
from trainables.engine.datasets.column_roles import card_of


def of(plan: Plan, rows: int) -> list[str]:
    """Return the notes, in sentences.

    Args:
        plan: The sweep.
        rows: Number of rows that a cell trains on.
    """
    notes = (decay.note(plan, rows), _uncleaned(plan), precision.note(plan))
    return [note for note in notes if note is not None]


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
