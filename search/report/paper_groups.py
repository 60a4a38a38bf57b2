"""Means of a paper's gains over groups of data sets, beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from search.report.paper import Says, Verdict, judge_gain, tables

# The text of a paper and the mean of its own rows may differ by a rounding, no more.
_ROUNDING = 0.0001


def means(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts on the groups whose data sets all have a sweep here.

    Data sets are independent, so the mean of n gains has an interval that reaches sqrt(n) times
    less far than theirs, which is what the root of their squares' sum over n is.

    Args:
        verdicts: Verdicts of all sweeps of a report.
    """
    found = []
    for table in tables():
        mine = [verdict for verdict in verdicts if verdict.table == table["title"]]
        for group in table.get("groups", ()):
            members = [_member(mine, group, data) for data in group["data"]]
            known = [one for one in members if one is not None]
            if len(known) == len(members):
                found.append(_mean(group, known))
    return found


def _member(verdicts: Sequence[Verdict], group: Mapping[str, Any], data: str) -> Verdict | None:
    """The verdict on a group's data set, or None."""
    return next(
        (
            one
            for one in verdicts
            if (one.data, one.paper_model) == (data, group["model"]) and one.low is not None
        ),
        None,
    )


def _mean(group: Mapping[str, Any], members: Sequence[Verdict]) -> Verdict:
    gains = [one.our_gain or 0.0 for one in members]
    reaches = [((one.high or 0.0) - (one.low or 0.0)) / 2 for one in members]
    ours, reach = fmean(gains), math.hypot(*reaches) / len(members)
    says: Says
    says, because = judge_gain(group["gain"], ours, ours - reach, ours + reach)
    others = [one.data for one in members if one.says == "not the paper's setting"]
    if others:
        says, because = "not the paper's setting", f"in {', '.join(others)}; {because}"
    theirs = fmean(one.paper_gain or 0.0 for one in members)
    if abs(theirs - group["gain"]) > _ROUNDING:
        because += f" (its text; its own rows have a mean of {100 * theirs:+.2f})"
    baseline = fmean(one.paper_baseline or 0.0 for one in members)
    first = members[0]
    return Verdict(
        sweep=", ".join(one.sweep for one in members),
        table=first.table,
        source=first.source,
        row=group["label"],
        data=f"{len(members)} data sets",
        rows=None,
        paper_model=group["model"],
        our_model=first.our_model,
        paper_baseline=baseline,
        paper_score=baseline + group["gain"],
        our_baseline=fmean(one.our_baseline or 0.0 for one in members),
        our_score=fmean(one.our_score or 0.0 for one in members),
        our_gain=ours,
        low=ours - reach,
        high=ours + reach,
        says=says,
        because=because,
        changed=tuple(dict.fromkeys(each for one in members for each in one.changed)),
    )
