"""Models of the hub: the cache first, and what of a download was broken off is fetched anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from trainables.engine.errors import ModelError
from trainables.engine.models.hub import fetched


class Hub:
    """A hub whose snapshots are folders; None stands for what is not there."""

    def __init__(self, cached: Path | None, online: Path | None) -> None:
        self.cached, self.online, self.asked = cached, online, [0, 0]

    def snapshot_download(self, hub_id: str, *, local_files_only: bool = False, **_: Any) -> str:
        self.asked[not local_files_only] += 1
        folder = self.cached if local_files_only else self.online
        if folder is None:
            raise LocalEntryNotFoundError("no network")
        return str(folder)


@pytest.fixture
def half(tiny_encoder: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(tiny_encoder, tmp_path / "half")
    (folder / "model.safetensors").unlink()
    return folder


def ask(hub: Hub, patch: pytest.MonkeyPatch) -> Path:
    patch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    return fetched("owner/name", "owner/name", ["minilm"])


def test_a_whole_snapshot_needs_no_network(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(tiny_encoder, None)
    assert ask(hub, monkeypatch) == tiny_encoder
    assert hub.asked == [1, 0]


def test_half_a_snapshot_is_fetched_anew(
    half: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(Hub(half, tiny_encoder), monkeypatch) == tiny_encoder


def test_half_a_snapshot_without_a_network_is_named(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"has no weights \(model.safetensors"):
        ask(Hub(half, None), monkeypatch)


def test_a_whole_download_of_half_a_model_is_refused(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"has no weights \(model.safetensors"):
        ask(Hub(None, half), monkeypatch)


def test_what_is_nowhere_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"the hub gave nothing.*no network.*packaged 'minilm'"):
        ask(Hub(None, None), monkeypatch)
