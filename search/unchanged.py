"""The data and the model of a sweep that is over, as they were when it ran."""

from __future__ import annotations

from search.plan import Plan
from search.spec import InputError
from trainables.engine import encoder, word_vectors
from trainables.engine.dataset import load_data
from trainables.engine.textdata import TextData


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
