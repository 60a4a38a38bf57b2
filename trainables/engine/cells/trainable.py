"""Contract of a trainable: all that a file of `trainables/` may define.

A trainable is one file, and the file is its entry: it defines VERSION, Config and build, and as
many of the hooks below as it needs, as functions of those names. `Trainable.load` reads it once.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trainables.engine import registry
from trainables.engine.config import FineTuning, TrainingConfig, check_types
from trainables.engine.contract import Scalar
from trainables.engine.errors import ConfigError, RegistryError
from trainables.engine.functions.declaration import FunctionConfig, Train, train_of

if TYPE_CHECKING:
    from torch import nn

    from trainables.engine.arrays import Float32Array, IntArray
    from trainables.engine.features.representation import Representation
    from trainables.engine.inputs.metadata_inputs import Kind
    from trainables.engine.inputs.tokens import Tokens
    from trainables.engine.inputs.views import View
    from trainables.engine.text_data import TextData
    from trainables.engine.training.read_out import ReadOut

Pooling = Literal["cls", "mean", "pooler"]

# A public name this close to a hook's is a misspelt hook, not a helper.
_NEAR = 0.8
# Fields that a file writes in capitals.
_CONSTANTS = {"version": "VERSION", "learns_from_rows": "LEARNS_FROM_ROWS"}


class Estimator(Protocol):
    """A classifier of texts."""

    def fit(self, texts: Sequence[Sequence[str]], labels: IntArray) -> None:
        """Fit the training rows.

        Args:
            texts: Texts by column: one column, or two for pairs.
            labels: Class ids, (rows,); classes without a row may be missing.
        """

    def probabilities(self, texts: Sequence[Sequence[str]], classes: int) -> Float32Array:
        """Class probabilities of other rows, float32 (rows, classes)."""


def _none(*_: Any) -> None:
    return None


def _zero(_: Any) -> float:
    return 0.0


def _inner_share(config: TrainingConfig) -> float:
    return config.inner_share


def _nought(_: Any) -> int:
    return 0


def _no(_: Any) -> bool:
    return False


def _no_files(_: Any) -> Mapping[str, str]:
    return {}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trainable:
    """One way to train a cell, read from its file.

    Fields without a default must be defined by the file. Each hook takes the file's own Config
    first. A file's public functions of other names are its own, unless their names are almost a
    hook's: such a file is refused.
    """

    name: str
    """Name of the file, without .py."""

    version: int
    """VERSION in the file, part of every cell's key: raise it when equal configs train anew."""

    Config: type[TrainingConfig]
    """Hyper-parameters: a frozen dataclass with the fields of TrainingConfig, or of FineTuning."""

    build: Callable[[Any, Any, int], nn.Module]
    """build(config, base, num_classes): a cell's module, which maps (inputs, labels) to an Output.

    The base is a copy of the encoder, or its top blocks; for frozen features their width, or their
    layout; with LEARNS_FROM_ROWS a `CellContext`; whatever `base` returns where that is defined.
    """

    train: Train | None = None
    """train(config, train, test, seed) of a user's file, in place of all else; see `functions`.

    Of a file with `fit` and `predict` alone it is a `Pair` of these.
    """

    learns_from_rows: bool = False
    """LEARNS_FROM_ROWS = True in the file: `build` needs the labels or metadata trained on."""

    stack_key: Callable[[Any], TrainingConfig | None] = _none
    """The config with all values that may differ within a stack set alike; None trains alone.

    Cells of equal keys train as one batched model.
    """

    representation: Callable[[Any], Representation | None] = _none
    """Frozen features that the cell's head is trained on; None trains from tokens."""

    estimator: Callable[[Any], Estimator | None] = _none
    """Classifier of texts that is fitted in place of a network; None builds and trains one."""

    tokens: Callable[[Any, TextData, str], Tokens] | None = None
    """tokens(config, data, model): inputs of all rows, where these are not the texts' tokens."""

    base: Callable[[Any, TextData, str], Any] | None = None
    """base(config, data, model): the base that `build` gets, where that is not the encoder."""

    files: Callable[[Any], Mapping[str, str]] = _no_files
    """Field -> value for each field that names a file or a further model that the cell reads.

    Their contents take the value's place in the cell's key.
    """

    check_data: Callable[[Any, TextData], None] = _none
    """check_data(config, data): raises a DataError for data that cannot be trained on."""

    check_models: Callable[[Any, TextData, str], None] = _none
    """check_models(config, data, model): raises a ModelError where `base` will find no model."""

    ema_decay: Callable[[Any], float] = _zero
    """Decay of the weights' moving average that is scored; 0 scores the weights themselves."""

    inner_share: Callable[[Any], float] = _inner_share
    """Share of a cell's training rows kept apart to choose the epoch on; 0 takes the last epoch."""

    step_losses: Callable[[Any], int] = _nought
    """Steps between two losses that are kept, of batches and of rows kept apart; 0 keeps none.

    A cell that keeps some trains alone.
    """

    metadata: Callable[[Any], Kind | None] = _none
    """Scale of the metadata columns that the module is given; None leaves them out."""

    views: Callable[[Any], tuple[View, ...] | None] = _none
    """Views of a text in a training batch; None feeds the text itself."""

    read_out: Callable[[Any], ReadOut | None] = _none
    """Turns the module's outputs into probabilities; None takes them for logits."""

    pooling: Callable[[Any], Pooling | None] = _none
    """Vector that the linear `classifier` sees; None for another.

    It is the first token's, the mean over tokens, or that of the module's `pooler`, a
    `models.pooling.Pooler`. A winner with such a vector can be saved as a model of transformers.
    """

    map_fault: Callable[[Any], str | None] | None = None
    """Reason why the classifier has no class activation map; None where it has one."""

    reads_with: Callable[[Any], str | None] = _none
    """Model that reads each text by itself: "model" for the task's, else an alias, id or folder."""

    tunes_encoder: Callable[[Any], bool] = _no
    """True where a sweep's winner leaves a tuned `encoder` that is worth keeping."""

    @classmethod
    def load(cls, name: str) -> Trainable:
        """Read the trainable of a name, from `trainables/` or a plugin.

        Raises:
            RegistryError: if there is none, or its file does not fit this contract.
        """
        return cls.of_module(registry.entry("trainables", name))

    @classmethod
    def of_module(cls, module: ModuleType) -> Trainable:
        """Read a trainable from its imported file.

        Raises:
            RegistryError: naming each name that is missing, misspelt or of the wrong kind.
        """
        return _read(module)

    @property
    def may_train_heads(self) -> bool:
        """True where some of its configs train heads on frozen features."""
        return self.representation is not _none

    @property
    def may_tune_encoder(self) -> bool:
        """True where some of its configs leave a tuned encoder behind."""
        return self.tunes_encoder is not _no

    def bind(self, config: Mapping[str, Scalar]) -> TrainingConfig:
        """Turn a complete config into the trainable's Config.

        Raises:
            ConfigError: listing every field that is missing or unknown, or of another type, or the
                value that the Config itself refuses.
        """
        if self.train is not None:
            return FunctionConfig.of(config)
        fields = {field.name: field for field in dataclasses.fields(self.Config)}
        faults = []
        for name in config:
            if name not in fields:
                hint = registry.hint(name, fields)
                faults.append(f"{self.name}.Config has no field {name!r}.{hint}")
        for name, field in fields.items():
            required = field.default is dataclasses.MISSING
            if required and field.default_factory is dataclasses.MISSING and name not in config:
                faults.append(f"{self.name}.Config wants a value for {name!r}.")
        if faults:
            raise ConfigError("\n".join(faults))
        values: dict[str, Any] = dict(config)
        check_types(self.name, self.Config, values)
        with registry.plugin_rules("trainables", self.name):
            return self.Config(**values)

    def stack_group(self, config: TrainingConfig) -> Hashable | None:
        """Key that cells of a stack share; None for training alone."""
        key = self.stack_key(config)
        if key is None or self.step_losses(config):
            return None
        if isinstance(key, FineTuning):
            if key.accumulation > 1 or key.checkpointing:
                return None  # for want of memory, of which a stack takes more
            key = dataclasses.replace(key, layer_decay=1.0)
        if isinstance(key, FineTuning) and key.lora_rank:
            # Ranks are padded, and a scale is a cell's own.
            key = dataclasses.replace(key, lora_rank=1, lora_alpha=1.0, lora_rank_stabilised=False)
        # The loop holds these per cell, whatever the trainable.
        return dataclasses.replace(
            key,
            learning_rate=1.0,
            weight_decay=0.0,
            warmup_fraction=0.0,
            epochs=1,
            clip_norm=0.0,
            inner_share=0.0,
            patience=0,
        )


# Name in a file -> its field here.
_FIELDS = {
    _CONSTANTS.get(field.name, field.name): field
    for field in dataclasses.fields(Trainable)
    if field.name not in ("name", "train")
}


@lru_cache(maxsize=64)
def _read(module: ModuleType) -> Trainable:
    function = train_of(module)
    if function is not None:
        return _of_function(module, function)
    values = {word: getattr(module, word) for word in _FIELDS if hasattr(module, word)}
    missing = [word for word, field in _FIELDS.items() if field.default is dataclasses.MISSING]
    faults = [f"it defines no {word}" for word in missing if word not in values]
    faults += [fault for word in values if (fault := _fault(word, values[word]))]
    for word in sorted(_public_names(module) - set(_FIELDS)):
        hint = registry.hint(word, _FIELDS, cutoff=_NEAR)
        if hint:
            faults.append(f"{word} is no hook.{hint} A helper's name starts with an underscore")
    name = registry.entry_name(module)
    if faults:
        raise RegistryError(f"Trainable {name!r} cannot be used: {'; '.join(faults)}.")
    return Trainable(name=name, **{_FIELDS[word].name: value for word, value in values.items()})


def _of_function(module: ModuleType, function: Train) -> Trainable:
    name, version = registry.entry_name(module), getattr(module, "VERSION", 1)
    if not isinstance(version, int):
        raise RegistryError(f"VERSION of {name!r} must be a whole number, got {version!r}.")
    return Trainable(
        name=name, version=version, Config=FunctionConfig, build=_builds_nothing, train=function
    )


def _builds_nothing(*_: Any) -> nn.Module:
    raise ConfigError("A function of the user's own trains: it builds no network.")


def _fault(word: str, value: Any) -> str | None:
    """Reason why a value cannot be what its name stands for."""
    if word == "Config":
        fits = isinstance(value, type) and dataclasses.is_dataclass(value)
        return None if fits else f"Config must be a dataclass, got {value!r}"
    if word in _CONSTANTS.values():
        return None if isinstance(value, int) else f"{word} must be an integer, got {value!r}"
    return None if callable(value) else f"{word} must be a function, got {value!r}"


def _public_names(module: ModuleType) -> set[str]:
    """Names of functions and constants that a file defines itself."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (name.isupper() or (inspect.isfunction(value) and value.__module__ == module.__name__))
    }
