"""Results that show themselves, draw themselves and predict."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.api.plots import Plots
from search.comparison.compare import Comparison
from search.comparison.words import answer, notes, to_json
from search.formatting import points, unit
from search.results.document import of_outcome
from search.results.outcome import SweepResult

if TYPE_CHECKING:
    import pandas as pd

_TOP = 20


@dataclasses.dataclass(frozen=True, repr=False)
class Result(SweepResult):
    """Result of a sweep, for Python and notebooks.

    `leaderboard()` and `cells()` are pandas frames, `plot` draws, `predict` scores new rows.
    """

    @classmethod
    def of(cls, result: SweepResult) -> Result:
        """Return the same result with all that a notebook wants."""
        return cls(**{f.name: getattr(result, f.name) for f in dataclasses.fields(SweepResult)})

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.plan.spec.name

    @property
    def answer(self) -> str:
        """The answer in one sentence."""
        return str(of_outcome(self)["answer"])

    @property
    def winner(self) -> dict[str, Any] | None:
        """Axes of the winner with their values; None before there is one."""
        config = self.standings.winner
        return None if config is None else dict(self.plan.axes_of(config))

    def leaderboard(self) -> pd.DataFrame:
        """The configs with a score as a pandas frame, best first."""
        return self.frame()

    @property
    def plot(self) -> Plots:
        """Figures: race(), axes(), gain(), confusion(), leaders(), learning()."""
        return Plots(self)

    def predict(
        self,
        data: Any,
        *,
        text: str | None = None,
        text_b: str | None = None,
        label: str | None = None,
    ) -> pd.DataFrame:
        """Score new rows with the winner; see `search.predict`."""
        from search.api.predictions import predicted

        words = {"text": text, "text_b": text_b, "label": label}
        spec = self.plan.spec
        return predicted(spec.tracking_uri, spec.experiment, self.sweep_id, data, words)

    def report(self, out: str | Path | None = None) -> Path:
        """Write the report's page; see `search.report`."""
        from search.report.keep import report_of

        spec, folder = self.plan.spec, None if out is None else Path(out)
        return report_of(spec.tracking_uri, spec.experiment, [self.sweep_id], folder).page

    def __repr__(self) -> str:
        cells = sum(row.cells for row in self.standings.rows)
        return f"<Result of {self.name!r}: {cells:,} cells. {self.answer}>"

    def _repr_html_(self) -> str:
        document = of_outcome(self)
        rows = [
            [
                str(row["rank"]),
                row["label"],
                points(row["mean"]),
                _reach(row["ci_low"], row["ci_high"]),
                str(row["cells"]),
                "-" if row["p_best"] is None else f"{row['p_best']:.2f}",
                points(row["delta_baseline"], True),
                row["status"],
            ]
            for row in document["configs"][:_TOP]
        ]
        heads = ["#", "config", "mean", "95% interval", "cells", "P(best)", "gain", "status"]
        more = len(document["configs"]) - _TOP
        below = [f"... and {more:,} more"] if more > 0 else []
        title = f"{document['sweep']}, {document['objective']} in {unit(document['objective'])}"
        return _page(str(document["answer"]), title, heads, rows, below)


class ShownComparison(Comparison):
    """A comparison, for Python and notebooks."""

    @classmethod
    def of(cls, found: Comparison) -> ShownComparison:
        """Return the same comparison with all that a notebook wants."""
        return cls(**{f.name: getattr(found, f.name) for f in dataclasses.fields(Comparison)})

    @property
    def answer(self) -> str:
        """The answer in a sentence a pair."""
        return " ".join(answer(self, pair) for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `compare --json`."""
        return to_json(self)

    def frame(self) -> pd.DataFrame:
        """The differences as a pandas frame, a row a pair; fractions."""
        import pandas as pd

        names = ("first", "second", "difference", "ci_low", "ci_high", "p_better", "cells_shared")
        rows = [{name: row[name] for name in names} for row in to_json(self)["comparisons"]]
        return pd.DataFrame(rows)

    def classes(self) -> pd.DataFrame:
        """F1 per class on both sides, a row a class."""
        import pandas as pd

        rows = [
            {"first": row["first"], "second": row["second"], **one}
            for row in to_json(self)["comparisons"]
            for one in row["classes"]
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return f"<Comparison: {self.answer}>"

    def _repr_html_(self) -> str:
        rows = [
            [
                f"{row['first']}, {row['second']}",
                points(row["difference"], True),
                _reach(row["ci_low"], row["ci_high"], True),
                "-" if row["p_better"] is None else f"{row['p_better']:.2f}",
                str(row["cells_shared"]),
            ]
            for row in to_json(self)["comparisons"]
        ]
        heads = ["sweeps", "difference", "95% interval", "P(first better)", "cells shared"]
        return _page(self.answer, f"{self.metric} in {unit(self.metric)}", heads, rows, notes(self))


def _reach(low: float | None, high: float | None, sign: bool = False) -> str:
    return "-" if low is None or high is None else f"{points(low, sign)} .. {points(high, sign)}"


def _page(
    answer: str,
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    below: Sequence[str],
) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
        for row in rows
    )
    lines = "".join(f"<p><small>{html.escape(line)}</small></p>" for line in below)
    return (
        f"<p><b>{html.escape(answer)}</b></p><p>{html.escape(title)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"
    )
