"""Texts with their most focused words in red, as one HTML page (figure 8 of Lee's paper)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from trainables.analysis.cam import Word, marked

_STYLE = """\
body{font:16px/1.6 Georgia,serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#111}
h1{font-size:1.3rem} article{border-top:1px solid #ccc;padding:.8rem 0;overflow-wrap:anywhere}
.red{color:#d00;font-weight:bold} .head,.note{font:13px/1.5 system-ui,sans-serif;color:#555}
table{border-collapse:collapse;font:13px/1.5 system-ui,sans-serif}
td,th{padding:.1rem .8rem .1rem 0;text-align:left} td.n{text-align:right}"""


@dataclass(frozen=True)
class Marked:
    """One text and the words of it that speak for a class.

    Attributes:
        text: The text.
        words: Its words with their scores for the class, in their order.
        label: The class.
        probability: That the model gives the class.
        heading: What to say of the text, such as its true class.
        cut: Whether the text was read only up to the last word.
    """

    text: str
    words: list[Word]
    label: str
    probability: float
    heading: str = ""
    cut: bool = False

    @property
    def read(self) -> int:
        """Characters that were read."""
        return max((word.span[1] for word in self.words if word.span is not None), default=0)

    def cut_note(self) -> str:
        """What to say of a text that was cut; empty for one that was not."""
        if not self.cut:
            return ""
        return (
            f"The text is cut: its first {self.read:,} of {len(self.text):,} characters were read, "
            "as many tokens as max_length allows."
        )

    def pieces(self) -> list[tuple[str, Word | None, bool]]:
        """The text as read, in pieces: (characters, the word that they are, whether it is red)."""
        red = marked(self.words)
        found: list[tuple[str, Word | None, bool]] = []
        at = 0
        placeless: list[tuple[str, Word | None, bool]] = []
        for number, word in enumerate(self.words):
            if word.span is None:
                placeless += [("   ", None, False), (word.text, word, number in red)]
                continue
            if word.span[0] > at:
                found.append((self.text[at : word.span[0]], None, False))
            found.append((self.text[max(at, word.span[0]) : word.span[1]], word, number in red))
            at = max(at, word.span[1])
        if found and not self.cut:
            found.append((self.text[at:], None, False))
        return found + placeless if found else placeless[1:]


def page(title: str, texts: Sequence[Marked], notes: Sequence[str] = ()) -> str:
    """An HTML page that needs nothing else.

    Args:
        title: Its title.
        texts: What to show.
        notes: Sentences under the title.
    """
    articles = "\n".join(_article(one) for one in texts)
    said = "".join(f"<p class=note>{html.escape(note)}</p>" for note in notes)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        "<p class=note>Red: the tenth of the words with the highest score for the class. Hold the "
        f"pointer over a word for its score.</p>{said}\n{articles}</html>\n"
    )


def _article(one: Marked) -> str:
    pieces = []
    for text, word, red in one.pieces():
        shown = html.escape(text).replace("\n", "<br>")
        if word is not None:
            kind = " class=red" if red else ""
            shown = f'<span{kind} title="{word.score:+.4f}">{shown}</span>'
        pieces.append(shown)
    head = f"{one.label}, probability {one.probability:.3f}"
    head = f"{one.heading}: {head}" if one.heading else head
    note = f"<p class=note>{html.escape(one.cut_note())}</p>" if one.cut else ""
    return f"<article><p class=head>{html.escape(head)}</p><p>{''.join(pieces)}</p>{note}</article>"
