"""Other wordings from a file: partners of texts, synonyms of words."""

from __future__ import annotations

import random
import re
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.errors import DataError
from trainables.engine.tables.files import ENDINGS, is_table, read_file
from trainables.engine.tables.table import listed

_WORD = re.compile(r"\w+")
# A data file of WordNet: its words stand in pairs with a hexadecimal number after the count.
_WORDNET = re.compile(r"(?:^|/)data\.(?:noun|verb|adj|adv)$")
_SHARE, _MOST = 0.3, 10

Wordings = Mapping[str, tuple[str, ...]]


def of_file(file: str) -> Wordings:
    """Return a file's other wordings, by text or small-lettered word.

    Args:
        file: A table with the columns text and text_b, or WordNet's zip as NLTK distributes it.

    Raises:
        DataError: if it is neither, or a row lacks a text.
    """
    path = Path(file).expanduser()
    wanted = (
        f"give a table ({', '.join(ENDINGS)}) with the columns text and text_b, or, for synonyms, "
        "WordNet's zip"
    )
    if not path.is_file():
        raise DataError(f"There is no file {file!r}: {wanted}.")
    if not (is_table(path) or path.suffix.lower() == ".zip"):
        raise DataError(f"{file!r} is neither a table nor a zip: {wanted}.")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, _modified: int) -> Wordings:
    found = _of_wordnet(path) if path.suffix.lower() == ".zip" else _of_table(path)
    return {text: tuple(others) for text, others in found.items()}


def _of_table(path: Path) -> dict[str, dict[str, None]]:
    table = read_file(path, ["text", "text_b"])
    for name in ("text", "text_b"):
        if name not in table.columns:
            raise DataError(
                f"{path} has no column {name!r}; a table of other wordings has text and text_b. "
                f"Its columns: {listed(table.names)}."
            )
        missing = [row for row, value in enumerate(table.columns[name]) if is_missing(value)]
        if missing:
            raise DataError(f"{path}, {table.place(missing[0])}: column {name!r} has no text.")
    found: dict[str, dict[str, None]] = {}
    for text, other in zip(table.columns["text"], table.columns["text_b"], strict=True):
        found.setdefault(str(text), {})[str(other)] = None
    return found


def _of_wordnet(path: Path) -> dict[str, dict[str, None]]:
    found: dict[str, dict[str, None]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if _WORDNET.search(name)]
            for member in members:
                for line in archive.read(member).decode("utf-8").splitlines():
                    if line[:1].isdigit():
                        _add_synset(found, line.split())
    except (zipfile.BadZipFile, UnicodeDecodeError, ValueError, IndexError) as error:
        raise DataError(f"{path} is no zip of WordNet that can be read: {error}.") from error
    if not found:
        raise DataError(f"{path} holds no data.noun, data.verb, data.adj or data.adv of WordNet.")
    return found


def _add_synset(found: dict[str, dict[str, None]], parts: list[str]) -> None:
    count = int(parts[3], 16)
    # Adjectives may bear a mark of their place, as in "galore(ip)".
    words = [parts[4 + 2 * at].partition("(")[0].replace("_", " ") for at in range(count)]
    for word in words:
        for other in words:
            if other.lower() != word.lower():
                found.setdefault(word.lower(), {})[other] = None


def with_synonyms(text: str, synonyms: Wordings, drawn: random.Random) -> str:
    """Return a text with some words replaced by synonyms.

    Of the words, 30% are replaced, at least one and ten at most, as nlpaug's SynonymAug does; fewer
    where fewer have a synonym.
    """
    words = list(_WORD.finditer(text))
    known = [word for word in words if word[0].lower() in synonyms]
    many = min(len(known), _MOST, max(1, int(_SHARE * len(words))))
    chosen = sorted(drawn.sample(known, many), key=lambda word: word.start())
    parts, end = [], 0
    for word in chosen:
        other = drawn.choice(synonyms[word[0].lower()])
        parts += [text[end : word.start()], other.capitalize() if word[0][:1].isupper() else other]
        end = word.end()
    return "".join([*parts, text[end:]])
