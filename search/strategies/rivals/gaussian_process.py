"""A Gaussian process in batches: Optuna's GPSampler on each config's complete mean.

Log expected improvement over a Matern kernel, its maximum found by Optuna; configs under way are
told as running trials, which the sampler takes for observed at its own best guess.
"""

from __future__ import annotations

import warnings

import optuna

from search.strategies.tpe import Tpe

# Optuna's default of 10 configs at random is more than small budgets hold.
_AT_RANDOM = 4


class GaussianProcess(Tpe):
    """Optuna's GPSampler proposes configs; each is trained on all its blocks.

    Args:
        problem: Problem to solve.
        seed: Seed of the sampler; the first guesses come first.
    """

    def sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """Optuna's sampler with the seed of one proposal."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.GPSampler(
                seed=seed, n_startup_trials=_AT_RANDOM, warn_independent_sampling=False
            )
