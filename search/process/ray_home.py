"""Home of a local Ray: its sockets, and their removal.

Nothing here imports Ray.
"""

from __future__ import annotations

import logging
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from search.errors import InputError, SweepError

_log = logging.getLogger("foldrace")

# An address of a socket may have 107 bytes. Ray's are FOLDER/session_DATE_TIME_MICROSECONDS_PID/
# sockets/plasma_store.1, with up to 7 digits of the PID.
_LONGEST = 107 - len("/session_2026-11-27_11-36-19_523456_1234567/sockets/plasma_store.1")
_MARK = "FOLDRACE_RAY_OF"
_WATCH = Path(__file__).with_name("_ray_watch.py")
_LEAST_PROCESSES = 250
_PATIENCE_S = 3.0


def temp_dir(make: bool = True) -> str:
    """A folder that Ray can keep its session in.

    Args:
        make: Make it and write into it, to be sure; else it is only looked at.

    Raises:
        InputError: if there is none; names the variable to set.
    """
    own = os.environ.get("RAY_TMPDIR")
    usual = Path(own or os.environ.get("TMPDIR") or "/tmp", "ray")
    fault = fault_of(usual, make)
    if fault is None:
        return str(usual)
    if own is None:
        # Short, ASCII, and nobody else's: another user may have made /tmp/ray.
        for base in ("/tmp", "/var/tmp", "/dev/shm"):
            instead = Path(base, f"ray-{os.getuid()}")
            if fault_of(instead, make) is None:
                return str(instead)
    raise InputError(
        f"Ray cannot keep its sockets in {usual}: {fault}. Name a folder that can be written, with "
        f"ASCII letters alone and at most {_LONGEST - len('/ray')} of them, in the environment "
        "variable RAY_TMPDIR."
    )


def ensure_token() -> None:
    """Let Ray on this machine answer only those who know a token.

    Ray listens on all interfaces. The token is a file in the home folder that only its owner reads,
    or a variable where there is no such folder.
    """
    # Without the variable a local Ray asks for a token, and settles that in this process, too; set
    # after Ray was imported, the variable would reach its children alone.
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        _log.warning("RAY_AUTH_MODE is not heeded: Ray on this machine asks for a token.")
        del os.environ["RAY_AUTH_MODE"]
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    try:
        file = Path.home() / ".ray" / "auth_token"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as written:
                written.write(secrets.token_hex(32))
        file.chmod(0o600)  # Ray's own is as the umask would have it
    except (OSError, RuntimeError):  # not to be written, or no home at all
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def check_token() -> None:
    """Make sure that the Ray that was started asks for the token.

    Raises:
        SweepError: if it does not.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise SweepError(
            "Ray started without asking for a token, so everyone on the network could run code "
            "here: set RAY_AUTH_MODE=token and start again."
        )


def check_processes() -> None:
    """Refuse a machine that allows too few processes.

    A library that gets no thread ends its process.

    Raises:
        InputError: naming the limit.
    """
    for folder in _control_groups():
        try:
            most = (folder / "pids.max").read_text(encoding="ascii").strip()
            now = int((folder / "pids.current").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if most != "max" and int(most) - now < _LEAST_PROCESSES:
            raise InputError(
                f"Processes and threads are limited to {most} here ({folder}/pids.max), {now} are "
                f"in use, and Ray needs about {_LEAST_PROCESSES} more: raise the container's limit "
                "(docker run --pids-limit)."
            )
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.getuid() != 0 and 0 <= limit < _LEAST_PROCESSES:
        raise InputError(
            f"A user's processes and threads are limited to {limit} here, and Ray needs about "
            f"{_LEAST_PROCESSES}: raise the limit (ulimit -u)."
        )


def _control_groups() -> list[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    parts = [line.split(":", 2) for line in lines]
    root = Path("/sys/fs/cgroup")
    return [root / kinds / path.lstrip("/") for _, kinds, path in parts if kinds in ("", "pids")]


def check_loopback() -> None:
    """Refuse a machine without a loopback: Ray would wait for ever.

    Raises:
        InputError: if nothing can be sent to 127.0.0.1.
    """
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise InputError(
            f"Ray's processes speak to one another over 127.0.0.1, and that does not answer: "
            f"{error}. Bring the loopback interface up (ip link set lo up)."
        ) from error


def fault_of(folder: Path, make: bool = True) -> str | None:
    """Reason why Ray cannot use a folder; None if it can.

    Args:
        folder: The folder.
        make: Make it and write into it, to be sure; else it is only looked at.
    """
    name = os.fsencode(folder)
    if len(name) > _LONGEST:
        return f"its name has {len(name)} bytes, {_LONGEST} leave room for a socket's"
    if not name.isascii():
        return "its name is not ASCII"
    if not make:
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            return None
        return f"it cannot be written ({there} is not a writable folder)"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="foldrace-"):
            return None
    except OSError as error:
        return f"it cannot be written ({error.strerror})"


def left_behind() -> list[psutil.Process]:
    """Ray's processes whose foldrace is gone."""
    left = []
    for process in psutil.process_iter():
        # Not all may be looked at, and one may end between the look and the question.
        with suppress(psutil.Error, OSError):
            driver = process.environ().get(_MARK, "").partition("-")[0]
            if driver.isdecimal() and not _begun_before(int(driver), process):
                left.append(process)
    return left


def _begun_before(pid: int, process: psutil.Process) -> bool:
    """Return True where an older process of this id lives."""
    try:
        older = psutil.Process(pid)
        return bool(
            older.create_time() <= process.create_time() and older.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


@contextmanager
def attended() -> Iterator[Attendance]:
    """Context that ends processes begun in `Attendance.starting`.

    They are gone ten seconds after this process, whichever way it ends.
    """
    attendance = Attendance()
    try:
        yield attendance
    finally:
        attendance.end_all()
        attendance.close()


class Attendance:
    """Ray's processes and theirs, known by a variable that they inherit."""

    def __init__(self) -> None:
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._watch: subprocess.Popen[bytes] | None = None
        if Path("/proc/self/environ").exists():
            self._watch = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WATCH), f"{_MARK}={self._mark}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Mark processes that start now, and shield them from hang-ups.

        A terminal that closes hangs up on all that was started in it: Ray would be gone before the
        driver can end the sweep in order.
        """
        os.environ[_MARK] = self._mark
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.environ.pop(_MARK, None)

    def end_all(self) -> None:
        """End what still runs; Ray's own agents may take minutes."""
        left = self._bearing()
        deadline = time.monotonic() + _PATIENCE_S
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = [process for process in left if process.is_running()]
        for process in self._bearing():
            with suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """Let the watching process end, too."""
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.stdin.close()
            self._watch.wait()

    def _bearing(self) -> list[psutil.Process]:
        ids = []
        for process in psutil.process_iter():
            # Not all may be looked at, and one may end between the look and the question.
            with suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark:
                    ids.append(process)
        return ids
