"""`foldrace report` on sweeps in a real ledger, whose scores are drawn: files, verdicts, codes."""

from __future__ import annotations

import html.parser
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from search import cli
from search.cluster import packaging
from search.ledger.ledger import Ledger
from search.report.evidence import collect
from search.report.replay import FRAMES
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_cells import Opener
from trainables.engine.contract import DataRef

pytestmark = pytest.mark.integration


def rising(gain: float) -> Any:
    """Accuracy 0.75 for the baseline, more for a smaller beta."""

    def score(config: Mapping[str, Any]) -> float:
        return 0.75 + gain * (1.0 - config["beta"])

    return score


class Reporter:
    """`foldrace report` in this process, in a folder of its own."""

    def __init__(
        self, folder: Path, uri: str, capsys: pytest.CaptureFixture[str], opener: Opener
    ) -> None:
        self.folder, self.uri, self._capsys, self._open = folder, uri, capsys, opener

    def draw(self, name: str, gain: float, *, rows: int = 600, **changes: Any) -> str:
        spec = spec_of(self.uri, name=name, **changes)
        return draw(self._open(), spec, rising(gain), rows=rows, noise=0.002)

    def ledger(self) -> Ledger:
        return self._open()

    def run(self, *arguments: str) -> tuple[int, str]:
        self._capsys.readouterr()
        flags = ("--tracking-uri", self.uri, "--experiment", "test")
        code = cli.main(["report", *arguments, *flags])
        shown = self._capsys.readouterr()
        return code, shown.out + shown.err


@pytest.fixture
def reporter(
    tmp_path: Path,
    ledger_uri: str,
    open_ledger: Opener,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Reporter:
    monkeypatch.chdir(tmp_path)
    return Reporter(tmp_path, ledger_uri, capsys, open_ledger)


class _Page(html.parser.HTMLParser):
    """The tags and ids of a page, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.inner_links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        given = dict(attrs)
        if tag == "a" and str(given["href"]).startswith("#"):
            self.inner_links.append(str(given["href"])[1:])
        if "id" in given and not {"svg", "g"} & set(self.open):
            self.ids.append(str(given["id"]))
        if tag not in ("meta", "br", "link", "img", "path", "use", "rect"):
            self.open.append(tag)
        self.fetched += [
            str(value)
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not str(value).startswith(("#", "data:"))
        ]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "br", "link", "img", "path", "use", "rect"):
            assert self.open.pop() == tag


def assert_can_be_walked(page: _Page) -> None:
    """One title, headings that skip no level, and links that lead somewhere."""
    assert page.levels.count(1) == 1
    assert page.levels[0] == 1
    assert max(b - a for a, b in itertools.pairwise(page.levels)) <= 1
    assert len(set(page.ids)) == len(page.ids)
    assert page.inner_links
    assert set(page.inner_links) <= set(page.ids)


def test_the_page_answers_the_question_and_needs_nothing_else(reporter: Reporter) -> None:
    sweep_id = reporter.draw("one", gain=0.15)
    code, shown = reporter.run("one", "--out", "out")
    assert code == 0, shown
    page = (reporter.folder / "out/report.html").read_text()
    parsed = _Page()
    parsed.feed(page)
    assert parsed.open == []
    assert parsed.fetched == []
    assert_can_be_walked(parsed)
    assert page.index("Which of 21 configs") < page.index("Leaderboard")
    for piece in ("beta=0.1", "over cross-entropy", "Cannot be told from it", "foldrace run"):
        assert piece in page, piece
    drawings = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert {"The leaders", "Which axes matter", "Learning curves"} <= set(drawings)
    names = {path.name for path in (reporter.folder / "out").iterdir()}
    for figure in ("leaders", "gain-per-cell", "axis-effects", "axis-pairs", "parallel", "race"):
        assert {f"{figure}.png", f"{figure}.svg"} <= names
    markdown = (reporter.folder / "out/report.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", markdown)
    assert links
    assert all((reporter.folder / "out" / link).is_file() for link in links)
    (kept,) = reporter.folder.rglob(f"{sweep_id}/artifacts/report")
    assert all((kept / link).is_file() for link in links), "its figures are beside it in MLflow"
    assert {path.name for path in kept.iterdir()} >= {"report.html", "report.md"}


def test_the_figures_are_the_ledgers(reporter: Reporter) -> None:
    reporter.draw("one", gain=0.15)
    evidence = collect(reporter.uri, "test", "one")
    winner = evidence.plan.configs[evidence.rival or 0]
    assert winner["beta"] == 0.1
    assert len(evidence.arrivals) == evidence.exhaustive_cells == 21 * 6
    counts = evidence.confusions[evidence.rival or 0]
    # Every row once a seed, and the diagonal's share is the accuracy of all cells together.
    assert counts.sum() == 2 * 600
    mean = evidence.table.scores[evidence.rival].mean()
    assert counts.trace() / counts.sum() == pytest.approx(mean, abs=0.005)
    assert evidence.curves[0].values["accuracy"].shape == (6, 3)
    assert evidence.curves[0].values["train_loss"][0].tolist() == [1.0, 0.5, pytest.approx(1 / 3)]


@pytest.mark.parametrize(("gain", "codes"), [(0.15, {0}), (-0.1, {3, 4})])
def test_check_paper_ends_as_the_rows_do(reporter: Reporter, gain: float, codes: set[int]) -> None:
    reporter.draw("one", gain=gain, data=DataRef(name="trec-1k"))
    found, shown = reporter.run("one", "--check-paper", "--json", "--out", "out")
    document, _ = json.JSONDecoder().raw_decode(shown)
    (row,) = [row for row in document["paper"] if row["paper_model"] == "roberta-base"]
    assert row["paper_score"] == 0.8209
    # Six cells and 120 rows may be too few to deny the paper: that is 4. The rules: test_paper.py.
    assert found == document["check_paper"], row
    assert found in codes, row


def test_the_contrastive_losses_stand_beside_their_paper_whatever_the_size(
    reporter: Reporter,
) -> None:
    scores = {"none": 0.6, "scl": 0.55, "lcl": 0.75}
    axes = {"ce_weight": (0.5,), "temperature": (0.3,), "learning_rate": (2e-5,)}
    data = DataRef(name="empathetic-dialogues-hard-a", subset=900)
    spec = spec_of(
        reporter.uri,
        space="contrastive",
        name="hard",
        model="electra-base",
        data=data,
        set_axes={**axes, "batch_size": (10,), "epochs": (5,)},
    )
    draw(reporter.ledger(), spec, lambda config: scores[config["loss"]], rows=900, noise=0.002)
    code, shown = reporter.run("hard", "--check-paper", "--json", "--out", "out")
    document, _ = json.JSONDecoder().raw_decode(shown)
    assert code == document["check_paper"]
    said = {row["row"]: (row["paper_gain"], row["says"]) for row in document["paper"]}
    assert said["LCL"] == (pytest.approx(0.014), "agrees")
    assert said["SCL"][0] == pytest.approx(-0.007)
    page = (reporter.folder / "out/report.html").read_text()
    found = re.search(r">All metrics</h2>.*?</table>", page, re.S)
    assert found is not None
    head, *rows = re.findall(r"<tr>(.*?)</tr>", found[0], re.S)
    assert re.findall(r">([^<]+)</th>", head) == ["metric", "#1", "#2", "#3"]
    values = {re.findall(r">([a-z ]+)</td>", row)[0]: row for row in rows}
    assert list(values) == ["accuracy", "entropy", "loss", "train loss"]
    entropy = -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.1))
    assert re.findall(r">([0-9.]+)</td>", values["entropy"]) == [f"{entropy:.4f}"] * 3


def test_a_sweep_with_other_settings_is_shown_beside_the_paper_and_not_judged(
    reporter: Reporter,
) -> None:
    changes = {"model": "minilm", "fix": {"learning_rate": 5e-4}}
    reporter.draw("one", gain=0.15, data=DataRef(name="trec-1k"), **changes)
    code, shown = reporter.run("one", "--check-paper")
    said = " ".join(shown.split())
    assert code == 4
    assert "not the paper's setting (model minilm for roberta-base, learning_rate 0.0005 " in said
    assert "2 seeds x 3 folds for 4 x 5 folds" in said
    assert "the best of 21 configs for 4,900" in said


@pytest.mark.parametrize("space", ["smoke"])
def test_a_space_of_our_own_stands_beside_no_paper(reporter: Reporter, space: str) -> None:
    reporter.draw("own", gain=0.15, space=space, data=DataRef(name="trec-1k"), set_axes={})
    code, shown = reporter.run("own", "--check-paper", "--json")
    document, _ = json.JSONDecoder().raw_decode(shown)
    assert (code, document["paper"], document["check_paper"]) == (4, [], 4)


def test_the_mean_of_a_group_stands_beside_the_papers_where_all_its_sweeps_are(
    reporter: Reporter,
) -> None:
    for name in ("sst2", "imdb"):
        reporter.draw(name, gain=0.15, data=DataRef(name=name))
    code, shown = reporter.run("sst2", "imdb", "--check-paper", "--json", "--out", "out")
    document, _ = json.JSONDecoder().raw_decode(shown)
    assert code == 0, document["paper"]
    *single, group = document["paper"]
    assert (len(single), group["row"], group["data"]) == (
        2,
        "mean over extra-large data sets",
        "2 data sets",
    )
    assert group["paper_gain"] == pytest.approx(0.0004)
    assert group["our_gain"] == pytest.approx(sum(one["our_gain"] for one in single) / 2)
    widths = [one["high"] - one["low"] for one in single]
    width = group["high"] - group["low"]
    assert width == pytest.approx(float(np.hypot(*widths)) / 2)
    for file in ("report.html", "report.md"):
        assert "mean over extra-large data sets" in (reporter.folder / "out" / file).read_text()


def test_check_paper_is_undecided_where_the_paper_has_no_row(reporter: Reporter) -> None:
    reporter.draw("one", gain=0.1, data=DataRef(name="mine.csv"))
    code, shown = reporter.run("one", "--check-paper")
    assert code == 4
    assert "no row for mine" in " ".join(shown.split())


def test_several_sweeps_make_one_page_with_the_gain_by_size(reporter: Reporter) -> None:
    reporter.draw("small", gain=0.12, data=DataRef(name="trec-1k"))
    reporter.draw("large", gain=0.05, data=DataRef(name="trec"), rows=1500)
    code, shown = reporter.run("small", "large", "--out", "both")
    assert code == 0, shown
    page = (reporter.folder / "both/report.html").read_text()
    assert page.count("<article") == 2
    parsed = _Page()
    parsed.feed(page)
    assert_can_be_walked(parsed)
    assert "figure 1" in page
    for file in ("gain-by-size.png", "small/leaders.png", "large/leaders.svg", "report.md"):
        assert (reporter.folder / "both" / file).is_file(), file


def test_the_tree_that_is_sent_to_a_cluster_renders_a_report(
    reporter: Reporter, tmp_path: Path
) -> None:
    reporter.draw("sent", 0.02)
    sent = tmp_path / "sent"
    packaging.pack(sent, {}, folder=packaging.root())
    code = (
        "import sys, search\nfrom search.cli import main\nprint(search.__file__)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    flags = ["--tracking-uri", reporter.uri, "--experiment", "test", "--out", "there"]
    done = subprocess.run(
        [sys.executable, "-c", code, "report", "sent", *flags],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(sent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(sent))
    assert "sent" in (tmp_path / "there" / "report.html").read_text()
    assert (tmp_path / "there" / "report.md").is_file()


def test_a_race_is_drawn_as_an_animation(reporter: Reporter) -> None:
    reporter.draw("one", gain=0.15)
    words = ["--tracking-uri", reporter.uri, "--experiment", "test"]
    assert cli.main(["watch", "one", "--svg", "race.svg", *words]) == 0
    drawing = (reporter.folder / "race.svg").read_text()
    root = ET.fromstring(drawing)
    frames = [node for node in root.iter() if node.get("class") == "frame"]
    assert len(frames) == FRAMES
    said = [" ".join(filter(None, (text.text for text in f.iter()))) for f in frames]
    assert "126 of 126" in said[-1].replace("\N{NO-BREAK SPACE}", " ")
    assert "beta=0.1" in said[-1]
    assert "beta=0.1" not in said[0]
    # A viewer that knows no animation shows the end.
    still = re.sub(r"@\w+[^\n]*", "", drawing)
    assert re.findall(r"#f(\d+) { visibility: visible }", still) == [str(FRAMES - 1)]
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")
    assert cli.main(["watch", "one", "--svg", "race.gif", *words]) == 2
