"""Figure of two criteria, and the configs that none beats."""

from __future__ import annotations

import numpy as np

from search.arrays import FloatArray
from search.errors import InputError
from search.formatting import unit
from search.report.evidence import Evidence
from search.report.figures.style import BLUE, GREY, ORANGE, Picture, canvas, finish, wrapped
from search.stats.pareto import front
from trainables.engine.registry import hint
from trainables.engine.training.scoring import OF_THE_MACHINE, low_is_good

_NAMED = 6  # configs of the front with their labels


def costs(evidence: Evidence, metric: str) -> FloatArray:
    """Mean of a metric by complete config, (configs,); nan elsewhere.

    Raises:
        InputError: if the cells do not have it.
    """
    values = np.full(len(evidence.plan.configs), np.nan)
    for config, metrics in evidence.metrics.items():
        if metric == "seconds":
            values[config] = np.nanmean(evidence.table.seconds[config])
        elif metric in metrics:
            values[config] = metrics[metric]
    if not np.isfinite(values).any():
        own = (
            " Networks count the weights that they train, as of this version; a function of "
            "your own returns them, as "
            '(probabilities, {"parameters": 12}).'
            if metric == "parameters"
            else ""
        )
        known = sorted({"seconds", *(name for row in evidence.metrics.values() for name in row)})
        raise InputError(
            f"No complete config of sweep {evidence.plan.spec.name!r} has a metric {metric!r}."
            f"{hint(metric, known)} They have: {', '.join(known)}.{own}"
        )
    return values


def pareto(evidence: Evidence, metric: str) -> Picture:
    """The objective against another metric, with the front between them.

    Raises:
        InputError: as `costs`.
    """
    plan, found = evidence.plan, costs(evidence, metric)
    means = np.full(len(plan.configs), np.nan)
    for row in evidence.standings.rows:
        means[row.config] = row.mean
    worth = 1.0 if low_is_good(metric) else -1.0
    on_it = front(evidence.sign * means, worth * found)
    shown = np.isfinite(means) & np.isfinite(found)
    factor = 1.0 if metric in OF_THE_MACHINE else 100.0
    figure, (panel,) = canvas(3.4)
    panel.plot(factor * found[shown & ~on_it], 100 * means[shown & ~on_it], "o", color=GREY, ms=4)
    best = np.flatnonzero(on_it)
    best = best[np.argsort(found[best])]
    panel.plot(factor * found[best], 100 * means[best], "o-", color=BLUE, lw=1.2, ms=6)
    for config in best[:_NAMED].tolist():
        panel.annotate(
            wrapped(plan.label(config), 34),
            (factor * found[config], 100 * means[config]),
            xytext=(5, -3),
            textcoords="offset points",
            va="top",
            fontsize=7,
        )
    if plan.baseline is not None and shown[plan.baseline]:
        place = factor * found[plan.baseline], 100 * means[plan.baseline]
        panel.plot(*place, "D", color=ORANGE, ms=6)
    if (found[shown] > 0).all() and found[shown].max() > 20 * found[shown].min():
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set_xlabel(f"mean {metric}{'' if metric in OF_THE_MACHINE else f', {unit(metric)}'}")
    panel.set_ylabel(f"mean {plan.space.objective}, {unit(plan.space.objective)}")
    panel.grid()
    panel.set_axisbelow(True)
    return finish(
        figure,
        "pareto",
        f"{plan.space.objective} against {metric}",
        f"Each of the {int(shown.sum()):,} configs with all its cells. Blue: no other is as good "
        "in both and better in one; orange diamond: the baseline.",
    )
