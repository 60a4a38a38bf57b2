"""What launchers leave in a shell is out of the way, and put back where it was borrowed."""

from __future__ import annotations

import os

import pytest

from search.process import launchers

LEFT = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "PMI_SIZE", "OMPI_COMM_WORLD_RANK")
MORE = ("MV2_COMM_WORLD_SIZE", "SLURM_PROCID", "ACCELERATE_USE_FSDP", "FSDP_VERSION")
OBEYED = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_TMPDIR")


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LEFT, *MORE, *OBEYED):
        monkeypatch.setenv(name, "1")


def there(*names: str) -> set[str]:
    return set(names) & set(os.environ)


def test_they_are_gone_and_others_stay() -> None:
    launchers.forget()
    assert there(*LEFT, *MORE) == set()
    assert there(*OBEYED) == set(OBEYED)


def test_a_worker_of_a_group_keeps_what_makes_the_group() -> None:
    launchers.forget(group=True)
    assert there(*LEFT, *MORE) == {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"}


def test_a_callers_environment_is_as_it_was() -> None:
    before = dict(os.environ)
    with launchers.forgotten():
        assert there(*LEFT, *MORE) == set()
    assert dict(os.environ) == before
