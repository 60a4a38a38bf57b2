"""A file of one's own, a model, nothing else: fine-tuned and held against counted words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration


def test_a_file_alone_is_raced_against_what_is_usual_and_counted_words(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    rows = ["Titel;Meinung;Urteil"]
    for number, line in enumerate(reviews.read_text(encoding="utf-8").splitlines()[1:]):
        rows.append(f"{number};{line.replace(',', ';')}")
    (tmp_path / "meine.csv").write_text("\n".join(rows), encoding="utf-8")
    small = ["--seeds", "2", "--folds", "2", "--strategy", "grid", "--fix", "max_length=16"]
    small += ["--set", "learning_rate=0.003", "--set", "epochs=2", "--set", "batch_size=16"]
    small += ["--set", "weight_decay=0.01", "--set", "pooling=mean,pooler", "--name", "mine"]
    words = ["run", "--data", "meine.csv", "--model", str(tiny_encoder), *small]
    found = shell.json(*words)
    assert (found["cells_failed"], found["baseline"]) == (0, "usual")
    named = {row["name"]: row for row in found["configs"]}
    assert {"usual", "tf-idf"} <= set(named)
    assert named["tf-idf"]["mean"] > 0.9
    assert len(found["configs"]) == 6  # 2 poolings x 2 class weights, and two references
    # Another objective ranks what is there: by a run of its own, and by a look.
    again = shell.json(*words, "--objective", "macro-f1", "--name", "by-f1")
    assert (again["objective"], again["cells_reused"]) == ("macro_f1", found["cells_done"])
    look = shell.json("leaderboard", "mine", "--objective", "loss", "--metrics", "f1_praise")
    assert (look["objective"], look["mode"]) == ("loss", "min")
    means = [row["mean"] for row in look["configs"]]
    assert means == sorted(means)
    assert {row["metrics"]["f1_praise"] for row in look["configs"]} != {None}
    marked = shell.json("leaderboard", "mine", "--pareto", "seconds")["configs"]
    best = max(marked, key=lambda row: row["mean"])
    assert best["front"]
    shell.run("report", "mine", "--pareto", "seconds", "--out", "page")
    assert "accuracy against seconds" in (tmp_path / "page/report.html").read_text("utf-8")
    assert (tmp_path / "page/pareto.png").is_file()
    counted = shell.json("leaderboard", "mine", "--pareto", "parameters")["configs"]
    sizes: dict[str, set[float | None]] = {"mean": set(), "pooler": set()}
    for row in counted:
        if row["name"] is None:
            sizes[row["config"]["pooling"]].add(row["metrics"]["parameters"])
    (mean,), (pooler,) = sizes["mean"], sizes["pooler"]
    width = 32  # of the test's encoder
    assert mean is not None
    assert pooler == mean + width * width + width
    # TF-IDF is no network: it counts none, and is on no front.
    (words_alone,) = [row for row in counted if row["name"] == "tf-idf"]
    assert (words_alone["metrics"]["parameters"], words_alone["front"]) == (None, False)
    shell.run("report", "mine", "--pareto", "parameters", "--out", "sizes")
    assert "accuracy against parameters" in (tmp_path / "sizes/report.html").read_text("utf-8")
    _, err = shell.run("leaderboard", "mine", "--objective", "f1_prise", code=2)
    assert "No cell of sweep 'mine' has a metric 'f1_prise'. Did you mean 'f1_praise'?" in err
    predicted = shell.json("predict", "mine", "--data", "meine.csv")
    assert predicted["scores"]["accuracy"] > 0.9
