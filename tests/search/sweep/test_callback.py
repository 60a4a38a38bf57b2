"""Callbacks are told in order, and only the ones that listen do anything."""

from __future__ import annotations

from search.sweep.callback import Callback, CallbackList


class Notes(Callback):
    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    def on_message(self, text: str) -> None:
        self.notes.append(f"{self.name}: {text}")

    def on_end(self) -> None:
        self.notes.append(f"{self.name} ended")


def test_each_callback_is_told_in_order() -> None:
    notes: list[str] = []
    both = CallbackList([Notes("a", notes), Callback(), Notes("b", notes)])
    both.on_message("hello")
    both.on_end()
    assert notes == ["a: hello", "b: hello", "a ended", "b ended"]


def test_a_list_without_callbacks_takes_every_call() -> None:
    CallbackList([]).on_message("nobody")
    CallbackList([]).on_end()
