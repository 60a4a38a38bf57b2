"""When a schedule fires, time zones and clock changes included; and which files are refused."""

from __future__ import annotations

import configparser
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search.errors import InputError
from search.schedule.emit import carried, emit
from search.schedule.file import Entry, read_schedule

RUN = "smoke --data /shared/x.csv --model minilm"


def entry(cron: str, timezone: str = "UTC") -> Entry:
    return Entry(name="mine", cron=cron, timezone=timezone, run=RUN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "now", "last", "following"),
    [
        ("0 2 * * *", "UTC", "11-21T02:00:00Z", "11-21T02:00Z", "11-22T02:00Z"),
        ("0 2 * * *", "UTC", "11-21T01:59:59Z", "11-20T02:00Z", "11-21T02:00Z"),
        # Two in the morning of Warsaw is 1 o'clock UTC in winter and midnight in summer.
        ("0 2 * * *", "Europe/Warsaw", "01-15T12:00Z", "01-15T01:00Z", "01-16T01:00Z"),
        ("0 2 * * *", "Europe/Warsaw", "07-15T12:00Z", "07-15T00:00Z", "07-16T00:00Z"),
        # 2:30 does not exist on 29 March 2026: it fires as the clocks jump to 3:00.
        ("30 2 * * *", "Europe/Warsaw", "03-29T12:00Z", "03-29T01:00Z", "03-30T00:30Z"),
        # 2:30 comes twice on 25 October 2026 and fires once.
        ("30 2 * * *", "Europe/Warsaw", "10-25T12:00Z", "10-25T00:30Z", "10-26T01:30Z"),
        ("0 9 * * 1", "America/New_York", "11-21T12:00Z", "11-16T14:00Z", "11-23T14:00Z"),
    ],
)  # fmt: skip
def test_firings_follow_the_clock_on_the_wall(
    cron: str, zone: str, now: str, last: str, following: str
) -> None:
    one = entry(cron, zone)
    assert one.last_firing(at(now)) == at(last)
    assert one.next_firing(at(now)) == at(following)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
    st.sampled_from(["*/15 * * * *", "0 2 * * *", "30 2 * * 0", "5 4 1 * *"]),
    st.sampled_from(["UTC", "Europe/Warsaw", "Asia/Kolkata", "America/Sao_Paulo"]),
)
def test_no_firing_lies_between_the_last_and_the_next(
    moment: datetime, cron: str, zone: str
) -> None:
    now, one = moment.replace(tzinfo=UTC), entry(cron, zone)
    last, following = one.last_firing(now), one.next_firing(now)
    assert last <= now < following
    assert one.next_firing(last) == following
    assert one.last_firing(following - timedelta(seconds=1)) == last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[sweep]", "no TOML file"),
        ("", "sweep: Field required"),
        (f'[[sweep]]\nname="a"\ncron="0 2 * *"\nrun="{RUN}"', "minute hour day month weekday"),
        (f'[[sweep]]\nname="a"\ncron="0 0 31 2 *"\nrun="{RUN}"', "fire some day"),
        (f'[[sweep]]\nname="../a"\ncron="0 2 * * *"\nrun="{RUN}"', "sweep.0.name"),
        (f'[[sweep]]\nname="a"\ncron="0 2 * * *"\ntimezone="Mars"\nrun="{RUN}"', "a time zone"),
        (f'[[sweep]]\nname="a"\ncron="0 2 * * *"\nrun="{RUN}"\nsubmit="ssh://x"', "http://HEAD"),
        (f'[[sweep]]\nname="a"\ncron="0 2 * * *"\nrun="{RUN}"\nevery=5', "sweep.0.every: no field"),
        (
            f'tracking_uri="http://me:pw@x"\n[[sweep]]\nname="a"\ncron="0 2 * * *"\nrun="{RUN}"',
            "no password",
        ),
        (
            f'[[sweep]]\nname="a"\ncron="0 2 * * *"\nrun="{RUN}"\n' * 2,
            "a name of its own",
        ),
    ],
)
def test_a_faulty_file_is_refused_with_the_field(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "sweeps.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_schedule(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder, 100%"
    folder.mkdir()
    file = folder / "sweeps.toml"
    file.write_text(f'[[sweep]]\nname = "a"\ncron = "0 2 * * *"\nrun = "{RUN}"\n')
    return file


def _emitted(caller: str, file: Path, **more: Any) -> str:
    return emit(
        caller, file=file, folder=file.parent, program="/bin/foldrace", image="me/f:1", **more
    )


def test_the_cron_line_is_five_times_and_a_command_that_a_shell_can_read(file: Path) -> None:
    line = _emitted("cron", file)
    times, command = line[:11], line[12:]
    assert times == "*/5 * * * *"
    assert command.count("%") == command.count(r"\%") == 2
    assert "'" in command, "a folder with blanks is quoted"


def test_the_systemd_units_parse_and_catch_up(file: Path) -> None:
    service, timer = _emitted("systemd", file).split("\n# ~/")
    units = [configparser.ConfigParser(interpolation=None) for _ in range(2)]
    units[0].read_string(service)
    units[1].read_string("#" + timer)
    assert units[0]["Service"]["Type"] == "oneshot", "two ticks of a timer never overlap"
    assert units[0]["Service"]["ExecStart"].endswith("--once")
    assert units[1]["Timer"]["Persistent"] == "true"


def test_the_kubernetes_manifest_forbids_overlap_and_carries_the_schedule(file: Path) -> None:
    config, claim, job = yaml.safe_load_all(_emitted("kubernetes", file))
    assert config["data"]["schedule.toml"] == file.read_text()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "me/f:1"
    assert container["command"][-1] == "--once"
    claims = {
        v["name"]: v.get("persistentVolumeClaim", {}).get("claimName") for v in pod["volumes"]
    }
    assert claims["state"] == claim["metadata"]["name"], "what is not yet in the ledger is kept"
    assert {m["name"] for m in container["volumeMounts"]} == set(claims)


SHELL = {"MLFLOW_TRACKING_URI": "sqlite:////a b/50%.db", "FOLDRACE_DATA": "/the data", "HOME": "/"}


@pytest.mark.parametrize("caller", ["cron", "systemd", "kubernetes"])
def test_a_tick_finds_the_ledger_and_the_data_of_the_shell_it_was_typed_in(
    caller: str, file: Path
) -> None:
    text = _emitted(caller, file, environment=carried(SHELL, None))
    if caller == "cron":
        words = shlex.split(text.replace(r"\%", "%"))
        assert "MLFLOW_TRACKING_URI=sqlite:////a b/50%.db" in words
        assert "FOLDRACE_DATA=/the data" in words
        assert words.index("FOLDRACE_DATA=/the data") < words.index("/bin/foldrace")
    elif caller == "systemd":
        assert 'Environment="MLFLOW_TRACKING_URI=sqlite:////a b/50%%.db"\n' in text
        assert 'Environment="FOLDRACE_DATA=/the data"\n' in text
    else:
        *_, job = yaml.safe_load_all(text)
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        found = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
        assert found == {name: SHELL[name] for name in ("MLFLOW_TRACKING_URI", "FOLDRACE_DATA")}
    assert "HOME=" not in text


def test_a_ledger_that_is_typed_or_in_the_file_needs_no_variable(file: Path) -> None:
    assert carried(SHELL, "http://here:5000") == {"FOLDRACE_DATA": "/the data"}
    line = _emitted("cron", file, tracking_uri="http://here:5000")
    assert "--once --tracking-uri http://here:5000" in line


def test_no_password_is_emitted() -> None:
    for shell, typed in (
        ({"MLFLOW_TRACKING_URI": "http://me:secret@here"}, None),
        ({}, "http://me:secret@here"),
    ):
        with pytest.raises(InputError, match="holds a password") as refused:
            carried(shell, typed)
        assert "secret" not in str(refused.value)
