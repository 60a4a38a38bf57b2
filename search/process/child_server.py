"""A server as a child process, which ends whole with its parent."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from search.errors import InputError

_GRACE_S = 10.0
_LOOK_S = 0.25


def serve_until_ended(
    command: Sequence[str],
    environment: Mapping[str, str],
    host: str,
    port: int,
    ready: Callable[[], None],
) -> int:
    """Run a server until it or this process is to end.

    Args:
        command: Command line of the server.
        environment: Environment of the server.
        host: Host that it listens on.
        port: Port that it listens on.
        ready: Function called once it answers.

    Returns:
        Its exit code.

    Raises:
        InputError: if something else listens there.
        KeyboardInterrupt: after all its processes are gone, if this one was interrupted, terminated
            or hung up.
    """
    if _answers(host, port):
        raise InputError(f"Something listens on {host}:{port} already; choose another --port.")
    # In a session of its own: its group has all that it starts, however deep.
    # Its log goes to stderr: stdout is for answers.
    server = subprocess.Popen(
        command, env=dict(environment), stdout=sys.stderr.fileno(), start_new_session=True
    )
    before = signal.signal(signal.SIGHUP, _hung_up)
    answered = False
    try:
        while server.poll() is None:
            if not answered and _answers(host, port):
                answered = True
                ready()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_LOOK_S if not answered else None)
        return server.returncode
    finally:
        _end(server)
        signal.signal(signal.SIGHUP, before)


def _hung_up(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((_reached_at(host), port), timeout=1.0).close()
        return True
    return False


def _reached_at(host: str) -> str:
    """Address at which a server can be reached.

    One that listens on all addresses answers on the loopback, too.
    """
    with contextlib.suppress(ValueError):  # a name
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_GRACE_S)
            if not _alive(server.pid):
                return


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
