"""How many trials fit into a cluster, by the resources that Ray says it has."""

from __future__ import annotations

import pytest
import ray

from search.errors import SweepError
from search.execution import tuner
from search.spec.sweep_spec import Resources

CLUSTER = {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("cpus", "gpus", "workers", "slots"),
    [(1.0, 1.0, 1, 2), (1.0, 0.5, 1, 4), (4.0, 0.5, 1, 2), (0.5, 0.25, 1, 8), (1.0, 1.0, 2, 1)],
)
def test_cpus_and_shares_of_gpus_say_how_many_trials_fit(
    cpus: float, gpus: float, workers: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: CLUSTER)
    resources = Resources(cpus_per_trial=cpus, gpus_per_trial=gpus, workers_per_trial=workers)
    assert tuner._slots(resources, gpus) == slots


def test_a_trial_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: CLUSTER)
    with pytest.raises(SweepError, match="needs 1 CPUs and 3 GPUs, the cluster has 8 CPUs and 2"):
        tuner._slots(Resources(gpus_per_trial=3.0), 3.0)
