"""What is in the spool survives its process, and is delivered by one process only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ledger.spool import Spool

_ROOT = Path(__file__).parents[3]

# Puts three payloads, says so, and then waits to be killed.
_WRITER = """
import sys, time
from pathlib import Path
from search.ledger.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(3):
    spool.put({"number": number})
print("written", flush=True)
time.sleep(60)
"""


Opener = Callable[[], Spool]


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[Opener]:
    """Spools on one folder, as so many processes would have them."""
    opened: list[Spool] = []

    def make() -> Spool:
        opened.append(Spool(tmp_path / "spool"))
        return opened[-1]

    yield make
    for spool in opened:
        spool.close()


def start_writer(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@given(
    st.lists(
        st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False)),
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_payloads_come_back_as_they_were_in_the_order_of_putting(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    names = [spool.put(value) for value in values]
    assert spool.names() == names
    assert [spool.get(name) for name in names] == values
    spool.close()


def test_a_removed_payload_is_gone(tmp_path: Path, open_spool: Opener) -> None:
    spool = open_spool()
    name = spool.put({"a": 1})
    spool.remove(name)
    assert spool.names() == []
    with pytest.raises(KeyError, match=name):
        spool.get(name)


def test_nothing_is_made_on_disk_before_it_is_needed_nor_left_when_empty(
    tmp_path: Path, open_spool: Opener
) -> None:
    folder = tmp_path / "spool"
    spool = open_spool()
    assert spool.adopt() == []
    assert not folder.exists()
    spool.remove(spool.put({}))
    spool.close()
    assert not folder.exists()


def test_the_payloads_of_a_killed_process_are_adopted_once(
    tmp_path: Path, open_spool: Opener
) -> None:
    end(start_writer(tmp_path / "spool"))
    first, second = open_spool(), open_spool()
    taken = first.adopt()
    assert [first.get(name)["number"] for name in taken] == [0, 1, 2]
    assert second.adopt() == []
    first.close()
    assert len(second.adopt()) == 3, "released with payloads in it, so free for the next"


def test_the_payloads_of_a_living_process_are_left_alone(
    tmp_path: Path, open_spool: Opener
) -> None:
    writer = start_writer(tmp_path / "spool")
    try:
        assert open_spool().adopt() == []
    finally:
        end(writer)


def test_a_half_written_file_is_thrown_away_and_a_whole_one_kept(
    tmp_path: Path, open_spool: Opener
) -> None:
    spool = open_spool()
    spool.put({"kept": 1})
    (own,) = [path for path in (tmp_path / "spool").iterdir() if path.is_dir()]
    (own / "9-half.part").write_text('{"kept": 2, "lo')
    (own / "9-whole.part").write_text('{"kept": 3}')
    spool.close()
    heir = open_spool()
    assert [heir.get(name)["kept"] for name in heir.adopt()] == [1, 3]


def test_a_refused_payload_is_set_aside_for_good(tmp_path: Path, open_spool: Opener) -> None:
    spool = open_spool()
    name = spool.put({"a": 1})
    kept = spool.set_aside(name)
    assert kept.is_file()
    assert spool.names() == []
    old = tmp_path / "spool" / "1-dead"
    old.mkdir()
    (old / "lock").touch()
    (old / "7.refused").write_text("{}")  # as an older version left it
    spool.close()
    heir = open_spool()
    assert heir.adopt() == []
    assert [path.name for path in heir.refused()] == [f"{name}.refused", "7.refused"]
    assert kept in heir.refused()


@given(st.data())
def test_a_damaged_file_is_never_read(data: st.DataObject) -> None:
    """A bit flipped, or the end cut off, of a payload that a score hangs on."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Spool(Path(folder))) as spool:
        name = spool.put({"metrics": {"accuracy": 0.556498}, "key": "a" * 64})
        (file,) = Path(folder).glob(f"*/{name}.json")
        content = file.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        flip = 1 << data.draw(st.integers(0, 7))
        whole = data.draw(st.booleans())
        damaged = content[:at] + (bytes([content[at] ^ flip]) + content[at + 1 :] if whole else b"")
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checksum|Expecting|delimiter|Extra data"):
            spool.get(name)


def test_a_file_of_a_version_without_checksums_is_read(open_spool: Opener) -> None:
    spool = open_spool()
    name = spool.put({"a": 1})
    (file,) = spool.folder.glob(f"*/{name}.json")
    file.write_text('{"a": 2}')
    assert spool.get(name) == {"a": 2}
    file.write_text("[1]")
    with pytest.raises(ValueError, match="checksum"):
        spool.get(name)


def test_what_waits_is_the_users_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    spool = Spool(state / "spool" / "ledger")
    name = spool.put({"a": 1})
    for path in (state, state / "spool", spool.folder, *spool.folder.glob(f"*/{name}.json")):
        assert path.stat().st_mode & 0o077 == 0, path
    spool.close()


def test_a_full_or_closed_disk_is_an_oserror_and_leaves_nothing(
    tmp_path: Path, open_spool: Opener
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        Spool(blocked / "spool").put({"a": 1})
