"""A server in a process of its own, which ends with us."""

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
    """Run a server until it or this process ends.

    Args:
        command: Starts it.
        environment: Environment of the process.
        host: That it listens on.
        port: That it listens on.
        ready: Called once it answers.

    Returns:
        Its exit code.

    Raises:
        InputError: if something else listens there, or nothing can.
        KeyboardInterrupt: after all its processes are gone, if this one is to end.
    """
    check_place(host, port)
    # A session of its own: what it starts is known by its group, however deep.
    # Its log is no answer of ours: stderr has it.
    server = subprocess.Popen(
        command, env=dict(environment), stdout=sys.stderr.fileno(), start_new_session=True
    )
    before = signal.signal(signal.SIGHUP, _hung_up)
    announced = False
    try:
        while server.poll() is None:
            if not announced and _answers(host, port):
                announced = True
                ready()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_LOOK_S if not announced else None)
        return server.returncode
    finally:
        _end(server)
        signal.signal(signal.SIGHUP, before)


def check_place(host: str, port: int) -> None:
    """Refuse a place that nothing can listen on, by listening there.

    Raises:
        InputError: naming the option that is at fault.
    """
    try:
        (family, *_, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host!r} is no host that is known here: {error}.") from error
    if _answers(host, port):
        raise InputError(f"Something listens on {host}:{port} already; choose another --port.")
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            why = error.strerror or error
            raise InputError(
                f"Nothing can listen on {host}:{port} ({why}); choose another --host or --port."
            ) from error


def _hung_up(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((_reached_at(host), port), timeout=1.0).close()
        return True
    return False


def _reached_at(host: str) -> str:
    """Address to reach a server at, given the one it listens on."""
    with contextlib.suppress(ValueError):  # a name
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, and make it end."""
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
