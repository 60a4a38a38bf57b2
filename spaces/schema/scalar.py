"""Scalars, the values of a space: read from words, kept in mappings."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

Scalar = str | int | float | bool | None

_Value_co = TypeVar("_Value_co", covariant=True)
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# In this order: a word that reads as a whole number is not taken for a float or a text.
_KINDS = {
    type(None): "none",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


class FrozenMapping(Mapping[str, _Value_co], Generic[_Value_co]):
    """An immutable mapping that keeps its order and can be hashed.

    Equal to any mapping with the same items, whatever their order.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, _Value_co]) -> None:
        self._items = dict(items)

    def __getitem__(self, name: str) -> _Value_co:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def is_scalar(value: object) -> bool:
    """Return True for values that JSON can hold as they are.

    NaN, infinities and numpy numbers are none.
    """
    return type(value) in _KINDS and not (isinstance(value, float) and not math.isfinite(value))


def kinds_like(value: Scalar) -> frozenset[type]:
    """Return the types that may replace a fixed value.

    They are its own type, or any type in place of None.
    """
    return frozenset(_KINDS if value is None else {type(value)})


def read_scalar(value: object, kinds: Iterable[type]) -> Scalar:
    """Return a value in the first of the kinds that it fits.

    Words from the command line are read.

    Args:
        value: A scalar, or the text that a user typed for it.
        kinds: Types that the value may have.

    Raises:
        ValueError: with "must be <kinds>, got <value>" where none fits.
    """
    allowed = [kind for kind in _KINDS if kind in set(kinds)]
    for kind in allowed:
        fits, scalar = _read_as(value, kind)
        if fits:
            return scalar
    raise ValueError(f"must be {' or '.join(_KINDS[kind] for kind in allowed)}, got {value!r}")


def _read_as(value: object, kind: type) -> tuple[bool, Scalar]:
    """Return (fits, scalar) for a value or word and one kind."""
    word = value.strip() if isinstance(value, str) else None
    if kind is str:
        return word is not None, word
    if kind is bool and word is not None:
        return word.lower() in _WORDS, _WORDS.get(word.lower())
    if kind is bool:
        return isinstance(value, bool), bool(value)
    if kind is type(None):
        return value is None or (word is not None and word.lower() == "none"), None
    number = _number(value)
    if number is None or (kind is int and number != int(number)):
        return False, None
    return True, int(number) if kind is int else float(number)


def _number(value: object) -> int | float | None:
    """Return the finite number of a value or word, else None."""
    number = value
    if isinstance(value, str):
        try:
            # Not through float first: it cannot hold a whole number of more than 53 bits.
            number = int(value)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    try:
        return number if math.isfinite(number) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the closest known name.

    The sentence ends a message; it is empty where no name is close.
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def listing(values: Iterable[Scalar]) -> str:
    """Return the values for a message; long rows are shortened."""
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(shown if len(shown) <= 16 else [*shown[:12], "...", shown[-1]])
