"""Who calls `foldrace schedule FILE --once`: a cron line, systemd units, a Kubernetes CronJob.

The tick comes every five minutes, whatever the sweeps' own times: it knows their time zones, and
catches up once on what was missed. KubeRay's RayCronJob is not built upon: it is alpha, off by
default, and has no rule for overlapping runs.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path


def emit(caller: str, *, file: Path, folder: Path, program: str, image: str) -> str:
    """The text to install.

    Args:
        caller: cron, systemd or kubernetes.
        file: The schedule, absolute.
        folder: Where the tick keeps what is not yet in the ledger, absolute.
        program: How to start foldrace.
        image: Of the container, for Kubernetes.
    """
    if caller == "cron":
        return _cron(file, folder, program)
    if caller == "systemd":
        return _systemd(file, folder, program)
    return _kubernetes(file, image)


def _cron(file: Path, folder: Path, program: str) -> str:
    place, what = shlex.quote(str(folder)), shlex.quote(str(file))
    line = f"cd {place} && {program} schedule {what} --once >> schedule.log 2>&1"
    # In a crontab a % ends the command.
    return f"*/5 * * * * {line}".replace("%", r"\%") + "\n"


def _systemd(file: Path, folder: Path, program: str) -> str:
    def quoted(path: Path) -> str:
        return json.dumps(str(path).replace("%", "%%"))

    return f"""\
# ~/.config/systemd/user/foldrace-schedule.service
[Unit]
Description=foldrace: start the sweeps that are due

[Service]
Type=oneshot
WorkingDirectory={str(folder).replace("%", "%%")}
# Passwords (MLFLOW_TRACKING_PASSWORD, RAY_AUTH_TOKEN) stand there, readable by you alone.
EnvironmentFile=-%h/.config/foldrace.env
ExecStart={program} schedule {quoted(file)} --once
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


def _kubernetes(file: Path, image: str) -> str:
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
              command: [foldrace, schedule, /schedule/schedule.toml, --once]
              envFrom:
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
