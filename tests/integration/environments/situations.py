"""The table: surroundings that people have, and what the standard run is to come to in each.

README.md beside it says it in words, with what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.integration.environments.folders_people_have import (
    STRANGER,
    Make,
    closed_folder,
    files_of_common_names,
    files_that_cannot_be_read,
    files_with_our_names,
    folder,
    library_between,
    other_checkout,
    packages_with_our_names,
)

_NOT_ALL_POWERFUL = "setpriv --bounding-set=-dac_override,-dac_read_search"

# As `ulimit -u`, which does not hold for root.
_AT_MOST = (
    "g=/sys/fs/cgroup/pids/foldrace-$$; mkdir $g; echo {} > $g/pids.max; "
    "echo $$ > $g/cgroup.procs; exec"
)


@dataclass(frozen=True)
class Situation:
    """One row. FOLDER in a text stands for the folder that the run is started in.

    Attributes:
        name: What a person would call it.
        more: Variables to set, or with None to unset.
        around: A shell's words before the command: `cd x &&`, `exec taskset -c 0`.
        make: Makes what it needs first.
        words: More words of the command, or with `command` all of them.
        command: What stands for `foldrace run ...`, if it is not that.
        ledger: Folder of mlflow.db below FOLDER.
        code: Exit code that is to come; with 0 all cells equal the undisturbed run's.
        says: A regular expression that stderr must match.
        mounts: Whether it needs a namespace or a mount of its own, and so root.
    """

    name: str
    more: Mapping[str, str | None] = field(default_factory=dict)
    around: str = ""
    make: Make = lambda folder: None
    words: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ledger: str = "."
    code: int = 0
    says: str = ""
    mounts: bool = False


LEFT_BY_LAUNCHERS = {
    "WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "7",
    "PMI_SIZE": "4",
    "PMI_RANK": "1",
    "MV2_COMM_WORLD_SIZE": "4",
    "MV2_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "1",
    "SLURM_PROCID": "2",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "99",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_DYNAMO_BACKEND": "INDUCTOR",
    "FSDP_VERSION": "2",
}

# One run in all of these at once: what it comes to, each of them comes to.
AT_ONCE = Situation(
    "another checkout in the working directory and on PYTHONPATH, files of common names, variables "
    "of torchrun, MPI, SLURM and accelerate, PYTHONWARNINGS=error, one CPU, no stdin, HOME closed",
    more={
        **LEFT_BY_LAUNCHERS,
        "PYTHONWARNINGS": "error",
        "PYTHONPATH": "FOLDER",
        "HOME": "FOLDER/home",
        "FOLDRACE_CACHE": None,
    },
    around=f"exec <&-; exec {_NOT_ALL_POWERFUL} taskset -c 0",
    make=lambda place: (
        other_checkout(place),
        # No sitecustomize: PYTHONPATH has Python itself run it, whoever starts.
        [(place / f"{name}.py").write_text(STRANGER) for name in ("ray_", "evaluate", "config")],
        closed_folder("home")(place),
    )[0],
    says=r"(?s)cache folder .*home.* cannot be written.*training, 1 stack at a time",
)

QUICK_REFUSALS = (
    Situation(
        "working directory not writable",
        make=closed_folder("closed"),
        around=f"cd closed; exec {_NOT_ALL_POWERFUL}",
        code=2,
        says=r"closed/.foldrace, and that cannot be written: Permission denied\. Start it in",
    ),
    Situation(
        "no folder for Ray's sockets",
        more={"RAY_TMPDIR": "FOLDER/" + "long" * 20},
        code=2,
        says=r"its name has \d+ bytes, \d+ leave room.* environment variable RAY_TMPDIR",
    ),
    Situation(
        "the cache that was named cannot be written",
        make=closed_folder("closed"),
        around=f"exec {_NOT_ALL_POWERFUL}",
        more={"FOLDRACE_CACHE": "FOLDER/closed"},
        code=2,
        says="cache folder .* cannot be written.* environment variable FOLDRACE_CACHE",
    ),
    Situation(
        "'?' in the ledger's path",
        words=("--tracking-uri", "sqlite:///FOLDER/what?x.db"),
        code=2,
        says=r"the path of a sqlite file may hold no '\?'",
    ),
    Situation(
        "'%20' in the ledger's path",
        words=("--tracking-uri", "sqlite:///FOLDER/what%20x.db"),
        code=2,
        says="MLflow reads '%20' in the path",
    ),
    Situation(
        "MLFLOW_TRACKING_URI=databricks",
        more={"MLFLOW_TRACKING_URI": "databricks"},
        code=2,
        says="'databricks' has no scheme that foldrace knows",
    ),
)

LONG = (
    Situation("undisturbed"),
    Situation("working directory is another checkout of foldrace", make=other_checkout),
    Situation(
        "working directory has search.py, spaces.py, trainables.py", make=files_with_our_names
    ),
    Situation(
        "a project with files of common names, conftest.py, sitecustomize.py, logging.conf, .env",
        make=files_of_common_names,
    ),
    Situation(
        "PYTHONPATH with other packages search, spaces, trainables",
        more={"PYTHONPATH": "FOLDER/elsewhere"},
        make=packages_with_our_names,
    ),
    Situation("variables of torchrun, MPI, SLURM, accelerate", more=LEFT_BY_LAUNCHERS),
    Situation("WORLD_SIZE and RANK alone", more={"WORLD_SIZE": "4", "RANK": "0"}),
    Situation("OMP_NUM_THREADS=64", more={"OMP_NUM_THREADS": "64", "MKL_NUM_THREADS": "64"}),
    Situation("RAY_ADDRESS of a dead cluster", more={"RAY_ADDRESS": "127.0.0.1:6399"}),
    Situation(
        "proxies that are dead",
        more=dict.fromkeys(
            ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "grpc_proxy"),
            "http://127.0.0.1:9",
        ),
    ),
    Situation("PYTHONWARNINGS=error", more={"PYTHONWARNINGS": "error"}),
    Situation("PYTHONOPTIMIZE=1", more={"PYTHONOPTIMIZE": "1"}),
    Situation(
        "python -I, as a module",
        command=("PYTHON", "-I", "-m", "search.cli", "RUN"),
    ),
    Situation(
        "TMPDIR of 106 characters",
        more={"TMPDIR": "FOLDER/" + "long" * 20},
        make=folder("long" * 20),
    ),
    Situation(
        "TMPDIR with a blank and an umlaut", more={"TMPDIR": "FOLDER/ä b"}, make=folder("ä b")
    ),
    Situation(
        "TMPDIR not writable",
        more={"TMPDIR": "FOLDER/closed"},
        make=closed_folder("closed"),
        around=f"exec {_NOT_ALL_POWERFUL}",
    ),
    Situation(
        "TMPDIR on a disk of 12 MB",
        more={"TMPDIR": "FOLDER/t"},
        make=folder("t"),
        around="exec unshare -m sh -c 'mount -t tmpfs -o size=12m tmpfs t; exec \"$@\"' x",
        mounts=True,
    ),
    Situation(
        "HOME not writable",
        more={"HOME": "FOLDER/home", "FOLDRACE_CACHE": None},
        make=closed_folder("home"),
        around=f"exec {_NOT_ALL_POWERFUL}",
        says="cache folder .*home.* cannot be written",
    ),
    Situation("HOME not set", more={"HOME": None, "FOLDRACE_CACHE": None, "XDG_CACHE_HOME": None}),
    Situation(
        "HOME with blanks and umlauts",
        more={"HOME": "FOLDER/mein häuschen", "FOLDRACE_CACHE": None},
        make=folder("mein häuschen"),
    ),
    Situation(
        "working directory with a blank, #, % and an umlaut",
        make=folder("a #1 50% ü"),
        around="cd 'a #1 50% ü'; exec",
        ledger="a #1 50% ü",
    ),
    Situation(
        "ledger on a path with a blank, #, % and an accent",
        make=folder("my db #1 50% é"),
        words=("--tracking-uri", "sqlite:///FOLDER/my db #1 50% é/mlflow.db"),
        ledger="my db #1 50% é",
    ),
    Situation(
        "no network, a hostname that does not resolve",
        around="exec unshare -n -u sh -c 'ip link set lo up; hostname nobody; exec \"$@\"' x",
        mounts=True,
    ),
    Situation(
        "not even a loopback interface",
        around="exec unshare -n",
        mounts=True,
        code=2,
        says="127.0.0.1, and that does not answer",
    ),
    Situation(
        "IPv6 alone",
        around="exec unshare -n sh -c 'ip link set lo up; ip addr del 127.0.0.1/8 dev lo; exec "
        '"$@"\' x',
        mounts=True,
        code=2,
        says="127.0.0.1, and that does not answer",
    ),
    Situation(
        "cron: no variables but PATH, umask 077, stdin closed",
        around="umask 077; exec <&-; exec env -i PATH=/usr/bin:/bin HF_HUB_OFFLINE=1",
    ),
    Situation("stdout and stderr closed", around="exec >&- 2>&-; exec"),
    Situation("ulimit -n 256", around="ulimit -n 256; exec"),
    Situation(
        "LANG=C, PYTHONUTF8=0, TZ=Asia/Kathmandu",
        more={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Kathmandu"},
    ),
    Situation(
        "LC_ALL of Turkey, TERM=dumb, COLUMNS=1", more={"LC_ALL": "tr_TR.UTF-8", "COLUMNS": "1"}
    ),
    Situation(
        "variables of MLflow and of the hub that lead nowhere",
        more={
            "MLFLOW_EXPERIMENT_NAME": "other",
            "MLFLOW_RUN_ID": "f" * 32,
            "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
            "MLFLOW_TRACKING_URI": "databricks",
            "HF_HOME": "/proc/nowhere",
            "TRANSFORMERS_CACHE": "/nowhere",
            "CUDA_VISIBLE_DEVICES": "0",
        },
        words=("--tracking-uri", "sqlite:///mlflow.db"),
    ),
    Situation("taskset -c 0", around="exec taskset -c 0", says="training, 1 stack at a time"),
    Situation(
        "a container with 64 MB of /dev/shm",
        around="exec unshare -m sh -c 'mount -t tmpfs -o size=64m tmpfs /dev/shm; exec \"$@\"' x",
        mounts=True,
    ),
    Situation(
        "site-packages mounted for reading alone",
        around="exec unshare -m sh -c 'mount --bind SITE SITE; mount -o remount,ro,bind SITE; exec "
        '"$@"\' x',
        mounts=True,
    ),
    Situation(
        "files in the working directory that cannot be read",
        make=files_that_cannot_be_read,
        around=f"exec {_NOT_ALL_POWERFUL}",
    ),
    Situation(
        "conda's variables, and its PATH first",
        more={
            "CONDA_PREFIX": "FOLDER/conda",
            "CONDA_DEFAULT_ENV": "base",
            "CONDA_SHLVL": "1",
            "PYTHONNOUSERSITE": "1",
            "PATH": "FOLDER/conda/bin:/usr/bin:/bin",
        },
        make=folder("conda/bin"),
        around="printf '#!/bin/sh\\nexit 9' > conda/bin/python; chmod 755 conda/bin/*; exec",
    ),
    Situation(
        "/tmp/ray of another user",
        more={"TMPDIR": None},
        around="exec unshare -m sh -c 'mount -t tmpfs -o mode=755,uid=65534 tmpfs /tmp/ray; exec "
        f'{_NOT_ALL_POWERFUL} "$@"\' x',
        mounts=True,
    ),
    Situation(
        "a container that allows 400 processes and threads",
        around=_AT_MOST.format(400),
        mounts=True,
    ),
    Situation(
        "a container that allows 150 processes and threads",
        around=_AT_MOST.format(150),
        mounts=True,
        code=2,
        says=r"Processes and threads are limited to 150 here",
    ),
    Situation(
        "a home on a slow disk",
        make=library_between,
        more={
            "LD_PRELOAD": "FOLDER/between.so",
            "SLOW": "FOLDER/home",
            "HOME": "FOLDER/home",
            "FOLDRACE_CACHE": None,
        },
    ),
    Situation(
        "stdin, stdout and stderr without descriptors, as in a notebook",
        command=("PYTHON", "-c", "NOTEBOOK"),
    ),
)
