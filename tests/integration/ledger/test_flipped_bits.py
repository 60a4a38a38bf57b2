"""Bits flipped and files cut at random: in caches and in the spool, no score ever changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from search.tracking.open import connect
from tests.integration.fault_table import Noter
from tests.integration.ledger_cells import TAGS, Opener, key_of, record
from trainables.engine import cache
from trainables.engine.cells import runner
from trainables.engine.contract import DataRef
from trainables.engine.features import embedding_store, extraction
from trainables.engine.inputs import frozen_states

pytestmark = pytest.mark.integration

_NO_SCORES = ("seconds", "peak_memory_mib")
_ROUNDS = 200 if os.environ.get("FOLDRACE_FAULTS") else 25


def damage(file: Path, rng: np.random.Generator) -> None:
    """Flip up to a hundred bits of a file, or cut it, or empty it."""
    content = bytearray(file.read_bytes())
    if not content or rng.random() < 0.3:
        file.write_bytes(content[: int(rng.integers(len(content) + 1)) if content else 0])
        return
    for at in rng.integers(len(content), size=int(rng.integers(1, 100))):
        content[at] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def forget() -> None:
    """Forget what this process has read, as another process would not know it."""
    cache._sound.clear()
    embedding_store._checked.clear()
    extraction.extract.cache_clear()
    frozen_states.tokens.cache_clear()


@pytest.mark.parametrize(
    ("space", "fixed"),
    [
        ("linear_eval", {"max_length": "16"}),
        ("smoke", {"trainable_blocks": "1", "epochs": "1", "max_length": "16"}),
    ],
    ids=["features", "hidden states"],
)
def test_damaged_caches_change_no_score(
    space: str,
    fixed: dict[str, str],
    tmp_path: Path,
    tiny_encoder: Path,
    reviews: Path,
    moments: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    faulted: Noter,
) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    fields: dict[str, Any] = {"seeds": (2,), "folds": 2, "strategy": "grid", "fix": fixed}
    data = DataRef(name=str(reviews), text="body", label="verdict")
    spec = make_spec(
        space=space, data=data, model=str(tiny_encoder), configs="reference",
        tracking_uri=f"sqlite:///{tmp_path}/none.db", **fields,
    )  # fmt: skip
    plan = prepare(spec)[0]
    # The last reference: the paper's final model, on an encoder.
    cells = [plan.cell((len(plan.configs) - 1, block)) for block in range(2)]

    def scores() -> list[dict[str, float]]:
        forget()
        got: list[dict[str, float]] = []
        runner.train_cells(plan.task, cells, lambda result: got.append(dict(result.metrics)))
        return [{n: v for n, v in metrics.items() if n not in _NO_SCORES} for metrics in got]

    clean = scores()
    assert len(clean) == 2
    changed = 0
    for _ in range(_ROUNDS):
        files = sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())
        files = [p for p in files if p.suffix not in (".lock", ".damaged")]
        assert files, "nothing is cached: this test damages nothing"
        damage(files[int(moments.integers(len(files)))], moments)
        # Made anew, hidden states may differ in the last bit of a float, as any two runs may.
        changed += scores() != [pytest.approx(metrics, rel=1e-6) for metrics in clean]
        for kept in (tmp_path / "cache").rglob("*.damaged"):
            kept.unlink()
    faulted(f"bits flipped or a file cut in the caches ({space})", _ROUNDS, lost=0, twice=0,
            changed=changed)  # fmt: skip
    assert changed == 0


def test_damaged_results_in_the_spool_never_reach_the_ledger(
    open_ledger: Opener,
    ledger_uri: str,
    tmp_path: Path,
    moments: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    faulted: Noter,
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("away")

    changed = lost = 0
    rounds = _ROUNDS // 5
    for round_ in range(rounds):
        numbers = range(10 * round_, 10 * round_ + 10)
        writer = connect(ledger_uri, "test", tmp_path / "spool")
        with monkeypatch.context() as patch:
            patch.setattr(writer._writer._store, "add", away)
            for number in numbers:
                record(writer, number, tags={**TAGS, "family": f"{round_:064x}"})
            writer.close(0.05)
        files = sorted((tmp_path / "spool").rglob("*.json"))
        damaged = files[int(moments.integers(len(files)))]
        damage(damaged, moments)
        heir = open_ledger()
        known = heir.known_cells(f"{round_:064x}")
        assert heir.flush(60)
        known = open_ledger().known_cells(f"{round_:064x}")
        heir.close()
        changed += sum(
            cell.metrics["accuracy"] != 0.5 + int(key, 16) / 1e6 for key, cell in known.items()
        )
        lost += len(numbers) - len(known)
        assert set(known) <= {key_of(number) for number in numbers}
    assert changed == 0
    assert lost <= rounds, "more than the damaged ones: they are trained again"
    faulted("bits flipped or a file cut in the spool", rounds, lost=0, twice=0, changed=changed)
