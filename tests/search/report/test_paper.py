"""A verdict follows from the figures by the stated rules, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report import paper
from search.report.evidence import data_label
from search.spec import make_spec, saved_spec
from tests.factories import plan_of
from trainables.engine import registry
from trainables.engine.contract import DataRef

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("theirs", "ours", "low", "high", "says"),
    [
        (0.02, 0.015, 0.005, 0.025, "agrees"),
        (0.02, 0.004, 0.001, 0.007, "agrees"),  # a gain, if a smaller one
        (0.02, 0.001, -0.004, 0.006, "differs"),
        (0.02, -0.03, -0.05, -0.01, "differs"),
        (0.02, 0.01, -0.01, 0.03, "cannot tell"),
        (0.001, 0.01, 0.005, 0.015, "agrees"),
        (-0.01, -0.02, -0.03, -0.01, "agrees"),
        (-0.01, 0.02, 0.01, 0.03, "differs"),
    ],
)
def test_a_gain_is_judged_by_its_interval(
    theirs: float, ours: float, low: float, high: float, says: str
) -> None:
    assert paper.judge_gain(theirs, ours, low, high)[0] == says


@pytest.mark.parametrize(
    ("theirs", "ours", "low", "high", "says"),
    [
        (0.90, 0.905, 0.895, 0.915, "agrees"),
        (0.90, 0.92, 0.91, 0.93, "differs"),
        (0.90, 0.91, 0.86, 0.96, "cannot tell"),
    ],
)
def test_a_score_is_judged_by_its_interval(
    theirs: float, ours: float, low: float, high: float, says: str
) -> None:
    assert paper.judge_score(theirs, ours, low, high)[0] == says


gains = st.floats(-0.2, 0.2).map(lambda value: round(value, 4))


@given(gains, gains, st.floats(0.001, 0.1))
def test_both_signs_are_judged_alike(theirs: float, ours: float, reach: float) -> None:
    one = paper.judge_gain(theirs, ours, ours - reach, ours + reach)[0]
    other = paper.judge_gain(-theirs, -ours, -ours - reach, -ours + reach)[0]
    assert one == other


@given(gains, gains, st.floats(0.001, 0.1))
def test_what_differs_is_never_inside_the_interval(
    theirs: float, ours: float, reach: float
) -> None:
    low, high = ours - reach, ours + reach
    says = paper.judge_gain(theirs, ours, low, high)[0]
    assert says != "differs" or not low <= theirs <= high
    assert says != "cannot tell" or low <= theirs <= high


def _verdict(says: paper.Says) -> paper.Verdict:
    return paper.Verdict(
        sweep="s",
        table="t",
        source="p",
        row="r",
        data="d",
        rows=None,
        paper_model=None,
        our_model="m",
        paper_baseline=None,
        paper_score=0.5,
        our_baseline=None,
        our_score=None,
        our_gain=None,
        low=None,
        high=None,
        says=says,
        because="",
    )


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ((), 4),
        (("agrees",), 0),
        (("agrees", "agrees"), 0),
        (("agrees", "cannot tell"), 4),
        (("agrees", "cannot tell", "differs"), 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst_row(says: tuple[paper.Says, ...], code: int) -> None:
    assert paper.exit_code([_verdict(one) for one in says]) == code


ROWS = [(table["id"], row) for table in paper.tables() for row in table["rows"]]


def test_the_tables_hold_the_papers_rows() -> None:
    counts = {table["id"]: len(table["rows"]) for table in paper.tables()}
    assert counts["tripleentropy"] == 24
    assert counts["bert_cam"] == 8
    trec = next(row for name, row in ROWS if name == "tripleentropy" and row["data"] == "trec-1k")
    assert (trec["baseline"], trec["score"]) == (0.7980, 0.8209)


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_every_row_is_of_a_known_data_set(table: str, row: dict[str, object]) -> None:
    name = str(row["data"]).removesuffix("-1k").removesuffix("-10k").replace("-", "_")
    assert name in registry.names("trainables.data"), table
    assert 0 < float(str(row["score"])) < 1


def test_the_figures_are_the_papers() -> None:
    """Where the papers' own tables are at hand."""
    source = ROOT.parent / "shared" / "papers" / "tables.json"
    if not source.is_file():
        pytest.skip("the papers' tables are not beside this checkout")
    papers = json.loads(source.read_text())
    theirs, label_aware = papers["tripleentropy"], papers["label_aware_contrastive"]
    for name, row in ROWS:
        if name == "tripleentropy":
            given = theirs[row["model"]][row["data"]]
            assert (row["baseline"], row["score"]) == (
                pytest.approx(given["ce"] / 100),
                pytest.approx(given["softtriple"] / 100),
            )
    classes = label_aware["empathetic_dialogues_by_classes"]
    # In the order in which the paper's authors list the four sets.
    hard = dict(zip("dcba", label_aware["empathetic_dialogues_hard_sets"].values(), strict=True))
    wanted = {
        "label_aware_contrastive": label_aware["tasks"]
        | {"sst2-sent": label_aware["tasks"]["sst2"]},
        "label_aware_classes": {
            "empathetic-dialogues" + ("" if count == "32" else f"-{count}"): given
            for count, given in classes.items()
        },
        "label_aware_hard": {f"empathetic-dialogues-hard-{x}": row for x, row in hard.items()},
    }
    for name, of_data in wanted.items():
        mine = {(row["data"], row["label"]): row for table, row in ROWS if table == name}
        assert len(mine) == 2 * len(of_data)
        for data, given in of_data.items():
            for loss in ("scl", "lcl"):
                row = mine[data, loss.upper()]
                assert row["baseline"] == pytest.approx(given["ce"] / 100)
                assert row["score"] == pytest.approx(given[loss] / 100)
                assert row["where"] == {"loss": loss}


@pytest.mark.parametrize(
    ("data", "changes", "key", "label"),
    [
        ("trec-1k", {}, "trec-1k", "trec, training part, 1,000 training rows a cell"),
        ("mr-10k", {}, "mr-10k", "mr, 10,000 training rows a cell"),
        ("mr", {"train_rows": 500}, "mr-500", "mr, 500 training rows a cell"),
        ("trec", {}, "trec", "trec, training part"),
        (DataRef(name="trec", parts="all"), {}, "trec, all parts", "trec"),
        (DataRef(name="mr", subset=1000), {}, "mr, 1,000 rows drawn", "mr, 1,000 rows drawn"),
        (DataRef(name="empathetic_dialogues"), {}, "empathetic-dialogues", "empathetic_dialogues"),
    ],
)
def test_a_row_is_found_by_the_rows_that_a_cell_trains_on(
    data: str | DataRef, changes: dict[str, Any], key: str, label: str
) -> None:
    plan = plan_of(make_spec(space="softtriple", data=data, model="minilm", name="a", **changes))
    assert paper.data_key(plan) == key
    assert data_label(plan) == label


@pytest.mark.parametrize(
    ("name", "key"), [("trec-1k", "trec, 1,000 rows drawn"), ("sst2", "sst2, all parts")]
)
def test_a_sweep_of_before_stands_beside_no_row_of_other_rows(name: str, key: str) -> None:
    spec = make_spec(space="softtriple", data="mr", model="minilm", name="a")
    saved = {**spec.model_dump(mode="json"), "data": {"name": name}}
    assert paper.data_key(plan_of(saved_spec(saved))) == key
