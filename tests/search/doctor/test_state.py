"""The state's folder and the results that wait in it, looked at and left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from search.doctor import state
from search.doctor.finding import Finding
from search.ledger.spool import Spool

OURS = "0123456789abcdef"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / ".foldrace"
    folder.mkdir(mode=0o700)
    return folder


def look(place: Path) -> list[Finding]:
    return state.look(place, place / "spool" / OURS, {})


def of(findings: list[Finding], level: str) -> list[str]:
    return [f.found for f in findings if f.level == level]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def killed(spool: Spool) -> None:
    """Let the spool's process be gone, its files left."""
    assert spool._lock is not None
    spool._lock.close()


def test_nothing_is_nothing_to_worry_about(tmp_path: Path) -> None:
    findings = look(tmp_path / ".foldrace")
    assert {finding.level for finding in findings} == {"ok"}
    assert list(tmp_path.iterdir()) == []


def test_results_of_a_living_process_are_in_order(place: Path) -> None:
    spool = Spool(place / "spool" / OURS)
    spool.put({"kind": "cell"})
    findings = look(place)
    assert {finding.level for finding in findings} == {"ok"}
    assert any("which delivers them" in finding.found for finding in findings)
    spool.close()


def test_results_of_a_dead_process_are_noted_and_stay(place: Path) -> None:
    for name in (OURS, "another"):
        spool = Spool(place / "spool" / name)
        spool.put({"kind": "cell"})
        spool.put({"kind": "cell"})
        killed(spool)
    before = everything(place)
    ours, theirs = of(look(place), "note")
    assert ours.startswith("2 files for this ledger, of process ")
    assert theirs.startswith("2 files for another ledger or experiment (another), of process ")
    assert ours.endswith("which is gone")
    assert everything(place) == before
    heir = Spool(place / "spool" / OURS)
    assert len(heir.adopt()) == 2, "the look took no lock along"
    heir.close()


def test_a_damaged_result_is_a_fault_and_half_of_one_is_none(place: Path) -> None:
    spool = Spool(place / "spool" / OURS)
    spool.put({"kind": "cell", "value": 1})
    killed(spool)
    (file,) = (place / "spool" / OURS).glob("*/*.json")
    file.with_suffix(".part").write_bytes(file.read_bytes()[:-5])
    file.write_bytes(file.read_bytes().replace(b"1", b"2"))
    findings = look(place)
    (fault,) = of(findings, "fault")
    assert str(file) in fault
    assert of(findings, "note") == []


def test_a_refused_result_is_a_fault(place: Path) -> None:
    spool = Spool(place / "spool" / OURS)
    aside = spool.set_aside(spool.put({"kind": "cell"}))
    spool.close()
    (fault,) = of(look(place), "fault")
    assert fault == f"MLflow would not have 1 result for this ledger: {aside}"


def test_a_folder_that_others_may_read_is_a_fault(place: Path) -> None:
    place.chmod(0o755)
    (fault,) = [finding for finding in look(place) if finding.level == "fault"]
    assert "mode 0755" in fault.found
    assert fault.todo == f"chmod 700 {place}"


def test_a_state_that_cannot_be_made_is_a_fault() -> None:
    (fault,) = [f for f in look(Path("/proc/version/.foldrace")) if f.level == "fault"]
    assert "/proc/version is not a writable folder" in fault.found


@pytest.mark.parametrize(("mib", "level"), [(100, "fault"), (1000, "note"), (9000, "ok")])
def test_room_on_the_disk(
    mib: int, level: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=mib * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    places = {"results": place, "the cache": place / "not" / "yet"}
    (disk,) = [f for f in state.look(place, place, places) if f.thing == "disk"]
    assert disk.level == level
    assert disk.found.endswith("free for results, the cache")
