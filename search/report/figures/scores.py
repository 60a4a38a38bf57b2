"""Figures of scores: leaders with intervals, paired gains, learning curves."""

from __future__ import annotations

import numpy as np

from search.arrays import FloatArray
from search.formatting import unit
from search.report.evidence import STEP_LOSSES, Evidence, interval
from search.report.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Picture,
    canvas,
    finish,
    points,
    wrapped,
)

_SHOWN = 12  # configs of the leaders' figure
_STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"))


def leaders(evidence: Evidence) -> Picture:
    """The best configs, each mean with its corrected 95% interval."""
    plan = evidence.plan
    rows = list(evidence.standings.rows[:_SHOWN])
    baseline = evidence.standing(plan.baseline)
    if baseline is not None and baseline not in rows:
        rows[-1] = baseline
    names = [wrapped(plan.label(row.config), 46) for row in rows]
    lines = sum(name.count("\n") + 1 for name in names)
    figure, (panel,) = canvas(0.8 + 0.14 * lines + 0.07 * len(rows))
    room = np.array([1.0 + 0.75 * name.count("\n") for name in names])
    at = np.cumsum(room) - room / 2
    for place, row in zip(at, rows, strict=True):
        colour = BLUE if row.status == "winner" else ORANGE if row is baseline else GREY
        if row.ci_low is not None and row.ci_high is not None:
            panel.plot([100 * row.ci_low, 100 * row.ci_high], [place] * 2, color=colour, lw=1.6)
        full = row.status in ("winner", "complete")
        panel.plot(
            100 * row.mean,
            place,
            marker="D" if row is baseline else "o",
            color=colour,
            markerfacecolor=colour if full else "white",
        )
    if baseline is not None:
        panel.axvline(100 * baseline.mean, color=ORANGE, lw=0.8, ls=":")
    panel.set_yticks(at, names, fontsize=8)
    panel.set_ylim(room.sum() + 0.1, -0.1)
    panel.set_xlabel(
        f"mean {plan.space.objective}, {unit(plan.space.objective)}, with 95% interval"
    )
    panel.grid(axis="x")
    panel.set_axisbelow(True)
    whole = len(evidence.standings.rows)
    return finish(
        figure,
        "leaders",
        "The leaders",
        f"The best {len(rows)} of {whole:,} configs with a score. Blue: the first; orange "
        "diamond and dotted line: the baseline; hollow: not all cells, the mean adjusted for the "
        "blocks it lacks. The intervals allow for the overlap of training parts (Nadeau and "
        "Bengio), and overlapping ones can still differ: differences are paired.",
    )


def gains(evidence: Evidence) -> Picture | None:
    """The rival's paired gain by cell; None without a pair of configs."""
    rival, over = evidence.rival, evidence.against
    if rival is None or over is None:
        return None
    plan = evidence.plan
    values = evidence.gains(rival, over)
    blocks = sorted(range(len(plan.blocks)), key=lambda block: plan.blocks[block])
    shared = [block for block in blocks if np.isfinite(values[block])]
    if not shared:
        return None
    shown = 100 * values[shared]
    figure, (panel,) = canvas(2.9)
    x = np.arange(len(shared))
    colours = [BLUE if value >= 0 else ORANGE for value in shown]
    panel.vlines(x, 0, shown, color=colours, lw=2.2)
    for up, marker in ((True, "^"), (False, "v")):
        mine = (shown >= 0) == up
        panel.plot(x[mine], shown[mine], marker, color=BLUE if up else ORANGE, ms=6)
    panel.axhline(0, color=INK, lw=0.8)
    mean_interval = interval(values, evidence.share)
    if mean_interval is not None:
        panel.axhspan(
            100 * mean_interval.low, 100 * mean_interval.high, color=GREY, alpha=0.22, lw=0
        )
        panel.axhline(100 * mean_interval.mean, color=GREY, lw=1.2, ls="--")
    seeds = [plan.blocks[block][0] for block in shared]
    folds = [str(plan.blocks[block][1] + 1) for block in shared]
    starts = [i for i, seed in enumerate(seeds) if i == 0 or seed != seeds[i - 1]]
    panel.set_xticks(x, folds, fontsize=8)
    for start in starts:
        panel.annotate(
            f"seed {seeds[start]}",
            (start - 0.3, 1.01),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color=GREY,
        )
        if start:
            panel.axvline(start - 0.5, color=GREY, lw=0.6, ls=":")
    panel.set_xlabel("fold, seed by seed" if plan.spec.folds else "seed")
    panel.set_ylabel(f"gain in {plan.space.objective}, {unit(plan.space.objective)}")
    panel.grid(axis="y")
    panel.set_axisbelow(True)
    better = int((shown > 0).sum())
    whole = (
        "" if mean_interval is None else f" Mean {points(mean_interval.mean, True)}, 95% interval "
    )
    whole += (
        ""
        if mean_interval is None
        else f"{points(mean_interval.low, True)} to {points(mean_interval.high, True)}."
    )
    return finish(
        figure,
        "gain-per-cell",
        f"Gain over {plan.names.get(over) or plan.label(over)}, cell by cell",
        f"{plan.label(rival)} minus {plan.label(over)}, both trained on the same rows with the "
        f"same seed: better in {better} of {len(shared)} cells.{whole} Dashed line and band: the "
        "mean and its corrected 95% interval.",
    )


def learning(evidence: Evidence) -> Picture | None:
    """Training loss and held-out score by epoch; None without two scored epochs."""
    objective = evidence.plan.space.objective
    curves = [one for one in evidence.curves if _scored_epochs(one.values[objective]) > 1]
    if not curves:
        return None
    figure, panels = canvas(2.7, 1, 2)
    for curve, (colour, dashes, marker) in zip(curves, _STYLES, strict=False):
        name = evidence.plan.names.get(curve.config) or "winner"
        for panel, metric, factor in (
            (panels[0], objective, 1.0 if objective == "loss" else 100.0),
            (panels[1], "train_loss", 1.0),
        ):
            _band(panel, curve.values[metric] * factor, colour, dashes, marker, name)
    panels[0].set_title(
        f"held-out {objective}, {'nats' if objective == 'loss' else unit(objective)}"
    )
    panels[1].set_title("training loss, each config's own")
    for panel in panels:
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        panel.grid(axis="y")
        panel.set_axisbelow(True)
    panels[0].legend(fontsize=8, loc="best")
    return finish(
        figure,
        "learning-curves",
        "Learning curves",
        "Mean over the cells after each epoch; the band holds nine tenths of them. "
        f"{_ending(evidence, curves[0].values[objective])}",
    )


def step_losses(evidence: Evidence) -> Picture | None:
    """Losses by step; None where none are kept."""
    names = [n for n in STEP_LOSSES if any(one.values[n].size for one in evidence.curves)]
    if not names:
        return None
    figure, panels = canvas(2.7, 1, len(names))
    for panel, metric in zip(panels, names, strict=True):
        for curve, (colour, dashes, _) in zip(evidence.curves, _STYLES, strict=False):
            kept = curve.values[metric]
            steps = np.flatnonzero(np.isfinite(kept).any(axis=0))
            name = evidence.plan.names.get(curve.config) or "winner"
            means = np.nanmean(kept[:, steps], axis=0)
            panel.plot(steps + 1, means, color=colour, ls=dashes, lw=1, label=name)
        rows = "training" if metric == STEP_LOSSES[0] else "validation"
        panel.set_title(f"loss on {rows} rows")
        panel.set_xlabel("step")
        panel.ticklabel_format(useOffset=False)
        panel.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        panel.grid(axis="y")
    panels[0].legend(fontsize=8, loc="best")
    return finish(
        figure,
        "step-losses",
        "Loss by step",
        "Mean over the cells: of a step's own batch, and of the rows that are kept apart to choose "
        "the epoch on.",
    )


def _scored_epochs(values: FloatArray) -> int:
    """Number of epochs with a score: --epoch-scores last leaves one."""
    return int(np.isfinite(values).any(axis=0).sum())


def _band(
    panel: object,
    values: FloatArray,
    colour: str,
    dashes: str,
    marker: str,
    name: str,
) -> None:
    from matplotlib.axes import Axes

    if not isinstance(panel, Axes) or not values.size or not np.isfinite(values).any():
        return
    epochs = np.arange(1, values.shape[1] + 1)
    low, high = np.nanquantile(values, (0.05, 0.95), axis=0)
    panel.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
    many = values.shape[1] > 25
    panel.plot(
        epochs,
        np.nanmean(values, axis=0),
        color=colour,
        ls=dashes,
        marker="" if many else marker,
        ms=4,
        label=name,
    )


def _ending(evidence: Evidence, values: FloatArray) -> str:
    """Remark on whether the last epoch still gained."""
    means = evidence.sign * np.nanmean(values, axis=0)
    step = float(means[-1] - means[-2])
    best = int(means.argmax()) + 1
    if best < len(means):
        return f"The winner stood highest after epoch {best} of {len(means)}."
    gain = f"{points(step, True)} {unit(evidence.plan.space.objective)}"
    return f"The winner's last epoch still brought {gain}: more epochs may help."
