"""A night that failed calls somebody, once; what cannot be told is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from search import cli
from search.errors import InputError
from search.schedule import notify
from search.schedule.file import EXAMPLE, read_schedule
from search.schedule.tick import EntryStatus, spec_of, told

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
SWEEP = '[[sweep]]\nname = "nightly"\ncron = "0 2 * * *"\nrun = "smoke --data a.csv"\n'


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """URL of a server of the test's own, and what was sent to it."""
    sent: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            sent.append(json.loads(self.rfile.read(size)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/hook", sent
    server.shutdown()
    server.server_close()


def file_of(folder: Path, text: str) -> Path:
    path = folder / "sweeps.toml"
    path.write_text(text, encoding="utf-8")
    return path


def failed(detail: str) -> EntryStatus:
    return EntryStatus("nightly", "failed", detail, 2)


def test_a_failure_is_told_once_a_day_and_anew_after_a_success(
    webhook: tuple[str, list[dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, sent = webhook
    monkeypatch.setenv("MY_HOOK", url)
    plan = read_schedule(file_of(tmp_path, f'notify = "$MY_HOOK"\n{SWEEP}'))
    assert told(plan, [failed("no disk")], NOW) == ["nightly: told by `notify`"]
    assert told(plan, [failed("no disk")], NOW + timedelta(minutes=5)) == []
    assert told(plan, [failed("no data")], NOW + timedelta(minutes=10)) != []
    assert told(plan, [failed("no data")], NOW + timedelta(hours=30)) != []
    assert told(plan, [EntryStatus("nightly", "fired", "fine")], NOW) == []
    assert told(plan, [failed("no data")], NOW + timedelta(hours=31)) != []
    assert [one["title"] for one in sent] == ["foldrace: sweep nightly failed"] * 4
    assert sent[0]["message"].startswith("no disk")


def test_nobody_to_tell_is_said_and_no_url_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = "json://me:secret@127.0.0.1:9/"
    (line,) = told(
        read_schedule(file_of(tmp_path, f'notify = "{secret}"\n{SWEEP}')), [failed("why")], NOW
    )
    assert line == "nightly: nobody could be told: the service of `notify` did not take the message"
    plan = read_schedule(file_of(tmp_path, f'notify = "$NOT_SET"\n{SWEEP}'))
    (line,) = told(plan, [failed("why")], NOW)
    assert "the variable NOT_SET is not set" in line
    with pytest.raises(InputError, match=r"apprise knows no such URL \(nothing://\.\.\.\)") as bad:
        notify.check("nothing://secret")
    assert "secret" not in str(bad.value)
    assert told(read_schedule(file_of(tmp_path, SWEEP)), [failed("why")], NOW) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'notify = "me@home"\n{SWEEP}', "notify must be a URL of apprise such as mailto://"),
        (
            f'notify = "slack://a/b/c"\n{SWEEP}submit = "http://head:8265"\n',
            "notify must name a variable",
        ),
        (f'notfy = "$A"\n{SWEEP}', "notfy: no field. Did you mean 'notify'?"),
        (f'{SWEEP}crn = "a"\n', "sweep.0.crn: no field. Did you mean 'cron'?"),
        (
            f'{SWEEP}space = "smoke"\n',
            'no field but a word of `run`, as in run = "--data reviews.csv --space',
        ),
    ],
)
def test_wrong_fields_are_told_with_the_nearest_and_an_example(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        read_schedule(file_of(tmp_path, text))
    assert said in str(refused.value)
    assert str(refused.value).endswith(EXAMPLE.rstrip())


def test_the_example_that_is_printed_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["schedule", "--example"]) == 0
    plan = read_schedule(file_of(tmp_path, capsys.readouterr().out))
    spec = spec_of(plan, cli.build_parser().checked, plan.sweep[0], "nightly", None)
    assert (spec.data.name, spec.space, spec.budget.max_cells) == (
        "election-tweets",
        "finetune",
        60,
    )
    assert cli.main(["schedule", "sweeps.toml", "--emit", "cron"]) == 0
    assert cli.main(["schedule"]) == 2
    assert "foldrace schedule --example > sweeps.toml" in capsys.readouterr().err
