"""Variables of torchrun, MPI, SLURM and `accelerate launch`, kept from our processes.

Accelerate reads these variables wherever a cell is trained, and would wait for ever for processes
of a group that nobody starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Set by Ray Train, too, for the workers of a group.
_OF_A_GROUP = {
    "WORLD_SIZE",
    "RANK",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "NODE_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
}
_LEFT = {
    "GROUP_RANK",
    "GROUP_WORLD_SIZE",
    "ROLE_NAME",
    "ROLE_RANK",
    "ROLE_WORLD_SIZE",
    "MPI_LOCALRANKID",
    "MPI_LOCALNRANKS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_NTASKS",
    "SLURM_NPROCS",
}
_FAMILIES = (
    *("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "TORCHELASTIC_"),
    *("PMI_", "PMIX_", "OMPI_", "MV2_", "HYDRA_", "SLURM_STEP_"),
)


def _foreign(group: bool) -> list[str]:
    return [
        name
        for name in os.environ
        if name in _LEFT or name.startswith(_FAMILIES) or (name in _OF_A_GROUP and not group)
    ]


def forget(*, group: bool = False) -> None:
    """Take such variables out of this process's environment.

    Args:
        group: Leave those by which Ray Train tells a worker of its group.
    """
    for name in _foreign(group):
        del os.environ[name]


@contextmanager
def forgotten() -> Iterator[None]:
    """Context without launchers' variables; they return at its end."""
    hidden = {name: os.environ[name] for name in _foreign(group=False)}
    forget()
    try:
        yield
    finally:
        os.environ.update(hidden)
