"""A space of four axes with everything that a declaration may hold."""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Scalar, Space


def make_axis(name: str, *values: Scalar, symbol: str | None = None) -> Axis:
    return Axis(name=name, distribution=CategoricalDistribution(list(values)), symbol=symbol)


SPACE = Space(
    name="small",
    trainable="triple_entropy",
    source="none: made for tests",
    axes=(
        make_axis("k", 1, 10, 100),
        make_axis("scale", 1, 3.3, symbol="lambda"),
        make_axis("beta", 0.5, 1.0),
        make_axis("pooling", "cls", "mean", "max"),
    ),
    fixed={"epochs": 5, "rate": 1e-5, "merge": 0.0, "padding": False},
    inert=(
        Inert(when={"beta": (1.0,)}, axes=("k", "scale", "merge")),
        Inert(when={"k": (1,)}, axes=("merge",)),
    ),
    references={
        "plain": {"beta": 1.0, "pooling": "cls"},
        "off-grid": {"k": 10, "scale": 7.0, "beta": 0.5, "pooling": "cls"},
    },
    baseline="plain",
    ablation=("off-grid", "plain"),
    shape=("k", "epochs"),
)
POINT = {"k": 10, "scale": 3.3, "beta": 0.5, "pooling": "mean"}
