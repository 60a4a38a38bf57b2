"""Tables as people have them: odd, damaged, misnamed; each with what becomes of it.

Every file has nine words in two classes of thirty rows, unless its name says otherwise.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import feather, parquet

WORDS = ("fog", "rain", "sun", "snow", "wind", "hail", "cloud", "storm", "frost")
TEXTS = [f"{a} {b}" for a, b in itertools.islice(itertools.permutations(WORDS, 2), 60)]
LABELS = [row % 2 for row in range(60)]


@dataclass(frozen=True)
class Read:
    """A table that is read.

    Attributes:
        classes: Class names, in order.
        rows: Number of rows.
        notes: Words that the notes hold.
        texts: First text, where it is not `TEXTS[0]`.
    """

    classes: tuple[str, ...] = ("0", "1")
    rows: int = 60
    notes: Sequence[str] = field(default=())
    text: str = TEXTS[0]


@dataclass(frozen=True)
class Refused:
    """A table that is refused, and words of the message beside the file's name."""

    words: Sequence[str]


Case = tuple[str, bytes, Read | Refused]


def lines(*head: str, row: str = "{text},{label}", labels: Sequence[Any] = LABELS) -> bytes:
    """Lines of a text file, a row for each label."""
    rows = [row.format(text=t, label=y) for t, y in zip(TEXTS, labels, strict=False)]
    return "".join(f"{line}\n" for line in (*head, *rows)).encode()


def csv(labels: Sequence[Any], head: str = "text,label") -> bytes:
    return lines(head, labels=labels)


def table(**columns: Sequence[Any]) -> pa.Table:
    return pa.table({"text": TEXTS, **columns})


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def of_parquet(**columns: Sequence[Any]) -> bytes:
    return written(lambda file: parquet.write_table(table(**columns), file))


def of_arrow(**columns: Sequence[Any]) -> bytes:
    return written(lambda file: feather.write_feather(table(**columns), file))


def jsonl(labels: Sequence[Any] = LABELS, **more: Sequence[Any]) -> bytes:
    rows = [
        {"text": text, "label": label, **{name: values[row] for name, values in more.items()}}
        for row, (text, label) in enumerate(zip(TEXTS, labels, strict=True))
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


def either(first: Any, second: Any) -> list[Any]:
    return [second if label else first for label in LABELS]


def xlsx() -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("[Content_Types].xml", "<x/>")
            archive.writestr("xl/workbook.xml", "<x/>")

    return written(write)


POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n"
)
ARRAY = json.dumps([{"text": t, "label": y} for t, y in zip(TEXTS, LABELS, strict=True)]).encode()
HIDDEN = [*([0, 1] * 25), *([-1] * 10)]
PARTS = ["train"] * 50 + ["test"] * 10
LATIN = lines("text,label", row="{text} caf\u00e9,{label}").decode().encode("latin-1")

LABEL_CASES: dict[str, Case] = {
    "ints of CSV": ("a.csv", csv(LABELS), Read()),
    "ten and two of CSV": ("a.csv", csv(either(10, 2)), Read(("2", "10"))),
    "floats of CSV": ("a.csv", csv(either("0.0", "1.0")), Read(("0.0", "1.0"))),
    "leading zeros": ("a.csv", csv(either("0110", "0210")), Read(("0110", "0210"))),
    "zeros that order as numbers": ("a.csv", csv(either("010", "9")), Read(("9", "010"))),
    "codes beside words": ("a.csv", csv(either("0110", "E11")), Read(("0110", "E11"))),
    "exponent": ("a.csv", csv(either("1e2", "1e1")), Read(("1e1", "1e2"))),
    "plus": ("a.csv", csv(either("+1", "-1")), Read(("-1", "+1"))),
    "one number in two spellings": (
        "a.csv",
        csv([*either("0", "1")[:59], "1.0"]),
        Read(("0", "1", "1.0")),
    ),
    "grades": ("a.csv", csv(either("A+", "A-")), Read(("A+", "A-"))),
    "blanks around labels": ("a.csv", csv(either(" no", "yes ")), Read(("no", "yes"))),
    "Arabic digits": ("a.csv", csv(either("\u0661", "\u0662")), Read(("\u0661", "\u0662"))),
    "NFC and NFD": (
        "a.csv",
        csv([*either("f\u00e2ch\u00e9", "joy")[:58], "fa\u0302che\u0301", "joy"]),
        Read(("f\u00e2ch\u00e9", "joy")),
    ),
    "NFD alone": (
        "a.csv",
        csv(either("fa\u0302che\u0301", "joy")),
        Read(("fa\u0302che\u0301", "joy")),
    ),
    "ints of Parquet": ("a.parquet", of_parquet(label=LABELS), Read()),
    "floats of Parquet": ("a.parquet", of_parquet(label=either(0.0, 1.0)), Read()),
    "strings of Parquet": (
        "a.parquet",
        of_parquet(label=either("00", "1")),
        Read(("00", "1")),
    ),
    "logical values": ("a.parquet", of_parquet(label=either(False, True)), Read(("False", "True"))),
    "names": (
        "a.parquet",
        of_parquet(label=LABELS, label_name=either("sad", "joy")),
        Read(("sad", "joy")),
    ),
    "names that are numbers": (
        "a.parquet",
        of_parquet(label=LABELS, label_name=either("1", "2")),
        Read(("1", "2")),
    ),
    "hidden labels of a part": (
        "a.parquet",
        of_parquet(label=HIDDEN, split=PARTS),
        Read(rows=50, notes=["10 rows with the label -1 left out (all of part test)"]),
    ),
    "hidden labels of a part of CSV": (
        "a.csv",
        b"text,label,split\n"
        + "".join(f"{t},{y},{p}\n" for t, y, p in zip(TEXTS, HIDDEN, PARTS, strict=True)).encode(),
        Read(rows=50, notes=["10 rows with the label -1 left out"]),
    ),
    "hidden labels without a name": (
        "a.parquet",
        of_parquet(label=HIDDEN, label_name=[{0: "sad", 1: "joy"}.get(label) for label in HIDDEN]),
        Read(("sad", "joy"), rows=50, notes=["10 rows with the label -1 left out"]),
    ),
    "-1 among others": (
        "a.parquet",
        of_parquet(label=HIDDEN),
        Read(("-1", "0", "1"), notes=["10 rows have the label -1, which is read as a class"]),
    ),
    "-1 with a name": (
        "a.parquet",
        of_parquet(
            label=HIDDEN,
            label_name=[{0: "meh", 1: "joy", -1: "sad"}[label] for label in HIDDEN],
            split=PARTS,
        ),
        Read(("sad", "meh", "joy")),
    ),
    "-1 and 1": ("a.csv", csv(either(-1, 1)), Read(("-1", "1"))),
    "labels called nan": (
        "a.csv",
        csv(either("nan", "joy")),
        Read(("joy", "nan"), notes=["30 rows have the label 'nan', which programs write"]),
    ),
    "texts called NULL": (
        "a.csv",
        csv(LABELS) + b"NULL,0\n" * 6,
        Read(rows=66, notes=["6 rows have the text 'NULL'"]),
    ),
    "words and numbers": ("a.csv", csv(either("1", "pos")), Refused(["mixed types"])),
    "fractions": ("a.csv", csv(either("0.5", "1.0")), Refused(["fraction 0.5"])),
    "control characters": (
        "a.csv",
        csv(either("a", "\x1b[31mRED\x1b]0;pwn\x07")),
        Refused(["line 3", "'\\x1b[31mRED", "control character U+001B"]),
    ),
    "a line break in a label": (
        "a.csv",
        csv(either("a", '"b\nc"')),
        Refused(["line 3", "control character U+000A"]),
    ),
    "turned label": (
        "a.jsonl",
        jsonl(either("a", "b\u202ec")),
        Refused(["line 2", "control character U+202E"]),
    ),
    "half a character": (
        "a.jsonl",
        jsonl(either("a", "b\ud800")),
        Refused(["line 2", "half a character", "U+D800"]),
    ),
    "endless label": (
        "a.csv",
        csv(either("a", "b" * 3000)),
        Refused(["line 3", "3,000 characters, at most 256"]),
    ),
    "endless number": (
        "a.parquet",
        of_parquet(label=either(0.0, 1e300)),
        Refused(["data row 2", "301 characters"]),
    ),
    "control characters of a name": (
        "a.jsonl",
        jsonl(label_name=either("a", "\x1b[31m")),
        Refused(["line 2", "control character U+001B", "label_name"]),
    ),
    "control characters of a part": (
        "a.jsonl",
        jsonl(split=either("train", "\x1b[31m")),
        Refused(["part '\\x1b[31m'", "U+001B"]),
    ),
}

TABLE_CASES: dict[str, Case] = {
    "gzip called .csv": ("a.csv", gzip.compress(csv(LABELS)), Refused(["gzip", "gunzip"])),
    "gzip": ("a.csv.gz", gzip.compress(csv(LABELS)), Read()),
    "gzip of JSON lines": ("a.jsonl.gz", gzip.compress(jsonl()), Read()),
    "gzip cut off": ("a.csv.gz", gzip.compress(csv(LABELS))[:-20], Refused(["damaged gzip"])),
    "text called .gz": ("a.csv.gz", csv(LABELS), Refused(["no gzip archive but plain text"])),
    "gzip of an archive": (
        "a.csv.gz",
        gzip.compress(xlsx()),
        Refused(["unpacked", "a zip archive"]),
    ),
    "workbook called .csv": ("a.csv", xlsx(), Refused(["Excel workbook", "save its sheet"])),
    "workbook": ("a.xlsx", xlsx(), Refused(["ending '.xlsx'", "Excel workbook"])),
    "Parquet called .csv": (
        "a.csv",
        of_parquet(label=LABELS),
        Refused(["a Parquet file", "ending .parquet"]),
    ),
    "Arrow called .jsonl": ("a.jsonl", of_arrow(label=LABELS), Refused(["Arrow", ".arrow"])),
    "CSV called .parquet": ("a.parquet", csv(LABELS), Refused(["not a readable Parquet", "text"])),
    "Arrow": ("a.arrow", of_arrow(label=LABELS), Read()),
    "Feather": ("a.feather", of_arrow(label=LABELS), Read()),
    "pointer called .csv": ("a.csv", POINTER, Refused(["git-lfs pointer", "git lfs pull"])),
    "pointer called .parquet": ("a.parquet", POINTER, Refused(["git-lfs pointer", "lfs pull"])),
    "web page": ("a.csv", b"<!DOCTYPE html>\n<p>404</p>\n", Refused(["is a web page, no table"])),
    "web page called .jsonl": ("a.jsonl", b"<html><p>404</p>\n", Refused(["is a web page"])),
    "UTF-16": ("a.csv", csv(LABELS).decode().encode("utf-16"), Refused(["UTF-16", "UTF-8"])),
    "UTF-16 without a mark": (
        "a.csv",
        csv(LABELS).decode().encode("utf-16-le"),
        Refused(["UTF-16", "save it as UTF-8"]),
    ),
    "Latin-1": ("a.csv", LATIN, Refused(["not UTF-8: byte 0xe9 in line 2", "iconv"])),
    "zero byte far in": (
        "a.csv",
        csv(LABELS) * 10 + b"a\0b,1\n",
        Refused(["zero bytes", "line 611"]),
    ),
    "a header called PARENT": (
        "a.csv",
        lines("PARENT,text,label", row="x,{text},{label}"),
        Read(),
    ),
    "semicolons": ("a.csv", lines("text;label", row="{text};{label}"), Read(notes=["semicolons"])),
    "semicolons and a comma in a name": (
        "a.csv",
        lines('id;text;"label, final";label', row="7;{text};x;{label}"),
        Read(notes=["read as separated by semicolons"]),
    ),
    "semicolons and commas in texts": (
        "a.csv",
        lines("text;label", row="{text}, and more;{label}"),
        Read(text=f"{TEXTS[0]}, and more"),
    ),
    "tabs called .csv": (
        "a.csv",
        lines("text\tlabel", row="{text}\t{label}"),
        Read(notes=["tabs"]),
    ),
    "commas called .tsv": ("a.tsv", csv(LABELS), Read(notes=["separated by commas"])),
    "vertical bars": ("a.csv", lines("text|label", row="{text}|{label}"), Read(notes=["bars"])),
    "sep=": (
        "a.csv",
        lines("sep=;", "text;label", row="{text};{label}"),
        Read(notes=["line 1 names the separator: semicolon"]),
    ),
    "sep= of a rare sign": ("a.csv", lines("sep=^", "text^label", row="{text}^{label}"), Read()),
    "sep= that is wrong": (
        "a.csv",
        lines("sep=;", "text,label,more", row="{text};{label}"),
        Refused(["all 60 rows have 2 fields", "(line 2) has 1"]),
    ),
    "comment above the header": (
        "a.csv",
        lines("# made by tool 1.2", "text,label"),
        Read(notes=["the header is line 2; skipped above it: '# made by tool 1.2'"]),
    ),
    "title with as many commas": (
        "a.csv",
        lines("Reviews, spring 2024", "text,label"),
        Read(notes=["the header is line 2; skipped above it: 'Reviews"]),
    ),
    "title and blank line": ("a.csv", lines("Reviews", "", "text,label"), Read(notes=["line 3"])),
    "header without a name": (
        "a.csv",
        lines("text,label", row="7,{text},{label}"),
        Refused(["all 60 rows have 3 fields", "the header (line 1) has 2"]),
    ),
    "separators at the ends": (
        "a.csv",
        lines("text,label", row="{text},{label},"),
        Read(notes=["blank fields after the last column"]),
    ),
    "separators at the ends of all": (
        "a.csv",
        lines("text,label,,", row="{text},{label},,"),
        Read(),
    ),
    "separators at the end of the header": ("a.csv", lines("text,label,"), Read()),
    "single quotes": (
        "a.csv",
        lines("'text','label'", row="'{text}, then','{label}'"),
        Read(notes=["single quotes"], text=f"{TEXTS[0]}, then"),
    ),
    "single quotes around fields with commas": (
        "a.csv",
        lines("text,label", row="'{text}, then',{label}"),
        Read(notes=["single quotes"], text=f"{TEXTS[0]}, then"),
    ),
    "single quotes around every text": (
        "a.csv",
        lines("text,label", row="'{text}',{label}"),
        Read(notes=["every value of column 'text' stands in single"], text=f"'{TEXTS[0]}'"),
    ),
    "a blank before quotes": (
        "a.csv",
        lines("label, text", row='{label}, "{text}, then"'),
        Read(notes=["blanks between a separator and a quote"], text=f"{TEXTS[0]}, then"),
    ),
    "a blank before quotes without need": (
        "a.csv",
        lines("label, text", row='{label}, "{text}"'),
        Read(notes=["blanks between a separator and a quote"]),
    ),
    "ragged": (
        "a.csv",
        csv(LABELS) + b"a,b,1\n",
        Refused(["the header has 2 columns, but 1 of 61 rows", "line 62 has 3", "double quotes"]),
    ),
    "open quote": ("a.csv", csv(LABELS) + b'"open,1\n', Refused(["line 62", "is not closed"])),
    "two columns of one name": (
        "a.csv",
        lines("text,label,note,note", row="{text},{label},a,b"),
        Read(),
    ),
    "two columns of texts": (
        "a.csv",
        lines("text,label,text", row="{text},{label},b"),
        Refused(["2 columns called 'text'"]),
    ),
    "deep JSON": ("a.jsonl", jsonl() + b"\n" + b"[" * 200_000, Refused(["line 61", "too deep"])),
    "deep JSON object": (
        "a.jsonl",
        jsonl() + b"\n" + b'{"a":' * 200_000,
        Refused(["line 61", "too deep"]),
    ),
    "huge number": (
        "a.jsonl",
        jsonl() + b'\n{"text": "fog", "label": ' + b"9" * 5000 + b"}",
        Refused(["line 61", "too many digits"]),
    ),
    "half a character in a text": (
        "a.jsonl",
        jsonl() + b'\n{"text": "fog \\ud83d", "label": 0}',
        Refused(["line 61", "half a character"]),
    ),
    "array called .jsonl": ("a.jsonl", ARRAY, Refused(["line 1", "ends in .json"])),
    "array": ("a.json", ARRAY, Read()),
    "array of gzip": ("a.json.gz", gzip.compress(ARRAY), Read()),
    "lines called .json": ("a.json", jsonl(), Read()),
    "array under a key": ("a.json", b'{"data": ' + ARRAY + b"}", Read()),
    "columns of JSON": (
        "a.json",
        b'{"text": {"0": "fog"}, "label": {"0": 1}}',
        Refused(["keys 'text', 'label'", "orient='records'"]),
    ),
    "array of strings": ("a.json", b'["fog", "rain"]', Refused(["data row 1", "str"])),
    "deep array": ("a.json", b"[" * 200_000, Refused(["too deep"])),
    "empty array": ("a.json", b"[]", Refused(["no rows"])),
    "empty": ("a.csv", b"", Refused(["is empty"])),
    "blank": ("a.csv", b"\n \n,,\n", Refused(["holds blank lines only"])),
    "header alone": ("a.csv", b"text,label\n", Refused(["a header (text, label) and no rows"])),
}

CASES = {**LABEL_CASES, **TABLE_CASES}
