"""Addresses, by their form."""

from __future__ import annotations

import pytest

from search.checks.urls import DASHBOARD, HOST, RAY_ADDRESS


@pytest.mark.parametrize(
    "address", ["local", "auto", "ray://head:10001", "head:6379", "[::1]:6379"]
)
def test_places_where_ray_runs(address: str) -> None:
    assert RAY_ADDRESS.fault(address) is None


@pytest.mark.parametrize(
    "address", ["", "here", "ray://", "http://head:1", "ray://[::1", "h:99999"]
)
def test_no_places_where_ray_runs(address: str) -> None:
    fault = RAY_ADDRESS.fault(address)
    assert fault is not None
    assert "must be local, auto, ray://HOST:10001 or HOST:6379" in fault


@pytest.mark.parametrize("address", ["http://head:8265", "https://head/", "http://[::1]:8265"])
def test_dashboards(address: str) -> None:
    assert DASHBOARD.fault(address) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://[::1", "Invalid IPv6 URL"),
        ("head:8265", "must begin with http://"),
        ("http://", "names no host"),
        ("http://head:99999", "Port out of range"),
        ("http://head:8265/jobs", "nothing may follow"),
        ("http://he ad:8265", "blanks"),
        ("http://me:secret@head:8265", "must hold no password"),
    ],
)
def test_no_dashboards(address: str, why: str) -> None:
    fault = DASHBOARD.fault(address)
    assert fault is not None
    assert why in fault
    assert "secret" not in fault


def test_hosts() -> None:
    for host in ("127.0.0.1", "::1", "0.0.0.0", "localhost", "my-machine.local", "fe80::1%eth0"):
        assert HOST.fault(host) is None
    for host in ("not a host", "http://x", "[::1]", "", "a" * 300, "x/y"):
        assert HOST.fault(host) is not None
