"""Callers of `foldrace schedule FILE --once`: cron, systemd, Kubernetes.

The tick comes every five minutes, whatever the sweeps' own times: it knows their time zones, and
catches up once on what was missed. KubeRay's RayCronJob is not built upon: it is alpha, off by
default, and has no rule for overlapping runs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from search.errors import InputError
from search.redaction import holds_secret, redact

CALLERS = ("cron", "systemd", "kubernetes")

_CARRIED = ("MLFLOW_TRACKING_URI", "FOLDRACE_DATA", "FOLDRACE_CACHE")


def carried(environment: Mapping[str, str], tracking_uri: str | None) -> dict[str, str]:
    """Variables that a caller must set for a tick to work.

    Args:
        environment: Variables of this shell.
        tracking_uri: URI of the ledger, where that does not come from the environment.

    Raises:
        InputError: if a password would be written into what is emitted.
    """
    variables = {name: environment[name] for name in _CARRIED if environment.get(name)}
    uri = tracking_uri or variables.get("MLFLOW_TRACKING_URI", "")
    if holds_secret(uri):
        raise InputError(
            f"The tracking URI {redact(uri)} holds a password, and what is emitted is for all to "
            "read: leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
            "where the tick is called."
        )
    if tracking_uri is not None:
        variables.pop("MLFLOW_TRACKING_URI", None)
    return {
        name: value if name == "MLFLOW_TRACKING_URI" else str(Path(value).absolute())
        for name, value in variables.items()
    }


def emit(
    caller: str,
    *,
    file: Path,
    folder: Path,
    program: str,
    image: str,
    tracking_uri: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """The text to install.

    Args:
        caller: cron, systemd or kubernetes.
        file: The schedule, absolute.
        folder: Absolute folder in which the tick keeps undelivered results.
        program: Words that start foldrace.
        image: Container image, for Kubernetes.
        tracking_uri: As typed with --tracking-uri; None without.
        environment: Variables to set, see `carried`.
    """
    flags = ["--once"] + ([] if tracking_uri is None else ["--tracking-uri", tracking_uri])
    if caller == "cron":
        return _cron(file, folder, program, flags, environment or {})
    if caller == "systemd":
        return _systemd(file, folder, program, flags, environment or {})
    return _kubernetes(file, image, flags, environment or {})


def _cron(
    file: Path, folder: Path, program: str, flags: list[str], environment: Mapping[str, str]
) -> str:
    place, what = shlex.quote(str(folder)), shlex.quote(str(file))
    settings = "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
    command = f"{settings}{program} schedule {what} {shlex.join(flags)}"
    line = f"cd {place} && {command} >> schedule.log 2>&1"
    # In a crontab a % ends the command.
    return f"*/5 * * * * {line}".replace("%", r"\%") + "\n"


def _systemd(
    file: Path, folder: Path, program: str, flags: list[str], environment: Mapping[str, str]
) -> str:
    def quoted(text: Path | str) -> str:
        return json.dumps(str(text).replace("%", "%%"))

    settings = "".join(
        f"Environment={quoted(f'{name}={value}')}\n" for name, value in environment.items()
    )
    options = " ".join(flag if flag.startswith("--") else quoted(flag) for flag in flags)
    return f"""\
# ~/.config/systemd/user/foldrace-schedule.service
[Unit]
Description=foldrace: start the sweeps that are due

[Service]
Type=oneshot
WorkingDirectory={str(folder).replace("%", "%%")}
{settings}# Passwords (MLFLOW_TRACKING_PASSWORD, RAY_AUTH_TOKEN) stand there, readable by you alone.
EnvironmentFile=-%h/.config/foldrace.env
ExecStart={program} schedule {quoted(file)} {options}
KillSignal=SIGTERM
TimeoutStopSec=120

# ~/.config/systemd/user/foldrace-schedule.timer
[Unit]
Description=foldrace: look every five minutes

[Timer]
OnCalendar=*:0/5
Persistent=true

[Install]
WantedBy=timers.target
"""


def _kubernetes(file: Path, image: str, flags: list[str], environment: Mapping[str, str]) -> str:
    words = ["foldrace", "schedule", "/schedule/schedule.toml", *flags]
    command = ", ".join(word if word.isalpha() else json.dumps(word) for word in words)
    settings = "".join(
        f"                - {{name: {name}, value: {json.dumps(value)}}}\n"
        for name, value in environment.items()
    )
    if settings:
        settings = f"              env:\n{settings}"
    text = "\n".join(f"    {line}" for line in file.read_text(encoding="utf-8").splitlines())
    return f"""\
# kubectl apply -f this. Make the secret once:
#   kubectl create secret generic foldrace --from-literal=MLFLOW_TRACKING_PASSWORD=...
apiVersion: v1
kind: ConfigMap
metadata:
  name: foldrace-schedule
data:
  schedule.toml: |
{text}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: foldrace-schedule
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 10Gi}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: foldrace-schedule
spec:
  schedule: "*/5 * * * *"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 300
  successfulJobsHistoryLimit: 1
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          securityContext: {{runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000}}
          containers:
            - name: tick
              image: {json.dumps(image)}
              workingDir: /state
              command: [{command}]
{settings}              envFrom:
                - secretRef: {{name: foldrace, optional: true}}
              volumeMounts:
                - {{name: state, mountPath: /state}}
                - {{name: schedule, mountPath: /schedule, readOnly: true}}
          volumes:
            - name: state
              persistentVolumeClaim: {{claimName: foldrace-schedule}}
            - name: schedule
              configMap: {{name: foldrace-schedule}}
"""
