"""Paths, numbers, names and addresses are judged before a command begins, and before torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search import cli

ROOT = Path(__file__).parents[3]
RUN = ("run", "smoke", "--data", "trec", "--model", "minilm")
SUBMIT = ("submit", "--address", "http://127.0.0.1:9", "--")

# What is typed -> what is answered; `afile` is a file, `adir` a folder, neither is a ledger.
REFUSED: list[tuple[tuple[str, ...], str]] = [
    ((*RUN, "--report", "afile"), "--report must be a folder, 'afile' is none"),
    ((*RUN, "--max-hours", "nan"), "--max-hours must be a number above 0"),
    ((*RUN, "--max-hours", "1e-9"), "--max-hours must be at least 0.000277778, a second"),
    ((*RUN, "--max-cell-minutes", "1e-9"), "--max-cell-minutes must be at least 0.0166667, a sec"),
    ((*RUN, "--max-hours", "inf"), "--max-hours must be at most 100,000, got inf"),
    ((*RUN, "--max-cells", "-1"), "--max-cells must be at least 1, got -1"),
    ((*RUN, "--strategy-seed", "-1"), "--strategy-seed must be at least 0, got -1"),
    ((*RUN, "--stop-margin", "500"), "--stop-margin must be at most 100 points, got 500"),
    ((*RUN, "--stop-margin", "inf"), "--stop-margin must be at most 100 points, got inf"),
    ((*RUN, "--trials", "1000000"), "--trials must be at most 10,000, got 1,000,000"),
    ((*RUN, "--stack", "9" * 5000), "--stack wants auto or a whole number, 1 to 10,000"),
    ((*RUN, "--cell-retries", "-1"), "--cell-retries must be at least 0, got -1"),
    ((*RUN, "--cpus-per-trial", "nan"), "--cpus-per-trial must be a number above 0"),
    ((*RUN, "--max-cell-minutes", "0"), "--max-cell-minutes must be above 0, got 0"),
    ((*RUN, "--subset", "0"), "--subset must be at least 1, got 0"),
    ((*RUN, "--folds", "1"), "--folds must be at least 2, got 1"),
    ((*RUN, "--seeds", "9" * 5000), "--seeds wants whole numbers with commas"),
    ((*RUN, "--holdout", "nan"), "holdout must be a share in (0, 1)"),
    ((*RUN, "--ray-address", "http://x"), "--ray-address must be local, auto, ray://HOST"),
    ((*RUN, "--tracking-uri", ""), "--tracking-uri must not be blank"),
    ((*RUN, "--tracking-uri", "http://[::1"), "'http://[::1' is malformed: Invalid IPv6 URL"),
    ((*RUN, "--tracking-uri", "http://u:secret@[::1"), "'http://***@[::1' is malformed"),
    ((*RUN, "--tracking-uri", "http://x:99999"), "is malformed: Port out of range"),
    ((*RUN, "--experiment", ""), "--experiment must not be blank"),
    ((*RUN, "--experiment", "a/b"), "--experiment must be 1 to 100 printable characters"),
    *(
        ((*RUN, "--name", name), f"--name must not be {name!r}, which means something else")
        for name in ("latest", ".", "..")
    ),
    ((*RUN, "--name", "\x1b[31m"), r"--name must be 1 to 100 printable characters"),
    ((*RUN, "--name", "a\nb"), r"--name must be 1 to 100 printable characters"),
    ((*RUN, "--name", "x" * 10_000), "--name must be 1 to 100 printable characters"),
    ((*RUN, "--name", ""), "--name must not be blank"),
    ((*RUN, "--text", ""), "--text must not be blank"),
    ((*RUN, "--label", "caf\udce9"), "--label must be UTF-8"),
    ((*RUN, "--plugin", ""), "--plugin must not be blank"),
    (("run", "smoke", "--data", "", "--model", "minilm"), "--data must not be blank"),
    (("run", "smoke", "--data", "trec", "--model", " "), "--model must not be blank"),
    (("run", "", "--data", "trec", "--model", "minilm"), "SPACE must not be blank"),
    (("plan", *RUN[1:], "--price-per-hour", "nan"), "--price-per-hour must be a number"),
    (("plan", *RUN[1:], "--price-per-hour", "-1"), "--price-per-hour must be at least 0, got -1"),
    (("resume", "latest", "--max-hours", "nan"), "--max-hours must be a number above 0"),
    (("resume", "latest", "--max-hours", "-1"), "--max-hours must be above 0, got -1"),
    (("resume", "latest", "--max-hours", "0"), "--max-hours must be above 0, got 0"),
    (("resume", "latest", "--max-cells", "0"), "--max-cells must be at least 1, got 0"),
    (("resume", "latest", "--report", "afile"), "--report must be a folder"),
    (("resume", "latest", "--ray-address", "?"), "--ray-address must be local"),
    (("leaderboard", ""), "SWEEP must not be blank"),
    (("leaderboard", "latest", "--rope", "nan"), "--rope must be a number, 0 to 99.999"),
    (("classes", "latest", "--rank", "0"), "--rank must be at least 1, got 0"),
    (("report", "latest", "--out", "afile"), "--out must be a folder, 'afile' is none"),
    (("report", "latest", "--out", "/proc/x"), "--out must be writable, '/proc/x' is not"),
    (("report", "latest", "--rope", "100"), "--rope must be at most 99.999 points, got 100"),
    (("ensemble", "latest", "--rounds", "0"), "--rounds must be at least 1, got 0"),
    (("promote", "latest", "--out", "afile"), "--out must be a folder, 'afile' is none"),
    (("promote", "latest", "--as", ""), "--as must not be blank"),
    (("promote", "latest", "--as", "a/b:c"), "without '/' and ':'"),
    (("promote", "latest", "--rank", "0"), "--rank must be at least 1, got 0"),
    (("predict", "latest", "--data", "afile", "--out", "adir"), "--out must be a file, 'adir' is"),
    (("predict", "latest", "--data", "afile", "--out", "no/x.csv"), "there is no folder 'no'"),
    (("predict", "latest", "--data", "afile", "--out", "x.xlsx"), "--out must end in .csv or"),
    (("predict", "latest", "--data", "afile", "--model", "a:b"), "--model must be 1 to 100"),
    (("predict", "latest", "--data", ""), "--data must not be blank"),
    (("explain", "latest", "--out", "afile"), "--out must be a folder, 'afile' is none"),
    (("explain", "latest", "--words", "0"), "--words must be at least 1, got 0"),
    (("explain", "latest", "--text", " "), "--text must not be blank"),
    (("export", "latest", "--out", "adir"), "--out must be a file, 'adir' is a folder"),
    (("export", "latest", "--out", "x.txt"), "--out must end in .csv or .tsv or .jsonl or"),
    (("serve", "mine", "--port", "99999"), "--port must be at most 65,535, got 99,999"),
    (("serve", "mine", "--port", "-1"), "--port must be at least 1, got -1"),
    (("serve", "mine", "--host", "not a host"), "--host must be a name or an address"),
    (("serve", "mine", "--host", "no-such-host.invalid"), "is no host that is known here"),
    (("serve", "mine", "--host", "192.0.2.1"), "Nothing can listen on 192.0.2.1:5001"),
    (("ui", "--port", "0"), "--port must be at least 1, got 0"),
    (("ui", "--host", "a b"), "--host must be a name or an address"),
    (("submit", "--address", "http://[::1", "--", "status"), "Invalid IPv6 URL"),
    (("submit", "--address", "head:8265", "--", "status"), "must begin with http://"),
    (("submit", "--address", "http://h", "--most-mib", "0", "status"), "--most-mib must be above"),
    ((*SUBMIT, *RUN, "--max-hours", "0"), "--max-hours must be above 0"),
    (
        (*SUBMIT, *RUN, "--tracking-uri", "postgresql://h/d?user=u&password=x"),
        "so no password may stand in --tracking-uri",
    ),
    (("bench-strategies", "afile", "--figure", "adir"), "--figure must be a file"),
    (("bench-strategies", "afile", "--figure", "no/x.png"), "there is no folder 'no'"),
    (("bench-strategies", "afile", "--replays", "0"), "--replays must be at least 1, got 0"),
    (("bench-strategies", "afile", "--shares", "0.1,nan"), "--shares must lie in (0, 1]"),
    (("schedule", "open-quote.toml"), "sweep.0.run: must be words as a shell takes them"),
    (("schedule", "unknown.toml", "--emit", "cron"), "sweep 'a': No entry 'projektion'"),
    (("schedule", "unknown.toml", "--emit", "kubernetes"), "sweep 'a': No entry 'projektion'"),
    (("schedule", "nodata.toml", "--emit", "cron"), "sweep 'a': No data set 'trecc'"),
    (("schedule", "nodata.toml", "--emit", "kubernetes"), "sweep 'a': No data set 'trecc'"),
    (("schedule", "password.toml"), "tracking_uri: must hold no password"),
    (("spaces", "--plugin", "exits.py"), "line 2: sys.exit(3)"),
    (("spaces", "--plugin", "interrupts.py"), "line 1: raise KeyboardInterrupt"),
    (("spaces", "--plugin", "broken.py"), "    def f(:\n          ^"),
]
_SCHEDULE = '{}\n[[sweep]]\nname = "a"\ncron = "0 2 * * *"\nrun = """{}"""\n'
FILES = {
    "afile": "",
    "open-quote.toml": _SCHEDULE.format("", "projection --data 'trec --model minilm"),
    "unknown.toml": _SCHEDULE.format("", "projektion --data trec --model minilm"),
    "nodata.toml": _SCHEDULE.format("", "projection --data trecc --model minilm"),
    "password.toml": _SCHEDULE.format(
        'tracking_uri = "postgresql://h/d?password=x"', "projection --data trec --model minilm"
    ),
    "exits.py": "import sys\nsys.exit(3)\n",
    "interrupts.py": "raise KeyboardInterrupt\n",
    "broken.py": "x = 1\ndef f(:\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "adir").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "answer"),
    REFUSED,
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_it_is_refused_by_name(
    words: tuple[str, ...], answer: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    try:
        code = cli.main(list(words))
    except SystemExit as usage:
        code = int(str(usage.code))
    err = capsys.readouterr().err
    assert code == 2, err
    assert answer in err
    assert "Traceback" not in err
    assert err.replace("\n", "").isprintable()
    assert max(map(len, err.splitlines())) < 700
    # Nothing was made: no ledger, no report, no file beside the ones that were there.
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


def test_all_of_it_comes_before_torch(folder: Path) -> None:
    program = (
        "import json, sys\n"
        "from search import cli\n"
        "for words in json.load(sys.stdin):\n"
        "    try:\n"
        "        assert cli.main(words) == 2, words\n"
        "    except SystemExit as usage:\n"
        "        assert usage.code == 2, words\n"
        "    late = {'torch', 'ray', 'transformers'} & set(sys.modules)\n"
        "    assert not late, (words, late)\n"
    )
    typed = json.dumps([words for words, _ in REFUSED])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=typed,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
