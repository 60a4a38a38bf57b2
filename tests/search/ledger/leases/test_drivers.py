"""Drivers of sweeps: their tags, and who of them lives."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.ledger.leases.claims import Claims
from search.ledger.leases.drivers import (
    FAMILY,
    PREFIX,
    Driver,
    SignsOfLife,
    drivers_of,
    lease_of,
    this_process,
)
from search.ledger.records import LoggedRun


def run_with(tags: dict[str, str]) -> LoggedRun:
    return LoggedRun(
        run_id="r", name="mine", status="RUNNING", started_ms=0, ended_ms=0,
        tags=tags, params={}, metrics={},
    )  # fmt: skip


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_driver_comes_back_from_its_tag() -> None:
    me = replace(this_process("mine", "w"), run_id="r", number=3, beat=7, took=("x", "y"))
    assert drivers_of([run_with({**me.to_tags(), FAMILY: "f"})]) == [me]
    assert str(me).startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}', "null", "3"])
def test_a_damaged_tag_names_no_driver(text: str) -> None:
    assert drivers_of([run_with({f"{PREFIX}abc": text})]) == []


def test_on_this_machine_the_process_table_says_who_lives() -> None:
    signs = SignsOfLife(60.0)
    me = this_process("mine", "w")
    assert signs.of(me) is True
    assert signs.of(replace(me, born=me.born - 1000)) is False, "another process has its id now"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = replace(me, pid=child.pid, born=psutil.Process(child.pid).create_time())
    assert signs.of(other) is True
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert signs.of(other) is False, "a zombie trains nothing"
    child.communicate()
    assert signs.of(other) is False


def test_another_machines_driver_lives_while_its_beats_rise_whatever_its_clock_says() -> None:
    clock = Clock()
    signs = SignsOfLife(60.0, clock)
    there = replace(this_process("mine", "w"), machine="elsewhere", since=4e9)
    assert signs.of(there) is None, "nothing is known of it at first"
    clock.now = 59.0
    assert signs.of(there) is None
    there = replace(there, beat=1)
    assert signs.of(there) is True
    clock.now = 59.0 + 60.0
    assert signs.of(there) is True
    clock.now += 1.0
    assert signs.of(there) is False
    days_later = SignsOfLife(60.0, clock, now=lambda: there.at + 3601.0)
    assert days_later.of(there) is False, "it is not waited for"
    assert SignsOfLife(60.0, clock, now=lambda: there.at + 300.0).of(there) is None
    assert signs.of(replace(there, beat=2)) is True, "it was suspended, and is back"


def test_a_name_of_any_character_has_a_lease_that_a_query_takes() -> None:
    assert lease_of('it\'s "mine" 100%') != lease_of("mine")
    assert lease_of("it's").isalnum()


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=900, unique=True))
def test_claims_fit_into_tags_and_all_come_back(keys: list[str]) -> None:
    claims = Claims()
    claims.add(keys)
    tags = claims.to_tags()
    assert set(tags) <= set(Claims.NAMES)
    assert all(len(text) <= 5_000 for text in tags.values())
    assert {short for text in tags.values() for short in text.split()} == {k[-12:] for k in keys}
    claims.remove(keys)
    assert set(claims.to_tags()) == set(tags), "what was written is emptied"
    assert not "".join(claims.to_tags().values())


def test_drivers_of_one_process_differ() -> None:
    first, second = this_process("mine", "w"), this_process("mine", "w")
    assert isinstance(first, Driver)
    assert first.token != second.token
