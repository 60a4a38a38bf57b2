"""Settings of a paper, and those that a sweep has changed.

A table of paper_tables.json names them:

    settings   values, or lists of values, that its claim is made for
    cleaning   cleaning steps of its texts
    noted      values that the paper leaves open or its authors' code has: told, deciding nothing
    protocol   its seeds, folds or held-out share: told, since the interval says how sure ours is

Its grid is the declared space's. The encoder is a setting where a row names one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search.planning.chosen_space import declared_space
from search.planning.plan import Plan
from search.report.evidence import model_label


@dataclass(frozen=True)
class Changes:
    """Settings of a config and its sweep that are not the paper's.

    Attributes:
        deciding: Settings that the paper's claim is made for.
        noted: Further ones.
    """

    deciding: tuple[str, ...]
    noted: tuple[str, ...]


def changes(
    plan: Plan, table: Mapping[str, Any], row: Mapping[str, Any], config: int, *, best: bool
) -> Changes:
    """Compare a config with the paper's settings.

    Args:
        plan: Plan of our sweep.
        table: The paper's table.
        row: Its row.
        config: Index of our config.
        best: True where the row is the best config of the paper's grid.
    """
    active = plan.space.active(plan.configs[config])
    deciding = []
    if row["model"] not in (None, model_label(plan)):
        deciding.append(f"model {model_label(plan)} for {row['model']}")
    deciding += _differing(active, table.get("settings", {}))
    if config not in plan.names:
        own = {axis.name: axis for axis in declared_space(plan.spec).axes}
        stated = table.get("settings", {})
        deciding += [
            f"{name} {_word(value)}, off the paper's grid"
            for name, value in active.items()
            if name in own and name not in stated and not own[name].has(value)
        ]
    steps, cleaning = table.get("cleaning"), list(plan.spec.data.cleaning)
    if steps is not None and cleaning != steps:
        deciding.append(f"cleaning {'+'.join(cleaning) or 'none'} for {'+'.join(steps) or 'none'}")
    noted = _differing(active, table.get("noted", {}))
    noted += _protocol(plan, table.get("protocol", {}))
    searched, whole = len(plan.configs), len(declared_space(plan.spec))
    if plan.spec.data.subset is not None:
        noted.append(f"{plan.spec.data.subset:,} drawn rows")
    if best and searched < whole:
        noted.append(f"the best of {searched:,} configs for {whole:,}")
    return Changes(tuple(deciding), tuple(noted))


def _differing(active: Mapping[str, Any], stated: Mapping[str, Any]) -> list[str]:
    """Settings with an effect whose values are not the stated ones."""
    found = []
    for name, value in stated.items():
        allowed = value if isinstance(value, list) else [value]
        if name in active and active[name] not in allowed:
            named = " or ".join(map(_word, allowed))
            found.append(f"{name} {_word(active[name])} for {named}")
    return found


def _protocol(plan: Plan, stated: Mapping[str, Any]) -> Iterator[str]:
    spec = plan.spec
    if "folds" in stated and (len(spec.seeds), spec.folds) != (stated["seeds"], stated["folds"]):
        split = f"{spec.folds} folds" if spec.folds else f"a held-out part ({spec.holdout})"
        yield f"{len(spec.seeds)} seeds x {split} for {stated['seeds']} x {stated['folds']} folds"
    if "holdout" in stated and spec.holdout != stated["holdout"]:
        split = f"{spec.folds} folds" if spec.folds else f"a held-out part ({spec.holdout})"
        yield f"{split} for a held-out part ({stated['holdout']})"


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
