"""Short names of a sweep's configs: the axes in which they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

from search.formatting import printable, scalar, shortened
from trainables.engine.contract import Scalar

_LONGEST = 200  # characters of a label; a value may be a file's whole text
_LONGEST_VALUE = 60
_LONGEST_SHORT_VALUE = 20


def _alike(texts: Sequence[str]) -> list[int]:
    """Places of the texts that are there more than once."""
    count = Counter(texts)
    return [index for index, text in enumerate(texts) if count[text] > 1]


class Labels:
    """A unique label per config, and the axis values that all share.

    A label holds the axes that vary in the sweep, then whatever else sets a config apart (a
    reference may differ in a fixed value), then its reference name.

    Attributes:
        varying: Fields that differ between the configs of the grid, axes first.
        shared: Axes that have one value in all of the grid, with it.

    Args:
        configs: Fields with an effect in each config, by name.
        axes: Names of the axes, in the space's order.
        names: Reference names by index of the config.
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Scalar]],
        axes: Sequence[str],
        names: Mapping[int, str],
    ) -> None:
        self._configs, self._axes, self._names = configs, tuple(axes), names
        # References stand beside the grid: one of them must not make an axis vary.
        grid = [config for i, config in enumerate(configs) if i not in names] or configs
        self._grid = grid
        values: dict[str, set[tuple[type, Scalar]]] = {name: set() for name in self._axes}
        for config in grid:
            for name, value in config.items():
                values.setdefault(name, set()).add((type(value), value))
        self.varying = tuple(name for name, seen in values.items() if len(seen) > 1)
        common = {name: next(iter(seen))[1] for name, seen in values.items() if len(seen) == 1}
        self.shared = {name: common[name] for name in self._axes if name in common}
        self._common = common
        self._texts = self._distinct()

    def __getitem__(self, config: int) -> str:
        return self._texts[config]

    @property
    def title(self) -> str:
        """The shared axes as text; empty where every axis varies."""
        return self._joined(self.shared)

    @cached_property
    def short(self) -> tuple[str, ...]:
        """Names of a few letters, for a narrow column: lr=0.03 wd=1 e=20.

        The axes with the most values come first. A config that these leave alike has its label.
        """
        # The grid alone again: a reference may have a value of its own.
        levels = {name: len({config.get(name) for config in self._grid}) for name in self.varying}
        order = sorted(self.varying, key=lambda name: -levels[name])
        letters = {
            name: "".join(word[0] for word in name.split("_") if word) or name for name in order
        }
        alike = Counter(letters.values())
        texts = []
        for index, config in enumerate(self._configs):
            words = (
                f"{letters[name] if alike[letters[name]] == 1 else name}="
                f"{shortened(printable(scalar(config[name])), _LONGEST_SHORT_VALUE)}"
                for name in order
                if name in config
            )
            texts.append(self._named(index, " ".join(words)))
        for index in _alike(texts):
            texts[index] = self[index]
        return self._texts if _alike(texts) else tuple(texts)

    def _distinct(self) -> tuple[str, ...]:
        texts = [self._text(index) for index in range(len(self._configs))]
        for index in _alike(texts):
            texts[index] = shortened(self.whole(index), _LONGEST)
        for index in _alike(texts):
            texts[index] += f" #{index + 1}"
        return tuple(texts)

    def _text(self, index: int) -> str:
        config = self._configs[index]
        shown = {name: config[name] for name in self.varying if name in config}
        for name, value in config.items():
            if name not in shown and not self._is_common(name, value):
                shown[name] = value
        return self._named(index, self._joined(shown))

    def whole(self, index: int) -> str:
        """All active axes of a config: its identity across sweeps."""
        config = self._configs[index]
        values = (f"{n}={printable(scalar(config[n]))}" for n in self._axes if n in config)
        return self._named(index, " ".join(values))

    def _is_common(self, name: str, value: Scalar) -> bool:
        if name not in self._common:
            return False
        common = self._common[name]
        return type(common) is type(value) and common == value

    def _named(self, index: int, values: str) -> str:
        name = self._names.get(index)
        if name is None:
            return values or f"config {index + 1}"
        return f"{values} ({printable(name)})" if values else printable(name)

    def _joined(self, values: Mapping[str, Scalar]) -> str:
        words = (
            f"{name}={shortened(printable(scalar(value)), _LONGEST_VALUE)}"
            for name, value in values.items()
        )
        return shortened(" ".join(words), _LONGEST)
