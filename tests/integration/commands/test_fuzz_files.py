"""Damaged tables and model folders through `plan`: 0 or 2, in words that name the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bad_tables import CASES
from tests.broken_models.changes import copy_of
from tests.integration.commands.test_broken_models import _forget
from tests.integration.commands.test_fuzz_command_lines import FUZZ, _is_for_people, _typed, folder

__all__ = ["folder"]

pytestmark = pytest.mark.integration

_SEEDS = sorted(CASES)
_PIECES = (
    b"\0",
    b"\xff\xfe",
    b'"',
    b"\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b"NaN",
    b"[",
    b"{",
    b"\xed\xa0\x80",
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with a few bits flipped, parts cut out, doubled or put in."""
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        start = draw(st.integers(0, len(content) - 1))
        end = min(len(content), start + draw(st.sampled_from([1, 2, 8, 64, 4096])))
        how = draw(st.sampled_from(["flip", "cut", "end", "double", "put", "fill"]))
        part = content[start:end]
        if how == "flip":
            part = bytes([part[0] ^ (1 << draw(st.integers(0, 7)))]) + part[1:]
        elif how == "cut":
            part = b""
        elif how == "end":
            part, end = b"", len(content)
        elif how == "double":
            part += part
        elif how == "put":
            part = draw(st.sampled_from(_PIECES)) + part
        else:
            part = draw(st.sampled_from([b"\0", b"\xff", b"9"])) * len(part)
        content = content[:start] + part + content[end:]
    return content


@given(data=st.data())
@FUZZ
def test_a_damaged_table_is_read_or_refused(data: st.DataObject, folder: Path) -> None:
    name, content, _ = CASES[data.draw(st.sampled_from(_SEEDS))]
    file = folder / "drawn" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data.draw(damaged(content)))
    try:
        model = ["--model", "encoder", "--seeds", "2", "--folds", "2"]
        code, said = _typed(["plan", "smoke", "--data", str(file), *model])
        _is_for_people([name], code, said)
        if code == 2:
            # Where the file is sound and the work would begin, another fault is named.
            assert name in said or file.stem in said or "the work would begin here" in said, said
    finally:
        shutil.rmtree(file.parent)


@given(data=st.data())
@FUZZ
def test_a_damaged_model_is_read_or_refused(
    data: st.DataObject, folder: Path, tiny_encoder: Path
) -> None:
    model = copy_of(tiny_encoder, folder / "drawn-model")
    files = sorted(path.name for path in model.iterdir() if path.is_file())
    for name in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True)):
        file = model / name
        if data.draw(st.integers(0, 9)):
            file.write_bytes(data.draw(damaged(file.read_bytes())))
        else:
            file.unlink()
    _forget()
    words = ["--data", "reviews.csv", "--text", "body", "--label", "verdict"]
    words += ["--model", str(model), "--seeds", "2", "--folds", "2"]
    code, said = _typed(["plan", "smoke", *words])
    _is_for_people([str(model)], code, said)
    if code == 2:
        assert "drawn-model" in said or "the work would begin here" in said, said
