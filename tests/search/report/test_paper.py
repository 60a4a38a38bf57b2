"""A verdict follows from the figures by the stated rules, and from nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report import paper
from search.report.evidence import data_label
from search.report.paper_groups import means
from search.report.paper_settings import changes
from search.spec.make_spec import make_spec, saved_spec
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


def test_a_row_of_another_setting_leaves_it_undecided() -> None:
    says: list[paper.Says] = ["agrees", "not the paper's setting"]
    assert paper.exit_code([_verdict(one) for one in says]) == paper.UNDECIDED


TABLES = {table["id"]: table for table in paper.tables()}
BEST = {"k": (2000,), "gamma": (0.1,), "scale": (3.3,), "margin": (0.3,), "beta": (0.9,)}


def _changes(table: str, row: int, **fields: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the last config of a plan has other than a paper's row."""
    plan = plan_of(make_spec(name="a", **fields))
    given = TABLES[table]
    found = changes(plan, given, given["rows"][row], len(plan.configs) - 1, best=True)
    return found.deciding, found.noted


@pytest.mark.parametrize(
    ("given", "deciding"),
    [
        ({}, ()),
        ({"fix": {"schedule": "cosine", "epochs": 120}}, ()),  # the paper leaves these open
        ({"model": "minilm"}, ("model minilm for roberta-base",)),
        ({"fix": {"learning_rate": 5e-4}}, ("learning_rate 0.0005 for 1e-05",)),
        ({"fix": {"pooling": "mean"}}, ("pooling mean for pooler",)),
        ({"fix": {"trainable_blocks": 1}}, ("trainable_blocks 1 for none",)),
        ({"set_axes": {**BEST, "k": (5,)}}, ("k 5, off the paper's grid",)),
        ({"data": DataRef(name="trec-1k", cleaning=("urls",))}, ("cleaning urls for none",)),
    ],
)
def test_settings_that_are_not_the_papers_are_named(
    given: dict[str, Any], deciding: tuple[str, ...]
) -> None:
    fields = {"space": "softtriple", "data": "trec-1k", "model": "roberta-base", "set_axes": BEST}
    found, noted = _changes("tripleentropy", 5, **{**fields, **given})
    assert found == deciding
    assert noted[0] == "padding_tokens false for true"
    assert noted[-1].startswith("the best of 2 configs for 4,900")


def test_a_smaller_protocol_is_noted_and_decides_nothing() -> None:
    fields = {"space": "softtriple", "data": "trec-1k", "model": "roberta-base", "set_axes": BEST}
    found, noted = _changes("tripleentropy", 5, **fields, seeds=(2,), folds=3)
    assert found == ()
    assert "1 seeds x 3 folds for 4 x 5 folds" in noted


@pytest.mark.parametrize(("row", "features"), [(0, "tfidf-unigram-nostop"), (1, "tfidf-unigram")])
def test_rows_without_an_encoder_are_decided_on_any(row: int, features: str) -> None:
    data = DataRef(name="isot", cleaning=("reuters-prefix",))
    axes = {"representation": (features,)}
    fields = {"space": "linear_eval", "data": data, "model": "minilm", "set_axes": axes}
    assert _changes("bert_cam", row, **fields, folds=None, holdout=0.2)[0] == ()
    assert TABLES["bert_cam"]["rows"][row]["model"] is None
    assert TABLES["bert_cam"]["rows"][7]["model"] == "bert-base-uncased"
    plain = {**fields, "data": "isot"}
    assert _changes("bert_cam", row, **plain)[0] == ("cleaning none for reuters-prefix",)


def test_every_setting_of_a_table_is_one_of_its_spaces() -> None:
    for table in paper.tables():
        for name in table["spaces"]:
            kinds = registry.load("spaces", name, "SPACE").kinds
            assert {*table.get("settings", {}), *table.get("noted", {})} <= set(kinds)


def _gain(data: str, gain: float, reach: float, says: paper.Says = "agrees") -> paper.Verdict:
    row = next(r for r in TABLES["tripleentropy"]["rows"] if r["data"] == data)
    return dataclasses.replace(
        _verdict(says),
        table=TABLES["tripleentropy"]["title"],
        data=data,
        paper_model="roberta-base",
        paper_baseline=row["baseline"],
        paper_score=row["score"],
        our_baseline=0.8,
        our_score=0.8 + gain,
        our_gain=gain,
        low=gain - reach,
        high=gain + reach,
    )


def test_a_groups_mean_is_taken_of_all_its_data_sets_and_no_fewer() -> None:
    medium = [_gain("mrpc", 0.02, 0.003), _gain("trec", 0.01, 0.004), _gain("cr", 0.0, 0.0)]
    assert means(medium[:2]) == []
    (mean,) = means(medium)
    assert (mean.row, mean.says) == ("mean over medium data sets", "agrees")
    assert mean.our_gain == pytest.approx(0.01)
    assert mean.paper_gain == pytest.approx(0.0086)
    assert (mean.low, mean.high) == (
        pytest.approx(0.01 - 0.005 / 3),
        pytest.approx(0.01 + 0.005 / 3),
    )
    (other,) = means([*medium[:2], _gain("cr", 0.0, 0.0, "not the paper's setting")])
    assert other.says == "not the paper's setting"
    assert other.because.startswith("in cr; ")


def test_the_groups_means_are_those_of_their_rows_where_the_paper_adds_up() -> None:
    """Its text says 0.78 for the small data sets, its table 0.71: the report tells both."""
    rows = {(r["data"], r["model"]): r for r in TABLES["tripleentropy"]["rows"]}
    found = []
    for group in TABLES["tripleentropy"]["groups"]:
        mine = [rows[data, group["model"]] for data in group["data"]]
        mean = sum(row["score"] - row["baseline"] for row in mine) / len(mine)
        found.append((round(100 * group["gain"], 2), round(100 * mean, 2)))
    assert found == [(0.78, 0.71), (0.86, 0.86), (0.2, 0.2), (0.04, 0.04), (0.48, 0.48)]
    small = TABLES["tripleentropy"]["groups"][0]["data"]
    (mean,) = means([_gain(data, 0.01, 0.001) for data in small])
    assert "its own rows have a mean of +0.71" in mean.because


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
