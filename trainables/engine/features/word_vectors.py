"""Word vectors from a file, or one of gensim's downloads.

Formats, told apart by their contents: word2vec's text and binary, GloVe's text (no header), each
also gzipped; and .npz with the arrays `words` and `vectors`. Nothing pickled is ever read.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import re
import sys
import warnings
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from trainables.engine.errors import VectorsError
from trainables.engine.file_kind import FileKind, kind_of

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+\Z", re.IGNORECASE)
_HEADER = re.compile(rb"\d+ \d+\s*\Z")
# What a file that is cut off, or is none of vectors, makes of its readers.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def resolve(reference: str) -> str:
    """Make a reference the same in every folder: a path is absolute."""
    path = Path(reference).expanduser()
    return str(path.resolve()) if path.is_file() else reference


def locate(reference: str) -> Path:
    """Find the file of a reference; gensim downloads it if need be.

    Raises:
        VectorsError: if it is not there and cannot be downloaded, or without gensim.
    """
    if importlib.util.find_spec("gensim") is None:
        raise VectorsError(
            f"Word vectors {reference!r} are read by the package gensim, which is not installed: "
            "pip install 'foldrace[vectors]', or leave the representation out with "
            "--set representation=..."
        )
    path = Path(reference).expanduser()
    if path.is_file():
        return path.resolve()
    if path.exists() or not _NAME.match(reference):
        what = "a folder" if path.exists() else "no file"
        raise VectorsError(
            f"Word vectors {reference!r} are {what}: give a word2vec or GloVe file, an .npz, or a "
            "name of gensim's downloads such as glove-wiki-gigaword-300."
        )
    return _download(reference)


def _download(name: str) -> Path:
    import gensim.downloader

    folder = Path(gensim.downloader.BASE_DIR) / name
    files = sorted(folder.glob(f"{name}*.gz"))
    if files:
        return files[0]
    sys.stderr.write(f"downloading the word vectors {name} (once, into {folder})\n")
    try:
        # It draws its progress on stdout, which belongs to the command's answer.
        with contextlib.redirect_stdout(sys.stderr):
            return Path(gensim.downloader.load(name, return_path=True))
    except Exception as error:  # whatever urllib makes of no network; of an unknown name, too
        reason = str(error).strip().splitlines()[:1]
        raise VectorsError(
            f"Word vectors {name!r} are no file, and gensim could not download them "
            f"({type(error).__name__}: {' '.join(reason)}). Give a file of word2vec or GloVe "
            "vectors with --fix word2vec=FILE or --fix glove=FILE, or leave the representation "
            "out with --set representation=..."
        ) from error


def fingerprint(reference: str) -> str:
    """sha256 of the contents of a reference's file, not of its path.

    Raises:
        VectorsError: as `locate`.
    """
    path = locate(reference)
    stat = path.stat()
    return _sha256(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _sha256(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def load_vectors(reference: str) -> KeyedVectors:
    """Load the vectors of a reference with gensim.

    Raises:
        VectorsError: if the file is of no format that is read here, or damaged.
    """
    from gensim.models import KeyedVectors

    path = locate(reference)
    try:
        if zipfile.is_zipfile(path):
            return _from_npz(path)
        with _opened(path) as file:
            head = file.readline(1_000_000)
            following = file.readline(1_000_000)
        if _HEADER.match(head):
            width = int(head.split()[1])
            binary = not _is_text_row(following, width)
            return KeyedVectors.load_word2vec_format(
                str(path), binary=binary, unicode_errors="replace"
            )
        if _is_text_row(head, len(head.split()) - 1):
            with warnings.catch_warnings():
                # gensim leaves the file to the garbage collector here.
                warnings.simplefilter("ignore", ResourceWarning)
                return KeyedVectors.load_word2vec_format(
                    str(path), binary=False, no_header=True, unicode_errors="replace"
                )
    except _DAMAGE as error:
        raise VectorsError(f"Word vectors {str(path)!r} cannot be read: {error}") from error
    kind = kind_of(path)
    known = kind not in (FileKind.TEXT, FileKind.BINARY, FileKind.GZIP)
    what = f" It is {kind.phrase}: {kind.advice}." if known else ""
    raise VectorsError(
        f"Word vectors {str(path)!r} are of no known format: wanted word2vec (text or binary, with "
        f"its header), GloVe's text, or .npz with the arrays words and vectors.{what}"
    )


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _is_text_row(line: bytes, width: int) -> bool:
    """Tell if a line is a word and `width` numbers."""
    values = line.rstrip().split(b" ")
    if width < 1 or len(values) <= width:
        return False
    try:
        for value in values[-width:]:
            float(value)
    except ValueError:
        return False
    return True


def _from_npz(path: Path) -> KeyedVectors:
    from gensim.models import KeyedVectors

    with np.load(path, allow_pickle=False) as arrays:
        words, vectors = arrays["words"], arrays["vectors"].astype(np.float32)
    if words.ndim != 1 or vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(
            f"words must be (n,) and vectors (n, width), got {words.shape} and {vectors.shape}"
        )
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors([str(word) for word in words], vectors)
    return keyed
