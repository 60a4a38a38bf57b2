"""Two 'machines' that are addresses of this one's loopback, each with a home of its own, by ssh."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.integration.cluster.ray_nodes import free_ports

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("openssh-server", "openssh-client", "rsync")
ADDRESSES = ("127.0.0.2", "127.0.0.3")

# In place of `ray`: other people's Ray runs on this machine, too, and `ray stop` would end theirs.
_RAY = """\
#!{python}
import os, signal, sys
import psutil
home = os.environ["HOME"]
words = sys.argv[1:]
if words[:1] == ["stop"]:
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("FOLDRACE_MACHINE") == home and "ray" in " ".join(
                process.cmdline()
            )
            if mine and process.pid not in (os.getpid(), os.getppid()):
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            pass
    sys.exit(0)
if words[:1] == ["start"]:
    words += {options!r}
os.execv({python!r}, [{python!r}, "-m", "ray.scripts.scripts", *words])
"""


def _sshd() -> str | None:
    """The program, where it and rsync are there."""
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    return found if shutil.which("rsync") is not None else None


def _installed() -> str:
    """The same after Debian's packages were installed; OSError where they cannot be."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise OSError("openssh-server or rsync is not installed, and only root could, with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", "--quiet", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    found = _sshd()
    if found is None:
        raise OSError(f"apt-get install {' '.join(_PACKAGES)}: {done.stderr.strip()[-500:]}")
    return found


# Where a key's path begins with "~", ssh asks the list of users whose home that is.
_SSH = """\
#!/bin/bash
words=() last=
for word in "$@"; do
  [ "$last" = -i ] && word="${{word/#\\~\\//$HOME/}}"
  words+=("$word") last="$word"
done
exec {ssh} "${{words[@]}}"
"""


class Machines:
    """An sshd on the loopback, and for each address the home that a login there finds."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fr", dir="/tmp"))
        self.key = self.folder / "key"
        self._sshd: subprocess.Popen[bytes] | None = None
        self.dashboard, self.port = free_ports(2)
        for address in (*ADDRESSES, "client"):
            self._make_home(address)

    def home(self, machine: str) -> Path:
        return self.folder / machine

    def _make_home(self, machine: str) -> None:
        home = self.home(machine)
        (home / "bin").mkdir(parents=True)
        (home / ".ray").mkdir()
        (home / "venv").symlink_to(Path(sys.executable).parents[1])
        names = ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export")
        options = [f"--{n}-port={p}" for n, p in zip(names, free_ports(3), strict=True)]
        options += [f"--temp-dir={home}/r", "--object-store-memory=100000000"]
        if machine == ADDRESSES[0]:
            options += [f"--dashboard-port={self.dashboard}"]
            options += [f"--ray-client-server-port={free_ports(1)[0]}"]
        else:
            options += ["--num-cpus=1"]
        programs = {
            "ray": _RAY.format(python=sys.executable, options=options),
            "ssh": _SSH.format(ssh=shutil.which("ssh") or "/usr/bin/ssh"),
        }
        for name, text in programs.items():
            program = home / "bin" / name
            program.write_text(text)
            program.chmod(0o755)
        path = f"{home}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        (home / ".bash_profile").write_text(
            f"export PATH={path} PYTHONPATH={home}/foldrace FOLDRACE_MACHINE={home} "
            "RAY_AUTH_MODE=token HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1\n"
        )

    def start(self) -> None:
        """Raise OSError where no sshd can run."""
        sshd = _sshd() or _installed()
        for name in ("key", "host"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(make, check=True)
        login = self.folder / "login"
        login.write_text(
            "#!/bin/bash\nset -- $SSH_CONNECTION\n"
            f'export HOME={self.folder}/$3; cd "$HOME"; exec bash -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        login.chmod(0o755)
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            "".join(f"ListenAddress {address}\n" for address in ADDRESSES)
            + f"Port 22\nHostKey {self.folder}/host\nAuthorizedKeysFile {self.key}.pub\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
            "PermitRootLogin prohibit-password\nStrictModes no\nPidFile none\nMaxStartups 100\n"
            f"ForceCommand {login}\n"
        )
        with (self.folder / "sshd.log").open("wb") as log:
            self._sshd = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self._sshd.poll() is not None:
                raise OSError((self.folder / "sshd.log").read_text().strip())
            with contextlib.suppress(OSError), socket.create_connection((ADDRESSES[1], 22), 1):
                return
        raise OSError("sshd does not answer")

    def ray(self, *words: str, timeout: float = 240) -> str:
        """The client's `ray`; what it wrote."""
        environment: Mapping[str, str] = {
            **os.environ,
            "HOME": str(self.home("client")),
            "RAY_AUTH_MODE": "token",
            "PATH": f"{self.home('client')}/bin:{os.environ['PATH']}",
            "FOLDRACE_MACHINE": str(self.home("client")),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        command: Sequence[str] = [str(self.home("client") / "bin" / "ray"), *words]
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done.stdout + done.stderr

    def autoscaler_log(self) -> str:
        """What the head's autoscaler said at last."""
        logs = sorted(self.home(ADDRESSES[0]).glob("r/session_latest/logs/monitor.*"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-4000:]}" for log in logs)

    def processes(self, machine: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("FOLDRACE_MACHINE") == str(self.home(machine)):
                    found.append(process)
        return found

    def end(self) -> None:
        for machine in ADDRESSES:
            for process in self.processes(machine):
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
        if self._sshd is not None:
            self._sshd.kill()
            self._sshd.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
