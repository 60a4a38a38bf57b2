"""Text of a file, or a message about its kind."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.file_kind import FileKind, kind_of, kind_of_bytes

# A gzip file of some megabytes may hold terabytes of zeros.
_MOST_UNPACKED = 16 * 2**30


def read_text(path: Path) -> str:
    """Return the text of a file without a byte order mark.

    A name that ends in .gz is unpacked.

    Raises:
        DataError: if the file is no text in UTF-8; the message names the kind of file, or the
            line.
        OSError: if it cannot be read.
    """
    kind = kind_of(path)
    packed = path.suffix.lower() == ".gz"
    if packed and kind is FileKind.GZIP:
        raw, name = _unpacked(path), f"{path}, unpacked,"
        kind = kind_of_bytes(raw[:4096], len(raw))
    elif packed and kind is FileKind.TEXT:
        raise DataError(
            f"{path} is no gzip archive but plain text: take the ending .gz off its name."
        )
    else:
        raw, name = b"", str(path)
    _check_text(name, kind)
    return _decoded(name, raw or path.read_bytes(), path.name)


def _check_text(name: str, kind: FileKind) -> None:
    if kind is FileKind.EMPTY:
        raise DataError(f"{name} is empty.")
    if kind in (FileKind.UTF16, FileKind.UTF32):
        raise DataError(f"{name} is not UTF-8 but {kind.phrase[8:]}: save it as UTF-8.")
    if kind is FileKind.HTML:
        raise DataError(f"{name} is a web page, no table: was it a download that failed?")
    if kind is FileKind.BINARY:
        raise DataError(f"{name} holds zero bytes: it is not a text file.")
    if kind is not FileKind.TEXT:
        raise DataError(f"{name} is {kind.phrase}: {kind.advice}.")


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            raw = file.read(_MOST_UNPACKED + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is a damaged gzip archive: {error}. Fetch or pack it anew."
        ) from error
    if len(raw) > _MOST_UNPACKED:
        raise DataError(
            f"{path} unpacks to more than {_MOST_UNPACKED // 2**30} GiB. Save it as Parquet."
        )
    return raw


def _decoded(name: str, raw: bytes, file_name: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line:,} (offset "
            f"{error.start:,}). Save it as UTF-8, for example with: "
            f"iconv -f windows-1252 -t utf-8 {file_name}"
        ) from error
    zero = text.find("\0")
    if zero >= 0:
        line = text.count("\n", 0, zero) + 1
        raise DataError(f"{name} holds zero bytes (line {line:,}): it is not a text file.")
    return text
