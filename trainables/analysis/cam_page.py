"""Texts with their most focused words in red, as HTML.

The page is like figure 8 of Lee's paper.
"""

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
    """A text and the scores of its words for a class.

    Attributes:
        text: The text.
        words: Words with their scores for the class, in their order.
        label: Name of the class.
        probability: Probability of the class by the model.
        heading: Heading of the text, such as its true class.
        cut: True if the text was read only up to the last word.
    """

    text: str
    words: list[Word]
    label: str
    probability: float
    heading: str = ""
    cut: bool = False

    @property
    def read(self) -> int:
        """Number of characters that were read."""
        return max((word.span[1] for word in self.words if word.span is not None), default=0)

    def cut_note(self) -> str:
        """Return the note on a cut text; empty for a whole one."""
        if not self.cut:
            return ""
        return (
            f"The text is cut: its first {self.read:,} of {len(self.text):,} characters were read, "
            "as many tokens as max_length allows."
        )

    def pieces(self) -> list[tuple[str, Word | None, bool]]:
        """Return the text as read, in pieces.

        A piece is (characters, their word, True for red).
        """
        red = marked(self.words)
        pieces: list[tuple[str, Word | None, bool]] = []
        at = 0
        placeless: list[tuple[str, Word | None, bool]] = []
        for number, word in enumerate(self.words):
            if word.span is None:
                placeless += [("   ", None, False), (word.text, word, number in red)]
                continue
            if word.span[0] > at:
                pieces.append((self.text[at : word.span[0]], None, False))
            pieces.append((self.text[max(at, word.span[0]) : word.span[1]], word, number in red))
            at = max(at, word.span[1])
        if pieces and not self.cut:
            pieces.append((self.text[at:], None, False))
        return pieces + placeless if pieces else placeless[1:]


def page(title: str, texts: Sequence[Marked], notes: Sequence[str] = ()) -> str:
    """Return an HTML page that needs no other file.

    Args:
        title: Title of the page.
        texts: Texts to show.
        notes: Sentences under the title.
    """
    articles = "\n".join(_article(text) for text in texts)
    lines = "".join(f"<p class=note>{html.escape(note)}</p>" for note in notes)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        "<p class=note>Red: the tenth of the words with the highest score for the class. Hold the "
        f"pointer over a word for its score.</p>{lines}\n{articles}</html>\n"
    )


def _article(marked_text: Marked) -> str:
    pieces = []
    for text, word, red in marked_text.pieces():
        shown = html.escape(text).replace("\n", "<br>")
        if word is not None:
            kind = " class=red" if red else ""
            shown = f'<span{kind} title="{word.score:+.4f}">{shown}</span>'
        pieces.append(shown)
    head = f"{marked_text.label}, probability {marked_text.probability:.3f}"
    head = f"{marked_text.heading}: {head}" if marked_text.heading else head
    note = f"<p class=note>{html.escape(marked_text.cut_note())}</p>" if marked_text.cut else ""
    return f"<article><p class=head>{html.escape(head)}</p><p>{''.join(pieces)}</p>{note}</article>"
