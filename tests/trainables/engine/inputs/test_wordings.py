"""Other wordings: what a file holds, which words are replaced, what is refused."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from trainables.engine.errors import DataError
from trainables.engine.inputs import wordings

# Lines of WordNet 3.0: a licence, a noun, an adjective with a mark of its place.
NOUN = (
    "  1 This software and database is being provided to you\n"
    "02958343 06 n 05 car 0 auto 0 automobile 0 machine 6 motorcar 0 001 @ 03791235 n 0000 | a\n"
)
ADJECTIVE = "01280908 00 s 02 galore(ip) 0 in_abundance 0 001 & 00013887 a 0000 | existing\n"


def wordnet(folder: Path) -> Path:
    path = folder / "wordnet.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wordnet/data.noun", NOUN)
        archive.writestr("wordnet/data.adj", ADJECTIVE)
        archive.writestr("wordnet/index.noun", "car n 5\n")
    return path


def test_synonyms_are_the_words_of_a_synset(tmp_path: Path) -> None:
    found = wordings.of_file(str(wordnet(tmp_path)))
    assert found["car"] == ("auto", "automobile", "machine", "motorcar")
    assert found["galore"] == ("in abundance",)
    assert found["in abundance"] == ("galore",)
    assert "this" not in found


def test_a_third_of_the_words_is_replaced_and_the_rest_stays() -> None:
    synonyms = {"car": ("auto",), "red": ("crimson",), "fast": ("quick",), "road": ("street",)}
    text = "A Red car, a fast CAR: on the road home!"
    seen = {wordings.with_synonyms(text, synonyms, random.Random(seed)) for seed in range(30)}
    assert len(seen) > 5
    for other in seen:
        words = [word.strip(",:!") for word in other.split()]
        replaced = [a for a, b in zip(text.split(), words, strict=True) if a.strip(",:!") != b]
        assert len(replaced) == 3  # 30% of ten words
        assert other[-1] == "!"
    assert any("Crimson" in other for other in seen)


def test_a_text_without_a_known_word_stays() -> None:
    assert wordings.with_synonyms("nothing here", {"car": ("auto",)}, random.Random(0)) == (
        "nothing here"
    )


def test_what_holds_no_wordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*none.csv.*: give a table"):
        wordings.of_file(str(tmp_path / "none.csv"))
    (tmp_path / "words.doc").write_text("text")
    with pytest.raises(DataError, match=r"words.doc' is neither a table nor a zip: give a table"):
        wordings.of_file(str(tmp_path / "words.doc"))
    table = tmp_path / "table.csv"
    table.write_text("text,other\na,b\n")
    with pytest.raises(DataError, match="no column 'text_b'"):
        wordings.of_file(str(table))
    table.write_text("text,text_b\na,\n")
    with pytest.raises(DataError, match="column 'text_b' has no text"):
        wordings.of_file(str(table))
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(DataError, match=r"holds no data\.noun"):
        wordings.of_file(str(empty))
    empty.write_bytes(b"no zip")
    with pytest.raises(DataError, match="no zip of WordNet"):
        wordings.of_file(str(empty))
