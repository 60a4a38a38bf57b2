"""Kinds of files, told by their first bytes.

A name's ending says what a file should be. Its bytes say what it is: a download that failed, a
pointer in its place, a spreadsheet under another name.
"""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path

# Enough for every signature, that of tar at byte 257 among them.
_HEAD = 4096
_TAR_AT = 257
_LONGEST_SAFETENSORS_HEADER = 100_000_000


class FileKind(Enum):
    """A kind of file, with words for a message.

    Example:
        >>> kind = FileKind.LFS_POINTER
        >>> f"data.csv is {kind.phrase}: {kind.advice}."
        'data.csv is a git-lfs pointer, not the file itself: fetch the file with `git lfs pull`.'
    """

    EMPTY = "empty", "fetch or write it anew"
    TEXT = "text", "save it in the format that its ending names"
    UTF16 = "text in UTF-16", "save it as UTF-8"
    UTF32 = "text in UTF-32", "save it as UTF-8"
    HTML = "a web page", "was it a download that failed? Fetch the file itself"
    XML = "an XML document", "save it in the format that its ending names"
    RTF = "a text document (RTF)", "save it as plain text"
    LFS_POINTER = "a git-lfs pointer, not the file itself", "fetch the file with `git lfs pull`"
    GZIP = "a gzip archive", "unpack it with `gunzip`, or call it by its ending .gz"
    BZIP2 = "a bzip2 archive", "unpack it with `bunzip2`"
    XZ = "an xz archive", "unpack it with `unxz`"
    ZSTD = "a Zstandard archive", "unpack it with `unzstd`"
    ZIP = "a zip archive", "unpack it with `unzip`, and give a file of it"
    TAR = "a tar archive", "unpack it with `tar -xf`, and give a file of it"
    SEVEN_ZIP = "a 7z archive", "unpack it, and give a file of it"
    RAR = "a rar archive", "unpack it, and give a file of it"
    XLSX = "an Excel workbook", "save its sheet as CSV UTF-8"
    XLS = "an old Office document (xls, doc)", "save it as CSV UTF-8 or as plain text"
    ODS = "an OpenDocument file", "save it as CSV UTF-8 or as plain text"
    DOCX = "a Word document", "save it as plain text"
    PDF = "a PDF document", "save its text as a plain text file"
    PARQUET = "a Parquet file", "call it by its ending .parquet"
    ARROW = "an Arrow (Feather) file", "call it by its ending .arrow"
    ARROW_STREAM = "an Arrow stream", "call it by its ending .arrow"
    ORC = "an ORC file", "save it as Parquet"
    AVRO = "an Avro file", "save it as Parquet"
    SQLITE = "an SQLite database", "save its table as CSV or Parquet"
    HDF5 = "an HDF5 file", "save it in the format that its ending names"
    NUMPY = "a NumPy array", "save it in the format that its ending names"
    TORCH = "a PyTorch checkpoint", "call it by its ending .bin or .pt"
    PICKLE = "a Python pickle", "save it in the format that its ending names"
    SAFETENSORS = "a safetensors file", "call it by its ending .safetensors"
    GGUF = "a GGUF model", "save the model with `save_pretrained` of transformers"
    IMAGE = "an image", "give a file of the format that its ending names"
    BINARY = "binary data of no known format", "save it in the format that its ending names"

    @property
    def phrase(self) -> str:
        """Noun phrase that follows "is"."""
        return self.value[0]

    @property
    def advice(self) -> str:
        """Next step for a reader that needs another kind, as an imperative."""
        return self.value[1]


_SIGNATURES = (
    (b"version https://git-lfs.github.com/spec/", FileKind.LFS_POINTER),
    (b"\xff\xfe\x00\x00", FileKind.UTF32),
    (b"\x00\x00\xfe\xff", FileKind.UTF32),
    (b"\xff\xfe", FileKind.UTF16),
    (b"\xfe\xff", FileKind.UTF16),
    (b"\x1f\x8b", FileKind.GZIP),
    (b"BZh", FileKind.BZIP2),
    (b"\xfd7zXZ\x00", FileKind.XZ),
    (b"\x28\xb5\x2f\xfd", FileKind.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", FileKind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", FileKind.RAR),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.XLS),
    (b"%PDF-", FileKind.PDF),
    (b"PAR1", FileKind.PARQUET),
    (b"PARE", FileKind.PARQUET),
    (b"ARROW1", FileKind.ARROW),
    (b"FEA1", FileKind.ARROW),
    (b"\xff\xff\xff\xff", FileKind.ARROW_STREAM),
    (b"Obj\x01", FileKind.AVRO),
    (b"SQLite format 3\x00", FileKind.SQLITE),
    (b"\x89HDF\r\n\x1a\n", FileKind.HDF5),
    (b"\x93NUMPY", FileKind.NUMPY),
    (b"GGUF", FileKind.GGUF),
    (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE),
    (b"\xff\xd8\xff", FileKind.IMAGE),
    (b"GIF87a", FileKind.IMAGE),
    (b"GIF89a", FileKind.IMAGE),
    (b"{\\rtf", FileKind.RTF),
    (b"ORC\n", FileKind.ORC),
    (b"PK\x03\x04", FileKind.ZIP),
    (b"PK\x05\x06", FileKind.ZIP),
    (b"PK\x07\x08", FileKind.ZIP),
    *((b"\x80" + bytes([protocol]), FileKind.PICKLE) for protocol in range(2, 6)),
)
_OF_TEXT = {FileKind.LFS_POINTER, FileKind.PDF, FileKind.RTF}
# Bytes of no text; those of UTF-8 beyond ASCII are some.
_CONTROLS = {*range(9), *range(14, 27), *range(28, 32), 127}


def kind_of(path: Path) -> FileKind:
    """Return the kind of a file, by its bytes alone.

    Args:
        path: Path of a file that is there.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    kind = kind_of_bytes(head, path.stat().st_size)
    return _of_zip(path) if kind is FileKind.ZIP else kind


def kind_of_bytes(head: bytes, size: int | None = None) -> FileKind:
    """Return the kind of a file that begins with these bytes.

    Every zip archive is `ZIP`: only `kind_of` looks inside.

    Args:
        head: First bytes, 4,096 or the whole file.
        size: Size of the whole file in bytes; None if `head` is all of it.
    """
    if not head:
        return FileKind.EMPTY
    # First, as the length that it begins with may look like any other signature.
    if _is_safetensors(head, len(head) if size is None else size):
        return FileKind.SAFETENSORS
    for signature, kind in _SIGNATURES:
        if head.startswith(signature) and (kind in _OF_TEXT or not _is_plain(signature, head)):
            return kind
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return FileKind.TAR
    return _of_plain_bytes(head)


def _is_plain(signature: bytes, head: bytes) -> bool:
    """Return True for letters and text: a header such as PARENT,label."""
    letters = signature.isascii() and not _CONTROLS & set(signature)
    return letters and not _CONTROLS & set(head)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Return True for a fitting length in eight bytes, then JSON."""
    length = int.from_bytes(head[:8], "little")
    fits = 2 <= length <= min(size - 8, _LONGEST_SAFETENSORS_HEADER)
    return len(head) > 8 and fits and head[8:9] == b"{"


def _of_plain_bytes(head: bytes) -> FileKind:
    """Return the kind of bytes without a signature: some text, or none."""
    if b"\x00" in head:
        # Latin text in UTF-16 has a zero in every second byte.
        even, odd = head[0::2], head[1::2]
        for zeros, others in ((even, odd), (odd, even)):
            if zeros.count(0) > 0.7 * len(zeros) and others.count(0) < 0.05 * len(others) + 1:
                return FileKind.UTF16
        return FileKind.BINARY
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return FileKind.HTML
    if start.startswith(b"<?xml"):
        return FileKind.HTML if b"<html" in start or b"xhtml" in start else FileKind.XML
    return FileKind.TEXT


def _of_zip(path: Path) -> FileKind:
    """Return the kind of a zip archive by the names inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return FileKind.ZIP
    inside = {
        FileKind.XLSX: any(name.startswith("xl/") for name in names),
        FileKind.DOCX: any(name.startswith("word/") for name in names),
        FileKind.ODS: {"content.xml", "mimetype"} <= set(names),
        FileKind.TORCH: any(name.split("/")[-1] == "data.pkl" for name in names),
        FileKind.NUMPY: bool(names) and all(name.endswith(".npy") for name in names),
    }
    return next((kind for kind, found in inside.items() if found), FileKind.ZIP)
