"""The data and the model of a sweep that is over, as they were when it ran."""

from __future__ import annotations

from search.planning.plan import Plan
from search.process import folders
from trainables.engine.cells import runner
from trainables.engine.text_data import TextData


def checked_data(plan: Plan) -> TextData:
    """The sweep's data, unchanged; model and other files unchanged, too.

    Raises:
        InputError: naming what changed, or cannot be had any more.
    """
    folders.usable_cache()
    return runner.checked_data(plan.task)
