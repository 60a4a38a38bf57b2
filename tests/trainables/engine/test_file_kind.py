from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import feather, orc, parquet
from safetensors.numpy import save

from trainables.engine.file_kind import FileKind, kind_of, kind_of_bytes

TABLE = pa.table({"text": ["fog", "rain"], "label": [0, 1]})
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n"
)


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(*names: str) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return written(write)


def tarred() -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("a.csv"))

    return written(write)


FILES: dict[str, tuple[bytes, FileKind]] = {
    "empty": (b"", FileKind.EMPTY),
    "csv": (b"text,label\nfog,0\n", FileKind.TEXT),
    "umlauts in latin-1": ("text,label\nNeböl,0\n".encode("latin-1"), FileKind.TEXT),
    "BOM of UTF-8": (b"\xef\xbb\xbftext,label\n", FileKind.TEXT),
    "json": (b'{"text": "fog"}\n', FileKind.TEXT),
    "UTF-16 with BOM": ("text,label\nfog,0\n".encode("utf-16"), FileKind.UTF16),
    "UTF-16 without": ("text,label\nfog,0\n".encode("utf-16-le"), FileKind.UTF16),
    "UTF-16, big end first": ("text,label\nfog,0\n".encode("utf-16-be"), FileKind.UTF16),
    "UTF-16 without a zero": (b"\xff\xfe" + "\u4e2d\u6587".encode("utf-16-le"), FileKind.UTF16),
    "UTF-32": ("text,label\n".encode("utf-32"), FileKind.UTF32),
    "web page": (b"\n <!DOCTYPE html>\n<html>", FileKind.HTML),
    "xhtml": (b'<?xml version="1.0"?>\n<html xmlns="x">', FileKind.HTML),
    "xml": (b'<?xml version="1.0"?>\n<rows/>', FileKind.XML),
    "lfs": (POINTER.encode(), FileKind.LFS_POINTER),
    "gzip": (gzip.compress(b"text,label\n"), FileKind.GZIP),
    "bzip2": (bz2.compress(b"text"), FileKind.BZIP2),
    "a column called BZh": (b"BZh,label\nfog,0\n", FileKind.TEXT),
    "columns called PARENT": (b"PARENT,label\nfog,0\n", FileKind.TEXT),
    "a text of GIF89a": (b"GIF89a,label\nfog,0\n", FileKind.TEXT),
    "zip": (zipped("a.csv"), FileKind.ZIP),
    "zip cut off": (zipped("a.csv")[:20], FileKind.ZIP),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), FileKind.XLSX),
    "docx": (zipped("[Content_Types].xml", "word/document.xml"), FileKind.DOCX),
    "ods": (zipped("mimetype", "content.xml"), FileKind.ODS),
    "tar": (tarred(), FileKind.TAR),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, FileKind.XLS),
    "parquet": (written(lambda b: parquet.write_table(TABLE, b)), FileKind.PARQUET),
    "arrow": (written(lambda b: feather.write_feather(TABLE, b)), FileKind.ARROW),
    "torch": (written(lambda b: torch.save({"a": torch.ones(2)}, b)), FileKind.TORCH),
    "pickle": (pickle.dumps({"a": 1}), FileKind.PICKLE),
    "npy": (written(lambda b: np.save(b, np.ones(3))), FileKind.NUMPY),
    "npz": (written(lambda b: np.savez(b, a=np.ones(3))), FileKind.NUMPY),
    "safetensors": (save({"a": np.ones(3, np.float32)}), FileKind.SAFETENSORS),
    "safetensors whose length looks like gzip": (
        (0x8B1F).to_bytes(8, "little") + b"{" + b" " * 0x8B1F,
        FileKind.SAFETENSORS,
    ),
    "safetensors cut off": (save({"a": np.ones(3, np.float32)})[:40], FileKind.BINARY),
    "orc": (written(lambda b: orc.write_table(TABLE, b)), FileKind.ORC),
    "pdf": (b"%PDF-1.7\n", FileKind.PDF),
    "png": (b"\x89PNG\r\n\x1a\n\0", FileKind.IMAGE),
    "sqlite": (b"SQLite format 3\0" + b"\0" * 84, FileKind.SQLITE),
    "noise": (b"\x07\x00\x00\x01\x02\x00\x00\x00\xaa", FileKind.BINARY),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_bytes(name: str, tmp_path: Path) -> None:
    content, kind = FILES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert kind_of(path) is kind


def test_an_arrow_stream_is_known() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    assert kind_of_bytes(sink.getvalue().to_pybytes()) is FileKind.ARROW_STREAM


def test_weights_of_many_gigabytes_are_known_by_their_head() -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    head = len(header).to_bytes(8, "little") + header
    assert kind_of_bytes(head[:4096], 10_000_000_000) is FileKind.SAFETENSORS


@pytest.mark.parametrize("kind", FileKind)
def test_every_kind_says_what_it_is_and_what_to_do(kind: FileKind) -> None:
    assert kind.phrase
    assert kind.advice
    assert not kind.advice.endswith(".")
