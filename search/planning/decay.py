"""Weight decay that cannot move a score."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search.formatting import counted, scalar
from search.planning.plan import Plan
from trainables.engine.contract import Scalar

# Decay that shrinks weights by less in a whole training is not seen in a score.
_LEAST = 1e-3
_WANTED = ("weight_decay", "learning_rate", "batch_size", "epochs")


def note(plan: Plan, rows: int) -> str | None:
    """Return a sentence where searched weight decays move nothing, else None.

    Args:
        plan: The sweep.
        rows: Number of rows that a cell trains on.
    """
    configs = [plan.space.active(config) for config in plan.configs]
    known = [config for config in configs if all(name in config for name in _WANTED)]
    decays = sorted({float(config["weight_decay"] or 0) for config in known})
    if len(decays) < 2:
        return None
    most = max(known, key=lambda config: shrinkage(config, rows))
    share = shrinkage(most, rows)
    if share >= _LEAST:
        return None
    steps = _steps(most, rows)
    return (
        f"weight_decay {', '.join(scalar(decay) for decay in decays)} cannot be told apart here: "
        f"in the {counted(steps, 'step')} of a cell the largest shrinks a weight by "
        f"{100 * share:.2g}% in all. More rows or epochs, smaller batches or a higher learning "
        "rate let it count."
    )


def shrinkage(config: Mapping[str, Scalar], rows: int) -> float:
    """Return the share of a weight that decay takes off.

    A step multiplies a weight by 1 - rate x decay; the rate warms up and falls with the schedule.

    Args:
        config: Weight decay, learning rate, schedule, batch size and epochs, by name.
        rows: Number of rows that a cell trains on.
    """
    rate, decay = _number(config, "learning_rate"), _number(config, "weight_decay")
    warmup = _number(config, "warmup_fraction")
    # Means of the schedule over the steps: both decays to 0 have 1/2.
    mean = 0.5 * warmup + (1 - warmup) * (1.0 if config.get("schedule") == "constant" else 0.5)
    return -math.expm1(-rate * decay * mean * _steps(config, rows))


def _steps(config: Mapping[str, Scalar], rows: int) -> int:
    per_epoch = math.ceil(rows / max(_number(config, "batch_size"), 1))
    return int(_number(config, "epochs")) * per_epoch


def _number(config: Mapping[str, Scalar], name: str) -> float:
    value = config.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
