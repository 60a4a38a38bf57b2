"""Our figures beside a paper's table, with a verdict per row.

The rules of the verdicts are stated here, before anyone looks.

Tables of gains (a method over its baseline). Ours is the paired gain, the luck of having been
picked taken off, with its corrected 95% interval:

    agrees       the interval lies on the side of zero on which the paper's gain lies
    differs      it does not, and the paper's gain lies outside it
    cannot tell  it holds zero and the paper's gain: too few rows, cells, or too small an effect

Tables of scores. Ours is the best complete config of the row's kind, with its 95% interval:

    agrees       the interval holds the paper's score and reaches no further than 2 points from ours
    differs      the paper's score lies outside the interval
    cannot tell  the interval holds it, and is too wide to say more

Either is given for the paper's own settings alone (search/report/paper_settings.py): its encoder,
where the row depends on one, its rates and lengths, values of its grid. With others the row says
"not the paper's setting" and lists them. Smaller protocols are listed, too, and decide nothing: the
interval is as wide as they make it.

Means of a group. Where all data sets of a group have their sweeps in a report, the mean of the
gains stands beside the paper's, with an interval from theirs, as of independent data.

Rows are found by the data's name and the number of training rows a cell, which are drawn from its
training part, as TripleEntropy's authors' code does; a subset that is drawn before folds are made
is none of these. The number does not matter where the paper's own data have one size only, as those
of the contrastive losses.

"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from search.planning.plan import Plan
from search.report.evidence import Evidence, interval, model_label
from search.report.paper_settings import Changes, changes
from search.results.standings import Standing
from search.spec.naming import in_thousands
from trainables.engine.datasets.dataset_card import find

Says = Literal["agrees", "differs", "cannot tell", "not the paper's setting"]

NARROW = 0.02
"""An interval that reaches no further than this from its middle can confirm a score."""

REPRODUCED, NOT_REPRODUCED, UNDECIDED = 0, 3, 4
"""Exit codes of --check-paper."""

_TABLES = Path(__file__).with_name("paper_tables.json")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A row of a paper's table beside ours.

    Scores are fractions.

    Attributes:
        sweep: Name of our sweep.
        table: The paper's table.
        source: Place of the table in the paper.
        row: Name of the row.
        data: The paper's data set.
        rows: Rows of our data; where a cell trains on drawn ones, the number of these.
        paper_model: The paper's encoder; None where it names none.
        our_model: Ours.
        paper_baseline: The paper's baseline; None in a table of scores.
        paper_score: Score of the paper.
        our_baseline: Ours; None where there is none.
        our_score: Mean of our config.
        our_gain: Ours over our baseline, luck taken off; None in a table of scores.
        low: Lower end of the 95% interval, of the gain or of the score.
        high: Upper end.
        says: The verdict.
        because: The rule's reason, in figures.
        changed: Our settings that are not the paper's, with the paper's.
    """

    sweep: str
    table: str
    source: str
    row: str
    data: str
    rows: int | None
    paper_model: str | None
    our_model: str
    paper_baseline: float | None
    paper_score: float
    our_baseline: float | None
    our_score: float | None
    our_gain: float | None
    low: float | None
    high: float | None
    says: Says
    because: str
    changed: tuple[str, ...] = ()

    @property
    def paper_gain(self) -> float | None:
        """The paper's gain; None in a table of scores."""
        return None if self.paper_baseline is None else self.paper_score - self.paper_baseline


def tables() -> list[dict[str, Any]]:
    """The papers' tables, as they lie beside this file."""
    documents: list[dict[str, Any]] = json.loads(_TABLES.read_text(encoding="utf-8"))
    return documents


def data_name(plan: Plan) -> str:
    """Our data in the papers' words, whatever the size of the subset."""
    path = Path(plan.spec.data.name)
    name = (path.stem if path.suffix else path.name).lower().replace("_", "-")
    return re.sub(r"-\d+k$", "", name)


def data_key(plan: Plan) -> str:
    """Key of our data in the tables.

    It is trec-1k for 1,000 training rows a cell. Of data whose rows are others than the paper's it
    is none that stands there.
    """
    data, name = plan.spec.data, data_name(plan)
    card, drawn = find(data.name)  # of sweeps saved with trec-1k: 1,000 rows drawn, then folds
    if data.subset is not None or drawn is not None:
        return f"{name}, {data.subset or drawn:,} rows drawn"
    if card is not None and card.training and data.parts != "train" and plan.spec.folds:
        return f"{name}, all parts"
    train_rows = plan.spec.train_rows
    return name if train_rows is None else f"{name}-{in_thousands(train_rows)}"


def compare(evidence: Evidence) -> list[Verdict]:
    """Verdicts on our sweep, from the papers' tables on its data.

    Rows of its model are taken where there are any, else those of all models.
    """
    plan, key = evidence.plan, data_key(evidence.plan)
    verdicts = []
    for table in tables():
        if plan.registered not in table["spaces"] or plan.space.objective != table["objective"]:
            continue
        names = {key, data_name(plan)} if table.get("any_size") else {key}
        rows = [row for row in table["rows"] if row["data"] in names]
        # Where the paper has our model, its rows of other models are none of ours.
        if any(row["model"] == model_label(plan) for row in rows):
            rows = [row for row in rows if row["model"] in (None, model_label(plan))]
        judge = _gain if table["kind"] == "gain" else _score
        verdicts += [judge(evidence, table, row) for row in rows]
    return verdicts


def known_rows(plan: Plan) -> list[str]:
    """Data sets that the papers' tables have for this space."""
    rows = [r["data"] for t in tables() if plan.registered in t["spaces"] for r in t["rows"]]
    return list(dict.fromkeys(rows))


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 if every row agrees, 3 if one differs, else 4."""
    says = {verdict.says for verdict in verdicts}
    if "differs" in says:
        return NOT_REPRODUCED
    return REPRODUCED if says == {"agrees"} else UNDECIDED


def judge_gain(paper: float, ours: float, low: float, high: float) -> tuple[Says, str]:
    """The verdict on a gain; all in fractions.

    Args:
        paper: The paper's gain.
        ours: Ours.
        low: Lower end of our 95% interval.
        high: Upper end.
    """
    reach = f"ours is {_points(ours)} ({_points(low)} to {_points(high)})"
    if (low > 0 and paper > 0) or (high < 0 and paper < 0):
        inside = low <= paper <= high
        size = "" if inside else f", but not by the paper's {_points(paper)}"
        return "agrees", f"{reach}: on the paper's side of zero{size}"
    if not low <= paper <= high:
        return "differs", f"{reach}: the paper's {_points(paper)} lies outside"
    return "cannot tell", f"{reach}: that holds zero and the paper's {_points(paper)}"


def judge_score(paper: float, ours: float, low: float, high: float) -> tuple[Says, str]:
    """The verdict on a score; as `judge_gain`."""
    reach = f"ours is {100 * ours:.2f} ({100 * low:.2f} to {100 * high:.2f})"
    if not low <= paper <= high:
        return "differs", f"{reach}: the paper's {100 * paper:.2f} lies outside"
    if max(ours - low, high - ours) <= NARROW:
        return "agrees", f"{reach}: that holds the paper's {100 * paper:.2f}"
    return "cannot tell", f"{reach}: too wide to say more than that it holds {100 * paper:.2f}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _matching(evidence: Evidence, row: Mapping[str, Any]) -> Standing | None:
    """Our best complete config of a row's kind; None without one."""
    plan = evidence.plan
    where, reference = row.get("where") or {}, row.get("reference")
    for standing in evidence.standings.rows:
        if standing.status not in ("winner", "complete"):
            continue
        active = plan.space.active(plan.configs[standing.config])
        if reference is not None and plan.names.get(standing.config) != reference:
            continue
        if all(active.get(name) == value for name, value in where.items()):
            return standing
    return None


def _gain(evidence: Evidence, table: Mapping[str, Any], row: Mapping[str, Any]) -> Verdict:
    plan = evidence.plan
    special = "where" in row or "reference" in row
    ours = _matching(evidence, row) if special else evidence.standing(evidence.rival)
    baseline = evidence.standing(plan.baseline)
    says: Says = "cannot tell"
    if ours is None or baseline is None or baseline.status not in ("winner", "complete"):
        because = "the sweep has no complete config to hold against a complete baseline"
        return _verdict(evidence, table, row, says=says, because=because)
    gains = evidence.gains(ours.config, baseline.config)
    interval_ = interval(gains, evidence.share)
    luck = evidence.luck if ours.config == evidence.standings.winner else 0.0
    mean = float(gains.mean()) - luck
    if interval_ is None:
        because = f"{len(gains)} cells are too few for an interval"
        return _verdict(evidence, table, row, ours, baseline, gain=mean, says=says, because=because)
    low, high = interval_.low - luck, interval_.high - luck
    judged = judge_gain(row["score"] - row["baseline"], mean, low, high)
    found = changes(plan, table, row, ours.config, best=not special)
    says, because = _settled(judged, found)
    return _verdict(
        evidence,
        table,
        row,
        ours,
        baseline,
        gain=mean,
        reach=(low, high),
        says=says,
        because=because,
        changed=(*found.deciding, *found.noted),
    )


def _settled(judged: tuple[Says, str], found: Changes) -> tuple[Says, str]:
    """A verdict as the settings leave it, and its reason."""
    says, because = judged
    also = f"; {', '.join(found.noted)}" if found.noted else ""
    if not found.deciding:
        return says, because + also
    return "not the paper's setting", f"{', '.join(found.deciding)}; {because}{also}"


def _score(evidence: Evidence, table: Mapping[str, Any], row: Mapping[str, Any]) -> Verdict:
    ours = _matching(evidence, row)
    says: Says = "cannot tell"
    if ours is None or ours.ci_low is None or ours.ci_high is None:
        because = "the sweep has no complete config of this kind with an interval"
        return _verdict(evidence, table, row, ours, says=says, because=because)
    reach = (ours.ci_low, ours.ci_high)
    found = changes(evidence.plan, table, row, ours.config, best=False)
    says, because = _settled(judge_score(row["score"], ours.mean, *reach), found)
    changed = (*found.deciding, *found.noted)
    return _verdict(
        evidence, table, row, ours, reach=reach, says=says, because=because, changed=changed
    )


def _verdict(
    evidence: Evidence,
    table: Mapping[str, Any],
    row: Mapping[str, Any],
    ours: Standing | None = None,
    baseline: Standing | None = None,
    *,
    gain: float | None = None,
    reach: tuple[float, float] | None = None,
    says: Says,
    because: str,
    changed: tuple[str, ...] = (),
) -> Verdict:
    plan = evidence.plan
    return Verdict(
        sweep=plan.spec.name,
        table=table["title"],
        source=table["source"],
        row=row.get("label") or plan.space.name,
        data=row["data"],
        rows=plan.spec.train_rows or evidence.rows,
        paper_model=row["model"],
        our_model=model_label(plan),
        paper_baseline=row.get("baseline"),
        paper_score=row["score"],
        our_baseline=None if baseline is None else baseline.mean,
        our_score=None if ours is None else ours.mean,
        our_gain=gain,
        low=None if reach is None else reach[0],
        high=None if reach is None else reach[1],
        says=says,
        because=because,
        changed=changed,
    )
